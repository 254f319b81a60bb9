"""Personal offers end to end: fixed at issue by whoever issues, shown, and decided by from quote to return."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from typing import Any

import pytest

from shared.coupons import pools
from shared.coupons.pools_api import PoolRequest
from shared.coupons.repository import CouponRepository
from shared.kernel.instants import DAY
from shared.members import points, reading
from shared.members.cards import coupon_qr
from shared.members.points_api import AdjustmentRequest, ConversionRequest
from shared.members.service import Actor
from shared.rewards import service as rewards
from shared.rewards.api import ClaimRequest
from shared.tenants.model import Location
from shared.tenants.tokens import TokenSigner
from shared.transactions.errors import MemberNeeded
from shared.transactions.service import record
from tests.builders.campaigns import WELCOME, Post
from tests.builders.front import Front, settings_with_everything
from tests.builders.gateway import Till, basket, held, recorded, refused, return_of, sold
from tests.builders.house import PROGRAMME, House, sale
from tests.builders.office import MASTER, Office
from tests.fakes.queue import FakeQueue

MINE: dict[str, Any] = {
    "name": "For you",
    "effect": {"kind": "amount", "amount": 200},
    "personal": {
        "minimum_basket": {
            "of": "average_basket", "days": 90, "times_e2": 120, "round_to": 50, "rounding": "up", "at_least": 500, "at_most": 5000,
            "otherwise": 1500,
        },
        "scope.categories": {"favourite": "category", "days": 90, "otherwise": "sides"},
    },
    "per_member": 20,
    "limit": 1000,
}  # fmt: skip
AFTER_TWO = {
    "minimum_basket": {"value": 1100, "text": "11.00 EUR"},
    "scope.categories": {"value": "mains", "text": "mains"},
}
"""Of baskets of 9.00 in mains and 9.00 in all: 1.2 x 9.00 is 10.80."""


@pytest.fixture
def office(house: House, monkeypatch: pytest.MonkeyPatch) -> Office:
    house.publish("offer", "mine", MINE)
    CouponRepository("demo", house.table).create_quota("offer:mine", 1000)
    return Office(house, monkeypatch)


def regular(house: House) -> str:
    """A member with two baskets of 9.00."""
    member = house.join(house.now - 40 * DAY)
    for days in (20, 10):
        record(house.scope(), sale(member, house.now - days * DAY))
    return member


def issued(office: Office, member: str | None, request: str = "r1") -> Any:
    return office.call("issue_coupon", {"request_id": request} | ({"member_id": member} if member else {}), offer_id="mine")


# -- issued by hand ---------------------------------------------------------------------------------------------------


def test_it_is_fixed_when_issued_and_shown(office: Office) -> None:
    member = regular(office.house)
    said = issued(office, member)
    assert (said.status, said.body["parameters"]) == (201, AFTER_TWO)
    record(office.house.scope(), sale(member, lines=(("burger", 9000), ("fries", 80_000))))
    assert office.call("lookup_coupon", {"id": said.body["id"]}).body["parameters"] == AFTER_TWO, "what came later changes nothing"
    assert issued(office, member).body == said.body, "nor for the same request again"
    (listed,) = reading.list_coupons(office.house.scope(), member).data
    assert listed.model_dump()["parameters"] == AFTER_TWO
    later = issued(office, member, "r2").body["parameters"]
    assert (later["minimum_basket"]["value"], later["scope.categories"]["value"]) == (5000, "sides")


def test_a_newcomer_gets_what_is_said_for_her(office: Office) -> None:
    parameters = issued(office, office.house.join()).body["parameters"]
    assert {place: each["value"] for place, each in parameters.items()} == {"minimum_basket": 1500, "scope.categories": "sides"}


def test_an_offer_that_is_not_personal_shows_nothing_of_it(office: Office) -> None:
    said = office.call("issue_coupon", {"request_id": "r1", "member_id": office.house.join()}, offer_id="fries")
    assert "parameters" not in said.body


@pytest.mark.parametrize("how", ["bearer", "codes"])
def test_nobody_can_have_a_bearers_coupon_of_it(office: Office, how: str) -> None:
    before = office.rows()
    codes = {"codes": ["ABCD2345"], "request_id": "c1"}
    said = issued(office, None) if how == "bearer" else office.call("import_codes", codes, offer_id="mine")
    assert (said.status, said.body["code"]) == (422, "member_needed"), said.body
    assert office.rows() == before


def test_no_pool_is_made_of_it(office: Office) -> None:
    request, queue = PoolRequest(count=10, pattern="SUMMER-####-#####"), FakeQueue()
    with pytest.raises(MemberNeeded):
        pools.order(office.house.scope(), "mine", request, "p1", queue)
    assert pools.order(office.house.scope(), "fries", request, "p1", queue)[0].count == 10


# -- at the till ------------------------------------------------------------------------------------------------------


def test_quote_hold_sale_explanation_and_return_go_by_what_was_fixed(office: Office, request: pytest.FixtureRequest) -> None:
    house = office.house
    member = regular(house)
    coupon = {"coupons": [{"id": issued(office, member).body["id"]}]}
    record(house.scope(), sale(member, lines=(("burger", 50_000),)))  # her average has changed since
    till: Till = request.getfixturevalue("till")  # it seals the tenant's keys, which issuing needs open
    short = till.call("quote", basket(member, ("burger", 1099), **coupon)).body
    assert [each["code"] for each in short["refused"]] == ["below_minimum_basket"]
    assert short["near_misses"] == ["0.01 EUR more for this coupon"]
    assert till.call("quote", basket(member, ("fries", 1200), **coupon)).body["refused"][0]["code"] == "no_line_matched"
    enough = till.call("quote", basket(member, ("burger", 1100), **coupon)).body
    assert enough["discounts"][0]["amount"] == 200
    refused(till.call("record_transaction", sold(member, ("burger", 1099), **coupon)), 409, "not_redeemable")
    hold = held(till, member, lines=[{"id": "1", "item_id": "burger", "unit_price": 1100}], **coupon)
    transaction = recorded(till, sold(member, ("burger", 1100), hold_id=hold, **coupon))
    explained = till.call("explain_transaction", transaction_id=transaction).body
    assert explained["identical"]
    stored = CouponRepository("demo", house.table).get(coupon["coupons"][0]["id"])
    assert stored is not None
    assert (stored.state, stored.parameters) == ("redeemed", (("minimum_basket", 1100), ("scope.categories", "mains")))
    assert till.call("record_return", return_of(transaction)).status == 201
    again = CouponRepository("demo", house.table).get(stored.id)
    assert again is not None
    assert (again.state, again.parameters) == ("active", stored.parameters)
    assert till.call("quote", basket(member, ("burger", 1099), **coupon)).body["refused"][0]["code"] == "below_minimum_basket"


def test_a_personal_voucher_gets_its_own_value_back(office: Office, request: pytest.FixtureRequest) -> None:
    house = office.house
    worth = {"of": "lifetime_value", "times_e2": 50, "at_least": 100, "at_most": 5000, "otherwise": 100}
    effect = {"kind": "voucher", "value": 4000, "remainder": "kept"}
    house.publish("offer", "half", {"name": "Half", "effect": effect, "personal": {"effect.value": worth}})
    member = regular(house)
    coupon = office.call("issue_coupon", {"request_id": "v", "member_id": member}, offer_id="half").body
    assert coupon["parameters"]["effect.value"] == {"value": 900, "text": "9.00 EUR"}
    till: Till = request.getfixturevalue("till")
    transaction = recorded(till, sold(member, ("burger", 500), coupons=[{"id": coupon["id"]}]))
    coupons = CouponRepository("demo", house.table)
    left = coupons.get(coupon["id"])
    assert till.call("record_return", return_of(transaction)).status == 201
    whole = coupons.get(coupon["id"])
    assert left is not None
    assert whole is not None
    assert (left.left, whole.left, whole.state) == (400, None, "active")


def test_a_coupon_for_her_own_location_is_redeemed_there_alone(office: Office) -> None:
    house = office.house
    house.add_location(Location(id="nord", name="Nord"))
    place = {"favourite": "location", "days": 90, "otherwise": "nord"}
    house.publish("offer", "local", {"name": "Local", "effect": {"kind": "percent", "percent": 10}, "personal": {"when.locations": place}})
    member = regular(house)
    coupon = office.call("issue_coupon", {"request_id": "l", "member_id": member}, offer_id="local").body
    use = {"id": coupon["id"], "basket_id": "b1"}
    assert office.call("redeem_coupon", use | {"location_id": "nord"}).body["code"] == "coupon_wrong_location"
    assert office.call("redeem_coupon", use | {"location_id": "mitte"}).body["state"] == "redeemed"


def test_the_cashier_reads_what_it_is_worth_to_her(office: Office) -> None:
    percent = {"of": "lifetime_purchases", "times_e2": 1000, "at_least": 5, "at_most": 50, "otherwise": 5}
    body = {"name": "Ten each", "effect": {"kind": "percent", "percent": 1}, "personal": {"effect.percent": percent}}
    office.house.publish("offer", "each", body)
    member = regular(office.house)
    coupon = office.call("issue_coupon", {"request_id": "q", "member_id": member}, offer_id="each").body
    payload = coupon_qr(office.house.scope(), member, coupon["id"], TokenSigner(MASTER)).content.split(".")[1]
    assert b"|percent 20|" in urlsafe_b64decode(payload + "==")


# -- given by whatever gives ------------------------------------------------------------------------------------------


def test_a_conversion_a_reward_and_a_challenge_fix_it_in_the_same_commit(office: Office) -> None:
    house = office.house
    house.publish(
        "programme", "points",
        PROGRAMME | {"conversions": [{"id": "five", "points": 5, "offer": "mine"}]}, version=2, since=house.now - 50 * DAY,
    )  # fmt: skip
    house.publish("reward", "gift", {"name": "Gift", "price": 5, "gives": {"kind": "coupon", "offer": "mine"}})
    goal = {"name": "One more", "goal": {"of": "visits", "threshold": 1}, "reward": {"offer": "mine"}, "automatic": True}
    member = regular(house)
    points.adjust(house.scope(), member, AdjustmentRequest(points=50, reason="a present"), Actor("key"), "a1")
    points.convert(house.scope(), member, ConversionRequest(programme="points", conversion="five", times=1), Actor(member), "c1")
    rewards.claim(house.scope(), member, ClaimRequest(reward_id="gift"), "key", "w1")
    house.publish("challenge", "more", goal, since=house.now - 1)
    record(house.scope(), sale(member, lines=(("burger", 1500),)))
    coupons = CouponRepository("demo", house.table).get_many(list(house.state(member).coupons))
    minima = sorted(dict(each.parameters)["minimum_basket"] for each in coupons.values())
    assert minima == [1100, 1100, 1350], "the challenge's reward counts the purchase that met it: 1.2 x 11.00"


def test_a_campaign_says_what_was_fixed(bare_house: House) -> None:
    post = Post.of(bare_house)
    bare_house.publish("offer", "mine", MINE)
    text = "Spend {{ coupon.minimum_basket }} in {{ coupon.category }}{{ coupon.percent }}"
    steps = [{"id": "gift", "offer": "mine", "content": {"en": {"title": "Hi", "body": text}}}]
    post.campaign("thanks", WELCOME | {"steps": steps, "trigger": {"kind": "event", "types": ["transaction.recorded"]}})
    member = post.guest()
    record(bare_house.scope(), sale(member))
    post.plan(post.told(member))
    assert post.deliver_all() == {"sent": 1}
    ((_, message),) = post.sender.taken
    assert message.body == "Spend 11.00 EUR in mains"


@pytest.mark.parametrize(
    ("word", "codes"), [("minimum_basket", []), ("percent", [("/definition/steps/0/content/en/body", "unknown_variable")])]
)
def test_a_text_may_show_only_what_the_offer_makes_personal(office: Office, word: str, codes: list[tuple[str, str]]) -> None:
    steps = [{"id": "gift", "offer": "mine", "content": {"en": {"title": "Hi", "body": f"{{{{ coupon.{word} }}}}"}}}]
    draft = {"id": "hello", "definition": WELCOME | {"steps": steps}}
    made = office.call("create_campaign", draft)
    assert made.status == 201, made.body
    said = office.call("publish_campaign", {}, definition_id="hello")
    assert said.errors == codes, said.body


def test_a_personal_location_is_one_that_there_is(office: Office) -> None:
    place = {"favourite": "location", "days": 90, "becomes": {"nord": "south-pole"}, "otherwise": "mitte"}
    body = MINE | {"content": {"en": {"title": "For you"}}, "personal": {"when.locations": place}}
    made = office.call("create_offer", {"id": "here", "definition": body})
    assert made.status == 201, made.body
    said = office.call("publish_offer", {}, definition_id="here")
    assert said.errors == [("/definition/personal/when.locations/becomes/nord", "unknown_location")]


def test_a_form_shows_what_was_fixed(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    bare_house.create(settings_with_everything())
    bare_house.publish("offer", "mine", MINE)
    front = Front(bare_house, monkeypatch)
    member = front.register()
    record(bare_house.scope(), sale(member))
    said = front.call("submit_form", {"values": {"birth_date": "1990-04-21"}}, token=front.invite(member, "birth_date", offer="mine"))
    assert said.body["coupon"]["parameters"] == AFTER_TWO
    (held,) = front.call("list_member_coupons_of_me", me=member).body["data"]
    assert held["parameters"] == AFTER_TWO
