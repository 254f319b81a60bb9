"""Tenants: the operator's use cases. Their API keys are in ``shared.tenants.api_keys``.

The list of tenants is the operator's own partition, under the function's own role; a tenant's settings, keyring and keys
are in its own partitions, under a session of that tenant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from shared.kernel.errors import FieldError, InvalidValue, PreconditionFailed, Unprocessable
from shared.kernel.ids import check_tenant
from shared.kernel.instants import Instant
from shared.kernel.pages import open_cursor, seal_cursor
from shared.limits.plans import rates_of
from shared.privacy.crypto import derive
from shared.storage import keys, keys_access
from shared.storage.errors import ConditionFailed
from shared.storage.expressions import Condition, Path
from shared.storage.items import KeyringItem, SettingsItem, TenantEntryItem
from shared.storage.packing import pack, unpack
from shared.storage.table import Table
from shared.tenants.api import TenantAnswer, TenantPage, TenantRequest, TenantSummary
from shared.tenants.credentials import is_reserved
from shared.tenants.errors import TenantExists, TenantNotFound, TenantRemoving
from shared.tenants.model import TenantSettings
from shared.tenants.removal_api import REMOVING
from shared.tenants.scope import TenantScope

_DUE_SHARDS: Final = 1
_CREATING: Final = "creating"
"""Status of settings whose tenant is not in the operator's list yet."""
_PAGE: Final = "tenants"


@dataclass(frozen=True, slots=True)
class Operator:
    """What the operator's use cases work with. ``new_key`` wraps a fresh key of a tenant; ``scope_of`` opens its session."""

    table: Table
    scope_of: Callable[[str], TenantScope]
    new_key: Callable[[str], bytes]
    master: Callable[[], bytes]


def create_tenant(operator: Operator, request: TenantRequest) -> TenantAnswer:
    """Create a tenant: keyring, settings, and last its entry, which makes it one. ``TenantExists`` if the id is taken.

    A crash in between leaves no tenant; the same call again goes on from there. Two KMS calls and four writes.
    """
    request = request.model_copy(update={"settings": _stamped(request.settings, None, 0)})
    if request.id is None:
        raise Unprocessable("A new tenant needs an id.", errors=(FieldError("/id", "required", "4 to 26 characters a-z 0-9"),))
    tenant = request.id
    if is_reserved(tenant) or tenant in (keys.OPERATOR, keys.LOCAL):
        raise TenantExists(f"{tenant} is reserved.")
    removed = operator.table.get(keys_access.removal(tenant)) is not None
    if removed or operator.table.get(keys.tenant_entry(tenant)) is not None:
        # An id is given once: links and tokens of the one before would lead to the next.
        raise TenantExists
    scope = operator.scope_of(tenant)
    _make_keyring(operator, scope)
    not_there_yet = Path("PK").does_not_exist() | (Path("status") == _CREATING)
    body = pack(_stored(request.settings))
    try:
        scope.table.put(SettingsItem.at(keys.settings(tenant), version=1, status=_CREATING, body=body), not_there_yet)
        _enter(operator, tenant, request.settings, new=True)
        scope.table.update(keys.settings(tenant), [Path("status").remove()], Path("PK").exists())
    except ConditionFailed:
        raise TenantExists from None
    scope.cache.forget(tenant)
    return TenantAnswer(id=tenant, etag="1", settings=request.settings)


def get_tenant(operator: Operator, tenant: str) -> TenantAnswer:
    """A tenant as configured. Two reads."""
    version, settings = _read(operator, tenant)
    return TenantAnswer(id=tenant, etag=str(version), settings=settings)


def list_tenants(operator: Operator, limit: int, cursor: str | None) -> TenantPage:
    """A page of tenants by id: one Query."""
    key = cursor_key(operator.master())
    after = open_cursor(key, _PAGE, cursor)["sk"] if cursor else None
    start = {"PK": {"S": keys.tenants()}, "SK": {"S": after}} if after else None
    raws, last = operator.table.query(keys.tenants(), begins="TENANT#", limit=limit, start=start, consistent=True)
    entries = [TenantEntryItem.read(raw) for raw in raws]
    more = seal_cursor(key, _PAGE, {"sk": last["SK"]["S"]}) if last else None
    return TenantPage(data=tuple(TenantSummary(id=each.tenant, status=each.status) for each in entries), next_cursor=more)


