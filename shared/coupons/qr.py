"""What a coupon's QR code says: signed, good for some minutes, and checked by a till with the public keys and no network. Pure.

A JWS in compact form (RFC 7515) over a short text instead of JSON claims, so that it stays below 310 characters: a QR symbol of version
11 (error correction L) or 13 (M). ``q1|<c or m>|<tenant>|<id>|<value>|<expires, seconds>``. It is no access token: those carry JSON, and
either is refused as the other. That it was used before, only the server knows; a till without network must remember what it has taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import jwt
from jwt.api_jws import PyJWS

from shared.kernel.errors import InvalidValue, Unauthenticated
from shared.kernel.ids import check_tenant
from shared.kernel.instants import MINUTE, SECOND, Instant
from shared.tenants.jwks import JwkSet

Kind = Literal["coupon", "member"]
LIFETIME: Final = 5 * MINUTE
SKEW: Final = 10 * MINUTE
"""By how much a till's clock may be wrong: so much later than its end a code is still taken, and no later."""
MAX_TEXT: Final = 310
MAX_ID: Final = 32
MAX_VALUE: Final = 13
_MARK: Final = "q1"
_LETTERS: Final[dict[Kind, str]] = {"coupon": "c", "member": "m"}
_KINDS: Final[dict[str, Kind]] = {letter: kind for kind, letter in _LETTERS.items()}
_ALGORITHM: Final = "ES256"


class InvalidQr(Unauthenticated):
    """Not a code of ours, or not of this tenant."""

    code, title = "invalid_qr", "Invalid QR code"


class ExpiredQr(Unauthenticated):
    """A code of ours whose time is over."""

    code, title = "expired_qr", "Expired QR code"


@dataclass(frozen=True, slots=True)
class QrContent:
    """What it says. ``value`` is for the cashier's eyes: ``percent 10``, ``amount 500``."""

    kind: Kind
    tenant: str
    id: str
    value: str
    expires_at: Instant

    def text(self) -> str:
        """What is signed; ``InvalidValue`` for parts that do not fit."""
        fit = "|" not in self.id + self.value and len(self.id) <= MAX_ID and len(self.value) <= MAX_VALUE and self.id.isascii()
        if not fit or not self.value.isascii():
            raise InvalidValue("a QR code takes an id of 32 and a value of 13 ASCII characters, without |")
        return "|".join([_MARK, _LETTERS[self.kind], check_tenant(self.tenant), self.id, self.value, str(self.expires_at // SECOND)])


def verify(text: str, keys: JwkSet, tenant: str, now: Instant) -> QrContent:
    """What the code says, if we signed it for this tenant and it is still good. ``InvalidQr`` or ``ExpiredQr`` for any other text.

    ``keys`` are those of ``/.well-known/jwks.json``: while the secret is being changed, the keys of both.
    """
    if len(text) > MAX_TEXT:
        raise InvalidQr
    try:
        key = keys.keys[jwt.get_unverified_header(text)["kid"]]
        payload: bytes = PyJWS().decode(text, key.public_key, algorithms=[_ALGORITHM])
        mark, letter, of_tenant, id_, value, seconds = payload.decode("ascii").split("|")
        expires_at = int(seconds) * SECOND
    except (jwt.PyJWTError, KeyError, TypeError, ValueError):
        raise InvalidQr from None
    if mark != _MARK or letter not in _KINDS or of_tenant != tenant:
        raise InvalidQr
    if now >= expires_at + SKEW:
        raise ExpiredQr
    return QrContent(_KINDS[letter], of_tenant, id_, value, expires_at)
