"""Seals: what one is made of, and how they hang together (docs/audit.md). Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from shared.audit import merkle
from shared.audit.model import FORMAT, canonical
from shared.kernel.ids import ulid_bytes, ulid_of_bytes
from shared.kernel.instants import Instant
from shared.storage.keys_audit import entry_shard

FIRST: Final = "0" * 64
"""What the first seal of a chain names as the one before it."""
_ID_BYTES: Final = 16
_LEAF_BYTES: Final = 48


@dataclass(frozen=True, slots=True, order=True)
class Leaf:
    """An entry in a seal: its id, and the hash of its text."""

    id: str
    hash: bytes

    @classmethod
    def of(cls, id_: str, text: str) -> Leaf:
        """Of an entry's canonical text."""
        return cls(id_, merkle.leaf(text.encode()))


@dataclass(frozen=True, slots=True)
class ShardSeal:
    """One shard of a day in a seal: how many entries, and the root of the tree over them, in hexadecimal."""

    shard: str
    count: int
    root: str


@dataclass(frozen=True, slots=True)
class Seal:
    """One link of a tenant's chain."""

    tenant: str
    sequence: int
    previous: str
    """The hash of the seal before."""
    since: Instant
    until: Instant
    """Entries of until then were looked for; which of them are in it, its leaves say."""
    sealed_at: Instant
    shards: tuple[ShardSeal, ...]

    @property
    def entries(self) -> int:
        """How many it seals."""
        return sum(each.count for each in self.shards)


def seal_over(
    tenant: str, leaves: Iterable[Leaf], *, sequence: int, previous: str, since: Instant, until: Instant, sealed_at: Instant
) -> Seal:
    """The seal over those leaves."""
    return Seal(tenant, sequence, previous, since, until, sealed_at, shards_of(leaves))


def shards_of(leaves: Iterable[Leaf]) -> tuple[ShardSeal, ...]:
    """The trees over those leaves, shard by shard."""
    return tuple(
        ShardSeal(shard, len(of_shard), merkle.root([each.hash for each in of_shard]).hex())
        for shard, of_shard in by_shard(leaves).items()
    )


def by_shard(leaves: Iterable[Leaf]) -> dict[str, list[Leaf]]:
    """Leaves in the order of their trees: by shard, then by id."""
    ordered = sorted(leaves, key=lambda each: (entry_shard(each.id), each.id))
    return {shard: list(of_shard) for shard, of_shard in groupby(ordered, key=lambda each: entry_shard(each.id))}


def text_of(seal: Seal) -> str:
    """The canonical text of a seal."""
    return canonical(
        {
            "format": FORMAT,
            "tenant": seal.tenant,
            "sequence": seal.sequence,
            "previous": seal.previous,
            "since": seal.since,
            "until": seal.until,
            "sealed_at": seal.sealed_at,
            "shards": [{"shard": each.shard, "count": each.count, "root": each.root} for each in seal.shards],
        }
    )


def seal_of(text: str) -> Seal:
    """The seal that a canonical text tells of. ``ValueError``, ``KeyError`` or ``TypeError`` for what is none."""
    found = json.loads(text)
    found.pop("format")
    shards = tuple(ShardSeal(**each) for each in found.pop("shards"))
    return Seal(**found, shards=shards)


def hash_of(text: str) -> str:
    """The hash of a seal's text, which the next one names."""
    return hashlib.sha256(text.encode()).hexdigest()


def pack_leaves(leaves: Sequence[Leaf]) -> bytes:
    """48 bytes each."""
    return b"".join(ulid_bytes(each.id) + each.hash for each in leaves)


def unpack_leaves(packed: bytes) -> list[Leaf]:
    """The way back."""
    starts = range(0, len(packed) - _LEAF_BYTES + 1, _LEAF_BYTES)
    return [Leaf(ulid_of_bytes(packed[at : at + _ID_BYTES]), packed[at + _ID_BYTES : at + _LEAF_BYTES]) for at in starts]
