"""Lists are read a page at a time with a signed cursor: opaque to clients, and useless in another tenant's hands."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from shared.kernel.errors import FieldError, Unprocessable

T = TypeVar("T")
S = TypeVar("S")
_TAG_BYTES: Final = 16
MAX_LIMIT: Final = 200


class InvalidCursor(Unprocessable):
    """A cursor that we did not make, or not for this list."""

    code, title = "invalid_cursor", "Invalid cursor"


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list, and where the rest starts (``None`` at the end)."""

    data: list[T] = field(default_factory=list)
    next_cursor: str | None = None

    def map(self, convert: Callable[[T], S]) -> Page[S]:
        """The same page with each entry converted."""
        return Page([convert(entry) for entry in self.data], self.next_cursor)


def seal_cursor(key: bytes, context: str, position: dict[str, Any]) -> str:
    """A cursor for ``position``; ``context`` names the tenant and the list it belongs to."""
    body = json.dumps(position, separators=(",", ":"), sort_keys=True).encode()
    tag = hmac.new(key, context.encode() + b"\0" + body, hashlib.sha256).digest()[:_TAG_BYTES]
    return base64.urlsafe_b64encode(tag + body).decode().rstrip("=")


def open_cursor(key: bytes, context: str, cursor: str) -> dict[str, Any]:
    """The position inside a cursor made by ``seal_cursor`` with the same key and context."""
    hint = FieldError("/cursor", "invalid_cursor", "use next_cursor as it came")
    wrong = InvalidCursor("The cursor is not one of this list.", errors=(hint,))
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (ValueError, binascii.Error):
        raise wrong from None
    if base64.urlsafe_b64encode(raw).decode().rstrip("=") != cursor:
        # The decoder skips foreign characters and spare bits; a cursor has one spelling.
        raise wrong
    tag, body = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
    if not hmac.compare_digest(tag, hmac.new(key, context.encode() + b"\0" + body, hashlib.sha256).digest()[:_TAG_BYTES]):
        raise wrong
    position: dict[str, Any] = json.loads(body)
    return position
