"""Noting who has changed: one item a batch and tenant, however many members and commits it has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from shared.kernel.instants import MINUTE, SECOND, Instant
from shared.snapshots.repository import SnapshotRepository
from shared.tenants.scope import TenantScope

MERGE_EVERY: Final = 5 * MINUTE
"""A tenant's changes are merged at most so often, as far as one execution environment knows."""


class Queue(Protocol):
    """The function's own queue."""

    def send(self, body: dict[str, Any], delay_seconds: int = 0) -> None:
        """Send one message."""


@dataclass(slots=True)
class MergesAsked:
    """When this environment last asked for a tenant's merge."""

    at: dict[str, Instant] = field(default_factory=dict)


@dataclass(slots=True)
class Batch:
    """Members by tenant."""

    members: dict[str, set[str]] = field(default_factory=dict)

    @property
    def tenants(self) -> list[str]:
        """Of whom there is something to mark."""
        return list(self.members)

    def add(self, tenant: str, member: str) -> None:
        """A member has changed."""
        self.members.setdefault(tenant, set()).add(member)

    def mark(self, scope: TenantScope, own: Queue, asked: MergesAsked, wall: Instant) -> None:
        """Write the tenant's mark, and ask for a merge if none was asked for lately."""
        SnapshotRepository(scope).mark(self.members[scope.tenant], wall)
        last = asked.at.get(scope.tenant)
        if last is None or not last <= wall < last + MERGE_EVERY:
            own.send({"kind": "merge", "tenant": scope.tenant}, MERGE_EVERY // SECOND)
            asked.at[scope.tenant] = wall
