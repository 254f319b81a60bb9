"""What is kept about a tenant's snapshot: which objects it is made of, up to which change they go, and a rebuild's progress. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Protocol

from shared.kernel.ids import CROCKFORD, encode_ulid, new_ulid
from shared.kernel.instants import DAY, MINUTE, SECOND, Instant

ROWS_PER_SHARD: Final = 50_000
"""Members of a shard when it is made; it is split when it has twice as many."""
LEAST_YOUNG: Final = 1_000
YOUNG_SHARE: Final = 8
"""A shard's young object is folded into its base when it has more than ``max(LEAST_YOUNG, rows / YOUNG_SHARE)`` members."""
SETTLE: Final = 60 * SECOND
"""Marks of the last minute may still be joined by older ones, from a function that is slow or whose clock is behind."""
KEPT: Final = 7 * DAY
"""How long a mark is kept, merged or not."""
TRUSTED: Final = 6 * DAY
"""A snapshot whose last merge is older is not believed: marks may have been cleaned up since."""
REFRESHED: Final = DAY
"""A quiet tenant's watermark is moved on when it is so old."""
OBJECT_LIFE: Final = 35 * DAY
"""The bucket's lifecycle rule (infra/state_stack.py) deletes objects of that age."""
RENEW_AFTER: Final = 25 * DAY
"""A base object so old is written again when its shard changes. One that never changes is lost in the end, and made again when asked for.
"""
ABANDONED: Final = 15 * MINUTE
"""A rebuild that has not moved for so long is begun again by whoever asks next."""
PREFIX: Final = "snapshots/"


class ObjectStore(Protocol):
    """Where the objects lie (S3; a dictionary in tests)."""

    def put(self, name: str, body: bytes) -> None:
        """Store, encrypted at rest."""

    def find(self, name: str) -> bytes | None:
        """Read back; ``None`` if there is none."""

    def delete(self, name: str) -> None:
        """Delete; no error if there is none."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Members from an id on, up to the next shard's: the base, and what has changed since it was made (``young``, empty: nothing)."""

    first: str
    base: str
    rows: int
    made_at: Instant
    young: str = ""
    young_rows: int = 0

    @property
    def objects(self) -> list[str]:
        """The names of its objects."""
        return [name for name in (self.base, self.young) if name]

    @property
    def is_ripe(self) -> bool:
        """Whether what has changed is to be folded into the base."""
        return self.young_rows > max(LEAST_YOUNG, self.rows // YOUNG_SHARE)


@dataclass(frozen=True, slots=True)
class Manifest:
    """One generation of a tenant's snapshot. ``watermark`` is the ULID of the last mark that it surely holds."""

    generation: int
    build: str
    watermark: str
    as_of: Instant
    shards: tuple[Shard, ...]
    garbage: tuple[str, ...] = ()
    """Objects of the generation before: somebody may still be reading them, so they go with the next one."""

    def shard_of(self, member: str) -> int:
        """The number of the shard that a member belongs to."""
        return max(0, bisect_right([shard.first for shard in self.shards], member) - 1)

    def spread(self, members: Iterable[str]) -> dict[int, set[str]]:
        """Members by the number of their shard."""
        found: dict[int, set[str]] = {}
        for member in members:
            found.setdefault(self.shard_of(member), set()).add(member)
        return found

    @property
    def objects(self) -> set[str]:
        """The names of all objects that it is made of."""
        return {name for shard in self.shards for name in shard.objects}

    def body(self) -> dict[str, Any]:
        """As it is stored, without its generation."""
        return {name: value for name, value in asdict(self).items() if name != "generation"}


def manifest_of(generation: int, body: dict[str, Any]) -> Manifest:
    """As it was stored."""
    shards = tuple(Shard(**each) for each in body["shards"])
    return Manifest(generation, body["build"], body["watermark"], body["as_of"], shards, tuple(body["garbage"]))


@dataclass(slots=True)
class Build:
    """How far a rebuild is: the shards made so far, in order, and the last member in them."""

    id: str
    watermark: str
    touched_at: Instant
    after: str = ""
    exhausted: bool = False
    shards: list[Shard] = field(default_factory=list)
    revision: int = 0

    def body(self) -> dict[str, Any]:
        """As it is stored, without its revision."""
        return {name: value for name, value in asdict(self).items() if name != "revision"}


def build_of(revision: int, body: dict[str, Any]) -> Build:
    """As it was stored."""
    return Build(**{**body, "shards": [Shard(**each) for each in body["shards"]]}, revision=revision)


def object_name(tenant: str, wall: Instant) -> str:
    """A name for a new object: no member is named in it."""
    return f"{PREFIX}{tenant}/{new_ulid(wall)}"


def mark_before(wall: Instant) -> str:
    """Sorts before every mark of that instant and after it."""
    return encode_ulid(max(wall, 0), bytes(10))


LAST_MARK: Final = CROCKFORD[-1] * 26
"""Sorts after every mark."""
