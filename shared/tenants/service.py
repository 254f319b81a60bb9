"""Tenants: the operator's use cases. Their API keys are in ``shared.tenants.api_keys``.

The list of tenants is the operator's own partition, under the function's own role; a tenant's settings, keyring and keys
are in its own partitions, under a session of that tenant.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from shared.kernel.errors import ConcurrentUpdate, FieldError, InvalidValue, PreconditionFailed, Unprocessable
from shared.kernel.ids import check_tenant
from shared.kernel.instants import Instant
from shared.kernel.modes import Mode, live_of, mode_of
from shared.kernel.pages import open_cursor, seal_cursor
from shared.limits.plans import rates_of
from shared.privacy.crypto import derive
from shared.storage import keys, keys_access, noting
from shared.storage.errors import ConditionFailed
from shared.storage.expressions import Condition, Path
from shared.storage.items import KeyringItem, SettingsItem, TenantEntryItem
from shared.storage.packing import pack, unpack
from shared.storage.table import Table
from shared.tenants.api import TenantAnswer, TenantPage, TenantRequest, TenantSummary
from shared.tenants.credentials import is_reserved
from shared.tenants.errors import LiveTenantNotActive, OnlyInTests, ReservedForTests, TenantExists, TenantNotFound, TenantRemoving
from shared.tenants.model import TenantSettings
from shared.tenants.removal_api import REMOVING
from shared.tenants.scope import TenantScope

_DUE_SHARDS: Final = 1
_CREATING: Final = "creating"
_TAKEN: Final = "A tenant has this id, or had it: it is never given again."
"""Status of settings whose tenant is not in the operator's list yet."""
_PAGE: Final = "tenants"
_LOOKS: Final = 10
"""Queries of a page that is narrowed to one mode; after them it may be short and still have a next one."""


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
    if mode_of(tenant) == "test":
        hint = FieldError("/id", ReservedForTests.code, "an id without -test; the tenant's test environment is made by a call of its own")
        raise ReservedForTests(errors=(hint,))
    check_only_in_tests(tenant, request.settings)
    if is_reserved(tenant) or tenant in (keys.OPERATOR, keys.LOCAL):
        raise TenantExists(f"{tenant} is reserved.")
    removed = operator.table.get(keys_access.removal(tenant)) is not None
    if removed or operator.table.get(keys.tenant_entry(tenant)) is not None:
        # An id is given once: links and tokens of the one before would lead to the next.
        raise TenantExists(_TAKEN)
    return found_tenant(operator, tenant, request.settings)


def found_tenant(operator: Operator, tenant: str, settings: TenantSettings) -> TenantAnswer:
    """Keyring, settings, entry; goes on where an attempt before it broke off. ``TenantExists`` for one that has its entry."""
    scope = operator.scope_of(tenant)
    _make_keyring(operator, scope)
    not_there_yet = Path("PK").does_not_exist() | (Path("status") == _CREATING)
    body = pack(_stored(settings))
    try:
        scope.table.put(SettingsItem.at(keys.settings(tenant), version=1, status=_CREATING, body=body), not_there_yet)
        _enter_new(operator, tenant, settings)
        scope.table.update(keys.settings(tenant), [Path("status").remove()], Path("PK").exists())
    except ConditionFailed:
        raise TenantExists(_TAKEN) from None
    scope.cache.forget(tenant)
    return TenantAnswer(**_links(tenant, None), etag="1", settings=settings)


def get_tenant(operator: Operator, tenant: str) -> TenantAnswer:
    """A tenant as configured. Two reads."""
    entry = check_entry(operator, tenant)
    version, settings = read_settings(operator, tenant)
    return TenantAnswer(**_links(tenant, entry.test_tenant), etag=str(version), settings=settings)


