"""Automatic promotions: published like every definition, then on every basket, from the quote to the return."""

from __future__ import annotations

from typing import Any

import pytest

from shared.coupons import baskets
from shared.coupons.api import RedeemCouponRequest
from shared.coupons.errors import CouponRefused
from shared.coupons.promotions import MOST_IN_FORCE
from shared.kernel.instants import HOUR, MINUTE, format_rfc3339
from shared.transactions import answer_models
from tests.builders.gateway import Till, basket, held, recorded, refused, return_of, sold
from tests.builders.house import NOW, PROGRAMME, House
from tests.builders.invariants import check_member
from tests.builders.office import Office
from tests.component.test_races import issue

TEN: dict[str, Any] = {
    "name": "Ten percent",
    "effect": {"kind": "percent", "percent": 10},
    "when": {"hours": {"start": "10:00", "end": "11:05"}},
    "content": {"en": {"title": "Ten percent off"}},
}
CONTENT = {"en": {"title": "More points"}}
FIFTY: dict[str, Any] = {
    "name": "Fifty points",
    "effect": {"kind": "extra_points", "programme": "points", "points": 50},
    "content": CONTENT,
}


@pytest.fixture
def office(house: House, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(house, monkeypatch)


def lines(quantity: str = "2") -> dict[str, Any]:
    """Two burgers, 19 percent; two fries, 7 percent."""
    burger = {"id": "1", "item_id": "burger", "unit_price": 900, "quantity": quantity, "tax_rate": "19"}
    return {"lines": [burger, {"id": "2", "item_id": "fries", "unit_price": 350, "quantity": "2", "tax_rate": "7"}]}


# -- published ------------------------------------------------------------------------------------------------------


def test_a_promotion_is_written_published_listed_and_retired(office: Office) -> None:
    made = office.call("create_promotion", {"id": "ten", "definition": TEN})
    assert (made.status, made.body["kind"], made.body["definition"]) == (201, "promotion", TEN)
    assert office.call("publish_promotion", {}, definition_id="ten").body["status"] == "published"
    again = office.call("replace_promotion", {"definition": TEN | {"name": "Ten"}}, definition_id="ten", if_match="1.2")
    assert (again.status, again.body["version"]) == (200, 2)
    assert [each["id"] for each in office.call("list_promotions").body["data"]] == ["ten"]
    assert office.call("retire_promotion", definition_id="ten").body["status"] == "retired"


@pytest.mark.parametrize(
    ("kind", "effect", "pointer", "code"),
    [
        ("promotion", {"programme": "stars"}, "/definition/effect/programme", "unknown_programme"),
        ("offer", {"programme": "stars"}, "/definition/effect/programme", "unknown_programme"),
        ("offer", {"of": ["base", "bass"]}, "/definition/effect/of/1", "unknown_rule"),
    ],
)
def test_points_are_those_of_a_programme_in_force(office: Office, kind: str, effect: dict[str, Any], pointer: str, code: str) -> None:
    body = {"name": "Double", "effect": {"kind": "points_multiplier", "programme": "points", "percent": 200} | effect, "content": CONTENT}
    office.call(f"create_{kind}", {"id": "double", "definition": body})
    said = office.call(f"publish_{kind}", {}, definition_id="double")
    assert (said.status, said.errors) == (422, [(pointer, code)])


def test_one_too_many_is_refused_and_one_that_is_there_may_change(office: Office) -> None:
    for number in range(MOST_IN_FORCE):
        office.house.publish("promotion", f"p{number}", TEN)
    office.call("create_promotion", {"id": "more", "definition": TEN})
    said = office.call("publish_promotion", {}, definition_id="more")
    assert (said.status, said.body["code"]) == (409, "too_many_promotions")
    changed = office.call("replace_promotion", {"definition": TEN}, definition_id="p7", if_match="1.1")
    assert changed.status == 200
    assert office.call("publish_promotion", {}, definition_id="p7").status == 200
    office.call("retire_promotion", definition_id="p8")
    office.house.now += HOUR
    assert office.call("publish_promotion", {}, definition_id="more").status == 200


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"effect": {"kind": "voucher", "value": 100}}, "/definition"),
        ({"effect": {"kind": "percent", "percent": 10}, "per_member": 1}, "/definition/per_member"),
        ({"effect": FIFTY["effect"], "maximum_discount": 10}, "/definition"),
    ],
)
def test_what_is_no_promotion_is_refused(office: Office, body: dict[str, Any], pointer: str) -> None:
    said = office.call("create_promotion", {"id": "bad", "definition": {"name": "Bad", **body}})
    assert (said.status, [where for where, _ in said.errors]) == (422, [pointer])
    assert office.call("get_promotion", definition_id="bad").status == 404


