"""A published version of a programme, made once and asked for every basket: its rules in order, and which lines they are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from shared.programmes.lines import Line, in_band
from shared.programmes.model import UNLIMITED, Cashback, EarningRule, Fixed, Multiplier, PerAmount, PerItem, ProgrammeBody

Giver = PerAmount | PerItem | Fixed | Cashback
"""A rule that gives points of its own, and does not multiply those of others."""
R = TypeVar("R", bound=EarningRule)


@dataclass(frozen=True)
class Programme:
    """A published version of a programme. Its indexes are made when first asked for, then kept: share one object between baskets."""

    id: str
    version: int
    body: ProgrammeBody

    @cached_property
    def givers(self) -> RuleIndex[Giver]:
        """The rules that give points, by falling priority, then as listed."""
        return RuleIndex(self.id, [rule for rule in self._by_priority if not isinstance(rule, Multiplier)])

    @cached_property
    def multipliers(self) -> RuleIndex[Multiplier]:
        """The multipliers, by falling priority, then as listed."""
        return RuleIndex(self.id, [rule for rule in self._by_priority if isinstance(rule, Multiplier)])

    @cached_property
    def _by_priority(self) -> list[EarningRule]:
        return sorted(self.body.earning, key=lambda rule: -rule.priority)


@dataclass(frozen=True, slots=True)
class Entry(Generic[R]):
    """A rule, the key that its usage and budget are counted under, and whether it has limits."""

    rule: R
    key: str
    limited: bool


class RuleIndex(Generic[R]):
    """Rules found by the items, categories and tags of a basket: what is not in the basket costs nothing."""

    def __init__(self, programme: str, rules: Sequence[R]) -> None:
        self.entries = [Entry(rule, f"{programme}/{rule.id}", rule.limits != UNLIMITED) for rule in rules]
        self._items: dict[str, list[int]] = {}
        self._categories: dict[str, list[int]] = {}
        self._tags: dict[str, list[int]] = {}
        self._of_any_name: list[int] = []
        self._banded: set[int] = set()
        for place, rule in enumerate(rules):
            self._add(place, rule)

    def __len__(self) -> int:
        return len(self.entries)

    def matched(self, lines: list[Line]) -> list[tuple[Entry[R], list[Line]]]:
        """The rules that are about any of the lines, in their order, with those lines in theirs.

        Rules about every line are given the very list that was passed in.
        """
        found: dict[int, list[Line]] = {}
        if not lines:
            return []
        for line in lines:
            for places in self._named_by(line):
                for place in places:
                    mine = found.get(place)
                    if mine is None:
                        found[place] = [line]
                    # An item that is named and is of a named category too is one line.
                    elif mine[-1] is not line:
                        mine.append(line)
        for place in self._of_any_name:
            found[place] = lines
        for place in self._banded & found.keys():
            inside = [line for line in found[place] if in_band(self.entries[place].rule.on, line)]
            if inside:
                found[place] = inside
            else:
                del found[place]
        return [(self.entries[place], found[place]) for place in sorted(found)]

    def _add(self, place: int, rule: R) -> None:
        on = rule.on
        for index, names in ((self._items, on.items), (self._categories, on.categories), (self._tags, on.tags)):
            for name in dict.fromkeys(names):
                index.setdefault(name, []).append(place)
        if not on.named:
            self._of_any_name.append(place)
        if on.price_from is not None or on.price_below is not None:
            self._banded.add(place)

    def _named_by(self, line: Line) -> list[list[int]]:
        """The places of the rules that name the line's item, its category, each of its tags."""
        found = []
        if line.item is not None and line.item in self._items:
            found.append(self._items[line.item])
        if line.category is not None and line.category in self._categories:
            found.append(self._categories[line.category])
        if self._tags:
            found += [self._tags[tag] for tag in line.tags if tag in self._tags]
        return found
