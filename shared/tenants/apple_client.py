"""A tenant as a client of Apple's: its key for ``client_secret``, sealed and write-only, and what is asked with it.

The refresh token that Apple gives for the app's authorization code is good for one thing here: to be revoked when its member is erased, as
Apple asks of apps ("Offering account deletion in your app"; TN3194). It is sealed under her own key and lies beside that, in the table
that has no backups.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import Field, SecretStr

from shared.kernel.errors import FieldError, Gone, Unprocessable
from shared.kernel.instants import MINUTE, SECOND, Instant
from shared.observability.logs import logger
from shared.privacy.crypto import derive, open_sealed, row_aad, seal
from shared.storage import keys_access
from shared.storage.items import WrappedKeyItem
from shared.tenants.base import Frozen
from shared.tenants.scope import TenantScope

AUDIENCE: Final = "https://appleid.apple.com"
SECRET_LIFETIME: Final = 5 * MINUTE
_PURPOSE: Final = "apple-client-key"
_GROUP: Final = "apple"
_TEN: Final = r"^[A-Z0-9]{10}$"
_MAX_TOKEN: Final = 4096


class AppleClientRequest(Frozen):
    """The key with which the tenant's app is a client of Apple's. It is stored sealed, and never shown."""

    team_id: str = Field(pattern=_TEN)
    key_id: str = Field(pattern=_TEN)
    private_key: SecretStr = Field(max_length=4096, description="the .p8 file as it is: a P-256 key in PEM")


class AppleSide(Protocol):
    """Apple's token endpoints (``shared.aws.apple``; a fake in tests)."""

    def post(self, what: str, form: Mapping[str, str]) -> dict[str, Any] | None:
        """The answer of ``/auth/<what>`` where it is 200, empty if it has no body; ``None`` for a refusal. ``OSError`` if there is none."""


@dataclass(frozen=True, slots=True)
class AppleClient:
    """The tenant's key."""

    team_id: str
    key_id: str
    private_key: str = field(repr=False)

    def secret(self, client_id: str, now: Instant) -> str:
        """``client_secret`` for one of the tenant's apps ("Creating a client secret"): ES256, good for five minutes."""
        issued = now // SECOND
        claims = {"iss": self.team_id, "iat": issued, "exp": issued + SECRET_LIFETIME // SECOND, "aud": AUDIENCE, "sub": client_id}
        return jwt.encode(claims, self.private_key, algorithm="ES256", headers={"kid": self.key_id})


def store_client(scope: TenantScope, request: AppleClientRequest) -> None:
    """Keep the key, in place of one before. ``Unprocessable`` if it is none. 1 write."""
    text = request.private_key.get_secret_value()
    try:
        loaded = load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError):
        loaded = None
    if not (isinstance(loaded, ec.EllipticCurvePrivateKey) and isinstance(loaded.curve, ec.SECP256R1)):
        hint = FieldError("/private_key", "invalid_value", "a P-256 private key in PEM, as Apple's .p8 file is")
        raise Unprocessable("The key does not fit; see errors.", errors=(hint,))
    body = json.dumps([request.team_id, request.key_id, text]).encode()
    sealed = seal(_sealing_key(scope), body, row_aad(scope.tenant, _GROUP, "client"), os.urandom(12))
    scope.key_table.put(WrappedKeyItem.at(keys_access.apple_client(scope.tenant), wrapped=sealed))


def client_of(scope: TenantScope) -> AppleClient | None:
    """The tenant's key, if it has one. 1 read."""
    raw = scope.key_table.get(keys_access.apple_client(scope.tenant))
    if raw is None:
        return None
    sealed = WrappedKeyItem.read(raw).wrapped
    return AppleClient(*json.loads(open_sealed(_sealing_key(scope), sealed, row_aad(scope.tenant, _GROUP, "client"))))


def keep_token(scope: TenantScope, member: str, code: str, client_id: str, apple: AppleSide) -> bool:
    """Exchange the app's authorization code, and keep what it brings; whether that came about. Never a reason to refuse a sign-in.

    2 reads, a call of Apple's, a write. Nothing but a read where the tenant has no key.
    """
    client = client_of(scope)
    if client is None:
        return False
    form = {"client_id": client_id, "client_secret": client.secret(client_id, scope.clock()), "code": code}
    try:
        answer = apple.post("token", form | {"grant_type": "authorization_code"})
    except OSError:
        answer = None
    token = (answer or {}).get("refresh_token")
    if not isinstance(token, str) or not 1 <= len(token) <= _MAX_TOKEN:
        logger().warning("apple gave no token for a code", extra={"member": member})
        return False
    sealed = scope.cipher(member).seal_json(_GROUP, [client_id, token])
    scope.key_table.put(WrappedKeyItem.at(keys_access.apple_token(scope.tenant, member), wrapped=sealed))
    return True


def forget_token(scope: TenantScope, member: str) -> bool:
    """Delete what is kept of a member's; whether there was anything. A read, and a write."""
    where = keys_access.apple_token(scope.tenant, member)
    if scope.key_table.get(where) is None:
        return False
    scope.key_table.delete(where)
    return True


def revoke_token(scope: TenantScope, member: str, apple: AppleSide) -> bool | None:
    """Ask Apple to revoke what is kept of a member's. ``None``: nothing is kept; ``False``: it cannot be revoked, now or ever (no key, a
    refusal). ``OSError`` if Apple did not answer. What is kept stays until her key goes.
    """
    raw = scope.key_table.get(keys_access.apple_token(scope.tenant, member))
    if raw is None:
        return None
    client = client_of(scope)
    try:
        client_id, token = scope.cipher(member).open_json(_GROUP, WrappedKeyItem.read(raw).wrapped)
    except Gone:
        return None
    if client is None:
        return False
    form = {"client_id": client_id, "client_secret": client.secret(client_id, scope.clock()), "token": token}
    return apple.post("revoke", form | {"token_type_hint": "refresh_token"}) is not None


def _sealing_key(scope: TenantScope) -> bytes:
    return derive(scope.tenant_keys.kek, _PURPOSE)
