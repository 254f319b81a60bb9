from __future__ import annotations

import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

from shared.http.app import Answer, HttpApp, Request, etag
from shared.http.routes import MEMBER, ROUTES, FunctionName, Route
from shared.kernel.errors import StateConflict, Unavailable
from shared.storage import noting
from shared.storage.errors import RawItem
from shared.tenants.principal import AUTH_ERRORS, Principal, auth_error_to_context
from tests.unit.http.events import KEY, MEMBER_ID, event_for, principal_for

THINGS = (
    Route("GET", "/v1/things/{thing_id}", "registration", "get_thing", "members:read", "Read", query=("limit", "cursor")),
    Route("POST", "/v1/things", "registration", "make_thing", "members:write", "Make", status=201),
    Route("PUT", "/v1/things/{thing_id}", "registration", "put_thing", "members:write", "Put", needs_if_match=True),
    Route("DELETE", "/v1/things/{thing_id}", "registration", "drop_thing", "members:write", "Drop", status=204),
    Route("GET", "/v1/members/{member_id}", "registration", "get_member", "members:read", "Read"),
    Route("GET", "/v1/me", "registration", "get_member_of_me", MEMBER, "Read (own view)"),
    Route("GET", "/v1/open", "registration", "get_open", "public", "Open"),
    Route("POST", "/v1/elsewhere", "administration", "elsewhere", "members:write", "Another function's"),
)
BY_NAME = {route.operation: route for route in THINGS}
FUNCTIONS: tuple[FunctionName, ...] = ("registration", "transaction_ingestion", "coupon_redemption", "administration")
PROTECTED = [route for route in ROUTES if not route.public]


class Thing(BaseModel):
    name: str
    size: int | None = None


def call(operation: str, handler: Callable[[Request], Answer], event: dict[str, Any] | None = None, context: Any = None) -> dict[str, Any]:
    app = HttpApp("registration", THINGS)
    app.operation(operation)(handler)
    route = BY_NAME[operation]
    return app.handle(event or event_for(route, None if route.public else principal_for(route)), context)


