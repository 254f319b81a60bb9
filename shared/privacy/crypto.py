"""Encryption over key bytes: no clock, no client, and randomness passed in.

AES-256-GCM (NIST SP 800-38D) with 96-bit nonces, AES key wrap (RFC 3394), HKDF-SHA256 (RFC 5869), HMAC-SHA256
(RFC 2104). A key seals the few field groups of one member, so random nonces stay far from the bound of 2**32 per key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from shared.kernel.errors import InvalidValue

Entropy = Callable[[int], bytes]
"""Gives that many random bytes; ``os.urandom`` outside of tests."""
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_FORMAT: Final = b"\x01"
_INDEX_BYTES: Final = 16
_KEY_ID_BYTES: Final = 3


class Undecipherable(Exception):
    """Not sealed with this key for this place, or changed since. Carries nothing of the content."""


def new_key(entropy: Entropy) -> bytes:
    """A fresh 256-bit key."""
    return _checked_key(entropy(KEY_BYTES))


def wrap(kek: bytes, key: bytes) -> bytes:
    """``key`` under ``kek`` by AES-KW: 40 bytes for a 32-byte key, the same each time."""
    return aes_key_wrap(_checked_key(kek), _checked_key(key))


def unwrap(kek: bytes, wrapped: bytes) -> bytes:
    """The key inside; ``Undecipherable`` if it was not wrapped by ``kek``."""
    try:
        return _checked_key(aes_key_unwrap(_checked_key(kek), wrapped))
    except (InvalidUnwrap, InvalidValue):
        raise Undecipherable from None


def seal(key: bytes, plaintext: bytes, aad: bytes, nonce: bytes) -> bytes:
    """Format byte 0x01, nonce, then AES-256-GCM of the plaintext bound to ``aad``: 29 bytes more than went in.

    A nonce must never be used twice with one key.
    """
    if len(nonce) != NONCE_BYTES:
        raise InvalidValue(f"a nonce has {NONCE_BYTES} bytes")
    return _FORMAT + nonce + AESGCM(_checked_key(key)).encrypt(nonce, plaintext, _FORMAT + aad)


def open_sealed(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    """The plaintext of ``seal``; ``Undecipherable`` for another key, another ``aad`` or any changed bit."""
    well_formed = sealed[:1] == _FORMAT and len(sealed) >= 1 + NONCE_BYTES + _TAG_BYTES
    if not well_formed:
        raise Undecipherable
    nonce, ciphertext = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    try:
        return AESGCM(_checked_key(key)).decrypt(nonce, ciphertext, _FORMAT + aad)
    except InvalidTag:
        raise Undecipherable from None


def row_aad(tenant: str, member: str, field_group: str) -> bytes:
    """Binds a ciphertext to its place, so that it opens in no other row, member or tenant."""
    parts = (tenant, member, field_group)
    if any("|" in part for part in parts):
        raise InvalidValue("no part of a place may contain |")
    return "|".join(parts).encode()


def derive(secret: bytes, purpose: str, length: int = KEY_BYTES) -> bytes:
    """A key for one purpose from a secret with at least 128 bits of entropy (HKDF-SHA256, the purpose as ``info``)."""
    if len(secret) < 16:
        raise InvalidValue("a secret to derive from has at least 16 bytes")
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=purpose.encode()).derive(secret)


def key_id(key: bytes) -> str:
    """Four characters that tell which key made an index, and nothing else about it."""
    return _base64url(hmac.new(key, b"key-id", hashlib.sha256).digest()[:_KEY_ID_BYTES])


def blind_index(key: bytes, kind: str, normalised_value: str) -> str:
    """``<key id>.<22 characters>``: equal for equal values under one key, and of no use without it.

    HMAC-SHA256 over kind and value, cut to 128 bits. Costs two HMACs (about 5 microseconds).
    """
    if "\0" in kind:
        raise InvalidValue("a kind has no NUL")
    tag = hmac.new(_checked_key(key), f"index\0{kind}\0{normalised_value}".encode(), hashlib.sha256).digest()
    return f"{key_id(key)}.{_base64url(tag[:_INDEX_BYTES])}"


def _checked_key(key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise InvalidValue(f"a key has {KEY_BYTES} bytes")
    return key


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
