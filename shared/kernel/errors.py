"""The root of every refusal that a caller may see.

A domain names its own refusals as subclasses beside its use cases (``errors.py``). ``shared.http.problem``
turns any of them into an RFC 9457 body in one place; nothing else knows about HTTP bodies.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with a request: where (JSON pointer), what (stable code), and a sentence for a person."""

    pointer: str
    code: str
    detail: str


class AppError(Exception):
    """A refusal with a stable ``code``. ``status`` is the HTTP status that the code always answers with."""

    code: str = "internal_error"
    status: int = 500
    title: str = "Internal error"
    retry_after: int | None = None

    def __init__(self, detail: str = "", *, errors: tuple[FieldError, ...] = (), retry_after: int | None = None) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = errors
        if retry_after is not None:
            self.retry_after = retry_after


class MalformedRequest(AppError):
    """The body is not JSON, or not the shape that the route takes."""

    code, status, title = "malformed_request", 400, "Malformed request"


class Unauthenticated(AppError):
    """No credential, or one that does not verify. ``code`` names which."""

    code, status, title = "unauthenticated", 401, "Authentication required"


class Forbidden(AppError):
    """A valid credential without the right for this route."""

    code, status, title = "insufficient_scope", 403, "Insufficient scope"


class NotFound(AppError):
    """No such thing in this tenant. The same answer is given for another tenant's ids."""

    code, status, title = "not_found", 404, "Not found"


class StateConflict(AppError):
    """The thing exists, but is in a state that does not allow the action."""

    code, status, title = "state_conflict", 409, "State conflict"


class KeyRequired(AppError):
    """Repeating this call must not do it twice: it needs a key of its own."""

    code, status, title = "idempotency_key_required", 422, "Idempotency key required"


class ConcurrentUpdate(AppError):
    """Somebody else changed the same thing at the same time, more often than we retry. Safe to repeat."""

    code, status, title, retry_after = "concurrent_update", 409, "Concurrent update", 1


class Gone(AppError):
    """It was here and was erased."""

    code, status, title = "erased", 410, "Erased"


class PreconditionFailed(AppError):
    """If-Match names another version than the stored one."""

    code, status, title = "version_mismatch", 412, "Version mismatch"


class PreconditionRequired(AppError):
    """A definition is only replaced with If-Match."""

    code, status, title = "if_match_required", 428, "If-Match required"


class Unprocessable(AppError):
    """Well-formed, but it means something that cannot be done. ``errors`` points at the fields."""

    code, status, title = "invalid_request", 422, "Invalid request"


class TooManyRequests(AppError):
    """Slow down; ``retry_after`` is in seconds, and ``policy`` the rate that is used up, where it is one."""

    code, status, title, retry_after = "rate_limited", 429, "Too many requests", 1
    policy: str | None = None


class Unavailable(AppError):
    """A service behind us did not answer in time. Nothing is known to have been stored; repeat the call."""

    code, status, title, retry_after = "temporarily_unavailable", 503, "Temporarily unavailable", 1


class InvalidValue(ValueError):
    """A value that breaks a rule of the kernel (an id, an instant, an amount). Pydantic reports it with a pointer."""
