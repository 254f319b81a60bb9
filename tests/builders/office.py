"""The functions tenancy, administration, coupon_redemption and media over tables of a test: calls as the gateway makes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from functions.administration import handler as administration
from functions.coupon_redemption import handler as redemption
from functions.media import handler as media
from functions.tenancy import handler as tenancy
from shared.http.routes import ROUTES, SCOPES, Route
from shared.storage.noting import set_clock
from shared.tenants.principal import Principal, principal_to_context
from tests.builders.house import House

MASTER = b"a master secret of the tests"
ALL = frozenset(SCOPES) - {"me", "operator"}
BY_OPERATION: dict[str, Route] = {route.operation: route for route in ROUTES}
_HANDLERS: dict[str, ModuleType] = {
    "tenancy": tenancy, "administration": administration, "coupon_redemption": redemption, "media": media,
}  # fmt: skip


@dataclass
class Said:
    """An answer."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def errors(self) -> list[tuple[str, str]]:
        """Pointer and code of each thing wrong."""
        return [(each["pointer"], each["code"]) for each in self.body.get("errors", [])]


class Objects:
    """S3 as far as images use it."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.before_each: Callable[[], None] = lambda: None

    def put_object(self, **request: Any) -> None:
        self.before_each()
        self.kept[request["Key"]] = request

    def delete_object(self, **request: Any) -> None:
        self.before_each()
        self.kept.pop(request["Key"], None)


class Office:
    """Calls of a marketer, a till, or the operator. ``house.cache`` lives as long as a test, as in one environment."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch, cache_seconds: float = 60.0) -> None:
        self.house = house
        self.objects = Objects()
        home = SimpleNamespace(
            scope=lambda principal: self._scope(principal.tenant),
            begin=lambda _context: set_clock(lambda: house.now),
            table=house.table,
            client=lambda _service: self.objects,
            master_secret=MASTER,
            now=lambda: house.now,
            new_wrapped_key=lambda tenant: tenant.encode().ljust(32, b"."),
            settings=SimpleNamespace(definition_seconds=cache_seconds),
        )
        for handler in _HANDLERS.values():
            monkeypatch.setattr(handler, "runtime", lambda: home)
        monkeypatch.setattr(media, "settings", lambda: SimpleNamespace(bucket="media"))

    def _scope(self, tenant: str) -> Any:
        scope = self.house.scope()
        scope.tenant = tenant
        return scope

    def call(
        self,
        operation: str,
        body: Any = None,
        *,
        scopes: frozenset[str] = ALL,
        if_match: str | None = None,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        tenant: str | None = None,
        who: str = "demo-aaaaaaaaaaaa",
        location: str | None = None,
        **path: str,
    ) -> Said:
        """Call an operation with a key that holds ``scopes``; ``body`` may be text that is not JSON."""
        route = BY_OPERATION[operation]
        caller = Principal(kind="key", tenant=tenant or self.house.tenant, id=who, scopes=scopes, location=location)
        if route.scope == "operator" and scopes is ALL:
            caller = Principal(kind="operator", tenant="operator", id="operator-root", scopes=frozenset({"operator"}))
        event = {
            "version": "2.0",
            "routeKey": route.key,
            "rawPath": route.path,
            "headers": (headers or {}) | ({"if-match": f'"{if_match}"'} if if_match is not None else {}),
            "pathParameters": path,
            "queryStringParameters": query or {},
            "requestContext": {"requestId": "request-of-a-test", "authorizer": {"lambda": principal_to_context(caller)}},
            "body": body if isinstance(body, str) or body is None else json.dumps(body),
            "isBase64Encoded": False,
        }
        answer = _HANDLERS[route.function].lambda_handler(event)
        text = answer.get("body")
        return Said(answer["statusCode"], json.loads(text) if text else None, answer["headers"])

    def rows(self) -> list[dict[str, Any]]:
        """Every stored item, but for who asked for what (docs/audit.md), which is tested for every route in tests/isolation."""
        return [each for each in self.everything() if "#AUDIT#" not in each["PK"]["S"]]

    def everything(self) -> list[dict[str, Any]]:
        """Every stored item."""
        items: list[dict[str, Any]] = self.house.table._client.scan(TableName=self.house.table.name, ConsistentRead=True)["Items"]
        return items
