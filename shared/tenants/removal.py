"""Removing a tenant: everything of it, in every place, verified, with a certificate. The operator's use case, and a job that can be killed.

Progress is one item of the operator. Each step deletes something, then notes how far it is under the number of the step before; a step
that is done twice finds nothing the second time. The tables are read from end to end until a whole pass finds nothing of the tenant, so
whatever was written meanwhile goes too. Its keyring goes last: until then what is left could still be read, and after it nothing can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Protocol

from shared.kernel.errors import FieldError, NotFound, StateConflict, Unprocessable
from shared.kernel.ids import check_tenant
from shared.kernel.instants import MINUTE, SECOND, Clock, Instant, format_rfc3339
from shared.observability.logs import logger
from shared.storage import keys, keys_access, sweeping
from shared.storage.errors import ConditionFailed
from shared.storage.expressions import Condition, Path
from shared.storage.items import SettingsItem, TenantEntryItem
from shared.storage.items_access import RemovalItem
from shared.storage.keys import Key
from shared.storage.packing import pack, unpack
from shared.storage.revisions import put_next
from shared.storage.table import NOT_THERE_YET, Table
from shared.tenants.errors import TenantNotFound
from shared.tenants.model import TenantSettings
from shared.tenants.removal_api import REMOVING, RemovalAnswer, RemovalRequest
from shared.tenants.staff import names_of

SETTLE: Final = 3 * MINUTE
"""From the order to the first deletion: what was kept of the tenant's status is forgotten by then, and calls under way have ended."""
DATA_PREFIXES: Final = ("bulk/", "outbox/", "snapshots/", "exports/", "access/")
MEDIA_PREFIXES: Final = ("media/",)
PHASES: Final = ("items", "objects", "applications", "staff", "keys", "again", "keyring", "entry")
"""``again``: the main table once more, for what a worker may have written late."""
_TIME_TO_STOP_MS: Final = 30_000
"""One step deletes up to 500 items, one after the other."""
_MAX_WAIT_SECONDS: Final = 900


class TenantActive(StateConflict):
    """Only a suspended tenant is removed."""

    code, title = "tenant_active", "Tenant active"


class NoRemoval(NotFound):
    """The tenant is not being removed, and was not."""

    code, title = "no_removal", "No removal"


class Objects(Protocol):
    """The objects of one bucket."""

    def names(self, prefix: str) -> list[str]:
        """Some of the names that begin so; none when there are none left."""

    def delete_many(self, names: list[str]) -> None:
        """Delete them all; no error for one that is gone."""


class StaffUsers(Protocol):
    """The user pool of staff."""

    def names(self, begins: str) -> list[str]:
        """Some of the names that begin so; none when there are none left."""

    def delete(self, name: str) -> None:
        """Remove the user; no error for one who is gone."""


class Queue(Protocol):
    """Where the job's messages go (SQS; a list in tests)."""

    def send(self, body: Mapping[str, Any], delay_seconds: int = 0) -> None:
        """Send one message."""


@dataclass(frozen=True, slots=True)
class Removal:
    """How far a removal is. ``found`` is what this pass over a table has found, ``counts`` what was deleted, by phase."""

    tenant: str
    requested_by: str
    requested_at: Instant
    applications: tuple[str, ...] = ()
    phase: str = PHASES[0]
    revision: int = 1
    cursor: tuple[str, str] | None = None
    found: int = 0
    passes: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    finished_at: Instant | None = None

    def counted(self, number: int) -> dict[str, int]:
        """The counts with so many more of this phase."""
        return {**self.counts, self.phase: self.counts.get(self.phase, 0) + number}


@dataclass(frozen=True, slots=True)
class Tools:
    """What the job works with: both tables under its own role, buckets with the prefixes that tenants have objects below, SNS."""

    table: Table
    key_table: Table
    buckets: tuple[tuple[Objects, tuple[str, ...]], ...]
    delete_application: Callable[[str], None]
    staff: StaffUsers
    queue: Queue
    clock: Clock
    time_left_ms: Callable[[], int]


def begin(
    table: Table, settings_table: Callable[[str], Table], tenant: str, request: RemovalRequest, actor: str, queue: Queue, now: Instant
) -> RemovalAnswer:
    """Order the removal of a suspended tenant; again goes on with it, and after it answers the certificate. Three reads, two writes."""
    try:
        check_tenant(tenant)
    except ValueError:
        raise TenantNotFound from None
    if request.id != tenant:
        hint = FieldError("/id", "invalid_value", "the id in the path, repeated")
        raise Unprocessable("The body repeats the id of the tenant.", errors=(hint,))
    there, raw = load(table, tenant), table.get(keys.tenant_entry(tenant))
    if raw is None:
        if there is None:
            raise TenantNotFound
        return _again(there, queue, now)
    if TenantEntryItem.read(raw).status not in ("suspended", REMOVING):
        raise TenantActive("Suspend the tenant first.")
    if there is None:
        there = Removal(tenant, actor, now, _applications(settings_table(tenant), tenant))
        try:
            table.put(_item(there), NOT_THERE_YET)
        except ConditionFailed:
            there = load(table, tenant) or there
    is_ours: Condition = Path("status").is_in("suspended", REMOVING)
    try:
        table.update(keys.tenant_entry(tenant), [Path("status").set(REMOVING)], is_ours)
    except ConditionFailed:
        raise TenantActive("It was made active again at the same moment.") from None
    return _again(there, queue, now)


def show(table: Table, tenant: str) -> RemovalAnswer:
    """How far it is, or the certificate. 1 read."""
    try:
        found = load(table, tenant)
    except ValueError:
        raise NoRemoval from None
    if found is None:
        raise NoRemoval
    return answer_of(found)


