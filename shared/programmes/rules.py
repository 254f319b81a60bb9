"""What one rule gives for its lines, before any limit. Pure; every sum is made of whole numbers and divided once.

Points are attributed to lines (``Given.parts``), so that a return can take back what a line earned: by the line's own points where
rounding is per line or unit, else in proportion to what the lines count for, to the last point. A line that counts negatively
gets no part; it lowers the sum, and with it the parts of the others. A rule never gives less than zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from shared.kernel.money import Rounding, allocate, divide
from shared.programmes.base import Discounts
from shared.programmes.compiled import Giver
from shared.programmes.conditions import MemberFacts
from shared.programmes.lines import Line
from shared.programmes.model import Cashback, Fixed, PerAmount, PerItem, RoundPer
from shared.tenants.model import WalletSettings

MOST_LISTED = 8
"""A formula lists the parts of so many lines; of more it gives the sum and the number."""


class Match:
    """The lines that a rule works on, and what each counts for. Rules about the same lines may share one."""

    __slots__ = ("_weights", "ids", "lines", "total", "values")

    def __init__(self, lines: list[Line], base: dict[str, int]) -> None:
        self.lines = lines
        self.ids = tuple([line.id for line in lines])
        self.values = [base[id_] for id_ in self.ids]
        self.total = sum(self.values)
        self._weights: list[int] | None = None

    @property
    def weights(self) -> list[int]:
        """What points are attributed by: the values, those below zero as zero."""
        if self._weights is None:
            self._weights = self.values if min(self.values) >= 0 else [max(value, 0) for value in self.values]
        return self._weights

    def split(self, points: int) -> list[int]:
        """The points over the lines, in proportion to what they count for."""
        return allocate(points, self.weights) if len(self.values) > 1 else [points]


@dataclass(slots=True)
class Given:
    """What a rule gives: ``parts`` are points of the matched lines in their order, summing to ``points``; none if it gives nothing,
    where ``reason`` says why. ``base`` is what its formula started from, in minor units (or whole units, or points).
    """

    points: int
    base: int
    formula: str = ""
    rounding: Rounding | None = None
    reason: str | None = None
    parts: list[int] = field(default_factory=list)


def give(
    rule: Giver, match: Match, facts: MemberFacts, wallet: WalletSettings, base_with: Callable[[Discounts], dict[str, int]]
) -> Given:
    """What the rule gives for the lines. ``base_with`` answers the earning base with another choice of discounts.

    Reasons: ``amount_too_small``, ``no_whole_unit``, ``same_visit``, ``below_minimum``, ``no_percentage`` (none for this tier),
    ``no_rate`` (the wallet's points have no money value).
    """
    if isinstance(rule, PerAmount):
        if rule.whole_steps:
            return _proportional(match, rule.points, rule.per, None, rule.round_per, steps=True)
        return _proportional(match, rule.points, rule.per, rule.rounding, rule.round_per, steps=False)
    if isinstance(rule, PerItem):
        return _per_item(rule, match)
    if isinstance(rule, Fixed):
        return _fixed(rule, match, facts, base_with)
    return _cashback(rule, match, facts, wallet)


def _per_item(rule: PerItem, match: Match) -> Given:
    """A free unit counts as one; a negative line takes its units back."""
    units = [line.whole_units for line in match.lines]
    whole = sum(units)
    formula = f"{whole} x {rule.points}"
    if whole <= 0:
        return Given(0, whole, formula, None, "no_whole_unit")
    return Given(whole * rule.points, whole, formula, None, None, _parts_of([each * rule.points for each in units], whole * rule.points))


def _fixed(rule: Fixed, match: Match, facts: MemberFacts, base_with: Callable[[Discounts], dict[str, int]]) -> Given:
    """The minimum is of what the lines count for, whatever the base says of discounts: ``minimum_counts`` says it here."""
    if rule.per == "visit" and facts.same_visit:
        return Given(0, match.total, "", None, "same_visit")
    base = base_with("before" if rule.minimum_counts == "before_discounts" else "after")
    amount = sum([base[id_] for id_ in match.ids])
    formula = f"{rule.points} if {amount} >= {rule.minimum}"
    if amount < rule.minimum:
        return Given(0, amount, formula, None, "below_minimum")
    return Given(rule.points, amount, formula, None, None, match.split(rule.points))


def _cashback(rule: Cashback, match: Match, facts: MemberFacts, wallet: WalletSettings) -> Given:
    """The percentage and the wallet's rate are one fraction, so that there is one rounding."""
    percent_e2 = rule.percent_e2 if facts.tier is None else rule.by_tier.get(facts.tier, rule.percent_e2)
    if percent_e2 == 0:
        return Given(0, match.total, "", None, "no_percentage")
    if wallet.value == 0:
        return Given(0, match.total, "", None, "no_rate")
    return _proportional(match, percent_e2 * wallet.points, 10_000 * wallet.value, rule.rounding, rule.round_per, steps=False)


def _proportional(match: Match, points: int, per: int, rounding: Rounding | None, round_per: RoundPer, *, steps: bool) -> Given:
    """``points`` for every ``per`` of the base: rounded as named, or for whole steps only.

    Per line, each line is rounded by itself. Per unit, the price of one unit is, and multiplied by the units: a line of thousandths
    (weight) is one unit. There a negative line takes exactly what the same line, positive, would give: a line rung and taken
    back is worth nothing under any rounding.
    """
    total = match.total
    if round_per == "order":
        formula = f"{total} // {per} x {points}" if steps else f"{total} x {points} / {per}"
        given = _rounded(total, points, per, rounding) if total > 0 else 0
        if given == 0:
            return Given(0, total, formula, rounding, "amount_too_small")
        return Given(given, total, formula, rounding, None, match.split(given))
    units = [_units(line) for line in match.lines] if round_per == "unit" else [1] * len(match.lines)
    each = [_signed(value, points, per * count, rounding) * count for value, count in zip(match.values, units, strict=True)]
    formula = f"{_listed(match.values, units)} {f'// {per} x {points}' if steps else f'x {points} / {per}'} by {round_per}"
    given = sum(each)
    if given <= 0:
        return Given(0, total, formula, rounding, "amount_too_small")
    return Given(given, total, formula, rounding, None, _parts_of(each, given))


def _units(line: Line) -> int:
    """The units that a line's base is divided by: whole ones, or one of weight."""
    return abs(line.units) // 1000 if line.units % 1000 == 0 and line.units else 1


def _signed(value: int, points: int, per: int, rounding: Rounding | None) -> int:
    return _rounded(value, points, per, rounding) if value >= 0 else -_rounded(-value, points, per, rounding)


def _rounded(value: int, points: int, per: int, rounding: Rounding | None) -> int:
    """Of a value that is not negative; no rounding means whole steps."""
    return value // per * points if rounding is None else divide(value * points, per, rounding)


def _parts_of(each: list[int], total: int) -> list[int]:
    """Points of lines as parts of their sum, where some may be below zero."""
    return each if min(each) >= 0 else allocate(total, [max(part, 0) for part in each])


def _listed(values: list[int], units: list[int]) -> str:
    if len(values) > MOST_LISTED:
        return f"({sum(values)} of {len(values)} lines)"
    return f"({' + '.join(str(value) if count == 1 else f'{value}/{count} x {count}' for value, count in zip(values, units, strict=True))})"
