"""The minute's sweep: wake whatever is due. The index is only a hint, and an entry leaves it by being re-armed alone, so
lateness, outages and repeated messages heal themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from shared.kernel.errors import InvalidValue
from shared.member_state.service import tick_member
from shared.observability.logs import logger
from shared.storage import keys
from shared.storage.errors import RawItem
from shared.storage.items import TenantEntryItem
from shared.storage.table import Table
from shared.tenants.scope import ForeignKey, TenantScope

PAGE: Final = 100
TIME_TO_STOP_MS: Final = 8_000
"""With less left than this a worker goes on in a new message."""
_FIRST: Final = "0"
"""Sorts before every instant."""


class Queue(Protocol):
    """Where messages go (SQS; a list in tests)."""

    def send(self, body: Mapping[str, Any], delay_seconds: int = 0) -> None:
        """Send one message."""

    def send_all(self, bodies: Sequence[Mapping[str, Any]]) -> None:
        """Send many."""


def sweep(table: Table, queue: Queue) -> int:
    """One message per shard of every active tenant; answers how many. One Query per MB of tenants."""
    messages: list[dict[str, Any]] = []
    for raw in table.query_all(keys.tenants(), begins="TENANT#"):
        entry = TenantEntryItem.read(raw)
        if entry.status == "active":
            messages += [{"kind": "sweep_tenant", "tenant": entry.tenant, "shard": shard} for shard in range(int(entry.due_shards))]
    queue.send_all(messages)
    return len(messages)


def sweep_tenant(scope: TenantScope, shard: int, after: str | None, own: Queue, planning: Queue) -> int:
    """Wake what is due in a shard, oldest first, until nothing is left or time is short; then the rest is a new message.

    One who cannot be woken is logged and stays due; the others go on. Answers how many were woken. Cost: one Query a page of
    the index, and per member one Query and one transaction.
    """
    if scope.definitions.settings.status != "active":
        # A sweep that was under way; what is due stays due.
        return 0
    partition, woken = keys.due(scope.tenant, shard), 0
    between = (after or _FIRST, keys.due_until(scope.clock()))
    start: RawItem | None = None
    while between[0] <= between[1]:
        entries, start = scope.table.query(partition, index="GSI1", between=between, limit=PAGE, start=start)
        for entry in entries:
            if scope.effort().time_left_ms() < TIME_TO_STOP_MS:
                own.send({"kind": "sweep_tenant", "tenant": scope.tenant, "shard": shard, "after": entry["GSI1SK"]["S"]})
                return woken
            woken += _wake(scope, entry, planning)
        if start is None:
            break
    return woken


def _wake(scope: TenantScope, entry: RawItem, planning: Queue) -> bool:
    aggregate = entry["GSI1SK"]["S"].partition("#")[2]
    kind, _, id_ = aggregate.partition("#")
    try:
        scope.own(entry["PK"]["S"])
        if kind == "M":
            if keys.member_of(entry["PK"]["S"]) != id_:
                raise ForeignKey("an index entry names another member than its key")
            return tick_member(scope, id_, scope.clock())
        if kind == "CAMP":
            planning.send({"kind": "campaign_due", "tenant": scope.tenant, "campaign": id_})
            return True
        raise InvalidValue(f"nobody wakes a {kind}")
    except Exception as error:  # one who cannot be woken must not keep the others asleep; the entry stays due
        logger().warning("not woken", extra={"tenant": scope.tenant, "aggregate": aggregate, "reason": type(error).__name__})
        return False