# -- on baskets -----------------------------------------------------------------------------------------------------


def test_from_the_quote_to_the_void(till: Till) -> None:
    """2 x 9.00 and 2 x 3.50, ten percent off: 1.80 and 0.70. The hold keeps it beyond the happy hour; what comes back is worth what
    it cost.
    """
    house = till.house
    house.publish("promotion", "ten", TEN | {"content": TEN["content"] | {"de": {"title": "Zehn Prozent"}}})
    member = house.join()
    quoted = till.call("quote", basket(member, language="de", **lines()))
    said = answer_models.QuoteAnswer.model_validate_json(quoted.text)
    assert said.promotions is not None
    assert [each.model_dump(exclude_none=True) for each in said.promotions] == [
        {"promotion_id": "ten", "version": 1, "title": "Zehn Prozent", "amount": 250, "lines": {"1": 180, "2": 70}}
    ]
    assert quoted.body["taxes"] == [
        {"rate": "19", "amount": 1800, "discount": 180, "net": 1620, "tax": 259},
        {"rate": "7", "amount": 700, "discount": 70, "net": 630, "tax": 41},
    ]
    hold = held(till, member, **lines())
    house.now += 8 * MINUTE
    late = format_rfc3339(house.now)
    assert "promotions" not in till.call("quote", basket(member, occurred_at=late, **lines())).body, "the happy hour is over"
    sale = sold(member, occurred_at=late, hold_id=hold) | lines()
    done = till.call("record_transaction", sale)
    assert done.status == 201, done.text
    assert (done.body["totals"]["due"], done.body["points"]["earned"], done.body["promotions"][0]["amount"]) == (2250, 22, 250)
    assert till.call("record_transaction", sale).body == done.body
    transaction = done.body["transaction_id"]
    assert till.call("explain_transaction", transaction_id=transaction).body["identical"]
    back = till.call("record_return", return_of(transaction, occurred_at=late, lines=[{"line_id": "1", "quantity": "1"}]))
    assert (back.status, back.body["value"], back.body["money"], back.body["points_reversed"]) == (201, 810, 810, 8)
    rest = till.call("void_transaction", transaction_id=transaction)
    assert (rest.body["value"], rest.body["points_reversed"], rest.body["balance"]) == (1440, 14, 0)
    check_member(house, member)


def test_a_hold_that_is_not_used_promises_nothing(till: Till) -> None:
    house = till.house
    house.publish("promotion", "ten", TEN)
    member = house.join()
    held(till, member, **lines())
    house.now += 8 * MINUTE
    sale = sold(member, occurred_at=format_rfc3339(house.now)) | lines()
    assert "promotions" not in till.call("record_transaction", sale).body


def test_a_near_miss_is_told_and_refuses_nothing(till: Till) -> None:
    gift = {"effect": {"kind": "free_item", "item": "fries", "how": "added"}, "minimum_basket": 1020}
    till.house.publish("promotion", "fries", {"name": "Fries", **gift, "content": {"en": {"title": "Free fries"}}})
    said = till.call("quote", basket())
    assert (said.body["near_misses"], "refused" in said.body) == (["1.20 EUR more for Free fries"], False)
    enough = till.call("record_transaction", sold(None, ("burger", 1100)))
    assert (enough.status, enough.body["added_items"]) == (201, [{"item_id": "fries", "quantity": "1"}])
    assert enough.body["promotions"][0] == {"promotion_id": "fries", "version": 1, "title": "Free fries", "amount": 0, "lines": {}}


def test_an_anonymous_sale_keeps_its_promotion_when_it_is_claimed(till: Till) -> None:
    house = till.house
    house.publish("promotion", "ten", TEN)
    transaction = recorded(till, sold())
    stored = till.call("get_transaction", transaction_id=transaction).body
    assert stored["promotions"][0]["amount"] == 90
    house.publish("promotion", "ten", TEN | {"effect": {"kind": "percent", "percent": 50}}, version=2)
    member = house.join(NOW - HOUR)
    claimed = till.call("claim_transaction", {"member": {"id": member}}, transaction_id=transaction)
    assert (claimed.body["promotions"], claimed.body["points"]["earned"]) == (stored["promotions"], 8)


