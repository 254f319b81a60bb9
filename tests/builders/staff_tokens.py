"""A user pool's signing key of a test, and the tokens that it makes."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from shared.kernel.instants import Instant
from shared.tenants.jwks import JwksSource
from shared.tenants.staff_tokens import StaffPool, StaffTokens, staff_pool

KID = "pool-key-1"
CLIENT = "client0123456789"
POOL = staff_pool("eu-central-1", "eu-central-1_Abc", CLIENT)


@cache
def signing_key(name: str = KID) -> rsa.RSAPrivateKey:
    """A key of the pool's, or of any other that is named."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwks() -> bytes:
    """The pool's public keys."""
    public = jwt.algorithms.RSAAlgorithm.to_jwk(signing_key().public_key(), as_dict=True)
    return json.dumps({"keys": [{**public, "kid": KID, "alg": "RS256", "use": "sig"}]}).encode()


@cache
def verifier(now: Instant, pool: StaffPool = POOL) -> StaffTokens:
    """Verifies what the pool signs."""
    return StaffTokens(pool, JwksSource(lambda _url: jwks(), lambda: now))


def claims_of(name: str, now: Instant, *groups: str, **other: Any) -> dict[str, Any]:
    """What Cognito puts into an access token; ``other`` replaces."""
    issued = now // 1000
    return {
        "sub": "9f2c1e7e-0000-4000-8000-000000000000", "iss": POOL.issuer, "client_id": CLIENT, "token_use": "access",
        "scope": "aws.cognito.signin.user.admin", "auth_time": issued, "iat": issued, "exp": issued + 900, "jti": "1",
        "username": name, "cognito:groups": list(groups), **other,
    }  # fmt: skip


def token_of(claims: dict[str, Any], key: Any = None, kid: str = KID, algorithm: str = "RS256") -> str:
    """Signed by the pool's key, or by another."""
    return jwt.encode(claims, key if key is not None else signing_key(), algorithm=algorithm, headers={"kid": kid})
