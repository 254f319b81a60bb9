"""OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1.html) from the table of routes. A tool: no function imports it.

Models are resolved here from their ``module:Class`` names. The order of keys follows the table and the models, and
components are sorted by name, so that the committed document changes only where the interface does.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, get_args

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import core_schema

from shared.http.problem import PROBLEM_TYPE, Problem
from shared.http.routes import ROUTES, SCOPES, Route
from shared.kernel.ids import NAME_PATTERN
from shared.kernel.modes import Mode
from shared.kernel.pages import MAX_LIMIT

_Mode = Literal["validation", "serialization"]
_REFERENCE: Final = "#/components/schemas/{model}"
_PARAMETER: Final = re.compile(r"{(\w+)}")
_PROBLEMS: Final = {
    400: "The body is not JSON",
    401: "No credential, or one that does not verify",
    403: "The credential does not hold the scope",
    404: "No such thing in this tenant",
    409: "The thing is in another state, or was changed at the same time",
    410: "It was here and was erased",
    412: "If-Match names another version",
    413: "The body is above 1 MB",
    422: "Well-formed, but it cannot be done; errors points at the fields",
    428: "If-Match is required",
    429: "Slow down; Retry-After is in seconds",
    500: "A mistake of ours; nothing is known to have been stored",
    503: "Temporarily unavailable; repeat the call after Retry-After seconds",
}
_AGAIN: Final = "Nothing new came of it: the same call was answered before, or what it makes is there already"
_PAGE: Final = {"text/html": {"schema": {"type": "string"}}}
_RETRIED: Final = frozenset({409, 429, 503})
_QUERY: Final[dict[str, dict[str, Any]]] = {
    "limit": {"description": "Entries per page", "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": 50}},
    "days": {
        "description": "Windows in days, 1 to 400, today included; at most 10",
        "schema": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 400}, "default": [7, 30, 90, 365]},
    },
    "awaits_approval": {
        "description": "Only what a second person has to approve: newest published versions, whatever was drafted since",
        "schema": {"type": "boolean", "default": False},
    },
    "by_days": {"description": "The window told by name", "schema": {"type": "integer", "minimum": 1, "maximum": 400, "default": 90}},
    "with": {
        "description": "Ids of campaigns that are not launched, at most 20, with commas between them",
        "schema": {"type": "string", "maxLength": 1000},
    },
    "to": {"description": "The last local day, inclusive; at most 92 days", "schema": {"type": "string", "format": "date"}},
    "from": {"description": "The first day; if it is left out, the answer says which", "schema": {"type": "string", "format": "date"}},
    "until": {"description": "The last business date, inclusive; today if it is left out", "schema": {"type": "string", "format": "date"}},
    "force": {"description": "`true`: end the hold of another (scope `coupons:release`)", "schema": {"type": "boolean", "default": False}},
    "reason": {"description": "Why by force, as a word of your own (till-broken)", "schema": {"type": "string", "pattern": NAME_PATTERN}},
    "mode": {"description": "Tenants of one mode alone", "schema": {"type": "string", "enum": ["live", "test"]}},
    "cursor": {"description": "next_cursor of the page before, as it came", "schema": {"type": "string", "minLength": 1}},
}
_ETAG: Final = {"ETag": {"description": "The version, for If-Match", "schema": {"type": "string"}}}
_LIMITS: Final = {
    "RateLimit-Policy": {
        "description": "Rates that the call is under (draft-ietf-httpapi-ratelimit-headers-10): `tenant`, all credentials together, and "
        '`credential`: `"tenant";q=400;w=2` is 400 calls that come back within 2 seconds',
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": 'What is left of each, as far as is known here, and in how many seconds all of it is back: `"tenant";r=312;t=1`',
        "schema": {"type": "string"},
    },
}
_MODE: Final = {
    "Regulars-Mode": {
        "description": "`test` for credentials of a test environment, `live` for all others but the operator's",
        "schema": {"type": "string", "enum": list(get_args(Mode))},
    },
}
_MODE_REFERENCES: Final = {name: {"$ref": f"#/components/headers/{name}"} for name in _MODE}
_LIMIT_REFERENCES: Final = {name: {"$ref": f"#/components/headers/{name}"} for name in _LIMITS}
_RETRY_AFTER: Final = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer", "minimum": 0}}}


class UnresolvedModels(LookupError):
    """Models named by routes that cannot be imported; the text lists every one, with its reason."""


class _Schemas(GenerateJsonSchema):
    """Pydantic's schemas, knowing that the dispatcher leaves nulls out of its answers."""

    def field_is_required(
        self, field: core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField, total: bool
    ) -> bool:
        """A field of an answer that may be null is absent then, so it is not required."""
        schema: Any = field["schema"]
        while schema["type"].startswith("function-") and "schema" in schema:
            schema = schema["schema"]
        left_out_as_null = self.mode == "serialization" and schema["type"] == "nullable"
        return not left_out_as_null and super().field_is_required(field, total)


