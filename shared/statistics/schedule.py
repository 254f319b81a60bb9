"""When a tenant's statistics are computed: once a day, in an hour of its night that its name decides, so that not all come at once."""

from __future__ import annotations

import zlib
from typing import Final, Protocol

from shared.kernel.instants import HOUR, Instant, day_start, local_day
from shared.storage import keys
from shared.storage.items import TenantEntryItem
from shared.storage.table import Table
from shared.tenants.scope import TenantScope

QUIET_HOURS: Final = (1, 2, 3, 4, 5)
"""Hours after local midnight."""
_SPREAD: Final = 900
"""Seconds over which the messages of one hour are spread."""


class Queue(Protocol):
    """The function's own queue."""

    def send(self, body: dict[str, object], delay_seconds: int = 0) -> None:
        """Send one message."""


def spread(table: Table, queue: Queue) -> int:
    """Every hour: one message per active tenant, whose hour it may be; answers how many. One Query per MB of tenants."""
    sent = 0
    for raw in table.query_all(keys.tenants(), begins="TENANT#"):
        entry = TenantEntryItem.read(raw)
        if entry.status == "active":
            message: dict[str, object] = {"kind": "statistics_tenant", "tenant": entry.tenant, "forced": False}
            queue.send(message, zlib.crc32(entry.tenant.encode()) % _SPREAD)
            sent += 1
    return sent


def is_due(scope: TenantScope) -> bool:
    """Whether it is the tenant's hour."""
    return is_hour(scope.tenant, scope.clock(), scope.definitions.settings.time_zone)


def is_hour(tenant: str, now: Instant, zone: str) -> bool:
    """Whether an instant is in the tenant's hour of its local day."""
    since_midnight = (now - day_start(local_day(now, zone), zone)) // HOUR
    return since_midnight == QUIET_HOURS[zlib.crc32(tenant.encode()) % len(QUIET_HOURS)]
