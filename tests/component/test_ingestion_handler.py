"""The till's function through the gateway's events: what every route answers, and that a finished sale is never lost."""

from __future__ import annotations

from typing import Any

import pytest

from shared.kernel.instants import DAY, HOUR, MINUTE, format_rfc3339
from shared.storage import keys
from shared.storage.items import IdentifierItem
from shared.transactions import answer_models
from tests.builders.gateway import NOBODY, Till, basket, every_call, happened, held, recorded, refused, return_of, sold
from tests.builders.house import NOW
from tests.builders.invariants import check_member
from tests.component.test_races import issue

# -- what each route answers: the contract with shared/transactions/api.py -------------------------------------------


def test_quote_prices_and_writes_nothing(till: Till) -> None:
    member = till.house.join()
    coupon = issue(till.house, member)
    before = till.stored()
    said = till.call("quote", basket(member, ("fries", 350), ("burger", 900), coupons=[{"id": coupon}, {"id": "cpn_none"}]))
    assert said.status == 200
    answer = answer_models.QuoteAnswer.model_validate_json(said.text)
    assert answer.member_id == member
    assert answer.totals == answer_models.Totals(amount=1250, discount=250, paid_with_points=0, due=1000)
    assert answer.discounts == (answer_models.CouponOutcome(coupon_id=coupon, offer_id="fries", amount=250, lines={"1": 250}),)
    assert [(each.subject, each.code) for each in answer.refused or ()] == [("coupons/1", "unknown_coupon")]
    assert (answer.points.earned, answer.points.balance) == (10, 10)
    assert till.stored() == before


def test_a_sale_is_recorded_read_looked_up_and_explained(till: Till) -> None:
    member, body = till.house.join(), sold()
    body["member"] = {"id": member}
    said = till.call("record_transaction", body)
    assert said.status == 201
    answer = answer_models.TransactionAnswer.model_validate_json(said.text)
    assert (answer.member_id, answer.status, answer.points.balance) == (member, "recorded", 9)
    assert answer.receipt is not None
    assert all(len(line) <= 40 for line in answer.receipt.lines)
    read = till.call("get_transaction", transaction_id=answer.transaction_id)
    assert answer_models.TransactionAnswer.model_validate_json(read.text) == answer
    natural = {name: body[name] for name in ("source", "location_id", "business_date", "receipt_number")}
    assert till.call("lookup_transaction", natural).text == read.text
    said = till.call("explain_transaction", transaction_id=answer.transaction_id)
    trace = answer_models.ExplanationAnswer.model_validate_json(said.text).trace
    assert [(step.rule, step.base, step.points, step.formula) for step in trace] == [("base", 900, 9, "900 x 1 / 100")]


def test_a_hold_is_placed_read_extended_committed_or_released(till: Till) -> None:
    member = till.house.join()
    coupon = issue(till.house, member)
    body = basket(member, ("fries", 350), basket_id="b1", coupons=[{"id": coupon}])
    said = till.call("create_hold", body)
    assert said.status == 201
    answer = answer_models.HoldAnswer.model_validate_json(said.text)
    assert (answer.state, answer.coupons, answer.member_id) == ("held", (coupon,), member)
    again = till.call("create_hold", body)
    assert (again.status, again.text) == (200, said.text)
    assert answer_models.HoldAnswer.model_validate_json(till.call("get_hold", hold_id=answer.hold_id).text) == answer
    longer = answer_models.HoldAnswer.model_validate_json(till.call("extend_hold", {"ttl_seconds": 3600}, hold_id=answer.hold_id).text)
    assert longer.until == format_rfc3339(NOW + HOUR)
    recorded(till, sold(member, ("fries", 350), hold_id=answer.hold_id))
    ended = till.call("get_hold", hold_id=answer.hold_id)
    assert answer_models.HoldAnswer.model_validate_json(ended.text).state == "committed"
    second = held(till, member)
    released = till.call("release_hold", hold_id=second)
    assert (released.status, released.text) == (204, "")
    assert till.call("release_hold", hold_id=second).status == 204
    assert till.call("get_hold", hold_id=second).body["state"] == "released"
    refused(till.call("extend_hold", {"ttl_seconds": 60}, hold_id=second), 409, "hold_not_usable")


def test_a_hold_that_ran_out_is_free_by_itself(till: Till) -> None:
    member = till.house.join()
    hold = held(till, member, ttl_seconds=60)
    till.house.now += 2 * MINUTE
    assert answer_models.HoldAnswer.model_validate_json(till.call("get_hold", hold_id=hold).text).state == "expired"
    before = till.stored()
    now = format_rfc3339(till.house.now)
    refused(till.call("record_transaction", sold(member, hold_id=hold, occurred_at=now)), 409, "hold_not_usable")
    assert till.stored() == before


def test_a_void_and_a_return_answer_what_they_reversed_and_are_safe_to_repeat(till: Till) -> None:
    member = till.house.join()
    bought, cancelled = recorded(till, sold(member)), recorded(till, sold(member, ("burger", 2000)))
    void = till.call("void_transaction", transaction_id=cancelled)
    answer = answer_models.ReversalAnswer.model_validate_json(void.text)
    assert (void.status, answer.kind, answer.points_reversed, answer.balance) == (200, "void", 20, 9)
    assert till.call("void_transaction", transaction_id=cancelled).text == void.text
    body = return_of(bought)
    said = till.call("record_return", body)
    answer = answer_models.ReversalAnswer.model_validate_json(said.text)
    assert (said.status, answer.kind, answer.points_reversed, answer.balance) == (201, "return", 9, 0)
    again = till.call("record_return", body)
    assert (again.status, again.text, again.headers["idempotent-replayed"]) == (200, said.text, "true")
    assert till.call("get_transaction", transaction_id=bought).body["status"] == "returned"
    before = till.stored()
    refused(till.call("record_return", return_of(bought)), 409, "already_reversed")
    refused(till.call("void_transaction", transaction_id=bought), 409, "already_reversed")
    assert till.stored() == before
    check_member(till.house, member)


