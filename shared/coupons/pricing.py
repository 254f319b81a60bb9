"""Effects over lines: how much each takes off, and where. Pure; the lines are not changed.

Every discount lies on lines, in minor units, and is never more than a line costs. Effects that count units see a line as its whole
units, each at the line's price divided by them and rounded down; what the division leaves stays on the line. Weighed goods
(1.250 kg) are their whole units only. At most ``MAX_UNITS`` units of a basket are counted.

An amount over several lines is first split over their tax rates, then over the lines of each rate (``spread``), so that what a
receipt says of each rate is right to the minor unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from shared.coupons.effects import (
    AmountOff,
    AmountPerUnit,
    BundlePrice,
    BuyGet,
    CheapestFree,
    Effect,
    FreeItem,
    NthItem,
    PercentOff,
    UnitPrice,
)
from shared.kernel.money import allocate_by_group, divide
from shared.programmes.lines import Line, selects
from shared.programmes.selectors import Selector

MAX_UNITS: Final = 2_000
Parts = list[int]
"""The discount on each scoped line, in their order."""


@dataclass(frozen=True, slots=True)
class _Unit:
    line: int
    price: int


def parts_of(effect: Effect, scoped: Sequence[Line]) -> Parts:
    """What the effect takes off each scoped line; nothing for the effects that do not price (vouchers, items that are added, points)."""
    price = _PRICES.get(type(effect))
    return price(effect, list(scoped)) if price is not None else [0] * len(scoped)


def spread(total: int, weights: list[int], lines: Iterable[Line]) -> Parts:
    """The amount over the lines in proportion to their weights, by tax rate first; lines that do not say their rate are one group."""
    return allocate_by_group(total, weights, [line.rate for line in lines])


def _percent(effect: PercentOff, scoped: list[Line]) -> Parts:
    """Of the total, spread to the last unit; or rounded for a unit and taken as often (a weighed line is one unit)."""
    nets = [line.net for line in scoped]
    if effect.round_per == "total":
        return spread(divide(sum(nets) * effect.percent, 100, effect.rounding), nets, scoped)
    parts = []
    for line in scoped:
        units = line.whole_units if line.units % 1000 == 0 and line.units > 0 else 1
        parts.append(min(line.net, divide(line.net * effect.percent, 100 * units, effect.rounding) * units))
    return parts


def _amount(effect: AmountOff, scoped: list[Line]) -> Parts:
    nets = [line.net for line in scoped]
    return spread(min(effect.amount, sum(nets)), nets, scoped)


def _amount_per_unit(effect: AmountPerUnit, scoped: list[Line]) -> Parts:
    units = _dearest_first(scoped)[: effect.units]
    return _sum(scoped, ((unit.line, min(unit.price, effect.amount)) for unit in units))


def _unit_price(effect: UnitPrice, scoped: list[Line]) -> Parts:
    return _sum(scoped, ((unit.line, max(0, unit.price - effect.price)) for unit in _dearest_first(scoped)[: effect.units]))


def _free_item(effect: FreeItem, scoped: list[Line]) -> Parts:
    if effect.how == "added":
        return [0] * len(scoped)
    units = [unit for unit in _dearest_first(scoped) if scoped[unit.line].item == effect.item]
    return _sum(scoped, ((unit.line, unit.price) for unit in units[: effect.units]))


def _cheapest_free(effect: CheapestFree, scoped: list[Line]) -> Parts:
    units = _dearest_first(scoped)
    groups = len(units) // effect.of
    groups = groups if effect.times is None else min(groups, effect.times)
    ends = [effect.of * (group + 1) for group in range(groups)]
    return _sum(scoped, ((unit.line, unit.price) for end in ends for unit in units[end - effect.free : end]))


def _nth_item(effect: NthItem, scoped: list[Line]) -> Parts:
    reduced = _dearest_first(scoped)[effect.n - 1 :: effect.n][: effect.times]
    return _sum(scoped, ((unit.line, divide(unit.price * effect.percent, 100, effect.rounding)) for unit in reduced))


def _buy_get(effect: BuyGet, scoped: list[Line]) -> Parts:
    """Greedy: the dearest are bought, so that what is got is the rest; a unit is bought or got, never both."""
    left = _dearest_first(scoped)
    found: list[tuple[int, int]] = []
    for _ in range(effect.times):
        bought = _take(left, scoped, effect.buy, effect.buy_units)
        if bought is None:
            break
        rest = _without(left, bought)
        rest = rest if effect.get_which == "dearest" else rest[::-1]
        got = _take(rest, scoped, effect.get, effect.get_units)
        if got is None:
            break
        found += [(unit.line, divide(unit.price * effect.percent, 100, effect.rounding)) for unit in got]
        left = _without(_without(left, bought), got)
    return _sum(scoped, found)


def _bundle(effect: BundlePrice, scoped: list[Line]) -> Parts:
    left = _dearest_first(scoped)
    parts = [0] * len(scoped)
    for _ in range(effect.times):
        taken: list[_Unit] = []
        for part in effect.parts:
            units = _take(_without(left, taken), scoped, part.on, part.units)
            if units is None:
                return parts
            taken += units
        saved = sum(unit.price for unit in taken) - effect.price
        if saved <= 0:
            return parts
        shares = spread(saved, [unit.price for unit in taken], [scoped[unit.line] for unit in taken])
        for unit, share in zip(taken, shares, strict=True):
            parts[unit.line] += share
        left = _without(left, taken)
    return parts


def _dearest_first(scoped: Sequence[Line]) -> list[_Unit]:
    """At most ``MAX_UNITS``, the dearest: a line of a million screws is no reason to count them."""
    prices = [(line.net // line.whole_units, index) for index, line in enumerate(scoped) if line.whole_units > 0]
    in_order = sorted(prices, key=lambda each: (-each[0], each[1]))
    units = (_Unit(index, price) for price, index in in_order for _ in range(scoped[index].whole_units))
    return list(islice(units, MAX_UNITS))


def _take(units: Sequence[_Unit], scoped: Sequence[Line], selector: Selector, count: int) -> list[_Unit] | None:
    """The first so many that the selector is about; ``None`` if there are not so many."""
    found = [unit for unit in units if selects(selector, scoped[unit.line])][:count]
    return found if len(found) == count else None


def _without(units: Sequence[_Unit], taken: Iterable[_Unit]) -> list[_Unit]:
    """Units are equal where line and price are: as many are left out as were taken."""
    left = list(units)
    for unit in taken:
        left.remove(unit)
    return left


def _sum(scoped: Sequence[Line], off: Iterable[tuple[int, int]]) -> Parts:
    """The sums by line of (line, amount)."""
    parts = [0] * len(scoped)
    for index, amount in off:
        parts[index] += amount
    return parts


_PRICES: Final[dict[type, Callable[[Any, list[Line]], Parts]]] = {
    PercentOff: _percent,
    AmountOff: _amount,
    AmountPerUnit: _amount_per_unit,
    UnitPrice: _unit_price,
    FreeItem: _free_item,
    CheapestFree: _cheapest_free,
    NthItem: _nth_item,
    BuyGet: _buy_get,
    BundlePrice: _bundle,
}
