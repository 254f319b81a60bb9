"""Every operation of docs/openapi.json as a call, and that call with another tenant's ids in each of its places."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from tests.isolation import examples
from tests.isolation.building import BY_OPERATION, Building, Said
from tests.isolation.filling import BROWSER, THE_OPERATOR, Tenant

_DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"
_LOOKS_LIKE_AN_ID = re.compile(
    r"(^|_)(id|code|token|key)$|^(member|offer|item|segment|list|campaign|programme|location|tier|reward|challenge|image|receipt_number)$"
)
Where = tuple[str | int, ...]
"""The way to a value in a call: ``("path", "member_id")``, ``("body", "lines", 0, "item_id")``."""


class Unknown(Exception):
    """The document has something that the walk has no example of. The text says what to do."""


@cache
def document() -> dict[str, Any]:
    """docs/openapi.json."""
    found: dict[str, Any] = json.loads(_DOCUMENT.read_text(encoding="utf-8"))
    return found


@cache
def operations() -> dict[str, dict[str, Any]]:
    """Operation id -> what the document says of it."""
    return {each["operationId"]: each for methods in document()["paths"].values() for each in methods.values() if "operationId" in each}


@dataclass(frozen=True)
class Call:
    """A call of an operation. ``slots``: where it names things, and which kind each is."""

    operation: str
    parts: Mapping[str, Any]
    """``path``, ``query``, ``body``."""
    slots: Mapping[Where, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def with_(self, where: Where, value: Any) -> Call:
        """The same call with another value there."""
        parts = copy.deepcopy(dict(self.parts))
        place: Any = parts
        for step in where[:-1]:
            place = place[step]
        place[where[-1]] = value
        return replace(self, parts=parts)

    def send(self, building: Building, credential: str | None) -> Said:
        """Make the call."""
        headers = {**BROWSER, **examples.HEADERS.get(self.operation, {}), **self.headers}
        path, query, body = (self.parts[each] for each in ("path", "query", "body"))
        return building.call(self.operation, credential, body, path=path, query=query, headers=headers)


def credential_of(operation: str, tenant: Tenant, who: str = "member") -> str | None:
    """Who may make the call for the tenant: the operator, a key with every scope, a member, nobody."""
    scope = BY_OPERATION[operation].scope
    return {"operator": THE_OPERATOR, "me": tenant.tokens[who], "public": None}.get(scope, tenant.key)


def calls(operation: str, tenant: Tenant) -> Iterator[Call]:
    """Good calls of an operation with the tenant's own ids."""
    spec = operations()[operation]
    base = operation.removesuffix("_of_me")
    parameters = [(each["name"], each["in"]) for each in spec.get("parameters", ())]
    path = {name: _value(operation, name, tenant) for name, place in parameters if place == "path"}
    for name, place in parameters:
        if place == "query" and name != "cursor" and name not in examples.FIXED and name not in examples.PARAMETERS and name != "with":
            raise Unknown(f"{operation}: the query parameter {name!r} is new: say in tests/isolation/examples.py what it is")
    made = examples.QUERIES.get(operation)
    query = made(tenant) if made is not None else {}
    makers = examples.BODIES.get(operation) or examples.BODIES.get(base)
    if makers is None:
        makers = (lambda t: body_of(operation, t),) if "requestBody" in spec else (lambda _t: None,)
    for maker in makers:
        parts = {"path": path, "query": query, "body": maker(tenant)}
        headers = {"if-match": tenant.etags[operation]} if operation in tenant.etags else {}
        yield Call(operation, parts, dict(_slots(parts, _kinds(tenant))), headers)


def _value(operation: str, name: str, tenant: Tenant) -> str:
    kind = examples.PLACES.get(operation, {}).get(name) or examples.PARAMETERS.get(name)
    if kind is not None:
        return tenant.ids[kind]
    if name in examples.FIXED:
        return examples.FIXED[name]
    if name == "name" and operation in examples.NAMES:
        return examples.NAMES[operation]
    raise Unknown(
        f"{operation}: the path parameter {name!r} is new: fill a tenant with such a thing (tests/isolation/filling.py) and say in "
        "tests/isolation/examples.py which kind it is (PARAMETERS, PLACES), or that it is no id (FIXED)"
    )


