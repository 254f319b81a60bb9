"""Purchases as daily cells: the smallest thing that every window of whole local days can be summed from.

A cell counts purchases, their value (minor units) and item quantity (thousandths, so that weight stays whole), and the same per
dimension. Dimensions are keyed by a letter and a name: ``c:`` category, ``t:`` tag, ``l:`` location, ``h:`` channel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from shared.kernel.instants import Instant

HOT_DAYS: Final = 35
"""Days kept in the hot state for certain; older cells move to the history, at most once in ``SPILL_DAYS`` days."""
SPILL_DAYS: Final = 30
KEPT_DAYS: Final = 400
"""No window is longer, so no cell is kept longer."""
MAX_DIMENSIONS: Final = 40
"""Per cell. What comes after is summed under ``~`` of its letter, so that totals stay right."""
OTHERS: Final = "~"


@dataclass(slots=True)
class Cell:
    """One local day: purchases, value, quantity (thousandths), and per dimension [purchases, value]."""

    count: int = 0
    value: int = 0
    quantity: int = 0
    by: dict[str, list[int]] = field(default_factory=dict)


@dataclass(slots=True)
class Profile:
    """All cells of a member by local day, and the facts that outlive every cell."""

    cells: dict[int, Cell] = field(default_factory=dict)
    """The hot ones. Day number (``shared.kernel.instants.local_day``) -> cell."""
    history: dict[int, Cell] = field(default_factory=dict)
    """Older cells, stored apart and rewritten rarely."""
    first_at: Instant | None = None
    last_at: Instant | None = None
    count: int = 0
    value: int = 0


@dataclass(frozen=True, slots=True)
class Visit:
    """What one purchase adds to a cell (a return subtracts the same)."""

    at: Instant
    value: int
    quantity: int
    by: dict[str, int]
    """Dimension -> value of its lines, minor units."""
    count: int = 1
    """0 for a part of a purchase, such as a return of some of its lines: the visit itself stays counted."""
