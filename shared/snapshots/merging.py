"""Keeping a snapshot fresh: members that have changed are noted (``mark``), and every few minutes read and written beside the base.

    event of a member -> mark (one item a batch and tenant) -> merge, delayed: marks after the watermark -> their members read from the
    table -> new young objects (or, when there are many, new bases) -> the manifest swapped under its generation

Marks may come twice and in any order: a merge reads what the members are now, so that merging again changes nothing. Of two merges at
once one loses the swap and starts over; of a member who is in two objects the newer version counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, Protocol

import numpy as np

from shared.kernel.ids import ulid_millis
from shared.kernel.instants import SECOND, Clock, Instant
from shared.member_state.repository import Loaded
from shared.observability.logs import logger
from shared.snapshots import rebuilding
from shared.snapshots.building import Builder
from shared.snapshots.columns import Columns
from shared.snapshots.files import Files, Lost
from shared.snapshots.late import tick_late
from shared.snapshots.loading import chunks, load_stored
from shared.snapshots.model import (
    REFRESHED,
    RENEW_AFTER,
    ROWS_PER_SHARD,
    SETTLE,
    TRUSTED,
    Manifest,
    ObjectStore,
    Shard,
    mark_before,
)
from shared.snapshots.repository import SnapshotRepository
from shared.tenants.scope import TenantScope

MOST_MEMBERS: Final = 20_000
"""Members of one merge; more are left for the next one, which follows at once."""
ROUNDS: Final = 3
"""How often a merge that lost the swap starts over before it leaves it to the message's repetition."""
_FOLLOWS: Final = SETTLE // SECOND + 5
_READ_TOGETHER: Final = 500


class StillContended(Exception):
    """Others merge all the time. The message is repeated."""


class Queue(Protocol):
    """The function's own queue."""

    def send(self, body: Mapping[str, Any], delay_seconds: int = 0) -> None:
        """Send one message."""


def merge(scope: TenantScope, store: ObjectStore, own: Queue, wall: Clock) -> bool:
    """Bring the snapshot up to the marks. ``False`` if there is none to bring up: then a rebuild is begun.

    Cost: one Query of the marks, the changed members' items, and for each shard with changes one object read and one written.
    """
    for _ in range(ROUNDS):
        manifest = SnapshotRepository(scope).manifest()
        if manifest is None or ulid_millis(manifest.watermark) < wall() - TRUSTED:
            rebuilding.ask(scope, own)
            return False
        run = _Merge(scope, store, manifest, wall())
        try:
            done = run.run()
        except Lost as lost:
            run.undo()
            logger().warning("snapshot lost", extra={"tenant": scope.tenant, "reason": str(lost)})
            rebuilding.ask(scope, own)
            return False
        if done:
            if run.left:
                own.send({"kind": "merge", "tenant": scope.tenant}, _FOLLOWS)
            return True
        run.undo()
    raise StillContended


class _Merge:
    """One attempt over one generation."""

    def __init__(self, scope: TenantScope, store: ObjectStore, manifest: Manifest, wall: Instant) -> None:
        self._scope = scope
        self._repository = SnapshotRepository(scope)
        self._files = Files(scope.tenant, store)
        self._manifest = manifest
        self._wall = wall
        self._written: list[str] = []
        self.left = False
        """Whether marks are left that were not read."""

    def run(self) -> bool:
        """``False`` if another generation has come."""
        manifest = self._manifest
        as_of = self._scope.clock()
        changed, last, complete = self._repository.marks_after(manifest.watermark, MOST_MEMBERS)
        self.left = not complete
        old = manifest.shards
        shards: list[Shard] = []
        spread = manifest.spread(changed)
        for number, shard in enumerate(old):
            shards += self._merged(shard, spread[number]) if number in spread else [shard]
        quiet = not changed and ulid_millis(manifest.watermark) > self._wall - REFRESHED
        if quiet:
            return True
        # Nobody may still write a mark that sorts before it.
        watermark = mark_before(self._wall - SETTLE)
        merged = replace(
            manifest,
            generation=manifest.generation + 1,
            watermark=max(manifest.watermark, watermark if complete else min(last, watermark)),
            as_of=as_of if complete else manifest.as_of,
            shards=tuple(shards),
        )
        merged = replace(merged, garbage=tuple(sorted(manifest.objects - merged.objects)))
        if not self._repository.swap(merged, manifest):
            return False
        self._files.drop(manifest.garbage)
        return True

    def undo(self) -> None:
        """Delete what was written for nothing."""
        self._files.drop(tuple(self._written))

    def _merged(self, shard: Shard, members: set[str]) -> list[Shard]:
        """The shard with what the members are now; two of it, if it has become too large."""
        young = columns_of_stored(self._scope, members, lambda several: tick_late(self._scope, several, self._wall))
        if shard.young:
            young = self._files.read(shard.young).joined(young)
        changed = replace(shard, young_rows=len(young))
        # Who is gone is taken out of the base at once: nothing of an erased member stays behind longer than until the next merge.
        somebody_gone = bool((young["member/gone"] > 0).any())
        if not (changed.is_ripe or somebody_gone or shard.made_at <= self._wall - RENEW_AFTER):
            return [replace(changed, young=self._write(young))]
        base = self._files.read(shard.base).joined(young).alive()
        return [
            Shard(first, self._write(part), len(part), self._wall)
            for first, part in _split(shard.first, base)
        ]

    def _write(self, columns: Columns) -> str:
        name = self._files.write(columns, self._wall)
        self._written.append(name)
        return name


def columns_of_stored(scope: TenantScope, members: Iterable[str], seen: Callable[[list[Loaded]], None] = lambda _several: None) -> Columns:
    """The columns of members as they are in the table now; of who is not there any more, that she is gone. ``seen`` is shown them too."""
    builder, missing = Builder(), set(members)
    for chunk in chunks(sorted(missing), _READ_TOGETHER):
        several = list(load_stored(scope, chunk))
        for loaded in several:
            missing.discard(loaded.state.member)
            builder.add(loaded.state)
        seen(several)
    for member in missing:
        builder.add_gone(member)
    return builder.columns()


def _split(first: str, base: Columns) -> Iterator[tuple[str, Columns]]:
    """The base, or from twice the usual size on several, each with the id that it begins with."""
    if len(base) < 2 * ROWS_PER_SHARD:
        yield first, base
        return
    pieces = len(base) // ROWS_PER_SHARD
    piece = np.arange(len(base)) * pieces // len(base)
    for number in range(pieces):
        part = base.without(piece != number)
        yield (first if number == 0 else part.ids[0].decode()), part


