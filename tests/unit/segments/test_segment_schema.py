"""The published schema, and refusals as a client sees them: every one with a code and a pointer."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

from shared.definitions.api import SegmentRequest
from shared.http.body import parse_model
from shared.kernel.errors import AppError
from shared.segments.model import SegmentDefinition, schema
from shared.segments.parsing import HABITS, HOLDINGS, PERSON, PURCHASES, RESPONSES, leaf_class, rule_of
from tests.unit.segments.worlds import NIGHTLY, RULES

VALIDATOR = jsonschema.Draft202012Validator(schema())
KINDS = (*PERSON, *PURCHASES, *HABITS, *RESPONSES, *HOLDINGS, "segment")
BUY = {"kind": "purchases", "metric": "count", "days": 7, "op": "ge", "value": 1}
SINCE = {"kind": "since_last_purchase", "op": "at_least"}


@settings(max_examples=2_000 if NIGHTLY else 80, deadline=None)
@given(RULES)
def test_what_is_accepted_fits_the_schema_and_is_read_the_same_leaf_by_leaf(rule: dict[str, Any]) -> None:
    whole = {"id": "s", "name": "s", "rule": rule}
    assert list(VALIDATOR.iter_errors(whole)) == []
    definition = SegmentDefinition.model_validate(whole)
    stored = json.loads(definition.model_dump_json(exclude_unset=True))["rule"]
    assert stored == rule
    assert rule_of(stored) == definition.rule


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_leaf_is_in_the_schema_and_says_what_it_means(kind: str) -> None:
    model = leaf_class(kind)
    published = schema()["$defs"][model.__name__]
    assert published["properties"]["kind"]["const"] == kind
    assert published["description"]
    assert published["additionalProperties"] is False


def test_only_what_the_schema_has_is_a_leaf() -> None:
    tags = schema()["properties"]["rule"]["discriminator"]["mapping"]
    assert set(tags) == {*KINDS, "all", "any", "not"}


@pytest.mark.parametrize(
    ("rule", "where", "code"),
    [
        ({"kind": "sometimes"}, "/kind", "invalid_value"),
        ({**BUY, "days": 401}, "/days", "invalid_value"),
        ({**BUY, "days": "7"}, "/days", "wrong_type"),
        ({**BUY, "colour": 1}, "/colour", "unknown_field"),
        ({**BUY, "time_zone": "Europe/Berlin"}, "/time_zone", "invalid_value"),
        ({**BUY, "weekdays": ["friday"]}, "/weekdays/0", "invalid_value"),
        ({**BUY, "filter": {"hours": {"from": 3, "until": 3}}}, "/filter/hours", "invalid_value"),
        ({**BUY, "filter": {"item": "a", "tag": "b"}}, "/filter", "invalid_value"),
        ({**SINCE, "days": 3, "filter": {"tag": "x"}}, "", "invalid_value"),
        ({**SINCE, "hours": 3, "day": "calendar"}, "", "invalid_value"),
        ({**SINCE, "days": 3, "time_zone": "UTC"}, "", "invalid_value"),
        ({**SINCE, "days": 3, "day": "calendar", "time_zone": "Mars/Base"}, "/time_zone", "invalid_value"),
        ({"kind": "favourite", "of": "hour", "days": 7, "is": "7"}, "", "invalid_value"),
        ({"kind": "favourite", "of": "weekday", "days": 7, "is": "friday"}, "", "invalid_value"),
        ({"kind": "lifecycle", "in": []}, "/in", "invalid_value"),
        ({"kind": "rfm", "of": "recency", "op": "ge", "value": 6}, "/value", "invalid_value"),
        ({"kind": "tier", "is": "gold", "days": 3}, "", "invalid_value"),
        ({"kind": "tier"}, "", "invalid_value"),
        ({"kind": "radius", "of": "home", "metres": 5}, "", "invalid_value"),
        ({"kind": "radius", "of": "home", "metres": 5, "latitude_e6": 1}, "", "invalid_value"),
        ({"kind": "bucket", "salt": "s", "from": 5, "until": 5}, "", "invalid_value"),
        ({"kind": "fact", "of": "shoe_size", "is": "42"}, "/of", "invalid_value"),
        ({"kind": "fact", "of": "gender"}, "", "invalid_value"),
        ({"kind": "segment"}, "/segment", "required"),
    ],
    ids=str,
)
def test_a_refusal_has_a_code_and_points_at_its_place(rule: dict[str, Any], where: str, code: str) -> None:
    body = {"id": "s", "definition": {"name": "S", "rule": {"kind": "all", "rules": [{"kind": "not", "rule": rule}]}}}
    with pytest.raises(AppError) as refused:
        parse_model(SegmentRequest, json.dumps(body).encode())
    assert [(each.pointer, each.code) for each in refused.value.errors] == [("/definition/rule/rules/0/rule" + where, code)]
    assert list(VALIDATOR.iter_errors({"id": "s", "name": "s", "rule": rule})) or where in ("", "/filter", "/filter/hours", "/time_zone")


def test_a_window_says_why_it_takes_no_time_zone() -> None:
    body = {"id": "s", "definition": {"name": "S", "rule": {**BUY, "time_zone": "Europe/Berlin"}}}
    with pytest.raises(AppError) as refused:
        parse_model(SegmentRequest, json.dumps(body).encode())
    assert "the tenant's own local days" in refused.value.errors[0].detail