def load(table: Table, tenant: str) -> Removal | None:
    """The removal as stored. 1 read."""
    raw = table.get(keys_access.removal(tenant))
    if raw is None:
        return None
    body = unpack(RemovalItem.read(raw).body)
    cursor = body.pop("cursor")
    body["applications"] = tuple(body["applications"])
    return Removal(**body, cursor=(cursor[0], cursor[1]) if cursor else None)


def work(tools: Tools, tenant: str) -> bool:
    """Go on with a removal until it is done or time is short; then the rest is a new message. Answers whether it is done."""
    removal = load(tools.table, tenant)
    if removal is None or removal.finished_at is not None:
        return True
    wait = removal.requested_at + SETTLE - tools.clock()
    if wait > 0:
        tools.queue.send(message(tenant), min(_MAX_WAIT_SECONDS, wait // SECOND + 1))
        return False
    while True:
        if tools.time_left_ms() < _TIME_TO_STOP_MS:
            tools.queue.send(message(tenant))
            return False
        after = replace(_step(tools, removal), revision=removal.revision + 1)
        if not put_next(tools.table, _item(after), after.revision):
            # Another worker has the same message, and is ahead.
            return False
        if after.finished_at is not None:
            logger().info("tenant removed", extra={"tenant": tenant, "counts": after.counts, "passes": after.passes})
            return True
        removal = after


def message(tenant: str) -> dict[str, Any]:
    """What goes into the queue."""
    return {"kind": "remove_tenant", "tenant": tenant}


def answer_of(removal: Removal) -> RemovalAnswer:
    """As the operator sees it."""
    done = removal.finished_at is not None
    return RemovalAnswer(
        tenant=removal.tenant,
        state="removed" if done else REMOVING,
        phase=None if done else removal.phase,
        requested_by=removal.requested_by,
        requested_at=format_rfc3339(removal.requested_at),
        finished_at=format_rfc3339(removal.finished_at) if removal.finished_at is not None else None,
        passes=removal.passes,
        deleted={phase: removal.counts.get(phase, 0) for phase in PHASES},
    )


def _again(removal: Removal, queue: Queue, now: Instant) -> RemovalAnswer:
    if removal.finished_at is None:
        wait = max(0, removal.requested_at + SETTLE - now)
        queue.send(message(removal.tenant), min(_MAX_WAIT_SECONDS, wait // SECOND))
    return answer_of(removal)


def _applications(table: Table, tenant: str) -> tuple[str, ...]:
    """The ARNs of its push applications: named in its settings, which are among the first things to go."""
    raw = table.get(keys.settings(tenant))
    if raw is None:
        return ()
    settings = TenantSettings.model_validate(unpack(SettingsItem.read(raw).body))
    return tuple(each.application_arn for each in settings.push.values())


def _step(tools: Tools, removal: Removal) -> Removal:
    """One step: what is deleted is deleted before it is noted."""
    match removal.phase:
        case "items" | "again":
            return _sweep(removal, tools.table, keep=frozenset())
        case "objects":
            return _objects(tools, removal)
        case "applications":
            return _application(tools, removal)
        case "staff":
            return _staff(tools, removal)
        case "keys":
            return _sweep(removal, tools.key_table, keep=frozenset({keys.tenant_keyring(removal.tenant)}))
        case "keyring":
            tools.key_table.delete(keys.tenant_keyring(removal.tenant))
            return _next(replace(removal, counts=removal.counted(1)))
    tools.table.delete(keys.tenant_entry(removal.tenant))
    return replace(removal, counts=removal.counted(1), finished_at=tools.clock())


def _sweep(removal: Removal, table: Table, keep: frozenset[Key]) -> Removal:
    """One page of a pass over a table. The phase is over when a whole pass has found nothing."""
    start = Key(*removal.cursor) if removal.cursor is not None else None
    found, more = sweeping.find(table, removal.tenant, start)
    doomed = [key for key in found if key not in keep]
    sweeping.delete(table, removal.tenant, doomed)
    here = replace(removal, found=removal.found + len(doomed), counts=removal.counted(len(doomed)))
    if more is not None:
        return replace(here, cursor=(more.pk, more.sk))
    passed = replace(here, cursor=None, found=0, passes=here.passes + 1)
    return _next(passed) if here.found == 0 else passed


def _objects(tools: Tools, removal: Removal) -> Removal:
    """Some objects of the first prefix that has any."""
    for bucket, prefixes in tools.buckets:
        for prefix in prefixes:
            names = bucket.names(f"{prefix}{removal.tenant}/")
            if names:
                bucket.delete_many(names)
                return replace(removal, counts=removal.counted(len(names)))
    return _next(removal)


def _application(tools: Tools, removal: Removal) -> Removal:
    """One push application, with its endpoints."""
    if not removal.applications:
        return _next(removal)
    first, *rest = removal.applications
    tools.delete_application(first)
    return replace(removal, applications=tuple(rest), counts=removal.counted(1))


def _staff(tools: Tools, removal: Removal) -> Removal:
    """Some of the users in the pool of staff. Found by what their names begin with, so that none is left that an item was lost of."""
    names = tools.staff.names(names_of(removal.tenant))
    for name in names:
        tools.staff.delete(name)
    return replace(removal, counts=removal.counted(len(names))) if names else _next(removal)


def _next(removal: Removal) -> Removal:
    return replace(removal, phase=PHASES[PHASES.index(removal.phase) + 1])


def _item(removal: Removal) -> RemovalItem:
    status = "removed" if removal.finished_at is not None else REMOVING
    return RemovalItem.at(keys_access.removal(removal.tenant), revision=removal.revision, status=status, body=pack(asdict(removal)))
