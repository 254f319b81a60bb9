"""Triggers, the holdout, variants, and who may come again."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.campaigns.model import CampaignBody, Delivery, Reentry, SplitStep
from shared.campaigns.rules import held_out, in_segment, occurrence_of, refused_again, triggered, variant_at, variant_of
from shared.kernel.ids import new_id
from shared.kernel.instants import DAY, HOUR
from shared.member_state.model import Journey, MemberState
from shared.storage import keys

NOW = 100 * DAY
CONTENT = {"en": {"title": "a", "body": "b"}}


def campaign(**more: Any) -> CampaignBody:
    trigger = more.pop("trigger", {"kind": "event", "types": ["segment.entered", "member.registered"]})
    return CampaignBody.model_validate({"name": "c", "trigger": trigger, "steps": [{"id": "s", "content": CONTENT}], **more})


def entered(segment: str = "vip", version: int = 2, **more: Any) -> dict[str, Any]:
    data = {"segment": segment, "segment_version": version}
    return {"id": "member:mbr_1:7:0", "type": "segment.entered", "occurred_at": NOW, "data": data, **more}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (entered(), True),
        (entered(version=3), False),
        (entered(segment="other"), False),
        (entered(cause="transaction.recorded"), True),
        (entered(cause="definition"), False),
        (entered(occurred_at=NOW - 6 * HOUR), True),
        (entered(occurred_at=NOW - 6 * HOUR - 1), False),
        (entered() | {"type": "segment.left"}, False),
        ({"id": "x", "type": "member.registered", "occurred_at": NOW, "data": {}}, True),
    ],
)
def test_what_triggers(event: dict[str, Any], expected: bool) -> None:
    assert triggered(campaign(), event, {"vip": 2}, NOW) is expected


def test_one_segment_can_be_named_and_definition_changes_opted_into() -> None:
    trigger = {"kind": "event", "types": ["segment.entered"], "segment": "vip", "on_definition_change": True}
    body = campaign(trigger=trigger)
    assert triggered(body, entered(cause="definition"), {"vip": 2}, NOW)
    assert not triggered(body, entered("other", 1), {"vip": 2, "other": 1}, NOW)
    assert not triggered(campaign(trigger={"kind": "once"}), entered(), {"vip": 2}, NOW)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ([{"field": "value", "op": "ge", "value": 2000}], True),
        ([{"field": "value", "op": "ge", "value": 2001}], False),
        ([{"field": "value", "op": "le", "value": 2000}], True),
        ([{"field": "location", "value": "mitte"}], True),
        ([{"field": "location", "op": "ne", "value": "mitte"}], False),
        ([{"field": "earned.points", "op": "ge", "value": 10}], True),
        ([{"field": "earned.stars", "op": "ge", "value": 1}], False),
        ([{"field": "nothing", "op": "ne", "value": 1}], True),
        ([{"field": "value", "value": 2000}, {"field": "location", "value": "west"}], False),
        ([{"field": "whole", "value": 1}], False),
        ([{"field": "whole", "value": True}], True),
        ([{"field": "location", "op": "ge", "value": 1}], False),
    ],
)
def test_conditions_on_what_the_event_says(where: list[dict[str, Any]], expected: bool) -> None:
    body = campaign(trigger={"kind": "event", "types": ["transaction.recorded"], "where": where})
    data = {"value": 2000, "location": "mitte", "earned": {"points": 12}, "whole": True}
    assert triggered(body, {"id": "x", "type": "transaction.recorded", "occurred_at": NOW, "data": data}, {}, NOW) is expected


def test_what_a_campaign_caused_triggers_service_messages_about_gifts_alone() -> None:
    issued = {"id": "x", "type": "coupon.issued", "occurred_at": NOW, "data": {}, "cause": "campaign:other"}
    given_ = {"id": "x", "type": "points.given", "occurred_at": NOW, "data": {"reference": "dlv_x"}}
    updated = {"id": "x", "type": "member.updated", "occurred_at": NOW, "data": {}, "cause": "campaign:other"}
    trigger = {"kind": "event", "types": ["coupon.issued", "points.given", "member.updated"]}
    marketing, service = campaign(trigger=trigger), campaign(trigger=trigger, message_class="service")
    assert [triggered(marketing, each, {}, NOW) for each in (issued, given_, updated)] == [False] * 3
    assert [triggered(service, each, {}, NOW) for each in (issued, given_, updated)] == [True, True, False]
    assert triggered(marketing, issued | {"cause": "key_1"}, {}, NOW)


@given(st.text(min_size=1, max_size=300))
def test_an_occurrence_always_fits_a_key(id_: str) -> None:
    occurrence = occurrence_of({"id": id_, "type": "transaction.recorded"})
    assert keys.delivery("demo", "mbr_1", "c", "s", occurrence, "push")


def test_a_registration_is_one_occurrence_whatever_told_it() -> None:
    assert {occurrence_of({"id": id_, "type": "member.registered"}) for id_ in ("a", "b")} == {"registered"}


def members(count: int) -> list[str]:
    return [new_id("mbr", 1_700_000_000_000 + number, lambda n, at=number: at.to_bytes(n, "big")) for number in range(count)]


def test_the_holdout_has_its_share_stays_and_differs_between_campaigns() -> None:
    everybody = members(20_000)
    first = {member for member in everybody if held_out("welcome", member, 10)}
    second = {member for member in everybody if held_out("summer", member, 10)}
    assert first == {member for member in everybody if held_out("welcome", member, 10)}
    # Five standard deviations of a fair draw: 10 % of 20,000 within 1.1 %, 1 % in both within 0.4 %.
    assert 0.089 < len(first) / 20_000 < 0.111
    assert 0.006 < len(first & second) / 20_000 < 0.014
    assert not any(held_out("welcome", member, 0) for member in everybody)
    assert first < {member for member in everybody if held_out("welcome", member, 20)}


SPLIT: dict[str, Any] = {
    "id": "ab", "kind": "split",
    "variants": [
        {"id": "a", "percent": 20, "then": "one"}, {"id": "b", "percent": 30, "then": "two"}, {"id": "c", "percent": 50, "then": "two"},
    ],
}  # fmt: skip


def test_variants_have_their_shares_and_nothing_to_do_with_the_holdout() -> None:
    split, everybody = SplitStep.model_validate(SPLIT), members(20_000)
    shares = Counter(variant_of(split, "c", member) for member in everybody)
    held = Counter(variant_of(split, "c", member) for member in everybody if held_out("c", member, 50))
    for place, percent in enumerate((20, 30, 50)):
        # Five standard deviations of a fair draw of 20,000, and of 10,000.
        assert abs(shares[place] / 20_000 - percent / 100) < 0.018
        assert abs(held[place] / sum(held.values()) - percent / 100) < 0.025


def test_the_variant_of_a_step_is_the_one_that_leads_to_it() -> None:
    step = {"content": CONTENT}
    body = campaign(
        steps=[{"id": "before", **step}, SPLIT, {"id": "one", **step, "then": "after"}, {"id": "two", **step}, {"id": "after", **step}]
    )
    split = body.steps[1]
    assert isinstance(split, SplitStep)
    for member in members(30):
        name = "abc"[variant_of(split, "c", member)]
        found = {each.id: variant_at(body, each, "c", member) for each in body.steps}
        assert (found["before"], found["after"]) == (None, f"ab:{name}")
        assert found["one"] == ("ab:a" if name == "a" else None)
        assert found["two"] == (f"ab:{name}" if name != "a" else None)


def test_a_segment_is_the_version_that_is_served() -> None:
    state = MemberState("demo", "mbr_1", segments={"vip@2": 1})
    assert in_segment("vip", state, {"vip": 2})
    assert not in_segment("vip", state, {"vip": 3})
    assert not in_segment("vip", state, {})


def begun(occurrence: str, at: int) -> Delivery:
    return Delivery("c", 1, "~begin", occurrence, "mbr_1", "-", "done", at)


@pytest.mark.parametrize(
    ("reentry", "refused"),
    [
        ({}, False),
        ({"mode": "once"}, True),
        ({"mode": "after", "days": 2}, False),
        ({"mode": "after", "days": 3}, True),
        ({"mode": "not_while_waiting"}, True),
    ],
)
def test_who_may_come_again(reentry: dict[str, Any], refused: bool) -> None:
    state = MemberState("demo", "mbr_1", journeys=[Journey("c", 1, "old", "s", NOW + 1), Journey("d", 1, "new", "s", NOW + 1)])
    rows = [begun("older", NOW - 9 * DAY), begun("old", NOW - 2 * DAY)]
    asked = Reentry.model_validate(reentry)
    assert refused_again(asked, "c", "new", rows, state, NOW) is refused
    assert not refused_again(asked, "c", "old", rows[1:], state, NOW)
    assert not refused_again(asked, "c", "new", [], MemberState("demo", "mbr_1"), NOW)
