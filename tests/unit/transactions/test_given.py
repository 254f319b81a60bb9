"""What is kept of a sale is enough to decide it again: the same lines, points and trace, whatever has changed since."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.coupons.model import Coupon, OfferBody, Promotion, PromotionBody
from shared.coupons.promotions import Promotions
from shared.kernel.instants import DAY, HOUR
from shared.programmes.asking import asked_by
from shared.programmes.compiled import Programme
from shared.programmes.conditions import MemberFacts, Scene, Usage
from shared.programmes.model import ProgrammeBody
from shared.storage.table import Table, WriteBatch
from shared.tenants.model import WalletSettings
from shared.transactions.answers import decision_fields, trace
from shared.transactions.api import TransactionRequest
from shared.transactions.gathering import natural_key
from shared.transactions.given import ProgrammeGone, decode_given
from shared.transactions.model import NOBODY, Circumstances, Decided, PresentedCoupon
from shared.transactions.outcomes import outcome_of
from shared.transactions.repository import SaleRecord, SaleRepository
from shared.transactions.rules import decide, decide_again
from tests.builders.house import NOW
from tests.unit.transactions.shop import CATALOGUE, receipt

BODIES: dict[tuple[str, int], dict[str, Any]] = {
    ("points", 3): {
        "name": "Points",
        "earning": [
            {"kind": "per_amount", "id": "base", "points": 3, "per": 200, "rounding": "half_even", "limits": {"per_day": 20, "budget": 50}},
            {"kind": "fixed", "id": "visit", "points": 5, "minimum": 300},
            {"kind": "fixed", "id": "first", "points": 9, "per": "receipt", "when": {"first_purchase": True}},
            {"kind": "per_item", "id": "green", "points": 2, "on": {"tags": ["vegetarian"]}, "when": {"segments": ["regulars"]}},
            {"kind": "multiplier", "id": "happy", "percent": 200, "when": {"tiers": ["gold"]}},
            {"kind": "fixed", "id": "west", "points": 6, "per": "receipt", "when": {"location_groups": ["west"]}},
            {"kind": "fixed", "id": "evening", "points": 4, "per": "receipt", "when": {"hours": {"start": "18:00", "end": "22:00"}}},
        ],
        "spending": {"points": 2, "value": 3, "uses_per_day": 1},
        "limits": {"per_member": 60, "budget": 900},
        "pending": {"days": 2, "until_event": "app_opened"},
        "expiry": {"kind": "end_of_month"},
        "tiers": {"levels": [{"id": "gold", "name": "Gold", "threshold": 50, "multiplier_percent": 150}]},
    },
    ("stars", 1): {
        "name": "Stars",
        "wallet": "stars",
        "priority": -1,
        "earning": [{"kind": "cashback", "id": "back", "percent_e2": 250, "by_tier": {"gold": 500}}],
        "base": {"tax": "net", "discounts": "before", "excluded_tenders": ["gift_card"]},
        "applies": {"tags": ["vip"]},
    },
}


def programmes() -> tuple[Programme, ...]:
    """As published when the sale was made."""
    return tuple(Programme(id_, version, ProgrammeBody.model_validate(body)) for (id_, version), body in BODIES.items())


def programme_of(id_: str, version: int) -> Programme | None:
    """A version, in force or not."""
    return next((each for each in programmes() if (each.id, each.version) == (id_, version)), None)


usages = st.dictionaries(
    st.sampled_from(["points", "points/base"]), st.builds(Usage, *(st.integers(0, 40) for _ in range(4))), max_size=2
)
members = st.builds(
    MemberFacts,
    tier=st.sampled_from([None, "gold", "lead"]),
    segments=st.sampled_from([frozenset(), frozenset({"regulars"})]),
    tags=st.sampled_from([frozenset(), frozenset({"vip"})]),
    joined_at=st.integers(NOW - 100 * DAY, NOW),
    purchases=st.integers(0, 2),
    same_visit=st.booleans(),
    usage=usages,
    balances=st.just({"points": 120, "stars": 7}),
    payments_today=st.sampled_from([{}, {"points": 1}]),
)
scenes = st.builds(
    lambda hours, zone, groups: Scene(NOW + hours * HOUR, "Europe/Berlin", zone, "mitte", "pos", "EUR", groups),
    st.integers(-40, 40),
    st.sampled_from(["Europe/Berlin", "Asia/Tokyo"]),
    st.frozensets(st.sampled_from(["west", "east", "theatres"])),
)
circumstances = st.builds(
    Circumstances,
    now=st.integers(NOW + 50 * HOUR, NOW + 90 * HOUR),
    scene=scenes,
    programmes=st.just(programmes()),
    wallets=st.sampled_from([{}, {"points": WalletSettings(points=2, value=5, overdraft=30, floor=-4), "old": WalletSettings()}]),
    catalogue=st.just(CATALOGUE),
    known_location=st.booleans(),
    member=st.just("mbr_1"),
    facts=members,
    historical=st.booleans(),
    counts_visits=st.booleans(),
    exhausted=st.sampled_from([frozenset(), frozenset({"points/base"}), frozenset({"points"})]),
    asked_groups=st.just(asked_by(programmes()).location_groups),
)
lines = st.lists(
    st.tuples(st.sampled_from(["burger", "fries", "pie"]), st.integers(0, 2000), st.sampled_from(["1", "2", "0.375"])).map(list)
    | st.just({"kind": "delivery", "unit_price": 250, "tax_rate": "19", "tags": ["late"]}),
    min_size=1,
    max_size=5,
)
effects: list[dict[str, Any]] = [
    {"kind": "percent", "percent": 15},
    {"kind": "unit_price", "price": 100},
    {"kind": "voucher", "value": 400, "counts_as": "tender"},
    {"kind": "free_item", "item": "fries"},
    {"kind": "extra_points", "programme": "points", "points": 7, "per": "unit", "units": 2},
    {"kind": "points_multiplier", "programme": "stars", "percent": 250, "of": ["back"], "rounding": "half_up"},
]
automatic: list[dict[str, Any]] = [
    {"effect": {"kind": "amount", "amount": 130}, "content": {"en": {"title": "Off"}}},
    {"effect": {"kind": "free_item", "item": "salad", "how": "added"}, "scope": {"items": ["burger"]}},
    {"effect": {"kind": "extra_points", "programme": "points", "points": 40}, "scope": {"tags": ["vegetarian"]}},
    {"effect": {"kind": "points_multiplier", "programme": "points", "percent": 150}},
]


def stored(request: TransactionRequest, given_: Circumstances, decided: Decided) -> tuple[SaleRecord, dict[str, Any]]:
    """The sale after a trip through its item, and the answer as it was given."""
    answer = {"transaction_id": natural_key(request).id("txn"), **decision_fields(decided, "EUR", None, None)}
    sales, batch = SaleRepository("demo", cast("Table", None)), WriteBatch()
    outcome = outcome_of(request, decided, given_, answer)
    sales.add_new(batch, natural_key(request), b"hash", request.model_dump(mode="json", exclude_defaults=True), outcome, given_.member)
    return sales.decode(natural_key(request), batch.actions[0]["Put"]["Item"]), answer


@given(
    circumstances,
    lines,
    st.sampled_from([0, 0, 2, 50]),
    st.lists(st.sampled_from(effects), max_size=2),
    st.lists(st.sampled_from(automatic), max_size=3),
    st.booleans(),
)
def test_a_stored_sale_is_decided_again_to_the_same_trace(
    given_: Circumstances, rows: Any, spend: int, offers: list[dict[str, Any]], drawn: list[dict[str, Any]], anonymous: bool
) -> None:
    made = [Promotion(f"p{number}", 4, PromotionBody.model_validate({"name": "P", **body})) for number, body in enumerate(drawn)]
    given_ = replace(given_, promotions=Promotions(made))
    if anonymous:
        given_ = replace(given_, member=None, facts=NOBODY)
    request = receipt(given_.scene.at, rows, points_to_spend=spend, tenders=[{"kind": "gift_card", "amount": 100}])
    presented = [
        PresentedCoupon(f"coupons/{number}", _coupon(number), OfferBody.model_validate({"name": "O", "effect": effect}))
        for number, effect in enumerate(offers)
    ]
    decided = decide(request, presented, given_)
    sale, answer = stored(request, given_, decided)
    assert json.dumps(sale.answer) == json.dumps(answer), "to the byte"
    assert list(sale.awards) == decided.awards
    basket, again_given, kept = decode_given(sale.given, TransactionRequest.model_validate(sale.basket), sale.member, programme_of)
    again = decide_again(basket, kept, again_given)
    named = [(each.id, each.version, each.title, each.amount, each.added, each.came_to) for each in again.promotions]
    assert named == [(each.id, each.version, each.title, each.amount, each.added, each.came_to) for each in decided.promotions]
    assert [each.came_to for each in again.discounts] == [each.came_to for each in decided.discounts]
    assert trace(again.steps) == answer.get("trace", [])
    assert (again.lines, again.awards, again.budgets, again.visit) == (decided.lines, decided.awards, decided.budgets, decided.visit)
    assert (again.spent, again.paid_with_points, again.tendered, again.due) == (
        decided.spent, decided.paid_with_points, decided.tendered, decided.due,
    )  # fmt: skip
    as_kept = replace(given_.scene, groups=given_.scene.groups & {"west"})
    assert (again_given.scene, again_given.facts, again_given.now) == (as_kept, given_.facts, given_.now)


def test_of_the_groups_of_a_location_only_those_that_are_asked_are_kept() -> None:
    """Two more bytes of text than the name, and nothing where no definition names a group."""
    request, mitte = receipt(NOW, [["burger", 900]]), Scene(NOW, "UTC", "UTC", "mitte", "pos", "EUR", frozenset({"west", "east", "brand"}))
    for asked, kept in ((frozenset(), []), (frozenset({"north"}), []), (frozenset({"west", "north", "brand"}), ["brand", "west"])):
        given_ = Circumstances(NOW, mitte, programmes(), {}, {}, True, "mbr_1", MemberFacts(), asked_groups=asked)
        sale, _ = stored(request, given_, decide(request, [], given_))
        assert sale.given[0] == [NOW, 0, "UTC", 0, 0, *kept]
        assert decode_given(sale.given, request, sale.member, programme_of)[1].scene.groups == set(kept)


def test_a_sale_from_before_there_were_conditions_on_groups_is_decided_as_it_was() -> None:
    """Its first part had five entries: it was in no group that anybody asked for."""
    given_ = Circumstances(NOW, Scene(NOW, "UTC", "UTC", "mitte", "pos", "EUR"), programmes(), {}, CATALOGUE, True, "mbr_1", MemberFacts())
    request = receipt(NOW, [["burger", 900]])
    decided = decide(request, [], given_)
    sale, answer = stored(request, given_, decided)
    assert len(sale.given[0]) == 5
    basket, again, kept = decode_given(sale.given, request, sale.member, programme_of)
    assert again.scene == given_.scene
    assert trace(decide_again(basket, kept, again).steps) == answer["trace"]


def test_a_sale_from_before_there_were_promotions_is_read_as_it_was() -> None:
    """What was stored then: ten parts, and coupons of seven."""
    given_ = Circumstances(NOW, Scene(NOW, "UTC", "UTC", "mitte", "pos", "EUR"), programmes(), {}, {}, True, "mbr_1", MemberFacts())
    request = receipt(NOW, [["burger", 900]])
    offer = OfferBody.model_validate({"name": "O", "effect": {"kind": "percent", "percent": 10}})
    sale, _ = stored(request, given_, decide(request, [PresentedCoupon("coupons/0", _coupon(1), offer)], given_))
    assert (len(sale.given), sale.given[9]) == (10, [["cpn_1", "offer", 1, 90, {"1": 90}, 0, 0]])
    _, _, kept = decode_given(sale.given, request, sale.member, programme_of)
    assert ([each.coupon.id for each in kept.coupons], kept.promotions) == (["cpn_1"], [])


def _coupon(number: int) -> Coupon:
    return Coupon(f"cpn_{number}", "offer", 1, "active", None, NOW - 30 * DAY, NOW + 30 * DAY)


def test_a_version_that_is_gone_is_said_to_be() -> None:
    given_ = Circumstances(NOW, Scene(NOW, "UTC", "UTC", "mitte", "pos", "EUR"), programmes(), {}, {}, True, "mbr_1", MemberFacts())
    request = receipt(NOW, [["burger", 900]])
    sale, _ = stored(request, given_, decide(request, [], given_))
    with pytest.raises(ProgrammeGone, match="points version 3"):
        decode_given(sale.given, request, sale.member, lambda id_, version: None if id_ == "points" else programme_of(id_, version))


def test_the_catalogue_may_change_after_the_sale() -> None:
    given_ = Circumstances(NOW, Scene(NOW, "UTC", "UTC", "mitte", "pos", "EUR"), programmes(), {}, CATALOGUE, True, "mbr_1", MemberFacts())
    request = receipt(NOW, [["fries", 900]])
    sale, _ = stored(request, given_, decide(request, [], given_))
    _, again, _ = decode_given(sale.given, request, sale.member, programme_of)
    assert (again.catalogue["fries"].category, again.catalogue["fries"].tags) == ("sides", ("vegetarian",))
