"""Short signed tokens of the links in messages: clicks, opens of e-mail, and unsubscribing. Pure.

``/l/<tenant>/<token>`` leads on, ``/o/<tenant>/<token>.gif`` is a picture, ``/u/<tenant>/<token>`` unsubscribes. A token says whose
it is in 29 bytes (39 characters): the member's ULID, 32 bits of a hash of the delivery's id, the link's number, and 64 bits of HMAC-SHA256
over these, the kind of link and the tenant. That many a guesser cannot meet over the network, and what he would gain is one counted
click. To unsubscribe the token says the channel and the purpose too, its HMAC has 128 bits, and there is no expiry: a guest may say no
with any message that she ever got.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from shared.kernel.errors import InvalidValue
from shared.kernel.ids import CROCKFORD, NAME_PATTERN, encode_ulid, is_id
from shared.tenants.links import UnknownLink
from shared.tenants.messaging import Channel

KEY_PURPOSE: Final = "message-links"
"""What the key is derived from the master secret for."""
Kind = Literal["click", "open"]
_TAG: Final = 8
_LONG_TAG: Final = 16
_MAX: Final = 200
_CODES: Final[dict[Channel, int]] = {"push": 1, "email": 2, "sms": 3, "inbox": 4, "webhook": 5}
"""In tokens that live for ever: a number is never used again."""
_CHANNELS: Final = {code: channel for channel, code in _CODES.items()}
_PURPOSE: Final = re.compile(NAME_PATTERN)


@dataclass(frozen=True, slots=True)
class Tracked:
    """What a click or an open is of. ``delivery``: 4 bytes, see ``is_of``."""

    member: str
    delivery: bytes
    link: int

    def is_of(self, delivery: str) -> bool:
        """Whether it is of the delivery with this id; of two deliveries of a member by mistake once in four billion."""
        return self.delivery == _short(delivery)

    def among(self, deliveries: Iterable[str]) -> str | None:
        """The id of its delivery among those of the member."""
        return next((each for each in deliveries if self.is_of(each)), None)


@dataclass(frozen=True, slots=True)
class Unsubscribing:
    """Who wants no more, over which channel, for which purpose."""

    member: str
    channel: Channel
    purpose: str
    delivery: bytes = b""
    """Of the message that the link was in: 4 bytes, see ``is_of``."""

    def is_of(self, delivery: str) -> bool:
        """Whether it was in the delivery with this id."""
        return self.delivery == _short(delivery)


def seal_link(key: bytes, kind: Kind, tenant: str, member: str, delivery: str, link: int = 0) -> str:
    """The token of a link; ``link`` 0 to 255. ``InvalidValue`` for what is no member's id."""
    if not 0 <= link <= 255:
        raise InvalidValue("a link's number is a byte")
    return _sealed(key, f"{kind}|{tenant}", _packed(member) + _short(delivery) + bytes([link]), _TAG)


def open_link(key: bytes, kind: Kind, tenant: str, token: str) -> Tracked:
    """What the token says; ``UnknownLink`` for any text that was not sealed for this kind and tenant."""
    body = _opened(key, f"{kind}|{tenant}", token, _TAG)
    if len(body) != 21:
        raise UnknownLink
    return Tracked(_unpacked(body[:16]), body[16:20], body[20])


def seal_unsubscribe(key: bytes, tenant: str, member: str, channel: Channel, purpose: str, delivery: str) -> str:
    """The token to unsubscribe; ``InvalidValue`` for what is no member's id or no purpose."""
    if not _PURPOSE.fullmatch(purpose):
        raise InvalidValue("a purpose is a name")
    body = _packed(member) + bytes([_CODES[channel]]) + _short(delivery) + purpose.encode()
    return _sealed(key, f"unsubscribe|{tenant}", body, _LONG_TAG)


def open_unsubscribe(key: bytes, tenant: str, token: str) -> Unsubscribing:
    """What the token says; ``UnknownLink`` for any text that was not sealed for this tenant."""
    body = _opened(key, f"unsubscribe|{tenant}", token, _LONG_TAG)
    if len(body) < 22 or body[16] not in _CHANNELS:
        raise UnknownLink
    return Unsubscribing(_unpacked(body[:16]), _CHANNELS[body[16]], body[21:].decode(), body[17:21])


def link_address(base: str, tenant: str, token: str) -> str:
    """Where a tracked link leads. ``base``: the stage's address, without a slash at its end."""
    return f"{base}/l/{tenant}/{token}"


def pixel_address(base: str, tenant: str, token: str) -> str:
    """Where the picture of an e-mail is."""
    return f"{base}/o/{tenant}/{token}.gif"


def unsubscribe_address(base: str, tenant: str, token: str) -> str:
    """Where one unsubscribes."""
    return f"{base}/u/{tenant}/{token}"


def _packed(member: str) -> bytes:
    if not is_id("mbr", member):
        raise InvalidValue("not a member's id")
    number = 0
    for character in member.removeprefix("mbr_"):
        number = number * 32 + CROCKFORD.index(character)
    return number.to_bytes(16, "big")


def _unpacked(raw: bytes) -> str:
    return f"mbr_{encode_ulid(int.from_bytes(raw[:6], 'big'), raw[6:])}"


def _short(delivery: str) -> bytes:
    return hashlib.sha256(delivery.encode()).digest()[:4]


def _sealed(key: bytes, purpose: str, body: bytes, length: int) -> str:
    return _base64url(body + _tag(key, purpose, body, length))


def _opened(key: bytes, purpose: str, token: str, length: int) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)) if len(token) <= _MAX else b""
    except (ValueError, binascii.Error):
        raise UnknownLink from None
    body, tag = raw[:-length], raw[-length:]
    # The decoder skips foreign characters and spare bits; only the one text that was made is taken.
    genuine = hmac.compare_digest(tag, _tag(key, purpose, body, length)) and _base64url(raw) == token
    if not genuine:
        raise UnknownLink
    return body


def _tag(key: bytes, purpose: str, body: bytes, length: int) -> bytes:
    return hmac.new(key, purpose.encode() + b"\0" + body, hashlib.sha256).digest()[:length]


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
