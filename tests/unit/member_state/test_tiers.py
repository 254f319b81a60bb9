"""Tiers: worked cases, and against a slow simulation of days that shares nothing with them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.instants import DAY, HOUR, NEVER, Instant, day_of, format_day, local_day
from shared.member_state.effects import Effects
from shared.member_state.events import MemberEvent, Purchased, Reversed, TierSet, TimePassed
from shared.member_state.model import MAX_TIER_SPANS, MemberState, TierSpan
from shared.member_state.rules import apply
from shared.member_state.tiers import progress, settle_tier, tier_at, tier_due
from shared.member_state.view import Views
from shared.profile.model import Visit
from shared.profile.rules import add_visit
from tests.builders.views import ZONE, programme, views
from tests.unit.member_state.stories import bought, joined, noon, starts

LEVELS = [
    {"id": "silver", "name": "Silver", "threshold": 50},
    {"id": "gold", "name": "Gold", "threshold": 150},
    {"id": "platinum", "name": "Platinum", "threshold": 300},
]
CASES = json.loads((Path(__file__).parents[2] / "cases" / "tiers.json").read_text())


def tiered(offers: dict[str, int] | None = None, *, gifts: bool = True, **scheme: Any) -> Views:
    """Views with one programme of these tiers."""
    return views(programmes=[programme(tiers={"levels": LEVELS} | scheme)], offers=offers, gifts=gifts)


def changes(effects: Effects) -> list[list[str | None]]:
    """[day, from, to] of every change of tier."""
    return [
        [format_day(local_day(each.occurred_at, ZONE)), each.data["from"], each.data["to"]]  # type: ignore[list-item]
        for each in effects.events
        if each.type == "tier.changed"
    ]


def step(number: int, written: list[Any], purchases: list[Purchased]) -> MemberEvent:
    """One step of a case as an event."""
    at = noon(written[0])
    if written[1] == "buy":
        purchases.append(bought(number, at, written[2]))
        return purchases[-1]
    if written[1] == "void":
        taken = purchases[written[2]]
        return Reversed(at, taken.transaction, "void", taken.visit, taken.earned)
    if written[1] == "floor":
        return TierSet(at, written[2], starts(written[3]), "thanks", "key_1")
    return TimePassed(at)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_worked_case(case: dict[str, Any]) -> None:
    live = tiered(**case.get("scheme", {}))
    effects, purchases = Effects(), list[Purchased]()
    state = joined(live, starts("2026-01-01") + HOUR, effects)
    for number, written in enumerate(case["steps"]):
        apply(state, step(number, written, purchases), live, effects=effects)
    assert changes(effects) == case["changes"]
    assert (state.tier.id if state.tier is not None else None) == case["tier"]
    if state.tier is not None:
        assert state.tier.until == (NEVER if case["until"] == "never" else starts(case["until"]))
    if "progress" in case:
        seen = progress(state, live(0), state.as_of)
        assert [seen.projected, seen.next.id if seen.next else None, seen.missing, seen.metric] == case["progress"]


@dataclass
class Simulation:
    """A member's tier by walking through every day, with purchases as a plain list."""

    window: str
    days: int
    entry: str
    valid_days: int
    grace_days: int
    one_step: bool
    purchases: list[tuple[date, int]] = field(default_factory=list)
    rank: int = -1
    until: date = date.max
    told: list[list[str | None]] = field(default_factory=list)

    def period(self, day: date) -> tuple[int, int]:
        length = {"month": 1, "quarter": 3, "year": 12}[self.window]
        return day.year, (day.month - 1) // length

    def begins(self, day: date, later: int) -> date:
        """The first day of the period so many after the one of ``day``."""
        found = day.replace(day=1)
        while self.period(found - timedelta(days=1)) == self.period(day):
            found = (found - timedelta(days=1)).replace(day=1)
        for _ in range(later):
            inside = found
            while self.period(found) == self.period(inside):
                found += timedelta(days=1)
        return found

    def counted(self, day: date) -> int:
        """What the window that ends with ``day``, or the period that ``day`` is in, has counted by then."""
        if self.window == "lifetime":
            return sum(points for _, points in self.purchases)
        if self.window == "rolling":
            return sum(points for bought_on, points in self.purchases if 0 <= (day - bought_on).days < self.days)
        return sum(points for bought_on, points in self.purchases if self.period(bought_on) == self.period(day))

    def level(self, points: int) -> int:
        return sum(points >= threshold for threshold in (50, 150, 300)) - 1

    def enter(self, rank: int, day: date, until: date) -> None:
        names = [None, "silver", "gold", "platinum"]
        if rank != self.rank:
            self.told.append([day.isoformat(), names[self.rank + 1], names[rank + 1]])
        self.rank, self.until = rank, until if rank >= 0 else date.max

    def fixed(self, day: date) -> date:
        return day + timedelta(days=self.valid_days + 1 + self.grace_days)

    def rise(self, rank: int, day: date, until: date) -> None:
        if rank > self.rank:
            self.enter(rank, day, until)
        elif rank == self.rank >= 0:
            self.until = max(self.until, until)

    def buy(self, day: date, points: int) -> None:
        self.purchases.append((day, points))
        if self.entry == "at_once":
            grace = timedelta(days=self.grace_days)
            until = self.fixed(day) if self.window in ("rolling", "lifetime") else self.begins(day, 2) + grace
            self.rise(self.level(self.counted(day)), day, until)

    def dawn(self, day: date) -> None:
        grace = timedelta(days=self.grace_days)
        calendar = self.window not in ("rolling", "lifetime")
        if self.entry == "next_period" and day == self.begins(day, 0):
            self.rise(self.level(self.counted(day - timedelta(days=1))), day, self.begins(day, 1) + grace)
        if self.rank < 0 or self.until > day:
            return
        if not calendar:
            rank, until = self.level(self.counted(day)), self.fixed(day)
            stepped = self.fixed(day)
        else:
            rank, until = self.best_kept(day)
            stepped = self.begins(day, 1) + grace
        if self.one_step and rank < self.rank - 1:
            rank, until = self.rank - 1, stepped
        self.enter(rank, day, until)

    def best_kept(self, day: date) -> tuple[int, date]:
        """Of every period, the level that it was enough for, if that is kept still."""
        found = (-1, date.min)
        for inside in {self.begins(bought_on, 0) for bought_on, _ in self.purchases}:
            kept = self.begins(inside, 2) + timedelta(days=self.grace_days)
            finished = self.begins(inside, 1) <= day
            if kept > day and (finished or self.entry == "at_once"):
                level = self.level(self.counted(inside))
                found = max(found, (level, kept if level >= 0 else date.min))
        return found


