"""A member's QR codes through the API: of what she can use now, checked with the published keys alone."""

from __future__ import annotations

from typing import Any

import pytest

from shared.coupons import baskets
from shared.coupons.api import IssueRequest, RedeemCouponRequest
from shared.coupons.qr import LIFETIME, QrContent, verify
from shared.coupons.service import issue
from shared.kernel.instants import DAY, format_rfc3339
from shared.tenants.jwks import JwkSet
from tests.builders.front import Front
from tests.builders.house import FRIES, House


@pytest.fixture
def front(house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    return Front(house, monkeypatch)


def coupon_of(front: Front, member: str, offer: str = "fries") -> str:
    return issue(front.house.scope(), offer, IssueRequest(member_id=member, request_id=f"{member}{offer}"), None).answer.id


def read(front: Front, content: str) -> QrContent:
    return verify(content, JwkSet.of(front.call("get_jwks").body), "demo", front.house.now)


@pytest.mark.parametrize("own", [True, False])
def test_a_coupon_is_shown_and_read(front: Front, own: bool) -> None:
    member = front.register()
    coupon = coupon_of(front, member)
    said = (
        front.call("get_coupon_qr_of_me", me=member, coupon_id=coupon)
        if own
        else front.call("get_coupon_qr", member_id=member, coupon_id=coupon)
    )
    until = front.house.now + LIFETIME
    assert (said.status, said.body["expires_at"]) == (200, format_rfc3339(until))
    assert len(said.body["content"]) < 300
    assert read(front, said.body["content"]) == QrContent("coupon", "demo", coupon, "unit_price", until)


def test_the_value_is_told_where_it_fits(front: Front) -> None:
    front.house.publish("offer", "tenth", FRIES | {"effect": {"kind": "percent", "percent": 10}})
    member = front.register()
    said = front.call("get_coupon_qr", member_id=member, coupon_id=coupon_of(front, member, "tenth"))
    assert read(front, said.body["content"]).value == "percent 10"


def test_a_card_is_shown_and_read(front: Front) -> None:
    member = front.register()
    for said in (front.call("get_card", member_id=member), front.call("get_card_of_me", me=member)):
        found = read(front, said.body["content"])
        assert (found.kind, found.id) == ("member", member)


def test_a_code_ends_with_its_coupon(front: Front) -> None:
    member = front.register()
    coupon = coupon_of(front, member)
    front.house.now += 30 * DAY + 13 * DAY // 24 - 60_000
    said: Any = front.call("get_coupon_qr", member_id=member, coupon_id=coupon)
    assert said.body["expires_at"] == "2026-12-21T23:00:00Z"


def test_only_what_she_can_use_is_shown(front: Front) -> None:
    member, other = front.register(), front.register()
    coupon = coupon_of(front, member)
    for whose, which in ((other, coupon), (member, "cpn_nothing")):
        said = front.call("get_coupon_qr", member_id=whose, coupon_id=which)
        assert (said.status, said.body["code"]) == (404, "unknown_coupon")
    front.house.publish("offer", "later", FRIES | {"starts_after_days": 2})
    early = front.call("get_coupon_qr", member_id=member, coupon_id=coupon_of(front, member, "later"))
    assert (early.status, early.body["code"]) == (409, "coupon_not_yet_active")
    baskets.redeem(front.house.scope(), RedeemCouponRequest(id=coupon, basket_id="b1"))
    used = front.call("get_coupon_qr", member_id=member, coupon_id=coupon)
    assert (used.status, used.body["code"]) == (409, "coupon_redeemed")
    front.house.now += 40 * DAY
    gone = front.call("get_coupon_qr", member_id=other, coupon_id=coupon_of(front, other))
    assert gone.status == 200
    front.house.now += 40 * DAY
    gone = front.call("get_coupon_qr", member_id=other, coupon_id=coupon_of(front, other))
    assert (gone.status, gone.body["code"]) == (409, "coupon_expired")
