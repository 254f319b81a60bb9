"""Asking a snapshot: the columns, with what has changed since read from the table. Exact as of the changes relayed so far.

A snapshot that is missing, too old or damaged costs time: the members concerned are read from the table, and it is made again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from shared.kernel.ids import ulid_millis
from shared.kernel.instants import Instant
from shared.snapshots.columns import Columns, Mask
from shared.snapshots.files import Files
from shared.snapshots.model import TRUSTED, Manifest, ObjectStore, Shard
from shared.snapshots.repository import SnapshotRepository
from shared.tenants.scope import TenantScope


class Piece(NamedTuple):
    """Columns, and which of their rows count: not those that a younger object has, nor who is gone or has changed since."""

    columns: Columns
    live: Mask


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A tenant's snapshot as it was opened. Shards are read one at a time, so that memory does not grow with the tenant."""

    manifest: Manifest
    changed: frozenset[str]
    """Members who have changed since: read them with ``load_members``."""
    _files: Files

    @property
    def as_of(self) -> Instant:
        """What the columns hold was so then."""
        return self.manifest.as_of

    @property
    def shards(self) -> tuple[Shard, ...]:
        """The shards, by rising id."""
        return self.manifest.shards

    def pieces(self, shard: Shard) -> list[Piece]:
        """The columns of a shard: base and what is younger. ``Lost`` if an object is damaged or not there."""
        base, young = self._files.read_shard(shard)
        old = base.mask_of(self.changed) | (base["member/gone"] > 0)
        if young is None:
            return [Piece(base, ~old)]
        old |= base.mask_of(member.decode() for member in young.ids.tolist())
        return [Piece(base, ~old), Piece(young, ~(young.mask_of(self.changed) | (young["member/gone"] > 0)))]

    def range_of(self, shard: Shard) -> tuple[str, str]:
        """The ids between which the shard's members are: the last before them, and the first of the next shard."""
        number = self.shards.index(shard)
        following = self.shards[number + 1].first if number + 1 < len(self.shards) else "~"
        return _before(shard.first), following


def open_snapshot(scope: TenantScope, store: ObjectStore, now: Instant | None = None) -> Snapshot | None:
    """The tenant's snapshot with what has changed since; ``None`` if there is none to trust. One read, one Query of the marks.

    ``now``: the wall clock, which marks are named by; the scope's clock where it is not moved.
    """
    repository = SnapshotRepository(scope)
    manifest = repository.manifest()
    if manifest is None or ulid_millis(manifest.watermark) < (scope.clock() if now is None else now) - TRUSTED:
        return None
    changed, _, _ = repository.marks_after(manifest.watermark)
    return Snapshot(manifest, frozenset(changed), Files(scope.tenant, store))


def _before(first: str) -> str:
    """Sorts directly before an id (and after every id that sorts before that)."""
    return first[:-1] + chr(ord(first[-1]) - 1) + "~" if first else ""
