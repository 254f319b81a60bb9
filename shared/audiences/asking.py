"""A rule asked of all members: over the snapshot's columns first, then, of whom these cannot tell, from the table.

Everything is as of what the relay has delivered. Memory is that of one shard.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple, Protocol

import numpy as np

from shared.audiences.ranking import Order, rank_columns
from shared.audiences.sampling import texts
from shared.kernel.instants import Instant
from shared.member_state.model import Facts, MemberState
from shared.member_state.service import peek
from shared.observability.logs import logger
from shared.segments.compiler import CompiledSegments, compile_segments
from shared.segments.context import Context
from shared.segments.expanding import expanded, leaves_of
from shared.segments.parsing import Rule, StoredSegment
from shared.snapshots.columns import Mask
from shared.snapshots.container import Ints, Texts
from shared.snapshots.files import Lost
from shared.snapshots.loading import chunks, facts_of, listed, load_stored
from shared.snapshots.reading import Piece, Snapshot
from shared.snapshots.vectors import Vectors
from shared.tenants.scope import TenantScope

IN: Final = 1
OUT: Final = 0
UNDECIDED: Final = -1
TOGETHER: Final = 500
"""Members read from the table at a time."""


class Rebuild(Protocol):
    """Has the snapshot made (again); while it is being made already, nothing happens."""

    def __call__(self) -> None: ...


class Part(NamedTuple):
    """Members of a range of ids, by id: whether each is in, out, or undecided, and what an order ranks her by."""

    ids: Texts
    codes: Ints
    ranks: Ints

    def named(self, code: int) -> list[str]:
        """The ids that have a code, in order."""
        found: list[str] = self.ids[self.codes == code].astype("U").tolist()
        return found


@dataclass
class Question:
    """One rule, at an instant, in a tenant's meaning."""

    scope: TenantScope
    rule: Rule
    now: Instant
    context: Context
    order: Order | None = None
    lost: bool = field(default=False, init=False)
    """Whether an object of the snapshot was not there: its members are all undecided."""

    @cached_property
    def leaves(self) -> int:
        """Leaves, with those of the segments that are named."""
        return sum(1 for _ in leaves_of(expanded(self.rule, self.context)))

    @cached_property
    def _compiled(self) -> CompiledSegments:
        return compile_segments([StoredSegment("asked", 1, self.rule)], self.context)

    def parts(self, snapshot: Snapshot, after: str = "") -> Iterator[Part]:
        """All active members with an id beyond ``after``, in order. Who has changed since the snapshot is undecided."""
        changed = snapshot.manifest.spread(snapshot.changed)
        for number, shard in enumerate(snapshot.shards):
            first, following = snapshot.range_of(shard)
            if following <= after:
                continue
            undecided = changed.get(number, set())
            try:
                found = [self._asked(piece) for piece in snapshot.pieces(shard)]
            except Lost as error:
                logger().warning("shard lost", extra={"tenant": self.scope.tenant, "reason": str(error)})
                self.lost, found = True, []
                undecided |= set(listed(self.scope, first, following))
            unknown = texts(sorted(undecided))
            found.append(Part(unknown, np.full(len(unknown), UNDECIDED, np.int64), np.zeros(len(unknown), np.int64)))
            yield _beyond(after, found)

    def _asked(self, piece: Piece) -> Part:
        columns, live = piece
        inside, undecided = Vectors(columns, self.context, self.now).members(self.rule)
        ranks, unsure = rank_columns(self.order, columns, self.now)
        unknown: Mask = undecided | (inside & unsure)
        codes = np.where(unknown, UNDECIDED, np.where(inside, IN, OUT)).astype(np.int64)
        return Part(columns.ids[live], codes[live], ranks[live])

    def decide(self, ids: Iterable[str]) -> Iterator[tuple[MemberState, bool]]:
        """Members as they are in the table, advanced to the instant in memory, and whether each is in; only active ones.

        A request of 100 keys for each 50 of them; where personal facts are asked for, one of their keys beside it.
        """
        return ((state, is_in) for state, _, is_in in self.look(ids, facts=self._compiled.needs_facts))

    def look(self, ids: Iterable[str], *, facts: bool) -> Iterator[tuple[MemberState, Facts | None, bool]]:
        """The same with the personal facts, opened where they are wanted."""
        for chunk in chunks(ids, TOGETHER):
            active = [loaded for loaded in load_stored(self.scope, chunk) if loaded.state.is_considered]
            opened = facts_of(self.scope, active) if facts or self._compiled.needs_facts else {}
            for loaded in active:
                state = peek(self.scope, loaded, self.now)
                (code,) = self._compiled.membership(state, opened.get(state.member), self.now)
                yield state, opened.get(state.member), code > 0


def _beyond(after: str, parts: list[Part]) -> Part:
    """Several parts of one range as one, in order, without the ids up to ``after``."""
    ids = np.concatenate([part.ids.astype("S64") for part in parts])
    codes, ranks = (np.concatenate([part[place] for part in parts]) for place in (1, 2))
    order = np.argsort(ids, kind="stable")
    order = order[ids[order] > after.encode()]
    return Part(ids[order], codes[order], ranks[order])
