"""Worked cases of returns (tests/cases/returns.json), and what holds for every sequence of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.instants import DAY, HOUR, MINUTE, NEVER, Instant
from shared.member_state.events import PointsBooked, TimePassed
from shared.member_state.model import MemberState, copy_state
from shared.transactions.bought import bought
from shared.transactions.repository import SaleRecord
from shared.transactions.returning import NotReturnable, decimal
from shared.wallet.model import Posting
from shared.wallet.rules import balance
from tests.builders.house import NOW
from tests.unit.transactions.shop import POINTS, Reversal, Shop, receipt

CASES = json.loads((Path(__file__).parents[2] / "cases" / "returns.json").read_text())


def shop_of(case: dict[str, Any]) -> Shop:
    """The definitions of a case."""
    programmes = case.get("programmes", {"points": case.get("programme", {})})
    return Shop({id_: POINTS | body for id_, body in programmes.items()}, case.get("wallets", {}), case.get("offers", {}))


def member_of(case: dict[str, Any], shop: Shop) -> MemberState:
    """She joined a day before, with what the case says she has."""
    state = shop.join(NOW - DAY)
    for wallet, points in case.get("balance", {}).items():
        shop.happens(state, PointsBooked(NOW - DAY, "adjust", (Posting(wallet, "adjust", points, 0, NOW + 100 * DAY),), "before"))
    return state


def sale_of(case: dict[str, Any], shop: Shop, state: MemberState) -> SaleRecord:
    """The sale of a case, at noon."""
    anonymous = case.get("anonymous", False) or case.get("claimed", False)
    buyer = None if anonymous else state
    coupons = [shop.coupon(buyer, offer, f"cpn_{number}") for number, offer in enumerate(case.get("coupons", ()), 1)]
    request = receipt(NOW, case["lines"], points_to_spend=case.get("spend", 0), tenders=case.get("tenders", ()))
    sale = shop.sell(buyer, request, NOW, coupons)
    assert sale is not None, "the case is not a sale"
    return shop.claim(sale, state) if case.get("claimed") else sale


def happened_between(case: dict[str, Any], shop: Shop, state: MemberState) -> Instant:
    """What happens between sale and returns; answers the instant of the first return."""
    for wallet, points in case.get("between", {}).items():
        shop.happens(state, PointsBooked(NOW + MINUTE, "adjust", (Posting(wallet, "adjust", points),), "between"))
    at = NOW + 10 * MINUTE + case.get("days_later", 0) * DAY
    if case.get("days_later"):
        shop.happens(state, TimePassed(at))
    return at


def answer_of(reversal: Reversal) -> dict[str, Any]:
    """What a case may say of one reversal."""
    return {
        "reversed": reversal.reversed,
        "not_reversed": reversal.not_reversed,
        "given_back": reversal.given_back,
        "value": reversal.plan.value,
        "money": reversal.plan.money,
        "status": reversal.sale.status,
        "coupons": list(reversal.coupons),
        "lines": {part.line: [decimal(part.units), part.value, part.points] for part in reversal.plan.parts},
        "visits": reversal.plan.visit.count,
    }


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_worked_case(case: dict[str, Any]) -> None:
    shop = shop_of(case)
    state = member_of(case, shop)
    before, sale = copy_state(state), sale_of(case, shop, state)
    assert sum(award.posting.points for award in sale.awards) == case["earned"]
    at = happened_between(case, shop, state)
    who = state if sale.member is not None else None
    for number, wanted in enumerate(case["returns"], 1):
        asked: dict[str, str | None] = wanted.get("asked", {})
        if "refused" in wanted:
            with pytest.raises(NotReturnable) as refused:
                shop.reverse(who, sale, asked, at)
            assert [[each.pointer, each.code] for each in refused.value.errors] == wanted["refused"]
            continue
        done = shop.reverse(who, sale, asked, at + number * MINUTE, void=wanted.get("void", False))
        sale, answer = done.sale, answer_of(done)
        expected = {"not_reversed": 0, "given_back": 0, "coupons": [], **wanted}
        assert {name: answer[name] for name in expected if name in answer} == {name: expected[name] for name in answer if name in expected}
    _check_end(case, shop, state, before)


def _check_end(case: dict[str, Any], shop: Shop, state: MemberState, before: MemberState) -> None:
    end = case.get("end", {})
    if "balance" in end:
        assert balance(state.wallets, state.holds) == end["balance"]
    if "debt" in end:
        assert state.wallet("points").debt == end["debt"]
    if "held" in end:
        assert sorted(coupon.offer for coupon in state.coupons.values()) == end["held"]
    if end.get("as_before"):
        lots = {name: wallet.lots for name, wallet in state.wallets.items() if wallet.lots or wallet.debt}
        assert lots == {name: wallet.lots for name, wallet in before.wallets.items() if wallet.lots or wallet.debt}
        assert (state.profile.cells, state.profile.count, state.usage) == (before.profile.cells, before.profile.count, before.usage)
    if "then" in case:
        again = shop.sell(state, receipt(state.as_of, case["then"]["lines"], points_to_spend=case["then"].get("spend", 0)), state.as_of)
        earned = None if again is None else sum(award.posting.points for award in again.awards)
        assert earned == case["then"]["earned"]


def test_there_are_at_least_forty_cases_with_names_of_their_own() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES) >= 40


OFFERS = {
    "ten": {"name": "Ten", "effect": {"kind": "percent", "percent": 10}},
    "fries": {"name": "Fries", "effect": {"kind": "unit_price", "price": 100, "units": 2}, "scope": {"items": ["fries"]}},
}
QUANTITIES = st.sampled_from(["1", "2", "3", "0.375", "1.125"])
OTHERS = [
    {"kind": "delivery", "unit_price": 199},
    {"kind": "tip", "unit_price": 50},
    {"item_id": "burger", "unit_price": -130},
    {"unit_price": 0},
]
goods = st.tuples(st.sampled_from(["burger", "fries", "pie"]), st.integers(0, 1500), QUANTITIES).map(list)
others = st.sampled_from(OTHERS)
baskets = st.tuples(st.lists(goods, min_size=1, max_size=4), st.lists(others, max_size=2)).map(lambda both: both[0] + both[1])
spending = st.builds(
    lambda points, value, counts_as: {"points": points, "value": value, "counts_as": counts_as},
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from(["tender", "discount"]),
)
terms = st.fixed_dictionaries(
    {
        "returns": st.fixed_dictionaries({"give_back": st.sampled_from(["full", "pro_rata", "never"])}),
        "spending": spending,
        "earning": st.sampled_from(
            [
                POINTS["earning"],
                [{"kind": "per_amount", "id": "base", "points": 3, "per": 100, "round_per": "line", "rounding": "half_up"}],
                [
                    {"kind": "fixed", "id": "visit", "points": 7},
                    {"kind": "per_item", "id": "each", "points": 2, "limits": {"times_per_day": 5}},
                ],
            ]
        ),
        "limits": st.sampled_from([{}, {"per_member": 40, "per_day": 25}]),
    }
)


def _bought(programme: Any, lines: Any, spend: int, coupons: Any) -> tuple[Shop, MemberState, SaleRecord] | None:
    shop = Shop({"points": POINTS | programme}, offers=OFFERS)
    state = shop.join(NOW - DAY)
    lot = Posting("points", "adjust", 3000, 0, NOW + 50 * DAY)
    shop.happens(state, PointsBooked(NOW - DAY, "adjust", (lot,), "before"))
    # Another purchase of the same day: what the one in question leaves behind would be seen beside it.
    assert shop.sell(state, receipt(NOW - 2 * HOUR, [["fries", 300], ["salad", 500]]), NOW - 2 * HOUR) is not None
    presented = [shop.coupon(state, offer, f"cpn_{offer}") for offer in coupons]
    sale = shop.sell(state, receipt(NOW, lines, points_to_spend=spend), NOW, presented)
    return (shop, state, sale) if sale is not None else None


@given(terms, baskets, st.integers(0, 400), st.lists(st.sampled_from(sorted(OFFERS)), unique=True, max_size=2), st.data())
def test_returns_in_any_order_are_one_whole_return(programme: Any, lines: Any, spend: int, coupons: Any, data: st.DataObject) -> None:
    made = _bought(programme, lines, spend, coupons) or _bought(programme, lines, 0, []) or _bought(programme, lines, spend, [])
    if made is None:
        return
    shop, state, sale = made
    at_once = copy_state(state)
    whole = shop.reverse(at_once, sale)
    done: list[Reversal] = []
    while sale.status != "returned":
        asked = _drawn(data, shop, sale)
        done.append(shop.reverse(state, sale, asked))
        sale = done[-1].sale
    assert (state.wallets, state.profile, state.usage, state.coupons) == (
        at_once.wallets, at_once.profile, at_once.usage, at_once.coupons,
    )  # fmt: skip
    _adds_up(sale, whole, done)


def _drawn(data: st.DataObject, shop: Shop, sale: SaleRecord) -> dict[str, str | None]:
    """Some of the lines that are left, or parts of them; all that is left, where nothing is drawn."""
    asked: dict[str, str | None] = {}
    for line in bought(shop.scope, sale).sold.lines:
        left = line.units - sale.returned.get(line.id, 0)
        if left > 0 and line.amount >= 0 and data.draw(st.booleans()):
            asked[line.id] = data.draw(st.none() | st.integers(1, left).map(decimal))
    return asked


def _adds_up(sale: SaleRecord, whole: Reversal, done: list[Reversal]) -> None:
    """The parts of any sequence are the sale's, and no part of what is taken or given back is below nothing."""
    for name in ("reversed", "given_back", "not_reversed"):
        assert sum(getattr(each, name) for each in done) == getattr(whole, name)
        assert min(getattr(each, name) for each in done) >= 0
    assert sum(each.plan.value for each in done) == whole.plan.value == sum(line["net"] for line in sale.answer["lines"])
    assert sum(each.plan.money for each in done) == whole.plan.money
    assert min(each.plan.money for each in done) >= 0
    assert whole.reversed == sum(award.posting.points for award in sale.awards)
    assert sorted(coupon for each in done for coupon in each.coupons) == sorted(whole.coupons)
    assert sum(each.plan.visit.count for each in done) == 1
    units: dict[str, int] = {}
    for each in done:
        for part in each.plan.parts:
            units[part.line] = units.get(part.line, 0) + part.units
    assert {line: count for line, count in units.items() if count} == {part.line: part.units for part in whole.plan.parts if part.units}


