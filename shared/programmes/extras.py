"""Points that an offer or a promotion gives beside a programme's own rules, in its wallet and under its limits. Pure.

They work on the lines that the programme itself earns on. Extra points come after all multipliers and are multiplied by none;
a multiplier comes after the programme's own and before the tier's, and combines with them as the programme says.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.kernel.money import Rounding
from shared.programmes.rules import Given, Match


@dataclass(frozen=True, slots=True)
class Extra:
    """What one offer or promotion gives. ``rule`` names its step of the trace, ``lines`` are those that it is about."""

    rule: str
    programme: str
    lines: tuple[str, ...]
    points: int = 0
    """Once, or for every whole unit of at most ``units`` (``per_unit``)."""
    per_unit: bool = False
    units: int | None = None
    percent: int = 100
    """Above 100 it multiplies the points of the rules ``of`` (none: of all)."""
    of: tuple[str, ...] = ()
    rounding: Rounding = "floor"

    @property
    def multiplies(self) -> bool:
        """Whether it is a multiplier."""
        return self.percent > 100


def extra_points(wanted: Extra, match: Match) -> Given:
    """The points that are promised, on the lines of the match. Reason: ``no_whole_unit``."""
    if not wanted.per_unit:
        return Given(wanted.points, match.total, f"{wanted.points}", None, None, match.split(wanted.points))
    left, counted = wanted.units, []
    for line in match.lines:
        units = max(line.whole_units, 0) if left is None else min(max(line.whole_units, 0), left)
        counted.append(units)
        left = None if left is None else left - units
    whole = sum(counted)
    formula = f"{whole} x {wanted.points}"
    if whole == 0:
        return Given(0, 0, formula, None, "no_whole_unit")
    return Given(whole * wanted.points, whole, formula, None, None, [units * wanted.points for units in counted])
