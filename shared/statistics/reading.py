"""Reading a tenant's statistics, and having them computed now."""

from __future__ import annotations

from typing import Any, Protocol

from shared.definitions.model import STATISTICS
from shared.kernel.errors import NotFound
from shared.kernel.instants import format_rfc3339
from shared.statistics import complements
from shared.statistics.api import ComplementAnswer, ComplementsAnswer, LifecycleCounts, RunAnswer, StatisticsAnswer
from shared.tenants.scope import TenantScope


class NoStatistics(NotFound):
    """None were computed yet."""

    code, title = "no_statistics", "No statistics yet"


class Queue(Protocol):
    """The queue of the function that has the snapshots."""

    def send(self, body: dict[str, Any], delay_seconds: int = 0) -> None:
        """Send one message."""


def newest(scope: TenantScope) -> StatisticsAnswer:
    """The newest statistics, in force or about to be. One Query of one item."""
    found = scope.repository.newest("statistics", STATISTICS)
    if found is None:
        raise NoStatistics
    body = found.body
    return StatisticsAnswer(
        version=found.version,
        computed_at=format_rfc3339(body["computed_at"]),
        effective_from=format_rfc3339(found.effective_from or 0),
        guests=body["members"],
        median_interval_days_e1=5 * body["median_interval2"],
        recency_days=tuple(body["recency"]),
        frequency=tuple(body["frequency"]),
        monetary=tuple(body["monetary"]),
        lifecycle=LifecycleCounts.model_validate(body["lifecycle"]),
    )


def run_now(scope: TenantScope, snapshots: Queue) -> RunAnswer:
    """Have them computed without waiting for the night. One message."""
    snapshots.send({"kind": "statistics_tenant", "tenant": scope.tenant, "forced": True})
    return RunAnswer()


def complements_of(scope: TenantScope, item: str) -> ComplementsAnswer:
    """What goes with an item. Half a read unit."""
    found = complements.of_item(scope, item)
    data = tuple(ComplementAnswer(item_id=each.item, days_together=each.together, lift_e2=each.lift_e2) for each in found)
    return ComplementsAnswer(item_id=item, data=data)
