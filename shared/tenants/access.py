"""The decision of the authorizer: an Authorization header in, a principal or the reason for none out.

Every call is let through with a context; the refusal itself is answered by ``shared.http`` as problem+json. Cost: an API
key 1 read unit, one of the staff 1, a member's token none, and per tenant and minute one more for its status and rates; the first use
of a key's secret on a day 1 write unit, which notes it.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from shared.kernel.errors import InvalidValue, Unauthenticated
from shared.kernel.instants import DAY, Clock, Instant, format_day
from shared.kernel.scopes import MEMBER, OPERATOR
from shared.limits.rates import OPERATOR_RATES, TenantRates
from shared.observability.logs import logger
from shared.storage import keys
from shared.storage.items import TenantEntryItem
from shared.storage.table import Table
from shared.tenants.credentials import OPERATOR_KEY_ID, OPERATOR_TENANT, ParsedKey, matches, matches_operator, parse_api_key
from shared.tenants.keys_repository import KeyRepository, StoredKey, Which
from shared.tenants.principal import (
    AuthorizerUnavailable,
    ExpiredToken,
    InvalidCredential,
    MissingCredential,
    Principal,
    RevokedKey,
    SuspendedTenant,
    UnknownTenant,
    auth_error_to_context,
    principal_to_context,
)
from shared.tenants.staff import SCOPES_OF
from shared.tenants.staff_repository import ACTIVE, StaffRepository
from shared.tenants.staff_tokens import StaffTokens, is_staff_token
from shared.tenants.tokens import TokenSigner

STATUS_SECONDS: Final = 60
"""How long a tenant's status and rates are kept. Unknown tenants are not kept: one that is made now can be used now."""
MAX_TENANTS: Final = 1000
MAX_NOTED: Final = 10_000
"""Of how many secrets an environment remembers that their use is noted; then it begins anew, and what is stored tells."""
_BEARER: Final = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +(\S+) *")
_KEY_PREFIX: Final = "lyk_"


@dataclass(frozen=True, slots=True)
class StaffDoor:
    """What tokens of the staff's user pool are verified with. ``wall``: real time, because the pool knows no other."""

    tokens: StaffTokens
    wall: Clock


class Access:
    """Verifies credentials. ``pepper`` keys the digests of API keys; ``monotonic`` (seconds) times the kept statuses."""

    def __init__(
        self, table: Table, tokens: TokenSigner, pepper: bytes, operator_secret: str, clock: Clock, monotonic: Callable[[], float],
        staff: StaffDoor | None = None,
    ) -> None:  # fmt: skip
        self._table = table
        self._tokens = tokens
        self._pepper = pepper
        self._operator_secret = operator_secret
        self._clock = clock
        self._monotonic = monotonic
        self._staff = staff
        self._statuses: OrderedDict[str, tuple[float, str, TenantRates]] = OrderedDict()
        self._noted: dict[tuple[str, Which], str] = {}

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
        if credential.startswith(_KEY_PREFIX):
            return self._by_key(credential)
        if self._staff is not None and is_staff_token(credential):
            return self._by_staff_token(credential, self._staff)
        return self._by_token(credential)

    def _by_key(self, text: str) -> Principal:
        parsed = parse_api_key(text)
        if parsed is None:
            raise InvalidCredential
        if parsed.tenant == OPERATOR_TENANT:
            if not matches_operator(self._operator_secret, parsed.secret):
                raise InvalidCredential
            scopes = frozenset({OPERATOR})
            return Principal(kind="operator", tenant=OPERATOR_TENANT, id=OPERATOR_KEY_ID, scopes=scopes, rates=OPERATOR_RATES)
        return self._by_stored_key(parsed)

    def _by_stored_key(self, parsed: ParsedKey) -> Principal:
        repository, now = KeyRepository(parsed.tenant, self._table), self._clock()
        stored = repository.get(parsed.key_id)
        if stored is None:
            raise InvalidCredential
        which = self._which(stored, parsed.secret, now)
        if not stored.opens(now):
            raise RevokedKey
        rates = self._check_tenant(parsed.tenant).for_credential("key")
        held = stored.scopes
        try:
            found = Principal(
                kind="key", tenant=parsed.tenant, id=parsed.key_id, scopes=held, location=stored.location,
                location_group=stored.location_group, rates=rates,
            )  # fmt: skip
        except InvalidValue:
            # A scope that no key can hold: written by hand, and worth nothing.
            raise InvalidCredential from None
        self._note_use(repository, stored, which, format_day(now // DAY))
        return found

    def _which(self, stored: StoredKey, secret: str, now: Instant) -> Which:
        """Which of the key's secrets this is. That one has been replaced is said only to who knows it."""
        if matches(self._pepper, secret, stored.digest):
            return "current"
        if stored.previous is None or not matches(self._pepper, secret, stored.previous):
            raise InvalidCredential
        if stored.previous_until is None or now >= stored.previous_until:
            raise RevokedKey
        return "previous"

    def _note_use(self, repository: KeyRepository, stored: StoredKey, which: Which, day: str) -> None:
        """Once a day and secret. Whoever calls is let through whether or not it can be noted."""
        known = (stored.key_id, which)
        if day in (stored.used_on(which), self._noted.get(known)):
            return
        if len(self._noted) >= MAX_NOTED:
            self._noted.clear()
        self._noted[known] = day
        try:
            repository.note_use(stored, which, day)
        except Exception:  # a note for people: no reason to refuse a till, whatever it is
            logger().exception("last use of a key not noted")

    def _by_token(self, text: str) -> Principal:
        token = self._tokens.verify(text, self._clock())
        rates, own = self._check_tenant(token.tenant).for_credential("member"), frozenset({MEMBER})
        return Principal(kind="member", tenant=token.tenant, id=token.member, scopes=own, member=token.member, rates=rates)

    def _by_staff_token(self, text: str, door: StaffDoor) -> Principal:
        """The pool says who and, as it was then, which group; what they may do now, and where, stands with us. Both must agree."""
        token = door.tokens.verify(text, door.wall())
        found = StaffRepository(token.tenant, self._table).get(token.staff_id)
        if found is None:
            raise InvalidCredential
        if found.status != ACTIVE:
            raise RevokedKey
        signed_out = found.not_before is not None and token.issued_at <= found.not_before
        if signed_out or found.group not in token.groups:
            # A new token has the new group; whoever was signed out signs in again.
            raise ExpiredToken
        rates = self._check_tenant(token.tenant).for_credential("staff")
        return Principal(
            kind="staff", tenant=token.tenant, id=found.id, scopes=SCOPES_OF[found.group], location=found.place.location,
            location_group=found.place.group, rates=rates,
        )  # fmt: skip

    def _check_tenant(self, tenant: str) -> TenantRates:
        """The rates of a tenant that is active. 1 read a minute, for both."""
        now = self._monotonic()
        kept = self._statuses.get(tenant)
        if kept is None or now - kept[0] >= STATUS_SECONDS:
            raw = self._table.get(keys.tenant_entry(tenant), consistent=False)
            if raw is None:
                raise UnknownTenant
            entry = TenantEntryItem.read(raw)
            kept = (now, entry.status, TenantRates.parse(entry.rates))
            self._statuses[tenant] = kept
            if len(self._statuses) > MAX_TENANTS:
                self._statuses.popitem(last=False)
        if kept[1] != "active":
            raise SuspendedTenant
        return kept[2]
