"""What a campaign changed: those who got it against those who were held out, with 95 % intervals. Pure; integers in, rates in 1e-6.

Both are counted from the same exposure on: the message, or the record that she got none, and the attribution window from there. Who was
held out is chosen by a hash, so the two groups differ by chance and by the campaign alone.

Rates: Newcombe's hybrid score interval for the difference of two proportions (method 10 in R. G. Newcombe, "Interval estimation for the
difference between independent proportions", Statistics in Medicine 17, 1998), which keeps its promise for rare conversions and unequal
groups, where the textbook's interval does not. Money: Welch's interval for the difference of two means.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt, sqrt
from typing import Final

Z: Final = 1.959963984540054
"""Of a standard normal, 95 % lie within so many deviations."""
MILLION: Final = 1_000_000
LEAST_MEMBERS: Final = 100
LEAST_CONVERSIONS: Final = 10
"""In each group; below, the answer carries ``sample_too_small``."""


@dataclass(frozen=True, slots=True)
class Group:
    """One group of exposures: how many, how many converted, and the sum and sum of squares of their revenue in minor units."""

    members: int
    converted: int
    revenue: int = 0
    revenue_squared: int = 0


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate between its bounds."""

    low: int
    value: int
    high: int

    @property
    def without_zero(self) -> bool:
        """Whether chance alone is an unlikely explanation."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Uplift:
    """``rate``: converted of a million, more than without. ``revenue``: thousandths of a minor unit a member, more than without.

    ``verdict``: ``more`` or ``fewer`` convert where the rate's interval is on one side of zero, else ``no_effect_seen``.
    """

    rate: Interval
    revenue: Interval
    verdict: str
    sample_too_small: bool


def uplift(reached: Group, held_out: Group) -> Uplift | None:
    """``None`` unless there is somebody in each group."""
    if not reached.members or not held_out.members:
        return None
    rate = _rates(reached, held_out)
    verdict = "no_effect_seen" if not rate.without_zero else "more" if rate.low > 0 else "fewer"
    return Uplift(rate, _means(reached, held_out), verdict, any(_small(group) for group in (reached, held_out)))


def _small(group: Group) -> bool:
    rarer = min(group.converted, group.members - group.converted)
    return group.members < LEAST_MEMBERS or rarer < LEAST_CONVERSIONS


def _rates(reached: Group, held_out: Group) -> Interval:
    first, second = _wilson(reached), _wilson(held_out)
    p, q = reached.converted / reached.members, held_out.converted / held_out.members
    difference = p - q
    low = difference - sqrt((p - first[0]) ** 2 + (second[1] - q) ** 2)
    high = difference + sqrt((first[1] - p) ** 2 + (q - second[0]) ** 2)
    return Interval(round(low * MILLION), round(difference * MILLION), round(high * MILLION))


def _wilson(group: Group) -> tuple[float, float]:
    """The score interval of one proportion (E. B. Wilson, 1927)."""
    n, p = group.members, group.converted / group.members
    centre = p + Z * Z / (2 * n)
    spread = Z * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    whole = 1 + Z * Z / n
    return max(0.0, (centre - spread) / whole), min(1.0, (centre + spread) / whole)


def _means(reached: Group, held_out: Group) -> Interval:
    difference = reached.revenue / reached.members - held_out.revenue / held_out.members
    spread = Z * sqrt(_error_squared(reached) + _error_squared(held_out))
    return Interval(round((difference - spread) * 1000), round(difference * 1000), round((difference + spread) * 1000))


def _error_squared(group: Group) -> float:
    """The variance of the group's mean; exact integers until the last division, so that large sums lose nothing."""
    n = group.members
    if n < 2:
        return float(isqrt(group.revenue_squared)) ** 2
    return (n * group.revenue_squared - group.revenue**2) / (n * n * (n - 1))