def problem(response: dict[str, Any]) -> dict[str, Any]:
    assert response["headers"]["content-type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(response["body"])
    assert body["status"] == response["statusCode"]
    return body


def must_not_run(request: Request) -> Answer:
    raise AssertionError(f"{request.operation} ran")


def app_that_must_not_run(function: FunctionName) -> HttpApp:
    app = HttpApp(function)
    app.operation(*(route.operation for route in ROUTES if route.function == function))(must_not_run)
    return app


# --- the table of routes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_app_knows_what_it_lacks(function: FunctionName) -> None:
    operations = [route.operation for route in ROUTES if route.function == function]
    app = HttpApp(function)
    with pytest.raises(LookupError, match=operations[0]):
        app.check_complete()
    app.operation(*operations)(lambda _: Answer())
    app.check_complete()


def test_what_is_registered_later_is_loaded_once_and_with_its_first_call() -> None:
    app, loaded = HttpApp("registration", THINGS), []
    first, *rest = [route.operation for route in THINGS if route.function == "registration"]
    app.operation(*rest)(lambda _: Answer(200, {}))

    def load() -> None:
        loaded.append(first)
        app.operation(first)(lambda _: Answer(200, {"from": "later"}))

    app.later(load, first)
    assert loaded == []
    for _ in range(2):
        app.check_complete()
    assert loaded == [first]


def test_what_is_registered_later_and_does_not_come_is_missed() -> None:
    app = HttpApp("registration", THINGS)
    operations = [route.operation for route in THINGS if route.function == "registration"]
    app.later(lambda: None, *operations)
    with pytest.raises(LookupError):
        app.check_complete()


def test_an_operation_of_another_function_is_refused() -> None:
    app = HttpApp("registration", THINGS)
    for name in ("elsewhere", "nonsense"):
        with pytest.raises(ValueError, match=name):
            app.operation(name)
    app.operation("get_thing")(lambda _: Answer())
    with pytest.raises(ValueError, match="already"):
        app.operation("get_thing")(lambda _: Answer())


@pytest.mark.parametrize("key", ["$default", "GET /v1/nothing", "POST /v1/elsewhere", ""])
def test_a_route_that_is_not_there(key: str) -> None:
    response = call("get_thing", must_not_run, {"routeKey": key, "rawPath": "/v1/nothing", "requestContext": {"requestId": "r1"}})
    assert (problem(response)["code"], response["statusCode"]) == ("no_such_route", 404)


def test_an_empty_event_is_answered() -> None:
    assert problem(call("get_thing", must_not_run, {"version": "2.0"}))["code"] == "no_such_route"


# --- credentials ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(AUTH_ERRORS))
@pytest.mark.parametrize("route", PROTECTED, ids=lambda route: route.operation)
def test_every_route_but_the_public_ones_refuses_each_auth_error(route: Route, code: str) -> None:
    response = app_that_must_not_run(route.function).handle(event_for(route, auth_error_to_context(code)))
    assert problem(response)["code"] == code
    assert response["statusCode"] == (503 if code == "authorizer_unavailable" else 401)
    assert ("www-authenticate" in response["headers"]) == (response["statusCode"] == 401)


@pytest.mark.parametrize("route", PROTECTED, ids=lambda route: route.operation)
def test_every_route_but_the_public_ones_needs_the_authorizers_word(route: Route) -> None:
    app = app_that_must_not_run(route.function)
    bare = event_for(route)
    for event in (
        bare,
        event_for(route, {}),
        {**bare, "headers": {"authorization": "Bearer lyk_acme-abcdefghijkl_x"}},
        {**bare, "requestContext": {}},
    ):
        assert problem(app.handle(event))["code"] == "missing_credential"


@pytest.mark.parametrize("route", PROTECTED, ids=lambda route: route.operation)
def test_every_route_but_the_public_ones_needs_its_scope(route: Route) -> None:
    app = app_that_must_not_run(route.function)
    others = [principal_for(other) for other in PROTECTED if other.scope != route.scope]
    for caller in {caller.scopes: caller for caller in [*others, KEY]}.values():
        response = app.handle(event_for(route, caller))
        assert (response["statusCode"], problem(response)["code"]) == (403, "insufficient_scope")


@pytest.mark.parametrize("route", PROTECTED, ids=lambda route: route.operation)
def test_every_route_is_reached_with_its_scope(route: Route) -> None:
    app = HttpApp(route.function)
    notes: list[RawItem] = []

    @app.operation(route.operation)
    def handler(request: Request) -> Answer:
        # As a scope does: the tenant's own, or the one that the operator names.
        for tenant in (request.tenant, request.path.get("tenant_id", request.tenant)):
            noting.offer(tenant, SimpleNamespace(put_raw=notes.append))
        return Answer(body={"tenant": request.tenant})

    caller = principal_for(route)
    response = app.handle(event_for(route, caller, pathParameters=dict.fromkeys(re.findall(r"{(\w+)}", route.path), "acme")))
    assert (response["statusCode"], json.loads(response["body"])) == (route.status, {"tenant": caller.tenant})
    assert len(notes) == (route.audited in ("read", "order"))


def test_what_cannot_be_noted_is_not_shown() -> None:
    app, route = HttpApp("registration"), next(each for each in ROUTES if each.operation == "get_member")
    app.operation("get_member")(lambda _request: Answer(body={"first_name": "Anna"}))
    response = app.handle(event_for(route, principal_for(route)))
    assert (response["statusCode"], "Anna" in response["body"]) == (500, False)


def test_the_public_routes_are_these() -> None:
    links = {"follow_link", "check_link", "see_message", "check_message", "ask_to_unsubscribe", "check_unsubscribing", "unsubscribe"}
    links |= {"ask_to_confirm", "check_confirming", "confirm_consent"}
    others = {"get_form", "submit_form", "get_jwks", "get_openapi", "get_tokens", "receive_apple_notice"}
    assert {route.operation for route in ROUTES if route.public} == others | links


def test_a_public_route_has_no_principal() -> None:
    assert call("get_open", lambda _: Answer(body={}))["statusCode"] == 200
    response = call("get_open", lambda request: Answer(body={"tenant": request.tenant}))
    assert problem(response)["code"] == "internal_error"


def test_a_public_route_ignores_a_principal() -> None:
    event = event_for(BY_NAME["get_open"], KEY)
    assert problem(call("get_open", lambda request: Answer(body={"tenant": request.tenant}), event))["status"] == 500


def test_the_member_is_the_paths_for_a_key_and_the_callers_for_a_guest() -> None:
    def tell(request: Request) -> Answer:
        return Answer(body={"member": request.member_id})

    assert json.loads(call("get_member", tell)["body"]) == {"member": "x1"}
    assert json.loads(call("get_member_of_me", tell)["body"]) == {"member": MEMBER_ID}
    event = event_for(BY_NAME["get_member_of_me"], principal_for(BY_NAME["get_member_of_me"]), pathParameters={"member_id": "mbr_other"})
    assert json.loads(call("get_member_of_me", tell, event)["body"]) == {"member": MEMBER_ID}


def test_a_replacement_without_if_match_never_reaches_its_handler() -> None:
    route = BY_NAME["put_thing"]
    response = call("put_thing", must_not_run, event_for(route, principal_for(route), headers={}))
    assert (response["statusCode"], problem(response)["code"]) == (428, "if_match_required")
    assert call("put_thing", lambda request: Answer(body={"tag": request.if_match}))["body"] == '{"tag":"1"}'


# --- answers -------------------------------------------------------------------------------------------------------


def test_a_model_is_answered_without_its_nulls() -> None:
    response = call("make_thing", lambda _: Answer(body=Thing(name="ä"), headers={"ETag": etag(7)}))
    assert response == {
        "statusCode": 201,
        "headers": {
            "cache-control": "no-store",
            "content-type": "application/json",
            "etag": '"7"',
            "x-correlation-id": "gateway-request-1",
            "regulars-mode": "live",
        },
        "body": '{"name":"ä"}',
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize(("tenant", "mode"), [("acme", "live"), ("acme-test", "test"), ("acme-test2", "test")])
def test_every_answer_to_a_credential_says_whether_it_is_about_test_data(tenant: str, mode: str) -> None:
    def refuse(_: Request) -> Answer:
        raise StateConflict

    caller = Principal(kind="key", tenant=tenant, id=f"{tenant}-abcdefghijkl", scopes=frozenset({"members:read"}))
    event = event_for(BY_NAME["get_thing"], caller)
    assert call("get_thing", lambda _: Answer(body={}), event)["headers"]["regulars-mode"] == mode
    assert call("get_thing", refuse, event)["headers"]["regulars-mode"] == mode
    no_scope = call("drop_thing", must_not_run, event_for(BY_NAME["drop_thing"], caller))
    assert (no_scope["statusCode"], no_scope["headers"]["regulars-mode"]) == (403, mode)


def test_whoever_has_no_tenant_is_told_no_mode() -> None:
    operator = Principal(kind="operator", tenant="operator", id="operator-root", scopes=frozenset({"operator"}))
    answers = [call("get_thing", must_not_run, event_for(BY_NAME["get_thing"], caller)) for caller in (None, operator)]
    answers.append(call("get_open", lambda _: Answer(body={}), event_for(BY_NAME["get_open"])))
    assert [each["statusCode"] for each in answers] == [401, 403, 200]
    assert not any("regulars-mode" in each["headers"] for each in answers)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"a": [Thing(name="b")], "c": None}, '{"a":[{"name":"b"}],"c":null}'),
        ([Thing(name="b", size=1)], '[{"name":"b","size":1}]'),
        ({}, "{}"),
        ('{"stored": true}', '{"stored": true}'),
    ],
)
def test_bodies(body: Any, text: str) -> None:
    response = call("get_thing", lambda _: Answer(200, body))
    assert (response["statusCode"], response["body"], response["headers"]["content-type"]) == (200, text, "application/json")


