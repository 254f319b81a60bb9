"""A sale made offline is never refused; what it gave and what does not hold is booked to its location, once, with the reason."""

from __future__ import annotations

import contextlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.verify import CHECKS, take
from shared.aws.runtime import NamedTenant
from shared.coupons import baskets, service
from shared.coupons.api import IssueRequest, RedeemCouponRequest
from shared.coupons.repository import CouponRepository
from shared.http.routes import ROUTES
from shared.kernel.errors import ConcurrentUpdate
from shared.kernel.instants import DAY, format_rfc3339
from shared.relay.catalogue import CATALOGUE
from shared.storage import keys
from shared.storage.table import WriteBatch
from shared.transactions.answer_models import OfflineLossesAnswer, TransactionAnswer
from shared.transactions.api import TransactionRequest
from shared.transactions.ingestion import ingest
from tests.builders.gateway import Said, Till, held, recorded, refused, return_of, sold
from tests.builders.house import House
from tests.fakes.faulty import FaultyTable, Killed

TENTH = {"name": "Tenth", "effect": {"kind": "percent", "percent": 10}, "per_member": 100}
TODAY = "2026-11-21"


@pytest.fixture(autouse=True)
def offers(house: House) -> None:
    house.publish("offer", "tenth", TENTH)
    house.publish("offer", "ost", TENTH | {"when": {"locations": ["ost"]}})
    house.publish("offer", "big", TENTH | {"minimum_basket": 10_000})
    house.publish("offer", "rare", TENTH | {"limit": 1})
    CouponRepository("demo", house.table).create_quota("offer:rare", 1)


def issue(till: Till, offer: str = "tenth", member: str | None = None, key: str = "1", tenant: str = "demo") -> tuple[str, str]:
    """Id and code of a coupon."""
    scope = till.runtime.scope(NamedTenant(tenant))
    answer = service.issue(scope, offer, IssueRequest(member_id=member, request_id=f"{offer}{member}{key}"), None).answer
    assert answer.code is not None
    return answer.id, answer.code


def offline(till: Till, member: str | None, coupons: Any = (), *lines: tuple[str, int], **more: Any) -> Said:
    """A burger for 9.00 (or these lines), settled."""
    said = till.call("record_transaction", sold(member, *lines, coupons=list(coupons), offline=True, **more))
    assert said.status in (200, 201), said.text
    TransactionAnswer.model_validate_json(said.text)
    return said


def losses(said: Said) -> list[tuple[str, str, int | None]]:
    return [(each["subject"], each["reason"], each.get("amount")) for each in said.body.get("offline_losses", ())]


def report(till: Till, location: str = "mitte", **query: str) -> dict[str, dict[str, tuple[int, int, int]]]:
    """Business date -> reason -> count, amount, without amount."""
    said = till.call("report_offline_losses", location_id=location, query=query)
    assert said.status == 200, said.text
    answer = OfflineLossesAnswer.model_validate_json(said.text)
    rows = [row for day in answer.days for row in day.reasons]
    assert (answer.count, answer.amount) == (sum(row.count for row in rows), sum(row.amount for row in rows))
    return {day.business_date: {row.reason: (row.count, row.amount, row.without_amount) for row in day.reasons} for day in answer.days}


def agrees(house: House) -> None:
    """The recount of losses finds nothing."""
    items = house.table._client.scan(TableName=house.table.name, ConsistentRead=True)["Items"]
    assert list(CHECKS["offline losses"](take(items))) == []


# -- never refused: each way in which a coupon or points may fail -----------------------------------------------------


def _expired(till: Till, member: str) -> list[Any]:
    coupon, _ = issue(till, member=member)
    till.house.now += 60 * DAY
    return [{"id": coupon}]


def _void(till: Till, member: str) -> list[Any]:
    id_, code = issue(till)
    coupons, batch = CouponRepository("demo", till.house.table), WriteBatch()
    coupon = coupons.get(id_)
    assert coupon is not None
    coupons.add_void(batch, coupon)
    till.house.table.transact(batch, f"void-{coupon.id}")
    return [{"code": code}]


def _redeemed(till: Till, member: str) -> list[Any]:
    coupon, _ = issue(till, member=member)
    baskets.redeem(till.runtime.scope(NamedTenant("demo")), RedeemCouponRequest(id=coupon, basket_id="b1"))
    return [{"id": coupon}]


def _held_by_another(till: Till, member: str) -> list[Any]:
    coupon, code = issue(till)
    held(till, till.house.join(), coupons=[{"id": coupon}])
    return [{"code": code}]


