"""Rules over all members of some columns at once, in the signed algebra of ``shared.segments.leaves``: ``all`` is the minimum, ``any``
the maximum, ``not`` the negation. Pure.

A leaf that has no vector form, or looks at a personal fact, could be anything here. Every answer is therefore kept as its lowest and its
highest: where both are the same, it is decided; whose membership depends on the unknown is undecided, and is read from the table.
A missing vector form costs time and never a wrong answer.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from shared.kernel.instants import NEVER, Instant
from shared.segments.context import Context
from shared.segments.expanding import expanded, is_behavioural
from shared.segments.parsing import Rule
from shared.snapshots import vector_habits, vector_holdings, vector_person, vector_windows
from shared.snapshots.columns import Columns, Mask
from shared.snapshots.container import Ints
from shared.snapshots.frame import Frame, Signs

Side = Literal["surely", "perhaps"]
FORMS = {**vector_person.FORMS, **vector_windows.FORMS, **vector_holdings.FORMS, **vector_habits.FORMS}
"""Kind of leaf -> its vector form. A form answers ``None`` where it cannot tell what is asked for."""


class Bounds(NamedTuple):
    """The lowest and the highest that an answer may be; the same array where everything is decided."""

    low: Ints
    high: Ints


class Evaluated(NamedTuple):
    """Signed answers. Of an undecided member low and high differ, and the true answer is one of them or between."""

    surely: Bounds
    perhaps: Bounds

    @property
    def decided(self) -> Mask:
        """Whose answer is known, truth and instant."""
        return np.equal(self.surely.low, self.surely.high) & np.equal(self.perhaps.low, self.perhaps.high)


class Members(NamedTuple):
    """Who is in, as far as the columns tell, and who must be looked at."""

    inside: Mask
    undecided: Mask


class Vectors:
    """Columns at an instant, ready to be asked; what several rules ask alike is computed once."""

    def __init__(self, columns: Columns, context: Context, now: Instant) -> None:
        self._frame = Frame(columns, context, now)
        self._leaves: dict[str, Signs | None] = {}

    def evaluate(self, rule: Rule) -> Evaluated:
        """Both sides of the answer."""
        return Evaluated(self._side(rule, "surely"), self._side(rule, "perhaps"))

    def membership(self, rule: Rule) -> Bounds:
        """Who is in (above 0) and until when: the one side that this needs."""
        return self._side(rule, "surely")

    def members(self, rule: Rule) -> Members:
        """Who is in: the one side that this needs."""
        surely = self._side(rule, "surely")
        inside = surely.low > 0
        undecided = np.zeros(len(inside), np.bool_) if surely.low is surely.high else ~inside & (surely.high > 0)
        return Members(inside, undecided)

    def _side(self, rule: Rule, side: Side) -> Bounds:
        context = self._frame.context
        low, high = self._tree(expanded(rule, context), side)
        if is_behavioural(rule, context):
            objects = self._frame.columns["member/profiled"] == 0
            if objects.any():
                low, high = np.where(objects, -NEVER, low), np.where(objects, -NEVER, high)
        return Bounds(low, high)

    def _tree(self, rule: Any, side: Side) -> Bounds:
        if rule.kind == "not":
            low, high = self._tree(rule.rule, "perhaps" if side == "surely" else "surely")
            return Bounds(-low, -low) if low is high else Bounds(-high, -low)
        if rule.kind in ("all", "any"):
            pick = np.minimum if rule.kind == "all" else np.maximum
            bounds = self._tree(rule.rules[0], side)
            for child in rule.rules[1:]:
                low, high = self._tree(child, side)
                lower = pick(bounds.low, low)
                decided = bounds.low is bounds.high and low is high
                bounds = Bounds(lower, lower) if decided else Bounds(lower, pick(bounds.high, high))
            return bounds
        signs = self._leaf(rule)
        if signs is None:
            never = np.full(len(self._frame), NEVER, np.int64)
            return Bounds(-never, never)
        found = signs.surely if side == "surely" else signs.perhaps
        if signs.unsure is None or not signs.unsure.any():
            return Bounds(found, found)
        return Bounds(np.where(signs.unsure, -NEVER, found), np.where(signs.unsure, NEVER, found))

    def _leaf(self, leaf: Any) -> Signs | None:
        key = leaf.model_dump_json()
        if key not in self._leaves:
            form = None if leaf.is_personal else FORMS.get(leaf.kind)
            self._leaves[key] = form(leaf, self._frame) if form is not None else None
        return self._leaves[key]


def evaluate(rule: Rule, columns: Columns, context: Context, now: Instant) -> Evaluated:
    """The signed answers of a rule for every row."""
    return Vectors(columns, context, now).evaluate(rule)
