"""How a limit that many share is spread over items, so that no single one is written by everybody. Pure.

A shard's share never falls when the limit is raised: a new version's shares can be set while the old one's are still being used, and what
has been used of a shard is never more than its share.
"""

from __future__ import annotations

from typing import Final

MOST: Final = 32
QUOTA_BLOCK: Final = 50
"""Uses that one shard of a quota has, where the limit is not greater than all of them together."""


def shards_of(limit: int, size: int) -> int:
    """How many shards a limit (>= 1) has: one for every ``size`` of it or part of that, at most ``MOST``."""
    return max(1, min(MOST, -(-limit // size)))


def share_of(limit: int, size: int, shard: int) -> int:
    """What one shard has of the limit; over all shards they sum to it. The last of few may be small; many are even, within one."""
    if limit <= size * MOST:
        return max(0, min(size, limit - size * shard))
    more, rest = divmod(limit - size * MOST, MOST)
    return size + more + (1 if shard < rest else 0)


def quota_shards(limit: int) -> int:
    """How many shards a limit of uses is spread over: one per 50, at most 32."""
    return shards_of(limit, QUOTA_BLOCK)


def quota_share(limit: int, shard: int) -> int:
    """The part of a limit of uses that a shard has."""
    return share_of(limit, QUOTA_BLOCK, shard)
