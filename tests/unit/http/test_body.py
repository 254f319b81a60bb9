from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from shared.http.body import MAX_BODY, PayloadTooLarge, body_bytes, parse_model
from shared.kernel.errors import AppError, InvalidValue, MalformedRequest, Unprocessable


class Line(BaseModel):
    kind: Literal["item"]
    quantity: int = Field(ge=1, le=99)


class Tip(BaseModel):
    kind: Literal["tip"]
    amount: int


class Basket(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    currency: str = Field(default="EUR", pattern=r"^[A-Z]{3}$")
    total: int = 0
    lines: list[Annotated[Line | Tip, Field(discriminator="kind")]] = []
    occurred_at: datetime | None = None
    member_name: str | None = Field(default=None, alias="memberName", max_length=20)
    either: int | str = 0
    ext: dict[str, Any] = {}
    counts: dict[str, int] = {}

    @field_validator("currency")
    @classmethod
    def _known(cls, value: str) -> str:
        if value == "ZZZ":
            raise InvalidValue(f"unknown currency {value!r}")
        return value

    @model_validator(mode="after")
    def _positive(self) -> Basket:
        if self.total < 0:
            raise InvalidValue(f"the total {self.total} is negative for {self.member_name}")
        return self


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int = 0


def refused(raw: str | bytes, model: type[BaseModel] = Basket) -> list[tuple[str, str]]:
    with pytest.raises(Unprocessable) as caught:
        parse_model(model, raw.encode() if isinstance(raw, str) else raw)
    assert (caught.value.status, caught.value.code) == (422, "invalid_request")
    return [(error.pointer, error.code) for error in caught.value.errors]


def test_a_body_that_fits() -> None:
    line = {"kind": "item", "quantity": 2}
    body = {"total": 5, "lines": [line], "occurred_at": "2026-11-21T10:00:00Z", "memberName": "A", "ext": {"a": [1.5]}}
    basket = parse_model(Basket, json.dumps(body).encode())
    assert (basket.total, basket.lines[0].kind, basket.member_name, basket.ext) == (5, "item", "A", {"a": [1.5]})


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ('{"totl": 1}', [("/totl", "unknown_field")]),
        ('{"lines": [{"kind": "tip", "amount": 1, "x": 1}]}', [("/lines/0/x", "unknown_field")]),
        ('{"total": 1.0}', [("/total", "wrong_type")]),
        ('{"total": 1.5}', [("/total", "wrong_type")]),
        ('{"total": 1e2}', [("/total", "wrong_type")]),
        ('{"total": "1"}', [("/total", "wrong_type")]),
        ('{"total": true}', [("/total", "wrong_type")]),
        ('{"total": null}', [("/total", "wrong_type")]),
        ('{"lines": [{"kind": "item", "quantity": 1}, {"kind": "item"}]}', [("/lines/1/quantity", "required")]),
        ('{"lines": [{"kind": "item", "quantity": 100}]}', [("/lines/0/quantity", "invalid_value")]),
        ('{"lines": [{"kind": "drone"}]}', [("/lines/0/kind", "invalid_value")]),
        ('{"lines": [{}]}', [("/lines/0/kind", "required")]),
        ('{"lines": {}}', [("/lines", "wrong_type")]),
        ('{"currency": "eur"}', [("/currency", "invalid_value")]),
        ('{"currency": "ZZZ"}', [("/currency", "invalid_value")]),
        ('{"occurred_at": 1795255200}', [("/occurred_at", "wrong_type")]),
        ('{"occurred_at": "tomorrow"}', [("/occurred_at", "invalid_value")]),
        ('{"memberName": 7}', [("/memberName", "wrong_type")]),
        ('{"either": 1.5}', [("/either", "wrong_type")]),
        ('{"counts": {"a/b~c": "x"}}', [("/counts/a~1b~0c", "wrong_type")]),
        ('{"total": -1}', [("", "invalid_value")]),
        ("[]", [("", "wrong_type")]),
        ("3", [("", "wrong_type")]),
        ('{"total": "1", "totl": 1}', [("/total", "wrong_type"), ("/totl", "unknown_field")]),
    ],
)
def test_what_does_not_fit_is_pointed_at(raw: str, found: list[tuple[str, str]]) -> None:
    assert refused(raw) == found


def test_unknown_fields_are_refused_whatever_the_model_says() -> None:
    assert refused('{"b": 1}', Loose) == [("/b", "unknown_field")]


@pytest.mark.parametrize(
    "raw", [b"", b"  \n", b"{", b"{'a': 1}", b"\xff{}", b'{"a": 1}}', b'{"a": "\\ud800"}', b"a=1&b=2", b"[" * 400 + b"]" * 400]
)
def test_what_is_no_json_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedRequest) as caught:
        parse_model(Basket, raw)
    assert (caught.value.status, caught.value.code) == (400, "malformed_request")


