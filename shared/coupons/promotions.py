"""The automatic promotions in force, and which of them a basket may be about. Pure.

Every basket asks all of them, so that what cannot apply must cost nothing: promotions are found by the items, categories and tags
of the lines that they need, and of those only the ones whose conditions are met go on to be priced.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Final

from shared.coupons.effects import GIVES_POINTS, BundlePrice, BuyGet, FreeItem
from shared.coupons.model import Promotion
from shared.coupons.rules import Use
from shared.programmes.conditions import unmet
from shared.programmes.lines import Line
from shared.programmes.selectors import Selector

MOST_IN_FORCE: Final = 200


class Promotions:
    """Made once for the promotions between two switches of the definitions; then one look-up a name of the basket."""

    def __init__(self, promotions: Iterable[Promotion] = ()) -> None:
        self.in_force: tuple[Promotion, ...] = tuple(promotions)
        self._named: dict[tuple[str, str], list[int]] = {}
        self._of_any_name: list[int] = []
        for place, promotion in enumerate(self.in_force):
            names = list(_names(_needed(promotion)))
            if not names:
                self._of_any_name.append(place)
            for name in dict.fromkeys(names):
                self._named.setdefault(name, []).append(place)

    def __bool__(self) -> bool:
        return bool(self.in_force)

    def __iter__(self) -> Iterator[Promotion]:
        return iter(self.in_force)

    @cached_property
    def giving_points(self) -> Promotions:
        """Those that take nothing off."""
        return Promotions(each for each in self.in_force if isinstance(each.body.effect, GIVES_POINTS))

    def candidates(self, lines: Sequence[Line], use: Use, held: Sequence[Promotion] = ()) -> list[Promotion]:
        """Those that need something which is in the basket, and whose conditions are met; in their order.

        ``held`` are promised by a hold: they come in the version of then, whatever their conditions say now.
        """
        places = set(self._of_any_name)
        if self._named:
            for name in set(chain.from_iterable(_names_of(line) for line in lines)):
                places.update(self._named.get(name, ()))
        kept = {each.id for each in held}
        found = [self.in_force[place] for place in sorted(places)]
        return [*held, *(each for each in found if each.id not in kept and unmet(each.body.when, use.facts, use.scene) is None)]


NO_PROMOTIONS: Final = Promotions()


def _needed(promotion: Promotion) -> Selector:
    """Lines of which at least one must be in the basket for the promotion to apply."""
    body = promotion.body
    effect = body.effect
    if isinstance(effect, FreeItem):
        return body.minimum_of if effect.how == "added" else Selector(items=(effect.item,))
    if isinstance(effect, BuyGet) and not body.scope.named:
        return effect.get
    if isinstance(effect, BundlePrice) and not body.scope.named:
        return effect.parts[0].on
    return body.scope


def _names(selector: Selector) -> Iterator[tuple[str, str]]:
    for kind, names in (("item", selector.items), ("category", selector.categories), ("tag", selector.tags)):
        for name in names:
            yield kind, name


def _names_of(line: Line) -> Iterator[tuple[str, str]]:
    if line.item is not None:
        yield "item", line.item
    if line.category is not None:
        yield "category", line.category
    for tag in line.tags:
        yield "tag", tag
