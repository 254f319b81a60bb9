"""Members that a rule is true of, a page at a time.

A page goes on behind the place of the last row: (rank, id). The rule is asked for the instant of the first page throughout, so that the
passing of time moves nobody. What changes between two pages (a purchase, a new snapshot) moves only the members whom it is about: one of
them may be shown again in her new place, or missed; everybody else is shown once.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from shared.audiences import api, drafts
from shared.audiences.asking import IN, OUT, TOGETHER, UNDECIDED, Question, Rebuild
from shared.audiences.columns import columns_of, personal_problems
from shared.audiences.preview import MOST_READ, everybody, refused_to_read
from shared.audiences.ranking import Order, rank_state
from shared.audiences.rows import Row, Rows
from shared.audiences.sampling import seed_of
from shared.definitions.errors import BrokenReference
from shared.kernel.errors import FieldError, Forbidden
from shared.kernel.instants import HOUR, Clock, format_rfc3339
from shared.kernel.pages import open_cursor, seal_cursor
from shared.snapshots.loading import chunks, listed
from shared.snapshots.model import ObjectStore
from shared.snapshots.reading import Snapshot, open_snapshot
from shared.storage import noting
from shared.tenants.scope import TenantScope

Place = tuple[int, int, str]
"""Where a row stands: see ``Order.key``."""
FIRST: Final[Place] = (-1, 0, "")
PAGE_READ: Final = 5_000
"""Members read from the table for a page by id; then it ends early, and the next one goes on."""
KEPT: Final = HOUR
"""So long the pages of a search are asked for one instant; an older cursor goes on at the present."""


@dataclass(frozen=True, slots=True)
class Cursors:
    """The key that cursors are signed with."""

    key: bytes


def search(
    scope: TenantScope, request: api.SearchRequest, store: ObjectStore, rebuild: Rebuild, wall: Clock, *, cursors: Cursors, personal: bool
) -> api.SearchPage:
    """A page. By id the objects behind the cursor are read, up to the page's end; in any other order all of them.

    ``SnapshotNotReady`` and ``TooManyUndecided`` as of an exact preview, but by id never. ``personal``: the caller may see personal data.
    """
    present = scope.clock()
    draft = drafts.of_body(scope, request.rule, present)
    order = _order(request, drafts.wallets_of(scope, present))
    columns = columns_of(request.columns, drafts.wallets_of(scope, present))
    problems = personal_problems(columns)
    if problems and not personal:
        raise Forbidden("Personal columns need the scope members:personal.", errors=problems)
    if problems:
        noting.want()
    list_of = f"{scope.tenant}|search|{seed_of(draft.text, request.order, str(request.descending)):x}"
    begin: dict[str, Any] = {"at": present, "place": FIRST}
    position = open_cursor(cursors.key, list_of, request.cursor) if request.cursor is not None else begin
    now = position["at"] if present - KEPT <= position["at"] <= present else present
    context = scope.definitions.at(now).segment_context
    question = Question(scope, draft.rule, now, context, order)
    walk = _Walk(question, open_snapshot(scope, store, wall()), order)
    after: Place = (position["place"][0], position["place"][1], position["place"][2])
    places, last = walk.by_id(after[2], request.limit) if walk.streams else walk.ranked(after, request.limit)
    if walk.snapshot is None or question.lost:
        rebuild()
    states = {state.member: state for state, _ in question.decide(place[2] for place in places)}
    rows = Rows(scope, columns, now, context).of([states[place[2]] for place in places if place[2] in states])
    more = seal_cursor(cursors.key, list_of, {"at": now, "place": last}) if last is not None else None
    data = tuple(api.SearchRow(member_id=member, columns=_there(row)) for member, row in rows)
    return api.SearchPage(data=data, as_of=format_rfc3339(now), next_cursor=more)


def _there(row: Row) -> Row:
    return {name: value for name, value in row.items() if value is not None}


def _order(request: api.SearchRequest, wallets: frozenset[str]) -> Order:
    by, _, wallet = request.order.partition(":")
    if wallet and wallet not in wallets:
        hint = FieldError("/order", "unknown_wallet", "there is no such programme with this wallet")
        raise BrokenReference("The order names what does not exist; see errors.", errors=(hint,))
    return Order(by, wallet, request.descending)  # type: ignore[arg-type]  # the pattern of the model names the same


class _Walk:
    """Finds the places of one page."""

    def __init__(self, question: Question, snapshot: Snapshot | None, order: Order) -> None:
        self._question = question
        self.snapshot = snapshot
        self._order = order
        self._read = 0

    @property
    def streams(self) -> bool:
        """Whether the order is that of the columns, so that a page ends as soon as it is full."""
        return self._order.by == "id"

    def by_id(self, after: str, limit: int) -> tuple[list[Place], Place | None]:
        """(the next rows behind an id, where the page after goes on)."""
        found: list[Place] = []
        for ids in self._candidates(after):
            unknown = [member for member, code in ids if code != IN]
            self._read += len(unknown)
            answers = {state.member: is_in for state, is_in in self._question.decide(unknown)}
            for member, code in ids:
                if code == IN or answers.get(member, False):
                    if len(found) == limit:
                        return found, found[-1]
                    found.append((0, 0, member))
            if self._read >= PAGE_READ:
                return found, (0, 0, ids[-1][0])
        return found, None

    def _candidates(self, after: str) -> Iterator[list[tuple[str, int]]]:
        """Who may be in, with what is known of her, by id."""
        if self.snapshot is None:
            for chunk in chunks(listed(self._question.scope, after), TOGETHER):
                yield [(member, UNDECIDED) for member in chunk]
            return
        for part in self._question.parts(self.snapshot, after):
            kept = part.codes != OUT
            ids = list(zip(part.ids[kept].astype("U").tolist(), part.codes[kept].tolist(), strict=True))
            for start in range(0, len(ids), TOGETHER):
                yield ids[start : start + TOGETHER]

    def ranked(self, after: Place, limit: int) -> tuple[list[Place], Place | None]:
        """The same in any order: everybody is ranked, and the next ones are kept."""
        key = self._order.key
        places = (key(rank, member) for member, rank in self._everybody())
        found = heapq.nsmallest(limit + 1, (place for place in places if place > after))
        return found[:limit], found[limit - 1] if len(found) > limit else None

    def _everybody(self) -> Iterator[tuple[str, int]]:
        if self.snapshot is None:
            yield from self._decided(everybody(self._question))
            return
        for part in self._question.parts(self.snapshot):
            inside = part.codes == IN
            yield from zip(part.ids[inside].astype("U").tolist(), part.ranks[inside].tolist(), strict=True)
            yield from self._decided(part.named(UNDECIDED))

    def _decided(self, ids: list[str]) -> Iterator[tuple[str, int]]:
        self._read += len(ids)
        if self._read > MOST_READ:
            raise refused_to_read(self._question, self._read)
        for state, is_in in self._question.decide(ids):
            if is_in:
                yield state.member, rank_state(self._order, state, self._question.now)
