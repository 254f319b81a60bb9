"""Identity tokens of Apple and Google (OpenID Connect Core 1.0, section 3.1.3.7), verified against a tenant's own settings.

Pure: the provider's keys, the instant and the nonce are passed in. ``shared.tenants.jwks`` fetches and keeps the keys.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any, Final, Literal

import jwt
from pydantic import BaseModel, ConfigDict

from shared.kernel.errors import FieldError, Unauthenticated
from shared.kernel.instants import SECOND, Instant
from shared.tenants.jwks import ALGORITHMS, JwkSet

ProviderName = Literal["apple", "google"]
_LEEWAY: Final = 60
"""Seconds between the provider's clock and ours."""
_MAX_TOKEN: Final = 16_384
_MAX_SUBJECT: Final = 255
_MAX_EMAIL: Final = 254
_UNTIMED: Final[Any] = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False, "verify_iss": False}


class IdentityTokenRefused(Unauthenticated):
    """An identity token that proves nothing. ``reason`` is stable, and is also the code of the one field error."""

    code, title = "invalid_identity_token", "Invalid identity token"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The identity token was refused: {reason}.", errors=(FieldError("/identity_token", reason, "not accepted"),))
        self.reason = reason


class IdentityProvider(BaseModel):
    """How a tenant takes one provider's tokens. ``audiences`` are the tenant's own app and service ids; without any, none is taken.

    ``jwks`` replaces fetching from ``jwks_url``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ProviderName
    issuers: tuple[str, ...]
    audiences: tuple[str, ...]
    jwks: dict[str, Any] | None = None
    jwks_url: str | None = None
    nonce_required: bool = True


def apple(audiences: tuple[str, ...], *, nonce_required: bool = True) -> IdentityProvider:
    """Sign in with Apple; ``audiences`` are bundle ids and Services IDs."""
    return IdentityProvider(
        name="apple",
        issuers=("https://appleid.apple.com",),
        audiences=audiences,
        jwks_url="https://appleid.apple.com/auth/keys",
        nonce_required=nonce_required,
    )


def google(audiences: tuple[str, ...], *, nonce_required: bool = True) -> IdentityProvider:
    """Sign in with Google; ``audiences`` are OAuth client ids."""
    return IdentityProvider(
        name="google",
        issuers=("https://accounts.google.com", "accounts.google.com"),
        audiences=audiences,
        jwks_url="https://www.googleapis.com/oauth2/v3/certs",
        nonce_required=nonce_required,
    )


@dataclass(frozen=True, slots=True)
class VerifiedIdentity:
    """What a provider vouches for. ``subject`` is stable per provider and developer team; an email may be a relay address."""

    provider: ProviderName
    subject: str
    email: str | None
    email_verified: bool
    is_private_email: bool


def audience_of(token: str) -> str:
    """Which of the tenant's apps a verified token was made for."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    named = claims["aud"]
    is_for_several = isinstance(named, list) and len(named) > 1
    if is_for_several:
        return str(claims["azp"])
    return str(named[0] if isinstance(named, list) else named)


def signing_key_id(token: str) -> str:
    """The ``kid`` that the token names, for finding its key. ``malformed_token`` if it has none."""
    kid = _header(token).get("kid")
    if not isinstance(kid, str) or not kid:
        raise IdentityTokenRefused("malformed_token")
    return kid


def verify_identity(provider: IdentityProvider, token: str, keys: JwkSet, now: Instant, nonce: str | None) -> VerifiedIdentity:
    """Who the token is about, or ``IdentityTokenRefused``.

    ``nonce`` is the raw one that our server issued for this sign-in (the caller uses it up). Apple's native SDK puts its
    SHA-256 in hexadecimal into the token; that and the raw value are accepted.
    """
    claims = _signed_claims(token, keys)
    if claims.get("iss") not in provider.issuers:
        raise IdentityTokenRefused("wrong_issuer")
    _check_audience(provider, claims)
    _check_times(claims, now)
    _check_nonce(provider, claims, nonce)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 1 <= len(subject) <= _MAX_SUBJECT:
        raise IdentityTokenRefused("missing_subject")
    email = claims.get("email")
    usable_email = email if isinstance(email, str) and 3 <= len(email) <= _MAX_EMAIL else None
    return VerifiedIdentity(
        provider=provider.name,
        subject=subject,
        email=usable_email,
        email_verified=usable_email is not None and _is_true(claims.get("email_verified")),
        is_private_email=_is_true(claims.get("is_private_email")),
    )