WAYS: dict[str, Any] = {
    "expired": _expired,
    "void": _void,
    "redeemed": _redeemed,
    "held": _held_by_another,
    "other_member": lambda till, _: [{"id": issue(till, member=till.house.join())[0]}],
    "wrong_location": lambda till, member: [{"id": issue(till, "ost", member)[0]}],
    "below_minimum_basket": lambda till, member: [{"id": issue(till, "big", member)[0]}],
}


@pytest.mark.parametrize("reason", WAYS)
@pytest.mark.parametrize("given", [None, 77])
def test_a_coupon_that_does_not_hold_is_a_loss_of_what_was_given_or_of_its_price(till: Till, reason: str, given: int | None) -> None:
    member = till.house.join()
    coupons = [each | ({"given": given} if given else {}) for each in WAYS[reason](till, member)]
    at = format_rfc3339(till.house.now)
    said = offline(till, member, coupons, occurred_at=at, business_date=at[:10])
    amount = given or 90
    assert losses(said) == [("coupons/0", reason, amount)]
    assert said.body["offline_losses"][0]["offer_id"] in ("tenth", "ost", "big")
    assert (said.body["totals"]["discount"], [each["code"] for each in said.body["warnings"]]) == (0, ["offline_loss"])
    assert report(till) == {at[:10]: {reason: (1, amount, 0)}}
    agrees(till.house)


def test_nobody_knows_what_an_unknown_code_was_worth_unless_the_till_says(till: Till, other: House) -> None:
    _, foreign = issue(till, "fries", tenant="other")
    for code, given in (("NOSUCHCODE", None), (foreign, None), (foreign, 40)):
        said = offline(till, None, [{"code": code, "given": given}])
        assert losses(said) == [("coupons/0", "unknown_coupon", given)]
        assert "offer_id" not in said.body["offline_losses"][0]
    assert report(till) == {TODAY: {"unknown_coupon": (3, 40, 2)}}


def test_a_used_up_limit_is_overdrawn_and_the_coupon_is_redeemed(till: Till) -> None:
    first, second = till.house.join(), till.house.join()
    recorded(till, sold(first, coupons=[{"id": issue(till, "rare", first)[0]}]))
    said = offline(till, second, [{"id": issue(till, "rare", second)[0]}])
    assert (said.body["totals"]["discount"], losses(said)) == (90, [("coupons/0", "exhausted", 90)])
    agrees(till.house)


def test_points_that_are_not_there_are_a_loss_of_what_the_till_took_for_them(till: Till) -> None:
    member = till.house.join()
    assert losses(offline(till, member, points_to_spend=20)) == [("points", "insufficient_points", 100)]
    paid = [{"kind": "points", "amount": 130}]
    assert losses(offline(till, member, points_to_spend=20, tenders=paid)) == [("points", "insufficient_points", 130)]
    assert losses(offline(till, None, points_to_spend=20)) == [("points", "member_needed", 100)]
    assert report(till) == {TODAY: {"insufficient_points": (2, 230, 0), "member_needed": (1, 100, 0)}}
    assert till.house.state(member).wallets["points"].debt == 0


def test_what_was_given_beyond_the_worth_of_what_holds_is_a_loss(till: Till) -> None:
    member = till.house.join()
    recorded(till, sold(member, ("burger", 10_000)))
    coupon, _ = issue(till, member=member)
    paid = [{"kind": "points", "amount": 120}]
    said = offline(till, member, [{"id": coupon, "given": 100}], points_to_spend=20, tenders=paid)
    assert said.body["totals"]["discount"] == 90
    assert losses(said) == [("coupons/0", "more_than_worth", 10), ("points", "more_than_worth", 20)]
    assert report(till) == {TODAY: {"more_than_worth": (2, 30, 0)}}
    exact, _ = issue(till, member=member, key="2")
    assert losses(offline(till, member, [{"id": exact, "given": 90}])) == []


