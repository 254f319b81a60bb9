"""Bodies about a tenant's statistics and about what is bought together."""

from __future__ import annotations

from shared.tenants.model import Frozen


class LifecycleCounts(Frozen):
    """Guests by state, as of the computation."""

    active: int
    sleeping: int
    lost: int


class StatisticsAnswer(Frozen):
    """The newest statistics. Boundaries are the values at 20, 40, 60 and 80 % of the guests; none with fewer than five guests."""

    version: int
    computed_at: str
    effective_from: str
    guests: int
    """Members with a purchase in the days of RFM, those left out who object to profiling."""
    median_interval_days_e1: int
    """Tenths of days between visits: what guests with fewer than three visits are measured by."""
    recency_days: tuple[int, ...]
    frequency: tuple[int, ...]
    monetary: tuple[int, ...]
    """Minor units."""
    lifecycle: LifecycleCounts


class RunAnswer(Frozen):
    """They will be computed, and published if they are others."""

    status: str = "accepted"


class ComplementAnswer(Frozen):
    """An item that is bought on the same day: on how many days of members, and how many hundredths as often as by chance."""

    item_id: str
    days_together: int
    lift_e2: int


class ComplementsAnswer(Frozen):
    """What goes with an item, best first; empty where nothing is known."""

    item_id: str
    data: tuple[ComplementAnswer, ...]