def test_deep_json_is_refused_before_it_hurts() -> None:
    depth = 100_000
    with pytest.raises(MalformedRequest):
        parse_model(Basket, b'{"ext":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}")


SECRETS = ("anna.muster@example.com", "+4915123456789", "17.05.1990")


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "shape",
    [
        '{"total": %s}',
        '{"currency": %s}',
        '{"occurred_at": [%s]}',
        '{"memberName": %s, "total": -1}',
        '{"lines": [{"kind": %s}]}',
        '{"lines": [%s]}',
        '{"lines": %s}',
        '{"ext": %s}',
        '{"ext": {"a": %s',
    ],
)
def test_no_answer_repeats_what_was_received(shape: str, secret: str) -> None:
    with pytest.raises(AppError) as caught:
        parse_model(Basket, (shape % json.dumps(secret)).encode())
    error = caught.value
    said = error.detail + "".join(field.detail + field.pointer for field in error.errors)
    assert secret not in said
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_numbers_are_not_repeated_either() -> None:
    with pytest.raises(Unprocessable) as caught:
        parse_model(Basket, b'{"total": -19900517}')
    assert "19900517" not in caught.value.errors[0].detail


def test_an_answer_names_a_bounded_number_of_errors() -> None:
    raw = json.dumps({f"field{number}": 1 for number in range(5000)})
    assert len(refused(raw)) == 20
    (pointer, _), *_ = refused(json.dumps({"k" * 5000: 1}))
    assert len(pointer) == 65


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["kind", "quantity", "total", "lines", "a/b", "item", "tip"]), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["total", "lines", "currency", "either", "counts", "ext", "nope"]), json_values))
def test_every_pointer_leads_into_the_document(body: dict[str, Any]) -> None:
    refusal = attempt(Basket, json.dumps(body).encode())
    if refusal is not None:
        assert refusal.errors
        for error in refusal.errors:
            assert leads(error.pointer, body) != (error.code == "required"), error


def attempt(model: type[BaseModel], raw: bytes) -> AppError | None:
    try:
        parse_model(model, raw)
    except AppError as refusal:
        return refusal
    return None


def leads(pointer: str, document: Any) -> bool:
    """RFC 6901, section 4."""
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        try:
            document = document[int(name)] if isinstance(document, list) else document[name]
        except (KeyError, IndexError, ValueError, TypeError):
            return False
    return True


@given(st.binary(max_size=100))
def test_any_bytes_are_a_model_or_a_refusal(raw: bytes) -> None:
    refusal = attempt(Loose, raw)
    assert refusal is None or refusal.status in {400, 422}


def test_a_mistake_inside_a_model_is_not_the_clients() -> None:
    class Broken(BaseModel):
        a: int

        @field_validator("a")
        @classmethod
        def _fails(cls, value: int) -> int:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        parse_model(Broken, b'{"a": 1}')
    assert not issubclass(ZeroDivisionError, ValidationError)


def test_a_body_is_decoded_once() -> None:
    raw = '{"a": "ä"}'.encode()
    assert body_bytes({"body": raw.decode(), "isBase64Encoded": False}) == raw
    assert body_bytes({"body": base64.b64encode(raw).decode(), "isBase64Encoded": True}) == raw
    assert body_bytes({}) == body_bytes({"body": None}) == b""


@pytest.mark.parametrize("body", ["a", "****", "YQ==\n*"])
def test_a_broken_encoding_is_malformed(body: str) -> None:
    with pytest.raises(MalformedRequest):
        body_bytes({"body": body, "isBase64Encoded": True})


@pytest.mark.parametrize(("limit", "told"), [(16 * 1024, "16 KB"), (MAX_BODY, "1 MB"), (6 * MAX_BODY, "6 MB")])
def test_what_is_too_large_is_told_how_large_it_may_be(limit: int, told: str) -> None:
    with pytest.raises(PayloadTooLarge, match=f"at most {told}"):
        body_bytes({"body": "a" * (limit + 1)}, limit)


def test_a_body_has_at_most_one_megabyte() -> None:
    assert len(body_bytes({"body": "a" * MAX_BODY})) == MAX_BODY
    encoded = base64.b64encode(b"a" * MAX_BODY).decode()
    assert len(body_bytes({"body": encoded, "isBase64Encoded": True})) == MAX_BODY
    for event in (
        {"body": "a" * (MAX_BODY + 1)},
        {"body": "ä" * (MAX_BODY // 2 + 1)},
        {"body": base64.b64encode(b"a" * (MAX_BODY + 1)).decode(), "isBase64Encoded": True},
        {"body": "a" * 6_000_000, "isBase64Encoded": True},
    ):
        with pytest.raises(PayloadTooLarge) as caught:
            body_bytes(event)
        assert caught.value.status == 413
