"""Caps, quiet hours, zones, changes of clocks, blackouts, throttle, holdout and priority: each alone, then days of messages simulated."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.campaigns.eligibility import CapRule, Drop, Go, Policy, Wait, allowed, decide
from shared.campaigns.rules import held_out
from shared.campaigns.throttle import lease
from shared.kernel.instants import DAY, HOUR, MINUTE, day_of, parse_rfc3339
from shared.member_state.model import GIFT, Consent, Journey, MemberState, Touch

NOON = parse_rfc3339("2026-06-10T12:00:00Z")
CONSENTS = {f"marketing:{channel}": Consent(True, 0, "1") for channel in ("push", "sms", "email", "inbox")}
ALL = ("push", "email", "sms", "inbox", "webhook")
PLAIN = Policy(True, "marketing", ("push",), "Europe/Berlin")
NIGHT = (21 * 60, 8 * 60)


def member(**fields: Any) -> MemberState:
    return MemberState("demo", "mbr_1", version=1, consents=dict(CONSENTS), **fields)


def touch(at: int, channel: str = "push", **fields: Any) -> Touch:
    return Touch("other", "s", channel, at, **fields)


# -- one thing at a time ----------------------------------------------------------------------------------------------


def test_marketing_needs_a_yes_and_service_no_no() -> None:
    state = member()
    state.consents["service:sms"] = Consent(False, 0, "1")
    assert allowed(replace(PLAIN, purpose="surveys"), state, "push") == "no_consent"
    service = replace(PLAIN, marketing=False)
    assert allowed(service, state, "push") is None
    assert allowed(service, state, "sms") == "no_consent"
    state.consents["marketing:push"] = Consent(False, 1, "2")
    assert decide(PLAIN, state, ALL, 0, NOON, NOON) == Drop("no_consent")
    assert decide(service, state, ALL, 0, NOON, NOON) == Go("push")


def test_what_is_suppressed_gets_nothing_of_any_class() -> None:
    state = member(suppressed={"push": "dead_token"})
    for policy in (PLAIN, replace(PLAIN, marketing=False)):
        assert decide(policy, state, ALL, 0, NOON, NOON) == Drop("suppressed")


def test_a_webhook_is_about_no_person() -> None:
    policy = replace(PLAIN, rungs=("webhook",), caps=(CapRule(1, DAY),), quiet=(0, 1439))
    state = MemberState("demo", "mbr_1", touches=[touch(NOON - HOUR)])
    assert decide(policy, state, ALL, 0, NOON, NOON) == Go("webhook")


def test_a_ladder_goes_over_the_first_rung_that_leads_to_her() -> None:
    ladder = replace(PLAIN, rungs=("push", "email", "sms"))
    assert decide(ladder, member(), {"email", "sms"}, 0, NOON, NOON) == Go("email", 1)
    assert decide(ladder, member(), ALL, 2, NOON, NOON) == Go("sms", 2)
    assert decide(ladder, member(), (), 0, NOON, NOON) == Drop("unreachable")
    assert decide(ladder, member(), ALL, 3, NOON, NOON) == Drop("unreachable"), "no rung is left"


def test_a_cap_of_one_channel_leads_to_the_next_rung_and_one_over_all_does_not() -> None:
    ladder = replace(PLAIN, rungs=("push", "email"), caps=(CapRule(1, DAY, "push"),))
    state = member(touches=[touch(NOON - HOUR)])
    assert decide(ladder, state, ALL, 0, NOON, NOON) == Go("email", 1)
    total = replace(ladder, caps=(CapRule(1, DAY),))
    assert decide(total, state, ALL, 0, NOON, NOON) == Wait(NOON - HOUR + DAY, "cap")
    assert decide(replace(total, drops=frozenset({"cap"})), state, ALL, 0, NOON, NOON) == Drop("over_cap")


def test_held_out_service_and_webhook_touches_and_gifts_are_no_messages_to_a_cap() -> None:
    policy = replace(PLAIN, caps=(CapRule(1, DAY),))
    others = [touch(NOON - 1, held=True), touch(NOON - 1, service=True), touch(NOON - 1, "webhook"), touch(NOON - 1, GIFT)]
    assert decide(policy, member(touches=others), ALL, 0, NOON, NOON) == Go("push")


def test_a_window_is_rolling_and_its_end_is_outside() -> None:
    policy = replace(PLAIN, caps=(CapRule(1, DAY),))
    assert decide(policy, member(touches=[touch(NOON - DAY)]), ALL, 0, NOON, NOON) == Go("push")
    assert decide(policy, member(touches=[touch(NOON - DAY + 1)]), ALL, 0, NOON, NOON) == Wait(NOON + 1, "cap")


@pytest.mark.parametrize(
    ("now", "zone", "until"),
    [
        ("2026-06-10T20:00:00Z", "Europe/Berlin", "2026-06-11T06:00:00Z"),
        ("2026-06-10T05:59:00Z", "Europe/Berlin", "2026-06-10T06:00:00Z"),
        ("2026-06-10T05:00:00Z", "", "2026-06-10T06:00:00Z"),  # the tenant's zone
        ("2026-06-10T20:00:00Z", "America/New_York", None),
        ("2026-10-24T22:00:00Z", "Europe/Berlin", "2026-10-25T07:00:00Z"),  # an hour more at night
    ],
)
def test_quiet_hours_are_on_her_wall_clock(now: str, zone: str, until: str | None) -> None:
    at = parse_rfc3339(now)
    found = decide(replace(PLAIN, quiet=NIGHT), member(zone=zone), ALL, 0, at, at)
    assert found == (Go("push") if until is None else Wait(parse_rfc3339(until), "quiet_hours"))


def test_quiet_hours_that_end_in_the_hour_that_comes_twice_end_with_its_first_pass() -> None:
    policy = replace(PLAIN, quiet=(60, 150), tenant_zone="Europe/Berlin")  # 01:00 to 02:30
    first, again = parse_rfc3339("2026-10-25T00:29:00Z"), parse_rfc3339("2026-10-25T01:00:00Z")
    assert decide(policy, member(), ALL, 0, first, first) == Wait(first + MINUTE, "quiet_hours")
    assert decide(policy, member(), ALL, 0, again, again) == Wait(parse_rfc3339("2026-10-25T01:30:00Z"), "quiet_hours"), "the second pass"


def test_the_inbox_makes_no_noise() -> None:
    at = parse_rfc3339("2026-06-10T23:00:00Z")
    assert decide(replace(PLAIN, rungs=("inbox",), quiet=NIGHT), member(), ALL, 0, at, at) == Go("inbox")


def test_a_blackout_ends_with_the_tenants_day_and_then_the_night_comes() -> None:
    policy = replace(PLAIN, blackouts=((day_of("2026-12-24"), day_of("2026-12-26")),), quiet=NIGHT, patience=7 * DAY)
    at = parse_rfc3339("2026-12-25T12:00:00Z")
    assert decide(policy, member(), ALL, 0, at, at) == Wait(parse_rfc3339("2026-12-27T07:00:00Z"), "blackout")
    assert decide(replace(policy, patience=DAY), member(), ALL, 0, at, at) == Drop("deferred_too_long")
    assert decide(replace(policy, drops=frozenset({"blackout"})), member(), ALL, 0, at, at) == Drop("blackout")


def test_patience_counts_from_the_first_deferral() -> None:
    at = parse_rfc3339("2026-06-10T20:00:00Z")
    policy = replace(PLAIN, quiet=NIGHT, patience=12 * HOUR)
    assert isinstance(decide(policy, member(), ALL, 0, at, at), Wait)
    assert decide(policy, member(), ALL, 0, at - 3 * HOUR, at) == Drop("deferred_too_long")


def test_what_is_deferred_with_a_higher_priority_has_its_place() -> None:
    policy = replace(PLAIN, caps=(CapRule(1, DAY),), drops=frozenset({"cap"}))
    waits = Journey("big", 1, "o", "s", due=NOON + HOUR, reason="quiet_hours", priority=80)
    assert decide(policy, member(journeys=[waits]), ALL, 0, NOON, NOON) == Drop("over_cap")
    for other in (replace(waits, priority=50), replace(waits, reason="wait")):
        assert decide(policy, member(journeys=[other]), ALL, 0, NOON, NOON) == Go("push")


# -- all together -----------------------------------------------------------------------------------------------------


@dataclass
class Campaign:
    name: str
    policy: Policy
    holdout: int


@dataclass
class World:
    """Members to whom campaigns want to write, with one provider that takes so many a second."""

    per_second: int
    members: dict[str, MemberState]
    campaigns: dict[str, Campaign]
    sent: list[tuple[int, str, str, str]] = field(default_factory=list)
    dropped: list[tuple[int, str, str, str]] = field(default_factory=list)
    waited: list[tuple[int, int, str, str]] = field(default_factory=list)
    next_at: int = 0

    def run(self, wishes: list[tuple[int, str, str]]) -> None:
        """Each wish is asked when it comes and whenever its wait is over, the one of the higher priority first."""
        queue = [(at, -self.campaigns[name].policy.priority, number, who, name, at) for number, (at, who, name) in enumerate(wishes)]
        heapq.heapify(queue)
        while queue:
            at, rank, number, who, name, since = heapq.heappop(queue)
            state, campaign = self.members[who], self.campaigns[name]
            state.journeys = [each for each in state.journeys if (each.campaign, each.occurrence) != (name, str(number))]
            if held_out(name, who, campaign.holdout):
                state.touches.insert(0, touch(at, held=True))
                continue
            found = decide(campaign.policy, state, ALL, 0, since, at)
            if isinstance(found, Drop):
                self.dropped.append((at, who, name, found.reason))
            elif isinstance(found, Wait):
                assert found.until > at
                self.waited.append((at, found.until, who, name))
                journey = Journey(name, 1, str(number), "s", found.until, reason=found.reason, priority=campaign.policy.priority)
                state.journeys.append(journey)
                heapq.heappush(queue, (found.until, rank, number, who, name, since))
            else:
                slot, self.next_at = lease(self.next_at, at, self.per_second, 1)
                if slot > at:  # no token is left: it comes again then, and is asked again
                    self.next_at -= 1000 // self.per_second
                    heapq.heappush(queue, (slot, rank, number, who, name, since))
                    continue
                state.touches.insert(0, touch(at, found.channel))
                self.sent.append((at, who, name, found.channel))


def quiet_by_the_book(at: int, quiet: tuple[int, int] | None, zone: str) -> bool:
    wall = datetime.fromtimestamp(at / 1000, ZoneInfo(zone))
    if quiet is None:
        return False
    minute = wall.hour * 60 + wall.minute
    start, end = quiet
    hours = set(range(start, end)) if start < end else set(range(start, 1440)) | set(range(end))
    return minute in hours


ZONES = ("", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
STARTS = ("2026-03-28T10:00:00Z", "2026-10-24T10:00:00Z", "2026-10-31T20:00:00Z", "2026-06-10T12:00:00Z")
minutes = st.integers(0, 1439)
quiets = st.none() | st.tuples(minutes, minutes).filter(lambda pair: pair[0] != pair[1])
spans, limited = st.sampled_from((6 * HOUR, DAY, 3 * DAY)), st.sampled_from((None, "push", "sms"))
caps = st.lists(st.builds(CapRule, st.integers(1, 3), spans, limited), max_size=3)
drops = st.sets(st.sampled_from(("quiet_hours", "cap", "blackout")), max_size=2).map(frozenset)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[World, list[tuple[int, str, str]], tuple[CapRule, ...]]:
    start = parse_rfc3339(draw(st.sampled_from(STARTS)))
    ours, quiet, first = tuple(draw(caps)), draw(quiets), start // DAY + draw(st.integers(0, 2))
    campaigns = {
        f"c{number}": Campaign(
            f"c{number}",
            Policy(
                True, "marketing", draw(st.sampled_from((("push",), ("push", "sms"), ("sms",)))), "Europe/Berlin", caps=ours, quiet=quiet,
                blackouts=draw(st.sampled_from(((), ((first, first),)))), priority=draw(st.integers(0, 2)), drops=draw(drops),
                patience=draw(st.sampled_from((12 * HOUR, 2 * DAY))),
            ),
            draw(st.sampled_from((0, 0, 50))),
        )
        for number in range(3)
    }  # fmt: skip
    members = {who: replace(member(zone=draw(st.sampled_from(ZONES))), member=who) for who in ("anna", "bo")}
    when = st.integers(0, 3 * 24 * 60).map(lambda minute: start + minute * MINUTE)
    wish = st.tuples(when, st.sampled_from(list(members)), st.sampled_from(list(campaigns)))
    wishes = draw(st.lists(wish, max_size=14))
    return World(draw(st.sampled_from((1, 2, 5))), members, campaigns), wishes, ours


@given(worlds())
def test_nothing_that_holds_back_is_ever_passed_and_nothing_waits_in_vain(
    case: tuple[World, list[tuple[int, str, str]], tuple[CapRule, ...]],
) -> None:
    world, wishes, ours = case
    world.run(wishes)
    for at, who, name, channel in world.sent:
        policy, zone = world.campaigns[name].policy, world.members[who].zone or "Europe/Berlin"
        assert not quiet_by_the_book(at, policy.quiet, zone)
        day = (datetime.fromtimestamp(at / 1000, ZoneInfo("Europe/Berlin")).date() - datetime(1970, 1, 1).date()).days
        assert not any(first <= day <= last for first, last in policy.blackouts)
        assert not held_out(name, who, world.campaigns[name].holdout)
        for rule in ours:
            before = [t for t, w, _, c in world.sent if w == who and at - rule.span < t <= at and rule.channel in (None, c)]
            assert rule.channel not in (None, channel) or len(before) <= rule.most
        assert sum(1 for t, *_ in world.sent if at - 1000 < t <= at) <= world.per_second
    asked = [(who, name) for _, who, name in wishes if not held_out(name, who, world.campaigns[name].holdout)]
    assert len(asked) == len(world.sent) + len(world.dropped), "each is sent or dropped, once"


told_before = st.lists(st.integers(0, 4 * 24 * 60), max_size=5)


@given(st.sampled_from(STARTS), st.integers(0, 2 * 24 * 60), quiets, st.sampled_from(ZONES), caps, told_before)
@example("2026-10-24T10:00:00Z", 900, (60, 150), "Europe/Berlin", [], [])
def test_a_wait_ends_at_the_first_minute_that_a_search_finds(
    start: str, after: int, quiet: tuple[int, int] | None, zone: str, rules: list[CapRule], told: list[int]
) -> None:
    now = parse_rfc3339(start) + after * MINUTE
    policy = replace(PLAIN, quiet=quiet, caps=tuple(rules), patience=10 * DAY, blackouts=((now // DAY + 1, now // DAY + 1),))
    state = member(zone=zone, touches=[touch(now - minute * MINUTE, "push" if minute % 2 else "sms") for minute in sorted(told)])
    found = decide(policy, state, ALL, 0, now, now)

    def free(at: int) -> bool:
        day = (datetime.fromtimestamp(at / 1000, ZoneInfo("Europe/Berlin")).date() - datetime(1970, 1, 1).date()).days
        within = all(
            sum(1 for each in state.touches if each.at > at - rule.span and rule.channel in (None, each.channel)) < rule.most
            for rule in rules
            if rule.channel in (None, "push")
        )
        return within and day != now // DAY + 1 and not quiet_by_the_book(at, quiet, zone or "Europe/Berlin")

    first = next((now + minute * MINUTE for minute in range(10 * 1440) if free(now + minute * MINUTE)), None)
    if first == now:
        assert found == Go("push")
    elif first is None:
        assert found == Drop("deferred_too_long")
    else:
        assert isinstance(found, Wait)
        assert found.until == first
