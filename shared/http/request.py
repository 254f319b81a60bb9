"""What a handler gets and what it gives: ``Request`` and ``Answer``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import unquote

from pydantic import BaseModel

from shared.http.body import body_bytes, parse_model
from shared.http.limiting import Gate
from shared.http.routes import MEMBER, Route
from shared.kernel.errors import FieldError, NotFound, PreconditionFailed, PreconditionRequired, Unprocessable
from shared.kernel.pages import MAX_LIMIT
from shared.storage import noting
from shared.tenants.principal import Principal

ModelT = TypeVar("ModelT", bound=BaseModel)
_CORRELATION: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")
_STRONG_TAG: Final = re.compile(r'"([\x21\x23-\x7e]{1,128})"')
_SF_STRING: Final = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_BARE_KEY: Final = re.compile(r"[!#$%&'*+.^_`|~:/=0-9A-Za-z-]+")
_MAX_KEY: Final = 128
_MAX_PATH_VALUE: Final = 1024
_DEFAULT_TIME_MS: Final = 30_000
"""The gateway's own limit, where nobody tells how much time is left."""


class LambdaContext(Protocol):
    """The part of Lambda's context that is used."""

    def get_remaining_time_in_millis(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. ``status`` is the route's own unless given; ``headers`` win over the dispatcher's.

    ``body``: a model (dumped without its nulls), a dict or list (as it is; models inside are dumped), JSON text that is
    already made (``str``: stored answers, the OpenAPI document), bytes of a type that ``headers`` say, or ``None``.
    """

    status: int | None = None
    body: BaseModel | dict[str, Any] | list[Any] | str | bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def etag(version: int | str) -> str:
    """A strong entity tag for a version: ``"7"``, quotes included (RFC 9110, section 8.8.3)."""
    return f'"{version}"'


def correlation_of(headers: Mapping[str, str], request_id: str) -> str:
    """The caller's x-correlation-id where it is a short safe token, else the gateway's request id."""
    offered = headers.get("x-correlation-id", "")
    return offered if _CORRELATION.fullmatch(offered) else request_id


def request_id_of(event: Mapping[str, Any]) -> str:
    """The gateway's id of the request, which is also in its access log."""
    return str((event.get("requestContext") or {}).get("requestId") or "")


def lower_headers(event: Mapping[str, Any]) -> dict[str, str]:
    """Headers by lower-case name."""
    return {name.lower(): value for name, value in (event.get("headers") or {}).items()}


class Request:
    """One call, authorized. Nothing in it is parsed before it is asked for."""

    __slots__ = (
        "_body", "_context", "_event", "_gate", "_principal", "correlation_id", "headers", "path", "query", "request_id", "route"
    )  # fmt: skip

    def __init__(
        self, route: Route, event: Mapping[str, Any], context: LambdaContext | None, principal: Principal | None, gate: Gate | None = None
    ) -> None:
        self.route = route
        self.headers = lower_headers(event)
        self.request_id = request_id_of(event)
        self.correlation_id = correlation_of(self.headers, self.request_id)
        self.path = _path_parameters(route, event)
        self.query = _query_parameters(route, event)
        self._event = event
        self._context = context
        self._principal = principal
        self._gate = gate
        self._body: bytes | None = None

    @property
    def operation(self) -> str:
        """The route's operation."""
        return self.route.operation

    @property
    def principal(self) -> Principal:
        """The verified caller. ``RuntimeError`` on a public route, where there is none: a mistake of the handler."""
        if self._principal is None:
            raise RuntimeError(f"{self.route.operation} is public: it has no principal")
        return self._principal

    @property
    def source_address(self) -> str:
        """The network address that the gateway saw; empty where it says none."""
        return str(((self._event.get("requestContext") or {}).get("http") or {}).get("sourceIp") or "")

    def admit_guest(self, tenant: str, *, by_address: bool) -> None:
        """Public routes, once the token says whose it is. ``RateLimited`` if that tenant's guests, or this address, call too often."""
        if self._gate is not None:
            self._gate.admit_guest(tenant, self.source_address if by_address else "")

    @property
    def tenant(self) -> str:
        """The caller's tenant."""
        return self.principal.tenant

    @property
    def member_id(self) -> str:
        """The member that the route is about: the caller on the guest's own routes, else the one in the path."""
        if self.route.scope == MEMBER and self.principal.member is not None:
            return self.principal.member
        return self.path["member_id"]

    @property
    def body(self) -> bytes:
        """The raw body, at most as long as the route takes; ``PayloadTooLarge`` above."""
        if self._body is None:
            self._body = body_bytes(self._event, self.route.max_body)
        return self._body

    def parse(self, model: type[ModelT]) -> ModelT:
        """The body as a model: 400 for what is not JSON, 422 with pointers for what does not fit."""
        parsed = parse_model(model, self.body)
        noting.sent(parsed.model_fields_set)
        return parsed

    @property
    def if_match(self) -> str | None:
        """The version that If-Match names, without quotes. 428 where the route needs one and there is none.

        A weak tag never matches (RFC 9110, section 13.1.1), so it is 412; lists and ``*`` are not taken: 422.
        """
        text = self.headers.get("if-match", "").strip()
        if not text:
            if self.route.needs_if_match:
                raise PreconditionRequired("Send If-Match with the ETag of the version that you read.")
            return None
        tag = _STRONG_TAG.fullmatch(text)
        if tag:
            return tag[1]
        if text.startswith("W/"):
            raise PreconditionFailed("If-Match takes a strong entity tag.")
        raise _invalid_header("If-Match", "one entity tag in double quotes, as ETag gave it")

    @property
    def idempotency_key(self) -> str | None:
        """The Idempotency-Key: an RFC 8941 string, or the bare token that many clients send; 1 to 128 characters."""
        text = self.headers.get("idempotency-key", "").strip()
        if not text:
            return None
        quoted = _SF_STRING.fullmatch(text)
        key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else text
        well_formed = quoted is not None or _BARE_KEY.fullmatch(text) is not None
        if not well_formed or not 1 <= len(key) <= _MAX_KEY:
            raise _invalid_header("Idempotency-Key", "a string of 1 to 128 characters in double quotes")
        return key

    def page_limit(self, default: int = 50) -> int:
        """The query value ``limit``, 1 to 200."""
        text = self.query.get("limit")
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_LIMIT):
            problem = FieldError("/limit", "invalid_value", f"a whole number from 1 to {MAX_LIMIT}")
            raise Unprocessable("The query does not fit; see errors.", errors=(problem,))
        return int(text)

    def flag(self, name: str) -> bool:
        """A query value that is ``true``, or ``false`` as where it is left out."""
        text = self.query.get(name, "false")
        if text not in ("true", "false"):
            raise Unprocessable("The query does not fit; see errors.", errors=(FieldError(f"/{name}", "invalid_value", "true or false"),))
        return text == "true"

    @property
    def cursor(self) -> str | None:
        """The query value ``cursor``, as it came."""
        return self.query.get("cursor") or None

    def time_left_ms(self) -> int:
        """Milliseconds until Lambda stops this call."""
        return _DEFAULT_TIME_MS if self._context is None else self._context.get_remaining_time_in_millis()


def _path_parameters(route: Route, event: Mapping[str, Any]) -> dict[str, str]:
    given = event.get("pathParameters") or {}
    found: dict[str, str] = {}
    for name in re.findall(r"{(\w+)}", route.path):
        try:
            value = unquote(given[name], errors="strict")
        except (KeyError, UnicodeDecodeError):
            raise NotFound from None
        if not 1 <= len(value) <= _MAX_PATH_VALUE:
            raise NotFound
        found[name] = value
    return found


def _query_parameters(route: Route, event: Mapping[str, Any]) -> dict[str, str]:
    given: Mapping[str, str] = event.get("queryStringParameters") or {}
    # Links of forms travel through mailers and networks that append parameters of their own.
    unknown = [] if route.public else [name for name in given if name not in route.query]
    if unknown:
        errors = tuple(FieldError("/" + name[:64], "unknown_field", "this route does not take it") for name in unknown[:20])
        raise Unprocessable("The query does not fit; see errors.", errors=errors)
    return {name: value for name, value in given.items() if name in route.query}


def _invalid_header(name: str, wanted: str) -> Unprocessable:
    return Unprocessable(f"{name} does not fit; see errors.", errors=(FieldError(f"/{name}", "invalid_value", wanted),))
