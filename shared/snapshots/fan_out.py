"""The fan-out of a switch of segments or statistics, by snapshot: only members whom it concerns are read or written.

Over the columns the segments that the switch affects are asked at its very instant. Concerned is who is not in what she should be in,
who must be looked at earlier than her timer says, and whose timer is due. Who cannot be decided there, and who has changed since the
snapshot, is read and asked in memory. Everybody else meets the switch with her next event (``shared.segments.switching``).

A commit from before the switch that reaches the snapshot after all this is looked at as it is merged (``shared.snapshots.late``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from shared.definitions.model import Definition
from shared.kernel.instants import SECOND, Instant
from shared.member_state.effects import DomainEvent
from shared.observability.logs import logger
from shared.segments.fan_out import evaluate, know, note, try_again, wait
from shared.segments.progress import Progress, ProgressStore
from shared.segments.switching import Affected, affected, others_of
from shared.snapshots import rebuilding
from shared.snapshots.columns import Columns, Mask
from shared.snapshots.files import Lost
from shared.snapshots.late import concerned
from shared.snapshots.loading import chunks, load_stored
from shared.snapshots.model import ObjectStore, Shard
from shared.snapshots.reading import Piece, Snapshot, open_snapshot
from shared.snapshots.rebuilding import Queue
from shared.snapshots.repository import SnapshotRepository
from shared.snapshots.vectors import Vectors
from shared.tenants.scope import TenantScope

SETTLE: Final = 10 * SECOND
"""After the switch, until commits of just before it are marked. What takes longer is looked at when it is merged."""
PAGE: Final = 50
TIME_TO_STOP_MS: Final = 20_000
_REBUILT: Final = 30
"""Seconds after which it is looked whether the snapshot is there."""
_ROUNDS: Final = 3
_AFTER: Final = "after"


@dataclass(slots=True)
class Chosen:
    """Members of a shard: surely concerned, and those that must be read to know."""

    concerned: set[str] = field(default_factory=set)
    unclear: set[str] = field(default_factory=set)

    def sorted(self) -> list[str]:
        """All of them, by id."""
        return sorted(self.concerned | self.unclear)


def work(scope: TenantScope, store: ObjectStore, message: dict[str, Any], own: Queue, wall: Instant, lead: int) -> None:
    """Go on with a fan-out until it is complete, time is short, or its instant has not come: then it sends itself again.

    ``lead``: how far ahead a swap is announced, in milliseconds. Cost: a read of the progress and some writes of it, the snapshot's
    manifest, marks and objects; of a member who is concerned a read and a write, of an undecided one a read, of the others nothing.
    """
    if not wait(scope, message, own, SETTLE):
        _FanOut(scope, store, message, own, wall, lead).run()


class _FanOut:
    def __init__(self, scope: TenantScope, store: ObjectStore, message: dict[str, Any], own: Queue, wall: Instant, lead: int) -> None:
        self._scope, self._store, self._own, self._wall, self._lead = scope, store, own, wall, lead
        self._message = message
        self._switch: Instant = message["epoch"]
        self._progress = ProgressStore(scope, message["of"], message["id"], message["version"], message["epoch"])

    def run(self) -> None:
        """One message's worth."""
        progress = self._progress.read()
        if progress is None:
            return
        know(self._scope, self._switch)
        if progress.status != "complete":
            if not self._all(progress):
                return
            if progress.again:
                try_again(self._scope, progress, self._progress)
            self._complete(progress)
        self._announce_swap()

    def _all(self, progress: Progress) -> bool:
        """Look at everybody who may be concerned; ``False`` if a new message, or another worker, goes on."""
        changes = affected(self._scope.definitions, self._switch)
        for _ in range(_ROUNDS):
            snapshot = open_snapshot(self._scope, self._store, self._wall)
            if snapshot is None:
                break
            try:
                if progress.needed is None:
                    progress.needed = sum(len(self._choose(snapshot, shard, changes).sorted()) for shard in snapshot.shards)
                return all(self._shard(snapshot, shard, changes, progress) for shard in snapshot.shards)
            except Lost as lost:
                logger().warning("shard lost", extra={"tenant": self._scope.tenant, "reason": str(lost)})
                # Objects of a generation go two generations later: who reads for so long starts over.
                if SnapshotRepository(self._scope).manifest() == snapshot.manifest:
                    break
        rebuilding.ask(self._scope, self._own)
        self._own.send(self._message, _REBUILT)
        return False

    def _shard(self, snapshot: Snapshot, shard: Shard, changes: Affected, progress: Progress) -> bool:
        """Look at whom of a shard it may concern, in the order of their ids."""
        if progress.cursors.get(_AFTER, "") >= snapshot.range_of(shard)[1]:
            return True
        chosen = self._choose(snapshot, shard, changes)
        left = [member for member in chosen.sorted() if member > progress.cursors.get(_AFTER, "")]
        for page in chunks(left, PAGE):
            if self._scope.effort().time_left_ms() < TIME_TO_STOP_MS:
                self._own.send(self._message)
                return False
            self._page(page, chosen, progress)
            progress.cursors[_AFTER] = page[-1]
            if not self._progress.save(progress):
                return False
        return True

    def _page(self, page: list[str], chosen: Chosen, progress: Progress) -> None:
        unclear = load_stored(self._scope, [member for member in page if member not in chosen.concerned])
        behind = set(concerned(self._scope, list(unclear)))
        for member in page:
            done = evaluate(self._scope, member) if member in chosen.concerned or member in behind else True
            note(progress, member, done=done)

    def _choose(self, snapshot: Snapshot, shard: Shard, changes: Affected) -> Chosen:
        before, following = snapshot.range_of(shard)
        chosen = Chosen(unclear={member for member in snapshot.changed if before < member < following})
        for piece in snapshot.pieces(shard):
            surely, perhaps = choose(piece, changes, self._switch)
            chosen.concerned.update(_texts(piece.columns, surely))
            chosen.unclear.update(_texts(piece.columns, perhaps))
        return chosen

    # -- the swap ---------------------------------------------------------------------------------------------------

    def _version(self) -> Definition | None:
        if self._message["of"] != "segment":
            return None
        versions = (each for each in self._scope.definitions.definitions if (each.kind, each.id) == ("segment", self._message["id"]))
        return next((each for each in versions if each.version == self._message["version"]), None)

    def _complete(self, progress: Progress) -> None:
        version = self._version()
        is_new = version is not None and version.epoch == self._switch
        data: dict[str, object] = {"segment": self._message["id"], "segment_version": self._message["version"], "members": progress.done}
        now = self._scope.clock()
        told = [DomainEvent("segment.backfilled", now, data)] if is_new else []
        served = version if version is not None and is_new and version.served_at is None else None
        self._progress.complete(progress, told, served, now + self._lead)

    def _announce_swap(self) -> None:
        """Where the version replaced another, that one ends at the swap: a switch with a fan-out of its own."""
        version = self._version()
        if version is None or not version.swap or version.epoch != self._switch:
            return
        switch = {"of": "swap", "id": version.id, "version": version.version, "epoch": version.swap, "at": version.swap}
        self._own.send({"kind": "fan_out", "tenant": self._scope.tenant, **switch})


