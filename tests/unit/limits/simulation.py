"""Environments with clocks of their own that share buckets, and a slow oracle that knows every call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.kernel.instants import SECOND, Instant
from shared.limits.leases import Limits, RateLimited
from shared.limits.rates import Rates
from shared.limits.rules import LATE, SKEW, WINDOW, Payment, Rate
from shared.storage.keys import Key

WIDE = Rate(20_000, 100_000)
"""A rate that never refuses, for the policy that a test is not about."""


@dataclass
class Memory:
    """Buckets without a table."""

    levels: dict[Key, int] = field(default_factory=dict)
    writes: int = 0

    def move(self, key: Key, wanted: Payment, now: Instant) -> tuple[bool, int | None]:
        level = self.levels.get(key)
        self.writes += 1
        low = level is None or level < wanted.floor or level > wanted.absurd
        within = level is not None and wanted.floor <= level <= wanted.ceiling
        if not (low if wanted.lift else within):
            return False, level
        self.levels[key] = wanted.floor + wanted.cost if wanted.lift else (level or 0) + wanted.cost
        return True, self.levels[key]


@dataclass
class World:
    """So many environments, each with its clock's error."""

    rate: Rate
    skews: Sequence[int]
    now: Instant = 1_800_000_000_000
    memory: Memory = field(default_factory=Memory)
    answered: list[Instant] = field(default_factory=list)
    refused: list[Instant] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.environments = [Limits.fresh(lambda skew=skew: self.now + skew) for skew in self.skews]

    def call(self, environment: int, *, finishes: bool = False) -> bool:
        """One call at the present; whether it is answered."""
        limits = self.environments[environment % len(self.environments)]
        try:
            limits.admit("acme", "key", Rates(self.rate, WIDE), lambda: self.memory, finishes=finishes)
        except RateLimited:
            self.refused.append(self.now)
            return False
        self.answered.append(self.now)
        return True

    def bound(self, begin: Instant, end: Instant, *, forgiving: bool) -> float:
        """The most that may be answered in a span, as docs/limits.md has it."""
        seconds = (end - begin + WINDOW + LATE + 4 * SKEW) / SECOND
        environments = len(self.environments) * 2 * self.rate.block
        times_forgiven = -(-(end - begin) // WINDOW) if forgiving else 0
        return self.rate.per_second * seconds + self.rate.burst + environments * (1 + times_forgiven)


def worst_excess(world: World, *, forgiving: bool) -> float:
    """The oracle: over every span between two answered calls, by how much the bound is passed (at most 0 if it holds)."""
    worst, answered = -float("inf"), world.answered
    step = max(1, len(answered) // 60)
    marks = range(0, len(answered), step)
    for first in marks:
        for last in range(first, len(answered), step):
            worst = max(worst, last - first + 1 - world.bound(answered[first], answered[last], forgiving=forgiving))
    return worst
