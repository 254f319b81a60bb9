"""Waiting campaigns and dates against a slow oracle: told at the same instants, each once, whoever sweeps and however late.

The oracle knows nothing of timers, lots or folds: it keeps who has what in plain lists, and finds a minute of a local day by looking at
the wall clock minute by minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kernel.instants import DAY, HOUR, MINUTE, NEVER, Instant, day_number, day_start, local_day, parse_rfc3339
from shared.member_state.effects import Effects
from shared.member_state.events import (
    CouponChanged,
    CouponIssued,
    JourneyEnded,
    JourneyMoved,
    MemberEvent,
    ProfileChanged,
    Purchased,
    Registered,
    TimePassed,
)
from shared.member_state.model import Facts, MemberState
from shared.member_state.rules import apply
from shared.member_state.view import DateRule, Views
from shared.profile.model import Visit
from shared.wallet.model import SLIDING, Posting
from tests.builders.views import views

ZONES: Final = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "America/St_Johns", "Asia/Kathmandu")
STARTS: Final = ("2026-03-01T05:00:00Z", "2026-10-02T21:00:00Z", "2027-12-20T00:00:00Z", "2028-02-10T12:00:00Z")
"""With a change of the clocks each way, a turn of the year and a 29 February within the weeks that follow."""
IDLE: Final = 9
"""Days after which sliding points expire."""
LATE: Final = 30 * DAY
TOLD: Final = ("campaign.step_due", "campaign.date_reached")
Said = tuple[str, Instant, tuple[tuple[str, Any], ...]]


def said(type_: str, at: Instant, **data: Any) -> Said:
    return type_, at, tuple(sorted(data.items()))


# -- stories ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Story:
    """Somebody's weeks, and the campaigns that look at her dates."""

    start: Instant
    tenant_zone: str
    zone: str
    born: date
    rules: tuple[DateRule, ...]
    events: tuple[MemberEvent, ...]


def rules() -> st.SearchStrategy[DateRule]:
    minutes = st.sampled_from([0, 1, 90, 120, 150, 180, 600, 1439]) | st.integers(0, 1439)
    made = st.builds(
        DateRule,
        campaign=st.just("c"),
        version=st.integers(1, 3),
        of=st.sampled_from(["birthday", "lot_expiry", "coupon_expiry", "anniversary", "no_visit"]),
        days=st.integers(0, 12),
        minute=minutes,
        wallet=st.sampled_from([None, None, "points"]),
        offer=st.sampled_from([None, None, "fries"]),
    )
    return made.map(lambda rule: replace(rule, days=max(rule.days, 1)) if rule.of == "no_visit" else rule)


@st.composite
def stories(draw: st.DrawFn) -> Story:
    start = parse_rfc3339(draw(st.sampled_from(STARTS))) + draw(st.integers(0, 1440)) * MINUTE
    around = datetime.fromtimestamp(start / 1000, UTC).date() + timedelta(days=draw(st.integers(-2, 50)))
    born = date(1988, 2, 29) if draw(st.booleans()) else around.replace(year=1990, day=min(around.day, 28))
    tenant_zone, zone = draw(st.sampled_from(ZONES)), draw(st.just("") | st.sampled_from(ZONES))
    at, events, coupons = start, [], ["none"]
    for number in range(draw(st.integers(0, 14))):
        # Whole minutes: what happens meets what falls due at the very same instant.
        at += draw(st.sampled_from([MINUTE, HOUR, 7 * HOUR, DAY]) | st.integers(1, 6 * 1440).map(lambda minutes: minutes * MINUTE))
        ends = draw(endings(at, zone or tenant_zone))
        events.append(draw(happenings(number, at, ends, coupons)))
        coupons += [event.coupon for event in events[-1:] if isinstance(event, CouponIssued)]
    found = draw(st.lists(rules(), max_size=5))
    named = tuple(replace(rule, campaign=f"c{number}") for number, rule in enumerate(found))
    return Story(start, tenant_zone, zone, born, named, tuple(events))


