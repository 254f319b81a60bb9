"""The dispatcher of every function behind the gateway (HTTP API, payload 2.0).

``app = HttpApp("registration")``, handlers by ``@app.operation("register_member")``, and ``lambda_handler = app.handle``.
Each call: route, credential, scope, handler, answer; then one log line and one line of metrics. A handler is never
reached without a principal unless the route table calls its route public.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import to_json

from shared.http import auditing
from shared.http.limiting import CountsCalls, Gate
from shared.http.problem import problem_response
from shared.http.request import Answer, LambdaContext, Request, correlation_of, etag, lower_headers, request_id_of
from shared.http.routes import ROUTES, FunctionName, Route
from shared.kernel.errors import AppError, NotFound
from shared.kernel.ids import is_id
from shared.kernel.modes import mode_of
from shared.limits.leases import RateLimited
from shared.member_state.errors import ErasedMember
from shared.observability.logs import log_context, logger
from shared.observability.measures import count_late, record_request
from shared.tenants.principal import Principal, principal_of, require

__all__ = ["Answer", "HttpApp", "LambdaContext", "NoSuchRoute", "Request", "etag"]

Handler = Callable[[Request], Answer]
Response = dict[str, Any]
_DEFAULT_HEADERS: Final = {"cache-control": "no-store"}
_UNROUTED: Final = "no_such_route"


class NoSuchRoute(NotFound):
    """A method and path that the function does not answer."""

    code, title = "no_such_route", "No such route"


@dataclass(slots=True)
class _Call:
    """What is known of a call by the time it is logged."""

    request_id: str
    correlation_id: str
    route: Route | None
    instance: str | None
    principal: Principal | None = None
    error_code: str | None = None
    failure: Exception | None = None
    limits: dict[str, str] = field(default_factory=dict)
    """RateLimit headers, whatever the answer is."""


class HttpApp:
    """The operations of one function. ``routes`` is the whole table; only the function's own part is served."""

    def __init__(self, function: FunctionName, routes: Iterable[Route] = ROUTES) -> None:
        self.function = function
        self._routes = {route.key: route for route in routes if route.function == function}
        self._operations = frozenset(route.operation for route in self._routes.values())
        self._handlers: dict[str, Handler] = {}
        self._later: dict[str, Callable[[], None]] = {}
        self._loading = Lock()
        self._gate: Gate | None = None

    def limit(self, runtime: Callable[[], CountsCalls]) -> None:
        """From now on calls are limited by their tenant's plan (docs/limits.md), counted with what ``runtime`` gives."""
        self._gate = Gate(runtime)

    def operation(self, *names: str) -> Callable[[Handler], Handler]:
        """Register a handler for one or more operations of this function. ``ValueError`` for any other, or a second time."""

        for name in names:
            if name not in self._operations:
                raise ValueError(f"{name} is no operation of {self.function}")
            if name in self._handlers:
                raise ValueError(f"{name} has a handler already")

        def register(handler: Handler) -> Handler:
            self._handlers.update(dict.fromkeys(names, handler))
            return handler

        return register

    def later(self, load: Callable[[], None], *names: str) -> None:
        """Register the handlers of these operations with the first call of one: ``load`` imports and registers them.

        For what is rarely called beside what a till waits for, so that a cold start does not import it.
        """
        self._later.update(dict.fromkeys(names, load))

    def check_complete(self) -> None:
        """``LookupError`` with the names of operations that have no handler; loads what is registered later."""
        for name in self._later:
            self._handler(name)
        missing = sorted(self._operations - self._handlers.keys())
        if missing:
            raise LookupError(f"{self.function} has no handler for: {', '.join(missing)}")

    def _handler(self, operation: str) -> Handler:
        if operation not in self._handlers:
            with self._loading:
                if operation not in self._handlers:
                    self._later[operation]()
        return self._handlers[operation]

    def handle(self, event: Mapping[str, Any], context: LambdaContext | None = None) -> Response:
        """Answer one event of the gateway. Never raises for what a caller sent or a handler did."""
        started = time.perf_counter()
        route = self._routes.get(event.get("routeKey", ""))
        request_id = request_id_of(event)
        call = _Call(
            request_id=request_id,
            correlation_id=correlation_of(lower_headers(event), request_id),
            route=route,
            instance=event.get("rawPath") if route else None,
        )
        try:
            response = self._answer(call, event, context)
        except AppError as refusal:
            if refusal.status >= 500:
                call.failure = refusal
            response = _refused(call, refusal)
        except Exception as failure:  # the outermost frame: logged below with the correlation id, answered without details
            call.failure = failure
            response = _refused(call, AppError())
        response["headers"] |= {"x-correlation-id": call.correlation_id, **call.limits, **_mode(call.principal)}
        _record(call, response["statusCode"], event, 1000 * (time.perf_counter() - started))
        return response

    __call__ = handle

    def _answer(self, call: _Call, event: Mapping[str, Any], context: LambdaContext | None) -> Response:
        route = call.route
        if route is None:
            raise NoSuchRoute
        if not route.public:
            call.principal = principal_of(event)
            if self._gate is not None:
                call.limits = self._gate.admit(call.principal, route)
            require(call.principal, route.scope)
        request = Request(route, event, context, call.principal, self._gate)
        if route.needs_if_match:
            # Asked for here, so that a handler that forgets cannot overwrite blindly.
            _ = request.if_match
        handler = self._handler(route.operation)
        tenant = call.principal.tenant if call.principal else None
        with log_context(tenant=tenant, operation=route.operation, correlation_id=call.correlation_id):
            return _response(auditing.answer(request, handler), route)