def replace_tenant(operator: Operator, tenant: str, request: TenantRequest, if_match: str) -> TenantAnswer:
    """Replace a tenant's configuration; ``PreconditionFailed`` if it is no longer the version that was read.

    Its status holds once the operator's list says so, which is written last: repeat a call whose answer was lost.
    """
    if request.id is not None and request.id != tenant:
        raise Unprocessable("The id cannot be changed.", errors=(FieldError("/id", "invalid_value", "the id in the path, or none"),))
    version, before = _read(operator, tenant)
    if if_match != str(version):
        raise PreconditionFailed
    currency_changed = before.currency != request.settings.currency
    if currency_changed:
        hint = FieldError("/settings/currency", "invalid_value", "amounts are stored in it, so it stays as it was")
        raise Unprocessable("The currency cannot be changed.", errors=(hint,))
    scope = operator.scope_of(tenant)
    request = request.model_copy(update={"settings": _stamped(request.settings, before, scope.clock())})
    item = SettingsItem.at(keys.settings(tenant), version=version + 1, body=pack(_stored(request.settings)))
    unchanged = Path("version") == version
    try:
        scope.table.put(item, unchanged)
    except ConditionFailed:
        raise PreconditionFailed from None
    _enter(operator, tenant, request.settings, new=False)
    scope.cache.forget(tenant)
    return TenantAnswer(id=tenant, etag=str(version + 1), settings=request.settings)


def cursor_key(master: bytes) -> bytes:
    """The key that cursors of the administration's lists are signed with."""
    return derive(master, "administration-cursors")


def _make_keyring(operator: Operator, scope: TenantScope) -> None:
    """The tenant's keys, unless an earlier attempt made them: a second pair would make the first one's data unreadable."""
    where = keys.tenant_keyring(scope.tenant)
    if scope.key_table.get(where) is not None:
        return
    ring = KeyringItem.at(where, kek=operator.new_key(scope.tenant), index_key=operator.new_key(scope.tenant))
    try:
        scope.key_table.put(ring, Path("PK").does_not_exist())
    except ConditionFailed:
        return


def _enter(operator: Operator, tenant: str, settings: TenantSettings, *, new: bool) -> None:
    key, status, rates = keys.tenant_entry(tenant), settings.status, rates_of(settings.plan).text()
    if new:
        entry = TenantEntryItem.at(key, tenant=tenant, status=status, due_shards=_DUE_SHARDS, rates=rates)
        operator.table.put(entry, Path("PK").does_not_exist())
    else:
        stays: Condition = Path("PK").exists() & (Path("status") != REMOVING)
        try:
            operator.table.update(key, [Path("status").set(status), Path("rates").set(rates)], stays)
        except ConditionFailed:
            raise TenantRemoving from None


def check_entry(operator: Operator, tenant: str) -> None:
    """``TenantNotFound`` unless the tenant is in the operator's list, ``TenantRemoving`` if it is on its way out. 1 read."""
    try:
        check_tenant(tenant)
    except InvalidValue:
        raise TenantNotFound from None
    raw = operator.table.get(keys.tenant_entry(tenant))
    if raw is None:
        raise TenantNotFound
    if TenantEntryItem.read(raw).status == REMOVING:
        raise TenantRemoving


def _read(operator: Operator, tenant: str) -> tuple[int, TenantSettings]:
    check_entry(operator, tenant)
    raw = operator.scope_of(tenant).table.get(keys.settings(tenant))
    if raw is None:
        raise TenantNotFound
    item = SettingsItem.read(raw)
    return int(item.version), TenantSettings.model_validate(unpack(item.body))


def _stamped(settings: TenantSettings, before: TenantSettings | None, now: Instant) -> TenantSettings:
    """With when retention was last changed, whatever was sent of that: from then on everybody is looked at once more."""
    asked, stood = settings.retention, before.retention if before is not None else None
    since = stood.since if stood is not None and asked.model_copy(update={"since": stood.since}) == stood else now
    return settings.model_copy(update={"retention": asked.model_copy(update={"since": since})})


def _stored(settings: TenantSettings) -> dict[str, object]:
    return settings.model_dump(mode="json")
