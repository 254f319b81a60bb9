"""What holds for every basket and every set of coupons: sums, limits, order, and the best set against trying them all by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.coupons.model import Coupon, OfferBody, Promotion, PromotionBody
from shared.coupons.rules import Use, discount
from shared.coupons.stacking import EXACT, MOST_GROUP_BUDGETS, MOST_TOGETHER, Candidate, Objective, choose, together
from shared.kernel.instants import DAY
from shared.programmes.conditions import MemberFacts, Scene
from shared.programmes.lines import Line, selected
from tests.builders.house import NOW

SCENE = Scene(NOW, "Europe/Berlin", "Europe/Berlin", "mitte", "pos", "EUR")
USE = Use(NOW, SCENE, "mbr_1", MemberFacts(), programmes=frozenset({"points"}))
Row = tuple[str, int, int, int | None]

OBJECTIVES: tuple[Objective, ...] = ("best_for_guest", "best_for_margin", "as_listed")

percents = st.builds(
    lambda percent, per, rounding: {"kind": "percent", "percent": percent, "round_per": per, "rounding": rounding},
    st.integers(1, 100), st.sampled_from(["total", "unit"]), st.sampled_from(["floor", "half_up", "half_even"]),
)  # fmt: skip
effects = st.one_of(
    percents,
    st.builds(lambda amount: {"kind": "amount", "amount": amount}, st.integers(1, 2500)),
    st.builds(
        lambda amount, units: {"kind": "amount_per_unit", "amount": amount, "units": units},
        st.integers(1, 500), st.none() | st.integers(1, 3),
    ),
    st.builds(lambda price, units: {"kind": "unit_price", "price": price, "units": units}, st.integers(0, 900), st.integers(1, 3)),
    st.builds(lambda units: {"kind": "free_item", "item": "fries", "units": units}, st.integers(1, 3)),
    st.builds(lambda free: {"kind": "cheapest_free", "of": free + 1, "free": free}, st.integers(1, 3)),
    st.builds(lambda n, percent: {"kind": "nth_item", "n": n, "percent": percent}, st.integers(2, 4), st.integers(1, 100)),
    st.builds(
        lambda buy, get, which, times: {"kind": "buy_x_get_y", "buy_units": buy, "get_units": get, "get_which": which, "times": times},
        st.integers(1, 3), st.integers(1, 3), st.sampled_from(["cheapest", "dearest"]), st.integers(1, 3),
    ),
    st.builds(
        lambda price, times: {"kind": "bundle_price", "parts": [{"on": {"items": ["burger"]}}, {"on": {}}], "price": price, "times": times},
        st.integers(0, 1500), st.integers(1, 3),
    ),
    st.builds(
        lambda value, remainder, counts: {"kind": "voucher", "value": value, "remainder": remainder, "counts_as": counts},
        st.integers(1, 2500), st.sampled_from(["lost", "kept", "refused"]), st.sampled_from(["discount", "tender"]),
    ),
    st.builds(lambda points: {"kind": "extra_points", "programme": "points", "points": points}, st.integers(1, 50)),
    st.builds(lambda item: {"kind": "free_item", "item": item, "how": "added"}, st.sampled_from(["fries", "pie"])),
)  # fmt: skip
stackings = st.fixed_dictionaries(
    {},
    optional={
        "priority": st.integers(0, 2),
        "group": st.sampled_from(["a", "b"]),
        "exclusive": st.booleans(),
        "combines_with": st.lists(st.sampled_from(["a", "b"]), max_size=2),
    },
)
offers = st.fixed_dictionaries(
    {"effect": effects, "stacking": stackings, "automatic": st.booleans()},
    optional={
        "scope": st.sampled_from([{}, {"items": ["burger"]}, {"items": ["fries"]}, {"items": ["pie"]}, {"tags": ["vegetarian"]}]),
        "minimum_of": st.sampled_from([{}, {"items": ["burger"]}, {"items": ["pie"]}]),
        "minimum_basket": st.integers(0, 2000),
        "minimum_quantity": st.integers(0, 4),
        "minimum_counts": st.sampled_from(["before_discounts", "after_discounts"]),
    },
)
capped = st.builds(
    lambda offer, cap: offer if offer["effect"]["kind"] == "extra_points" else offer | {"maximum_discount": cap},
    offers, st.integers(1, 800),
)  # fmt: skip
offers = offers | capped
lines = st.lists(
    st.tuples(
        st.sampled_from(["burger", "fries", "pie"]),
        st.integers(0, 2000),
        st.sampled_from([1000, 2000, 375, 3000]),
        st.sampled_from([None, 70_000, 190_000]),
    ),
    min_size=1,
    max_size=5,
)


def line(place: int, item: str, price: int, units: int, rate: int | None = None) -> Line:
    amount = price * units // 1000
    tags = frozenset({"vegetarian"}) if item != "burger" else frozenset()
    return Line(str(place), "item", item, None, tags, units, amount, amount, unit_price=price, rate=rate)


def basket(rows: list[Row]) -> list[Line]:
    return [line(place, *row) for place, row in enumerate(rows)]


def candidates(drawn: list[dict[str, Any]]) -> list[Candidate]:
    """Coupons; what has ``automatic`` is a promotion, where it can be one."""
    return [_candidate(place, each) for place, each in enumerate(drawn)]


def _candidate(place: int, drawn: dict[str, Any]) -> Candidate:
    body = {name: value for name, value in drawn.items() if name != "automatic"}
    if drawn.get("automatic") and body["effect"]["kind"] != "voucher":
        promotion = Promotion(f"offer{place}", 1, PromotionBody.model_validate({"name": "O", **body}))
        return Candidate(place, promotion, promotion.body)
    coupon = Coupon(f"cpn_{place}", f"offer{place}", 1, "active", None, NOW - DAY, NOW + DAY)
    return Candidate(place, coupon, OfferBody.model_validate({"name": "O", **body}))


def working_order(one: Candidate) -> tuple[int, bool, int]:
    """By falling priority; coupons before promotions, each by its offer."""
    return -one.body.stacking.priority, isinstance(one.source, Promotion), one.place


def total(found: list[Candidate], goods: list[Line]) -> int | None:
    """What a set takes off, worked out one by one; ``None`` if it may not stand or one of it takes off nothing."""
    if any(not together(one.body.stacking, other.body.stacking) for one, other in combinations(found, 2)):
        return None
    left, taken, paid = list(goods), 0, 0
    for each in sorted(found, key=working_order):
        outcome = discount(each.source, each.body, left, USE, paid)
        if outcome.reason is not None:
            return None
        taken += outcome.amount
        if outcome.tender:
            paid += outcome.amount
        else:
            parts = dict(outcome.lines)
            left = [replace(one, net=one.net - parts.get(one.id, 0)) for one in left]
    return taken


@given(lines, st.lists(offers, max_size=5), st.sampled_from(OBJECTIVES))
def test_no_line_costs_less_than_nothing_and_the_sums_agree(
    rows: list[Row], drawn: list[dict[str, Any]], objective: Objective
) -> None:
    goods = basket(rows)
    chosen = choose(candidates(drawn), goods, USE, objective)
    off: dict[str, int] = {}
    for _, outcome in chosen.used:
        assert sum(part for _, part in outcome.lines) == outcome.amount
        for id_, part in outcome.lines:
            assert part > 0
            off[id_] = off.get(id_, 0) + part
    discounts = {id_: sum(dict(each.lines).get(id_, 0) for _, each in chosen.used if not each.tender) for id_ in off}
    assert all(discounts[one.id] <= one.net for one in goods if one.id in off)
    assert sum(outcome.amount for _, outcome in chosen.used) <= sum(one.net for one in goods)
    assert len(chosen.used) + len(chosen.refused) == len(drawn)
    assert all(outcome.reason for outcome in chosen.refused.values())


@given(lines, st.lists(offers, max_size=4), st.randoms(use_true_random=False), st.sampled_from(OBJECTIVES[:2]))
def test_the_order_in_which_coupons_are_listed_does_not_matter(
    rows: list[Row], drawn: list[dict[str, Any]], chance: Any, objective: Objective
) -> None:
    listed = candidates(drawn)
    shuffled = list(listed)
    chance.shuffle(shuffled)
    first, second = (choose(each, basket(rows), USE, objective) for each in (listed, shuffled))
    assert (first.used, first.refused) == (second.used, second.refused)


@given(lines, st.lists(offers, max_size=5))
def test_no_other_set_takes_off_more(rows: list[Row], drawn: list[dict[str, Any]]) -> None:
    goods, listed = basket(rows), candidates(drawn)
    best = sum(outcome.amount for _, outcome in choose(listed, goods, USE, "best_for_guest").used)
    every = [total(list(some), goods) for size in range(len(listed) + 1) for some in combinations(listed, size)]
    assert best == max(each for each in every if each is not None)


@given(lines, st.lists(offers, max_size=5))
def test_the_margins_set_is_no_dearer_than_the_guests(rows: list[Row], drawn: list[dict[str, Any]]) -> None:
    goods, listed = basket(rows), candidates(drawn)
    chosen = [choose(listed, goods, USE, each) for each in OBJECTIVES[:2]]
    guest, margin = (sum(outcome.amount for _, outcome in each.used) for each in chosen)
    assert margin <= guest


@given(lines, st.lists(offers, max_size=4), st.sampled_from(OBJECTIVES))
def test_each_rate_bears_its_share_of_a_discount_over_the_order(rows: list[Row], drawn: list[dict[str, Any]], objective: Objective) -> None:
    """Of percentages of the total, amounts, vouchers: per rate within one minor unit of the exact share of what was there to discount."""
    goods = basket(rows)
    left = {one.id: one.net for one in goods}
    for each, outcome in choose(candidates(drawn), goods, USE, objective).used:
        over_the_order = each.body.effect.kind in ("amount", "voucher") or getattr(each.body.effect, "round_per", "") == "total"
        if over_the_order and each.body.maximum_discount is None:
            scoped = [one for one in selected(each.body.scope, goods) if left[one.id] > 0]
            whole, parts = sum(left[one.id] for one in scoped), dict(outcome.lines)
            for rate in {one.rate for one in scoped}:
                of_rate = [one.id for one in scoped if one.rate == rate]
                share, exact = sum(parts.get(id_, 0) for id_ in of_rate), outcome.amount * sum(left[id_] for id_ in of_rate)
                assert abs(share * whole - exact) < whole
        if not outcome.tender:
            for id_, part in outcome.lines:
                left[id_] -= part
    assert min(left.values()) >= 0


def test_promotions_of_other_lines_are_chosen_each_by_itself() -> None:
    """Forty promotions and three coupons: every line's best, exactly, and more than fifteen of them together."""
    drawn = [
        {"effect": {"kind": "percent", "percent": percent}, "scope": {"items": [f"item{item}"]}, "stacking": {"group": f"g{item}"}}
        for item in range(20)
        for percent in (10, 11)
    ]
    coupon = {"effect": {"kind": "amount", "amount": 5}, "scope": {"items": ["item0"]}, "stacking": {"priority": 1}}
    goods = [line(place, f"item{place}", 1000, 1000) for place in range(20)]
    chosen = choose(candidates([each | {"automatic": True} for each in drawn] + [coupon] * 3), goods, USE, "best_for_guest")
    assert (chosen.exact, len(chosen.used)) == (True, 23)
    assert sum(outcome.amount for _, outcome in chosen.used) == 19 * 110 + 15 + 108