def _kinds(tenant: Tenant) -> dict[str, str]:
    # Of several names for the same thing the shortest.
    return {tenant.ids[kind]: kind for kind in sorted(tenant.ids, key=len, reverse=True) if kind != "conversion"}


def _slots(parts: Any, kinds: Mapping[str, str], where: Where = ()) -> Iterator[tuple[Where, str]]:
    if isinstance(parts, dict):
        for name, value in parts.items():
            yield from _slots(value, kinds, (*where, name))
    elif isinstance(parts, list):
        for number, value in enumerate(parts):
            yield from _slots(value, kinds, (*where, number))
    elif isinstance(parts, str) and parts in kinds:
        yield where, kinds[parts]


# -- bodies that are made of a schema -------------------------------------------------------------------------------------


def body_of(operation: str, tenant: Tenant) -> Any:
    """The smallest body that the schema of an operation takes, with the tenant's ids wherever it names things."""
    content = operations()[operation]["requestBody"]["content"]
    return _sample(operation, next(iter(content.values()))["schema"], "", tenant)


def _sample(operation: str, schema: dict[str, Any], name: str, tenant: Tenant) -> Any:
    schema = resolved(schema)
    kind = examples.IDS_IN_BODIES.get(name)
    if kind in tenant.ids and schema.get("type", "string") == "string":
        return tenant.ids[kind]
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return _sample(operation, next(each for each in schema[choice] if each.get("type") != "null"), name, tenant)
    if "const" in schema or "enum" in schema:
        return schema.get("const", (schema.get("enum") or [None])[0])
    type_ = schema.get("type")
    if type_ == "object":
        wanted = {each for each in schema.get("properties", {}) if each in schema.get("required", ()) or each in examples.IDS_IN_BODIES}
        return {each: _sample(operation, schema["properties"][each], each, tenant) for each in sorted(wanted)}
    if type_ == "array":
        return [_sample(operation, schema.get("items", {}), name, tenant)] * max(1, schema.get("minItems", 1))
    if type_ in ("integer", "number"):
        return schema.get("minimum", 1)
    if type_ == "boolean":
        return True
    if "pattern" in schema or type_ != "string":
        raise Unknown(f"{operation}: no body is made for {name!r}: write one into BODIES of tests/isolation/examples.py")
    return "x" * max(1, schema.get("minLength", 1))


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Behind its references."""
    while "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def id_like_names() -> set[str]:
    """Every name in any request body that looks like that of an id."""
    found: set[str] = set()
    seen: set[str] = set()

    def collect(schema: Any) -> None:
        if isinstance(schema, list):
            for each in schema:
                collect(each)
        elif isinstance(schema, dict):
            reference = schema.get("$ref")
            if isinstance(reference, str) and reference not in seen:
                seen.add(reference)
                collect(resolved(schema))
            properties = schema.get("properties")
            found.update(each for each in properties if _LOOKS_LIKE_AN_ID.search(each)) if isinstance(properties, dict) else None
            for each in schema.values():
                collect(each)

    for spec in operations().values():
        collect(spec.get("requestBody"))
    return found


# -- answers --------------------------------------------------------------------------------------------------------------


def shape(value: Any) -> Any:
    """What an answer looks like without the values in it: names, types, lengths of lists."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return type(value).__name__


def seen(said: Said, *sent: str) -> Any:
    """All that a caller can tell two answers apart by, but for the ids that it sent itself."""
    body = said.body
    if isinstance(body, dict) and said.status >= 400:
        # A refusal is compared word for word.
        text = json.dumps({name: value for name, value in body.items() if name not in ("request_id", "instance")}, sort_keys=True)
        return said.status, _without(text, sent), sorted(said.headers)
    if body is None:
        return said.status, _without(said.text, sent), sorted(said.headers)
    return said.status, _without(json.dumps(shape(body)), sent), sorted(said.headers)


def _without(text: str, sent: tuple[str, ...]) -> str:
    for each in sorted(sent, key=len, reverse=True):
        text = text.replace(each, "<sent>")
    return text
