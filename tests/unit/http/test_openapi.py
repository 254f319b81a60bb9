from __future__ import annotations

import json
import sys
import types
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel, ConfigDict, Field

from shared.http.openapi import UnresolvedModels, build, render
from shared.http.routes import MEMBER, SCOPES, Route


class PartModel(BaseModel):
    weight: int = Field(ge=1)


class ThingRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    nickname: str | None
    part: PartModel | None = None


class ThingAnswer(BaseModel):
    id: str
    note: str | None
    part: PartModel


class ThingPage(BaseModel):
    data: list[ThingAnswer]
    next_cursor: str | None = None


NOT_A_MODEL = "text"
HERE = "things_for_openapi:"
ROUTES = (
    Route(
        "POST",
        "/v1/things",
        "registration",
        "make_thing",
        "members:write",
        "Make a thing",
        HERE + "ThingRequest",
        HERE + "ThingAnswer",
        201,
    ),
    Route(
        "GET",
        "/v1/things",
        "registration",
        "list_things",
        "members:read",
        "List",
        response=HERE + "ThingPage",
        query=("limit", "cursor", "state"),
    ),
    Route("GET", "/v1/things/{thing_id}", "administration", "get_thing", "members:read", "Read", response=HERE + "ThingAnswer"),
    Route(
        "PUT",
        "/v1/things/{thing_id}",
        "administration",
        "put_thing",
        "members:write",
        "Put",
        HERE + "ThingRequest",
        HERE + "ThingAnswer",
        needs_if_match=True,
    ),
    Route("DELETE", "/v1/me/things/{thing_id}", "registration", "drop_thing", MEMBER, "Drop", status=204),
    Route("GET", "/v1/open", "registration", "get_open", "public", "Open"),
)


@pytest.fixture(autouse=True)
def _module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("things_for_openapi")
    for thing in (ThingRequest, ThingAnswer, ThingPage):
        setattr(module, thing.__name__, thing)
    module.NOT_A_MODEL = NOT_A_MODEL  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "things_for_openapi", module)


def operation(name: str) -> dict[str, Any]:
    found = [entry for path in build("1.0.0", ROUTES)["paths"].values() for entry in path.values() if entry["operationId"] == name]
    assert len(found) == 1
    operation_found: dict[str, Any] = found[0]
    return operation_found


def test_the_document_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(build("1.0.0", ROUTES)).validate()


def test_the_document_is_the_same_each_time() -> None:
    assert render("1.0.0", ROUTES) == render("1.0.0", tuple(ROUTES))
    document = json.loads(render("1.0.0", ROUTES))
    assert document == build("1.0.0", ROUTES)
    assert list(document["paths"]) == list(dict.fromkeys(route.path for route in ROUTES))
    assert list(document["components"]["schemas"]) == sorted(document["components"]["schemas"])
    assert render("1.0.0", ROUTES).endswith("}\n")


def test_models_that_do_not_exist_are_all_named() -> None:
    broken = (
        Route("GET", "/v1/a", "registration", "a", "members:read", "A", response="shared.nowhere.api:Thing"),
        Route("GET", "/v1/b", "registration", "b", "members:read", "B", response="shared.http.problem:Missing"),
        Route("GET", "/v1/c", "registration", "c", "members:read", "C", response=HERE + "NOT_A_MODEL"),
        *ROUTES,
    )
    with pytest.raises(UnresolvedModels) as refused:
        build("1.0.0", broken)
    assert all(name in str(refused.value) for name in ("shared.nowhere.api:Thing", "shared.http.problem:Missing", HERE + "NOT_A_MODEL"))
    assert "ThingAnswer" not in str(refused.value)


def test_a_route_needs_its_scope_and_a_public_one_none() -> None:
    assert operation("make_thing")["security"] == [{"bearer": ["members:write"]}]
    assert operation("make_thing")["x-scope"] == "members:write"
    assert operation("get_open")["security"] == []
    assert "x-scope" not in operation("get_open")
    schemes = build("1.0.0", ROUTES)["components"]["securitySchemes"]
    assert list(schemes) == ["bearer"]
    assert all(f"`{scope}`" in schemes["bearer"]["description"] for scope in SCOPES)


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("make_thing", {200, 201, 400, 401, 403, 404, 409, 413, 422, 429, 500, 503}),
        ("list_things", {200, 401, 403, 422, 429, 500, 503}),
        ("get_thing", {200, 401, 403, 404, 422, 429, 500, 503}),
        ("put_thing", {200, 400, 401, 403, 404, 409, 412, 413, 422, 428, 429, 500, 503}),
        ("drop_thing", {204, 401, 403, 404, 409, 410, 422, 429, 500, 503}),
        ("get_open", {200, 429, 500, 503}),
    ],
)
def test_the_answers_that_a_route_can_give(name: str, statuses: set[int]) -> None:
    answers = operation(name)["responses"]
    assert {int(status) for status in answers} == statuses
    for status, answer in answers.items():
        if int(status) >= 400:
            assert answer["content"] == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    assert ("content" in answers[min(answers)]) == (name != "drop_thing")


def test_parameters() -> None:
    def named(name: str) -> dict[str, tuple[str, bool]]:
        return {found["name"]: (found["in"], found["required"]) for found in operation(name).get("parameters", [])}

    assert named("make_thing") == {}, "only some take an Idempotency-Key: tests/isolation/test_keys_of_calls.py"
    assert named("list_things") == {"limit": ("query", False), "cursor": ("query", False), "state": ("query", False)}
    assert named("put_thing") == {"thing_id": ("path", True), "If-Match": ("header", True)}
    assert named("get_open") == {}
    limit = operation("list_things")["parameters"][0]["schema"]
    assert (limit["minimum"], limit["maximum"]) == (1, 200)


def test_a_versioned_thing_answers_its_etag() -> None:
    for name in ("get_thing", "put_thing"):
        assert "ETag" in operation(name)["responses"]["200"]["headers"]
    assert "ETag" not in operation("make_thing")["responses"]["201"]["headers"]


def test_a_null_is_left_out_of_answers_and_stays_in_requests() -> None:
    schemas = build("1.0.0", ROUTES)["components"]["schemas"]
    assert schemas["ThingAnswer"]["required"] == ["id", "part"]
    assert schemas["ThingPage"]["required"] == ["data"]
    assert schemas["ThingRequest"]["required"] == ["name", "nickname"]
    assert schemas["ThingRequest"]["additionalProperties"] is False


def test_tags_are_the_functions() -> None:
    assert build("1.0.0", ROUTES)["tags"] == [{"name": "registration"}, {"name": "administration"}]
    assert operation("put_thing")["tags"] == ["administration"]