def test_a_minimum_of_other_lines_counts_what_is_taken_off_them() -> None:
    """A euro off the burger, or free fries for burgers of nine euros: not both."""
    drawn = [
        {"effect": {"kind": "amount", "amount": 100}, "scope": {"items": ["burger"]}, "automatic": True},
        {"effect": {"kind": "free_item", "item": "fries"}, "scope": {"items": ["fries"]}, "minimum_of": {"items": ["burger"]},
         "minimum_basket": 900, "automatic": True},
    ]  # fmt: skip
    goods = basket([("burger", 900, 1000, None), ("fries", 350, 1000, None)])
    assert [outcome.amount for _, outcome in choose(candidates(drawn), goods, USE, "best_for_guest").used] == [350]


@pytest.mark.parametrize("limits", [{"limit": 5}, {"limits": {"budget": 10_000}}])
def test_no_more_are_used_than_a_transaction_writes(limits: dict[str, Any]) -> None:
    drawn = [{"effect": {"kind": "amount", "amount": 10 + n}, "scope": {"items": [f"item{n}"]}, "automatic": True} for n in range(20)]
    goods = [line(place, f"item{place}", 1000, 1000) for place in range(20)]
    assert len(choose(candidates(drawn), goods, USE, "best_for_guest").used) == 20
    chosen = choose(candidates([each | limits for each in drawn]), goods, USE, "best_for_guest")
    assert sum(outcome.amount for _, outcome in chosen.used) == sum(range(15, 30))
    assert {outcome.reason for outcome in chosen.refused.values()} == {"not_combinable"}