def choose(piece: Piece, changes: Affected, switch: Instant) -> tuple[Mask, Mask]:
    """(whom the switch surely concerns, who must be read to know) of some columns. Pure."""
    columns = piece.columns
    timer = columns["member/timer"]
    surely: Mask = timer <= switch
    perhaps: Mask = columns["member/as_of"] > switch
    vectors = Vectors(columns, changes.context, switch)
    for each in changes.segments:
        low, high = vectors.membership(each.rule)
        inside, outside = low > 0, high <= 0
        is_in = _in(columns, [f"{each.id}@{each.version}"])
        decided = inside | outside
        early = np.where(inside, low, -high) < timer
        exact = np.equal(low, high)
        surely = surely | (inside & ~is_in) | (outside & is_in) | (exact & early)
        perhaps = perhaps | ~decided | (early & ~exact)
    for key in changes.ended:
        surely = surely | (_in(columns, [key]) & ~_in(columns, others_of(key, changes.live)))
    behind = piece.live & (columns["member/epoch"] < switch)
    return surely & behind, perhaps & behind & ~surely


def _in(columns: Columns, keys: Iterable[str]) -> Mask:
    """Who is in any of the versions."""
    found = np.zeros(len(columns), np.bool_)
    for key in keys:
        found[columns["segment/owner"][columns.part("segment", key)]] = True
    return found


def _texts(columns: Columns, mask: Mask) -> Iterator[str]:
    texts: list[str] = columns.ids[mask].astype("U").tolist()
    return iter(texts)
