"""STATE, its history, and the ledger: items <-> state. One consistent Query is the one read of a decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from shared.kernel.errors import ConcurrentUpdate
from shared.kernel.ids import new_ulid, shard_of
from shared.kernel.instants import Instant
from shared.member_state.cells_codec import decode_cells, encode_cells
from shared.member_state.codec import decode_state, encode_state
from shared.member_state.contact import touched_before
from shared.member_state.effects import DomainEvent, Effects, LedgerEntry
from shared.member_state.errors import ErasedMember, UnknownMember
from shared.member_state.model import MAX_FORMER, Facts, MemberState
from shared.privacy.keyring import MemberCipher
from shared.storage import keys
from shared.storage.errors import RawItem
from shared.storage.expressions import Condition, Path
from shared.storage.items import HistoryItem, LedgerItem, StateItem
from shared.storage.packing import pack, unpack
from shared.storage.table import NOT_THERE_YET, Table, WriteBatch
from shared.wallet.model import Posting

Booked = tuple[str, Instant, list[LedgerEntry]]
"""A ledger item: (ulid, committed at, entries)."""
STATE_LABEL = "state"
FACTS_GROUP = "facts"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a commit says of itself in its envelope."""

    committed_at: Instant
    correlation: str = ""
    mode: str = "live"
    due_shards: int = 1


@dataclass(slots=True)
class Loaded:
    """A member as read: the state, and what the next write must agree with."""

    state: MemberState
    history_version: int = 0
    history: dict[str, Any] | None = None
    """The history item, kept for deciding again without reading it again."""
    sealed_facts: bytes | None = None

    def facts(self, cipher: MemberCipher) -> Facts:
        """The personal facts that leaves may ask for."""
        if self.sealed_facts is None:
            return Facts()
        birth_date, gender, language, *home = cipher.open_json(FACTS_GROUP, self.sealed_facts)
        return Facts(birth_date, gender, language, (home[0], home[1]) if home else None)


def seal_facts(facts: Facts, cipher: MemberCipher) -> bytes:
    """The facts as they are stored beside the state."""
    return cipher.seal_json(FACTS_GROUP, [facts.birth_date, facts.gender, facts.language, *(facts.home or ())])