def build(version: str, routes: Iterable[Route] = ROUTES) -> dict[str, Any]:
    """The document as JSON data. ``UnresolvedModels`` if a model of a route does not exist."""
    table = tuple(routes)
    schemas, references = _components(table)
    paths: dict[str, dict[str, Any]] = {}
    versioned = {route.path for route in table if route.needs_if_match}
    for route in table:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, references, route.path in versioned)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Regulars",
            "version": version,
            "summary": "Loyalty and communication for restaurants and retailers",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [{"name": name} for name in dict.fromkeys(route.function for route in table)],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key (lyk_...), a member's access token, or an access token of the staff's user pool. Scopes:\n\n"
                    + "\n".join(f"* `{scope}`: {meaning}" for scope, meaning in SCOPES.items()),
                }
            },
            "headers": _LIMITS | _MODE,
            "schemas": schemas,
        },
    }


def render(version: str, routes: Iterable[Route] = ROUTES) -> str:
    """The document as it is committed: two spaces, a line break at the end."""
    return json.dumps(build(version, routes), indent=2, ensure_ascii=False) + "\n"


def _resolve(names: Iterable[str]) -> dict[str, type[BaseModel]]:
    resolved: dict[str, type[BaseModel]] = {}
    missing: list[str] = []
    for name in sorted(set(names)):
        module_name, _, class_name = name.partition(":")
        try:
            found = getattr(importlib.import_module(module_name), class_name)
        except (ImportError, AttributeError) as error:
            missing.append(f"{name} ({error})")
            continue
        if isinstance(found, type) and issubclass(found, BaseModel):
            resolved[name] = found
        else:
            missing.append(f"{name} (not a pydantic model)")
    if missing:
        raise UnresolvedModels("not importable: " + "; ".join(missing))
    return resolved


def _components(routes: Sequence[Route]) -> tuple[dict[str, Any], dict[tuple[str, _Mode], dict[str, Any]]]:
    """Schemas by component name, and the reference of each named model in each direction."""
    wanted: dict[tuple[str, _Mode], None] = {}
    for route in routes:
        if route.request:
            wanted[route.request, "validation"] = None
        if route.response:
            wanted[route.response, "serialization"] = None
    resolved = _resolve(name for name, _ in wanted)
    models = [(resolved[name], mode) for name, mode in wanted]
    by_model, definitions = models_json_schema([*models, (Problem, "serialization")], ref_template=_REFERENCE, schema_generator=_Schemas)
    references = {(name, mode): by_model[resolved[name], mode] for name, mode in wanted}
    return dict(sorted(definitions["$defs"].items())), references


def _operation(route: Route, references: dict[tuple[str, _Mode], dict[str, Any]], versioned: bool) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": route.operation, "summary": route.summary, "tags": [route.function]}
    if route.public:
        operation["security"] = []
    else:
        operation["description"] = f"Scope: `{route.scope}`."
        operation["security"] = [{"bearer": [route.scope]}]
        operation["x-scope"] = route.scope
    parameters = _parameters(route)
    if parameters:
        operation["parameters"] = parameters
    if route.request:
        schema = references[route.request, "validation"]
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    success: dict[str, Any] = {"description": route.summary}
    if versioned and route.method in {"GET", "PUT", "PATCH"}:
        success["headers"] = dict(_ETAG)
    if not route.public:
        success["headers"] = success.get("headers", {}) | _LIMIT_REFERENCES | _MODE_REFERENCES
    if route.media != "application/json":
        success["content"] = {route.media: {"schema": {"type": "string"}}} if route.media else {}
    elif route.status != 204:
        schema = references[route.response, "serialization"] if route.response else {"type": "object"}
        success["content"] = {"application/json": {"schema": schema}} | (_PAGE if route.page else {})
    again = {"200": success | {"description": _AGAIN}} if route.status == 201 else {}
    operation["responses"] = again | {str(route.status): success} | {str(status): _problem(status, route) for status in _problems_of(route)}
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    text = {"type": "string", "minLength": 1}
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": text} for name in _PARAMETER.findall(route.path)
    ]
    found += [{"name": name, "in": "query", "required": False, **_QUERY.get(name, {"schema": text})} for name in route.query]
    if route.needs_if_match:
        found.append({"name": "If-Match", "in": "header", "required": True, "description": "The ETag that was read", "schema": text})
    if route.keyed:
        key = {"type": "string", "minLength": 1, "maxLength": 130}
        meaning = "A string in double quotes (RFC 8941) that names this call; repeat the call with the same one"
        found.append({"name": "Idempotency-Key", "in": "header", "required": False, "description": meaning, "schema": key})
    return found


def _problems_of(route: Route) -> list[int]:
    changes, of_one_member = route.method != "GET", "{member_id}" in route.path or "/me" in route.path
    names_others = (route.request is not None and not route.public) or "with" in route.query
    possible = {
        400: route.request is not None or (route.page and route.method == "POST"),
        401: not route.public or route.takes_credential,
        403: not route.public,
        404: "{" in route.path or of_one_member or names_others,
        409: changes,
        410: of_one_member or "{token}" in route.path,
        412: route.needs_if_match,
        413: route.request is not None,
        422: route.request is not None or bool(route.query) or not route.public,
        428: route.needs_if_match,
        429: True,
        500: True,
        503: True,
    }
    return [status for status, can_be in possible.items() if can_be]


def _problem(status: int, route: Route) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": _PROBLEMS[status]}
    if status in _RETRIED:
        answer["headers"] = _RETRY_AFTER | (_LIMIT_REFERENCES if status == 429 and not route.public else {})
    answer["content"] = {PROBLEM_TYPE: {"schema": {"$ref": _REFERENCE.format(model="Problem")}}} | (_PAGE if route.page else {})
    return answer
