"""What a tenant's members are like together, as far as a single profile is measured by it. Pure; computed by a scheduled job."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.kernel.instants import Instant

FIFTHS: Final = 5


@dataclass(frozen=True, slots=True)
class Statistics:
    """The members of a tenant together. Of each of recency (days since the last purchase), frequency (purchases) and monetary (minor
    units) four ascending boundaries; empty: no quintiles yet.
    """

    median_interval2: int = 60
    """Half days between visits: what guests with fewer than three visits are measured by."""
    recency: tuple[int, ...] = ()
    frequency: tuple[int, ...] = ()
    monetary: tuple[int, ...] = ()
    members: int = 0
    computed_at: Instant = 0


def quintile_boundaries(values: Sequence[int]) -> tuple[int, ...]:
    """The values at 20, 40, 60 and 80 % of an ascending list, by nearest rank; empty with fewer than five values.

    Nearest rank: the smallest value that at least so many percent of the values do not exceed (Hyndman and Fan, Sample Quantiles in
    Statistical Packages, 1996, definition 1).
    """
    if len(values) < FIFTHS:
        return ()
    return tuple(values[(len(values) * rank + FIFTHS - 1) // FIFTHS - 1] for rank in range(1, FIFTHS))


def score(value: int, boundaries: Sequence[int]) -> int:
    """1 to 5: the fifth that a value lies in, counted from the smallest. A boundary belongs to the lower fifth, so ties share a score."""
    return 1 + bisect_left(boundaries, value)


def to_body(statistics: Statistics) -> dict[str, Any]:
    """As JSON."""
    return {
        "median_interval2": statistics.median_interval2,
        "recency": list(statistics.recency),
        "frequency": list(statistics.frequency),
        "monetary": list(statistics.monetary),
        "members": statistics.members,
        "computed_at": statistics.computed_at,
    }


def from_body(body: Mapping[str, Any]) -> Statistics:
    """What ``to_body`` made."""
    return Statistics(
        median_interval2=body["median_interval2"],
        recency=tuple(body["recency"]),
        frequency=tuple(body["frequency"]),
        monetary=tuple(body["monetary"]),
        members=body["members"],
        computed_at=body["computed_at"],
    )