def test_an_answer_without_a_body() -> None:
    response = call("drop_thing", lambda _: Answer())
    assert response["statusCode"] == 204
    assert "body" not in response
    assert "content-type" not in response["headers"]


def test_a_handlers_status_and_headers_win() -> None:
    response = call("make_thing", lambda _: Answer(200, {}, {"Cache-Control": "max-age=60"}))
    assert (response["statusCode"], response["headers"]["cache-control"]) == (200, "max-age=60")


def test_a_refusal_of_a_handler_is_a_problem() -> None:
    def refuse(_: Request) -> Answer:
        raise StateConflict("It is paused.")

    body = problem(call("get_thing", refuse))
    assert (body["code"], body["detail"], body["instance"], body["request_id"]) == (
        "state_conflict",
        "It is paused.",
        "/v1/things/x1",
        "gateway-request-1",
    )


def test_an_unknown_failure_is_answered_without_details() -> None:
    def fail(_: Request) -> Answer:
        raise KeyError("anna@example.com")

    response = call("get_thing", fail)
    assert problem(response) == {
        "type": "urn:regulars:problem:internal_error",
        "title": "Internal error",
        "status": 500,
        "detail": "Internal error",
        "code": "internal_error",
        "instance": "/v1/things/x1",
        "request_id": "gateway-request-1",
    }