@given(terms, baskets, st.integers(0, 400), st.booleans())
def test_a_whole_return_and_a_void_restore_exactly(programme: Any, lines: Any, spend: int, void: bool) -> None:
    programme = programme | {"returns": {"give_back": "full"}}
    before = None
    for paid in (spend, 0):
        shop = Shop({"points": POINTS | programme}, wallets={"points": {"overdraft": 100}})
        state = shop.join(NOW - DAY)
        lot = Posting("points", "adjust", 300, 0, NOW + 50 * DAY)
        shop.happens(state, PointsBooked(NOW - DAY, "adjust", (lot,), "before"))
        before = copy_state(state)
        sale = shop.sell(state, receipt(NOW, lines, points_to_spend=paid), NOW)
        if sale is not None:
            shop.reverse(state, sale, void=void)
            break
    assert before is not None
    lots = [(lot.points, lot.available_at, lot.expires_at) for lot in state.wallet("points").lots]
    assert lots == [(lot.points, lot.available_at, lot.expires_at) for lot in before.wallet("points").lots]
    assert state.wallet("points").debt == 0
    assert (state.profile.cells, state.profile.count, state.usage, state.visits) == (
        before.profile.cells, before.profile.count, before.usage, before.visits,
    )  # fmt: skip


def test_what_is_lost_by_a_floor_is_lost_once() -> None:
    shop = Shop(wallets={"points": {"floor": -3}})
    state = shop.join()
    sale = shop.sell(state, receipt(NOW, [["burger", 500, "2"]]), NOW)
    assert sale is not None
    shop.happens(state, PointsBooked(NOW, "adjust", (Posting("points", "adjust", -10),), "gone"))
    first = shop.reverse(state, sale, {"1": "1"})
    second = shop.reverse(state, first.sale)
    assert (first.reversed, first.not_reversed, second.reversed, second.not_reversed) == (3, 2, 0, 5)
    assert state.wallet("points").debt == 3