@pytest.mark.parametrize("whose", ["gone", "another's", "unknown", "foreign"])
def test_a_hold_that_cannot_be_used_refuses_nothing(till: Till, other: House, whose: str) -> None:
    member, friend = till.house.join(), till.house.join()
    for each in (member, friend):
        recorded(till, sold(each, ("burger", 10_000)))
    coupon, _ = issue(till, member=member)
    hold = held(till, friend if whose == "another's" else member, points_to_spend=20)
    if whose == "gone":
        till.call("release_hold", hold_id=hold)
        recorded(till, sold(member, points_to_spend=90))
    named = {"gone": hold, "another's": hold, "unknown": "hold_dGlsbHxub3Ro", "foreign": "nonsense"}[whose]
    said = offline(till, member, [{"id": coupon}], points_to_spend=20, hold_id=named)
    if whose in ("gone", "another's"):
        # What the hold held is what it counts on: twenty points, and no coupon.
        spends = whose == "another's"
        assert said.body["points"]["spent"] == (20 if spends else 0)
        assert losses(said) == ([] if spends else [("points", "insufficient_points", 100)])
    else:
        assert (said.body["points"]["spent"], said.body["totals"]["discount"]) == (20, 90)
    if whose == "another's":
        assert till.call("get_hold", hold_id=hold).body["state"] == "held"
        assert hold in till.house.state(friend).holds


# -- once ---------------------------------------------------------------------------------------------------------------


def test_a_repeated_sale_books_its_loss_once(till: Till) -> None:
    body = sold(None, coupons=[{"code": "NOSUCHCODE", "given": 40}], offline=True)
    answers = [till.call("record_transaction", body) for _ in range(3)]
    assert [each.status for each in answers] == [201, 200, 200]
    assert len({each.text for each in answers}) == 1
    assert report(till) == {TODAY: {"unknown_coupon": (1, 40, 0)}}


def test_one_coupon_that_many_tills_settle_at_once_is_redeemed_once_and_lost_by_the_others(till: Till) -> None:
    coupon, code = issue(till, "rare")
    tills = 8
    start = threading.Barrier(tills)

    def settle(number: int) -> tuple[int, int]:
        body = sold(None, coupons=[{"code": code}], offline=True, till_id=str(number))
        start.wait()
        for _ in range(20):
            with contextlib.suppress(ConcurrentUpdate):
                answer = ingest(till.runtime.scope(NamedTenant("demo")), TransactionRequest.model_validate(body)).answer
                return answer["totals"]["discount"], len(answer.get("offline_losses", ()))
        raise AssertionError("no end of conflicts")

    with ThreadPoolExecutor(tills) as pool:
        found = sorted(pool.map(settle, range(tills)))
    assert found == [(0, 1)] * (tills - 1) + [(90, 0)]
    assert report(till) == {TODAY: {"redeemed": (tills - 1, 90 * (tills - 1), 0)}}
    stored = CouponRepository("demo", till.house.table).get(coupon)
    assert stored is not None
    assert stored.state == "redeemed"
    agrees(till.house)


def test_a_void_or_a_return_of_everything_takes_the_loss_back(till: Till) -> None:
    member = till.house.join()
    lines = (("burger", 900), ("fries", 350))
    for who in (member, None):
        ids = [offline(till, who, [{"code": "NOSUCHCODE", "given": 40}], *lines).body["transaction_id"] for _ in range(2)]
        assert report(till) == {TODAY: {"unknown_coupon": (2, 80, 0)}}
        for _ in range(2):
            assert till.call("void_transaction", transaction_id=ids[0]).status == 200
        half = till.call("record_return", return_of(ids[1], lines=[{"line_id": "1"}]))
        assert (half.status, report(till)) == (201, {TODAY: {"unknown_coupon": (1, 40, 0)}})
        agrees(till.house)
        assert till.call("record_return", return_of(ids[1])).status == 201
        assert report(till) == {}
        agrees(till.house)


def test_points_of_an_anonymous_sale_are_hers_once_she_claims_it(till: Till) -> None:
    member = till.house.join()
    said = offline(till, None, [{"code": "NOSUCHCODE", "given": 40}], points_to_spend=20)
    recorded(till, sold(member, ("burger", 10_000)))
    claimed = till.call("claim_transaction", {"member": {"id": member}}, transaction_id=said.body["transaction_id"])
    assert (claimed.status, claimed.body["points"]["spent"]) == (200, 20), claimed.text
    assert losses(claimed) == [("coupons/0", "unknown_coupon", 40)]
    assert report(till) == {TODAY: {"unknown_coupon": (1, 40, 0)}}
    agrees(till.house)
    poor = till.house.join()
    said = offline(till, None, points_to_spend=20)
    claimed = till.call("claim_transaction", {"member": {"id": poor}}, transaction_id=said.body["transaction_id"])
    assert losses(claimed) == [("points", "insufficient_points", 100)]
    assert report(till) == {TODAY: {"unknown_coupon": (1, 40, 0), "insufficient_points": (1, 100, 0)}}
    agrees(till.house)