schemes = st.fixed_dictionaries(
    {
        "window": st.sampled_from(["rolling", "month", "quarter", "year", "lifetime"]),
        "days": st.integers(1, 60),
        "valid_days": st.integers(1, 40),
        "grace_days": st.sampled_from([0, 0, 5, 40]),
        "downgrade": st.sampled_from(["by_balance", "one_step"]),
        "entry": st.sampled_from(["at_once", "next_period"]),
    }
)
stories = st.lists(st.tuples(st.integers(0, 45), st.integers(1, 200)), max_size=10)
BEGIN = day_of("2025-12-20")


def played(live: Views, story: list[tuple[int, int]], end: int, sweeps: list[int]) -> tuple[MemberState, Effects]:
    """A story of (days since the one before, points), with sweeps at noon of those days and one at the end."""
    state, effects, day = joined(live, noon(format_day(BEGIN))), Effects(), BEGIN
    events: list[MemberEvent] = [TimePassed(noon(format_day(each)) + HOUR) for each in sweeps]
    for number, (gap, points) in enumerate(story):
        day += gap
        events.append(bought(number, noon(format_day(day)) + number + 1, points))
    for event in sorted(events, key=lambda each: each.at):
        apply(state, event, live, effects=effects)
    apply(state, TimePassed(noon(format_day(end)) + 2 * HOUR), live, effects=effects)
    return state, effects