class StateRepository:
    """The states of one tenant's members."""

    def __init__(self, tenant: str, table: Table) -> None:
        self.tenant = tenant
        self.table = table

    def load(self, member: str) -> Loaded:
        """The member, by one consistent Query; a merged one leads to her survivor, an erased one is ``ErasedMember``.

        A step more for each merge that is still being carried out; afterwards every old id leads straight to who is left.
        """
        loaded = self.stands(member)
        if loaded.state.status == "erased":
            raise ErasedMember
        return loaded

    def stands(self, member: str) -> Loaded:
        """As ``load``, but for who was erased: what is left of her, so that it can be told who she was."""
        for _ in range(MAX_FORMER + 1):
            items, _more = self.table.query(keys.member(self.tenant, member), begins=keys.STATE, consistent=True)
            found = {raw["SK"]["S"]: raw for raw in items}
            if keys.STATE not in found:
                raise UnknownMember
            loaded = self.decode(member, found[keys.STATE], found.get(keys.HISTORY))
            if loaded.state.merged_into is None:
                return loaded
            member = loaded.state.merged_into
        raise UnknownMember

    def again(self, before: Loaded, raw: RawItem) -> Loaded:
        """The member from the state that stood in a commit's way; the history is read again only if it moved on too.

        ``ErasedMember`` if it was her erasure that stood there; ``ConcurrentUpdate`` if it was a merge: what has been gathered is about the
        one that she was, so that the call is to be made again.
        """
        loaded = self.decode(before.state.member, raw, before.history)
        if loaded.state.status == "erased":
            raise ErasedMember
        if loaded.state.merged_into is not None:
            raise ConcurrentUpdate("She was merged into another member meanwhile.")
        stale = loaded.history_version != (int(HistoryItem.read(before.history).history_version) if before.history else 0)
        return self.load(before.state.member) if stale else loaded

    def decode(self, member: str, raw: RawItem, history: RawItem | None) -> Loaded:
        """Stored items -> state."""
        values = StateItem.values(raw)
        state = decode_state(self.tenant, member, unpack(values["body"]))
        state.version = values["version"]
        state.status = values["status"]
        if history is not None:
            state.profile.history = decode_cells(unpack(HistoryItem.values(history)["body"]))
        return Loaded(state, values.get("history_version", 0), history, values.get("facts"))

    def add_writes(self, batch: WriteBatch, loaded: Loaded, effects: Effects, stamp: Stamp, prefix: str = "") -> None:
        """The writes of a commit about a member: STATE under its version, the history if it changed, one ledger item.

        ``loaded.state`` is the state after the fold, still carrying the version that was read. ``prefix`` keeps the labels of two
        members of one commit apart.
        """
        state, expected = loaded.state, loaded.state.version
        state.version = expected + 1
        history_version = loaded.history_version + int(effects.history_changed)
        touched = touched_before(state, effects.events) if stamp.mode != "historical" else ()
        item = self._state_item(state, loaded.sealed_facts, history_version, envelope(effects.events, stamp, touched), stamp)
        unchanged: Condition = Path("version") == expected if expected else NOT_THERE_YET
        batch.put_raw(prefix + STATE_LABEL, item, unchanged, old=True)
        if effects.history_changed:
            cells = pack(encode_cells(state.profile.history))
            key = keys.history(self.tenant, state.member)
            batch.put_raw(f"{prefix}history", HistoryItem.raw(key, history_version=history_version, body=cells))
        if effects.entries:
            # Times and lots are restated in each posting, so that the balance can be proven from the ledger alone.
            ulid = new_ulid(stamp.committed_at)
            body = pack([stamp.committed_at, [_entry_row(entry) for entry in effects.entries]])
            key = keys.ledger(self.tenant, state.member, ulid)
            batch.put_raw(f"{prefix}ledger", LedgerItem.raw(key, kind=effects.entries[-1].kind, body=body))

    def _state_item(self, state: MemberState, facts: bytes | None, history_version: int, out: str | None, stamp: Stamp) -> RawItem:
        waits = state.timer is not None and state.status == "active"
        return StateItem.raw(
            keys.state(self.tenant, state.member),
            version=state.version,
            status=state.status,
            body=pack(encode_state(state)),
            facts=facts if state.status == "active" else None,
            history_version=history_version,
            out=out,
            GSI1PK=keys.due(self.tenant, shard_of(state.member, stamp.due_shards)) if waits else None,
            GSI1SK=keys.due_at(state.timer or 0, f"M#{state.member}") if waits else None,
        )

    def ledger_of(self, state: MemberState, limit: int, start: str | None) -> tuple[list[Booked], str | None]:
        """A page of her whole ledger, newest first, with what was booked for members who turned out to be her: those ledgers stay where
        they are. One Query a ledger.

        The sort keys of all of them are instants, so that one place to go on from is the place in each.
        """
        pages = [self.ledger(member, limit, start) for member in (state.member, *state.former)]
        if len(pages) == 1:
            return pages[0]
        rows = sorted((row for page, _ in pages for row in page), key=lambda row: row[0], reverse=True)
        is_more = len(rows) > limit or any(last for _, last in pages)
        shown = rows[:limit]
        return shown, f"{keys.LEDGER_PREFIX}{shown[-1][0]}" if shown and is_more else None

    def ledger(self, member: str, limit: int, start: str | None) -> tuple[list[Booked], str | None]:
        """A page of the ledger items of one member, newest first. ``ledger_of`` has those of whom she was, too."""
        pk = keys.member(self.tenant, member)
        after: RawItem | None = {"PK": {"S": pk}, "SK": {"S": start}} if start else None
        items, last = self.table.query(pk, begins=keys.LEDGER_PREFIX, limit=limit, start=after, forward=False)
        rows = []
        for raw in items:
            committed_at, entries = unpack(LedgerItem.read(raw).body)
            rows.append((raw["SK"]["S"].removeprefix(keys.LEDGER_PREFIX), committed_at, [_entry_of(row) for row in entries]))
        return rows, last["SK"]["S"] if last else None


def envelope(events: Sequence[DomainEvent], stamp: Stamp, touched: Sequence[str] = ()) -> str | None:
    """The ``out`` attribute: what the relay makes the commit's envelope from. ``None`` if nothing is to be told.

    ``{"t": committed at, "c": correlation id, "m": mode, "w": campaigns that touched her, "e": [[type, occurred at, data, cause], ...]}``;
    tenant, aggregate and sequence are the item's own key and version.
    """
    if not events:
        return None
    rows = [[event.type, event.occurred_at, event.data, *([event.cause] if event.cause else [])] for event in events]
    body: dict[str, Any] = {"t": stamp.committed_at, "e": rows}
    if stamp.correlation:
        body["c"] = stamp.correlation
    if stamp.mode != "live":
        body["m"] = stamp.mode
    if touched:
        body["w"] = list(touched)
    return to_json(body).decode()


def _entry_row(entry: LedgerEntry) -> list[Any]:
    postings = [_posting_row(each) for each in entry.postings]
    row = [entry.kind, entry.at, entry.reference, postings]
    return [*row, entry.reason, entry.actor] if entry.reason or entry.actor else row


def _posting_row(each: Posting) -> list[Any]:
    row = [each.wallet, each.kind, each.points, each.available_at, each.expires_at]
    return [*row, each.awaits] if each.awaits else row


def _entry_of(row: list[Any]) -> LedgerEntry:
    kind, at, reference, postings, *by_hand = row
    return LedgerEntry(kind, at, tuple(Posting(*each) for each in postings), reference, *by_hand)