def test_an_answer_that_cannot_be_written_is_a_failure() -> None:
    assert problem(call("get_thing", lambda _: Answer(body={"a": object()})))["code"] == "internal_error"


def test_an_operation_without_a_handler_is_a_failure() -> None:
    app = HttpApp("registration", THINGS)
    assert problem(app.handle(event_for(BY_NAME["get_thing"], principal_for(BY_NAME["get_thing"]))))["code"] == "internal_error"


# --- the log and the metrics ---------------------------------------------------------------------------------------


def test_a_call_is_one_line_of_log_without_the_person(log_lines: Callable[[], list[dict[str, Any]]]) -> None:
    route = BY_NAME["get_member"]
    event = event_for(
        route,
        principal_for(route),
        pathParameters={"member_id": MEMBER_ID},
        body='{"email": "anna@example.com"}',
        headers={"authorization": "Bearer lyk_secret", "x-correlation-id": "till-7-000042"},
    )
    response = call("get_member", lambda _: Answer(body={"phone": "+4915123456789"}), event)
    (line,) = log_lines()
    assert response["headers"]["x-correlation-id"] == "till-7-000042"
    assert {key: line[key] for key in ("level", "message", "tenant", "member", "operation", "status", "correlation_id")} == {
        "level": "INFO",
        "message": "request",
        "tenant": "acme",
        "member": MEMBER_ID,
        "operation": "get_member",
        "status": 200,
        "correlation_id": "till-7-000042",
    }
    assert line["duration_ms"] >= 0
    text = json.dumps(line)
    assert not any(secret in text for secret in ("anna", "+4915", "lyk_secret"))


def test_query_values_and_foreign_ids_are_not_logged(log_lines: Callable[[], list[dict[str, Any]]]) -> None:
    route = BY_NAME["get_thing"]
    event = event_for(
        route,
        principal_for(route),
        queryStringParameters={"cursor": "anna@example.com"},
        pathParameters={"thing_id": "anna", "member_id": "anna"},
    )
    call("get_thing", lambda _: Answer(body={}), event)
    (line,) = log_lines()
    assert "anna" not in json.dumps(line)
    assert "member" not in line


