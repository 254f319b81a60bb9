"""Thirty days of guests, minute by minute: memberships are those of a brute-force count at every minute, and waking costs little.

The oracle knows nothing of cells, timers or valid-until: for every minute it looks at all the sales that had arrived by then, with
their dates on the local calendar. The spans hold a change of daylight saving time each way, and a 29 February.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from shared.kernel.instants import DAY, HOUR, MINUTE, Instant, day_number, parse_rfc3339
from shared.member_state import rules
from shared.member_state.effects import Effects
from shared.member_state.events import MemberEvent, Purchased, Registered, Reversed, TimePassed
from shared.member_state.model import Facts, MemberState
from shared.member_state.rules import apply
from shared.profile.model import Visit
from tests.builders.views import views

DAYS: Final = 30
MINUTES: Final = DAYS * 24 * 60
GUESTS: Final = 60
GAPS: Final = (1, 2, 4, 9, 20, 45)
"""Days between two purchases of a guest: from every day to every six weeks."""
CATEGORIES: Final = ("coffee", "cake", "salad")
INDEX_WRITE: Final = 2
"""Write units of an entry of the timer index that moves: one is deleted, one is put."""

MONTH = {"kind": "purchases", "metric": "count", "days": 30, "op": "ge", "value": 1}
TWICE = {"kind": "purchases", "metric": "count", "days": 7, "op": "ge", "value": 2}
SPENT = {"kind": "purchases", "metric": "value", "days": 14, "op": "ge", "value": 3000}
NO_COFFEE = {"kind": "purchases", "metric": "count", "days": 10, "filter": {"category": "coffee"}, "op": "lt", "value": 1}
AWAY = {"kind": "since_last_purchase", "op": "at_least", "days": 5}
BIRTHDAY = {"kind": "birthday", "within_days_before": 3, "within_days_after": 0}
REGULAR = {"kind": "all", "rules": [MONTH, {"kind": "not", "rule": AWAY}]}
EITHER = {"kind": "any", "rules": [SPENT, {"kind": "all", "rules": [TWICE, NO_COFFEE]}]}
SHORT: tuple[dict[str, Any], ...] = (MONTH, TWICE, SPENT, NO_COFFEE, AWAY, BIRTHDAY, REGULAR, EITHER)
"""Windows as short as the guests' own gaps: most of the work is real flips."""
TWO_WEEKS = {**AWAY, "days": 14}
USUAL: tuple[dict[str, Any], ...] = (
    MONTH,
    {**TWICE, "days": 14, "value": 3},
    {**SPENT, "days": 60, "value": 9000},
    {**NO_COFFEE, "days": 21},
    TWO_WEEKS,
    BIRTHDAY,
    {"kind": "all", "rules": [MONTH, {"kind": "not", "rule": TWO_WEEKS}]},
    {**MONTH, "days": 90, "value": 5},
)
"""Windows as marketers ask for them; the shortest has 14 days."""
SHORTEST: Final = 14


@dataclass
class Sale:
    """A sale: when it was, when we were told, and what came back when (half of its value, or all of it)."""

    at: Instant
    told: Instant
    value: int
    category: str
    back_at: Instant | None = None
    whole: bool = False


@dataclass
class Guest:
    """Somebody with a rhythm."""

    number: int
    born: date
    sales: list[Sale] = field(default_factory=list)