@given(schemes, stories, st.integers(0, 200), st.lists(st.integers(0, 300), max_size=15))
def test_as_a_simulation_of_every_day_and_whenever_it_is_swept(
    drawn: dict[str, Any], story: list[tuple[int, int]], rest: int, sweeps: list[int]
) -> None:
    calendar = drawn["window"] in ("month", "quarter", "year")
    scheme = drawn if calendar else drawn | {"entry": "at_once"}
    live = tiered(**scheme)
    end = BEGIN + sum(gap for gap, _ in story) + rest
    quiet, told = played(live, story, end, [])
    swept, told_when_swept = played(live, story, end, sorted(BEGIN + each for each in sweeps if BEGIN + each <= end))
    slow = Simulation(
        scheme["window"], scheme["days"], scheme["entry"], scheme["valid_days"], scheme["grace_days"], scheme["downgrade"] == "one_step"
    )
    bought_on: dict[int, list[int]] = {}
    day = BEGIN
    for gap, points in story:
        day += gap
        bought_on.setdefault(day, []).append(points)
    for each in range(BEGIN, end + 1):
        today = date.fromisoformat(format_day(each))
        slow.dawn(today)
        for points in bought_on.get(each, []):
            slow.buy(today, points)
    assert changes(told) == slow.told
    assert changes(told_when_swept) == slow.told
    assert quiet.tier == swept.tier
    assert quiet.tier_spans == swept.tier_spans
    assert (quiet.tier.until if quiet.tier else None) == (starts(slow.until.isoformat()) if slow.rank >= 0 else None)


def test_a_guest_without_activity_has_no_timer() -> None:
    live = tiered(window="month", entry="next_period")
    assert joined(live, noon("2026-01-01")).timer is None


def test_too_little_for_any_level_needs_no_timer_either() -> None:
    live = tiered(window="month", entry="next_period")
    state = joined(live, noon("2026-01-01"))
    apply(state, bought(1, noon("2026-01-02"), 49), live)
    assert tier_due(state, live(0)) == NEVER
    apply(state, bought(2, noon("2026-01-03"), 1), live)
    assert state.timer == starts("2026-02-01")


def test_a_period_that_counted_too_little_to_renew_what_is_held_is_not_waited_for() -> None:
    live = tiered(window="month", entry="next_period", grace_days=10)
    state = joined(live, noon("2026-01-01"))
    apply(state, bought(1, noon("2026-01-02"), 160), live)
    apply(state, bought(2, noon("2026-02-02"), 60), live)
    assert tier_due(state, live(0)) == starts("2026-03-11")
    apply(state, bought(3, noon("2026-02-03"), 90), live)
    assert tier_due(state, live(0)) == starts("2026-03-01")


def gifts_of(effects: Effects) -> list[tuple[str, str]]:
    return [(each.offer, each.issued_by) for each in effects.promised]


GIVING = [
    {"id": "silver", "name": "Silver", "threshold": 50, "offers": ["fries"]},
    {"id": "gold", "name": "Gold", "threshold": 150, "offers": ["burger", "fries"]},
]


def test_every_level_risen_through_gives_its_offers_within_what_a_member_may_have() -> None:
    live = tiered({"fries": 1, "burger": 1}, levels=GIVING)
    state = joined(live, noon("2026-01-01"))
    effects = apply(state, bought(1, noon("2026-01-02"), 150), live)
    assert gifts_of(effects) == [("fries", "tier:silver"), ("burger", "tier:gold")]
    assert sorted(coupon.offer for coupon in state.coupons.values()) == ["burger", "fries"]
    assert set(state.coupons) == {each.id for each in effects.promised}
    issued = [(each.data["offer"], each.cause) for each in effects.events if each.type == "coupon.issued"]
    assert issued == [("fries", "tier:silver"), ("burger", "tier:gold")]


def test_a_level_held_already_gives_nothing_again() -> None:
    live = tiered({"fries": 9, "burger": 9}, levels=GIVING)
    state = joined(live, noon("2026-01-01"))
    apply(state, bought(1, noon("2026-01-02"), 50), live)
    effects = apply(state, bought(2, noon("2026-01-03"), 100), live)
    assert gifts_of(effects) == [("burger", "tier:gold"), ("fries", "tier:gold")]


