"""Comparing a snapshot with the table: for people and tests, since it reads every member."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from shared.kernel.instants import Instant
from shared.snapshots.columns import Columns
from shared.snapshots.files import Lost
from shared.snapshots.loading import chunks, listed, load_members
from shared.snapshots.merging import columns_of_stored
from shared.snapshots.model import ObjectStore
from shared.snapshots.reading import open_snapshot
from shared.tenants.scope import TenantScope

_TOGETHER: Final = 500
_COMPARED: Final = ("version", "timer", "joined_at", "first_at", "last_at", "count", "value", "profiled", "devices", "tier_since")


def differences(scope: TenantScope, store: ObjectStore, wall: Instant) -> Iterator[str]:
    """What the snapshot, with the members that it knows to have changed, says otherwise than the table. Nothing, if all is well.

    A change that is still on its way from the table's stream is a difference.
    """
    snapshot = open_snapshot(scope, store, wall)
    if snapshot is None:
        yield "there is no snapshot to trust"
        return
    for shard in snapshot.shards:
        known: set[str] = set()
        try:
            pieces = snapshot.pieces(shard)
        except Lost as lost:
            yield f"{shard.base}: {lost}"
            continue
        for piece in pieces:
            columns = piece.columns.without(~piece.live)
            known.update(member.decode() for member in columns.ids.tolist())
            yield from _compared(scope, columns)
        for ids in chunks(listed(scope, *snapshot.range_of(shard)), _TOGETHER):
            unknown = [member for member in ids if member not in known and member not in snapshot.changed]
            yield from (f"{member}: not in the snapshot" for member in load_members(scope, unknown))


def _compared(scope: TenantScope, columns: Columns) -> Iterator[str]:
    for ids in chunks((member.decode() for member in columns.ids.tolist()), _TOGETHER):
        stored = columns_of_stored(scope, ids)
        rows = columns.rows_of(ids)
        for row, other in zip(rows.tolist(), range(len(stored)), strict=True):
            member = columns.ids[row].decode()
            if stored["member/gone"][other]:
                yield f"{member}: gone from the table"
                continue
            differing = [name for name in _COMPARED if columns[f"member/{name}"][row] != stored[f"member/{name}"][other]]
            if differing:
                yield f"{member}: {', '.join(differing)}"
