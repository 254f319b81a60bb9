"""Events of the gateway (HTTP API, payload 2.0) as the dispatcher gets them."""

from __future__ import annotations

import re
from typing import Any

from shared.http.routes import MEMBER, Route
from shared.tenants.principal import Principal, principal_to_context

KEY = Principal(kind="key", tenant="acme", id="acme-abcdefghijkl", scopes=frozenset())
MEMBER_ID = "mbr_01ARZ3NDEKTSV4RRFFQ69G5FAV"


def principal_for(route: Route) -> Principal:
    """A caller who may use the route."""
    if route.scope == MEMBER:
        return Principal(kind="member", tenant="acme", id=MEMBER_ID, scopes=frozenset({MEMBER}), member=MEMBER_ID)
    if route.scope == "operator":
        return Principal(kind="operator", tenant="operator", id="operator-root", scopes=frozenset({"operator"}))
    return Principal(kind="key", tenant="acme", id="acme-abcdefghijkl", scopes=frozenset({route.scope}))


def event_for(route: Route, caller: Principal | dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """An event of the route; ``caller`` is a principal, the authorizer's raw context, or nobody."""
    context = principal_to_context(caller) if isinstance(caller, Principal) else caller
    request: dict[str, Any] = {"requestId": "gateway-request-1", "http": {"method": route.method}}
    if context is not None:
        request["authorizer"] = {"lambda": context}
    names = re.findall(r"{(\w+)}", route.path)
    return {
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": re.sub(r"{\w+}", "x1", route.path),
        "headers": {"If-Match": '"1"'} if route.needs_if_match else {},
        "pathParameters": dict.fromkeys(names, "x1"),
        "requestContext": request,
        "isBase64Encoded": False,
        **changes,
    }