def test_points_that_were_spent_before_the_return_are_owed_and_paid_by_the_next_purchase(till: Till) -> None:
    member = till.house.join()
    bought = recorded(till, sold(member, ("burger", 2000)))
    recorded(till, sold(member, points_to_spend=15))
    said = till.call("record_return", return_of(bought))
    owed_now = till.house.state(member).wallets["points"].debt
    assert (said.body["points_reversed"], said.body["balance"]) == (20, -owed_now)
    check_member(till.house, member)
    owed = till.house.state(member).wallets["points"].debt
    assert owed > 0
    said = till.call("record_transaction", sold(member, ("burger", 3000)))
    assert (said.body["points"]["earned"], said.body["points"]["balance"]) == (30, 30 - owed)
    check_member(till.house, member)


def test_an_anonymous_sale_is_claimed_once_within_its_window(till: Till) -> None:
    member, body = till.house.join(), {"member": {"id": NOBODY}}
    anonymous, late = recorded(till, sold()), recorded(till, sold())
    body["member"]["id"] = member
    said = till.call("claim_transaction", body, transaction_id=anonymous)
    answer = answer_models.TransactionAnswer.model_validate_json(said.text)
    assert (said.status, answer.member_id, answer.points.balance) == (200, member, 9)
    again = till.call("claim_transaction", body, transaction_id=anonymous)
    assert (again.status, again.text) == (200, said.text)
    somebody = till.house.join()
    before = till.stored()
    refused(till.call("claim_transaction", {"member": {"id": somebody}}, transaction_id=anonymous), 409, "not_claimable")
    till.house.now += 15 * DAY
    refused(till.call("claim_transaction", body, transaction_id=late), 409, "not_claimable")
    assert till.stored() == before


def test_an_event_is_recorded_once(till: Till) -> None:
    body = happened(till.house.join(), properties={"screen": "menu", "times": 3})
    said = till.call("record_event", body)
    assert (said.status, answer_models.EventAnswer.model_validate_json(said.text).recorded) == (202, True)
    again = till.call("record_event", body)
    assert (again.status, answer_models.EventAnswer.model_validate_json(again.text).recorded) == (202, False)


def test_a_member_is_found_by_an_identifier_under_the_tenants_own_key(till: Till) -> None:
    member = till.house.join()
    blind = till.runtime.worker_scope("demo").blind("card", "77001234")
    till.house.table.put(IdentifierItem.at(keys.identifier("demo", "card", blind), member=member, kind="card"))
    said = till.call("record_transaction", sold() | {"member": {"kind": "card", "value": "7700-1234"}})
    assert (said.status, said.body["member_id"]) == (201, member)


# -- a finished sale is never lost ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "warnings"),
    [
        ({"member": {"id": NOBODY}}, [("unknown_member", "/member")]),
        ({"member": {"id": "mbr_#STATE"}}, [("unknown_member", "/member")]),
        ({"member": {"kind": "card", "value": "?"}}, [("unknown_member", "/member")]),
        ({"member": {"kind": "email", "value": "nobody@example.com"}}, [("unknown_member", "/member")]),
        ({"lines": [{"id": "1", "item_id": "never-heard-of", "unit_price": 100}]}, [("unknown_item", "/lines/0/item_id")]),
        ({"location_id": "nowhere"}, [("unknown_location", "/location_id")]),
        ({"lines": [{"id": "1", "item_id": "burger", "unit_price": 900, "amount": 1}]}, [("amount_disagrees", "/lines/0/amount")]),
    ],
)
def test_a_completed_sale_with_what_we_do_not_know_is_stored_with_a_warning(till: Till, change: Any, warnings: Any) -> None:
    said = till.call("record_transaction", sold() | change)
    assert said.status == 201
    answer = answer_models.TransactionAnswer.model_validate_json(said.text)
    assert [(each.code, each.pointer) for each in answer.warnings or ()] == warnings
    assert till.call("get_transaction", transaction_id=answer.transaction_id).text == said.text


def test_a_settled_offline_sale_is_taken_with_a_coupon_that_is_used_up(till: Till) -> None:
    member = till.house.join()
    coupon = issue(till.house, member)
    recorded(till, sold(member, ("fries", 350), coupons=[{"id": coupon}]))
    said = till.call("record_transaction", sold(member, ("fries", 350), coupons=[{"id": coupon}], offline=True))
    assert said.status == 201
    assert [each["code"] for each in said.body["warnings"]] == ["offline_loss"]
    assert said.body["totals"]["discount"] == 0


# -- a key that belongs to a location -------------------------------------------------------------------------------


def test_a_key_of_one_location_writes_nothing_at_another(till: Till) -> None:
    calls = every_call(till)
    before = till.stored()
    for operation in ("quote", "create_hold", "record_transaction", "record_return", "void_transaction", "claim_transaction"):
        body, path = calls[operation]
        refused(till.call(operation, body, location="ost", **path), 403, "other_location", operation)
    assert till.stored() == before
    for operation in ("quote", "record_transaction", "record_return"):
        body, path = calls[operation]
        assert till.call(operation, body, location="mitte", **path).status in (200, 201), operation