def test_an_imported_sale_gets_no_promotion(till: Till) -> None:
    till.house.publish("promotion", "ten", TEN)
    said = till.call("record_transaction", sold(till.house.join(), mode="historical"))
    assert (said.status, "promotions" in said.body, said.body["totals"]["due"]) == (201, False, 900)


def test_a_sale_made_offline_gets_the_points_of_promotions_and_none_of_their_discounts(till: Till) -> None:
    till.house.publish("promotion", "ten", TEN)
    till.house.publish("promotion", "fifty", FIFTY)
    said = till.call("record_transaction", sold(till.house.join(), offline=True)).body
    assert [each["promotion_id"] for each in said["promotions"]] == ["fifty"]
    assert (said["totals"]["due"], said["points"]["earned"]) == (900, 59)


def test_a_coupon_that_gives_points_needs_a_sale(till: Till) -> None:
    till.house.publish("offer", "fifty", FIFTY)
    coupon = issue(till.house, till.house.join(), "fifty")
    with pytest.raises(CouponRefused) as caught:
        baskets.redeem(till.house.scope(), RedeemCouponRequest(id=coupon, basket_id="b1"))
    assert caught.value.reason == "needs_a_sale"


def test_points_of_a_promotion_go_back_with_their_lines(till: Till) -> None:
    """50 points for two burgers of 9.00 and two fries of 3.50: 36 and 14, in proportion to what the lines count for."""
    house = till.house
    house.publish("promotion", "fifty", FIFTY)
    member = house.join()
    done = till.call("record_transaction", sold(member) | lines()).body
    assert (done["points"]["earned"], done["promotions"][0]["points"]) == (75, 50)
    assert [step["points"] for step in done["trace"] if step["rule"] == "promotion:fifty"] == [50]
    transaction = done["transaction_id"]
    assert till.call("explain_transaction", transaction_id=transaction).body["identical"]
    fries = till.call("record_return", return_of(transaction, lines=[{"line_id": "2"}])).body
    assert fries["points_reversed"] == 7 + 14
    assert till.call("record_return", return_of(transaction)).body["points_reversed"] == 18 + 36
    check_member(house, member)


def test_a_coupon_that_gives_points_is_used_by_that_and_comes_back_with_them(till: Till) -> None:
    house = till.house
    house.publish("offer", "fifty", FIFTY | {"scope": {"items": ["burger"]}})
    member = house.join()
    coupon = issue(house, member, "fifty")
    no_burger = sold(member, ("fries", 350), coupons=[{"id": coupon}])
    refused(till.call("record_transaction", no_burger), 409, "not_redeemable")
    assert house.state(member).coupons[coupon].state == "active"
    done = till.call("record_transaction", sold(member, coupons=[{"id": coupon}])).body
    assert (done["points"]["earned"], done["discounts"][0]["points"], done["totals"]["due"]) == (59, 50, 900)
    assert coupon not in house.state(member).coupons
    back = till.call("record_return", return_of(done["transaction_id"])).body
    assert (back["points_reversed"], back["coupons_reissued"]) == (59, [coupon])
    check_member(house, member)


def test_one_for_a_segment_asks_whether_she_is_in_it(till: Till) -> None:
    house = till.house
    rule = {"kind": "purchases", "metric": "count", "days": 30, "op": "ge", "value": 1}
    house.publish("segment", "regulars", {"name": "Regulars", "rule": rule})
    house.publish("promotion", "reg", TEN | {"when": {"segments": ["regulars"]}})
    member = house.join()
    first, second = (till.call("record_transaction", sold(member)).body for _ in range(2))
    assert ("promotions" in first, second["promotions"][0]["amount"]) == (False, 90)


def test_a_programme_of_another_wallet_gets_the_points(till: Till) -> None:
    house = till.house
    stars = PROGRAMME | {"wallet": "stars", "earning": [{"kind": "fixed", "id": "visit", "points": 1, "minimum": 1}], "spending": None}
    house.publish("programme", "stars", stars)
    house.publish("promotion", "five", {"name": "Five", "effect": FIFTY["effect"] | {"programme": "stars", "points": 5}})
    member = house.join()
    recorded(till, sold(member))
    wallets = house.state(member).wallets
    assert (wallets["points"].earned, wallets["stars"].earned) == (9, 6)
