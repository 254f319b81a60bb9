"""A member's messages of a range: mailings, calendar rules in either time, dates of hers, and the steps that she surely comes to."""

from __future__ import annotations

from typing import Any

import pytest

from shared.campaigns.rules import held_out
from shared.forecast.plan import Scale, plan_of
from shared.forecast.planned import Listed, Range, occasions, planned_for, sure_messages
from shared.forecast.reach import Person
from shared.kernel.instants import DAY, HOUR, MINUTE, Instant, day_of, format_rfc3339, parse_rfc3339
from shared.member_state.model import Facts
from shared.segments.context import Context
from shared.segments.parsing import rule_of
from tests.unit.forecast.test_reach import TEXT, body, her, settings

NOW = parse_rfc3339("2026-06-10T10:00:00Z")
SPAN = Range(NOW, NOW + 14 * DAY)
DAILY = {"kind": "recurring", "rrule": "FREQ=DAILY;INTERVAL=7", "starts": "2026-06-05T11:30"}


def listed(trigger: dict[str, Any], *steps: dict[str, Any], starts_at: Instant | None = None, **more: Any) -> Listed:
    return Listed("c", 1, body(*(steps or ({"id": "s", "content": TEXT},)), trigger=trigger, **more), starts_at)


def instants(campaign: Listed, person: Person | None = None, span: Range = SPAN) -> list[str]:
    whole = settings()
    found = planned_for(campaign, occasions(campaign, whole, span), person or Person(her()), whole, span, NOW)
    return [format_rfc3339(each.at) for each in found]


def test_a_mailing_has_its_instant_or_that_of_its_launch() -> None:
    assert instants(listed({"kind": "once", "at": "2026-06-12T09:00:00Z"})) == ["2026-06-12T09:00:00Z"]
    assert instants(listed({"kind": "once", "at": "2026-06-30T09:00:00Z"})) == []
    assert instants(listed({"kind": "once"}, starts_at=NOW)) == [format_rfc3339(NOW)]
    assert instants(listed({"kind": "once"}, starts_at=NOW - 1)) == []
    assert instants(listed({"kind": "event", "types": ["member.registered"]})) == []


def test_what_recurs_comes_at_the_tenants_time_or_at_hers() -> None:
    assert instants(listed(DAILY)) == ["2026-06-12T09:30:00Z", "2026-06-19T09:30:00Z"]
    tokyo = Person(her(zone="Asia/Tokyo"))
    assert instants(listed(DAILY), tokyo) == ["2026-06-12T09:30:00Z", "2026-06-19T09:30:00Z"]
    assert instants(listed(DAILY | {"in": "member"}), tokyo) == ["2026-06-12T02:30:00Z", "2026-06-19T02:30:00Z"]


@pytest.mark.parametrize(("zone", "turn"), [("Pacific/Kiritimati", "2026-06-11T21:30:00Z"), ("Pacific/Pago_Pago", "2026-06-12T22:30:00Z")])
def test_her_turn_is_in_the_range_wherever_she_lives(zone: str, turn: str) -> None:
    at = parse_rfc3339(turn)
    for span, expected in ((Range(at, at + HOUR), [turn]), (Range(at + MINUTE, at + HOUR), [])):
        assert instants(listed(DAILY | {"in": "member"}), Person(her(zone=zone)), span) == expected


def test_a_date_of_hers_comes_on_its_day() -> None:
    born = Person(her(), Facts(birth_date=day_of("1990-06-20")))
    assert instants(listed({"kind": "date", "of": "birthday", "days": 5, "at": "10:00"}), born) == ["2026-06-15T08:00:00Z"]
    assert instants(listed({"kind": "date", "of": "birthday", "days": 5, "at": "10:00"})) == []


def test_later_steps_come_after_their_waits_up_to_what_is_not_sure() -> None:
    steps: list[dict[str, Any]] = [
        {"id": "a", "content": TEXT},
        {"id": "w", "kind": "wait", "minutes": 60},
        {"id": "b", "content": TEXT},
        {"id": "u", "kind": "wait", "for": "coupon.redeemed", "timeout_minutes": 60},
        {"id": "c", "content": TEXT},
    ]
    campaign = listed({"kind": "once", "at": "2026-06-12T09:00:00Z"}, *steps)
    assert [(offset, step.id) for offset, step in sure_messages(campaign.body, "c", "mbr_1")] == [(0, "a"), (HOUR, "b")]
    assert instants(campaign) == ["2026-06-12T09:00:00Z", "2026-06-12T10:00:00Z"]
    branch = {"id": "q", "kind": "branch", "if": {"segment": "x"}, "then": "a", "otherwise": "b"}
    assert sure_messages(body(branch, {"id": "a", "content": TEXT}, {"id": "b", "content": TEXT}), "c", "mbr_1") == []


def test_who_is_held_out_or_not_reached_has_no_message_and_a_full_cap_is_no_reason() -> None:
    whole, once = settings(), {"kind": "once", "at": "2026-06-12T09:00:00Z"}
    campaign = listed(once, holdout_percent=50, cap={"max": 1, "days": 7}, priority=70)
    members = [f"mbr_{number}" for number in range(20)]
    firings = occasions(campaign, whole, SPAN)
    got = [each for each in members if planned_for(campaign, firings, Person(her(each)), whole, SPAN, NOW)]
    assert got == [each for each in members if not held_out("c", each, 50)]
    assert planned_for(campaign, firings, Person(her(got[0], yes=())), whole, SPAN, NOW) == []
    (message,) = planned_for(campaign, firings, Person(her(got[0])), whole, SPAN, NOW)
    assert (message.negative_priority, message.channel, [each.most for each in message.caps], message.counts) == (-70, "push", [1], True)


def test_a_service_message_knows_no_cap_and_is_not_counted() -> None:
    campaign = listed({"kind": "once"}, starts_at=NOW, message_class="service", cap={"max": 1, "days": 7})
    found = planned_for(campaign, occasions(campaign, settings(), SPAN), Person(her()), settings(), SPAN, NOW)
    assert [(each.at, each.caps, each.counts) for each in found] == [(NOW, (), False)]


def test_a_plan_asks_each_member_for_each_audience() -> None:
    whole = settings()
    tagged = Listed("t", 1, body({"id": "s", "content": TEXT}), NOW)
    everybody = listed({"kind": "once"}, starts_at=NOW + DAY)
    rules = [rule_of({"kind": "bucket", "salt": "x", "from": 0, "until": 100}), rule_of({"kind": "member_tag", "tag": "vip"})]
    both = [everybody, tagged]
    firings = {each.id: occasions(each, whole, SPAN) for each in both}
    people = [Person(her("mbr_1", tags=["vip"])), Person(her("mbr_2")), Person(her("mbr_3", yes=()))]
    plan = plan_of(both, rules, firings, people, whole, Context(zone="Europe/Berlin"), SPAN, NOW)
    assert plan.audience == {"c": 3, "t": 1}
    assert [[each.campaign for each in hers] for hers in plan.planned] == [["t", "c"], ["c"], []]


def test_messages_are_scaled_to_all_members_and_rounded_up() -> None:
    assert (Scale(3, 10).messages(2), Scale(0, 0).messages(0), Scale(10, 10).members(4).count) == (7, 0, 4)
