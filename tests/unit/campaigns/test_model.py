"""What a campaign's definition may say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from infra.subscriptions import SUBSCRIPTIONS
from shared.campaigns.model import EVENT_TYPES, CampaignBody
from shared.campaigns.responses import RESPONSES
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
    ],
)
def test_what_means_nothing_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        parse(BODY | change)


def test_planning_hears_of_every_trigger_and_response() -> None:
    heard = set(SUBSCRIPTIONS["planning"])
    assert set(EVENT_TYPES) | set(RESPONSES) | {"campaign.launched", "campaign.resumed"} <= heard
