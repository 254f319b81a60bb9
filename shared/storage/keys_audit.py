"""Keys of what is noted of calls (docs/audit.md): entries by day and shard, and the chain of seals over them.

The rules of ``shared.storage.keys`` hold here too.
"""

from __future__ import annotations

from typing import Final

from shared.kernel.ids import shard_of, ulid_millis
from shared.kernel.instants import DAY, Instant, format_day
from shared.storage.keys import Key, prefix

SHARDS: Final = 4
"""Of a day's entries. A change brings one, so that four partitions take 4,000 changes a second of one tenant."""
HEAD: Final = "HEAD"
SEAL_PREFIX: Final = "SEAL#"


def entry_shard(ulid: str) -> str:
    """``20261122#2``: the UTC day of an entry and its shard, both told by its id."""
    return f"{day_of(ulid_millis(ulid))}#{shard_of(ulid, SHARDS)}"


def day_of(at: Instant) -> str:
    """The UTC day of an instant, as it stands in keys."""
    return format_day(at // DAY).replace("-", "")


def days(since: Instant, until: Instant) -> list[str]:
    """The UTC days that the two instants and what lies between them touch, oldest first."""
    return [day_of(day * DAY) for day in range(since // DAY, until // DAY + 1)]


def entries(tenant: str, day_and_shard: str) -> str:
    """The partition of one shard of a day."""
    return f"{prefix(tenant)}AUDIT#{day_and_shard}"


def entry(tenant: str, ulid: str) -> Key:
    """An entry, found from its id alone."""
    return Key(entries(tenant, entry_shard(ulid)), f"{since(ulid_millis(ulid))}#{ulid}")


def since(at: Instant) -> str:
    """What the sort keys of entries of that instant begin with; sorts before all of them."""
    return f"{at:013d}"


def until(at: Instant) -> str:
    """Sorts behind every entry of that instant."""
    return f"{at:013d}#~"


def seals(tenant: str) -> str:
    """The partition of a tenant's chain."""
    return f"{prefix(tenant)}SEALS"


def head(tenant: str) -> Key:
    """Where the chain ends, and until when the sealer has looked."""
    return Key(seals(tenant), HEAD)


def seal(tenant: str, sequence: int) -> Key:
    """One seal. They sort by number."""
    return Key(seals(tenant), f"{SEAL_PREFIX}{sequence:010d}")
