"""Coupons through the API: issued once per key, used once, held for a basket, and refused with a reason."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pynamodb.expressions.operand import Path

from shared.coupons import baskets, service
from shared.coupons.api import IssueRequest, RedeemCouponRequest
from shared.coupons.repository import CouponRepository
from shared.kernel.errors import AppError, ConcurrentUpdate
from shared.kernel.instants import DAY, MINUTE, SECOND, format_rfc3339
from shared.member_state.service import tick_member
from shared.storage import keys
from shared.storage.errors import OutcomeUnknown
from shared.storage.packing import unpack
from shared.transactions.errors import SaleRefused
from shared.transactions.service import record
from tests.builders.house import FRIES, NOW, PROGRAMME, House, sale
from tests.builders.invariants import check_member
from tests.builders.office import Office
from tests.fakes import engine
from tests.fakes.faulty import FaultyTable, Killed


@pytest.fixture
def office(house: House, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(house, monkeypatch)


def issued(office: Office, member: str | None = None, offer: str = "fries", request: str = "r1") -> Any:
    body = {"request_id": request} | ({"member_id": member} if member else {})
    said = office.call("issue_coupon", body, offer_id=offer)
    assert said.status == 201, said.body
    return said.body


def told(office: Office, coupon: str) -> list[str]:
    raw = office.house.table.get(keys.coupon("demo", coupon))
    assert raw is not None
    return [row[0] for row in json.loads(raw["out"]["S"])["e"]] if "out" in raw else []


# -- issue ----------------------------------------------------------------------------------------------------------


def test_a_members_coupon_is_hers_and_in_her_state(office: Office) -> None:
    member = office.house.join()
    coupon = issued(office, member)
    assert (coupon["member_id"], coupon["state"], coupon["title"]) == (member, "active", "Fries for 1 euro")
    assert coupon["expires_at"] == "2026-12-21T23:00:00Z"
    assert len(coupon["code"]) == 10
    assert office.house.state(member).coupons[coupon["id"]].offer == "fries"
    assert told(office, coupon["id"]) == []
    assert office.call("lookup_coupon", {"code": coupon["code"].lower()}).body == coupon


def test_a_bearers_code_is_stored_nowhere_and_still_answered_again(office: Office) -> None:
    coupon = issued(office)
    assert "member_id" not in coupon
    assert told(office, coupon["id"]) == ["coupon.issued"]
    for row in office.rows():
        bodies = [str(unpack(value["B"])) for name, value in row.items() if name == "d"]
        assert coupon["code"] not in str(row)
        assert not any(coupon["code"] in body for body in bodies)
    again = office.call("issue_coupon", {"request_id": "r1"}, offer_id="fries")
    assert (again.status, again.body, again.headers["idempotent-replayed"]) == (200, coupon, "true")
    assert "code" not in office.call("lookup_coupon", {"code": coupon["code"]}).body


def test_the_same_key_gives_one_coupon_and_another_body_is_refused(office: Office) -> None:
    member, other = office.house.join(), office.house.join()
    coupon = issued(office, member)
    before = office.rows()
    by_header = office.call("issue_coupon", {"member_id": member}, offer_id="fries", headers={"idempotency-key": '"r1"'})
    assert (by_header.status, by_header.body) == (200, coupon)
    clash = office.call("issue_coupon", {"member_id": other, "request_id": "r1"}, offer_id="fries")
    assert (clash.status, clash.body["code"]) == (422, "request_reused")
    assert office.rows() == before


def test_a_member_gets_as_many_as_the_offer_gives(office: Office) -> None:
    member = office.house.join()
    issued(office, member)
    said = office.call("issue_coupon", {"member_id": member, "request_id": "r2"}, offer_id="fries")
    assert (said.status, said.body["code"]) == (409, "too_many_coupons")
    assert len(office.house.state(member).coupons) == 1


@pytest.mark.parametrize(
    ("body", "offer", "status", "code"),
    [
        ("nope", "fries", 400, "malformed_request"),
        ({}, "fries", 422, "idempotency_key_required"),
        ({"request_id": ""}, "fries", 422, "invalid_request"),
        ({"request_id": "r1", "count": 3}, "fries", 422, "invalid_request"),
        ({"request_id": "r1", "member_id": 5}, "fries", 422, "invalid_request"),
        ({"request_id": "r1", "member_id": "mbr_00000000000000000000000000"}, "fries", 404, "unknown_member"),
        ({"request_id": "r1"}, "nothing", 404, "unknown_offer"),
        ({"request_id": "r1"}, "../DEF", 404, "unknown_offer"),
    ],
)
def test_wrong_requests_to_issue_store_nothing(office: Office, body: Any, offer: str, status: int, code: str) -> None:
    before = office.rows()
    said = office.call("issue_coupon", body, offer_id=offer)
    assert (said.status, said.body["code"]) == (status, code)
    assert office.rows() == before


def test_an_offer_that_has_ended_gives_none(office: Office) -> None:
    office.house.publish("offer", "over", FRIES | {"valid_until": format_rfc3339(NOW - DAY)})
    assert office.call("issue_coupon", {"request_id": "r1"}, offer_id="over").body["code"] == "unknown_offer"


# -- redeem ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("owned", [True, False])
def test_a_coupon_is_redeemed_once_whoever_asks_again(office: Office, owned: bool) -> None:
    member = office.house.join() if owned else None
    coupon = issued(office, member)
    first = office.call("redeem_coupon", {"code": coupon["code"], "basket_id": "b1"})
    assert (first.status, first.body["state"], first.body["basket_id"]) == (200, "redeemed", "b1")
    again = office.call("redeem_coupon", {"id": coupon["id"], "basket_id": "b1"})
    assert (again.status, again.body) == (200, first.body)
    other = office.call("redeem_coupon", {"id": coupon["id"], "basket_id": "b2"})
    assert (other.status, other.body["code"], other.errors) == (409, "coupon_redeemed", [("/id", "redeemed")])
    if member:
        state = office.house.state(member)
        assert coupon["id"] not in state.coupons
        assert state.redeemed == {"fries": NOW}
    else:
        assert told(office, coupon["id"]) == ["coupon.redeemed"]


def test_a_coupon_that_has_expired_is_refused_though_nothing_was_swept(office: Office) -> None:
    coupon = issued(office, office.house.join())
    office.house.now += 40 * DAY
    assert office.call("lookup_coupon", {"id": coupon["id"]}).body["state"] == "expired"
    said = office.call("redeem_coupon", {"id": coupon["id"], "basket_id": "b1"})
    assert (said.status, said.body["code"]) == (409, "coupon_expired")


def test_where_and_how_an_offer_holds_must_be_said(office: Office) -> None:
    office.house.publish("offer", "here", FRIES | {"when": {"locations": ["mitte"], "channels": ["app"]}})
    coupon = issued(office, offer="here")
    named = {"id": coupon["id"], "basket_id": "b1"}
    assert office.call("redeem_coupon", named).body["code"] == "coupon_wrong_location"
    assert office.call("redeem_coupon", named | {"location_id": "mitte", "channel": "pos"}).body["code"] == "coupon_wrong_channel"
    assert office.call("redeem_coupon", named | {"location_id": "mitte", "channel": "app"}).status == 200


WRONG: list[tuple[Any, int]] = [
    ("{}}", 400),
    ({}, 422),
    ({"id": "x", "code": "ABCDEFGHIJ", "basket_id": "b"}, 422),
    ({"id": 7, "basket_id": "b"}, 422),
    ({"id": "cpn_x", "basket_id": "b", "colour": "red"}, 422),
    ({"id": "cpn_00000000000000000000000000", "basket_id": "b"}, 404),
    ({"code": "NOSUCHCODE", "basket_id": "b"}, 404),
]


@pytest.mark.parametrize("operation", ["lookup_coupon", "hold_coupon", "redeem_coupon", "release_coupon"])
def test_wrong_requests_change_nothing(office: Office, operation: str) -> None:
    before = office.rows()
    for body, status in WRONG:
        only_names_it = operation == "lookup_coupon" and isinstance(body, dict)
        sent = {name: value for name, value in body.items() if name != "basket_id"} if only_names_it else body
        assert office.call(operation, sent).status == status, sent
    # A wrong code is counted, and that is all.
    assert [row for row in office.rows() if "#GUESS#" not in row["PK"]["S"]] == before


def test_another_tenants_coupon_is_not_there(office: Office) -> None:
    coupon = issued(office)
    House(office.house.table, office.house.key_table, tenant="other").create()
    assert office.call("lookup_coupon", {"id": coupon["id"]}, tenant="other").body["code"] == "unknown_coupon"
    assert office.call("redeem_coupon", {"code": coupon["code"], "basket_id": "b"}, tenant="other").status == 404


def test_a_key_without_the_scope_is_refused(office: Office) -> None:
    said = office.call("redeem_coupon", {"id": "cpn_x", "basket_id": "b"}, scopes=frozenset({"coupons:issue"}))
    assert (said.status, said.body["code"]) == (403, "insufficient_scope")


# -- hold and release -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("owned", [True, False])
def test_a_held_coupon_is_kept_for_its_basket(office: Office, owned: bool) -> None:
    member = office.house.join() if owned else None
    coupon = issued(office, member)
    named = {"id": coupon["id"]}
    held = office.call("hold_coupon", named | {"basket_id": "b1", "ttl_seconds": 60})
    assert (held.body["state"], held.body["hold_until"]) == ("held", format_rfc3339(NOW + 60 * SECOND))
    assert office.call("hold_coupon", named | {"basket_id": "b1", "ttl_seconds": 60}).body == held.body
    assert office.call("redeem_coupon", named | {"basket_id": "b2"}).body["code"] == "coupon_held"
    assert office.call("hold_coupon", named | {"basket_id": "b2"}).body["code"] == "coupon_held"
    assert office.call("release_coupon", named | {"basket_id": "b2"}).body["code"] == "coupon_held"
    assert office.call("redeem_coupon", named | {"basket_id": "b1"}).body["state"] == "redeemed"
    assert office.call("release_coupon", named | {"basket_id": "b1"}).body["code"] == "coupon_redeemed"
    if member:
        assert office.house.state(member).holds == {}


@pytest.mark.parametrize("owned", [True, False])
def test_a_released_coupon_is_free_and_releasing_again_changes_nothing(office: Office, owned: bool) -> None:
    member = office.house.join() if owned else None
    coupon = issued(office, member)
    named = {"id": coupon["id"], "basket_id": "b1"}
    office.call("hold_coupon", named)
    assert office.call("release_coupon", named).body["state"] == "active"
    before = office.rows()
    assert office.call("release_coupon", named).body["state"] == "active"
    assert office.rows() == before
    if member:
        state = office.house.state(member)
        assert (state.holds, state.coupons[coupon["id"]].state) == ({}, "active")
    assert office.call("redeem_coupon", {"id": coupon["id"], "basket_id": "b2"}).status == 200


def test_a_hold_that_has_run_out_is_free_without_a_sweep(office: Office) -> None:
    member = office.house.join()
    coupon = issued(office, member)
    office.call("hold_coupon", {"id": coupon["id"], "basket_id": "b1", "ttl_seconds": 60})
    office.house.now += MINUTE
    assert office.call("lookup_coupon", {"id": coupon["id"]}).body["state"] == "active"
    assert office.call("redeem_coupon", {"id": coupon["id"], "basket_id": "b2"}).status == 200


def test_time_alone_frees_the_copy_in_her_state(office: Office) -> None:
    member = office.house.join()
    coupon = issued(office, member)
    office.call("hold_coupon", {"id": coupon["id"], "basket_id": "b1", "ttl_seconds": 60})
    assert office.house.state(member).coupons[coupon["id"]].state == "held"
    office.house.now += 2 * MINUTE
    assert tick_member(office.house.scope(), member, office.house.now)
    state = office.house.state(member)
    assert (state.holds, state.coupons[coupon["id"]].state) == ({}, "active")


# -- quotas, races, crashes -----------------------------------------------------------------------------------------


def until_done(work: Callable[[], object]) -> object:
    for _ in range(60):
        try:
            return work()
        except ConcurrentUpdate as again:
            last = again
        except AppError as refusal:
            return refusal
    return last


def together(works: list[Callable[[], object]]) -> list[object]:
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> object:
        barrier.wait()
        return until_done(work)

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


@pytest.mark.parametrize("owned", [True, False])
def test_sixteen_baskets_on_one_coupon_redeem_it_once(office: Office, owned: bool) -> None:
    house = office.house
    coupon = issued(office, house.join() if owned else None)
    requests = [RedeemCouponRequest(id=coupon["id"], basket_id=f"b{number}") for number in range(16)]
    results = together([lambda request=request: baskets.redeem(house.scope(), request) for request in requests])
    refused = [result.code for result in results if isinstance(result, AppError)]
    assert refused == ["coupon_redeemed"] * 15


def test_a_limit_is_never_overdrawn_and_never_said_to_be_used_up_early(office: Office) -> None:
    house = office.house
    house.publish("offer", "few", FRIES | {"limit": 120})
    CouponRepository("demo", house.table).create_quota("offer:few", 120)
    for shard, used in ((0, 48), (1, 47), (2, 20)):
        house.table.update(keys.quota("demo", "offer:few", shard), [Path("used").set(used)])
    coupons = [issued(office, offer="few", request=f"r{number}")["id"] for number in range(9)]
    requests = [RedeemCouponRequest(id=id_, basket_id="b") for id_ in coupons]
    results = together([lambda request=request: baskets.redeem(house.scope(), request) for request in requests])
    refused = [result.code for result in results if isinstance(result, AppError)]
    assert refused == ["coupon_exhausted"] * 4


def test_a_bearers_coupon_on_an_anonymous_sale_uses_the_limit_too(office: Office) -> None:
    house = office.house
    house.publish("offer", "one", FRIES | {"limit": 1})
    CouponRepository("demo", house.table).create_quota("offer:one", 1)
    first, second = (issued(office, offer="one", request=name)["id"] for name in ("r1", "r2"))
    requests = [sale(None, lines=(("fries", 350),), coupons=[{"id": id_}]) for id_ in (first, first, second)]
    sold = record(house.scope(), requests[0]).answer
    assert sold["totals"]["discount"] == 250
    for request, reason in zip(requests[1:], ("redeemed", "exhausted"), strict=True):
        with pytest.raises(SaleRefused) as refused:
            record(house.scope(), request)
        assert refused.value.errors[0].code == reason
    assert record(house.scope(), requests[0]).answer == sold


def test_one_bearers_coupon_on_many_anonymous_sales_is_redeemed_once(office: Office) -> None:
    house = office.house
    coupon = issued(office)["id"]
    requests = [sale(None, lines=(("fries", 350),), coupons=[{"id": coupon}]) for _ in range(8)]
    results = together([lambda request=request: record(house.scope(), request) for request in requests])
    assert [result.code for result in results if isinstance(result, AppError)] == ["not_redeemable"] * 7


def test_one_request_sent_by_many_gives_one_coupon(office: Office) -> None:
    house = office.house
    member = house.join()
    request = IssueRequest(member_id=member, request_id="r1")
    results = together([lambda: service.issue(house.scope(), "fries", request, None) for _ in range(8)])
    assert len({result.answer.id for result in results}) == 1  # type: ignore[attr-defined]
    assert len(house.state(member).coupons) == 1
    check_member(house, member)


@pytest.mark.parametrize("how", ["kill", "lose"])
@pytest.mark.parametrize("owned", [True, False])
def test_killed_anywhere_and_repeated_it_happened_once(dynamodb: str, bare_house: House, owned: bool, how: Any) -> None:
    table = FaultyTable(dynamodb, bare_house.table.name)
    house = House(table, engine.table(dynamodb, bare_house.key_table.name)).create()
    house.publish("programme", "points", PROGRAMME)
    house.publish("offer", "fries", FRIES)
    for at in range(1, 12):
        for when in ("before", "after"):
            member = house.join() if owned else None
            request = IssueRequest(member_id=member, request_id=f"{at}{when}")

            def work(request: IssueRequest = request) -> tuple[str, str]:
                coupon = service.issue(house.scope(), "fries", request, None).answer
                used = baskets.redeem(house.scope(), RedeemCouponRequest(id=coupon.id, basket_id="b1"))
                return coupon.id, used.state

            table.arm(at, when, how)  # type: ignore[arg-type]
            with contextlib.suppress(Killed, AppError, OutcomeUnknown):
                work()
            reached = table.calls >= at
            table.disarm()
            _, state = work()
            assert state == "redeemed"
            if member:
                assert house.state(member).coupons == {}
                check_member(house, member)
        if not reached:
            assert at > 3
            return
    pytest.fail("the path makes more calls than the test kills")
