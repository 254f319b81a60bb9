"""Access tokens of the staff's user pool (Amazon Cognito), verified as its manual says ("Verifying JSON web tokens"): RS256 by the pool's
own keys, its issuer, our client, ``token_use`` ``access``, not over. An ID token is refused: it is for the page, and carries an address.

Pure but for the source of keys, which keeps them for the life of a process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import jwt

from shared.kernel.errors import InvalidValue
from shared.kernel.instants import SECOND, Instant
from shared.tenants.jwks import JwksSource
from shared.tenants.principal import ExpiredToken, InvalidCredential
from shared.tenants.staff import STAFF_GROUPS, StaffGroup, parse_username

ALGORITHM: Final = "RS256"
"""Of the pool's tokens; our own to members are ES256, so that a token's header says which they are."""
_CLOCK_SKEW: Final = 60
"""Seconds between the pool's clock and ours."""
_MAX_TOKEN: Final = 8192
_MAX_USERNAME: Final = 128
_UNTIMED: Final[Any] = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False, "verify_iss": False}


@dataclass(frozen=True, slots=True)
class StaffPool:
    """Whose tokens are taken."""

    issuer: str
    jwks_url: str
    client_id: str


@dataclass(frozen=True, slots=True)
class StaffToken:
    """What a token says: who, and which groups the pool had them in when it was made."""

    tenant: str
    staff_id: str
    groups: frozenset[StaffGroup]
    issued_at: Instant


def staff_pool(region: str, pool_id: str, client_id: str, endpoint: str | None = None) -> StaffPool:
    """A pool of Cognito's. ``endpoint``: the local AWS, which has the keys but signs as AWS does."""
    issuer = f"https://cognito-idp.{region}.amazonaws.com/{pool_id}"
    base = issuer if endpoint is None else f"{endpoint}/{pool_id}"
    return StaffPool(issuer, f"{base}/.well-known/jwks.json", client_id)


def is_staff_token(text: str) -> bool:
    """Whether a token's header says that it is of the pool. Proves nothing."""
    if len(text) > _MAX_TOKEN:
        return False
    try:
        return jwt.get_unverified_header(text).get("alg") == ALGORITHM
    except (jwt.PyJWTError, ValueError):
        return False


class StaffTokens:
    """Verifies the tokens of one pool."""

    def __init__(self, pool: StaffPool, keys: JwksSource) -> None:
        self._pool = pool
        self._keys = keys

    def verify(self, text: str, now: Instant) -> StaffToken:
        """What the token says. ``InvalidCredential``, ``ExpiredToken``; ``ProviderUnavailable`` if the pool's keys cannot be had."""
        claims = self._claims(text)
        ours = (
            claims.get("iss") == self._pool.issuer
            and claims.get("token_use") == "access"
            and claims.get("client_id") == self._pool.client_id
        )
        issued: Any = claims.get("iat")
        expires: Any = claims.get("exp")
        name: Any = claims.get("username")
        well_formed = type(issued) is int and type(expires) is int and isinstance(name, str) and len(name) <= _MAX_USERNAME
        if not (ours and well_formed):
            raise InvalidCredential
        seconds = now // SECOND
        if issued > seconds + _CLOCK_SKEW:
            raise InvalidCredential
        if expires <= seconds:
            raise ExpiredToken
        try:
            whose = parse_username(name)
        except InvalidValue:
            raise InvalidCredential from None
        named = claims.get("cognito:groups")
        groups = frozenset(each for each in STAFF_GROUPS if isinstance(named, list) and each in named)
        return StaffToken(whose.tenant, whose.staff_id, groups, issued * SECOND)

    def _claims(self, text: str) -> dict[str, Any]:
        if len(text) > _MAX_TOKEN:
            raise InvalidCredential
        try:
            kid = jwt.get_unverified_header(text).get("kid")
        except (jwt.PyJWTError, ValueError):
            raise InvalidCredential from None
        if not isinstance(kid, str) or not kid:
            raise InvalidCredential
        key = self._keys.keys_for(self._pool.jwks_url, kid).get(kid)
        if key is None or key.algorithm != ALGORITHM:
            raise InvalidCredential
        try:
            claims: dict[str, Any] = jwt.decode(text, key.public_key, algorithms=[ALGORITHM], options=_UNTIMED)
        except (jwt.PyJWTError, TypeError, ValueError):
            raise InvalidCredential from None
        return claims