@pytest.mark.parametrize(("number", "each"), [(20, 1), (20, 3), (20, 20), (14, 3), (9, 3), (2, 20), (6, 3), (1, 20)])
def test_all_together_take_from_no_more_budgets_of_groups_than_a_transaction_writes(number: int, each: int) -> None:
    """The best of them, whether or not there are more than may be used for other reasons too."""
    drawn = [{"effect": {"kind": "amount", "amount": 10 + n}, "scope": {"items": [f"item{n}"]}, "automatic": True} for n in range(number)]
    goods = [line(place, f"item{place}", 1000, 1000) for place in range(number)]
    limits = {"limits": {"group_budgets": {f"g{group}": 10**6 for group in range(each)}}}
    made = [replace(one, group_budgets=each) for one in candidates([one | limits for one in drawn])]
    chosen = choose(made, goods, USE, "best_for_guest")
    most = min(MOST_GROUP_BUDGETS // each, MOST_TOGETHER, number)
    assert sum(outcome.amount for _, outcome in chosen.used) == sum(range(10 + number - most, 10 + number))
    assert {outcome.reason for outcome in chosen.refused.values()} == ({"not_combinable"} if most < number else set())
    elsewhere = choose([replace(one, group_budgets=0) for one in made], goods, USE, "as_listed")
    assert len(elsewhere.used) == min(number, MOST_TOGETHER), "what is in no such group is bounded as ever"


def test_beyond_twelve_the_search_is_bounded_and_still_finds_what_simple_sets_need() -> None:
    drawn = [{"effect": {"kind": "amount", "amount": 10 + place}, "stacking": {"group": f"g{place % 15}"}} for place in range(30)]
    goods = [line(0, "burger", 100_000, 1000)]
    chosen = choose(candidates(drawn), goods, USE, "best_for_guest")
    assert not chosen.exact
    assert sum(outcome.amount for _, outcome in chosen.used) == sum(25 + place for place in range(15))
    assert choose(candidates(drawn[:EXACT]), goods, USE, "best_for_guest").exact
