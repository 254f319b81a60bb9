"""The decision of the authorizer: an Authorization header in, a principal or the reason for none out.

Every call is let through with a context; the refusal itself is answered by ``shared.http`` as problem+json. Cost: an API
key 1 read unit, a member's token none, and per tenant and minute one more for its status.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from shared.kernel.errors import InvalidValue, Unauthenticated
from shared.kernel.instants import Clock
from shared.kernel.scopes import MEMBER, OPERATOR
from shared.observability.logs import logger
from shared.storage import keys
from shared.storage.items import TenantEntryItem
from shared.storage.table import Table
from shared.tenants.credentials import OPERATOR_KEY_ID, OPERATOR_TENANT, ParsedKey, matches, matches_operator, parse_api_key
from shared.tenants.keys_repository import ACTIVE, KeyRepository
from shared.tenants.principal import (
    AuthorizerUnavailable,
    InvalidCredential,
    MissingCredential,
    Principal,
    RevokedKey,
    SuspendedTenant,
    UnknownTenant,
    auth_error_to_context,
    principal_to_context,
)
from shared.tenants.tokens import TokenSigner

STATUS_SECONDS: Final = 60
"""How long a tenant's status is kept. Unknown tenants are not kept: one that is made now can be used now."""
MAX_TENANTS: Final = 1000
_BEARER: Final = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +(\S+) *")
_KEY_PREFIX: Final = "lyk_"


class Access:
    """Verifies credentials. ``pepper`` keys the digests of API keys; ``monotonic`` (seconds) times the kept statuses."""

    def __init__(
        self, table: Table, tokens: TokenSigner, pepper: bytes, operator_secret: str, clock: Clock, monotonic: Callable[[], float]
    ) -> None:
        self._table = table
        self._tokens = tokens
        self._pepper = pepper
        self._operator_secret = operator_secret
        self._clock = clock
        self._monotonic = monotonic
        self._statuses: OrderedDict[str, tuple[float, str]] = OrderedDict()

    def context_of(self, authorization: str | None) -> dict[str, str]:
        """The authorizer's context for a header. Never raises: what goes wrong on our side is ``authorizer_unavailable``."""
        try:
            return principal_to_context(self.principal(authorization))
        except Unauthenticated as refusal:
            return auth_error_to_context(refusal.code)
        except Exception:  # the outermost frame: a local gateway's worker dies of what is raised here
            logger().exception("authorizer failed")
            return auth_error_to_context(AuthorizerUnavailable.code)

    def principal(self, authorization: str | None) -> Principal:
        """Who calls; a subclass of ``Unauthenticated`` with the reason otherwise."""
        text = (authorization or "").strip()
        if not text:
            raise MissingCredential
        bearer = _BEARER.fullmatch(text)
        if bearer is None:
            raise InvalidCredential
        credential = bearer[1]
        return self._by_key(credential) if credential.startswith(_KEY_PREFIX) else self._by_token(credential)

    def _by_key(self, text: str) -> Principal:
        parsed = parse_api_key(text)
        if parsed is None:
            raise InvalidCredential
        if parsed.tenant == OPERATOR_TENANT:
            if not matches_operator(self._operator_secret, parsed.secret):
                raise InvalidCredential
            return Principal(kind="operator", tenant=OPERATOR_TENANT, id=OPERATOR_KEY_ID, scopes=frozenset({OPERATOR}))
        return self._by_stored_key(parsed)

    def _by_stored_key(self, parsed: ParsedKey) -> Principal:
        stored = KeyRepository(parsed.tenant, self._table).get(parsed.key_id)
        if stored is None or not matches(self._pepper, parsed.secret, stored.digest):
            raise InvalidCredential
        if stored.status != ACTIVE:
            raise RevokedKey
        self._check_tenant(parsed.tenant)
        try:
            return Principal(kind="key", tenant=parsed.tenant, id=parsed.key_id, scopes=stored.scopes, location=stored.location)
        except InvalidValue:
            # A scope that no key can hold: written by hand, and worth nothing.
            raise InvalidCredential from None

    def _by_token(self, text: str) -> Principal:
        token = self._tokens.verify(text, self._clock())
        self._check_tenant(token.tenant)
        return Principal(kind="member", tenant=token.tenant, id=token.member, scopes=frozenset({MEMBER}), member=token.member)

    def _check_tenant(self, tenant: str) -> None:
        now = self._monotonic()
        kept = self._statuses.get(tenant)
        if kept is None or now - kept[0] >= STATUS_SECONDS:
            raw = self._table.get(keys.tenant_entry(tenant), consistent=False)
            if raw is None:
                raise UnknownTenant
            kept = (now, TenantEntryItem.read(raw).status)
            self._statuses[tenant] = kept
            if len(self._statuses) > MAX_TENANTS:
                self._statuses.popitem(last=False)
        if kept[1] != "active":
            raise SuspendedTenant
