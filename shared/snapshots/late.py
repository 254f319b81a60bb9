"""Members whose commits from before a switch become known after its fan-out: looked at in memory as they are read for the snapshot."""

from __future__ import annotations

from collections.abc import Sequence

from shared.kernel.instants import Instant
from shared.member_state.repository import Loaded
from shared.segments.fan_out import evaluate
from shared.segments.switching import is_concerned
from shared.snapshots.loading import facts_of
from shared.snapshots.repository import SnapshotRepository
from shared.tenants.scope import TenantScope


def concerned(scope: TenantScope, several: Sequence[Loaded]) -> list[str]:
    """Those of the members whom a switch concerns that they have not met. The keys are read of those whose facts are asked for."""
    now, views = scope.clock(), scope.definitions.fold_at
    epoch = scope.definitions.epoch_at(now)
    behind = [loaded for loaded in several if loaded.state.is_considered and loaded.state.epoch < epoch]
    if not behind:
        return []
    facts = facts_of(scope, behind) if views(now).segments.needs_facts else {}
    return [each.state.member for each in behind if is_concerned(each.state, facts.get(each.state.member), views, now)]


def tick_late(scope: TenantScope, several: Sequence[Loaded], wall: Instant) -> None:
    """Evaluate whom a switch concerns. Who cannot be evaluated is marked again, so that the next merge tries her again."""
    failed = [member for member in concerned(scope, several) if not evaluate(scope, member)]
    if failed:
        SnapshotRepository(scope).mark(failed, wall)
