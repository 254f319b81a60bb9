"""Entries, seals and the chain's head as stored items. Every cost is of DynamoDB's request units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from shared.audit.seals import FIRST, Leaf, Seal, pack_leaves, seal_of, unpack_leaves
from shared.kernel.errors import InvalidValue
from shared.kernel.instants import Instant
from shared.storage import keys_audit
from shared.storage.errors import ConditionFailed, RawItem
from shared.storage.expressions import Condition, Path
from shared.storage.items_audit import AuditHeadItem, AuditSealItem
from shared.storage.table import NOT_THERE_YET, Table, WriteBatch

_PAGE: Final = 25


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry as it lies there."""

    pk: str
    sk: str
    text: str

    @property
    def id(self) -> str:
        """The id that its key names."""
        return self.sk.partition("#")[2]

    def in_place(self, tenant: str) -> bool:
        """Whether the key is the one that belongs to its id."""
        try:
            return keys_audit.entry(tenant, self.id) == (self.pk, self.sk)
        except InvalidValue:
            return False


@dataclass(frozen=True, slots=True)
class StoredSeal:
    """A seal as it lies there: its text, and the leaves beside it."""

    sk: str
    text: str
    leaves: tuple[Leaf, ...]

    @property
    def seal(self) -> Seal:
        """What its text says."""
        return seal_of(self.text)


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain ends. ``locked``: the last seal that the bucket has for certain."""

    sequence: int
    hash: str
    locked: int
    looked: Instant


class AuditRepository:
    """One tenant's entries and chain."""

    def __init__(self, tenant: str, table: Table) -> None:
        self.tenant = tenant
        self._table = table

    def entries(self, since: Instant, until: Instant) -> Iterator[StoredEntry]:
        """Entries of these instants, both included, by day and shard. A Query for each shard of each day, and one more a MB."""
        between = (keys_audit.since(since), keys_audit.until(until))
        for day in keys_audit.days(since, until):
            for shard in range(keys_audit.SHARDS):
                partition, start = keys_audit.entries(self.tenant, f"{day}#{shard}"), None
                while True:
                    raws, start = self._table.query(partition, between=between, start=start)
                    yield from (_entry(raw) for raw in raws)
                    if start is None:
                        break

    def newest(self, day_and_shard: str, since: Instant, before: str, limit: int) -> list[StoredEntry]:
        """At most so many entries of a shard from an instant on and before a sort key, the newest first. One Query."""
        partition = keys_audit.entries(self.tenant, day_and_shard)
        raws, _ = self._table.query(partition, between=(keys_audit.since(since), before), limit=limit, forward=False)
        return [_entry(raw) for raw in raws]

    def head(self) -> Head | None:
        """1 read unit."""
        raw = self._table.get(keys_audit.head(self.tenant))
        if raw is None:
            return None
        item = AuditHeadItem.read(raw)
        return Head(int(item.sequence), item.hash, int(item.locked), int(item.looked))

    def seal(self, sequence: int) -> StoredSeal | None:
        """1 read unit per 4 KB: 80 entries."""
        raw = self._table.get(keys_audit.seal(self.tenant, sequence))
        return None if raw is None else _seal(raw)

    def seals(self, *, forward: bool = True, before: int | None = None) -> Iterator[StoredSeal]:
        """The chain, oldest or newest first, in pages of 25; ``before``: only those with a lower number."""
        last = keys_audit.seal(self.tenant, before - 1 if before is not None else 9_999_999_999).sk
        partition, start = keys_audit.seals(self.tenant), None
        while True:
            between = (keys_audit.SEAL_PREFIX, last)
            raws, start = self._table.query(partition, between=between, forward=forward, limit=_PAGE, consistent=True, start=start)
            yield from (_seal(raw) for raw in raws)
            if start is None:
                return

    def add(self, text: str, leaves: list[Leaf], after: Head, before: Head | None, expires_at: int) -> None:
        """The next link, if the chain still ends where it did; ``TransactionCancelled`` if another sealer was faster."""
        batch = WriteBatch()
        key = keys_audit.seal(self.tenant, after.sequence)
        batch.put("seal", AuditSealItem.at(key, body=text, leaves=pack_leaves(leaves), expires_at=expires_at), NOT_THERE_YET)
        ends_here: Condition = NOT_THERE_YET if before is None else Path("sequence") == before.sequence
        batch.put("head", self._head(after), ends_here)
        self._table.transact(batch, f"{self.tenant}-{after.hash[:9]}")

    def begin(self, looked: Instant) -> None:
        """A chain without a seal, unless there is one. 1 write unit."""
        try:
            self._table.put(self._head(Head(0, FIRST, 0, looked)), NOT_THERE_YET)
        except ConditionFailed:
            return

    def looked(self, until: Instant, sequence: int) -> None:
        """Note that nothing new was found until then. 1 write unit."""
        self._move("looked", until, Path("sequence") == sequence)

    def locked(self, sequence: int) -> None:
        """Note that the bucket has the seal. 1 write unit."""
        self._move("locked", sequence, Path("sequence") >= sequence)

    def _move(self, name: str, value: int, still: Condition) -> None:
        """Forward only: of two sealers the one that is behind changes nothing."""
        try:
            self._table.update(keys_audit.head(self.tenant), [Path(name).set(value)], still & (Path(name) < value))
        except ConditionFailed:
            return

    def _head(self, head: Head) -> AuditHeadItem:
        key = keys_audit.head(self.tenant)
        return AuditHeadItem.at(key, sequence=head.sequence, hash=head.hash, locked=head.locked, looked=head.looked)


def _entry(raw: RawItem) -> StoredEntry:
    return StoredEntry(raw["PK"]["S"], raw["SK"]["S"], raw.get("body", {}).get("S", ""))


def _seal(raw: RawItem) -> StoredSeal:
    item = AuditSealItem.read(raw)
    return StoredSeal(item.SK, item.body, tuple(unpack_leaves(item.leaves)))
