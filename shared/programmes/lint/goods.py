"""A line that several selectors are about and the programme does not exclude: found if there is any. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.programmes.lines import selects
from shared.programmes.lint.model import ExampleLine
from shared.programmes.lint.subject import line_of
from shared.programmes.model import ProgrammeBody
from shared.programmes.selectors import LineKind, Selector

TOP: Final = 10**12 - 1
_Named = tuple[str | None, str | None, tuple[str, ...]] | None


@dataclass(frozen=True)
class Goods:
    """Something that may be bought, of any unit price from ``low`` to ``high``, both included."""

    kind: LineKind
    item: str | None
    category: str | None
    tags: tuple[str, ...]
    low: int
    high: int

    def line(self, amount: int, id_: str = "1") -> ExampleLine:
        """A line of that amount; of the next higher one that whole units come to, where a unit cannot cost so much."""
        price = min(max(amount, self.low), self.high)
        units = max(1, -(-amount // price)) if price else 1
        return ExampleLine(
            id=id_,
            kind=self.kind,
            item=self.item,
            category=self.category,
            tags=self.tags,
            units=1000 * units,
            unit_price=price,
            amount=price * units,
        )

    def at_price(self, price: int) -> Goods:
        """The same for one price alone."""
        return Goods(self.kind, self.item, self.category, self.tags, price, price)


def goods(body: ProgrammeBody, selectors: Iterable[Selector], prices: Mapping[str, int] | None = None) -> Goods | None:
    """What the programme lets earn and all of the selectors are about; ``None`` if there is nothing.

    It has every tag that any of them names and that is not excluded, one item and one category. With ``prices``, an item
    that has one costs that much (if all selectors allow it).
    """
    wanted = [each for each in dict.fromkeys((body.scope, *selectors)) if not each.everything]
    low = max([1, *(each.price_from for each in wanted if each.price_from is not None)])
    high = min([TOP, *(each.price_below - 1 for each in wanted if each.price_below is not None)])
    if low > high:
        # A band of free things alone: price 0 is inside.
        low = high = 0
    kind: LineKind = "item" if "item" in body.base.kinds else body.base.kinds[0]
    excluded = body.base.excluded
    for choice, bands in _choices(wanted, excluded, low, high):
        if choice is None:
            continue
        item, category, tags = choice
        price = prices.get(item) if prices is not None and item is not None else None
        pinned = [(price, price)] if price is not None and low <= price <= high else []
        for first, last in pinned + bands:
            found = Goods(kind, item, category, tags, first, last)
            if first <= last and _fits(found, wanted, excluded):
                return found
    return None


def _choices(wanted: Sequence[Selector], excluded: Selector | None, low: int, high: int) -> list[tuple[_Named, list[tuple[int, int]]]]:
    """What the line may be, with the bands of its price: what the exclusion does not name, or what is outside of its band."""
    if excluded is None:
        return [(_named(wanted, None), [(low, high)])]
    outside = []
    if excluded.price_below is not None:
        outside.append((max(low, excluded.price_below), high))
    if excluded.price_from is not None:
        outside.append((low, min(high, excluded.price_from - 1)))
    unnamed = [(_named(wanted, excluded), [(low, high)])] if excluded.named else []
    return [*unnamed, (_named(wanted, None), outside)]


def _fits(found: Goods, wanted: Sequence[Selector], excluded: Selector | None) -> bool:
    for price in (found.low, found.high):
        line = line_of(found.at_price(price).line(price))
        if not all(selects(each, line) for each in wanted) or (excluded is not None and selects(excluded, line)):
            return False
    return True


def _named(wanted: Sequence[Selector], excluded: Selector | None) -> _Named:
    """Item, category and tags that all named selectors are about, none of them named by the exclusion; ``None`` if there is nothing."""
    barred = excluded or Selector()
    no_items, no_categories, no_tags = frozenset(barred.items), frozenset(barred.categories), frozenset(barred.tags)
    tags = tuple(dict.fromkeys(tag for each in wanted for tag in each.tags if tag not in no_tags))
    open_ = [each for each in wanted if each.named and not any(tag not in no_tags for tag in each.tags)]
    categories = dict.fromkeys(name for each in open_ for name in each.categories if name not in no_categories)
    for category in (None, *categories):
        rest = [each for each in open_ if category is None or category not in each.categories]
        if not rest:
            return None, category, tags
        shared = [item for item in rest[0].items if item not in no_items and all(item in each.items for each in rest[1:])]
        if shared:
            return shared[0], category, tags
    return None
