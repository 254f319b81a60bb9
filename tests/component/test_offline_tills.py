"""Two tills of a location, two days without a network, clocks ten minutes wrong, then a network that loses, repeats and delays,
and power cuts: everything is recorded exactly once, and is what a straight computation says.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from local.till.giving import Coupon, Order
from local.till.network import Reply
from local.verify import CHECKS, take
from shared.coupons.repository import CouponRepository
from shared.definitions.catalogue import list_locations
from shared.kernel.instants import DAY, HOUR, MINUTE, SECOND, format_rfc3339, parse_rfc3339
from shared.members import cards
from shared.storage.items import RequestItem
from shared.storage.packing import unpack
from shared.tenants.model import Location, OfflineAllowance
from shared.tenants.tokens import TokenSigner
from shared.transactions.api import ReturnRequest, TransactionRequest
from shared.transactions.ingestion import ingest
from shared.transactions.reversal import record_return, void
from tests.builders.gateway import Till as Gateway
from tests.builders.gateway import sold
from tests.builders.house import House
from tests.builders.invariants import check_member
from tests.builders.tills import Station
from tests.component.test_races import issue
from tests.fakes.till import FATES

SIGNER = TokenSigner(b"a master secret of the tests")
TENTH = {"name": "Tenth", "effect": {"kind": "percent", "percent": 10}, "per_member": 100}
OFFLINE = OfflineAllowance(
    points_per_sale=50, points_per_day=500, value_per_sale=500, value_per_day=5000, coupon_kinds=("percent",), hours=72
)
BY_TEN = 10 * MINUTE


class Shop:
    """What tills call: the function itself, with the Date header that a gateway adds."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway, self.house = gateway, gateway.house

    def __call__(self, method: str, path: str, body: Any) -> Reply:
        date = format_datetime(datetime.fromtimestamp(self.house.now // SECOND, UTC), usegmt=True)
        if path.startswith("/.well-known"):
            return Reply(200, SIGNER.jwks(), {"date": date})
        if path.startswith("/v1/locations"):
            return Reply(200, list_locations(self.house.scope(), 200, None, b"k" * 32).model_dump(mode="json"), {"date": date})
        reversed_ = re.fullmatch(r"/v1/transactions/([^/]+)/void", path)
        if reversed_ is not None:
            said = self.gateway.call("void_transaction", transaction_id=reversed_[1])
        else:
            operations = {"/v1/quotes": "quote", "/v1/transactions": "record_transaction", "/v1/returns": "record_return"}
            said = self.gateway.call(operations[path], body)
        return Reply(said.status, said.body, {name.lower(): value for name, value in said.headers.items()} | {"date": date})


@dataclass
class Plan:
    """What happened in the shop, as somebody with a perfect memory would tell it."""

    sales: list[dict[str, Any]] = field(default_factory=list)
    returns: list[dict[str, Any]] = field(default_factory=list)
    voids: list[str] = field(default_factory=list)


@dataclass
class World:
    """Two equal tenants: tills work in the first; the second hears the plan, once and in order."""

    shop: Shop
    straight: House
    members: list[str]
    twins: dict[str, str]
    """Ids of the first tenant -> those of the second."""
    plan: Plan = field(default_factory=Plan)

    def sell(self, station: Station, receipt: str, amount: int, who: int | None = None, coupon: str | None = None, points: int = 0) -> None:
        """A sale at a till without a network, and in the plan."""
        house = self.shop.house
        member = self.members[who] if who is not None else None
        till = station.till
        card = till.scan(cards.card(house.scope(), member, SIGNER).content) if member is not None else None
        shown = []
        if coupon is not None and member is not None:
            shown = [Coupon(shown=till.scan(cards.coupon_qr(house.scope(), member, coupon, SIGNER).content))]
        line = {"id": "1", "item_id": "burger", "unit_price": amount}
        date = format_rfc3339(house.now)[:10]
        order = Order(receipt, (line,), card, None, tuple(shown), points, points * 5 if points else None, business_date=date)
        assert station.do(lambda till: till.sell(order)).taken
        body = {"source": "till", "location_id": "mitte", "till_id": station.name, "business_date": date, "receipt_number": receipt}
        body |= {"occurred_at": format_rfc3339(house.now), "currency": "EUR", "lines": [line], "offline": True}
        if member is not None:
            body["member"] = {"id": member}
        if coupon is not None:
            body["coupons"] = [{"id": coupon, "given": amount // 10}]
        if points:
            body |= {"points_to_spend": points, "tenders": [{"kind": "points", "amount": points * 5}]}
        self.plan.sales.append(body)

    def compute(self) -> None:
        """The plan, straight."""
        text = json.dumps([self.plan.sales, self.plan.returns])
        for ours, theirs in self.twins.items():
            text = text.replace(ours, theirs)
        self.straight.now = self.shop.house.now
        scope = self.straight.scope()
        for body in json.loads(text)[0]:
            ingest(scope, TransactionRequest.model_validate(body))
        for body in json.loads(text)[1]:
            record_return(scope, ReturnRequest.model_validate(body))
        for transaction in self.plan.voids:
            void(scope, transaction)

    def agree(self) -> None:
        """Both tenants say the same: sales, totals, points, coupons, losses."""
        self.compute()
        ours, theirs = _stored(self.shop.house), _stored(self.straight)
        assert sorted(ours) == sorted(theirs)
        for key, sale in ours.items():
            assert sale["status"] == theirs[key]["status"], key
            assert abs(parse_rfc3339(sale["at"]) - parse_rfc3339(theirs[key]["at"])) <= SECOND, key
        assert sum(each["due"] for each in ours.values()) == sum(each["due"] for each in theirs.values())
        assert _losses(self.shop.gateway, "demo") == _losses(self.shop.gateway, "other")
        for member in self.members:
            mine, hers = self.shop.house.state(member), self.straight.state(self.twins[member])
            wallets = [(each.earned, each.spent, each.reversed, each.debt, sum(lot.points for lot in each.lots))
                       for each in (mine.wallets["points"], hers.wallets["points"])]  # fmt: skip
            assert wallets[0] == wallets[1]
            check_member(self.shop.house, member)
        assert _coupons(self.shop.house) == _coupons(self.straight)
        table = self.shop.house.table
        items = table._client.scan(TableName=table.name, ConsistentRead=True)["Items"]
        assert {name: found for name, check in CHECKS.items() if (found := list(check(take(items))))} == {}


def _items(house: House) -> Iterator[Any]:
    items = house.table._client.scan(TableName=house.table.name, ConsistentRead=True)["Items"]
    return (raw for raw in items if raw["PK"]["S"].startswith(f"T#{house.tenant}#"))


def _stored(house: House) -> dict[str, dict[str, Any]]:
    """Natural key -> what is recorded under it."""
    found = {}
    for raw in _items(house):
        if "#REQ#txn#till#" in raw["PK"]["S"]:
            item = RequestItem.read(raw)
            answer = unpack(item.body)[1]
            at, due = answer["occurred_at"], answer["totals"]["due"]
            found[raw["PK"]["S"].rpartition("#")[2]] = {"status": item.status, "at": at, "due": due}
    return found


def _coupons(house: House) -> list[str]:
    return sorted(raw["state"]["S"] for raw in _items(house) if raw["SK"]["S"] == "CPN")


def _losses(gateway: Gateway, tenant: str) -> Any:
    return gateway.call("report_offline_losses", tenant=tenant, location_id="mitte").body["days"]


@pytest.fixture
def world(till: Gateway, other: House) -> World:
    """Two members with money, and coupons, in either tenant."""
    members: list[list[str]] = []
    coupons: list[list[str]] = []
    for house in (till.house, other):
        house.publish("offer", "tenth", TENTH)
        house.add_location(Location(id="mitte", name="Mitte", offline=OFFLINE))
        members.append([house.join(house.now - DAY) for _ in range(2)])
        for number, member in enumerate(members[-1]):
            first = sold(member, ("burger", 100_000)) | {"receipt_number": f"first-{number}", "source": "web"}
            ingest(house.scope(), TransactionRequest.model_validate(first))
        coupons.append([issue(house, member, "tenth") for member in members[-1] for _ in range(6)])
    # A measured clock is good to a second: nothing here begins in the very second of a sale.
    till.house.now += MINUTE
    twins = dict(zip((*members[0], *coupons[0]), (*members[1], *coupons[1]), strict=True))
    return World(Shop(till), other, members[0], twins)


def coupons_of(world: World, who: int) -> list[str]:
    """Of a member, oldest first."""
    house = world.shop.house
    owned = CouponRepository("demo", house.table).get_many([each for each in world.twins if each.startswith("cpn")])
    return [each for each in world.twins if each in owned and owned[each].member == world.members[who]]


def _arrivals(*stations: Station) -> list[str]:
    """Receipts in the order in which the server got them, as often as it did."""
    bodies = [json.loads(text) for each in stations for path, text in each.network.sent if path == "/v1/transactions"]
    return [f"{body['till_id']} {body['receipt_number']}" for body in bodies]


def station(world: World, name: str, fast: int, seed: int = 0) -> Station:
    one = Station(name, world.shop, lambda: world.shop.house.now, fast, seed)
    assert one.till.refresh()
    return one


def later(world: World, other: Station | None = None) -> Callable[[int], None]:
    """Waiting is time that passes; meanwhile the other till works too."""

    def wait(ms: int) -> None:
        world.shop.house.now += ms
        if other is not None:
            other.do(lambda till: till.settle())

    return wait


@pytest.mark.parametrize("seed", range(4))
def test_two_tills_are_offline_for_two_days(world: World, seed: int) -> None:
    house = world.shop.house
    one, two = station(world, "1", BY_TEN, seed), station(world, "2", -BY_TEN, seed)
    mine, hers = coupons_of(world, 0), coupons_of(world, 1)
    for each in (one, two):
        each.network.cut = True
    if seed % 2:
        # A till that does not know yet that its clock is wrong: it learns so when it settles.
        two.till.known.skew = None
        two.memory.known.skew = None
        two.plug.often = 0
    for each in (one, two) if seed % 2 == 0 else (one,):
        each.plug.often = 0.02
    for step in range(12):
        world.sell(one, f"a{step}", 1000 + 10 * step)
        world.sell(two, f"b{step}", 700, 1, hers[step // 3] if step % 3 == 0 else None)
        world.sell(one, f"c{step}", 2000, 0, mine[step // 3] if step % 3 == 1 else None, 20 if step % 2 else 0)
        if step == 6:
            # The guest goes from till to till with one coupon; neither knows of the other.
            world.sell(one, "twice", 500, 0, mine[5])
            house.now += MINUTE
            world.sell(two, "twice", 500, 0, mine[5])
        house.now += 4 * HOUR
    today = format_rfc3339(house.now)[:10]
    first = world.plan.sales[0]
    one.do(lambda till: till.give_back("back", "a0", first["business_date"]))
    names = {name: first[name] for name in ("source", "location_id", "till_id", "business_date", "receipt_number")}
    back = {**names, "business_date": today, "receipt_number": "back", "occurred_at": format_rfc3339(house.now), "original": names}
    world.plan.returns.append(back)
    gone = one.do(lambda till: till.void("c1", first["business_date"]))
    world.plan.voids.append(gone.key.removeprefix("void/"))
    for each in (one, two):
        each.network.cut, each.network.fates, each.plug.often = False, FATES, 0.02
    one.settle(later(world, two))
    two.settle(later(world))
    for each in (two, one):
        each.network.arrive()
        assert each.till.journal.refused == []
    world.agree()
    assert len(world.plan.sales) == 38
    arrivals = _arrivals(one, two)
    assert max(arrivals.count(each) for each in arrivals) >= 3
    assert arrivals != sorted(arrivals, key=[f"{each['till_id']} {each['receipt_number']}" for each in world.plan.sales].index)
    redeemed = [day for day in _losses(world.shop.gateway, "demo") for row in day["reasons"] if row["reason"] == "redeemed"]
    assert [(day["count"], day["amount"]) for day in redeemed] == [(1, 50)]
    assert one.plug.pulled or two.plug.pulled


@pytest.mark.parametrize("seed", range(3))
def test_any_order_and_any_number_of_sendings_come_to_the_same(world: World, seed: int) -> None:
    house, chance = world.shop.house, random.Random(seed)
    tills = [station(world, "1", BY_TEN), station(world, "2", -BY_TEN)]
    mine = coupons_of(world, 0)
    for each in tills:
        each.network.cut = True
    for step in range(5):
        for each in tills:
            world.sell(each, f"s{step}", 900 + step, 0, mine[5] if step == 2 else None, 10 * (step % 2))
        house.now += 5 * HOUR
    first = world.plan.sales[0]
    names = {name: first[name] for name in ("source", "location_id", "till_id", "business_date", "receipt_number")}
    tills[0].till.give_back("back", "s0", first["business_date"])
    (back,) = (each for each in tills[0].till.journal.waiting if each.kind == "return")
    world.plan.returns.append({**back.body, "original": names})
    entries = [entry for each in tills for entry in each.till.journal.waiting for _ in range(chance.randint(1, 3))]
    chance.shuffle(entries)
    for entry in entries:
        assert world.shop("POST", entry.path, entry.body).status in (200, 201)
    world.agree()


def test_a_power_cut_between_any_two_steps_on_the_real_thing(world: World) -> None:
    """One till, cut once at every step in turn, each time with receipts of its own; then the whole plan is compared."""
    at, steps, pulled = 0, 10**6, set()
    mine = coupons_of(world, 0)
    while at < steps:
        at += 1
        one = station(world, f"t{at}", BY_TEN)
        one.network.cut = True
        begun, one.plug.at = one.plug.steps, one.plug.steps + at
        # The coupons are used up by the first round: from then on each of these sales is a loss, once.
        world.sell(one, "1", 900, 0, mine[0] if at == 1 else None, 2)
        world.sell(one, "2", 500)
        date = world.plan.sales[-1]["business_date"]
        void_ = one.do(lambda till, date=date: till.void("2", date))
        world.plan.voids.append(void_.key.removeprefix("void/"))
        one.network.cut = False
        one.settle(lambda _ms: None)
        one.do(lambda till: till.journal.compact(0))
        pulled.update(one.plug.pulled)
        if not one.plug.pulled:
            steps = one.plug.steps - begun
        world.shop.house.now += MINUTE
    assert pulled == {"write", "write on", "fsync", "send", "receive", "write new", "fsync new", "rename", "fsync folder"}
    world.agree()


def test_a_coupon_that_is_shown_again_after_it_was_used_is_a_loss_of_each_sale(world: World) -> None:
    tills = [station(world, str(number), 0) for number in range(3)]
    coupon = coupons_of(world, 1)[0]
    for each in tills:
        each.network.cut = True
        world.sell(each, "1", 800, 1, coupon)
        each.network.cut = False
    for each in reversed(tills):
        each.settle(lambda _ms: None)
    world.agree()
    (day,) = _losses(world.shop.gateway, "demo")
    assert day["reasons"] == [{"reason": "redeemed", "count": 2, "amount": 160, "without_amount": 0}]


def test_a_quote_with_a_network_and_a_coupon_that_is_used_before_the_sale_is_sent(world: World) -> None:
    """The price was ours and the guest has paid it, but the sale comes too late: it is settled, with a loss."""
    one, coupon = station(world, "1", 0), coupons_of(world, 0)[0]
    house = world.shop.house
    card = one.till.scan(cards.card(house.scope(), world.members[0], SIGNER).content)
    line = {"id": "1", "item_id": "burger", "unit_price": 900}

    def used_meanwhile(method: str, path: str, body: Any) -> Reply:
        if path == "/v1/transactions" and body["receipt_number"] == "1":
            used = sold(world.members[0], coupons=[{"id": coupon}], receipt_number="between")
            world.shop.gateway.call("record_transaction", used)
        return world.shop(method, path, body)

    one.network.server = used_meanwhile
    outcome = one.till.sell(Order("1", (line,), card, None, (Coupon(id=coupon),)))
    assert outcome.answer is not None
    assert [(each["reason"], each["amount"]) for each in outcome.answer["offline_losses"]] == [("redeemed", 90)]
    check_member(house, world.members[0])
