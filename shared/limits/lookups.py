"""How many members a credential looks for in an hour: pure counting, paid in blocks as calls are (``shared.limits.rules``).

An environment remembers what it looked up in this hour: each identifier that led to a member counts once, each that led to nobody every
time. ``MISSED`` misses, or ``FOUND`` members, and they are added to the hour's item, whose sums then tell. So a credential looks for at
most its bound and ``E * MISSED`` (``E * FOUND``) more in an hour, ``E`` being the environments that it meets; a member that is identified
in several environments counts in each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from shared.kernel.instants import HOUR, SECOND, Instant

MISSED: Final = 5
FOUND: Final = 25


@dataclass(slots=True)
class Hour:
    """What one environment knows of a credential's look-ups in one hour."""

    number: int
    missed: int = 0
    """Not added yet, as ``found``."""
    found: int = 0
    seen: set[str] = field(default_factory=set)
    closed: bool = False

    def note(self, subject: str, *, known: bool) -> bool:
        """Count a look-up; whether there is a block to be added now."""
        if not known:
            self.missed += 1
        elif subject not in self.seen:
            self.seen.add(subject)
            self.found += 1
        return self.missed >= MISSED or self.found >= FOUND

    def added(self, missed: int, found: int, *, most_missed: int, most_found: int) -> None:
        """The block was added, and these are the sums."""
        self.missed = self.found = 0
        self.closed = missed >= most_missed or found >= most_found


def hour_of(now: Instant) -> int:
    """Which hour it is."""
    return now // HOUR


def seconds_left(now: Instant) -> int:
    """Whole seconds until the next hour, at least 1."""
    return max(1, -(-(HOUR - now % HOUR) // SECOND))
