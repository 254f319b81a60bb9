"""Short tokens for one purpose that travel in links, such as an invitation to a form: signed, with their expiry inside.

Not encrypted: a payload names ids, never a person. ``open_token`` is total: any text opens or is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any, Final

from shared.kernel.errors import Gone, InvalidValue, NotFound
from shared.kernel.instants import Instant

_TAG_BYTES: Final = 16
_EXPIRY_BYTES: Final = 6
_MAX_TEXT: Final = 2048


class UnknownLink(NotFound):
    """Not a link of ours, or not for this purpose."""

    code, title = "unknown_link", "Unknown link"


class ExpiredLink(Gone):
    """A link of ours whose time is over."""

    code, title = "expired_link", "Expired link"


def seal_token(key: bytes, purpose: str, payload: dict[str, Any], expires: Instant) -> str:
    """URL-safe text of about 30 characters plus 4/3 of the payload's JSON. HMAC-SHA256 cut to 128 bits."""
    if not 0 <= expires < 1 << (8 * _EXPIRY_BYTES):
        raise InvalidValue("an expiry is an instant in milliseconds")
    body = expires.to_bytes(_EXPIRY_BYTES, "big") + json.dumps(payload, separators=(",", ":"), sort_keys=True).encode()
    text = _base64url(_tag(key, purpose, body) + body)
    if len(text) > _MAX_TEXT:
        raise InvalidValue("too much for a link")
    return text


def open_token(key: bytes, purpose: str, text: str, now: Instant) -> dict[str, Any]:
    """The payload; ``UnknownLink`` for any text that this key did not seal for this purpose, ``ExpiredLink`` from its expiry on."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if len(text) <= _MAX_TEXT else b""
    except (ValueError, binascii.Error):
        raise UnknownLink from None
    tag, body = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
    # The decoder skips foreign characters and spare bits; only the one text that was made is taken.
    genuine = hmac.compare_digest(tag, _tag(key, purpose, body)) and _base64url(raw) == text
    if not genuine:
        raise UnknownLink
    if now >= int.from_bytes(body[:_EXPIRY_BYTES], "big"):
        raise ExpiredLink
    payload: dict[str, Any] = json.loads(body[_EXPIRY_BYTES:])
    return payload


def _tag(key: bytes, purpose: str, body: bytes) -> bytes:
    return hmac.new(key, purpose.encode() + b"\0" + body, hashlib.sha256).digest()[:_TAG_BYTES]


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