def _response(answer: Answer, route: Route) -> Response:
    headers = dict(_DEFAULT_HEADERS)
    response: Response = {"statusCode": answer.status or route.status, "headers": headers, "isBase64Encoded": False}
    if isinstance(answer.body, bytes):
        response |= {"body": base64.b64encode(answer.body).decode(), "isBase64Encoded": True}
    elif answer.body is not None:
        headers["content-type"] = "application/json"
        response["body"] = answer.body if isinstance(answer.body, str) else _dump(answer.body)
    headers.update({name.lower(): value for name, value in answer.headers.items()})
    return response


def _dump(body: BaseModel | dict[str, Any] | list[Any]) -> str:
    return to_json(body, by_alias=True, exclude_none=True).decode()


def _refused(call: _Call, error: AppError) -> Response:
    call.error_code = error.code
    if isinstance(error, RateLimited):
        call.limits = dict(error.headers)
    return problem_response(error, instance=call.instance, request_id=call.request_id)


def _mode(caller: Principal | None) -> dict[str, str]:
    """Whether the caller works with test data, which its tenant's id says; the operator works with neither."""
    return {"regulars-mode": mode_of(caller.tenant)} if caller is not None and caller.kind != "operator" else {}


def _record(call: _Call, status: int, event: Mapping[str, Any], duration_ms: float) -> None:
    """The call's one log line and its metrics: ids and outcomes, never a body, a query value or a path."""
    operation = call.route.operation if call.route else _UNROUTED
    keys: dict[str, Any] = {
        "tenant": call.principal.tenant if call.principal else None,
        "member": _member(call, event),
        "operation": operation,
        "status": status,
        "error_code": call.error_code,
        "correlation_id": call.correlation_id,
        "duration_ms": round(duration_ms, 1),
    }
    known = {key: value for key, value in keys.items() if value is not None}
    if call.failure:
        logger().error("request", extra=known, exc_info=call.failure)
    else:
        logger().info("request", extra=known)
    if call.error_code == ErasedMember.code:
        count_late(operation)
    record_request(operation, status, duration_ms, {key: known[key] for key in ("tenant", "correlation_id") if key in known})


def _member(call: _Call, event: Mapping[str, Any]) -> str | None:
    if call.principal and call.principal.member:
        return call.principal.member
    named = (event.get("pathParameters") or {}).get("member_id", "")
    return named if is_id("mbr", named) else None
