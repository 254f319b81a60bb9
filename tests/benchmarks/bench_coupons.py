"""Coupons on a basket of ten lines, beside a function written by hand for the very same offers, and its growth with the catalogue.

The function by hand knows its offers and their order: no conditions, no choice between sets, no reasons.
"""

from __future__ import annotations

from typing import Any

from shared.coupons import service
from shared.coupons.api import IssueRequest
from shared.coupons.model import Coupon, OfferBody
from shared.coupons.rules import Use
from shared.coupons.stacking import Candidate, choose
from shared.definitions.model import Definition
from shared.definitions.repository import item_of
from shared.kernel.instants import DAY
from shared.kernel.money import allocate, divide
from shared.programmes.conditions import MemberFacts
from shared.storage import keys
from shared.storage.table import raw_key
from shared.transactions.api import CouponReference
from shared.transactions.service import quote
from tests.benchmarks.bench_decision import SCENE, basket
from tests.benchmarks.rows import Row, cpu_side_by_side, row
from tests.builders.house import House, sale
from tests.fakes import engine

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
    """A till's first quote with three coupons in a cold environment, of a tenant with 10 offers and of one with 10,000."""
    with engine.running_engine() as address:
        engine.create_tables(engine.client(address), "main", "keys")
        tables = engine.table(address, "main"), engine.table(address, "keys")
        few = _ColdQuote(House(*tables, tenant="few0").create(), address, 10)
        many = _ColdQuote(House(*tables, tenant="many").create(), address, 10_000)
        (units_of_few, _), (units, requests) = few.cost(), many.cost()
        took = cpu_side_by_side({"few": few, "many": many}, 20)
    return [
        row("read units of a cold quote, 10,000 offers / 10", units / units_of_few, "x", f"{units:g} units; aim 1.0"),
        row("CPU of a cold quote, 10,000 offers / 10", took["many"] / took["few"], "x", f"{requests} requests; aim 1.0"),
    ]


class _ColdQuote:
    """A quote by an environment that has read nothing of the tenant yet."""

    def __init__(self, house: House, address: str, offers: int) -> None:
        self.house = house
        _publish(house, address, offers)
        issued = [service.issue(house.scope(), f"o{each}", IssueRequest(request_id=f"{each}"), None).answer.id for each in range(3)]
        self.request = sale(None, lines=(("burger", 900), ("fries", 350)), coupons=[CouponReference(id=id_) for id_ in issued])
        self()

    def __call__(self, _index: int = 0) -> None:
        self.house.cache.forget(self.house.tenant)
        quote(self.house.scope(), self.request)

    def cost(self) -> tuple[float, int]:
        """Read units and requests, with the catalogue's items there."""
        self()
        table = self.house.table
        table.consumed = []
        self()
        consumed, table.consumed = table.consumed, None
        return sum(each["CapacityUnits"] for each in consumed), len(consumed)


def _publish(house: House, address: str, offers: int) -> None:
    """So many offers in force, written as raw items: making each by itself would take most of the benchmark's time."""
    offer = Definition("offer", "o", 1, "published", {"name": "O", "effect": effect(0)}, effective_from=0)
    version, raws = item_of(house.tenant, offer).serialize(), []
    for id_ in (f"o{number}" for number in range(offers)):
        where, head = keys.definition(house.tenant, "offer", id_, 1), keys.offer_head(house.tenant, id_)
        raws.append(version | raw_key(where) | {"definition_id": {"S": id_}})
        raws.append(raw_key(head) | {"v000001": {"S": "0|"}})
    for start in range(0, len(raws), 25):
        requests = [{"PutRequest": {"Item": raw}} for raw in raws[start : start + 25]]
        engine.client(address).batch_write_item(RequestItems={house.table.name: requests})