def guests(start: Instant, seed: int) -> list[Guest]:
    """Regulars, occasional guests and some who stay away; a tenth of the receipts late, some of them before earlier ones, some returned."""
    rng = random.Random(seed)
    made = []
    for number in range(GUESTS):
        born = date(1988, 2, 29) if number % 6 == 0 else date(1990, 1, 1) + timedelta(days=rng.randrange(365))
        guest, gap = Guest(number, born), rng.choice(GAPS)
        at = start - 70 * DAY + rng.randrange(20 * DAY)
        while (at := at + rng.randrange(gap * DAY // 2, gap * DAY * 3 // 2)) < start + DAYS * DAY:
            told = at + (rng.randrange(3 * DAY) if rng.random() < 0.1 else 0)
            sale = Sale(at, told, rng.randrange(300, 2500), rng.choice(CATEGORIES))
            if rng.random() < 0.08:
                sale.back_at, sale.whole = told + rng.randrange(1, 4 * DAY), rng.random() < 0.5
            guest.sales.append(sale)
        made.append(guest)
    return made


# -- what we do ---------------------------------------------------------------------------------------------------------


@dataclass
class Run:
    """What the fold did to one guest."""

    flips: list[tuple[int, str, bool]] = field(default_factory=list)
    """Minute, segment, inside from then on."""
    woken: int = 0
    by_time: int = 0
    units: int = 0
    """Write units for the sake of timers alone: an entry that a commit moves, and all of a wake-up that changes nothing."""


def story(guest: Guest) -> list[tuple[Instant, MemberEvent]]:
    """What we are told of her, in the order in which we are told."""
    told: list[tuple[Instant, int, MemberEvent]] = []
    for number, sale in enumerate(guest.sales):
        by = {f"c:{sale.category}": sale.value}
        told.append((sale.told, number, Purchased(sale.at, f"t{number}", Visit(sale.at, sale.value, 1000, by))))
        if sale.back_at is not None:
            part = sale.value if sale.whole else sale.value // 2
            back = Visit(sale.at, part, 1000 if sale.whole else 0, {f"c:{sale.category}": part}, int(sale.whole))
            told.append((sale.back_at, number, Reversed(sale.back_at, f"t{number}", "return", back, whole=sale.whole)))
    return [(at, event) for at, _, event in sorted(told, key=lambda each: each[:2])]


def live_through(guest: Guest, zone: str, start: Instant, segments: tuple[dict[str, Any], ...]) -> Run:
    """Commits as they come, and a sweep each minute. Only minutes in which something is due are looked at."""
    live, facts, run = views(*segments, zone=zone), Facts(birth_date=day_number(guest.born)), Run()
    state = MemberState("demo", f"m{guest.number}", known=["birth_date"])
    waiting = story(guest)
    born_at = min([start, *(at for at, _ in waiting[:1])]) - DAY
    apply(state, Registered(born_at, "app", "", known=("birth_date",)), live, facts)
    state.version = 1
    end, now, before = start + MINUTES * MINUTE, born_at, set(state.segments)
    run.flips += [(0, key, True) for key in sorted(before)]
    while True:
        due = min(waiting[0][0] if waiting else end, state.timer if state.timer is not None else end)
        now = max(now, start + -(-(due - start) // MINUTE) * MINUTE)
        if now >= end:
            return run
        counting = now >= start
        while waiting and waiting[0][0] <= now:
            commit(state, waiting.pop(0)[1], live, facts, run, counting=counting)
        while state.timer is not None and state.timer <= now:
            run.woken += counting
            commit(state, TimePassed(now), live, facts, run, counting=counting)
        inside = set(state.segments)
        minute = max(0, (now - start) // MINUTE)
        run.flips += [(minute, key, key in inside) for key in sorted(inside ^ before)]
        before = inside


def commit(state: MemberState, event: MemberEvent, live: Any, facts: Facts, run: Run, *, counting: bool) -> None:
    """One fold as a commit would do it, and what it costs for the sake of the timer. A wake-up that flips something is no such cost."""
    stood = state.timer
    effects: Effects = apply(state, event, live, facts)
    state.version += 1
    woken = isinstance(event, TimePassed)
    run.by_time += counting * sum(each.cause == "time" for each in effects.events)
    if counting and not (woken and effects.events):
        run.units += INDEX_WRITE * (state.timer != stood) + woken


def inside_by_minute(run: Run, segment: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether she was in the segment, for every minute."""
    inside = np.zeros(MINUTES, dtype=bool)
    for minute, key, entered in run.flips:
        if key == segment:
            inside[minute:] = entered
    return inside


# -- the oracle ---------------------------------------------------------------------------------------------------------


@dataclass
class Minutes:
    """Every minute of the span: its instant, and the date on the local calendar as an ordinal."""

    zone: ZoneInfo
    instants: Any
    days: Any

    @classmethod
    def of(cls, zone: str, start: Instant) -> Minutes:
        there = ZoneInfo(zone)
        instants = start + np.arange(MINUTES, dtype=np.int64) * MINUTE
        return cls(there, instants, np.array([local_date(int(each), there).toordinal() for each in instants]))


def local_date(instant: int, zone: ZoneInfo) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=instant)).astimezone(zone).date()


class Oracle:
    """The truth at every minute, three-valued as (yes, no) arrays."""

    def __init__(self, guest: Guest, minutes: Minutes) -> None:
        self.guest, self.minutes = guest, minutes

    def answer(self, rule: dict[str, Any]) -> tuple[Any, Any]:
        kind = rule["kind"]
        if kind == "not":
            yes, no = self.answer(rule["rule"])
            return no, yes
        if kind in ("all", "any"):
            answers = [self.answer(each) for each in rule["rules"]]
            yeses, noes = [yes for yes, _ in answers], [no for _, no in answers]
            if kind == "all":
                return np.logical_and.reduce(yeses), np.logical_or.reduce(noes)
            return np.logical_or.reduce(yeses), np.logical_and.reduce(noes)
        known, truth = getattr(self, kind)(rule)
        return known & truth, known & ~truth

    def purchases(self, rule: dict[str, Any]) -> tuple[Any, Any]:
        total, today = np.zeros(MINUTES, dtype=np.int64), self.minutes.days
        for sale in self.guest.sales:
            if rule.get("filter", {}).get("category", sale.category) != sale.category:
                continue
            day = local_date(sale.at, self.minutes.zone).toordinal()
            counted = (self.minutes.instants >= sale.told) & (day <= today) & (day > today - rule["days"])
            back = self.minutes.instants >= sale.back_at if sale.back_at is not None else np.zeros(MINUTES, dtype=bool)
            if rule["metric"] == "count":
                total += counted & ~(back & sale.whole)
            else:
                left = 0 if sale.whole else sale.value - sale.value // 2
                total += counted * np.where(back, left, sale.value)
        truth = total >= rule["value"] if rule["op"] == "ge" else total < rule["value"]
        return np.ones(MINUTES, dtype=bool), truth

    def since_last_purchase(self, rule: dict[str, Any]) -> tuple[Any, Any]:
        last = np.full(MINUTES, -1, dtype=np.int64)
        for sale in self.guest.sales:
            last = np.where(self.minutes.instants >= sale.told, np.maximum(last, sale.at), last)
        return last >= 0, self.minutes.instants - last >= rule["days"] * DAY

    def birthday(self, rule: dict[str, Any]) -> tuple[Any, Any]:
        truth = np.zeros(MINUTES, dtype=bool)
        for ordinal in np.unique(self.minutes.days):
            today = date.fromordinal(int(ordinal))
            ahead = [today + timedelta(days=days) for days in range(rule["within_days_before"] + 1)]
            truth[self.minutes.days == ordinal] = any(self._celebrates(each) for each in ahead)
        return np.ones(MINUTES, dtype=bool), truth

    def _celebrates(self, day: date) -> bool:
        born = self.guest.born
        if (born.month, born.day) == (2, 29) and (day + timedelta(days=1)).month == 3 and day.month == 2:
            return True
        return (born.month, born.day) == (day.month, day.day)


# -- both ---------------------------------------------------------------------------------------------------------------

SPANS: Final = (("America/New_York", "2028-02-20T05:00:00Z"), ("Europe/Berlin", "2026-10-04T22:00:00Z"))


@pytest.mark.parametrize("segments", [SHORT, USUAL], ids=["short", "usual"])
@pytest.mark.parametrize(("zone", "starts"), SPANS)
def test_memberships_are_right_at_every_minute_of_thirty_days(zone: str, starts: str, segments: tuple[dict[str, Any], ...]) -> None:
    start = parse_rfc3339(starts)
    minutes, flips = Minutes.of(zone, start), 0
    for guest in guests(start, 11):
        run, oracle = live_through(guest, zone, start, segments), Oracle(guest, minutes)
        for number, rule in enumerate(segments, 1):
            expected, ours = oracle.answer(rule)[0], inside_by_minute(run, f"s{number}@1")
            differs = np.flatnonzero(expected != ours)
            assert differs.size == 0, (guest.number, rule, minutes.instants[differs[0]])
            flips += int(np.count_nonzero(ours[1:] != ours[:-1]))
    assert flips > 2 * GUESTS


@pytest.mark.parametrize(("zone", "starts"), SPANS)
def test_waking_costs_in_proportion_to_what_changes(zone: str, starts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds of the design: wake-ups, the writes that only timers cause, and evaluations against a sweep of everybody each hour."""
    start = parse_rfc3339(starts)
    people = guests(start, 12)
    runs = [live_through(guest, zone, start, USUAL) for guest in people]
    woken, useful, units = (sum(getattr(run, name) for run in runs) for name in ("woken", "by_time", "units"))
    lazy = rules._set_timer
    monkeypatch.setattr(rules, "_set_timer", lambda state, due, exact: lazy(state, due, exact=True))
    units_if_exact = sum(live_through(guest, zone, start, USUAL).units for guest in people)
    assert useful > GUESTS
    assert woken <= 1.2 * useful + GUESTS * DAYS / SHORTEST
    assert 2 * units <= units_if_exact
    assert 50 * woken <= GUESTS * DAYS * DAY // HOUR


def test_one_guest_is_never_away_for_a_minute_too_long() -> None:
    """The oracle's own check: away five days after the last purchase, to the minute."""
    start = parse_rfc3339("2026-10-04T22:00:00Z")
    guest = Guest(0, date(1990, 1, 1), [Sale(start + 90_000, start + 90_000, 500, "coffee")])
    away = inside_by_minute(live_through(guest, "Europe/Berlin", start, SHORT), f"s{SHORT.index(AWAY) + 1}@1")
    assert int(np.flatnonzero(away)[0]) == 5 * 24 * 60 + 2
    assert (Oracle(guest, Minutes.of("Europe/Berlin", start)).answer(AWAY)[0] == away).all()
