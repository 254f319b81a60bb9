"""Triggers, the holdout, and the checks at the moment of sending."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.campaigns.model import CampaignBody
from shared.campaigns.rules import held_out, not_hers, occurrence_of, over_cap, triggered
from shared.kernel.ids import new_id
from shared.kernel.instants import DAY, HOUR
from shared.member_state.model import Consent, MemberState, Touch
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


@given(st.text(min_size=1, max_size=300))
def test_an_occurrence_always_fits_a_key(id_: str) -> None:
    occurrence = occurrence_of({"id": id_, "type": "transaction.recorded"})
    assert keys.delivery("demo", "mbr_1", "c", "s", occurrence, "push")


def test_a_registration_is_one_occurrence_whatever_told_it() -> None:
    assert {occurrence_of({"id": id_, "type": "member.registered"}) for id_ in ("a", "b")} == {"registered"}


def test_the_holdout_has_its_share_stays_and_differs_between_campaigns() -> None:
    members = [new_id("mbr", 1_700_000_000_000 + number, lambda n, at=number: at.to_bytes(n, "big")) for number in range(20_000)]
    first = {member for member in members if held_out("welcome", member, 10)}
    second = {member for member in members if held_out("summer", member, 10)}
    assert first == {member for member in members if held_out("welcome", member, 10)}
    # Five standard deviations of a fair draw: 10 % of 20,000 within 1.1 %, 1 % in both within 0.4 %.
    assert 0.089 < len(first) / 20_000 < 0.111
    assert 0.006 < len(first & second) / 20_000 < 0.014
    assert not any(held_out("welcome", member, 0) for member in members)
    assert first < {member for member in members if held_out("welcome", member, 20)}


def member(**more: Any) -> MemberState:
    given_: dict[str, Any] = {"consents": {"marketing:push": Consent(granted=True, at=0, version="v")}, "devices": ["dev_1"]}
    return MemberState("demo", "mbr_1", **{**given_, **more})


NO = Consent(granted=False, at=0, version="v")


@pytest.mark.parametrize(
    ("body", "state", "reason"),
    [
        (campaign(), member(), None),
        (campaign(), member(status="erased"), "not_active"),
        (campaign(audience={"segment": "vip"}), member(segments={"vip@2": 1}), None),
        (campaign(audience={"segment": "vip"}), member(segments={"vip@3": 1}), "not_in_segment"),
        (campaign(audience={"segment": "gone"}), member(segments={"gone@1": 1}), "not_in_segment"),
        (campaign(), member(consents={}), "no_consent"),
        (campaign(), member(consents={"marketing:push": NO}), "no_consent"),
        (campaign(purpose="news"), member(), "no_consent"),
        (campaign(message_class="service"), member(consents={}), None),
        (campaign(), member(suppressed={"push": "dead_token"}), "suppressed"),
        (campaign(), member(devices=[]), "no_device"),
        (campaign(), member(devices=[], consents={}), "no_consent"),
    ],
)
def test_who_may_get_it(body: CampaignBody, state: MemberState, reason: str | None) -> None:
    assert not_hers(body, body.steps[0], state, {"vip": 2}) == reason


@given(st.lists(st.integers(min_value=0, max_value=20 * DAY), max_size=10), st.integers(1, 5), st.integers(1, 15))
def test_a_cap_holds_over_any_window(ages: list[int], most: int, days: int) -> None:
    state = member(touches=[Touch("c", "s", "push", NOW - age) for age in ages])
    body = campaign(cap={"max": most, "days": days})
    recent = [age for age in ages if age < days * DAY]
    assert over_cap(body, state, NOW) is (len(recent) + 1 > most)
    assert not over_cap(campaign(), state, NOW)
