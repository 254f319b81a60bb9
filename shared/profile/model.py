"""Purchases as daily cells: the smallest thing that every window of whole local days can be summed from.

A cell counts purchases, their value (minor units) and item quantity (thousandths, so that weight stays whole), and the same per
dimension. Dimensions are keyed by a letter and a name: ``c:`` category, ``t:`` tag, ``i:`` item, ``l:`` location, ``h:`` channel, ``o:``
hour of the local day (``o:08``), ``e:`` a declared custom event (``e:<type>``, and by the value of its property ``e:<type>:<value>``);
``p:`` and ``v:`` are what tiers count. The weekday follows from the day's number and is not stored, nor are visits: a visit of the
profile is a local day with a purchase (docs/profile.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from shared.kernel.instants import Instant

HOT_DAYS: Final = 14
"""Days kept in the hot state for certain; older cells move to the history, at most once in ``SPILL_DAYS`` days.

Most returns and late sales come within them; one that is older rewrites the history, which costs no more than a spill.
"""
SPILL_DAYS: Final = 30
MAX_HOT_NAMES: Final = 600
"""Dimensions of all hot cells together that are let grow for ``SPILL_DAYS``: some 1.5 KB of the state as stored."""
CROWDED_SPILL_DAYS: Final = 7
KEPT_DAYS: Final = 400
"""No window is longer, so no cell is kept longer."""
MAX_DIMENSIONS: Final = 40
"""Per cell, items and events apart. What comes after is summed under ``~`` of its letter, so that totals stay right."""
MAX_ITEMS: Final = 40
"""Items named per member over all her cells. The others are summed under ``i:~`` of their days, so that totals stay right."""
MAX_EVENT_TYPES: Final = 20
"""Types of custom events per member. Declared ones are no more (``TenantSettings.events``), but the declarations may change."""
MAX_EVENT_VALUES: Final = 20
"""Values of an event's property that are kept apart per member; later ones are summed under ``e:<type>:~``."""
OTHERS: Final = "~"


@dataclass(slots=True)
class Cell:
    """One local day: purchases, value, quantity (thousandths), and per dimension [purchases, value, quantity].

    Of ``e:`` it is [times, sum of the declared property, 0]; events do not count in the cell's own three. ``p:`` and ``v:`` have no
    quantity, nor have purchases from before it was kept for categories and tags.
    """

    count: int = 0
    value: int = 0
    quantity: int = 0
    by: dict[str, list[int]] = field(default_factory=dict)


@dataclass(slots=True)
class EventTrack:
    """How often a custom event happened in all, first and last."""

    count: int
    first_at: Instant
    last_at: Instant


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
    last_location: str = ""
    """Where and through which channel she bought last; empty: unknown (after a void that left more than one answer)."""
    last_channel: str = ""
    events: dict[str, EventTrack] = field(default_factory=dict)
    """Declared custom events by type (without ``event.``)."""


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
    units: dict[str, int] = field(default_factory=dict)
    """Dimension -> quantity, thousandths, of categories, tags and items; location, channel and hour have the visit's own."""