def endings(at: Instant, zone: str) -> st.SearchStrategy[Instant]:
    """When something ends: at some minute, with others at noon in Greenwich, or with a local day."""
    some = st.integers(1, 20 * 1440).map(lambda minutes: at + minutes * MINUTE)
    noons = st.integers(1, 5).map(lambda days: at // DAY * DAY + days * DAY + 12 * HOUR)
    nights = st.integers(1, 15).map(lambda days: day_start(local_day(at, zone) + days, zone))
    return some | noons | nights


def happenings(number: int, at: Instant, ends: Instant, coupons: list[str]) -> st.SearchStrategy[MemberEvent]:
    journey = st.builds(
        lambda campaign, waits_for, priority: JourneyMoved(at, f"j{campaign}", 1, "o", f"s{number}", ends, waits_for, "wait", priority),
        st.integers(0, 4), st.sampled_from(["", "transaction.recorded", "coupon.issued", "coupon.expired"]),
        st.sampled_from([10, 50, 90]),
    )  # fmt: skip
    return st.one_of(
        st.just(bought(number, at, ends)),
        st.just(Purchased(at, f"t{number}", Visit(at, 100, 0, {}))),
        st.builds(
            lambda offer, waits: CouponIssued(at, f"k{number}", offer, at + waits * (ends - at) // 2, ends),
            st.sampled_from(["fries", "cake"]), st.integers(0, 1),
        ),
        st.builds(
            lambda which, to: CouponChanged(at, which, to),
            st.sampled_from(coupons), st.sampled_from(["void", "held", "active", "redeemed"]),
        ),
        st.builds(lambda zone: ProfileChanged(at, ("birth_date",), zone=zone), st.just("") | st.sampled_from(ZONES)),
        journey,
        journey,
        st.builds(lambda campaign: JourneyEnded(at, f"j{campaign}", "o"), st.integers(0, 4)),
    )  # fmt: skip


def bought(number: int, at: Instant, expires_at: Instant) -> Purchased:
    """A purchase that earns points with an end of their own, and some that slide."""
    earned = (Posting("points", "earn", 5, 0, expires_at), Posting("lazy", "earn", 3, 0, SLIDING))
    return Purchased(at, f"t{number}", Visit(at, 100, 0, {}), earned, idle_days=(("lazy", IDLE, False),))


# -- what we do ---------------------------------------------------------------------------------------------------------


def folded(story: Story, *, swept: bool) -> list[Said]:
    """What the fold tells: swept at the minute after each timer, or not at all until the end and 30 days."""
    plain = views(zone=story.tenant_zone)(story.start)
    view = replace(plain, dates=story.rules)
    live: Views = lambda _at: view  # noqa: E731 the definitions of every instant
    facts, effects = Facts(birth_date=day_number(story.born)), Effects()
    state = MemberState("demo", "m", as_of=story.start)
    apply(state, Registered(story.start, "app", "", known=("birth_date",), zone=story.zone), live, facts, effects)
    state.version = 1
    for event in (*story.events, TimePassed(end_of(story))):
        while swept and state.timer is not None and state.timer < event.at:
            apply(state, TimePassed(max(-(-state.timer // MINUTE) * MINUTE, state.as_of + 1)), live, facts, effects)
        apply(state, event, live, facts, effects)
    return [said(each.type, each.occurred_at, **each.data) for each in effects.events if each.type in TOLD]


def end_of(story: Story) -> Instant:
    return max([story.start, *(event.at for event in story.events)]) + LATE


# -- the oracle ---------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=100_000)
def wall(minute: int, zone: str) -> tuple[date, int]:
    there = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)).astimezone(ZoneInfo(zone))
    return there.date(), there.hour * 60 + there.minute


@lru_cache(maxsize=100_000)
def first_minute(day: date, minute: int, zone: str) -> Instant:
    """The first minute at which the wall clock shows it, or the first after it was skipped."""
    at = (day - date(1970, 1, 1)).days * 1440 + minute
    before = datetime.combine(day - timedelta(days=1), datetime.min.time(), ZoneInfo(zone)).utcoffset()
    at -= (before or timedelta()) // timedelta(minutes=1) + 180
    while wall(at, zone) < (day, minute):
        at += 1
    return at * MINUTE


def date_of_instant(instant: Instant, zone: str) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=instant)).astimezone(ZoneInfo(zone)).date()


def on_the_day(day: date, year: int) -> date:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return date(year, 2, 28) if (day.month, day.day) == (2, 29) and not leap else day.replace(year=year)


@dataclass
class Oracle:
    """Who has what, as plain as can be."""

    story: Story
    zone: str = ""
    coupons: dict[str, list[Any]] = field(default_factory=dict)
    """id -> [offer, state, active from, expires at]"""
    fixed: list[Instant] = field(default_factory=list)
    idle: Instant | None = None
    last: Instant | None = None
    waiting: dict[str, JourneyMoved] = field(default_factory=dict)
    since: dict[str, Instant] = field(default_factory=dict)
    told: list[Said] = field(default_factory=list)

    def run(self) -> list[Said]:
        now, self.zone = self.story.start, self.story.zone
        for event in (*self.story.events, TimePassed(end_of(self.story))):
            self.pass_time(now, event.at)
            now = event.at
            self.happen(event)
        return self.told

    def pass_time(self, after: Instant, to: Instant) -> None:
        dates = [(at, rule, name) for rule in self.story.rules for at, name in self.dates(rule, after, to) if after < at <= to]
        for at, rule, name in sorted(dates, key=lambda each: each[0]):
            self.told.append(said("campaign.date_reached", at, campaign=rule.campaign, version=rule.version, occurrence=name))
        ends = {each[3] for each in self.coupons.values() if after < each[3] <= to}
        for at in sorted(ends | {each.due for each in self.waiting.values() if each.due <= to}):
            self.due(at)
            if at in ends:
                self.met("coupon.expired", at)
                self.coupons = {id_: each for id_, each in self.coupons.items() if each[3] > at}
        self.fixed = [each for each in self.fixed if each > to]
        if self.idle is not None and self.idle <= to:
            self.idle = None

    def dates(self, rule: DateRule, after: Instant, to: Instant) -> Iterator[tuple[Instant, str]]:
        zone = self.zone or self.story.tenant_zone
        if rule.of in ("birthday", "anniversary"):
            began = self.story.born if rule.of == "birthday" else date_of_instant(self.story.start, zone)
            for year in range(max(date_of_instant(after, zone).year - 1, began.year + 1), date_of_instant(to, zone).year + 3):
                yield first_minute(on_the_day(began, year) - timedelta(days=rule.days), rule.minute, zone), f"{rule.of}:{year}"
        elif rule.of == "no_visit" and self.last is not None:
            day = date_of_instant(self.last, zone)
            yield first_minute(day + timedelta(days=rule.days), rule.minute, zone), f"no_visit:{day.isoformat()}"
        for end, active_from, name in self.ends(rule):
            at = first_minute(date_of_instant(end - 1, zone) - timedelta(days=rule.days), rule.minute, zone)
            if active_from <= at < end:
                yield at, name

    def ends(self, rule: DateRule) -> Iterator[tuple[Instant, Instant, str]]:
        if rule.of == "coupon_expiry":
            for id_, (offer, state, active_from, end) in self.coupons.items():
                if state == "active" and rule.offer in (None, offer):
                    yield end, active_from, f"coupon:{id_}"
        if rule.of == "lot_expiry":
            for end in set(self.fixed):
                yield end, 0, f"lot:points:{end}"
            if self.idle is not None and rule.wallet is None:
                yield self.idle, 0, f"lot:lazy:{self.idle}"

    def due(self, at: Instant) -> None:
        found = [each for each in self.waiting.values() if each.due <= at]
        for each in sorted(found, key=lambda each: (each.due, -each.priority, each.campaign)):
            self.go_on(each, each.due, "time")

    def met(self, type_: str, at: Instant) -> None:
        found = [each for each in self.waiting.values() if each.waits_for == type_]
        for each in sorted(found, key=lambda each: (each.due, -each.priority, each.campaign)):
            self.go_on(each, at, "event")

    def go_on(self, each: JourneyMoved, at: Instant, outcome: str) -> None:
        del self.waiting[each.campaign]
        since = self.since.pop(each.campaign)
        self.told.append(
            said(
                "campaign.step_due", at, campaign=each.campaign, version=1, occurrence="o", step=each.step, rung=0, outcome=outcome,
                reason="wait", since=since,
            )
        )  # fmt: skip

    def happen(self, event: MemberEvent) -> None:
        match event:
            case Purchased(at=at, earned=earned):
                self.last = at
                self.fixed += [each.expires_at for each in earned if each.wallet == "points"]
                if earned:
                    self.idle = at + IDLE * DAY
                self.met("transaction.recorded", at)
            case CouponIssued(at=at, coupon=coupon, offer=offer, active_from=active_from, expires_at=expires_at):
                self.coupons[coupon] = [offer, "active", active_from, expires_at]
                self.met("coupon.issued", at)
            case CouponChanged(coupon=coupon, to=to):
                if to in ("void", "redeemed"):
                    self.coupons.pop(coupon, None)
                elif coupon in self.coupons:
                    self.coupons[coupon][1] = to
            case ProfileChanged(zone=str(zone)):
                self.zone = zone
            case JourneyMoved(campaign=campaign, at=at):
                self.waiting.pop(campaign, None)
                self.waiting[campaign], self.since[campaign] = event, at
            case JourneyEnded(campaign=campaign):
                self.waiting.pop(campaign, None)
            case _:
                pass


def of_type(type_: str, told: list[Said]) -> list[Said]:
    return [each for each in told if each[0] == type_]


@settings(max_examples=100, deadline=None)
@given(stories())
def test_campaigns_are_told_at_the_same_instants_however_late_the_sweep(story: Story) -> None:
    expected = Oracle(story).run()
    for swept in (False, True):
        told = folded(story, swept=swept)
        assert of_type("campaign.step_due", told) == of_type("campaign.step_due", expected)
        dates = of_type("campaign.date_reached", told)
        assert sorted(dates) == sorted(of_type("campaign.date_reached", expected))
        assert [each[1] for each in dates] == sorted(each[1] for each in dates)
        assert len(set(told)) == len(told)


def test_the_stories_have_something_to_tell() -> None:
    """The oracle's own check: a purchase, points that end, a wait that a purchase ends and one that time does."""
    start = parse_rfc3339("2026-03-01T05:00:00Z")
    rules_ = (DateRule("gone", 1, "no_visit", 5, 150), DateRule("ends", 2, "lot_expiry", 1, 600))
    events = (
        JourneyMoved(start + HOUR, "j0", 1, "o", "s", start + 30 * DAY, "transaction.recorded", "wait"),
        JourneyMoved(start + HOUR, "j1", 1, "o", "s", start + DAY, "", "wait"),
        bought(1, start + 23 * DAY, start + 40 * DAY),
    )
    told = Oracle(Story(start, "Europe/Berlin", "", date(1990, 7, 7), rules_, events)).run()
    assert [(type_.removeprefix("campaign."), at, dict(data).get("outcome")) for type_, at, data in told] == [
        ("step_due", start + DAY, "time"),
        ("step_due", start + 23 * DAY, "event"),
        ("date_reached", parse_rfc3339("2026-03-29T01:00:00Z"), None),  # 02:30 is skipped
        ("date_reached", parse_rfc3339("2026-04-01T08:00:00Z"), None),
        ("date_reached", parse_rfc3339("2026-04-09T08:00:00Z"), None),
    ]
    assert first_minute(date(2026, 10, 25), 150, "Europe/Berlin") == parse_rfc3339("2026-10-25T00:30:00Z")


@pytest.mark.parametrize("swept", [False, True])
def test_thirty_days_late_is_not_too_late(swept: bool) -> None:
    start = parse_rfc3339("2026-03-01T05:00:00Z")
    story = Story(start, "Europe/Berlin", "", date(1990, 3, 20), (DateRule("cake", 1, "birthday", 3, 600),), ())
    told = [said("campaign.date_reached", parse_rfc3339("2026-03-17T09:00:00Z"), campaign="cake", version=1, occurrence="birthday:2026")]
    assert folded(story, swept=swept) == told
    assert NEVER > end_of(story) == start + LATE
