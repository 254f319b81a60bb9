from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from shared.http.request import Request
from shared.http.routes import Route
from shared.kernel.errors import AppError, NotFound, PreconditionFailed, PreconditionRequired, Unprocessable

READ = Route("GET", "/v1/things/{thing_id}/parts/{part_id}", "registration", "get_part", "members:read", "Read", query=("limit", "cursor"))
WRITE = Route("PUT", "/v1/things", "registration", "put_thing", "members:write", "Put", needs_if_match=True)
OPEN = Route("GET", "/v1/open", "registration", "get_open", "public", "Open")


def request(route: Route = READ, context: Any = None, **event: Any) -> Request:
    event.setdefault("pathParameters", {"thing_id": "t1", "part_id": "p1"})
    return Request(route, {"requestContext": {"requestId": "JKJaXmPLvHcESHA="}, **event}, context, None)


def with_header(name: str, value: str, route: Route = READ) -> Request:
    return request(route, headers={name: value})


class Body(BaseModel):
    a: int


def test_headers_are_found_whatever_their_case() -> None:
    assert with_header("X-Thing", "a").headers == {"x-thing": "a"}
    assert request().headers == {}


def test_path_parameters_are_decoded_once() -> None:
    found = request(pathParameters={"thing_id": "a%2Fb%2541", "part_id": "sch%C3%B6n", "proxy": "x"}).path
    assert found == {"thing_id": "a/b%41", "part_id": "schön"}


@pytest.mark.parametrize(
    "given_path",
    [
        None,
        {},
        {"thing_id": "a"},
        {"thing_id": "a", "part_id": ""},
        {"thing_id": "a", "part_id": "%FF"},
        {"thing_id": "a", "part_id": "x" * 1025},
    ],
)
def test_a_path_that_names_nothing_is_not_found(given_path: Any) -> None:
    with pytest.raises(NotFound):
        request(pathParameters=given_path)


def test_an_unknown_query_value_is_refused_without_its_value() -> None:
    with pytest.raises(Unprocessable) as refused:
        request(queryStringParameters={"limt": "anna", "limit": "5"})
    (error,) = refused.value.errors
    assert (error.pointer, error.code) == ("/limt", "unknown_field")
    assert "anna" not in error.detail


def test_a_link_may_pick_up_parameters_on_its_way() -> None:
    assert request(OPEN, queryStringParameters={"utm_source": "mail"}).query == {}


@pytest.mark.parametrize(("text", "limit"), [("1", 1), ("200", 200), ("007", 7)])
def test_limits(text: str, limit: int) -> None:
    assert request(queryStringParameters={"limit": text}).page_limit() == limit
    assert request().page_limit() == 50
    assert request().page_limit(default=20) == 20


@pytest.mark.parametrize("text", ["", "0", "201", "-1", "1.0", "a", "٣", "²", " 5", "9" * 5000])
def test_limits_that_are_refused(text: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        request(queryStringParameters={"limit": text}).page_limit()
    assert refused.value.errors[0].pointer == "/limit"


def test_a_cursor_is_passed_on_as_it_came() -> None:
    assert request(queryStringParameters={"cursor": "abc"}).cursor == "abc"
    assert request(queryStringParameters={"cursor": ""}).cursor is None
    assert request().cursor is None


@pytest.mark.parametrize(("text", "tag"), [('"7"', "7"), (' "a-b" ', "a-b"), ('"W/x"', "W/x")])
def test_if_match(text: str, tag: str) -> None:
    assert with_header("If-Match", text, WRITE).if_match == tag
    assert with_header("If-Match", text).if_match == tag


def test_if_match_is_required_where_the_route_says_so() -> None:
    assert request().if_match is None
    for text in ("", "  "):
        with pytest.raises(PreconditionRequired):
            _ = with_header("If-Match", text, WRITE).if_match


def test_a_weak_tag_never_matches() -> None:
    with pytest.raises(PreconditionFailed):
        _ = with_header("If-Match", 'W/"7"', WRITE).if_match


@pytest.mark.parametrize("text", ["7", "*", '"a", "b"', '""', '"a', '"' + "a" * 129 + '"', '"ä"'])
def test_if_match_that_is_refused(text: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        _ = with_header("If-Match", text, WRITE).if_match
    assert refused.value.errors[0].pointer == "/If-Match"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('"8e03978e-40d5-43dd-bc93-6894a57f9324"', "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ('"till 7: receipt 42"', "till 7: receipt 42"),
        (r'"a\"b\\c"', r'a"b\c'),
        ("a" * 128, "a" * 128),
        ('"' + r"\"" * 128 + '"', '"' * 128),
    ],
)
def test_idempotency_keys(text: str, key: str) -> None:
    assert with_header("Idempotency-Key", text).idempotency_key == key


@pytest.mark.parametrize(
    "text", ['""', '"a', 'a"', '"a"b"', r'"a\b"', '"a";q=1', "a b", "a,b", "ä", '"ä"', "a" * 129, '"' + "a" * 129 + '"', '"a\tb"']
)
def test_idempotency_keys_that_are_refused(text: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        _ = with_header("Idempotency-Key", text).idempotency_key
    assert refused.value.errors[0].pointer == "/Idempotency-Key"


def test_no_idempotency_key_is_none() -> None:
    assert request().idempotency_key is None


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=128))
def test_any_printable_key_survives_being_quoted(key: str) -> None:
    quoted = '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert with_header("Idempotency-Key", quoted).idempotency_key == key


@given(st.text(max_size=140))
def test_any_header_is_a_key_or_a_refusal(text: str) -> None:
    key = attempt(text)
    assert key is None or (key.status == 422 if isinstance(key, AppError) else 1 <= len(key) <= 128)


def attempt(text: str) -> str | AppError | None:
    try:
        return with_header("Idempotency-Key", text).idempotency_key
    except AppError as refusal:
        return refusal


@pytest.mark.parametrize("text", ["till-7-000042", "a" * 64, "12345678"])
def test_a_safe_correlation_id_is_taken(text: str) -> None:
    assert with_header("X-Correlation-Id", text).correlation_id == text


@pytest.mark.parametrize("text", ["", "short", "a" * 65, "a b c d e f", "anna@example.com", "abcdefgh\n", '{"a":"bcdefg"}'])
def test_any_other_correlation_id_gives_way_to_the_gateways(text: str) -> None:
    assert with_header("X-Correlation-Id", text).correlation_id == "JKJaXmPLvHcESHA="


def test_a_body_is_parsed_on_demand() -> None:
    assert request(body='{"a": 1}').parse(Body) == Body(a=1)
    assert request(body="e30=", isBase64Encoded=True).body == b"{}"
    assert request(body="not json").operation == "get_part"


def test_the_time_that_is_left() -> None:
    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return 1234

    assert request(context=Context()).time_left_ms() == 1234
    assert request().time_left_ms() == 30_000
