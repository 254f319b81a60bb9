"""A stuck hold is ended by force: by staff with the scope, with a reason that is kept; tills cannot."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from shared.coupons import baskets
from shared.coupons.api import ReleaseCouponRequest
from shared.coupons.repository import CouponRepository
from shared.kernel.errors import AppError
from shared.storage import keys
from shared.transactions import holds
from shared.transactions.api import HoldRequest
from shared.transactions.errors import HoldNotUsable
from shared.transactions.service import record
from tests.builders.gateway import Till
from tests.builders.house import House, sale
from tests.builders.invariants import check_member
from tests.builders.office import ALL, Office
from tests.component.test_coupon_limits import OFF, ONLY_OF_SALES, fries, office
from tests.component.test_races import issue, together, until_done

__all__ = ["office"]
TILL = ALL - {"coupons:release"}


def last_told(house: House, member: str) -> list[list[Any]]:
    raw = house.table.get(keys.state(house.tenant, member))
    assert raw is not None
    rows: list[list[Any]] = json.loads(raw["out"]["S"])["e"]
    return rows


@pytest.mark.parametrize("owned", [True, False])
def test_staff_end_a_coupons_hold_by_force_and_tills_cannot(office: Office, owned: bool) -> None:
    house = office.house
    member = house.join() if owned else None
    body = {"request_id": "r1"} | ({"member_id": member} if member else {})
    coupon = office.call("issue_coupon", body, offer_id="fries").body["id"]
    assert office.call("hold_coupon", {"id": coupon, "basket_id": "b1"}).status == 200
    force = {"id": coupon, "force": True, "reason": "till-broken"}
    before = office.rows()
    assert office.call("release_coupon", force, scopes=TILL).body["code"] == "insufficient_scope"
    for wrong in ({"id": coupon, "force": True}, {"id": coupon}, force | {"reason": "She, Ms. X, said so"}):
        assert office.call("release_coupon", wrong).status == 422
    assert office.rows() == before
    said = office.call("release_coupon", force)
    assert (said.status, said.body["state"]) == (200, "active")
    if member:
        rows = last_told(house, member)
    else:
        raw = house.table.get(keys.coupon(house.tenant, coupon))
        assert raw is not None
        rows = json.loads(raw["out"]["S"])["e"]
    told = next(row for row in rows if row[0] == "coupon.released")
    assert "till-broken" in told
    assert "demo-aaaaaaaaaaaa" in str(told)
    assert office.call("redeem_coupon", {"id": coupon, "basket_id": "b2"}).status == 200
    assert office.call("release_coupon", force).body["code"] == "coupon_redeemed"


def held(house: House) -> tuple[str, str, Any]:
    """A member with a coupon and points in the hold of a whole basket."""
    member = house.join()
    record(house.scope(), sale(member, lines=(("burger", 10_000),)))
    coupon = issue(house, member)
    basket = fries(house, member, coupon, points_to_spend=10)
    request = HoldRequest.model_validate(basket.model_dump(exclude=ONLY_OF_SALES) | {"basket_id": basket.receipt_number})
    return member, holds.place(house.scope(), request)[0].hold_id, basket


def test_by_force_a_coupon_takes_the_hold_of_its_whole_basket_with_it(house: House) -> None:
    member, hold, basket = held(house)
    coupon = basket.coupons[0].id
    request = ReleaseCouponRequest(id=coupon, force=True, reason="till-broken")
    assert baskets.release(house.scope(), request, actor="demo-staff").state == "active"
    state = house.state(member)
    assert (state.holds, state.coupons[coupon].state) == ({}, "active")
    told = next(row for row in last_told(house, member) if row[0] == "hold.released")
    assert "till-broken" in told
    assert "demo-staff" in str(told)
    with pytest.raises(HoldNotUsable):
        record(house.scope(), basket.model_copy(update={"hold_id": hold, "coupons": (), "points_to_spend": 0}))
    assert record(house.scope(), basket).answer["totals"]["discount"] == OFF


def test_a_hold_is_ended_by_force_under_a_scope_that_tills_have_not(till: Till) -> None:
    house = till.house
    member, hold, basket = held(house)
    staff, query = frozenset({"transactions:write", "coupons:release"}), {"force": "true", "reason": "till-broken"}
    assert till.call("release_hold", hold_id=hold, query=query).body["code"] == "insufficient_scope"
    unreasoned = till.call("release_hold", hold_id=hold, query={"force": "true"}, scopes=staff)
    assert (unreasoned.status, unreasoned.errors) == (422, [("/reason", "required")])
    assert hold in house.state(member).holds
    assert till.call("release_hold", hold_id=hold, query=query, scopes=staff).status == 204
    assert house.state(member).holds == {}
    told = next(row for row in last_told(house, member) if row[0] == "hold.released")
    assert "till-broken" in told
    body = basket.model_dump(mode="json", exclude_unset=True) | {"hold_id": hold, "points_to_spend": 0}
    said = till.call("record_transaction", {name: value for name, value in body.items() if name != "coupons"})
    assert (said.status, said.body["code"]) == (409, "hold_not_usable")


def test_a_release_by_force_and_its_commit_at_once_leave_one_of_them(house: House) -> None:
    for _ in range(6):
        member, hold, basket = held(house)
        commit = basket.model_copy(update={"hold_id": hold, "coupons": (), "points_to_spend": 0})
        force = ReleaseCouponRequest(id=basket.coupons[0].id, force=True, reason="till-broken")
        commits, releases = partial(record, house.scope(), commit), partial(baskets.release, house.scope(), force)
        sold, released = together([partial(until_done, commits), partial(until_done, releases)])
        state, stored = house.state(member), CouponRepository(house.tenant, house.table).get(basket.coupons[0].id)
        assert stored is not None
        if isinstance(sold, AppError):
            assert isinstance(sold, HoldNotUsable)
            assert (stored.state, state.wallets["points"].spent) == ("active", 0)
        else:
            assert isinstance(released, AppError) or released.state == "redeemed"  # type: ignore[attr-defined]
            assert (stored.state, state.wallets["points"].spent) == ("redeemed", 10)
        assert state.holds == {}
        check_member(house, member)