def test_a_refusal_is_logged_by_its_code(log_lines: Callable[[], list[dict[str, Any]]]) -> None:
    call("get_thing", must_not_run, event_for(BY_NAME["get_thing"], auth_error_to_context("expired_token")))
    (line,) = log_lines()
    assert (line["level"], line["status"], line["error_code"]) == ("INFO", 401, "expired_token")
    assert "tenant" not in line


def test_a_failure_is_one_line_with_its_place_and_cause(log_lines: Callable[[], list[dict[str, Any]]]) -> None:
    def fail(_: Request) -> Answer:
        try:
            raise KeyError("anna@example.com")
        except KeyError as error:
            raise RuntimeError("the table is gone") from error

    call("get_thing", fail)
    (line,) = log_lines()
    outer, cause = line["exception"]
    assert (line["level"], line["status"], line["error_code"], line["exception_name"]) == ("ERROR", 500, "internal_error", "RuntimeError")
    assert (outer["type"], outer["text"]) == ("builtins.RuntimeError", "the table is gone")
    assert cause["type"] == "builtins.KeyError"
    assert any("fail" in frame for frame in outer["at"])
    assert "anna" not in json.dumps(line)


def test_our_own_503_is_logged_as_a_failure(log_lines: Callable[[], list[dict[str, Any]]]) -> None:
    def fail(_: Request) -> Answer:
        raise Unavailable

    response = call("get_thing", fail)
    (line,) = log_lines()
    assert (response["statusCode"], response["headers"]["retry-after"], line["level"]) == (503, "1", "ERROR")


def test_a_handlers_own_lines_carry_the_call(log_lines: Callable[[], list[dict[str, Any]]]) -> None:
    from shared.observability import logger

    def tell(_: Request) -> Answer:
        logger().info("priced", extra={"lines": 3, "email": "anna@example.com"})
        return Answer(body={})

    call("get_thing", tell)
    mine, request = log_lines()
    assert (mine["tenant"], mine["operation"], mine["correlation_id"], mine["lines"]) == ("acme", "get_thing", "gateway-request-1", 3)
    assert "email" not in mine
    assert request["message"] == "request"


def test_a_call_is_one_line_of_metrics_without_a_dimension_for_the_tenant(capsys: pytest.CaptureFixture[str]) -> None:
    call("get_thing", lambda _: Answer(body={}))
    (line,) = [json.loads(text) for text in capsys.readouterr().out.splitlines() if "_aws" in text]
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Regulars"
    assert "operation" in directive["Dimensions"][0]
    assert "tenant" not in directive["Dimensions"][0]
    assert {metric["Name"] for metric in directive["Metrics"]} == {"answers_2xx", "latency"}
    assert (line["operation"], line["tenant"], line["correlation_id"], line["answers_2xx"]) == (
        "get_thing",
        "acme",
        "gateway-request-1",
        [1.0],
    )


def test_metrics_of_two_calls_do_not_mix(capsys: pytest.CaptureFixture[str]) -> None:
    call("get_thing", lambda _: Answer(body={}))
    call("get_open", lambda _: Answer(body={}))
    first, second = [json.loads(text) for text in capsys.readouterr().out.splitlines() if "_aws" in text]
    assert (first["operation"], second["operation"]) == ("get_thing", "get_open")
    assert "tenant" not in second


def test_a_principal_is_not_kept_for_the_next_call() -> None:
    app = HttpApp("registration", THINGS)
    app.operation("get_thing")(lambda request: Answer(body={"id": request.principal.id}))
    route = BY_NAME["get_thing"]
    callers = [Principal("key", "acme", f"key-{number}", frozenset({"members:read"})) for number in range(3)]
    answered = [json.loads(app.handle(event_for(route, caller))["body"])["id"] for caller in callers]
    assert answered == ["key-0", "key-1", "key-2"]
    assert app.handle(event_for(route))["statusCode"] == 401
