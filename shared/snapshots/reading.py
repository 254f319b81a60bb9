"""Asking a snapshot: the columns, with what has changed since read from the table. Exact as of the changes relayed so far.

A snapshot that is missing, too old or damaged costs time: the members concerned are read from the table, and it is made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from shared.kernel.ids import ulid_millis
from shared.kernel.instants import Instant
from shared.member_state.repository import Loaded
from shared.member_state.service import peek
from shared.observability.logs import logger
from shared.segments.compiler import CompiledSegments, compile_segments
from shared.segments.context import Context
from shared.segments.parsing import Rule, StoredSegment
from shared.snapshots.columns import Columns, Mask
from shared.snapshots.files import Files, Lost
from shared.snapshots.loading import chunks, facts_of, listed, load_members, load_stored
from shared.snapshots.model import TRUSTED, Manifest, ObjectStore, Shard
from shared.snapshots.repository import SnapshotRepository
from shared.snapshots.vectors import Vectors
from shared.tenants.scope import TenantScope

_TOGETHER: Final = 500
"""Members read from the table at a time."""
_ROUNDS: Final = 3


def _no_rebuild() -> None:
    return


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


def evaluate_now(
    scope: TenantScope,
    store: ObjectStore,
    rules: Sequence[Rule],
    now: Instant,
    context: Context | None = None,
    rebuild: Callable[[], None] = _no_rebuild,
    wall: Instant | None = None,
) -> list[set[str]]:
    """For each rule exactly the members who are in it now. ``rebuild`` is called if the snapshot has to be made (again).

    ``context`` is what the rules mean; the tenant's at that instant, if none is given. ``wall``: as in ``open_snapshot``.

    Over what has not changed the rules are vectors; members who have changed, and those whom the vectors leave undecided, are read from
    the table and advanced to ``now`` in memory. Nothing is written.
    """
    meaning = scope.definitions.at(now).segment_context if context is None else context
    for attempt in range(_ROUNDS):
        snapshot = open_snapshot(scope, store, wall)
        evaluation = _Evaluation(scope, rules, now, meaning)
        if snapshot is None:
            rebuild()
            evaluation.read(listed(scope))
            break
        lost = evaluation.over(snapshot)
        # Objects of a generation go two generations later: who reads for so long starts over.
        if lost and attempt < _ROUNDS - 1 and SnapshotRepository(scope).manifest() != snapshot.manifest:
            continue
        if lost:
            rebuild()
        for shard in lost:
            evaluation.read(member for member in listed(scope, *snapshot.range_of(shard)) if member not in snapshot.changed)
        evaluation.read(snapshot.changed)
        break
    return evaluation.found


class _Evaluation:
    """Rules over one tenant at an instant."""

    def __init__(self, scope: TenantScope, rules: Sequence[Rule], now: Instant, context: Context) -> None:
        self._scope = scope
        self._rules = rules
        self._now = now
        self._context = context
        self._compiled: CompiledSegments | None = None
        self.found: list[set[str]] = [set() for _ in rules]

    def over(self, snapshot: Snapshot) -> list[Shard]:
        """Ask every shard; answers those that are lost."""
        lost: list[Shard] = []
        for shard in snapshot.shards:
            try:
                pieces = snapshot.pieces(shard)
            except Lost as error:
                logger().warning("shard lost", extra={"tenant": self._scope.tenant, "reason": str(error)})
                lost.append(shard)
                continue
            for piece in pieces:
                self.read(self._ask(piece))
        return lost

    def _ask(self, piece: Piece) -> list[str]:
        """Put down who is in; answers who must be read, because a rule cannot be decided here."""
        vectors = Vectors(piece.columns, self._context, self._now)
        answers = [vectors.members(rule) for rule in self._rules]
        undecided = np.zeros(len(piece.columns), np.bool_)
        for each in answers:
            undecided |= each.undecided
        undecided &= piece.live
        for found, each in zip(self.found, answers, strict=True):
            found.update(_texts(piece.columns, each.inside & piece.live & ~undecided))
        return _texts(piece.columns, undecided)

    def read(self, ids: Iterable[str]) -> None:
        """Ask members from the table, who are then exactly known."""
        for chunk in chunks(ids, _TOGETHER):
            active = [loaded for loaded in load_stored(self._scope, chunk) if loaded.state.status == "active"]
            for member, codes in self._codes(active):
                for found, code in zip(self.found, codes, strict=True):
                    if code > 0:
                        found.add(member)

    def _codes(self, active: list[Loaded]) -> Iterator[tuple[str, list[int]]]:
        if self._compiled is None:
            named = [StoredSegment(f"r{number}", 1, rule) for number, rule in enumerate(self._rules)]
            self._compiled = compile_segments(named, self._context)
        facts = facts_of(self._scope, active) if self._compiled.needs_facts else {}
        for loaded in active:
            state = peek(self._scope, loaded, self._now)
            yield state.member, self._compiled.membership(state, facts.get(state.member), self._now)


def _texts(columns: Columns, mask: Mask) -> list[str]:
    texts: list[str] = columns.ids[mask].astype("U").tolist()
    return texts


def _before(first: str) -> str:
    """Sorts directly before an id (and after every id that sorts before that)."""
    return first[:-1] + chr(ord(first[-1]) - 1) + "~" if first else ""


__all__ = ["Piece", "Snapshot", "evaluate_now", "load_members", "open_snapshot"]
