"""Multipliers: more of the points that other rules gave for the lines. Pure.

Each multiplier works on the points that the rules it is ``of`` gave for the lines it is about, and gives
``points x (percent - 100) / 100`` more, rounded once on their sum, as it names. How several combine is the programme's choice:

* ``add``: each works on the points as the rules gave them;
* ``multiply``: each works on the points with what the multipliers before it have added: the programme's in their order, those of
  offers and promotions, the tier's last;
* ``best``: only the one that gives most over the whole basket counts (the first, if equal); the others are ``lower_than_best``.

What one gives is attributed to its lines in proportion to the points it multiplied (and on a line to the rules, in the same way),
to the last point. A multiplier's own limits cut what it adds. ``combine`` says nothing here: a multiplier closes no line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.kernel.money import Rounding, allocate, divide
from shared.programmes.rules import Given


@dataclass(frozen=True, slots=True)
class Factor:
    """One multiplier on its lines: ``percent`` / 100 of the points of the rules ``of`` (all, if empty)."""

    percent: int
    rounding: Rounding
    ids: tuple[str, ...]
    of: tuple[str, ...] = ()


class Pot:
    """The points of every line, and (only where a multiplier asks) of every rule on every line."""

    def __init__(self, given: Iterable[tuple[str, Sequence[str], list[int]]], *, by_rule: bool) -> None:
        """``given`` are rule id, line ids and the points of these lines."""
        self._lines: dict[str, int] = {}
        self._rules: dict[str, dict[str, int]] | None = {} if by_rule else None
        for rule, ids, parts in given:
            for id_, part in zip(ids, parts, strict=True):
                self._lines[id_] = self._lines.get(id_, 0) + part
            if self._rules is not None:
                self._rules[rule] = dict(zip(ids, parts, strict=True))

    def points(self, factor: Factor) -> list[int]:
        """What the factor multiplies, line by line."""
        if not factor.of or self._rules is None:
            return [self._lines.get(id_, 0) for id_ in factor.ids]
        rules = [self._rules[rule] for rule in factor.of if rule in self._rules]
        return [sum(rule.get(id_, 0) for rule in rules) for id_ in factor.ids]

    def add(self, factor: Factor, parts: list[int]) -> None:
        """Take what a factor gave into the points that the next one multiplies."""
        for id_, part in zip(factor.ids, parts, strict=True):
            if part == 0:
                continue
            self._lines[id_] += part
            if self._rules is not None:
                rules = [points for rule, points in self._rules.items() if id_ in points and (not factor.of or rule in factor.of)]
                for points, share in zip(rules, allocate(part, [points[id_] for points in rules]), strict=True):
                    points[id_] += share


def extra(factor: Factor, pot: Pot) -> Given:
    """What the factor adds, before its limits. Reasons: ``nothing_to_multiply``, ``amount_too_small``."""
    points = pot.points(factor)
    total = sum(points)
    if total == 0:
        return Given(0, 0, "", None, "nothing_to_multiply")
    formula = f"{total} x {factor.percent - 100} / 100"
    more = divide(total * (factor.percent - 100), 100, factor.rounding)
    if more == 0:
        return Given(0, total, formula, factor.rounding, "amount_too_small")
    return Given(more, total, formula, factor.rounding, None, allocate(more, points))