def list_tenants(operator: Operator, limit: int, cursor: str | None, mode: str | None = None) -> TenantPage:
    """A page of tenants by id, of one mode if it is named: one Query, ten at most where it is."""
    if mode not in (None, *get_args(Mode)):
        raise Unprocessable("The query does not fit; see errors.", errors=(FieldError("/mode", "invalid_value", "live or test"),))
    key, context = cursor_key(operator.master()), _PAGE if mode is None else f"{_PAGE}|{mode}"
    after = open_cursor(key, context, cursor)["sk"] if cursor else None
    last = {"PK": {"S": keys.tenants()}, "SK": {"S": after}} if after else None
    found: list[TenantSummary] = []
    for _ in range(_LOOKS):
        raws, last = operator.table.query(keys.tenants(), begins="TENANT#", limit=limit - len(found), start=last, consistent=True)
        entries = (TenantEntryItem.read(raw) for raw in raws)
        fit = (each for each in entries if mode in (None, mode_of(each.tenant)))
        found += [TenantSummary(**_links(each.tenant, each.test_tenant), status=each.status) for each in fit]
        if last is None or len(found) == limit:
            break
    more = seal_cursor(key, context, {"sk": last["SK"]["S"]}) if last else None
    return TenantPage(data=tuple(found), next_cursor=more)


def replace_tenant(operator: Operator, tenant: str, request: TenantRequest, if_match: str) -> TenantAnswer:
    """Replace a tenant's configuration; ``PreconditionFailed`` if it is no longer the version that was read.

    Its status holds once the operator's list says so: repeat a call whose answer was lost. The test environment follows it: suspending the
    tenant suspends both, resuming it resumes both. On resuming, the environment comes first: a call that breaks off may leave it active
    beside its suspended tenant until the call is repeated. Of two calls at once the newer settings hold, in both.
    """
    if request.id is not None and request.id != tenant:
        raise Unprocessable("The id cannot be changed.", errors=(FieldError("/id", "invalid_value", "the id in the path, or none"),))
    entry = check_entry(operator, tenant)
    version, before = read_settings(operator, tenant)
    if if_match != str(version):
        raise PreconditionFailed
    currency_changed = before.currency != request.settings.currency
    if currency_changed:
        hint = FieldError("/settings/currency", "invalid_value", "amounts are stored in it, so it stays as it was")
        raise Unprocessable("The currency cannot be changed.", errors=(hint,))
    check_only_in_tests(tenant, request.settings)
    if request.settings.status == "active" and mode_of(tenant) == "test":
        _check_live(operator, tenant)
    settings = _stamped(request.settings, before, operator.scope_of(tenant).clock())
    _store(operator, tenant, settings, version)
    is_resumed = entry.status != "active" and settings.status == "active"
    own_test = entry.test_tenant
    if own_test is not None and is_resumed:
        # Before the tenant's own entry, so that the same call again still sees what it has to do.
        _follow(operator, own_test, "active")
    is_in_force = _enter(operator, tenant, settings, version + 1)
    if own_test is not None and not is_in_force:
        # Whoever replaced these settings meanwhile may have looked for the environment before it was made active here.
        with suppress(LiveTenantNotActive):
            keep_to_live(operator, own_test)
    elif own_test is not None and settings.status == "suspended":
        _follow(operator, own_test, "suspended")
    elif settings.status == "active":
        keep_to_live(operator, tenant)
    return TenantAnswer(**_links(tenant, entry.test_tenant), etag=str(version + 1), settings=settings)


def cursor_key(master: bytes) -> bytes:
    """The key that cursors of the administration's lists are signed with."""
    return derive(master, "administration-cursors")


def _links(tenant: str, test_tenant: str | None) -> dict[str, Any]:
    """What is seen of a tenant everywhere."""
    mode = mode_of(tenant)
    return {"id": tenant, "mode": mode, "live_tenant": live_of(tenant) if mode == "test" else None, "test_tenant": test_tenant}


def check_only_in_tests(tenant: str, settings: TenantSettings) -> None:
    """``OnlyInTests`` where a live tenant names whom a test environment may write to: it would be a list that nobody keeps to."""
    if settings.messaging.test_recipients and mode_of(tenant) == "live":
        hint = FieldError("/settings/messaging/test_recipients", OnlyInTests.code, "none for a live tenant, which writes to everybody")
        raise OnlyInTests("Only a test environment has recipients of tests.", errors=(hint,))