def verify_notice(provider: IdentityProvider, token: str, keys: JwkSet, now: Instant) -> dict[str, Any]:
    """The claims of what the provider tells us of its accounts, server to server: signed and addressed like an identity token, without
    a nonce. ``IdentityTokenRefused``.
    """
    claims = _signed_claims(token, keys)
    if claims.get("iss") not in provider.issuers:
        raise IdentityTokenRefused("wrong_issuer")
    _check_audience(provider, claims)
    _check_times(claims, now)
    return claims


def _header(token: str) -> dict[str, Any]:
    if len(token) > _MAX_TOKEN:
        raise IdentityTokenRefused("malformed_token")
    try:
        return jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError):
        raise IdentityTokenRefused("malformed_token") from None


def _signed_claims(token: str, keys: JwkSet) -> dict[str, Any]:
    algorithm = _header(token).get("alg")
    if algorithm not in ALGORITHMS:
        raise IdentityTokenRefused("unsupported_algorithm")
    key = keys.get(signing_key_id(token))
    if key is None:
        raise IdentityTokenRefused("unknown_signing_key")
    # The algorithm belongs to the key; the token only repeats it (RFC 8725, section 3.1).
    if key.algorithm != algorithm:
        raise IdentityTokenRefused("unsupported_algorithm")
    try:
        claims: dict[str, Any] = jwt.decode(token, key.public_key, algorithms=[key.algorithm], options=_UNTIMED)
    except jwt.InvalidSignatureError:
        raise IdentityTokenRefused("bad_signature") from None
    except (jwt.PyJWTError, ValueError):
        raise IdentityTokenRefused("malformed_token") from None
    return claims


def _check_audience(provider: IdentityProvider, claims: dict[str, Any]) -> None:
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    ours = any(isinstance(entry, str) and entry in provider.audiences for entry in named)
    # A token for several parties says for whom it was made; a claim that is there must name us (OIDC Core 3.1.3.7, 4-5).
    party = claims.get("azp")
    made_for_us = party in provider.audiences if len(named) > 1 else True
    if not (ours and made_for_us):
        raise IdentityTokenRefused("wrong_audience")


def _check_times(claims: dict[str, Any], now: Instant) -> None:
    expires: Any = claims.get("exp")
    issued: Any = claims.get("iat")
    not_before: Any = claims.get("nbf", 0)
    if not all(type(value) is int for value in (expires, issued, not_before)):
        raise IdentityTokenRefused("malformed_token")
    seconds = now // SECOND
    if expires + _LEEWAY <= seconds:
        raise IdentityTokenRefused("expired_identity_token")
    if max(issued, not_before) > seconds + _LEEWAY:
        raise IdentityTokenRefused("not_yet_valid")


def _check_nonce(provider: IdentityProvider, claims: dict[str, Any], nonce: str | None) -> None:
    if not nonce:
        if provider.nonce_required:
            raise IdentityTokenRefused("missing_nonce")
        return
    claimed = claims.get("nonce")
    text = claimed.encode() if isinstance(claimed, str) else b""
    hashed = hashlib.sha256(nonce.encode()).hexdigest().encode()
    same = hmac.compare_digest(text, nonce.encode()) or hmac.compare_digest(text.lower(), hashed)
    if not same:
        raise IdentityTokenRefused("wrong_nonce")


def _is_true(value: Any) -> bool:
    # Apple sends booleans as texts in some tokens.
    return value is True or value == "true"
