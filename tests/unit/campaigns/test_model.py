"""What a campaign's definition may say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from infra.subscriptions import SUBSCRIPTIONS
from shared.campaigns.model import CampaignBody, SendStep
from shared.campaigns.responses import RESPONSES
from shared.campaigns.triggers import EVENT_TYPES
from shared.kernel.instants import HOUR

STEP: dict[str, Any] = {"id": "gift", "content": {"en": {"title": "a", "body": "b"}}}
BODY: dict[str, Any] = {"name": "W", "trigger": {"kind": "event", "types": ["member.registered"]}, "steps": [STEP]}


def parse(body: dict[str, Any]) -> CampaignBody:
    return CampaignBody.model_validate_json(json.dumps(body), strict=True, extra="forbid")


def test_defaults() -> None:
    body = parse(BODY)
    assert (body.message_class, body.purpose, body.holdout_percent, body.cap) == ("marketing", "marketing", 0, None)
    assert body.max_event_age == 6 * HOUR
    assert body.step("gift") == body.steps[0]
    assert body.step("other") is None


@pytest.mark.parametrize(
    "change",
    [
        {"trigger": {"kind": "event", "types": ["message.claimed"]}},
        {"trigger": {"kind": "event", "types": []}},
        {"trigger": {"kind": "event", "types": ["transaction.recorded"], "segment": "vip"}},
        {"trigger": {"kind": "once", "at": "2026-01-01"}},
        {"trigger": {"kind": "hourly"}},
        {"steps": []},
        {"steps": [STEP, STEP]},
        {"steps": [STEP | {"content": {}}]},
        {"steps": [STEP | {"channel": "pigeon"}]},
        {"steps": [STEP | {"form": {"fields": ["birth_date", "birth_date"]}}]},
        {"steps": [STEP | {"form": {"fields": ["shoe_size"]}}]},
        {"holdout_percent": 51},
        {"cap": {"max": 0, "days": 1}},
        {"wait": 3},
        {"priority": 101},
        {"per_second": 0},
        {"goal": {"of": "love"}},
        {"goal": {"days": 31}},
        {"reentry": {"mode": "after"}},
        {"reentry": {"mode": "once", "days": 2}},
        {"audience": {"filter": {"kind": "nothing"}}},
        {"audience": {"filter": {"kind": "all"}}},
        {"trigger": {"kind": "date", "of": "birthday", "wallet": "points"}},
        {"trigger": {"kind": "date", "of": "no_visit"}},
        {"trigger": {"kind": "date", "of": "birthday", "at": "25:00"}},
        {"trigger": {"kind": "event", "types": ["event.Upper"]}},
        {"trigger": {"kind": "event", "types": ["transaction.recorded"], "where": [{"field": "a", "op": "ge", "value": "x"}]}},
        {"trigger": {"kind": "api", "data": ["Table"]}},
        {"steps": [STEP | {"ladder": {"channels": ["push", "push"]}}]},
        {"steps": [STEP | {"ladder": {"channels": ["push", "webhook"]}}]},
        {"steps": [STEP | {"ladder": {"mode": "all", "channels": ["push"], "next_after_minutes": 5}}]},
        {"steps": [{"id": "w", "kind": "wait"}]},
        {"steps": [{"id": "w", "kind": "wait", "minutes": 5, "until": "10:00"}]},
        {"steps": [{"id": "w", "kind": "wait", "for": "coupon.redeemed"}]},
        {"steps": [{"id": "w", "kind": "wait", "minutes": 5, "otherwise": "x"}]},
        {"steps": [{"id": "w", "kind": "wait", "for": "message.claimed", "timeout_minutes": 5}]},
        {"steps": [{"id": "b", "kind": "branch", "if": {}}]},
        {"steps": [{"id": "b", "kind": "branch", "if": {"segment": "a", "filter": {"kind": "joined"}}}]},
        {"steps": [{"id": "s", "kind": "split", "variants": [{"id": "a", "percent": 50}, {"id": "b", "percent": 40}]}]},
        {"steps": [{"id": "s", "kind": "split", "variants": [{"id": "a", "percent": 50}, {"id": "a", "percent": 50}]}]},
        {"steps": [{"id": "i", "kind": "issue"}]},
        {"steps": [{"id": "t", "kind": "tag", "add": ["a"], "remove": ["a"]}]},
        {"steps": [{"id": "x", "kind": "dance"}]},
        {"steps": [{**STEP, "id": f"s{number}"} for number in range(31)]},
    ],
)
def test_what_means_nothing_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        parse(BODY | change)


def test_planning_hears_of_every_trigger_and_response() -> None:
    heard = {each for each in SUBSCRIPTIONS["planning"] if isinstance(each, str)}
    ours = {"campaign.launched", "campaign.resumed", "campaign.fired", "campaign.step_due", "campaign.date_reached"}
    assert set(EVENT_TYPES) | set(RESPONSES) | ours == heard
    assert {"prefix": "event."} in SUBSCRIPTIONS["planning"]


def test_what_campaigns_do_triggers_none() -> None:
    assert not {"message.claimed", "message.held_out", "campaign.step_due", "campaign.date_reached"} & EVENT_TYPES
    assert {"member.registered", "coupon.issued", "points.expired", "message.opened", "challenge.completed"} <= EVENT_TYPES


WAIT: dict[str, Any] = {"id": "later", "kind": "wait", "for": "coupon.redeemed", "timeout_minutes": 60}


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ([STEP, STEP | {"id": "gift"}], [(("steps", 1, "id"), "duplicate_step")]),
        ([STEP | {"then": "nowhere"}], [(("steps", 0, "then"), "unknown_step")]),
        ([STEP, WAIT | {"otherwise": "gift"}], [(("steps", 1, "otherwise"), "unknown_step")]),
        ([WAIT | {"then": "gift"}, STEP], []),
        ([STEP | {"then": "end"}, WAIT, {"id": "end", "kind": "end"}], [(("steps", 1), "unreachable_step")]),
        ([{"id": "end", "kind": "end"}, STEP], [(("steps", 1), "unreachable_step")]),
        (
            [{"id": "b", "kind": "branch", "if": {"response": {"step": "gift", "of": "opened"}}}, STEP],
            [(("steps", 0, "if", "response", "step"), "unknown_step")],
        ),
        (
            [{"id": "s", "kind": "split", "variants": [{"id": "a", "percent": 50, "then": "s"}, {"id": "b", "percent": 50}]}, STEP],
            [(("steps", 0, "variants", 0, "then"), "unknown_step")],
        ),
    ],
)
def test_steps_lead_on_and_each_is_led_to(steps: list[dict[str, Any]], found: list[Any]) -> None:
    problems: list[Any] = []
    try:
        parse(BODY | {"steps": steps})
    except ValidationError as refusal:
        problems = [(each["loc"], each["type"]) for each in refusal.errors()]
    assert problems == found


def test_a_step_without_a_kind_sends_and_every_kind_is_stored_as_written() -> None:
    steps: list[dict[str, Any]] = [
        STEP | {"ladder": {"mode": "cheapest", "channels": ["sms", "push"], "next_after_minutes": 5}},
        WAIT,
        {"id": "b", "kind": "branch", "if": {"filter": {"kind": "since_last_purchase", "op": "at_least", "days": 3}}, "otherwise": "end"},
        {"id": "s", "kind": "split", "variants": [{"id": "a", "percent": 50}, {"id": "b", "percent": 50, "then": "mark"}]},
        {"id": "i", "kind": "issue", "offer": "x", "points": {"points": 5}},
        {"id": "mark", "kind": "tag", "add": ["a"]},
        {"id": "play", "kind": "challenge", "challenge": "c"},
        {"id": "crm", "kind": "webhook", "endpoint": "crm", "data": {"a": "b"}},
        {"id": "end", "kind": "end"},
    ]
    body = parse(BODY | {"steps": steps})
    assert isinstance(body.steps[0], SendStep)
    stored = body.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert stored["steps"] == json.loads(json.dumps(steps))
    assert CampaignBody.model_validate(stored) == body
    assert (body.message("gift"), body.message("b")) == (body.steps[0], None)


def test_the_end_of_the_list_and_jumps() -> None:
    split = {"id": "s", "kind": "split", "variants": [{"id": "x", "percent": 50}, {"id": "y", "percent": 50, "then": "c"}]}
    body = parse(BODY | {"steps": [split, STEP | {"id": "b"}, STEP | {"id": "c"}]})
    first, second, third = body.steps
    assert (body.following(first, None), body.following(first, "c"), body.following(third, None)) == (second, third, None)
