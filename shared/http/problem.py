"""Refusals as RFC 9457 problem details: the one place where an ``AppError`` becomes an HTTP answer.

The stable parts are ``code`` and ``type`` (``urn:regulars:problem:<code>``, an identifier and not an address);
``title`` and ``detail`` are for people and may change. See https://www.rfc-editor.org/rfc/rfc9457.
"""

from __future__ import annotations

import json
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.kernel.errors import AppError, TooManyRequests

PROBLEM_TYPE: Final = "application/problem+json"
_TYPE_PREFIX: Final = "urn:regulars:problem:"
_WITHOUT_CREDENTIAL: Final = "missing_credential"


class ProblemError(BaseModel):
    """One thing wrong with the request."""

    model_config = ConfigDict(defer_build=True)

    pointer: str = Field(description="JSON pointer (RFC 6901) into the body; for a header or query value its name")
    code: str
    detail: str


class Problem(BaseModel):
    """Problem details (RFC 9457). ``code`` is stable; ``title`` and ``detail`` are for people."""

    model_config = ConfigDict(defer_build=True)

    type: str = Field(description="urn:regulars:problem:<code>")
    title: str
    status: int
    detail: str
    code: str
    instance: str | None = None
    request_id: str | None = None
    errors: list[ProblemError] | None = None
    policy: Literal["tenant", "credential", "public", "address"] | None = Field(
        default=None, description="of a 429 `rate_limited`: the policy that is used up, by its name in RateLimit-Policy"
    )


def problem_body(error: AppError, *, instance: str | None = None, request_id: str | None = None) -> dict[str, Any]:
    """The members of the problem, without those that are empty."""
    body: dict[str, Any] = {
        "type": _TYPE_PREFIX + error.code,
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
    }
    if instance:
        body["instance"] = instance
    if request_id:
        body["request_id"] = request_id
    if isinstance(error, TooManyRequests) and error.policy:
        body["policy"] = error.policy
    if error.errors:
        body["errors"] = [{"pointer": field.pointer, "code": field.code, "detail": field.detail} for field in error.errors]
    return body


def problem_headers(error: AppError) -> dict[str, str]:
    """Content-Type, Retry-After in seconds where there is one, and the challenge of a 401 (RFC 6750, section 3)."""
    headers = {"content-type": PROBLEM_TYPE, "cache-control": "no-store"}
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    if error.status == 401:
        # RFC 6750: no error attribute where the request carried no credential at all.
        reason = "" if error.code == _WITHOUT_CREDENTIAL else ', error="invalid_token"'
        headers["www-authenticate"] = f'Bearer realm="regulars"{reason}'
    return headers


def problem_response(error: AppError, *, instance: str | None = None, request_id: str | None = None) -> dict[str, Any]:
    """The answer in the gateway's form (HTTP API, payload 2.0)."""
    return {
        "statusCode": error.status,
        "headers": problem_headers(error),
        "body": json.dumps(problem_body(error, instance=instance, request_id=request_id), ensure_ascii=False, separators=(",", ":")),
        "isBase64Encoded": False,
    }
