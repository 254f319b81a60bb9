"""Apple in tests: what it tells of accounts, and a key as it gives its clients."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared.kernel.instants import SECOND, Instant
from tests.builders.front import AUDIENCE, issuer_key

SUBJECT = "000544.anna.1321"
RELAY = "k7x2@privaterelay.appleid.com"


def notice(kind: str, now: Instant, subject: str = SUBJECT, id_: str = "n1", *, key: Any = None, **claims: Any) -> str:
    """A notice as Apple signs it; ``claims`` replace what it states."""
    event = {"type": kind, "sub": subject, "event_time": now, "email": RELAY, "is_private_email": "true"}
    seconds = now // SECOND
    stated = {
        "iss": "https://appleid.apple.com", "aud": AUDIENCE, "iat": seconds, "exp": seconds + 86_400, "jti": id_,
        "events": json.dumps(event), **claims,
    }  # fmt: skip
    return jwt.encode(stated, key or issuer_key(), algorithm="ES256", headers={"kid": "k1"})


@cache
def client_key() -> ec.EllipticCurvePrivateKey:
    """A tenant's key as a client of Apple's."""
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: Any = None) -> str:
    """A key as a .p8 file has it."""
    how = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    text: bytes = (key or client_key()).private_bytes(*how)
    return text.decode()


def public_keys() -> dict[str, Any]:
    """Those that identity tokens and notices of tests are signed with."""
    return {"keys": [{**jwt.algorithms.ECAlgorithm.to_jwk(issuer_key().public_key(), as_dict=True), "kid": "k1"}]}
