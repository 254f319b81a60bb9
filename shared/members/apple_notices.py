"""What Apple tells of accounts that are signed in with ("Processing changes for Sign in with Apple accounts"), to one address per app.

Apple signs each notice like an identity token and proves itself by nothing else. What it tells of somebody whom the tenant does not know is
taken like everything else, so that nobody learns who is a member.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from shared.erasure import service as erasure
from shared.kernel.errors import Gone, NotFound
from shared.kernel.instants import DAY, SECOND, Instant
from shared.members import blocking
from shared.members.claims import identity_provider
from shared.members.errors import ProviderNotConfigured
from shared.members.identifiers import InvalidIdentifier, normalise
from shared.members.repository import read_fields
from shared.members.silencing import lift, silence
from shared.observability.logs import logger
from shared.storage import keys, keys_access
from shared.storage.errors import ConditionFailed
from shared.storage.items import IdentifierItem, SettingsItem
from shared.storage.items_access import NoticeItem
from shared.storage.packing import unpack
from shared.storage.table import NOT_THERE_YET
from shared.tenants import sessions
from shared.tenants.apple_client import forget_token
from shared.tenants.jwks import JwkSet, JwksSource
from shared.tenants.model import TenantSettings
from shared.tenants.oidc import IdentityTokenRefused, signing_key_id, verify_notice
from shared.tenants.scope import TenantScope

ACTOR: Final = "apple"
RELAY_DISABLED: Final = "relay_disabled"
"""Why nothing is sent to an address of Apple's relay any more."""
ENDS_ACCESS: Final = ("consent-revoked", "account-delete", "account-deleted")
ENDS_ACCOUNT: Final = ("account-delete", "account-deleted")
"""Apple's page spells it in the second way, what its servers send in the first."""
_KEPT: Final = DAY
"""How long a notice is remembered beyond its own end, after which its token is refused."""
_MAX_ID: Final = 255


class AppleNotice(BaseModel):
    """As Apple sends it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    payload: str = Field(min_length=1, max_length=16_384, description="a JSON Web Signature")


@dataclass(frozen=True, slots=True)
class Told:
    """What a notice says. ``email`` is an address of Apple's relay."""

    id: str
    kind: str
    subject: str
    email: str | None
    ends_at: Instant


def deal_with(scope: TenantScope, told: Told, correlation: str = "") -> None:
    """Do what a notice asks for, once. 2 reads and a write; a transaction and a Query where it is about a member."""
    seen = keys_access.apple_notice(scope.tenant, scope.blind("apple_notice", told.id))
    if scope.table.get(seen) is None:
        _act(scope, told, correlation)
        # Noted afterwards: a notice that breaks off is done again, and all of it may be.
        with suppress(ConditionFailed):
            scope.table.put(NoticeItem.at(seen, expires_at=(told.ends_at + _KEPT) // SECOND), NOT_THERE_YET)
    logger().info("told by apple", extra={"kind": told.kind})


def read(scope: TenantScope, payload: str, source: JwksSource) -> Told:
    """The notice, verified with the keys and audiences of the tenant's own settings. ``IdentityTokenRefused`` for what Apple did not
    sign for this tenant's apps; a tenant that is not here, or suspended, has none, and takes the same one read.
    """
    raw = scope.table.get(keys.settings(scope.tenant), consistent=False)
    settings = TenantSettings.model_validate(unpack(SettingsItem.read(raw).body)) if raw is not None else None
    try:
        if settings is None or settings.status != "active":
            raise ProviderNotConfigured
        provider = identity_provider(settings, "apple")
    except ProviderNotConfigured:
        # Whoever is not Apple need not learn what a tenant has configured.
        raise IdentityTokenRefused("wrong_audience") from None
    kid = signing_key_id(payload)
    public = JwkSet.of(provider.jwks) if provider.jwks is not None else source.keys_for(provider.jwks_url or "", kid)
    claims = verify_notice(provider, payload, public, scope.clock())
    event = _event(claims.get("events"))
    id_, kind, subject, email = claims.get("jti"), event.get("type"), event.get("sub"), event.get("email")
    texts = all(isinstance(each, str) and 1 <= len(each) <= _MAX_ID for each in (id_, kind, subject))
    if not texts:
        raise IdentityTokenRefused("malformed_token")
    usable_email = email if isinstance(email, str) and len(email) <= _MAX_ID else None
    return Told(str(id_), str(kind), str(subject), usable_email, int(claims["exp"]) * SECOND)


def _event(given: Any) -> dict[str, Any]:
    """The claim ``events``: JSON as a text."""
    try:
        found = json.loads(given) if isinstance(given, str) else given
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise IdentityTokenRefused("malformed_token")
    return found


def _act(scope: TenantScope, told: Told, correlation: str) -> None:
    raw = scope.table.get(keys.identifier(scope.tenant, "apple", scope.blind("apple", told.subject)))
    if raw is None:
        return
    member = IdentifierItem.read(raw).member
    with suppress(NotFound, Gone):
        if told.kind in ENDS_ACCESS:
            _end_access(scope, member, told, correlation)
        elif told.kind == "email-disabled" and _is_hers(scope, member, told.email):
            silence(scope, member, (), ACTOR, "", suppressed=("email", RELAY_DISABLED), correlation=correlation)
        elif told.kind == "email-enabled" and _is_hers(scope, member, told.email):
            lift(scope, member, "email", correlation, only=RELAY_DISABLED)


def _end_access(scope: TenantScope, member: str, told: Told, correlation: str) -> None:
    """She is signed out everywhere and Apple's identifier leads to her no more; she stays a member unless the tenant says otherwise."""
    sessions.end_all(scope, member)
    forget_token(scope, member)
    provider = scope.definitions.settings.identity_providers.get("apple")
    erases = provider is not None and provider.erase_on_account_delete
    if told.kind in ENDS_ACCOUNT and erases:
        erasure.ask(scope, member, ACTOR, correlation)
    else:
        blocking.revoke(scope, member, "apple", told.subject, ACTOR, correlation)


def _is_hers(scope: TenantScope, member: str, email: str | None) -> bool:
    """Whether an address is the one on her profile: another of hers is none of Apple's business."""
    if email is None:
        return False
    try:
        return read_fields(scope, member, "contact").get("email") == normalise("email", email)
    except InvalidIdentifier:
        return False
