"""The daily job: quintiles, rhythm and complements from the snapshot, published where they have changed.

Statistics are a definition like any other: they hold from an instant on that every function knows of, and have an epoch, and with it a
fan-out, only where a segment that is evaluated looks at what has changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from shared.definitions.model import STATISTICS, Definition, DefinitionSet
from shared.definitions.repository import item_of
from shared.kernel.instants import Instant, local_day
from shared.member_state.effects import DomainEvent
from shared.member_state.repository import Stamp, envelope
from shared.observability.logs import logger
from shared.profile.statistics import Statistics, from_body, to_body
from shared.segments.context import Context
from shared.segments.expanding import expanded, leaves_of
from shared.segments.switching import stale_kinds
from shared.snapshots import rebuilding
from shared.snapshots.building import columns_of
from shared.snapshots.columns import Columns
from shared.snapshots.files import Lost
from shared.snapshots.loading import chunks, load_members
from shared.snapshots.model import ObjectStore
from shared.snapshots.reading import Piece, Snapshot, open_snapshot
from shared.snapshots.rebuilding import Queue
from shared.statistics import complements
from shared.statistics.computing import Sums
from shared.statistics.pairs import Days
from shared.storage import keys
from shared.storage.commit import Plan, Stale, commit
from shared.storage.expressions import Path
from shared.storage.table import NOT_THERE_YET, WriteBatch
from shared.tenants.scope import TenantScope

_READ_TOGETHER: Final = 500
_REBUILT: Final = 60
"""Seconds after which it is tried again, while the snapshot is made."""


def run(scope: TenantScope, store: ObjectStore, own: Queue, wall: Instant, lead: int, *, forced: bool) -> bool:
    """Compute and publish; ``False`` if there was nothing to do, or the snapshot is being made first.

    Cost: the snapshot's objects, who has changed since, the rows of complements; a write for each row that is another, and one
    transaction where the numbers are others. Where nobody has changed since the last time, nothing is read but manifest and marks.
    """
    snapshot = open_snapshot(scope, store, wall)
    newest = scope.repository.newest("statistics", STATISTICS)
    if snapshot is None:
        return _later(scope, own, forced=forced)
    idle = newest is not None and not snapshot.changed and snapshot.as_of <= newest.body["computed_at"]
    if idle and not forced:
        return False
    try:
        _compute(scope, snapshot, newest, lead)
    except Lost as lost:
        logger().warning("shard lost", extra={"tenant": scope.tenant, "reason": str(lost)})
        return _later(scope, own, forced=forced)
    return True


def _later(scope: TenantScope, own: Queue, *, forced: bool) -> bool:
    """Have the snapshot made first."""
    rebuilding.ask(scope, own)
    if forced:
        own.send({"kind": "statistics_tenant", "tenant": scope.tenant, "forced": True}, _REBUILT)
    return False


def _compute(scope: TenantScope, snapshot: Snapshot, newest: Definition | None, lead: int) -> None:
    now, context = scope.clock(), scope.definitions.at(scope.clock()).segment_context
    today = local_day(now, context.zone)
    window = today - context.profile.rfm_days + 1, today
    changed = [Piece(columns, columns["member/gone"] == 0) for columns in _changed(scope, snapshot)]
    sums, days = Sums(), Days()
    for piece in _pieces(snapshot, changed):
        sums.add(piece, context, now)
        days.add_items(piece, *window)
    among = days.most_bought()
    for piece in _pieces(snapshot, changed):
        days.add_pairs(piece, *window, among)
    complements.store(scope, days.complements())
    statistics = sums.statistics(now)
    body = to_body(statistics) | {"lifecycle": sums.lifecycle(context, statistics)}
    if newest is None or _numbers(newest.body) != _numbers(body):
        publish(scope, newest, body, lead)


def _pieces(snapshot: Snapshot, changed: Iterable[Piece]) -> Iterator[Piece]:
    """Everybody, one shard in memory at a time."""
    for shard in snapshot.shards:
        yield from snapshot.pieces(shard)
    yield from changed


def _changed(scope: TenantScope, snapshot: Snapshot) -> Iterator[Columns]:
    """The columns of who has changed since the snapshot."""
    for chunk in chunks(sorted(snapshot.changed), _READ_TOGETHER):
        yield columns_of(load_members(scope, chunk).values())


def publish(scope: TenantScope, newest: Definition | None, body: dict[str, Any], lead: int) -> Definition:
    """The next version, in force two cache times from now. The one before stays until then; older ones are deleted with the same write."""
    known, now = scope.repository.load(), scope.clock()
    since = max(now + lead, (newest.effective_from or 0) + 1 if newest is not None else 0)
    version = newest.version + 1 if newest is not None else 1
    epoch = since if _is_asked(known, since, from_body(body)) else 0
    made = Definition("statistics", STATISTICS, version, "published", body, changed_at=now, effective_from=since, epoch=epoch)
    data: dict[str, object] = {"kind": "statistics", "id": STATISTICS, "version": version, "epoch": epoch, "effective_from": since}
    out = envelope([DomainEvent("definition.published", now, data)], Stamp(now))
    old = [each for each in known.definitions if each.kind == "statistics" and each.version < version - 1]

    def plan(stale: Stale) -> Plan[Definition]:
        batch = WriteBatch()
        if stale:
            return Plan(batch, made)  # Somebody else published at the same moment, from the same members.
        batch.put("new", item_of(scope.tenant, made, out), NOT_THERE_YET)
        for each in old:
            batch.delete(f"old@{each.version}", keys.definition(scope.tenant, each.kind, each.id, each.version), Path("PK").exists())
        return Plan(batch, made)

    done = commit(scope.table, plan, effort=scope.effort())
    scope.cache.forget(scope.tenant)
    return done


def _is_asked(known: DefinitionSet, since: Instant, new: Statistics) -> bool:
    """Whether a segment that is evaluated then looks at a number that changes."""
    view = known.at(since)
    context: Context = replace(view.segment_context, statistics=new)
    stale = stale_kinds(view.statistics, new)
    stored = (known.segment(each.id, each.version) for each in view.live_segments)
    return any(leaf.kind in stale for each in stored if each is not None for leaf in leaves_of(expanded(each.rule, context)))


def _numbers(body: Any) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "computed_at"}
