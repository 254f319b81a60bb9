"""What messages and coupons cost, and how long sending takes."""

from __future__ import annotations

from typing import Any

import pytest

from shared.coupons.model import OfferBody
from shared.forecast.costs import Worth, cost_of, seconds_to_send, worth, worth_of_points
from shared.tenants.model import WalletSettings


def offer(effect: dict[str, Any], **more: Any) -> OfferBody:
    return OfferBody.model_validate({"name": "o", "effect": effect, **more})


def valued(body: OfferBody, basket: int | None = 2000) -> Worth:
    return worth(body, basket, {"fries": 350}.get, lambda programme, points: 5 * points if programme == "club" else None)


def test_a_cost_is_rounded_up_to_the_minor_unit() -> None:
    assert [cost_of(*each) for each in ((0, 5), (1, 1), (1_000_000, 1), (1_000_001, 1), (100, 7_500_000))] == [0, 1, 1, 2, 750]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (offer({"kind": "amount", "amount": 300}), Worth(300, 300)),
        (offer({"kind": "voucher", "value": 500}), Worth(500, 500)),
        (offer({"kind": "amount_per_unit", "amount": 50, "units": 3}), Worth(150, 150)),
        (offer({"kind": "amount_per_unit", "amount": 50}), Worth()),
        (offer({"kind": "percent", "percent": 20}), Worth(None, 400)),
        (offer({"kind": "percent", "percent": 20}, maximum_discount=300), Worth(300, 300)),
        (offer({"kind": "percent", "percent": 20}, maximum_discount=900), Worth(900, 400)),
        (offer({"kind": "percent", "percent": 20}, minimum_basket=5000), Worth(None, 1000)),
        (offer({"kind": "free_item", "item": "fries", "units": 2}), Worth(700, 700)),
        (offer({"kind": "free_item", "item": "nothing"}), Worth()),
        (offer({"kind": "cheapest_free"}), Worth()),
        (offer({"kind": "cheapest_free"}, maximum_discount=800), Worth(800, None)),
        (offer({"kind": "extra_points", "programme": "club", "points": 40}), Worth(200, 200)),
        (offer({"kind": "extra_points", "programme": "nothing", "points": 40}), Worth()),
        (offer({"kind": "extra_points", "programme": "club", "points": 40, "per": "unit"}), Worth()),
    ],
)
def test_what_a_coupon_costs_where_its_terms_tell(body: OfferBody, expected: Worth) -> None:
    assert valued(body) == expected


def test_a_percentage_of_an_unknown_basket_is_not_known() -> None:
    assert valued(offer({"kind": "percent", "percent": 20}), basket=None) == Worth()


def test_a_personal_amount_costs_its_bound_at_most_and_otherwise_is_expected() -> None:
    personal = {"effect.amount": {"of": "average_basket", "days": 90, "times_e2": 10, "at_least": 50, "at_most": 900, "otherwise": 200}}
    assert valued(offer({"kind": "amount", "amount": 100}, personal=personal)) == Worth(900, 200)


def test_points_are_worth_what_they_can_be_spent_as() -> None:
    assert worth_of_points(7, WalletSettings.model_validate({"points": 2, "value": 3})) == 11


def test_the_slowest_throttle_says_how_long_it_takes() -> None:
    assert seconds_to_send({"push": 100, "sms": 30}, {}, None) is None
    assert seconds_to_send({"push": 100, "sms": 30}, {"sms": 10}, None) == 3
    assert seconds_to_send({"push": 100, "sms": 31}, {"sms": 10, "push": 100}, None) == 4
    assert seconds_to_send({"push": 100, "sms": 30}, {"sms": 10}, 13) == 10
