"""A random sample that everybody draws alike, and what it says of all. Pure.

The sample is the members with the least ranks, a rank being a hash of seed and id: every member is as likely to be in it as any other,
one pass over any number of members is enough, and the same seed draws the same sample (bottom-k sampling: E. Cohen and H. Kaplan,
Summarizing Data using Bottom-k Sketches, 2007).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from shared.snapshots.container import Ints, Texts

Ranks = npt.NDArray[np.uint64]
Z_95: Final = 1.959964
"""The normal quantile of 97.5 per cent."""
_WIDTH: Final = 64
"""Bytes of an id that count; ids are half as long."""
_MIX: Final = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_GAMMA: Final = 0x9E3779B97F4A7C15


class Interval(NamedTuple):
    """How many of all, and between which numbers the truth is in 95 of 100 samples."""

    estimate: int
    low: int
    high: int


def seed_of(*parts: str) -> int:
    """64 bits that depend on all parts."""
    return int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:8], "big")


def texts(ids: Sequence[str]) -> Texts:
    """Ids as columns have them."""
    return np.array(list(ids), dtype=f"S{_WIDTH}")


def ranks_of(ids: Texts, seed: int) -> Ranks:
    """A random number for each id, the same whenever the seed is: SplitMix64 (Steele, Lea, Flood, 2014) over seed and words of the id."""
    words = np.ascontiguousarray(ids.astype(f"S{_WIDTH}")).view("<u8").reshape(len(ids), _WIDTH // 8)
    ranks = np.full(len(ids), seed, np.uint64)
    for place in range(words.shape[1]):
        ranks = (ranks ^ words[:, place]) + np.uint64(_GAMMA)
        ranks = (ranks ^ (ranks >> np.uint64(30))) * np.uint64(_MIX[0])
        ranks = (ranks ^ (ranks >> np.uint64(27))) * np.uint64(_MIX[1])
        ranks = ranks ^ (ranks >> np.uint64(31))
    return ranks


class Sample:
    """The members with the ``size`` least ranks of all that were offered, each with a code of its own, by rank."""

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._seed = seed
        self._ranks: Ranks = np.zeros(0, np.uint64)
        self.ids: Texts = np.zeros(0, dtype=f"S{_WIDTH}")
        self.codes: Ints = np.zeros(0, np.int64)

    def offer(self, ids: Texts, codes: Ints) -> None:
        """More members, none of them offered before."""
        ranks = np.concatenate([self._ranks, ranks_of(ids, self._seed)])
        all_ids = np.concatenate([self.ids, ids.astype(f"S{_WIDTH}")])
        chosen = np.argsort(ranks, kind="stable")[: self._size]
        self._ranks, self.ids, self.codes = ranks[chosen], all_ids[chosen], np.concatenate([self.codes, codes])[chosen]


def interval(hits: int, looked_at: int, population: int) -> Interval:
    """From a sample to all: Wilson's score interval at 95 per cent (E. B. Wilson, 1927), without a finite population correction.

    It never says less than was seen: at least the hits are in, and at least the others are out. When everybody was looked at it is exact.
    """
    misses = looked_at - hits
    if looked_at >= population or looked_at == 0:
        return Interval(hits, hits, hits) if looked_at else Interval(0, 0, population)
    share, weight = hits / looked_at, Z_95 * Z_95 / looked_at
    centre = (share + weight / 2) / (1 + weight)
    half = Z_95 * math.sqrt(share * (1 - share) / looked_at + weight / (4 * looked_at)) / (1 + weight)
    low = max(math.floor(population * (centre - half)), hits)
    high = min(math.ceil(population * (centre + half)), population - misses)
    return Interval((2 * hits * population + looked_at) // (2 * looked_at), low, high)
