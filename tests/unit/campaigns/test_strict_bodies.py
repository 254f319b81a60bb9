"""Campaigns as the API reads them: strictly, from JSON, where every list inside a step must still be a list."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.campaigns.model import CampaignBody
from shared.http.body import parse_model

CONTENT = {"en": {"title": "Hi", "body": "x"}}
STEPS: list[dict[str, Any]] = [
    {"id": "ask", "content": CONTENT, "form": {"fields": ["birth_date"], "offer": "thanks"}},
    {"id": "ask", "content": CONTENT, "ladder": {"channels": ["push", "sms"], "next_after_minutes": 60}},
    {"id": "ask", "text": "points_landed", "channel": "push"},
    {"id": "ask", "kind": "split", "variants": [{"id": "a", "percent": 50}, {"id": "b", "percent": 50}]},
    {"id": "ask", "kind": "tag", "add": ["asked"]},
]


@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_the_same_from_the_wire_as_from_the_table(step: dict[str, Any]) -> None:
    steps = [step, {"id": "next", "content": CONTENT}]
    body = {"name": "Ask", "message_class": "service", "trigger": {"kind": "once"}, "steps": steps}
    assert parse_model(CampaignBody, json.dumps(body).encode()) == CampaignBody.model_validate(body)
