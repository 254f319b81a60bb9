"""Coupons on a basket of ten lines, beside a function written by hand for the very same offers, and its growth with the catalogue.

The function by hand knows its offers and their order: no conditions, no choice between sets, no reasons.
"""

from __future__ import annotations

from typing import Any

from shared.coupons.model import Coupon, OfferBody
from shared.coupons.rules import Use
from shared.coupons.stacking import Candidate, choose
from shared.definitions.model import Definition, DefinitionSet
from shared.kernel.instants import DAY
from shared.kernel.money import allocate, divide
from shared.programmes.conditions import MemberFacts
from shared.tenants.model import TenantSettings
from tests.benchmarks.bench_decision import SCENE, basket
from tests.benchmarks.rows import Row, cpu_side_by_side, row

USE = Use(SCENE.at, SCENE, "mbr_1", MemberFacts())


def effect(number: int) -> dict[str, Any]:
    """Percentages, amounts and amounts per unit, in turn."""
    return (
        {"kind": "percent", "percent": 3 + number % 5},
        {"kind": "amount", "amount": 20 + number},
        {"kind": "amount_per_unit", "amount": 5 + number % 3},
    )[number % 3]


def candidates(number: int) -> list[Candidate]:
    """So many coupons that may all stand together."""
    made = []
    for place in range(number):
        body = OfferBody.model_validate({"name": "O", "effect": effect(place)})
        coupon = Coupon(f"cpn_{place:02}", f"offer-{place:02}", 1, "active", None, SCENE.at - DAY, SCENE.at + DAY)
        made.append(Candidate(place, coupon, body))
    return made


def by_hand(number: int, nets: list[int], units: list[int]) -> int:
    """All of them, one after another."""
    left = list(nets)
    for place in range(number):
        what = effect(place)
        if what["kind"] == "percent":
            parts = allocate(divide(sum(left) * what["percent"], 100, "half_up"), left)
        elif what["kind"] == "amount":
            parts = allocate(min(what["amount"], sum(left)), left)
        else:
            parts = [min(net // count, what["amount"]) * count for net, count in zip(left, units, strict=True)]
        left = [net - part for net, part in zip(left, parts, strict=True)]
    return sum(nets) - sum(left)


def run() -> list[Row]:
    """All figures."""
    lines, rows = basket(10), []
    nets, units = [line.net for line in lines], [line.whole_units for line in lines]
    for number in (1, 3, 10, 30):
        given = candidates(number)
        times = max(1, 300 // number**2)
        works = {
            "engine": lambda _i, given=given: choose(given, lines, USE, "best_for_guest"),
            "hand": lambda _i, number=number: by_hand(number, nets, units),
        }
        took = cpu_side_by_side(works, times, rounds=4)
        exact = "every set tried" if number <= 12 else "bounded search"
        rows.append(row(f"10 lines, {number} coupons", took["engine"] * 1e6, "us CPU", exact))
        rows.append(row(f"the same / by hand, {number} coupons", took["engine"] / took["hand"], "x", "by hand: one order, no choice"))
    return rows + growth()


def growth() -> list[Row]:
    """Finding the offers of three coupons in a catalogue of 10 and of 10,000: only those are parsed."""
    settings = TenantSettings(name="T", currency="EUR", time_zone="Europe/Berlin")

    def catalogue(number: int) -> DefinitionSet:
        bodies = [{"name": "O", "effect": effect(i)} for i in range(number)]
        offers = (Definition("offer", f"o{i}", 1, "published", body, effective_from=0) for i, body in enumerate(bodies))
        return DefinitionSet("demo", settings, {}, tuple(offers))

    few, many = catalogue(10), catalogue(10_000)
    works = {
        "few": lambda _i: [few.offer(f"o{i}", 1) for i in range(3)],
        "many": lambda _i: [many.offer(f"o{i}", 1) for i in range(3)],
    }
    took = cpu_side_by_side(works, 200, rounds=4)
    return [row("three coupons' offers among 10,000 / among 10", took["many"] / took["few"], "x", "parsed once and kept; aim 1.0")]
