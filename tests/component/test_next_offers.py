"""Next best offer through the API and in campaigns: given once, with its reason, or withheld and told."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from shared.coupons.api import NextOfferRequest
from shared.coupons.next_best import is_held_out
from shared.coupons.next_offer import NextOffer, next_offer
from shared.coupons.repository import CouponRepository
from shared.kernel.instants import DAY
from shared.storage import keys
from shared.transactions.service import record
from tests.builders.campaigns import WELCOME, Post
from tests.builders.house import FRIES, House, sale
from tests.builders.office import Office
from tests.component.test_races import together, until_done

MAINS: dict[str, Any] = {"name": "Mains", "effect": {"kind": "percent", "percent": 10}, "scope": {"categories": ["mains"]}}
GOLD: dict[str, Any] = MAINS | {"when": {"tiers": ["gold"]}}
PLAN: dict[str, Any] = {
    "among": [{"offer": "fries", "margin": 100}, {"offer": "mains", "margin": 90}, {"offer": "gold", "margin": 900}],
    "experiment": "winter",
}
TO_MAINS = {
    "kind": "best",
    "offer": "mains",
    "experiment": "winter",
    "scores": [{"offer": "mains", "score": 9090}, {"offer": "fries", "score": 100}],
    "dropped": {"gold": "wrong_tier"},
}


@pytest.fixture
def office(house: House, monkeypatch: pytest.MonkeyPatch) -> Office:
    house.publish("offer", "mains", MAINS)
    house.publish("offer", "gold", GOLD)
    return Office(house, monkeypatch)


def of_mains(house: House) -> str:
    """A member who bought mains alone."""
    member = house.join(house.now - 9 * DAY)
    record(house.scope(), sale(member, house.now - DAY))
    return member


def held_out(house: House, wanted: bool) -> str:
    """A member who is in the holdout of half of all, or one who is not."""
    return next(member for member in iter(house.join, "") if is_held_out("demo", "winter", member, 50) == wanted)


def asked(office: Office, member: str, request: str = "r1", **more: Any) -> Any:
    return office.call("give_next_offer", {"next_best": PLAN | more, "request_id": request}, member_id=member)


def told(office: Office, member: str) -> list[list[Any]]:
    raw = office.house.table.get(keys.state("demo", member))
    assert raw is not None
    events: list[list[Any]] = json.loads(raw["out"]["S"])["e"]
    return events


# -- on request -------------------------------------------------------------------------------------------------------


def test_the_best_is_given_with_its_reason(office: Office) -> None:
    member = of_mains(office.house)
    said = asked(office, member)
    assert (said.status, said.body["choice"]) == (201, TO_MAINS)
    coupon = said.body["coupon"]
    assert (coupon["offer_id"], coupon["member_id"], coupon["choice"]) == ("mains", member, TO_MAINS)
    assert office.call("lookup_coupon", {"id": coupon["id"]}).body == coupon
    assert office.house.state(member).coupons[coupon["id"]].offer == "mains"
    ((type_, _, data, *_),) = told(office, member)
    assert (type_, data["offer"], data["choice"]) == ("coupon.issued", "mains", TO_MAINS)


def test_the_same_key_gives_one_coupon_and_another_choice_is_refused(office: Office) -> None:
    member = of_mains(office.house)
    first = asked(office, member)
    before = office.rows()
    again = asked(office, member)
    assert (again.status, again.body, again.headers["idempotent-replayed"]) == (200, first.body, "true")
    assert asked(office, member, explore_e2=1).body["code"] == "request_reused"
    assert office.rows() == before
    assert asked(office, member, "r2").body["choice"]["offer"] == "fries", "mains is hers already"
    third = asked(office, member, "r3")
    assert (third.status, third.body["choice"]["kind"], third.body.get("coupon")) == (200, "none", None)
    assert third.body["choice"]["dropped"] == {"fries": "too_many_coupons", "gold": "wrong_tier", "mains": "too_many_coupons"}
    assert len(office.house.state(member).coupons) == 2


def test_one_request_sent_by_many_at_once_gives_one_coupon(office: Office) -> None:
    house = office.house
    member = of_mains(house)
    request = NextOfferRequest.model_validate({"next_best": PLAN, "request_id": "r1"})
    results = together([partial(until_done, partial(next_offer, house.scope(), member, request, None))] * 6)
    answers = [each.answer for each in results if isinstance(each, NextOffer)]
    assert len(answers) == 6
    assert all(each == answers[0] for each in answers)
    assert len(house.state(member).coupons) == 1


def test_who_is_held_out_gets_nothing_and_it_is_told(office: Office) -> None:
    member = held_out(office.house, wanted=True)
    said = asked(office, member, holdout_percent=50)
    assert (said.status, said.body["choice"]["kind"], said.body.get("coupon")) == (200, "holdout", None)
    assert not office.house.state(member).coupons
    ((type_, _, data, *_),) = told(office, member)
    assert (type_, data) == ("offer.withheld", {"choice": said.body["choice"] | {"offer": None}})
    again = asked(office, member, holdout_percent=50)
    assert (again.status, again.body) == (200, said.body)
    assert asked(office, held_out(office.house, wanted=False), holdout_percent=50).status == 201


def test_an_offer_of_which_nothing_is_left_is_not_given(office: Office) -> None:
    office.house.publish("offer", "mains", MAINS | {"limit": 1}, version=2)
    CouponRepository("demo", office.house.table).create_quota("offer:mains", 1)
    first, second = of_mains(office.house), of_mains(office.house)
    coupon = asked(office, first).body["coupon"]
    record(office.house.scope(), sale(first, coupons=[{"id": coupon["id"]}]))
    choice = asked(office, second).body["choice"]
    assert (choice["offer"], choice["dropped"]["mains"]) == ("fries", "exhausted")


def test_a_chosen_offer_is_as_personal_as_any(office: Office) -> None:
    category = {"favourite": "category", "days": 90, "otherwise": "sides"}
    office.house.publish("offer", "hers", MAINS | {"scope": {"categories": ["sides"]}, "personal": {"scope.categories": category}})
    said = asked(office, of_mains(office.house), among=[{"offer": "hers", "margin": 10}])
    assert said.body["choice"]["scores"] == [{"offer": "hers", "score": 1010}], "her affinity is that of her own favourite"
    assert said.body["coupon"]["parameters"]["scope.categories"]["value"] == "mains"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"next_best": PLAN}, 422, "idempotency_key_required"),
        ({"next_best": PLAN | {"among": []}, "request_id": "r"}, 422, "invalid_request"),
        ({"next_best": PLAN | {"holdout_percent": 51}, "request_id": "r"}, 422, "invalid_request"),
        ({"request_id": "r"}, 422, "invalid_request"),
    ],
)
def test_wrong_requests_store_nothing(office: Office, body: Any, status: int, code: str) -> None:
    member = office.house.join()
    before = office.rows()
    said = office.call("give_next_offer", body, member_id=member)
    assert (said.status, said.body["code"]) == (status, code)
    assert office.rows() == before


def test_a_member_who_is_not_there(office: Office) -> None:
    said = asked(office, "mbr_00000000000000000000000000")
    assert (said.status, said.body["code"]) == (404, "unknown_member")


# -- in a campaign ----------------------------------------------------------------------------------------------------


@pytest.fixture
def post(bare_house: House) -> Post:
    post = Post.of(bare_house)
    for id_, body in (("mains", MAINS), ("gold", GOLD)):
        bare_house.publish("offer", id_, body)
    return post


def choosing(post: Post, **more: Any) -> None:
    steps = [{"id": "gift", "offer": {"next_best": PLAN | more}, "content": {"en": {"title": "Hi", "body": "{{ coupon.title }}"}}}]
    post.campaign("winter", WELCOME | {"steps": steps, "trigger": {"kind": "event", "types": ["transaction.recorded"]}})


def test_a_campaign_gives_the_best_and_keeps_why(post: Post) -> None:
    choosing(post)
    member = post.guest()
    record(post.house.scope(), sale(member))
    for _ in range(2):
        post.plan(post.told(member))
    assert post.deliver_all()["sent"] == 1
    ((_, message),) = post.sender.taken
    (delivery,) = post.deliveries(member)
    assert delivery.coupon is not None
    coupon = CouponRepository("demo", post.house.table).get(delivery.coupon)
    assert coupon is not None
    assert coupon.choice is not None
    assert (message.body, coupon.offer, coupon.choice.data()) == ("Mains", "mains", TO_MAINS)


@pytest.mark.stream
def test_the_holdout_of_a_choice_is_recorded_as_a_delivery_held_out(post: Post) -> None:
    choosing(post, holdout_percent=50)
    members = [post.guest() for _ in range(12)]
    for member in members:
        record(post.house.scope(), sale(member))
        post.plan(post.told(member))
    post.deliver_all()
    held = {each for each in members if is_held_out("demo", "winter", each, 50)}
    assert 0 < len(held) < 12
    assert set(post.sender.members) == set(members) - held
    for member in held:
        (delivery,) = post.deliveries(member)
        assert (delivery.state, delivery.reason, delivery.coupon) == ("held_out", "next_best", None)
        assert not post.house.state(member).coupons
    assert post.report("winter").held_out == len(held)


def test_who_has_no_offer_to_get_gets_no_message(post: Post) -> None:
    choosing(post, among=[{"offer": "gold", "margin": 5}])
    member = post.guest()
    record(post.house.scope(), sale(member))
    post.plan(post.told(member))
    assert post.deliver_all() == {"no_offer": 1}
    assert post.sender.taken == []
    assert [(each.state, each.reason) for each in post.deliveries(member)] == [("suppressed", "no_offer")]


def test_a_campaign_is_published_only_with_offers_that_there_are(office: Office) -> None:
    personal = {"minimum_basket": {"of": "purchases", "days": 9, "at_least": 1, "at_most": 9, "otherwise": 1}}
    office.house.publish("offer", "hers", FRIES | {"personal": personal})
    among = [{"offer": "hers", "margin": 5}, {"offer": "gone", "margin": 5}, {"offer": "fries", "margin": 5}]
    step = {"id": "gift", "content": {"en": {"title": "Hi", "body": "{{ coupon.minimum_basket }}"}}}
    offer = {"next_best": {"among": among, "fallback": "nowhere"}}
    assert office.call("create_campaign", {"id": "x", "definition": WELCOME | {"steps": [step | {"offer": offer}]}}).status == 201
    said = office.call("publish_campaign", {}, definition_id="x")
    place = "/definition/steps/0"
    assert said.errors == [
        (f"{place}/offer/next_best/among/1/offer", "unknown_offer"),
        (f"{place}/offer/next_best/fallback", "unknown_offer"),
        (f"{place}/content/en/body", "unknown_variable"),
    ]
