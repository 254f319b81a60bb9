"""Making a snapshot from the table: the list of members is walked in order of id, and every so many members become a shard.

Resumable: after each shard the progress is written down, so that a worker killed between any two steps repeats a shard at most. What
changes meanwhile is marked as always, and the watermark is from before the first member was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from shared.kernel.ids import new_ulid
from shared.kernel.instants import Clock
from shared.observability.logs import logger
from shared.snapshots.building import Builder
from shared.snapshots.files import Files
from shared.snapshots.late import tick_late
from shared.snapshots.loading import chunks, listed, load_stored
from shared.snapshots.model import ABANDONED, ROWS_PER_SHARD, SETTLE, Build, Manifest, ObjectStore, Shard, mark_before
from shared.snapshots.repository import SnapshotRepository
from shared.tenants.scope import TenantScope

TIME_TO_STOP_MS: Final = 20_000
"""With less left than this the shard is written as it is, and a new message goes on."""
ROUNDS: Final = 3
_READ_TOGETHER: Final = 500


class StillContended(Exception):
    """The manifest was swapped again and again. The message is repeated."""


class Queue(Protocol):
    """The function's own queue."""

    def send(self, body: Mapping[str, Any], delay_seconds: int = 0) -> None:
        """Send one message."""


def ask(scope: TenantScope, own: Queue) -> None:
    """Have the snapshot made; while it is being made already, nothing happens."""
    own.send({"kind": "rebuild", "tenant": scope.tenant})


def rebuild(scope: TenantScope, store: ObjectStore, own: Queue, wall: Clock, build_id: str | None = None) -> bool:
    """Begin, or go on with the rebuild of that id. ``False`` if there is more to do, or somebody else does it.

    Cost: half a read unit for each 4 KB of the list of members, and every member's state and history read consistently once.
    """
    run = _Rebuild(scope, store, wall)
    build = run.begin() if build_id is None else run.resume(build_id)
    if build is None:
        return False
    while not build.exhausted:
        if scope.effort().time_left_ms() < TIME_TO_STOP_MS:
            own.send({"kind": "rebuild", "tenant": scope.tenant, "build": build.id})
            return False
        if not run.shard(build):
            return False
    run.finish(build)
    return True


class _Rebuild:
    def __init__(self, scope: TenantScope, store: ObjectStore, wall: Clock) -> None:
        self._scope = scope
        self._repository = SnapshotRepository(scope)
        self._files = Files(scope.tenant, store)
        self._wall = wall

    def begin(self) -> Build | None:
        """A fresh build, unless one goes on that is not abandoned."""
        now, running = self._wall(), self._repository.build()
        if running is not None and running.touched_at > now - ABANDONED:
            return None
        revision = running.revision if running is not None else None
        build = Build(new_ulid(now), mark_before(now - SETTLE), now, revision=(revision or 0) + 1)
        return build if self._repository.save(build, revision) else None

    def resume(self, build_id: str) -> Build | None:
        """The build of that id, if it is still the one that goes on."""
        running = self._repository.build()
        return running if running is not None and running.id == build_id else None

    def shard(self, build: Build) -> bool:
        """Read and write one more shard; ``False`` if somebody else goes on with this build, or another."""
        builder, last, exhausted = Builder(), build.after, True
        for ids in chunks(listed(self._scope, after=build.after), min(_READ_TOGETHER, ROWS_PER_SHARD)):
            active = [loaded for loaded in load_stored(self._scope, ids) if loaded.state.is_considered]
            for loaded in active:
                builder.add(loaded.state)
            tick_late(self._scope, active, self._wall())
            last = ids[-1]
            if len(builder) >= ROWS_PER_SHARD or self._scope.effort().time_left_ms() < TIME_TO_STOP_MS:
                exhausted = False
                break
        name = ""
        if len(builder) or (exhausted and not build.shards):
            columns = builder.columns()
            name = self._files.write(columns, self._wall())
            first = columns.ids[0].decode() if build.shards else ""
            build.shards.append(Shard(first, name, len(columns), self._wall()))
        build.after, build.exhausted, build.touched_at, build.revision = last, exhausted, self._wall(), build.revision + 1
        if self._repository.save(build, build.revision - 1):
            return True
        self._files.drop((name,) if name else ())
        return False

    def finish(self, build: Build) -> None:
        """The swap. Done before, it changes nothing: a merge may have come since."""
        for _ in range(ROUNDS):
            before = self._repository.manifest()
            if before is not None and before.build == build.id:
                break
            generation, garbage = (before.generation + 1, before.objects) if before is not None else (1, set[str]())
            made = Manifest(generation, build.id, build.watermark, self._scope.clock(), tuple(build.shards), tuple(sorted(garbage)))
            if self._repository.swap(made, before):
                self._files.drop(before.garbage if before is not None else ())
                rows = sum(shard.rows for shard in made.shards)
                logger().info("snapshot made", extra={"tenant": self._scope.tenant, "members": rows, "shards": len(made.shards)})
                break
        else:
            raise StillContended
        self._repository.end(build)
