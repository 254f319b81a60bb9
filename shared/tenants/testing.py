"""A tenant's test environment: made, and removed with its tenant. The operator's use cases (docs/adr/0031).

It is a tenant of its own, with its own keys, data, plan and rates, fenced from the live one as any other tenant is. What is of the pair
stands in the live tenant's entry of the operator's list: which environment it has, and how many it has had. That is written first, so that
whoever suspends or removes the tenant finds an environment that is only half made.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from shared.kernel.errors import ConcurrentUpdate, InvalidValue
from shared.kernel.instants import Instant
from shared.kernel.modes import MAX_TESTS, live_of, mode_of, nth_test_of
from shared.storage import keys, keys_access, noting
from shared.storage.errors import ConditionFailed
from shared.storage.expressions import Condition, Path
from shared.storage.items import TenantEntryItem
from shared.storage.table import NOT_THERE_YET, Table
from shared.tenants.api import TenantAnswer
from shared.tenants.errors import LiveTenantNotActive, NestedTest, NoMoreTests, TenantExists
from shared.tenants.messaging import MessagingSettings
from shared.tenants.model import TenantSettings
from shared.tenants.removal import Queue, begin
from shared.tenants.removal_api import RemovalAnswer, RemovalRequest
from shared.tenants.service import Operator, check_entry, found_tenant, get_tenant, keep_to_live, read_settings


def create_test_tenant(operator: Operator, live: str) -> tuple[TenantAnswer, bool]:
    """The test environment of an active tenant, and whether it was made now. After a crash the same call goes on.

    ``NestedTest``, ``LiveTenantNotActive``, ``NoMoreTests``. Five reads, two KMS calls and five writes; where it is there, six reads.
    """
    entry = check_entry(operator, live)
    if mode_of(live) == "test":
        raise NestedTest
    if entry.status != "active":
        if entry.test_tenant is not None:
            # A call that broke off between its last write and its last look may have left it active.
            keep_to_live(operator, entry.test_tenant)
        raise LiveTenantNotActive("Resume the tenant first.")
    with noting.aside():
        # Of the pair: the change that is to be noted is the environment's.
        tenant = _claimed(operator, live, entry)
    made: TenantAnswer | None = None
    if operator.table.get(keys.tenant_entry(tenant)) is None:
        _, settings = read_settings(operator, live)
        # Else made by the same call at the same moment.
        with suppress(TenantExists):
            made = found_tenant(operator, tenant, settings_of_test(settings))
    keep_to_live(operator, tenant)
    return (made, True) if made is not None else (get_tenant(operator, tenant), False)


def settings_of_test(live: TenantSettings) -> TenantSettings:
    """What a new environment takes over of its tenant's settings. Pure.

    Left out is what opens something of the live tenant's, or leads to it: push applications, identity providers, webhooks, the domain of
    links, members, and images. The plan is the same, so that whatever is defined live can be tried: its rates are counted apart.
    """
    left_out = MessagingSettings()
    messaging = live.messaging.model_copy(
        update={name: getattr(left_out, name) for name in ("webhooks", "link_base", "test_members", "test_recipients")}
    )
    changed = {
        "messaging": messaging,
        "branding": live.branding.model_copy(update={"logo": None}),
        # Nobody is there yet who would have to be looked at again.
        "retention": live.retention.model_copy(update={"since": 0}),
        "push": {},
        "identity_providers": {},
        "status": "active",
    }
    return live.model_copy(update=changed)


def order_removal(
    table: Table, settings_table: Callable[[str], Table], tenant: str, request: RemovalRequest, actor: str, queue: Queue, now: Instant
) -> RemovalAnswer:
    """Order the removal of a suspended tenant, and before it that of its test environment; or of the environment alone.

    As ``begin``, with up to nine requests more. Again goes on with both.
    """
    own_test = _test_that_goes_too(table, tenant) if tenant == request.id else None
    if own_test is not None:
        # The order that is to be noted is the tenant's, which may still be refused.
        with noting.aside():
            _enter_half_made(table, own_test)
            begin(table, settings_table, own_test, RemovalRequest(id=own_test), actor, queue, now)
    answer = begin(table, settings_table, tenant, request, actor, queue, now)
    if mode_of(tenant) == "test":
        # From now on the tenant may have another one.
        with suppress(ConditionFailed):
            is_named: Condition = Path("test_tenant") == tenant
            table.update(keys.tenant_entry(live_of(tenant)), [Path("test_tenant").remove()], is_named)
    return answer


def _claimed(operator: Operator, live: str, entry: TenantEntryItem) -> str:
    """The id of the environment, noted in its tenant's entry: the one that is there or half made, else the next."""
    named = entry.test_tenant
    if named is not None and operator.table.get(keys_access.removal(named)) is None:
        return str(named)
    number = int(entry.test_number or 0) + 1
    if number > MAX_TESTS:
        raise NoMoreTests(f"A tenant has {MAX_TESTS} test environments at most, one after the other.")
    tenant = nth_test_of(live, number)
    as_read: Condition = Path("test_number").does_not_exist() if entry.test_number is None else Path("test_number") == number - 1
    try:
        actions = [Path("test_tenant").set(tenant), Path("test_number").set(number)]
        operator.table.update(keys.tenant_entry(live), actions, (Path("status") == "active") & as_read)
    except ConditionFailed:
        raise ConcurrentUpdate from None
    return tenant


def _test_that_goes_too(table: Table, tenant: str) -> str | None:
    """The test environment of a tenant that may be removed; none of one that may not, which ``begin`` refuses. 1 read."""
    try:
        raw = table.get(keys.tenant_entry(tenant))
    except InvalidValue:
        return None
    entry = TenantEntryItem.read(raw) if raw is not None else None
    return entry.test_tenant if entry is not None and entry.status != "active" else None


def _enter_half_made(table: Table, tenant: str) -> None:
    """Enter an environment whose making broke off, as suspended: what there is of it is removed like any other."""
    is_half_made = table.get(keys.tenant_entry(tenant)) is None and table.get(keys_access.removal(tenant)) is None
    if is_half_made:
        with suppress(ConditionFailed):
            entry = TenantEntryItem.at(keys.tenant_entry(tenant), tenant=tenant, status="suspended", due_shards=1)
            table.put(entry, NOT_THERE_YET)
