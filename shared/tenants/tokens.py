"""Members' access tokens: ES256 JWTs (RFC 7519, RFC 7518 section 3.4) signed with a key derived from the master secret.

Deriving the key means that nothing but one secret is stored, and that every process signs with the same key. A generation number is
part of the derivation: a new one is a new key of the same master (``shared.tenants.signing`` keeps it). The key before still verifies,
and the JWKS shows both; so it is with a previous master.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.api_jws import PyJWS

from shared.kernel.errors import InvalidValue, Unauthenticated
from shared.kernel.ids import check_tenant
from shared.kernel.instants import MINUTE, SECOND, Instant
from shared.privacy.crypto import derive

ISSUER: Final = "regulars"
LIFETIME: Final = 15 * MINUTE
_AUDIENCE_PREFIX: Final = "regulars:"
_ALGORITHM: Final = "ES256"
_CLOCK_SKEW: Final = 60
"""Seconds by which another machine's clock may run ahead of ours."""
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order n of P-256 (NIST SP 800-186, section 3.2.1.3)."""
_UNTIMED: Final[Any] = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False, "verify_iss": False}
"""PyJWT reads the wall clock; instants are compared here, with the one that was passed in."""
_MAX_TOKEN: Final = 4096


class InvalidToken(Unauthenticated):
    """Not a token of ours."""

    code, title = "invalid_credential", "Invalid credential"


class TokenExpired(Unauthenticated):
    """A token of ours whose time is over."""

    code, title = "expired_token", "Expired token"


@dataclass(frozen=True, slots=True)
class MemberToken:
    """What a verified token says."""

    tenant: str
    member: str
    issued_at: Instant
    expires_at: Instant


@dataclass(frozen=True, slots=True)
class Generations:
    """Which generation signs, and which are shown and verify, the newest first. At the beginning there is one."""

    signing: int = 1
    shown: tuple[int, ...] = (1,)


@dataclass(frozen=True, slots=True)
class _Pair:
    private: ec.EllipticCurvePrivateKey
    public_jwk: dict[str, str]
    kid: str


class TokenSigner:
    """Issues with ``master``; verifies what ``master`` or ``previous`` signed, in each generation that is shown. Both are secrets of
    at least 16 bytes; ``generations`` is asked at each use.
    """

    def __init__(
        self, master: bytes, previous: bytes | None = None, generations: Callable[[], Generations] = Generations
    ) -> None:
        self._master = master
        self._masters = [master] if previous is None else [master, previous]
        self._generations = generations
        self._made: dict[tuple[bytes, int], _Pair] = {}

    @property
    def _current(self) -> _Pair:
        return self._pair(self._master, self._generations().signing)

    @property
    def _pairs(self) -> dict[str, _Pair]:
        """By key id, the signing one first."""
        now = self._generations()
        order = [now.signing, *(each for each in now.shown if each != now.signing)]
        pairs = [self._pair(master, generation) for master in self._masters for generation in order]
        return {pair.kid: pair for pair in pairs}

    def _pair(self, master: bytes, generation: int) -> _Pair:
        known = (master, generation)
        if known not in self._made:
            self._made[known] = _pair(master, generation)
        return self._made[known]

    def issue(self, tenant: str, member: str, now: Instant, lifetime: int = LIFETIME) -> str:
        """A token for one member of one tenant; ``lifetime`` in milliseconds, counted in whole seconds."""
        check_tenant(tenant)
        if not member or lifetime < SECOND:
            raise InvalidValue("a token needs a member and at least a second")
        issued = now // SECOND
        claims = {"iss": ISSUER, "aud": _AUDIENCE_PREFIX + tenant, "sub": member, "iat": issued, "exp": issued + lifetime // SECOND}
        current = self._current
        return jwt.encode(claims, current.private, algorithm=_ALGORITHM, headers={"kid": current.kid})

    def sign(self, payload: bytes) -> str:
        """A compact JWS (RFC 7515) over any bytes that are no JSON: never a token, because ``verify`` takes JSON claims only."""
        current = self._current
        return PyJWS().encode(payload, current.private, algorithm=_ALGORITHM, headers={"kid": current.kid, "typ": None})

    def verify(self, token: str, now: Instant) -> MemberToken:
        """What the token says, if we signed it and it is still good. ``InvalidToken`` or ``TokenExpired`` for any other text."""
        if len(token) > _MAX_TOKEN:
            raise InvalidToken
        try:
            pair = self._pairs[jwt.get_unverified_header(token).get("kid", "")]
            claims = jwt.decode(token, pair.private.public_key(), algorithms=[_ALGORITHM], options=_UNTIMED)
        except (jwt.PyJWTError, KeyError, TypeError, ValueError):
            raise InvalidToken from None
        return _checked(claims, now)

    def jwks(self) -> dict[str, Any]:
        """The public keys (RFC 7517), the signing one first."""
        return {"keys": [dict(pair.public_jwk) for pair in self._pairs.values()]}


def _checked(claims: dict[str, Any], now: Instant) -> MemberToken:
    audience: Any = claims.get("aud")
    member: Any = claims.get("sub")
    issued: Any = claims.get("iat")
    expires: Any = claims.get("exp")
    well_formed = (
        claims.get("iss") == ISSUER
        and isinstance(audience, str)
        and audience.startswith(_AUDIENCE_PREFIX)
        and isinstance(member, str)
        and member != ""
        and type(issued) is int
        and type(expires) is int
    )
    if not well_formed:
        raise InvalidToken
    seconds = now // SECOND
    if issued > seconds + _CLOCK_SKEW:
        raise InvalidToken
    if expires <= seconds:
        raise TokenExpired
    try:
        tenant = check_tenant(audience.removeprefix(_AUDIENCE_PREFIX))
    except InvalidValue:
        raise InvalidToken from None
    return MemberToken(tenant, member, issued * SECOND, expires * SECOND)


def _pair(master: bytes, generation: int) -> _Pair:
    # 384 bits reduced modulo n: the bias is below 2**-128 (FIPS 186-5, A.2.1).
    wide = int.from_bytes(derive(master, f"member-token-signing:{generation}", 48), "big")
    private = ec.derive_private_key(wide % (_ORDER - 1) + 1, ec.SECP256R1())
    point = private.public_key().public_numbers()
    essential = {"crv": "P-256", "kty": "EC", "x": _coordinate(point.x), "y": _coordinate(point.y)}
    # RFC 7638: SHA-256 over the required members, sorted, without white space.
    thumbprint = hashlib.sha256(json.dumps(essential, sort_keys=True, separators=(",", ":")).encode()).digest()
    kid = base64.urlsafe_b64encode(thumbprint).decode().rstrip("=")
    return _Pair(private, {**essential, "kid": kid, "use": "sig", "alg": _ALGORITHM}, kid)


def _coordinate(value: int) -> str:
    return base64.urlsafe_b64encode(value.to_bytes(32, "big")).decode().rstrip("=")
