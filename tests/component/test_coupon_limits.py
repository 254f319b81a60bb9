"""Limits of use and value budgets through sales, holds, returns and direct redemption."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from shared.coupons import baskets, service
from shared.coupons.api import RedeemCouponRequest
from shared.coupons.limits import location_key
from shared.coupons.repository import CouponRepository
from shared.kernel.errors import AppError
from shared.kernel.instants import DAY, HOUR
from shared.kernel.shards import quota_shards
from shared.member_state.usage import usage_of
from shared.storage import keys
from shared.storage.items import QuotaItem
from shared.tenants.model import Location
from shared.transactions import holds, reversal
from shared.transactions.api import HoldRequest, MemberReference, QuoteRequest, ReturnRequest
from shared.transactions.budgets import budget_shards, share_of
from shared.transactions.claims import claim
from shared.transactions.errors import SaleRefused
from shared.transactions.service import quote, record
from tests.builders.gateway import return_of
from tests.builders.house import FRIES, NOW, House, sale
from tests.builders.invariants import check_member
from tests.builders.office import Office
from tests.component.test_crashes import faulty
from tests.component.test_races import issue, together, until_done
from tests.fakes.faulty import FaultyTable, Killed

__all__ = ["faulty"]
CASES: dict[str, list[dict[str, Any]]] = json.loads((Path(__file__).parents[1] / "cases" / "coupon_limits.json").read_text())
ONLY_OF_SALES = {"business_date", "receipt_number", "mode", "training", "offline", "tenders", "hold_id"}
OFF = 250
"""What a coupon takes off fries of 350."""


@pytest.fixture
def office(house: House, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(house, monkeypatch)


def limited(house: House, limits: dict[str, Any], **more: Any) -> None:
    """An offer ``few`` with limits, of which a member may hold many coupons."""
    house.publish("offer", "few", FRIES | {"limits": limits, "per_member": 100} | more)


def fries(house: House, member: str | None, *coupons: str, **more: Any) -> Any:
    """A sale of fries with coupons, now unless ``at`` is said."""
    at = more.pop("at", house.now)
    return sale(member, at=at, lines=(("fries", 350), ("burger", 900)), coupons=[{"id": id_} for id_ in coupons], **more)


def reason_of(work: Callable[[], object]) -> str | None:
    """Why a sale is refused, if it is."""
    try:
        work()
    except SaleRefused as refused:
        return refused.errors[0].code
    return None


def bought(house: House, member: str | None, **more: Any) -> Any:
    return record(house.scope(), fries(house, member, issue(house, member, "few") if member else "", **more)).answer


def given_back(house: House, sold: str, *lines: str) -> None:
    request = return_of(sold, lines=[{"line_id": each} for each in lines])
    reversal.record_return(house.scope(), ReturnRequest.model_validate(request))


def spent(house: House, budget: int, key: str = "offer:few") -> int:
    """What all shards of a value budget say is used; none says more than its share."""
    found = 0
    for shard in range(budget_shards(budget)):
        raw = house.table.get(keys.budget(house.tenant, key, shard))
        taken = int(QuotaItem.values(raw).get("used", 0)) if raw is not None else 0
        assert 0 <= taken <= share_of(budget, shard)
        found += taken
    return found


def redeemed(house: House, key: str, limit: int) -> int:
    raws = [house.table.get(keys.quota(house.tenant, key, shard)) for shard in range(quota_shards(limit))]
    return sum(int(QuotaItem.read(raw).used) for raw in raws if raw is not None)


# -- a member's uses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES["policies"], ids=[each["name"] for each in CASES["policies"]])
def test_worked_policies(house: House, case: dict[str, Any]) -> None:
    limited(house, case["limits"], on_return=case["on_return"])
    member, sold = house.join(), ""
    for step, reason in case["steps"]:
        if step == "day":
            house.now += DAY
        elif step == "sale":
            request = fries(house, member, issue(house, member, "few"))
            assert reason_of(partial(record, house.scope(), request)) == reason
            sold = record(house.scope(), request).answer["transaction_id"] if reason is None else sold
        elif step == "void":
            reversal.void(house.scope(), sold)
        else:
            given_back(house, sold, *(["2"] if step == "part" else []))
    check_member(house, member)


def test_a_late_sale_counts_on_its_own_day(house: House) -> None:
    limited(house, {"per_day": 1})
    member = house.join()
    coupons = [issue(house, member, "few") for _ in range(4)]
    house.now += 2 * DAY
    record(house.scope(), fries(house, member, coupons[0]))
    late = partial(fries, house, member, at=NOW + DAY)
    assert record(house.scope(), late(coupons[1])).answer["totals"]["discount"] == OFF
    assert reason_of(partial(record, house.scope(), late(coupons[2]))) == "limit_per_day"
    assert record(house.scope(), fries(house, member, coupons[2], at=NOW)).answer["totals"]["discount"] == OFF
    assert reason_of(partial(record, house.scope(), fries(house, member, coupons[3]))) == "limit_per_day"


def test_two_coupons_of_an_offer_on_one_basket_are_two_uses(house: House) -> None:
    limited(house, {"per_day": 1}, effect={"kind": "amount", "amount": 100}, scope={})
    member = house.join()
    coupons = [issue(house, member, "few") for _ in range(2)]
    body = fries(house, member, *coupons).model_dump(exclude=ONLY_OF_SALES)
    answer = quote(house.scope(), QuoteRequest.model_validate(body))
    assert answer["totals"]["discount"] == 100
    assert [each["code"] for each in answer["refused"]] == ["limit_per_day"]
    assert reason_of(partial(record, house.scope(), fries(house, member, *coupons))) == "limit_per_day"
    limited(house, {"per_day": 2}, effect={"kind": "amount", "amount": 100}, scope={})
    assert record(house.scope(), fries(house, member, *coupons)).answer["totals"]["discount"] == 200
    assert usage_of(house.state(member), "offer:few", NOW // DAY).times == 2


@pytest.mark.parametrize("how", ["sales", "redemptions", "both"])
def test_two_tills_with_two_coupons_of_one_use_a_day(house: House, how: str) -> None:
    """The version of her state lets exactly one win, however they come."""
    limited(house, {"per_day": 1})
    for _ in range(4):
        member = house.join()
        coupons = [issue(house, member, "few") for _ in range(4)]
        works: list[Callable[[], object]] = []
        for index, coupon in enumerate(coupons):
            in_sale = how == "sales" or (how == "both" and index % 2 == 0)
            request = RedeemCouponRequest(id=coupon, basket_id=f"b{index}")
            if in_sale:
                works.append(partial(until_done, partial(record, house.scope(), fries(house, member, coupon))))
            else:
                works.append(partial(until_done, partial(baskets.redeem, house.scope(), request)))
        results = together(works)
        refused = sorted(result.errors[0].code for result in results if isinstance(result, AppError))
        assert refused == ["limit_per_day"] * 3
        assert len(house.state(member).coupons) == 3
        assert usage_of(house.state(member), "offer:few", NOW // DAY).times_today == 1
        check_member(house, member)


def test_a_sale_without_a_member_cannot_use_what_is_limited_per_member(office: Office) -> None:
    limited(office.house, {"per_month": 3})
    coupon = office.call("issue_coupon", {"request_id": "r1"}, offer_id="few").body["id"]
    assert reason_of(partial(record, office.house.scope(), fries(office.house, None, coupon))) == "member_needed"


# -- directly -------------------------------------------------------------------------------------------------------


def test_directly_the_same_limits_hold_and_the_same_basket_answers_the_same(office: Office) -> None:
    house = office.house
    limited(house, {"per_day": 1})
    member = house.join()
    first, second = issue(house, member, "few"), issue(house, member, "few")
    used = office.call("redeem_coupon", {"id": first, "basket_id": "b1"})
    assert (used.status, used.body["state"]) == (200, "redeemed")
    refused = office.call("redeem_coupon", {"id": second, "basket_id": "b2"})
    assert (refused.status, refused.body["code"], refused.errors) == (409, "coupon_limit_per_day", [("/id", "limit_per_day")])
    assert office.call("hold_coupon", {"id": second, "basket_id": "b2"}).body["code"] == "coupon_limit_per_day"
    assert office.call("redeem_coupon", {"id": first, "basket_id": "b1"}).body == used.body
    assert reason_of(partial(record, house.scope(), fries(house, member, second))) == "limit_per_day"
    house.now += DAY
    assert office.call("redeem_coupon", {"id": second, "basket_id": "b2"}).status == 200
    assert usage_of(house.state(member), "offer:few", house.now // DAY).times == 2


@pytest.mark.parametrize("limits", [{"per_day": 1}, {"budget": OFF}])
def test_a_limit_that_this_very_call_has_used_up_is_its_answer(
    house: House, monkeypatch: pytest.MonkeyPatch, limits: dict[str, Any]
) -> None:
    """The till's first try is carried out between the second's reads of the coupon and of her state."""
    limited(house, limits)
    coupon = issue(house, house.join(), "few")
    request, find, first = RedeemCouponRequest(id=coupon, basket_id="b1", amount=OFF), service.find, []

    def find_it_before_the_first_try_is_done(*asked: Any) -> Any:
        found = find(*asked)
        monkeypatch.setattr(service, "find", find)
        first.append(baskets.redeem(house.scope(), request))
        return found

    monkeypatch.setattr(service, "find", find_it_before_the_first_try_is_done)
    assert baskets.redeem(house.scope(), request) == first[0]
    with pytest.raises(AppError) as refused:
        baskets.redeem(house.scope(), request.model_copy(update={"basket_id": "b2"}))
    assert refused.value.code == "coupon_redeemed"


def test_a_bearers_coupon_counts_for_whoever_uses_it(office: Office) -> None:
    house = office.house
    limited(house, {"per_member": 1})
    coupons = [office.call("issue_coupon", {"request_id": name}, offer_id="few").body["id"] for name in ("r1", "r2")]
    member, other = house.join(), house.join()
    nobody = office.call("redeem_coupon", {"id": coupons[0], "basket_id": "b1"})
    assert (nobody.status, nobody.errors) == (409, [("/id", "member_needed")])
    assert office.call("hold_coupon", {"id": coupons[0], "basket_id": "b1"}).status == 200, "who will use it, nobody knows yet"
    body = {"id": coupons[0], "basket_id": "b1", "member_id": member}
    used = office.call("redeem_coupon", body)
    assert (used.status, used.body["state"]) == (200, "redeemed")
    assert office.call("redeem_coupon", body).body == used.body
    again = office.call("redeem_coupon", {"id": coupons[1], "basket_id": "b2", "member_id": member})
    assert again.errors == [("/id", "limit_per_member")]
    assert office.call("redeem_coupon", {"id": coupons[1], "basket_id": "b2", "member_id": other}).status == 200
    hers = issue(house, member, "few")
    taken = office.call("redeem_coupon", {"id": hers, "basket_id": "b3", "member_id": other})
    assert taken.errors == [("/id", "other_member")]


def test_directly_a_budget_needs_to_know_what_is_taken_off(office: Office) -> None:
    house = office.house
    limited(house, {"budget": 1000, "location_budget": 600})
    member = house.join()
    coupons = [issue(house, member, "few") for _ in range(4)]
    before = office.rows()
    body = {"id": coupons[0], "basket_id": "b0", "location_id": "mitte", "amount": 400}
    for missing, code in (("amount", "amount_needed"), ("location_id", "location_needed")):
        said = office.call("redeem_coupon", {name: value for name, value in body.items() if name != missing})
        assert (said.status, said.body["code"], said.errors) == (422, code, [(f"/{missing}", code)])
    assert office.rows() == before
    used = office.call("redeem_coupon", body)
    assert used.status == 200
    assert office.call("redeem_coupon", body).body == used.body
    assert (spent(house, 1000), spent(house, 600, "offer:few@mitte")) == (400, 400)
    said = office.call("redeem_coupon", body | {"id": coupons[1], "basket_id": "b1"})
    assert said.errors == [("/id", "location_budget_exhausted")]
    assert office.call("redeem_coupon", body | {"id": coupons[1], "basket_id": "b1", "location_id": "nord"}).status == 200
    said = office.call("redeem_coupon", body | {"id": coupons[2], "basket_id": "b2", "location_id": "ost"})
    assert said.errors == [("/id", "budget_exhausted")]
    assert (spent(house, 1000), spent(house, 600, "offer:few@nord")) == (800, 400)
    assert len(house.state(member).coupons) == 2


# -- value budgets in sales -----------------------------------------------------------------------------------------


def test_a_budget_that_has_not_enough_left_refuses_quote_hold_and_sale(house: House) -> None:
    limited(house, {"budget": 600})
    member = house.join()
    assert [bought(house, member)["totals"]["discount"] for _ in range(2)] == [OFF, OFF]
    request = fries(house, member, issue(house, member, "few"))
    body = request.model_dump(exclude=ONLY_OF_SALES)
    answer = quote(house.scope(), QuoteRequest.model_validate(body))
    assert (answer["totals"]["discount"], [each["code"] for each in answer["refused"]]) == (0, ["budget_exhausted"])
    hold = partial(holds.place, house.scope(), HoldRequest.model_validate(body | {"basket_id": "b1"}))
    assert reason_of(hold) == "budget_exhausted"
    assert reason_of(partial(record, house.scope(), request)) == "budget_exhausted"
    assert spent(house, 600) == 2 * OFF


def test_each_location_has_a_budget_of_its_own(house: House) -> None:
    house.add_location(Location(id="nord", name="Nord"))
    limited(house, {"location_budget": 300})
    member = house.join()
    for place in ("mitte", "nord", "ein Zelt am See"):
        assert bought(house, member, location_id=place)["totals"]["discount"] == OFF
        request = fries(house, member, issue(house, member, "few"), location_id=place)
        assert reason_of(partial(record, house.scope(), request)) == "location_budget_exhausted"
        assert spent(house, 300, location_key("offer:few", place)) == OFF


def test_a_budget_is_used_to_the_last_unit_from_several_shards(house: House) -> None:
    """Shards of 10,000, 10,000 and 1: what none of them has alone is taken from all."""
    budget, line = 20_001, (("burger", 50_000),)
    member = house.join()
    for off in (9_000, 9_000, 2_001):
        limited(house, {"budget": budget}, effect={"kind": "amount", "amount": off}, scope={})
        request = sale(member, lines=line, coupons=[{"id": issue(house, member, "few")}])
        assert record(house.scope(), request).answer["totals"]["discount"] == off
    assert spent(house, budget) == budget
    limited(house, {"budget": budget}, effect={"kind": "amount", "amount": 1}, scope={})
    request = sale(member, lines=line, coupons=[{"id": issue(house, member, "few")}])
    assert reason_of(partial(record, house.scope(), request)) == "budget_exhausted"


@pytest.mark.parametrize(("low", "high"), [(1, 2), (99, 100), (60, 130)])
def test_a_limit_that_is_raised_is_still_the_limit(office: Office, low: int, high: int) -> None:
    """Coupons of the version before and of the one after, when all that the lower one allowed is used."""
    house = office.house
    for version, limit in ((1, low), (2, high)):
        house.publish("offer", "few", FRIES | {"limit": limit}, version=version, since=NOW - 2 + version)
        CouponRepository(house.tenant, house.table).create_quota("offer:few", limit)
        used = 0
        for number in range(limit + 3 - (low if version == 2 else 0)):
            coupon = office.call("issue_coupon", {"request_id": f"{version}-{number}"}, offer_id="few").body["id"]
            used += office.call("redeem_coupon", {"id": coupon, "basket_id": "b"}).status == 200
        assert used == (low if version == 1 else high - low)
        house.now += DAY
    assert redeemed(house, "offer:few", high) == high


def test_the_whole_sale_gives_its_value_back_a_part_does_not(house: House) -> None:
    limited(house, {"budget": 500, "location_budget": 500})
    member = house.join()
    first, second = (bought(house, member)["transaction_id"] for _ in range(2))
    given_back(house, first, "1")
    assert spent(house, 500) == 2 * OFF, "the coupon is hers again, its value only with the rest of the sale"
    given_back(house, first)
    assert (spent(house, 500), spent(house, 500, "offer:few@mitte")) == (OFF, OFF)
    together([partial(until_done, partial(reversal.void, house.scope(), second)) for _ in range(4)])
    assert (spent(house, 500), spent(house, 500, "offer:few@mitte")) == (0, 0)
    check_member(house, member)


def test_a_voucher_counts_what_it_paid(house: House) -> None:
    limited(house, {"budget": 1_000}, effect={"kind": "voucher", "value": 5_000, "remainder": "kept", "counts_as": "tender"}, scope={})
    member = house.join()
    coupon = issue(house, member, "few")
    for price in (400, 600):
        record(house.scope(), sale(member, lines=(("burger", price),), coupons=[{"id": coupon}]))
    assert spent(house, 1_000) == 1_000
    request = sale(member, lines=(("burger", 1),), coupons=[{"id": coupon}])
    assert reason_of(partial(record, house.scope(), request)) == "budget_exhausted"


def test_a_settled_offline_sale_overdraws_and_says_so(house: House) -> None:
    limited(house, {"budget": 300})
    member = house.join()
    bought(house, member)
    answer = bought(house, member, offline=True)
    assert answer["totals"]["discount"] == OFF
    assert ("offline_loss", "the offer's budget was used up") in [(each["code"], each["detail"]) for each in answer["warnings"]]
    assert [(each["reason"], each["amount"]) for each in answer["offline_losses"]] == [("budget_exhausted", OFF)]
    raw = house.table.get(keys.budget(house.tenant, "offer:few", 0))
    assert raw is not None
    assert int(QuotaItem.values(raw)["used"]) == 2 * OFF
    request = fries(house, member, issue(house, member, "few"))
    assert reason_of(partial(record, house.scope(), request)) == "budget_exhausted"
    reversal.void(house.scope(), answer["transaction_id"])
    assert spent(house, 300) == OFF


def test_claiming_a_sale_takes_its_value_once_and_its_void_gives_it_back(office: Office) -> None:
    house = office.house
    limited(house, {"budget": 900})
    coupon = office.call("issue_coupon", {"request_id": "r1"}, offer_id="few").body["id"]
    sold = record(house.scope(), fries(house, None, coupon)).answer["transaction_id"]
    assert spent(house, 900) == OFF
    claim(house.scope(), sold, MemberReference(id=house.join()))
    assert spent(house, 900) == OFF
    reversal.void(house.scope(), sold)
    assert spent(house, 900) == 0


@pytest.mark.parametrize("budget", [1_000, 6_100, 70_000])
def test_thirty_two_tills_at_once_never_spend_more_than_the_budget(house: House, budget: int) -> None:
    off = budget // 20 + 7
    limited(house, {"budget": budget}, effect={"kind": "amount", "amount": off}, scope={})
    members = [house.join() for _ in range(32)]
    line = (("burger", 50_000),)
    requests = [sale(member, lines=line, coupons=[{"id": issue(house, member, "few")}]) for member in members]
    results = together([partial(until_done, partial(record, house.scope(), request)) for request in requests])
    refused = [result for result in results if isinstance(result, AppError)]
    assert {each.errors[0].code for each in refused} == {"budget_exhausted"}
    taken = sum(result.answer["totals"]["discount"] for result in results if not isinstance(result, AppError))  # type: ignore[attr-defined]
    assert taken == spent(house, budget)
    assert budget - off < taken <= budget


@pytest.mark.parametrize("how", ["kill", "lose"])
def test_killed_anywhere_and_repeated_limits_and_budgets_count_once(faulty: House, how: Any) -> None:
    table, number = faulty.table, 0
    assert isinstance(table, FaultyTable)
    faulty.publish("offer", "few", FRIES | {"limits": {"per_month": 1, "budget": 10**8}, "limit": 1000})
    CouponRepository(faulty.tenant, table).create_quota("offer:few", 1000)
    for at in range(1, 12):
        reached = False
        for when in ("before", "after"):
            for directly in (False, True):
                member = faulty.join()
                coupon = issue(faulty, member, "few")
                request = fries(faulty, member, coupon)
                here = RedeemCouponRequest(id=coupon, basket_id="b", amount=OFF)
                work = partial(baskets.redeem, request=here) if directly else partial(record, request=request)
                table.arm(at, when, how)  # type: ignore[arg-type]
                with suppress(Killed, AppError):
                    work(faulty.scope())
                reached = reached or table.calls >= at
                table.disarm()
                work(faulty.scope())
                number += 1
                assert usage_of(faulty.state(member), "offer:few", NOW // DAY).times == 1
                assert (spent(faulty, 10**8), redeemed(faulty, "offer:few", 1000)) == (number * OFF, number)
        if not reached:
            return
    pytest.fail("the path makes more calls than the test kills")


# -- automatic promotions -------------------------------------------------------------------------------------------

PROMOTION = FRIES | {"name": "Fries day", "content": {"en": {"title": "Fries for 1 euro"}}}


def test_a_promotion_that_is_used_up_silently_does_not_apply(office: Office) -> None:
    house = office.house
    created = office.call("create_promotion", {"id": "day", "definition": PROMOTION | {"limit": 2, "limits": {"per_day": 1}}})
    assert created.status == 201, created.body
    assert office.call("publish_promotion", {}, definition_id="day").status == 200
    house.now += HOUR
    members = [house.join() for _ in range(3)]
    first = record(house.scope(), fries(house, members[0])).answer
    assert first["totals"]["discount"] == OFF
    again = record(house.scope(), fries(house, members[0])).answer
    assert (again["totals"]["discount"], again.get("refused", [])) == (0, [])
    assert record(house.scope(), fries(house, members[1])).answer["totals"]["discount"] == OFF
    used_up = record(house.scope(), fries(house, members[2])).answer
    assert (used_up["totals"]["discount"], redeemed(house, "promotion:day", 2)) == (0, 2)
    given_back(house, first["transaction_id"])
    assert redeemed(house, "promotion:day", 2) == 1
    assert usage_of(house.state(members[0]), "promotion:day", house.now // DAY).times == 0
    assert record(house.scope(), fries(house, members[0])).answer["totals"]["discount"] == OFF


def test_a_promotions_budget_is_taken_without_a_member_too_and_comes_back(house: House) -> None:
    house.publish("promotion", "day", PROMOTION | {"limits": {"budget": 600}})
    sold = [record(house.scope(), fries(house, None)).answer for _ in range(3)]
    assert [each["totals"]["discount"] for each in sold] == [OFF, OFF, 0]
    assert spent(house, 600, "promotion:day") == 2 * OFF
    body = fries(house, None).model_dump(exclude=ONLY_OF_SALES)
    assert quote(house.scope(), QuoteRequest.model_validate(body))["totals"]["discount"] == 0
    reversal.void(house.scope(), sold[0]["transaction_id"])
    assert spent(house, 600, "promotion:day") == OFF


def test_a_promotion_kept_on_return_stays_counted_until_a_void(house: House) -> None:
    house.publish("promotion", "day", PROMOTION | {"limit": 10, "limits": {"per_member": 2}, "on_return": "keep"})
    CouponRepository(house.tenant, house.table).create_quota("promotion:day", 10)
    member = house.join()
    first, second = (record(house.scope(), fries(house, member)).answer["transaction_id"] for _ in range(2))
    given_back(house, first)
    assert (redeemed(house, "promotion:day", 10), usage_of(house.state(member), "promotion:day", 0).times) == (2, 2)
    reversal.void(house.scope(), second)
    assert (redeemed(house, "promotion:day", 10), usage_of(house.state(member), "promotion:day", 0).times) == (1, 1)
