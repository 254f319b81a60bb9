"""Bounds of what is sent: how deep a body may be, and that nothing in any request is as long as a caller likes."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from shared.http.body import MAX_DEPTH, depth_of, parse_model
from shared.http.routes import ROUTES
from shared.kernel.errors import MalformedRequest
from shared.segments.sizes import MAX_DEPTH as DEEPEST_RULE

BOUNDED_ELSEWHERE = {
    "AllOf/rules": "MAX_LEAVES of the whole rule (shared/segments/sizes.py)",
    "AnyOf/rules": "MAX_LEAVES of the whole rule (shared/segments/sizes.py)",
    "Audience/filter": "checked_rule reads it as a rule, whose size is bounded",
    "Condition/filter": "checked_rule reads it as a rule, whose size is bounded",
    "BulkMembersRequest/members/[]": "each record is read as a RegisterRequest, which is bounded; at most 500",
    "BulkTransactionsRequest/transactions/[]": "each record is read as a TransactionRequest, which is bounded; at most 500",
    "HoldRequest/ext": "at most 2 KB as JSON (_small)",
    "QuoteRequest/ext": "at most 2 KB as JSON (_small)",
    "TransactionRequest/ext": "at most 2 KB as JSON (_small)",
}
PARSED_FORMATS = {"date", "date-time", "uuid"}
"""Formats that pydantic reads into a value of a fixed size."""


def is_bounded_pattern(pattern: str) -> bool:
    """Anchored at both ends, and no quantifier without an upper end. Character classes are left out first."""
    without_classes = re.sub(r"\[(?:\\.|[^\]\\])*\]|\\.", "x", pattern)
    unbounded = re.search(r"[*+]|\{\d+,\}", without_classes)
    return pattern.startswith("^") and pattern.endswith("$") and unbounded is None


def is_bounded(schema: dict[str, Any]) -> bool:
    """Whether one array, object or text is."""
    kind = schema.get("type")
    if kind == "array":
        return "maxItems" in schema
    if kind == "string":
        chosen = "enum" in schema or "const" in schema
        return chosen or "maxLength" in schema or schema.get("format") in PARSED_FORMATS or is_bounded_pattern(schema.get("pattern", ""))
    if kind == "object":
        named = "properties" in schema and not isinstance(schema.get("additionalProperties"), dict)
        return named or "maxProperties" in schema or "enum" in schema.get("propertyNames", {})
    known = ("integer", "number", "boolean", "null")
    return kind in known or bool(schema.keys() & {"anyOf", "oneOf", "allOf", "enum", "const", "$ref"})


def parts(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is directly inside, with its step."""
    for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield "", each
    for name, each in schema.get("properties", {}).items():
        yield f"/{name}", each
    for step, each in (("/[]", schema.get("items")), ("/*", schema.get("additionalProperties"))):
        if isinstance(each, dict):
            yield step, each
    for each in schema.get("prefixItems", ()):
        yield "/[]", each


def unbounded(model: type[BaseModel]) -> set[str]:
    """Where a request's model takes as much as is sent."""
    document = model.model_json_schema()
    named = {f"#/$defs/{name}": each for name, each in document.get("$defs", {}).items()}
    pending = [(name.rpartition("/")[2], each) for name, each in named.items()] + [(model.__name__, document)]
    found: set[str] = set()
    while pending:
        path, schema = pending.pop()
        if not is_bounded(schema):
            found.add(path)
        pending += [(path + step, each) for step, each in parts(schema)]
    return found


def models() -> dict[str, type[BaseModel]]:
    names = sorted({route.request for route in ROUTES if route.request})
    return {name: getattr(importlib.import_module(name.partition(":")[0]), name.partition(":")[2]) for name in names}


MODELS = models()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_list_object_and_text_of_a_request_is_bounded(name: str) -> None:
    assert unbounded(MODELS[name]) - BOUNDED_ELSEWHERE.keys() == set()


def test_what_is_excused_is_there_and_unbounded() -> None:
    found = set().union(*(unbounded(model) for model in MODELS.values()))
    assert BOUNDED_ELSEWHERE.keys() - found == set()


def test_the_walk_finds_what_is_unbounded() -> None:
    class Inner(BaseModel):
        free: str
        tags: dict[str, int]

    class Outer(BaseModel):
        inner: Inner | None = None
        several: list[Inner] = Field(max_length=3)
        names: list[str]
        address: str = Field(pattern="^https://")
        fixed: str = Field(pattern="^[a-z*+]{1,5}$")

    assert unbounded(Outer) == {"Inner/free", "Inner/tags", "Outer/names", "Outer/names/[]", "Outer/address"}


class Free(BaseModel):
    a: Any = None


@pytest.mark.parametrize("levels", [1, MAX_DEPTH - 1])
def test_a_body_may_be_so_deep(levels: int) -> None:
    parse_model(Free, b'{"a":' + b"[" * levels + b"]" * levels + b"}")


@pytest.mark.parametrize("levels", [MAX_DEPTH, 201, 400_000])
def test_a_deeper_body_is_refused_before_it_is_read(levels: int) -> None:
    with pytest.raises(MalformedRequest) as refused:
        parse_model(Free, b'{"a":' + b"[" * levels + b"]" * levels + b"}")
    assert [error.code for error in refused.value.errors] == ["too_deep"]


def test_the_deepest_rule_fits_with_room() -> None:
    assert 2 * DEEPEST_RULE + 8 <= MAX_DEPTH


def measured(value: Any) -> int:
    """The oracle, on the parsed value."""
    if not isinstance(value, dict | list):
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max((measured(each) for each in inner), default=0)


texts = st.text(alphabet='[]{}"\\a,:é\n', max_size=12)
values = st.recursive(st.none() | st.integers() | texts, lambda each: st.lists(each, max_size=4) | st.dictionaries(texts, each, max_size=4))


@given(values, st.booleans(), st.integers(MAX_DEPTH, MAX_DEPTH + 20))
def test_brackets_in_texts_are_no_depth(value: Any, ascii_only: bool, around: int) -> None:
    for _ in range(around):
        value = [value, '}]"\\']
    assert depth_of(json.dumps(value, ensure_ascii=ascii_only).encode()) == measured(value)
