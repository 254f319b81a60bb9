"""A basket's lines as the rules see them: resolved against the catalogue, in minor units, with what discounts left of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.programmes.selectors import LineKind, Selector


@dataclass(slots=True)
class Line:
    """``units`` are thousandths. ``net`` starts as ``amount`` and is lowered by every discount of ours."""

    id: str
    kind: LineKind
    item: str | None
    category: str | None
    tags: frozenset[str]
    units: int
    amount: int
    """As printed, less the discounts that the till has given itself."""
    net: int
    member: str | None = None
    unit_price: int = 0
    full: int | None = None
    """Before the till's own discounts; ``amount`` where there are none."""
    tax: int = 0
    """The tax on ``amount``, in minor units: part of it, or (``tax_on_top``) beside it."""
    tax_on_top: bool = False
    rate: int | None = None
    """The tax rate as printed, in ten-thousandths of a percent; ``None``: not said."""
    known: bool = True
    """Whether the catalogue lists its item, or the line says itself what it is."""

    @property
    def whole_units(self) -> int:
        """Whole units, rounded down towards zero: 1.250 kg is one."""
        return self.units // 1000 if self.units >= 0 else -(-self.units // 1000)


def selects(selector: Selector, line: Line) -> bool:
    """Whether the selector is about the line."""
    named = (
        not selector.named
        or (line.item is not None and line.item in selector.items)
        or (line.category is not None and line.category in selector.categories)
        or not line.tags.isdisjoint(selector.tags)
    )
    return named and in_band(selector, line)


def in_band(selector: Selector, line: Line) -> bool:
    """Whether the price of one unit is inside the selector's band."""
    return (selector.price_from is None or line.unit_price >= selector.price_from) and (
        selector.price_below is None or line.unit_price < selector.price_below
    )


def selected(selector: Selector, lines: Iterable[Line]) -> list[Line]:
    """The lines that the selector is about."""
    return [line for line in lines if selects(selector, line)]


def net_of(lines: Iterable[Line]) -> int:
    """What the lines cost together after discounts."""
    return sum(line.net for line in lines)
