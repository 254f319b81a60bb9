"""Which promotions a basket is asked about: those that the index finds are all that could apply, and nothing is asked of the others."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.coupons.model import OfferBody, Promotion, PromotionBody
from shared.coupons.promotions import NO_PROMOTIONS, Promotions
from shared.coupons.rules import Use, discount
from shared.programmes.conditions import MemberFacts, Scene, unmet
from shared.programmes.lines import Line
from tests.builders.house import NOW
from tests.unit.coupons.test_stacking import basket, lines, offers

SCENE = Scene(NOW, "Europe/Berlin", "Europe/Berlin", "mitte", "pos", "EUR")
USE = Use(NOW, SCENE, "mbr_1", MemberFacts(), programmes=frozenset({"points"}))
whens = st.sampled_from([{}, {}, {"locations": ["mitte"]}, {"locations": ["there"]}, {"tiers": ["gold"]}, {"weekdays": ["sat"]}])
selectors = st.sampled_from(
    [{}, {"items": ["fries"]}, {"items": ["burger", "pie"]}, {"tags": ["vegetarian"]}, {"price_from": 500}, {"items": ["tea"]}]
)


def promotion(id_: str = "it", **body: Any) -> Promotion:
    """In force, with something off unless the body says what."""
    terms = {"name": "P", "effect": {"kind": "percent", "percent": 10}} | body
    return Promotion(id_, 1, PromotionBody.model_validate(terms))


@given(lines, st.lists(st.tuples(offers, whens, selectors, selectors), max_size=8))
def test_the_index_finds_every_promotion_that_does_something(rows: Any, drawn: list[tuple[dict[str, Any], Any, Any, Any]]) -> None:
    made = []
    for place, (offer, when, scope, minimum_of) in enumerate(drawn):
        if offer["effect"]["kind"] != "voucher":
            body = {name: value for name, value in offer.items() if name != "automatic"}
            made.append(promotion(f"p{place}", **body | {"when": when, "scope": scope, "minimum_of": minimum_of}))
    goods = basket(rows)
    found = Promotions(made).candidates(goods, USE)
    assert [each for each in made if each in found] == found, "in their order"
    for each in made:
        does_something = discount(each, each.body, goods, USE).reason is None
        assert each in found or not does_something or each.body.minimum_of.named
        assert each not in found or unmet(each.body.when, USE.facts, USE.scene) is None


def test_an_item_that_is_added_needs_what_its_minimum_is_about() -> None:
    gift = promotion(effect={"kind": "free_item", "item": "tea", "how": "added"}, minimum_of={"items": ["burger"]}, minimum_basket=1)
    assert Promotions([gift]).candidates(basket([("burger", 900, 1000, None)]), USE) == [gift]
    assert Promotions([gift]).candidates(basket([("fries", 900, 1000, None)]), USE) == []


def test_buy_one_get_one_needs_what_is_got() -> None:
    menu = promotion(effect={"kind": "buy_x_get_y", "buy": {"items": ["burger"]}, "get": {"items": ["fries"]}})
    assert Promotions([menu]).candidates(basket([("burger", 900, 1000, None)]), USE) == []


def test_points_of_a_programme_that_does_not_apply_are_no_candidate_for_anything() -> None:
    fifty = promotion(effect={"kind": "extra_points", "programme": "stars", "points": 50})
    assert discount(fifty, fifty.body, basket([("burger", 900, 1000, None)]), USE).reason == "programme_not_applying"


class Counting(Line):
    """A line that counts who reads it."""

    reads = 0

    @property
    def net(self) -> int:
        Counting.reads += 1
        return 900

    @net.setter
    def net(self, value: int) -> None:
        """As it was."""


def test_promotions_of_other_items_never_look_at_a_line() -> None:
    others = Promotions(promotion(f"p{place}", scope={"items": [f"item-{place}"]}) for place in range(200))
    one = Counting("1", "item", "burger", None, frozenset(), 1000, 900, 900)
    Counting.reads = 0
    assert others.candidates([one], USE) == []
    assert Counting.reads == 0


def test_what_a_hold_promised_comes_first_once_and_whatever_its_conditions_say() -> None:
    now, then, other = promotion("happy"), promotion("happy", when={"locations": ["there"]}), promotion("other")
    assert Promotions([now, other]).candidates(basket([("burger", 900, 1000, None)]), USE, [then]) == [then, other]


def test_nothing_in_force_is_nothing() -> None:
    assert not NO_PROMOTIONS


@pytest.mark.parametrize(
    ("model", "body", "says"),
    [
        (PromotionBody, {"effect": {"kind": "voucher", "value": 100}}, "needs a code"),
        (PromotionBody, {"effect": {"kind": "percent", "percent": 10}, "per_member": 2}, "per_member"),
        (PromotionBody, {"effect": {"kind": "percent", "percent": 10}, "valid_days": 2}, "valid_days"),
        (OfferBody, {"effect": {"kind": "extra_points", "programme": "p", "points": 5}, "maximum_discount": 5}, "maximum_discount"),
        (OfferBody, {"effect": {"kind": "points_multiplier", "programme": "p", "percent": 200}, "maximum_discount": 5}, "maximum_discount"),
        (OfferBody, {"effect": {"kind": "extra_points", "programme": "p", "points": 5, "units": 5}}, "units"),
        (OfferBody, {"effect": {"kind": "points_multiplier", "programme": "p", "percent": 100}}, "percent"),
        (OfferBody, {"effect": {"kind": "extra_points", "points": 5}}, "programme"),
    ],
)
def test_what_makes_no_sense_is_refused(model: type[OfferBody] | type[PromotionBody], body: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        model.model_validate({"name": "O", **body})


@pytest.mark.parametrize(
    ("languages", "title"), [(("de-AT", "en"), "Pommes"), (("fr", "en"), "Fries"), (("fr",), "Pommes"), ((), "Pommes")]
)
def test_the_title_is_in_the_first_language_that_there_is(languages: tuple[str, ...], title: str) -> None:
    body = promotion(content={"de": {"title": "Pommes"}, "en": {"title": "Fries"}}).body
    assert body.title_in(languages) == title
    assert promotion().body.title_in(languages) == "P"