def test_a_visit_that_others_belong_to_stays() -> None:
    visit = {"earning": [{"kind": "fixed", "id": "visit", "points": 5}]}
    shop = Shop({"points": POINTS | visit})
    state = shop.join()
    first = shop.sell(state, receipt(NOW, [["burger", 900]]), NOW)
    second = shop.sell(state, receipt(NOW + MINUTE, [["burger", 900]]), NOW + MINUTE)
    assert first is not None
    assert second is not None
    assert [sum(award.posting.points for award in sale.awards) for sale in (first, second)] == [5, 0]
    shop.reverse(state, second, at=NOW + 2 * MINUTE, void=True)
    third = shop.sell(state, receipt(NOW + 3 * MINUTE, [["burger", 900]]), NOW + 3 * MINUTE)
    assert third is not None
    assert third.awards == (), "the first receipt has opened it"


def test_the_points_given_back_are_those_drawn_last() -> None:
    shop = Shop()
    state = shop.join(NOW - DAY)
    for days, points in ((10, 30), (20, 30)):
        lot = Posting("points", "adjust", points, 0, NOW + days * DAY)
        shop.happens(state, PointsBooked(NOW - DAY, "adjust", (lot,), "before"))
    sale = shop.sell(state, receipt(NOW, [["fries", 50, "2"]], points_to_spend=50), NOW)
    assert sale is not None
    shop.reverse(state, sale, {"1": "1"})
    assert [(lot.points, (lot.expires_at - NOW) // DAY) for lot in state.wallet("points").lots] == [(5, 10), (30, 20)]


def test_a_kept_voucher_is_not_touched_by_a_return() -> None:
    conversion = {"id": "v", "points": 5, "offer": "ten", "automatic": True}
    shop = Shop({"points": POINTS | {"conversions": [conversion], "returns": {"vouchers": "keep"}}}, offers={"ten": OFFERS["ten"]})
    state = shop.join()
    sale = shop.sell(state, receipt(NOW, [["burger", 500]]), NOW)
    assert sale is not None
    (voucher,) = state.coupons
    shop.reverse(state, sale)
    assert list(state.coupons) == [voucher]
    assert state.coupons[voucher].expires_at < NEVER
    assert state.wallet("points").debt == 5
