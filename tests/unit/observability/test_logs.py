from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from shared.observability import log_context, logger, redact
from shared.observability.logs import describe_exception, is_personal

Lines = Callable[[], list[dict[str, Any]]]
PERSONAL = ["phone", "email", "name", "birth_date", "address", "identity_token", "token", "secret", "code", "card"]


@pytest.mark.parametrize(
    "key",
    [
        *PERSONAL,
        "Phone",
        "EMAIL",
        "emailAddress",
        "birth-date",
        "dateOfBirth",
        "first_name",
        "lastName",
        "access_token",
        "card_number",
        "coupon_code",
        "Authorization",
        "body",
    ],
)
def test_personal_names(key: str) -> None:
    assert is_personal(key)


@pytest.mark.parametrize(
    "key",
    [
        "tenant",
        "member",
        "operation",
        "status",
        "error_code",
        "status_code",
        "function_name",
        "exception_name",
        "discard",
        "codec",
        "message",
        "cardinality",
    ],
)
def test_names_that_tell_nothing_about_a_person(key: str) -> None:
    assert not is_personal(key)


values = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(st.sampled_from([*PERSONAL, "tenant", "lines"]), inner, max_size=4)
    ),
    max_leaves=12,
)


def keys_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for inner in value.values() for key in keys_in(inner)}
    if isinstance(value, list | tuple):
        return {key for inner in value for key in keys_in(inner)}
    return set()


@given(values)
def test_nothing_personal_is_left_at_any_depth(value: Any) -> None:
    left = redact(value)
    assert keys_in(left).isdisjoint(PERSONAL)
    assert redact(left) == left


@given(values.filter(lambda value: keys_in(value).isdisjoint(PERSONAL)))
def test_what_is_not_personal_stays(value: Any) -> None:
    assert json.dumps(redact(value)) == json.dumps(value)


def test_a_line_is_redacted_wherever_a_field_comes_from(log_lines: Lines) -> None:
    with log_context(tenant="acme", email="anna@example.com"):
        logger().info({"event": "x", "phone": "+4915123456789"}, extra={"member": {"name": "Anna", "tier": "gold"}})
    (line,) = log_lines()
    assert (line["tenant"], line["member"], line["message"]) == ("acme", {"tier": "gold"}, {"event": "x"})
    assert not any(secret in json.dumps(line) for secret in ("anna", "Anna", "+4915"))


def fail_inside() -> None:
    with log_context(tenant="other", member="mbr_1"):
        logger().info("inner")
        raise ZeroDivisionError


def test_context_ends_with_its_block_and_comes_back_after_an_inner_one(log_lines: Lines) -> None:
    with log_context(tenant="acme", correlation_id="c1", member=None):
        with pytest.raises(ZeroDivisionError):
            fail_inside()
        logger().info("outer")
    logger().info("after")
    inner, outer, after = log_lines()
    assert (inner["tenant"], inner["member"], inner["correlation_id"]) == ("other", "mbr_1", "c1")
    assert (outer["tenant"], outer.get("member"), outer["correlation_id"]) == ("acme", None, "c1")
    assert not {"tenant", "member", "correlation_id"} & after.keys()


class Person(BaseModel):
    age: int


def test_exceptions_that_quote_input_lose_their_text() -> None:
    try:
        Person.model_validate({"age": "anna@example.com"})
    except ValidationError as error:
        (entry,) = describe_exception(error)
    assert "text" not in entry
    assert "anna" not in json.dumps(entry)
    assert any("test_exceptions_that_quote" in frame for frame in entry["at"])


def test_other_exceptions_keep_their_text_up_to_a_bound() -> None:
    assert describe_exception(OSError("the table does not answer"))[0]["text"] == "the table does not answer"
    assert len(describe_exception(RuntimeError("x" * 10_000))[0]["text"]) == 500


def test_a_circle_of_causes_ends() -> None:
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first
    assert len(describe_exception(first)) == 5


def test_a_line_is_in_utc(log_lines: Lines) -> None:
    logger().info("x")
    assert log_lines()[0]["timestamp"].endswith("+00:00")
