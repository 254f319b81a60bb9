"""Ids: a prefix that says what it is, and a ULID (https://github.com/ulid/spec), so that ids sort by time.

The functions here are pure; ``UlidSource`` is the one thing with state, and takes its clock and randomness.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import zlib
from collections.abc import Callable
from typing import Final

from shared.kernel.errors import InvalidValue

CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS: Final = tuple(a + b for a in CROCKFORD for b in CROCKFORD)
TENANT_PATTERN: Final = r"^[a-z0-9]{4,26}(-test([2-9]|[1-9][0-9])?)?$"
"""A tenant, or with ``-test`` its test environment (``shared.kernel.modes``)."""
NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9_-]{0,47}$"
"""Ids that people choose for definitions, locations and programmes."""
_TENANT: Final = re.compile(TENANT_PATTERN)
_ULID: Final = re.compile(r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")


def encode_ulid(millis: int, randomness: bytes) -> str:
    """26 characters of Crockford base32: 48 bits of time in milliseconds, then 80 bits of randomness."""
    if len(randomness) != 10:
        raise InvalidValue("a ULID takes 10 bytes of randomness")
    if not 0 <= millis < 1 << 48:
        raise InvalidValue("a ULID takes 48 bits of milliseconds")
    number = (millis << 80) | int.from_bytes(randomness, "big")
    return "".join(_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10))


def ulid_millis(ulid: str) -> int:
    """The instant inside a ULID, in milliseconds."""
    if not _ULID.fullmatch(ulid):
        raise InvalidValue("not a ULID")
    number = 0
    for character in ulid[:10]:
        number = number * 32 + CROCKFORD.index(character)
    return number


def ulid_bytes(ulid: str) -> bytes:
    """The 16 bytes of a ULID, which sort as it does; ``ulid_of_bytes`` is the way back."""
    if not _ULID.fullmatch(ulid):
        raise InvalidValue("not a ULID")
    number = 0
    for character in ulid:
        number = number * 32 + CROCKFORD.index(character)
    return number.to_bytes(16, "big")


def ulid_of_bytes(raw: bytes) -> str:
    """The text of 16 bytes."""
    return encode_ulid(int.from_bytes(raw[:6], "big"), raw[6:])


def new_ulid(millis: int, entropy: Callable[[int], bytes] = os.urandom) -> str:
    """A fresh ULID for that instant."""
    return encode_ulid(millis, entropy(10))


def new_id(prefix: str, millis: int, entropy: Callable[[int], bytes] = os.urandom) -> str:
    """``mbr_01J...``: the prefix says what it is."""
    return f"{prefix}_{new_ulid(millis, entropy)}"


def derived_id(prefix: str, millis: int, *parts: str) -> str:
    """An id of the same form as ``new_id``, but the same one whenever it is made from the same instant and parts.

    Behind the 48 bits of time are the first 80 bits of SHA-256 over the parts, so the parts must be unique to what is named.
    """
    # Each part with its length: ("a", "bc") and ("ab", "c") are different things.
    framed = "".join(f"{len(part)}:{part}" for part in parts)
    return f"{prefix}_{encode_ulid(millis, hashlib.sha256(framed.encode()).digest()[:10])}"


def is_id(prefix: str, text: str) -> bool:
    """Whether the text is an id with that prefix."""
    head, _, tail = text.partition("_")
    return head == prefix and _ULID.fullmatch(tail) is not None


def check_tenant(text: str) -> str:
    """The text if it is a tenant id. The alphabet has no ``#``, so no tenant's key prefix starts another's."""
    if not _TENANT.fullmatch(text):
        raise InvalidValue("a tenant id is 4 to 26 characters a-z 0-9")
    return text


def natural_id(prefix: str, parts: tuple[str, ...]) -> str:
    """An id that is its natural key, readable back: ``txn_`` + base64url of the parts joined by ``|``.

    ``%`` and ``|`` inside a part are escaped, so that two different tuples never make the same id.
    """
    joined = "|".join(part.replace("%", "%25").replace("|", "%7C") for part in parts)
    return f"{prefix}_{base64.urlsafe_b64encode(joined.encode()).decode().rstrip('=')}"


def natural_parts(prefix: str, text: str) -> tuple[str, ...]:
    """The parts of an id made by ``natural_id``."""
    head, _, tail = text.partition("_")
    if head != prefix or not tail:
        raise InvalidValue(f"not a {prefix}_ id")
    try:
        joined = base64.urlsafe_b64decode(tail + "=" * (-len(tail) % 4)).decode()
    except ValueError as error:
        raise InvalidValue(f"not a {prefix}_ id") from error
    if base64.urlsafe_b64encode(joined.encode()).decode().rstrip("=") != tail:
        # The decoder skips foreign characters; an id has one spelling.
        raise InvalidValue(f"not a {prefix}_ id")
    return tuple(part.replace("%7C", "|").replace("%25", "%") for part in joined.split("|"))


def shard_of(text: str, shards: int) -> int:
    """The shard of an id by crc32, the same in every process (``hash()`` is not)."""
    return zlib.crc32(text.encode()) % shards
