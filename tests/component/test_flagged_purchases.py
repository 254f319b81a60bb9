"""Flagged purchases: they never stop a till, their points wait, and a person decides once, in any order with returns."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from shared.counter.errors import AlreadyReviewed, NotUnderReview
from shared.counter.reporting import report
from shared.kernel.errors import AppError
from shared.kernel.instants import DAY, HOUR
from shared.member_state.service import tick_member
from shared.members import points
from shared.members.points_api import AdjustmentRequest
from shared.members.service import Actor
from shared.storage import keys_counter
from shared.storage.items_counter import CountItem
from shared.tenants.model import Location
from shared.tenants.principal import EVERYWHERE, Place
from shared.transactions import claims, reversal, reviewing
from shared.transactions.api import MemberReference, ReturnRequest
from shared.transactions.gathering import natural_key
from shared.transactions.repository import natural_key as key_of
from shared.transactions.service import read_sale, record
from shared.wallet.rules import pending
from tests.builders.counter import asking
from tests.builders.house import House, sale
from tests.builders.invariants import check_member
from tests.component.test_races import issue, together, until_done

TWO = {"rules": {"purchases": {"more_than": 2}}}
KEY = b"k" * 32
DATE = "2026-11-21"


def flagged(house: House, member: str, **more: Any) -> dict[str, Any]:
    """The third purchase of the shift."""
    for _ in range(2):
        assert "flags" not in record(house.scope(), sale(member)).answer
    return record(house.scope(), sale(member, lines=(("burger", 1000), ("fries", 500)), **more)).answer


def decide(house: House, answer: dict[str, Any], how: Any, reason: str = "looked at it") -> Any:
    return reviewing.review(house.scope(), answer["transaction_id"], how, reason, "desk")


def give_back(house: House, answer: dict[str, Any], *lines: str, **more: Any) -> dict[str, Any]:
    """A return of a sale, or of some of its lines."""
    plain = sale(None)
    body = {
        "source": "till", "location_id": "mitte", "business_date": plain.business_date, "receipt_number": f"back-{plain.receipt_number}",
        "occurred_at": plain.occurred_at, "transaction_id": answer["transaction_id"], "lines": [{"line_id": line} for line in lines],
    }  # fmt: skip
    return reversal.record_return(house.scope(), ReturnRequest.model_validate(body | more)).answer


def lots(house: House, member: str) -> tuple[int, int]:
    """(points that are there, points that wait)."""
    wallet = house.state(member).wallets["points"]
    return sum(lot.points for lot in wallet.lots) - pending(wallet), pending(wallet)


def test_the_third_of_a_shift_earns_but_waits(house: House) -> None:
    asking(house, **TWO)
    member = house.join()
    answer = flagged(house, member)
    assert [flag["code"] for flag in answer["flags"]] == ["purchases_in_shift"]
    assert (answer["review"], answer["points"]["earned"], answer["points"]["balance"]) == ("pending", 15, 18)
    assert lots(house, member) == (18, 15)
    house.now += 800 * DAY
    tick_member(house.scope(), member, house.now)
    assert lots(house, member) == (0, 0), "what nobody reviewed expires with its own time and never becomes available"
    check_member(house, member)


def test_approved_they_are_hers_and_rejected_they_are_gone(house: House) -> None:
    asking(house, **TWO)
    first, second = house.join(), house.join()
    bought = {member: flagged(house, member) for member in (first, second)}
    approved, rejected = decide(house, bought[first], "approved"), decide(house, bought[second], "rejected")
    assert (approved.points, approved.balance, lots(house, first)) == (15, 33, (33, 0))
    assert (rejected.points, rejected.balance, lots(house, second)) == (15, 18, (18, 0))
    assert [(step.rule, step.points, step.reason) for step in rejected.trace] == [("review", -15, "rejected")]
    for member, state in ((first, "approved"), (second, "rejected")):
        told = read_sale(house.scope(), key_of(bought[member]["transaction_id"]))
        assert (told["review"], told["reviewed"]["by"], told["reviewed"]["reason"]) == (state, "desk", "looked at it")
        check_member(house, member)


def test_the_same_decision_again_changes_nothing_and_another_is_refused(house: House) -> None:
    asking(house, **TWO)
    member = house.join()
    answer = flagged(house, member)
    first = decide(house, answer, "rejected")
    assert decide(house, answer, "rejected", "again").points == first.points
    with pytest.raises(AlreadyReviewed):
        decide(house, answer, "approved")
    with pytest.raises(NotUnderReview):
        decide(house, record(house.scope(), sale(house.join())).answer, "approved")
    assert lots(house, member) == (18, 0)


def test_of_many_who_decide_at_once_one_decides(house: House) -> None:
    asking(house, **TWO)
    member = house.join()
    answer = flagged(house, member)
    works = [partial(until_done, partial(decide, house, answer, how)) for how in ("approved", "rejected") * 8]
    results = together(works)
    decided = {result.review for result in results if not isinstance(result, AppError)}  # type: ignore[attr-defined]
    assert len(decided) == 1
    assert {result.code for result in results if isinstance(result, AppError)} == {"already_reviewed"}
    assert lots(house, member) == ((33, 0) if decided == {"approved"} else (18, 0))
    check_member(house, member)


@pytest.mark.parametrize("how", ["approved", "rejected"])
@pytest.mark.parametrize("order", ["before", "between", "after", "void"])
def test_with_returns_in_any_order_nothing_is_left_over(house: House, how: str, order: str) -> None:
    asking(house, **TWO)
    member = house.join()
    answer = flagged(house, member)
    steps = {
        "before": [("return", ("1",)), ("return", ()), (how, ())],
        "between": [("return", ("2",)), (how, ()), ("return", ())],
        "after": [(how, ()), ("return", ("1",)), ("return", ("2",))],
        "void": [(how, ()), ("void", ())],
    }[order]
    for step, lines in steps:
        if step == "return":
            give_back(house, answer, *lines)
        elif step == "void":
            reversal.void(house.scope(), answer["transaction_id"])
        else:
            decide(house, answer, step)
        check_member(house, member)
    assert lots(house, member) == (18, 0)
    assert house.state(member).profile.cells[next(iter(house.state(member).profile.cells))].count == 2


def test_time_approves_where_the_tenant_says_so(house: House) -> None:
    asking(house, review_days=3, **TWO)
    member = house.join()
    answer = flagged(house, member)
    house.now += 3 * DAY
    tick_member(house.scope(), member, house.now)
    assert lots(house, member) == (33, 0)
    with pytest.raises(AlreadyReviewed):
        decide(house, answer, "rejected")
    assert reviewing.waiting(house.scope(), 10, None, KEY).data == ()
    assert read_sale(house.scope(), key_of(answer["transaction_id"]))["review"] == "approved"
    give_back(house, answer)
    assert lots(house, member) == (18, 0)


def test_those_that_wait_are_listed_by_page_until_somebody_decides_or_they_are_undone(house: House) -> None:
    asking(house, **TWO)
    member = house.join()
    answers = [flagged(house, member, staff_id="anna")]
    answers += [record(house.scope(), sale(member)).answer for _ in range(3)]
    page = reviewing.waiting(house.scope(), 3, None, KEY)
    rest = reviewing.waiting(house.scope(), 3, page.next_cursor, KEY)
    assert (len(page.data), len(rest.data)) == (3, 1)
    assert {each.transaction_id for each in (*page.data, *rest.data)} == {each["transaction_id"] for each in answers}
    seen = next(each for each in (*page.data, *rest.data) if each.staff_id == "anna")
    assert (seen.member_id, seen.points, seen.location_id, seen.business_date) == (member, 15, "mitte", DATE)
    decide(house, answers[0], "approved")
    reversal.void(house.scope(), answers[1]["transaction_id"])
    left = reviewing.waiting(house.scope(), 10, None, KEY).data
    assert {each.transaction_id for each in left} == {each["transaction_id"] for each in answers[2:]}
    assert reviewing.waiting(house.scope(), 10, None, KEY, Place("nord")).data == ()


def test_a_replay_is_the_same_to_the_byte_and_counts_once(house: House) -> None:
    asking(house, **TWO)
    member = house.join()
    for _ in range(2):
        record(house.scope(), sale(member))
    request = sale(member, staff_id="anna")
    first = record(house.scope(), request)
    again = record(house.scope(), request)
    assert (again.answer, again.replayed) == (first.answer, True)
    assert [(row.rule, row.cashier, row.count, row.points) for row in report(house.scope(), EVERYWHERE, None, None).data] == [
        ("flagged", "anna", 1, 9)
    ]


def test_a_voided_purchase_does_not_count_towards_the_shift(house: House) -> None:
    asking(house, **TWO)
    member = house.join()
    sold = [record(house.scope(), sale(member)).answer for _ in range(2)]
    reversal.void(house.scope(), sold[0]["transaction_id"])
    assert "flags" not in record(house.scope(), sale(member)).answer


def test_without_the_rule_nothing_is_remembered(house: House) -> None:
    member = house.join()
    for _ in range(4):
        assert "flags" not in record(house.scope(), sale(member)).answer
    assert house.state(member).counter_sales == []


def test_claims_of_anonymous_sales_are_counted_by_cashier_and_told_once(house: House) -> None:
    asking(house, rules={"claims": {"more_than": 2}, "purchases": {"more_than": 3}})
    member = house.join()
    for number in range(5):
        sold = sale(None)
        record(house.scope(), sold)
        answer = claims.claim(house.scope(), natural_key(sold).id("txn"), MemberReference(id=member), cashier="anna").answer
        claims.claim(house.scope(), natural_key(sold).id("txn"), MemberReference(id=member), cashier="anna")
        assert ("flags" in answer) == (number >= 3), "claimed purchases are purchases of one card"
    rows = {row.rule: row for row in report(house.scope(), Place("mitte"), DATE, DATE).data}
    assert (rows["claims"].count, rows["claims"].alerted, rows["flagged"].count) == (5, True, 2)
    item = CountItem.values(house.table.get(keys_counter.count("demo", DATE, "mitte", "anna", "claims")) or {})
    assert '"count":3' in item["out"], "told with the third, and not again"
    assert item["revision"] == 1
    check_member(house, member)


def test_returns_after_redemption_are_counted_and_others_are_not(house: House) -> None:
    asking(house, rules={"returns": {"more_than": 0}})
    member = house.join()
    coupon = issue(house, member)
    plain = record(house.scope(), sale(member)).answer
    redeemed = record(house.scope(), sale(member, lines=(("fries", 350),), coupons=[{"id": coupon}], till_id="t1")).answer
    give_back(house, plain, staff_id="anna")
    give_back(house, redeemed, staff_id="berta")
    found = report(house.scope(), EVERYWHERE, DATE, DATE)
    assert [(row.cashier, row.rule, row.count, row.alerted) for row in found.data] == [("berta", "returns", 1, True)]
    assert found.by_cashier == {"mitte/berta": {"returns": 1}}


def test_adjustments_are_counted_by_credential_and_sum(house: House) -> None:
    asking(house, rules={"adjustments": {"points": 100}})
    member = house.join()
    for number, change in enumerate((60, 30, -40)):
        body = AdjustmentRequest(points=change, reason="complaint")
        for _ in range(2):
            points.adjust(house.scope(), member, body, Actor("desk", may_write=True), f"k{number}")
    (row,) = report(house.scope(), EVERYWHERE, None, None).data
    assert (row.location_id, row.cashier, row.count, row.points, row.alerted) == ("-", "desk", 3, 130, True)


def test_default_off_no_count_is_written(house: House) -> None:
    member = house.join()
    sold = sale(None)
    record(house.scope(), sold)
    claims.claim(house.scope(), natural_key(sold).id("txn"), MemberReference(id=member))
    assert report(house.scope(), EVERYWHERE, None, None).data == ()


CLOSED = {"weekly": {"sat": [{"opens": "12:00", "closes": "14:00"}]}}
"""On the Saturday of these tests it is eleven; Mitte opens at noon."""


def hours_of(house: House, hours: dict[str, Any] | None) -> None:
    house.add_location(Location.model_validate({"id": "mitte", "name": "Mitte", "hours": hours}))
    house.cache.forget(house.tenant)


def test_a_sale_after_hours_waits_is_counted_and_told_once_a_cashier(house: House) -> None:
    asking(house, rules={"after_hours": {"grace_minutes": 15, "more_than": 1}})
    hours_of(house, CLOSED)
    member = house.join()
    requests = [sale(member, staff_id="anna") for _ in range(3)]
    answers = [record(house.scope(), each).answer for each in requests]
    assert [[flag["code"] for flag in each["flags"]] for each in answers] == [["after_hours"]] * 3
    assert lots(house, member) == (0, 27)
    assert record(house.scope(), requests[0]).replayed
    rows = {row.rule: (row.count, row.points, row.alerted) for row in report(house.scope(), EVERYWHERE, DATE, DATE).data}
    assert rows == {"flagged": (3, 27, False), "after_hours": (3, 27, True)}
    item = CountItem.values(house.table.get(keys_counter.count("demo", DATE, "mitte", "anna", "after_hours")) or {})
    assert '"count":2' in item["out"], "told with the second, and not again"
    decide(house, answers[0], "approved")
    assert lots(house, member) == (9, 18)
    check_member(house, member)


def test_within_the_grace_from_afar_and_of_long_ago_nothing_stands_out(house: House) -> None:
    asking(house, rules={"after_hours": {"grace_minutes": 60}})
    hours_of(house, CLOSED)
    member = house.join()
    assert "flags" not in record(house.scope(), sale(member)).answer
    asking(house, rules={"after_hours": {"grace_minutes": 59}})
    assert "flags" in record(house.scope(), sale(member)).answer
    assert "flags" not in record(house.scope(), sale(member, channel="app")).answer
    assert "flags" not in record(house.scope(), sale(member, mode="historical")).answer
    assert "flags" not in record(house.scope(), sale(None)).answer
    hours_of(house, None)
    assert "flags" not in record(house.scope(), sale(member)).answer


def test_a_claimed_sale_was_made_when_it_was_made(house: House) -> None:
    """Berta rings two up after hours without a member; Anna, another day, finds out whose they were."""
    asking(house, rules={"after_hours": {"grace_minutes": 15, "more_than": 1}, "claims": {"more_than": 9}})
    hours_of(house, CLOSED)
    sold = [sale(None, staff_id="berta") for _ in range(2)]
    for each in sold:
        record(house.scope(), each)
    assert report(house.scope(), EVERYWHERE, DATE, DATE).data == (), "anonymous, it is not flagged"
    house.now += DAY + 2 * HOUR
    member = house.join()
    for number, each in enumerate(sold):
        answers = [claims.claim(house.scope(), natural_key(each).id("txn"), MemberReference(id=member), cashier="anna") for _ in range(2)]
        assert ([flag["code"] for flag in answers[0].answer["flags"]], answers[1].replayed) == (["after_hours"], True)
        rows = {(row.cashier, row.rule): (row.count, row.points, row.alerted) for row in report(house.scope(), EVERYWHERE, DATE, DATE).data}
        more = number + 1
        assert rows == {
            ("anna", "claims"): (more, 0, False), ("anna", "flagged"): (more, 9 * more, False),
            ("berta", "after_hours"): (more, 9 * more, more > 1),
        }  # fmt: skip


def test_the_rule_costs_a_sale_in_the_hours_no_request(house: House) -> None:
    member, spent = house.join(), []
    for rules in ({}, {"after_hours": {}}):
        asking(house, rules=rules)
        hours_of(house, {"weekly": {"sat": [{"opens": "08:00", "closes": "20:00"}]}})
        record(house.scope(), sale(member))
        house.table.consumed = []
        record(house.scope(), sale(member))
        spent.append([each["CapacityUnits"] for each in house.table.consumed])
    assert spent[0] == spent[1]
    assert len(spent[0]) > 1
