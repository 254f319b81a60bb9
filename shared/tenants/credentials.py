"""API keys: ``lyk_<tenant>-<12 characters>_<secret>``.

The key id starts with its tenant, so that the record is found by one read inside the tenant's own part of the table.
Only the keyed hash of the secret is stored: a fast hash is right for a secret of 190 random bits.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from shared.kernel.errors import InvalidValue
from shared.kernel.ids import check_tenant

OPERATOR_TENANT: Final = "operator"
"""The tenant part of the operator's own key. No tenant may take this id."""
OPERATOR_KEY_ID: Final = f"{OPERATOR_TENANT}-root"
_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_LENGTH: Final = 32
_ID_LENGTH: Final = 12
_KEY: Final = re.compile(
    r"lyk_(?P<key_id>(?P<tenant>[a-z0-9]{4,26}(?:-test(?:[2-9]|[1-9][0-9])?)?)-[a-z2-7]{12})_(?P<secret>[0-9A-Za-z]{32})"
)
_OPERATOR_KEY: Final = re.compile(rf"lyk_{OPERATOR_KEY_ID}_(?P<secret>[!-~]{{16,256}})")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at its making: the only time that its secret is known."""

    key_id: str
    secret: str = field(repr=False)
    printable: str = field(repr=False)


class ParsedKey(NamedTuple):
    """The parts of a printed key. Nothing about it has been proven yet."""

    tenant: str
    key_id: str
    secret: str

    def __repr__(self) -> str:
        return f"ParsedKey(tenant={self.tenant!r}, key_id={self.key_id!r})"


def is_reserved(tenant: str) -> bool:
    """Whether a tenant may not be created by that id."""
    return tenant == OPERATOR_TENANT


def new_api_key(tenant: str, entropy: Callable[[int], bytes]) -> NewKey:
    """A fresh key for the tenant; ``entropy`` as good as ``secrets.token_bytes``."""
    check_tenant(tenant)
    if is_reserved(tenant):
        raise InvalidValue(f"{tenant} is reserved")
    local_id = base64.b32encode(entropy(10)).decode().lower()[:_ID_LENGTH]
    return new_secret(f"{tenant}-{local_id}", entropy)


def new_secret(key_id: str, entropy: Callable[[int], bytes]) -> NewKey:
    """A fresh secret of a key that is there."""
    # 256 bits reduced to 190: the bias of the remainder is below 2**-65.
    number = int.from_bytes(entropy(32), "big")
    characters = []
    for _ in range(_SECRET_LENGTH):
        number, digit = divmod(number, len(_BASE62))
        characters.append(_BASE62[digit])
    secret = "".join(characters)
    return NewKey(key_id, secret, f"lyk_{key_id}_{secret}")


def operator_key(secret: str) -> str:
    """The operator's key as it is sent, for a secret of 16 to 256 printable characters without spaces."""
    printable = f"lyk_{OPERATOR_KEY_ID}_{secret}"
    if not _OPERATOR_KEY.fullmatch(printable):
        raise InvalidValue("an operator's secret has 16 to 256 printable characters")
    return printable


def parse_api_key(text: str) -> ParsedKey | None:
    """The parts of a printed key, or ``None`` for any other text."""
    operator = _OPERATOR_KEY.fullmatch(text)
    if operator:
        return ParsedKey(OPERATOR_TENANT, OPERATOR_KEY_ID, operator["secret"])
    key = _KEY.fullmatch(text)
    if not key or is_reserved(key["tenant"]):
        return None
    return ParsedKey(key["tenant"], key["key_id"], key["secret"])


def digest(pepper: bytes, secret: str) -> str:
    """What is stored of a secret: HMAC-SHA256 under the pepper, in hexadecimal. 64 characters."""
    return hmac.new(pepper, secret.encode(), hashlib.sha256).hexdigest()


def matches(pepper: bytes, secret: str, stored: str) -> bool:
    """Whether ``stored`` is the digest of the secret, in constant time."""
    return hmac.compare_digest(digest(pepper, secret).encode(), stored.encode())


def matches_operator(operator_secret: str, secret: str) -> bool:
    """Whether the secret is the operator's, in constant time. An operator's secret that is too short matches nothing."""
    configured = len(operator_secret) >= 16
    return hmac.compare_digest(operator_secret.encode(), secret.encode()) and configured
