"""Rules asked of a tenant as previews and exports ask them: over the snapshot, then of the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shared.audiences.asking import IN, UNDECIDED, Question
from shared.kernel.instants import Instant
from shared.segments.context import Context
from shared.segments.parsing import Rule
from shared.snapshots.loading import listed
from shared.snapshots.model import ObjectStore
from shared.snapshots.reading import open_snapshot
from shared.tenants.scope import TenantScope


def members_in(
    scope: TenantScope,
    store: ObjectStore,
    rules: Sequence[Rule],
    now: Instant,
    context: Context | None = None,
    rebuild: Callable[[], None] = lambda: None,
    wall: Instant | None = None,
) -> list[set[str]]:
    """For each rule who is in it now. ``rebuild`` is called if the snapshot is not there, or not whole."""
    snapshot = open_snapshot(scope, store, wall)
    questions = [Question(scope, rule, now, context or scope.definitions.at(now).segment_context) for rule in rules]
    found = []
    for question in questions:
        inside: set[str] = set()
        unknown = list(listed(scope)) if snapshot is None else []
        for part in question.parts(snapshot) if snapshot is not None else ():
            inside.update(part.named(IN))
            unknown += part.named(UNDECIDED)
        found.append(inside | {state.member for state, is_in in question.decide(unknown) if is_in})
    if snapshot is None or any(question.lost for question in questions):
        rebuild()
    return found