def test_an_offer_that_is_not_in_force_is_skipped_and_history_gives_nothing() -> None:
    for live in (tiered({"sauce": 1}, levels=GIVING), tiered({"fries": 1}, gifts=False, levels=GIVING)):
        state = joined(live, noon("2026-01-01"))
        effects = apply(state, bought(1, noon("2026-01-02"), 150), live)
        assert (effects.promised, state.coupons) == ([], {})
        assert state.tier is not None


def test_falling_gives_nothing() -> None:
    live = tiered({"fries": 9}, levels=GIVING, days=5, valid_days=10, downgrade="one_step")
    state = joined(live, noon("2026-01-01"))
    apply(state, bought(1, noon("2026-01-02"), 150), live)
    effects = apply(state, TimePassed(noon("2026-01-20")), live)
    assert changes(effects) == [["2026-01-13", "gold", "silver"]]
    assert effects.promised == []


@pytest.mark.parametrize("window", ["rolling", "month"])
def test_a_level_that_came_only_of_what_came_back_goes_with_it(window: str) -> None:
    live = tiered(window=window)
    state = joined(live, noon("2026-01-01"))
    apply(state, bought(1, noon("2026-01-02"), 60), live)
    risen = bought(2, noon("2026-01-03"), 100)
    apply(state, risen, live)
    add_visit(state.profile, risen.visit, ZONE, -1)
    state.profile.cells.pop(local_day(risen.at, ZONE), None)
    effects = Effects()
    settle_tier(state, live(0), noon("2026-01-04"), effects, returned=risen.at)
    assert changes(effects) == [["2026-01-04", "gold", "silver"]]
    assert state.tier is not None
    assert state.tier.until == starts("2027-01-03" if window == "rolling" else "2026-03-01")


def test_a_level_held_before_that_purchase_stays_when_it_comes_back() -> None:
    live = tiered(days=10)
    state = joined(live, noon("2026-01-01"))
    apply(state, bought(1, noon("2026-01-02"), 160), live)
    later = bought(2, noon("2026-02-20"), 10)
    apply(state, later, live)
    add_visit(state.profile, later.visit, ZONE, -1)
    state.profile.cells.pop(local_day(later.at, ZONE), None)
    effects = Effects()
    settle_tier(state, live(0), noon("2026-02-21"), effects, returned=later.at)
    assert changes(effects) == []


def test_a_level_that_another_version_made_dearer_is_not_lost_by_returning_something_else() -> None:
    before = tiered()
    after = tiered(levels=[{"id": "gold", "name": "Gold", "threshold": 900}])
    state = joined(before, noon("2026-01-01"))
    apply(state, bought(1, noon("2026-01-02"), 160), before)
    effects = Effects()
    settle_tier(state, after(0), noon("2026-01-04"), effects, returned=noon("2026-01-03"))
    assert changes(effects) == []
    settle_tier(state, after(0), noon("2026-01-04"), effects, returned=noon("2026-01-02"))
    assert changes(effects) == [["2026-01-04", "gold", None]]


def test_a_level_fallen_to_by_one_step_is_no_purchase_and_stays() -> None:
    live = tiered(days=5, valid_days=10, downgrade="one_step")
    state = joined(live, noon("2026-01-01"))
    apply(state, bought(1, noon("2026-01-02"), 300), live)
    other = bought(2, noon("2026-01-12"), 1)
    apply(state, other, live)
    effects = apply(state, TimePassed(noon("2026-01-14")), live)
    assert changes(effects) == [["2026-01-13", "platinum", "gold"]]
    effects = Effects()
    settle_tier(state, live(0), noon("2026-01-14"), effects, returned=other.at)
    assert changes(effects) == []


def test_by_hand_is_told_as_such_without_who_and_why() -> None:
    live = tiered()
    state = joined(live, noon("2026-01-01"))
    effects = apply(state, TierSet(noon("2026-01-02"), "gold", starts("2026-03-01"), "her wedding", "key_7"), live)
    (event,) = effects.events
    assert (event.type, event.cause, event.data) == ("tier.changed", "manual", {"from": None, "to": "gold"})
    assert state.timer == starts("2026-03-01")


