"""A basket's lines as the rules see them: resolved against the catalogue, in minor units, with what discounts left of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.programmes.model import LineKind, Selector


@dataclass(slots=True)
class Line:
    """``units`` are thousandths. ``net`` starts as ``amount`` and is lowered by every discount."""

    id: str
    kind: LineKind
    item: str | None
    category: str | None
    tags: frozenset[str]
    units: int
    amount: int
    net: int
    member: str | None = None

    @property
    def whole_units(self) -> int:
        """Whole units, rounded down towards zero: 1.250 kg is one."""
        return self.units // 1000 if self.units >= 0 else -(-self.units // 1000)


def selects(selector: Selector, line: Line) -> bool:
    """Whether the selector is about the line."""
    return (
        selector.everything
        or (line.item is not None and line.item in selector.items)
        or (line.category is not None and line.category in selector.categories)
        or not line.tags.isdisjoint(selector.tags)
    )


def selected(selector: Selector, lines: Iterable[Line]) -> list[Line]:
    """The lines that the selector is about."""
    return [line for line in lines if selects(selector, line)]


def net_of(lines: Iterable[Line]) -> int:
    """What the lines cost together after discounts."""
    return sum(line.net for line in lines)