@pytest.mark.parametrize("how", ["kill", "lose"])
def test_a_crash_at_any_io_books_a_loss_once(dynamodb: str, till: Till, how: Any) -> None:
    member = till.house.join()
    body = sold(member, coupons=[{"code": "NOSUCHCODE", "given": 40}], points_to_spend=2000, offline=True)
    faulty = FaultyTable(dynamodb, till.house.table.name)
    till.runtime.table, at, count = faulty, 0, 0
    while True:
        at, count = at + 1, count + 1
        again = body | {"receipt_number": f"crash-{count}"}
        faulty.arm(at // 2 + 1, "before" if at % 2 else "after", how)
        with contextlib.suppress(Killed):
            till.call("record_transaction", again)
        unharmed = faulty.calls < at // 2 + 1
        faulty.disarm()
        assert till.call("record_transaction", again).status in (200, 201)
        assert report(till) == {TODAY: {"unknown_coupon": (count, 40 * count, 0), "insufficient_points": (count, 10_000 * count, 0)}}
        if unharmed:
            break
    assert count > 4
    agrees(till.house)


# -- told ---------------------------------------------------------------------------------------------------------------


def test_losses_are_told_with_ids_only(till: Till) -> None:
    member = till.house.join()
    coupon, _ = issue(till, "ost", member)
    for who in (member, None):
        said = offline(till, who, [{"id": coupon}])
        where = keys.state("demo", member) if who else keys.request("demo", "txn", "till", _natural(said))
        raw = till.house.table.get(where)
        assert raw is not None
        told = {row[0]: row[2] for row in json.loads(raw["out"]["S"])["e"]}["offline.loss"]
        expected = {"transaction": said.body["transaction_id"], "location": "mitte", "business_date": TODAY, "subject": "coupon"}
        reason = "wrong_location" if who else "other_member"
        assert told == expected | {"reason": reason, "amount": 90, "coupon": coupon, "offer": "ost"}
        assert set(told) <= set(CATALOGUE["offline.loss"].data)


def _natural(said: Said) -> str:
    return f"mitte|{TODAY}||{said.body['receipt_number']}"


# -- the report ---------------------------------------------------------------------------------------------------------


def test_the_report_is_by_business_date_within_its_ends(till: Till, other: House) -> None:
    for day in ("2026-11-19", "2026-11-20", "2026-11-21"):
        offline(till, None, [{"code": "NOSUCHCODE", "given": 1}], business_date=day)
    offline(till, None, [{"code": "NOSUCHCODE"}], location_id="ost/1 #")
    assert list(report(till)) == ["2026-11-19", "2026-11-20", "2026-11-21"]
    assert list(report(till, **{"from": "2026-11-20", "until": "2026-11-20"})) == ["2026-11-20"]
    assert list(report(till, until="2026-11-20")) == ["2026-11-19", "2026-11-20"]
    assert report(till, "ost/1 #") == {TODAY: {"unknown_coupon": (1, 0, 1)}}
    assert till.call("report_offline_losses", tenant="other", location_id="mitte").body["days"] == []
    refused(till.call("report_offline_losses", tenant="other", location_id="ost/1 #"), 404, "unknown_location")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"from": "2026-11-22", "until": "2026-11-21"}, "/from"),
        ({"from": "2025-11-20", "until": "2026-11-21"}, "/from"),
        ({"from": "yesterday"}, "/from"),
        ({"until": "2026-02-30"}, "/until"),
    ],
)
def test_a_report_of_no_days_or_too_many_is_refused(till: Till, query: dict[str, str], pointer: str) -> None:
    said = till.call("report_offline_losses", location_id="mitte", query=query)
    assert said.status == 422
    assert [where for where, _ in said.errors] == [pointer]


def test_a_key_of_one_location_sees_its_own_losses_only(till: Till) -> None:
    assert till.call("report_offline_losses", location_id="mitte", location="mitte").status == 200
    refused(till.call("report_offline_losses", location_id="ost", location="mitte"), 403, "other_location")
    assert next(route.scope for route in ROUTES if route.operation == "report_offline_losses") == "transactions:read"


def test_what_is_given_says_nothing_of_a_sale_that_was_not_made_offline(till: Till) -> None:
    member = till.house.join()
    coupon, _ = issue(till, member=member)
    said = till.call("record_transaction", sold(member, coupons=[{"id": coupon, "given": 500}]))
    assert (said.status, said.body["totals"]["discount"], "offline_losses" in said.body) == (201, 90, False)
    assert report(till) == {}
