"""What a registration claims to be: identity tokens and identifiers, proven or waiting. Verifying reads nothing but keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from shared.kernel.errors import FieldError, Forbidden
from shared.kernel.instants import Instant
from shared.members.api import IdentifierRequest, IdentityToken
from shared.members.errors import ProofRequired, ProviderNotConfigured
from shared.members.identifiers import IdentifierKind, InvalidIdentifier, normalise
from shared.tenants import oidc
from shared.tenants.jwks import JwkSet, JwksSource
from shared.tenants.model import TenantSettings

PROVEN_BY_HAVING: Final = frozenset({"card", "external"})
"""A card is in the hand of who registers it; an external id is the integrator's own word."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A proven identifier. An ``optional`` one is dropped, not refused, when somebody has it already."""

    kind: IdentifierKind
    value: str
    pointer: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Claims:
    """Everything that a registration claims. ``contact`` are phone and email for the profile, proven or not."""

    proven: tuple[Claim, ...]
    contact: dict[str, str]
    identity: oidc.VerifiedIdentity | None = None


def verify(settings: TenantSettings, token: IdentityToken, source: JwksSource, now: Instant) -> oidc.VerifiedIdentity:
    """Who the identity token is about, by the tenant's own settings; ``invalid_identity_token`` (401) otherwise."""
    provider = identity_provider(settings, token.provider)
    kid = oidc.signing_key_id(token.token)
    keys = JwkSet.of(provider.jwks) if provider.jwks is not None else source.keys_for(provider.jwks_url or "", kid)
    return oidc.verify_identity(provider, token.token, keys, now, token.nonce)


def claims_of(
    settings: TenantSettings, identity: oidc.VerifiedIdentity | None, identifiers: Iterable[IdentifierRequest], *, may_write: bool
) -> Claims:
    """What is proven, and what only waits on the profile.

    A phone number or address is proven by ``proof``, which only a caller with members:write may vouch for, or by the
    identity provider; the latter is dropped where another member has it, since nobody asked for it.
    """
    proven: list[Claim] = []
    contact: dict[str, str] = {}
    if identity is not None:
        proven.append(Claim(identity.provider, identity.subject, "/identity"))
        _add_email(identity, proven, contact)
    for index, each in enumerate(identifiers):
        pointer = f"/identifiers/{index}"
        claim = Claim(each.kind, normalise(each.kind, each.value, settings.country, pointer=f"{pointer}/value"), pointer)
        if each.kind in ("phone", "email"):
            contact.setdefault(each.kind, claim.value)
        if each.proof is not None and not may_write:
            raise Forbidden("Vouching for a phone number or address needs the scope members:write.")
        if each.proof is not None or each.kind in PROVEN_BY_HAVING:
            proven = [other for other in proven if (other.kind, other.value) != (claim.kind, claim.value)]
            proven.append(claim)
    return Claims(tuple(proven), contact, identity)


def proven_claim(settings: TenantSettings, request: IdentifierRequest) -> Claim:
    """An identifier to attach: a phone number or address needs its proof."""
    if request.proof is None and request.kind not in PROVEN_BY_HAVING:
        hint = FieldError("/proof", "required", "otp, till or import")
        raise ProofRequired("Only a proven phone number or address becomes an identifier.", errors=(hint,))
    return Claim(request.kind, normalise(request.kind, request.value, settings.country), "/value")


def _add_email(identity: oidc.VerifiedIdentity, proven: list[Claim], contact: dict[str, str]) -> None:
    """The provider's address: to reach her; and to find her by, if the provider verified it and it is no relay."""
    if identity.email is None:
        return
    try:
        email = normalise("email", identity.email)
    except InvalidIdentifier:
        return
    contact["email"] = email
    if identity.email_verified and not identity.is_private_email:
        proven.append(Claim("email", email, "/identity", optional=True))


def identity_provider(settings: TenantSettings, name: oidc.ProviderName) -> oidc.IdentityProvider:
    """How the tenant takes a provider's tokens; ``ProviderNotConfigured``."""
    given = settings.identity_providers.get(name)
    if given is None:
        hint = FieldError("/identity/provider", "provider_not_configured", "the tenant has no audiences for it")
        raise ProviderNotConfigured(f"This tenant takes no identity tokens of {name}.", errors=(hint,))
    well_known = {"apple": oidc.apple, "google": oidc.google}[name](given.audiences, nonce_required=given.nonce_required)
    changes = {field: value for field in ("issuers", "jwks", "jwks_url") if (value := getattr(given, field)) is not None}
    return well_known.model_copy(update=changes)