def _check_live(operator: Operator, tenant: str) -> None:
    """``LiveTenantNotActive`` unless the tenant that a test environment belongs to is active. 1 read."""
    raw = operator.table.get(keys.tenant_entry(live_of(tenant)))
    if raw is None or TenantEntryItem.read(raw).status != "active":
        raise LiveTenantNotActive("Resume the tenant first.")


def keep_to_live(operator: Operator, tenant: str) -> None:
    """After a test environment became active: suspended again, with ``LiveTenantNotActive``, if its tenant was suspended meanwhile. 1 read.

    Whoever suspends writes the tenant's entry first and looks for the environment afterwards; whoever activates does it the other way
    round. So one of the two sees the other.
    """
    if mode_of(tenant) == "test":
        try:
            _check_live(operator, tenant)
        except LiveTenantNotActive:
            _follow(operator, tenant, "suspended")
            raise


def _store(operator: Operator, tenant: str, settings: TenantSettings, version: int) -> None:
    """Settings in place of a version; ``PreconditionFailed`` if another is there by now."""
    scope = operator.scope_of(tenant)
    item, unchanged = SettingsItem.at(keys.settings(tenant), version=version + 1, body=pack(_stored(settings))), Path("version") == version
    try:
        scope.table.put(item, unchanged)
    except ConditionFailed:
        raise PreconditionFailed from None
    scope.cache.forget(tenant)


def _follow(operator: Operator, tenant: str, status: Literal["active", "suspended"]) -> None:
    """Give a test environment the status of its tenant: again changes nothing. Four requests at most.

    The tenant's audit log has it, not the environment's. ``ConcurrentUpdate`` if somebody changes it meanwhile: the same call goes on.
    """
    try:
        check_entry(operator, tenant)
        version, settings = read_settings(operator, tenant)
        with noting.aside():
            if settings.status != status:
                settings, version = settings.model_copy(update={"status": status}), version + 1
                _store(operator, tenant, settings, version - 1)
            _enter(operator, tenant, settings, version)
    except (TenantNotFound, TenantRemoving):
        # Not finished, which whoever makes it looks to (shared.tenants.testing), or gone.
        return
    except PreconditionFailed:
        raise ConcurrentUpdate from None


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


def _enter_new(operator: Operator, tenant: str, settings: TenantSettings) -> None:
    entry = TenantEntryItem.at(
        keys.tenant_entry(tenant), tenant=tenant, status=settings.status, due_shards=_DUE_SHARDS, rates=rates_of(settings.plan).text(),
        settings_version=1,
    )  # fmt: skip
    operator.table.put(entry, Path("PK").does_not_exist())


def _enter(operator: Operator, tenant: str, settings: TenantSettings, version: int) -> bool:
    """Put into the operator's list what a version of the settings says; ``False`` if it has a newer one's, which stays. 1 write.

    ``TenantRemoving``.
    """
    says = {"status": settings.status, "rates": rates_of(settings.plan).text(), "settings_version": version}
    stays: Condition = Path("PK").exists() & (Path("status") != REMOVING)
    is_newest: Condition = Path("settings_version").does_not_exist() | (Path("settings_version") <= version)
    try:
        operator.table.update(keys.tenant_entry(tenant), [Path(name).set(value) for name, value in says.items()], stays & is_newest)
    except ConditionFailed:
        check_entry(operator, tenant)
        return False
    return True


def check_entry(operator: Operator, tenant: str) -> TenantEntryItem:
    """Its entry; ``TenantNotFound`` unless the tenant is in the operator's list, ``TenantRemoving`` if it is on its way out. 1 read."""
    try:
        check_tenant(tenant)
    except InvalidValue:
        raise TenantNotFound from None
    raw = operator.table.get(keys.tenant_entry(tenant))
    if raw is None:
        raise TenantNotFound
    entry = TenantEntryItem.read(raw)
    if entry.status == REMOVING:
        raise TenantRemoving
    return entry


def read_settings(operator: Operator, tenant: str) -> tuple[int, TenantSettings]:
    """The settings of a tenant that has its entry, with their version. 1 read."""
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