def test_a_floor_for_ever_has_no_end() -> None:
    live = tiered(days=5, valid_days=10)
    state = joined(live, noon("2026-01-01"))
    apply(state, TierSet(noon("2026-01-02"), "gold", NEVER), live)
    apply(state, bought(1, noon("2026-01-03"), 60), live)
    apply(state, TimePassed(noon("2031-01-01")), live)
    assert state.tier is not None
    assert (state.tier.id, state.tier.until) == ("gold", NEVER)


@pytest.mark.parametrize(
    ("levels", "tier"),
    [
        ([{"id": "gold2", "name": "Gold", "threshold": 100, "offers": ["fries"]}], "gold2"),
        ([{"id": "only", "name": "Only", "threshold": 1000}], None),
        ([{"id": "gold", "name": "Gold", "threshold": 900}], "gold"),
        (None, None),
    ],
    ids=["renamed", "removed", "dearer", "no tiers at all"],
)
def test_another_version_is_judged_by_at_the_next_occasion(levels: list[dict[str, Any]] | None, tier: str | None) -> None:
    before = tiered()
    after = tiered({"fries": 1}, levels=levels) if levels is not None else views(programmes=[programme()])
    state = joined(before, noon("2026-01-01"))
    apply(state, bought(1, noon("2026-01-02"), 160), before)
    effects = apply(state, bought(2, noon("2026-01-03"), 1), after)
    assert (state.tier.id if state.tier is not None else None) == tier
    assert effects.promised == [], "a new name is no rise"


def test_a_level_that_is_for_everybody_no_longer_is_judged_again() -> None:
    everybody = tiered(levels=[{"id": "silver", "name": "Silver", "threshold": 0}])
    state = joined(everybody, noon("2026-01-01"))
    effects = apply(state, bought(1, noon("2026-01-03"), 1), tiered())
    assert changes(effects) == [["2026-01-03", "silver", None]]


def test_the_tier_of_an_earlier_instant() -> None:
    live = tiered(days=5, valid_days=10)
    state = joined(live, noon("2026-01-01"))
    apply(state, bought(1, noon("2026-01-02"), 60), live)
    apply(state, bought(2, noon("2026-01-03"), 100), live)
    apply(state, TimePassed(noon("2026-03-01")), live)
    seen = [tier_at(state, noon(day)) for day in ("2026-01-01", "2026-01-02", "2026-01-03", "2026-01-13", "2026-01-14")]
    assert seen == [None, "silver", "gold", "gold", None]


def test_a_tier_from_before_changes_were_remembered_is_known_with_the_next() -> None:
    live = tiered()
    state = joined(live, noon("2026-01-01"))
    apply(state, bought(1, noon("2026-01-02"), 60), live)
    state.tier_spans.clear()
    assert [tier_at(state, noon(day)) for day in ("2026-01-01", "2026-01-02")] == [None, "silver"]
    apply(state, bought(2, noon("2026-01-05"), 100), live)
    assert [tier_at(state, noon(day)) for day in ("2026-01-01", "2026-01-04", "2026-01-05")] == [None, "silver", "gold"]


def test_spans_are_bounded_and_before_them_the_oldest_counts() -> None:
    live = tiered()
    state = joined(live, noon("2026-01-01"))
    at: Instant = noon("2026-01-02")
    for number in range(MAX_TIER_SPANS + 3):
        at += DAY
        apply(state, TierSet(at, "gold" if number % 2 == 0 else None, NEVER), live)
    assert len(state.tier_spans) == MAX_TIER_SPANS
    assert state.tier_spans[0] == TierSpan("gold", at)
    assert tier_at(state, noon("2026-01-02")) == state.tier_spans[-1].id


def test_what_a_return_took_below_nothing_is_no_progress() -> None:
    live = tiered(window="lifetime")
    state = joined(live, noon("2026-01-01"))
    taken = bought(1, noon("2026-01-02"), 60)
    apply(state, taken, live)
    apply(state, Purchased(noon("2026-01-03"), "txn_s", Visit(noon("2026-01-03"), 0, 0, {}), spent={"points": 60}), live)
    apply(state, Reversed(noon("2026-01-04"), "txn_1", "return", taken.visit, taken.earned), live)
    assert progress(state, live(0), state.as_of).metric == 0, "spending takes nothing from it, a return does, also where it is owed"
