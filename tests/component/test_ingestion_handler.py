"""The till's function through the gateway's events: every route, what each refuses, and that a refusal stores nothing."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from shared.http.body import MAX_BODY
from shared.kernel.instants import DAY, HOUR, MINUTE, format_rfc3339
from shared.storage import keys
from shared.storage.items import IdentifierItem
from shared.tenants.principal import auth_error_to_context
from shared.transactions import api
from tests.builders.gateway import BY_OPERATION, Cloud, Said, Till, running_cloud
from tests.builders.house import FRIES, NOW, PROGRAMME, House, sale
from tests.builders.invariants import check_member
from tests.component.test_races import issue

NOBODY = "mbr_00000000000000000000000000"
_serial = itertools.count(1)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud() as running:
        yield running


@pytest.fixture
def till(house: House, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Till:
    return Till(house, cloud, monkeypatch)


@pytest.fixture
def other(till: Till) -> House:
    """Another tenant in the same tables."""
    neighbour = House(till.house.table, till.house.key_table, tenant="other").create()
    neighbour.publish("programme", "points", PROGRAMME)
    neighbour.publish("offer", "fries", FRIES)
    till.give_keys("other")
    return neighbour


def sold(member: str | None = None, *lines: tuple[str, int], **more: Any) -> dict[str, Any]:
    """The body of a sale."""
    return sale(member, lines=lines or (("burger", 900),), **more).model_dump(mode="json", exclude_defaults=True)


def basket(member: str | None = None, *lines: tuple[str, int], **more: Any) -> dict[str, Any]:
    """The body of a quote; of a hold with a ``basket_id``."""
    body = sold(member, *lines)
    del body["business_date"], body["receipt_number"]
    return body | more


def return_of(transaction: str, **more: Any) -> dict[str, Any]:
    """The body of a return, with a receipt number of its own."""
    body = sold()
    kept = {name: body[name] for name in ("source", "location_id", "business_date", "receipt_number", "occurred_at")}
    return kept | {"transaction_id": transaction} | more


def happened(member: str, **more: Any) -> dict[str, Any]:
    """The body of an event."""
    return {"event_id": f"e{next(_serial)}", "member_id": member, "type": "app_opened", "occurred_at": format_rfc3339(NOW)} | more


def recorded(till: Till, body: dict[str, Any]) -> str:
    """Record a sale; answers its id."""
    said = till.call("record_transaction", body)
    assert said.status == 201, said.text
    transaction: str = said.body["transaction_id"]
    return transaction


def held(till: Till, member: str, **more: Any) -> str:
    """Hold something; answers the hold's id."""
    said = till.call("create_hold", basket(member, basket_id=f"hold-{next(_serial)}", **more))
    assert said.status == 201, said.text
    hold: str = said.body["hold_id"]
    return hold


def every_call(till: Till) -> dict[str, tuple[Any, dict[str, str]]]:
    """A good call of every operation: body and path."""
    member = till.house.join()
    anonymous, bought, hold = recorded(till, sold()), recorded(till, sold(member)), held(till, member)
    job = till.call("import_transactions", {"transactions": [sold()]}).body["job_id"]
    till.waiting()
    lookup = sold()
    till.call("record_transaction", lookup)
    names = ("source", "location_id", "business_date", "receipt_number")
    calls: dict[str, tuple[Any, dict[str, str]]] = {
        "quote": (basket(member), {}),
        "create_hold": (basket(member, basket_id="new"), {}),
        "get_hold": (None, {"hold_id": hold}),
        "release_hold": (None, {"hold_id": hold}),
        "extend_hold": ({"ttl_seconds": 60}, {"hold_id": hold}),
        "record_transaction": (sold(member), {}),
        "lookup_transaction": ({name: lookup[name] for name in names}, {}),
        "import_transactions": ({"transactions": [sold(member)]}, {}),
        "get_job": (None, {"job_id": job}),
        "get_transaction": (None, {"transaction_id": bought}),
        "explain_transaction": (None, {"transaction_id": bought}),
        "void_transaction": (None, {"transaction_id": bought}),
        "claim_transaction": ({"member": {"id": member}}, {"transaction_id": anonymous}),
        "record_return": (return_of(bought), {}),
        "record_event": (happened(member), {}),
    }
    assert calls.keys() == BY_OPERATION.keys()
    return calls


def refused(said: Said, status: int, code: str, what: str = "") -> None:
    """A problem document with that status and code."""
    assert (said.status, said.body["code"]) == (status, code), f"{what}: {said.text}"
    assert said.headers["content-type"] == "application/problem+json"
    assert said.body["type"] == f"urn:regulars:problem:{code}"


# -- what each route answers: the contract with shared/transactions/api.py -------------------------------------------


def test_quote_prices_and_writes_nothing(till: Till) -> None:
    member = till.house.join()
    coupon = issue(till.house, member)
    before = till.stored()
    said = till.call("quote", basket(member, ("fries", 350), ("burger", 900), coupons=[{"id": coupon}, {"code": "NOTACODE"}]))
    assert said.status == 200
    answer = api.QuoteAnswer.model_validate_json(said.text)
    assert answer.member_id == member
    assert answer.totals == api.Totals(amount=1250, discount=250, paid_with_points=0, due=1000)
    assert answer.discounts == (api.CouponOutcome(coupon_id=coupon, offer_id="fries", amount=250, lines={"1": 250}),)
    assert [(each.subject, each.code) for each in answer.refused or ()] == [("coupons/1", "unknown_coupon")]
    assert (answer.points.earned, answer.points.balance) == (10, 10)
    assert till.stored() == before


def test_a_sale_is_recorded_read_looked_up_and_explained(till: Till) -> None:
    member, body = till.house.join(), sold()
    body["member"] = {"id": member}
    said = till.call("record_transaction", body)
    assert said.status == 201
    answer = api.TransactionAnswer.model_validate_json(said.text)
    assert (answer.member_id, answer.status, answer.points.balance) == (member, "recorded", 9)
    assert answer.receipt is not None
    assert all(len(line) <= 40 for line in answer.receipt.lines)
    read = till.call("get_transaction", transaction_id=answer.transaction_id)
    assert api.TransactionAnswer.model_validate_json(read.text) == answer
    natural = {name: body[name] for name in ("source", "location_id", "business_date", "receipt_number")}
    assert till.call("lookup_transaction", natural).text == read.text
    said = till.call("explain_transaction", transaction_id=answer.transaction_id)
    trace = api.ExplanationAnswer.model_validate_json(said.text).trace
    assert [(step.rule, step.base, step.points, step.formula) for step in trace] == [("base", 900, 9, "900 x 1 / 100")]


def test_a_hold_is_placed_read_extended_committed_or_released(till: Till) -> None:
    member = till.house.join()
    coupon = issue(till.house, member)
    body = basket(member, ("fries", 350), basket_id="b1", coupons=[{"id": coupon}])
    said = till.call("create_hold", body)
    assert said.status == 201
    answer = api.HoldAnswer.model_validate_json(said.text)
    assert (answer.state, answer.coupons, answer.member_id) == ("held", (coupon,), member)
    again = till.call("create_hold", body)
    assert (again.status, again.text) == (200, said.text)
    assert api.HoldAnswer.model_validate_json(till.call("get_hold", hold_id=answer.hold_id).text) == answer
    longer = api.HoldAnswer.model_validate_json(till.call("extend_hold", {"ttl_seconds": 3600}, hold_id=answer.hold_id).text)
    assert longer.until == format_rfc3339(NOW + HOUR)
    recorded(till, sold(member, ("fries", 350), hold_id=answer.hold_id))
    ended = till.call("get_hold", hold_id=answer.hold_id)
    assert api.HoldAnswer.model_validate_json(ended.text).state == "committed"
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
    assert api.HoldAnswer.model_validate_json(till.call("get_hold", hold_id=hold).text).state == "expired"
    before = till.stored()
    now = format_rfc3339(till.house.now)
    refused(till.call("record_transaction", sold(member, hold_id=hold, occurred_at=now)), 409, "hold_not_usable")
    assert till.stored() == before


def test_a_void_and_a_return_answer_what_they_reversed_and_are_safe_to_repeat(till: Till) -> None:
    member = till.house.join()
    bought, cancelled = recorded(till, sold(member)), recorded(till, sold(member, ("burger", 2000)))
    void = till.call("void_transaction", transaction_id=cancelled)
    answer = api.ReversalAnswer.model_validate_json(void.text)
    assert (void.status, answer.kind, answer.points_reversed, answer.balance) == (200, "void", 20, 9)
    assert till.call("void_transaction", transaction_id=cancelled).text == void.text
    body = return_of(bought)
    said = till.call("record_return", body)
    answer = api.ReversalAnswer.model_validate_json(said.text)
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
    assert (said.body["points_reversed"], said.body["balance"]) == (20, 0)
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
    answer = api.TransactionAnswer.model_validate_json(said.text)
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
    assert (said.status, api.EventAnswer.model_validate_json(said.text).recorded) == (202, True)
    again = till.call("record_event", body)
    assert (again.status, api.EventAnswer.model_validate_json(again.text).recorded) == (202, False)


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
    answer = api.TransactionAnswer.model_validate_json(said.text)
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


# -- what is refused, and stores nothing ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "status", "code", "errors"),
    [
        ("", 400, "malformed_request", []),
        ('{"source": ', 400, "malformed_request", [("", "invalid_json")]),
        ("nul", 400, "malformed_request", [("", "invalid_json")]),
        ("[]", 422, "invalid_request", [("", "wrong_type")]),
        ('"text"', 422, "invalid_request", [("", "wrong_type")]),
        (" " * (MAX_BODY + 1), 413, "payload_too_large", []),
        ("é" * (MAX_BODY // 2 + 1), 413, "payload_too_large", []),
    ],
)
def test_what_is_no_body_is_refused_by_every_route_that_takes_one(till: Till, sent: str, status: int, code: str, errors: Any) -> None:
    calls = every_call(till)
    before = till.stored()
    taking = [operation for operation, (body, _) in calls.items() if body is not None]
    assert len(taking) == 9
    for operation in taking:
        said = till.call(operation, sent, **calls[operation][1])
        refused(said, status, code, operation)
        assert said.errors == errors, operation
    assert till.stored() == before


def test_unknown_fields_are_refused_with_their_place_by_every_route(till: Till) -> None:
    calls = every_call(till)
    before = till.stored()
    for operation, (body, path) in calls.items():
        if body is not None:
            said = till.call(operation, body | {"surprise": 1}, **path)
            refused(said, 422, "invalid_request", operation)
            assert said.errors == [("/surprise", "unknown_field")], operation
    for operation in ("quote", "create_hold", "record_transaction"):
        body, _ = calls[operation]
        said = till.call(operation, body | {"lines": [body["lines"][0] | {"colour": "red"}]})
        assert said.errors == [("/lines/0/colour", "unknown_field")], operation
    assert till.stored() == before


_LINE = {"id": "1", "item_id": "burger", "unit_price": 900}
_BASKETS = ("quote", "create_hold", "record_transaction")


@pytest.mark.parametrize(
    ("operations", "change", "errors"),
    [
        (_BASKETS, {"lines": [_LINE | {"unit_price": 9.0}]}, [("/lines/0/unit_price", "wrong_type")]),
        (_BASKETS, {"lines": [_LINE | {"unit_price": 9.5}]}, [("/lines/0/unit_price", "wrong_type")]),
        (_BASKETS, {"lines": [_LINE | {"unit_price": "900"}]}, [("/lines/0/unit_price", "wrong_type")]),
        (_BASKETS, {"lines": [_LINE | {"amount": 9e2}]}, [("/lines/0/amount", "wrong_type")]),
        (_BASKETS, {"lines": [_LINE | {"unit_price": 10**13}]}, [("/lines/0/unit_price", "invalid_value")]),
        (_BASKETS, {"lines": [_LINE | {"quantity": 1}]}, [("/lines/0/quantity", "wrong_type")]),
        (_BASKETS, {"lines": [_LINE | {"quantity": "1,5"}]}, [("/lines/0/quantity", "invalid_value")]),
        (_BASKETS, {"lines": [_LINE, _LINE]}, [("", "invalid_value")]),
        (_BASKETS, {"lines": [_LINE | {"parent_line_id": "9"}]}, [("", "invalid_value")]),
        (_BASKETS, {"lines": []}, [("/lines", "invalid_value")]),
        (_BASKETS, {"points_to_spend": 1.5}, [("/points_to_spend", "wrong_type")]),
        (_BASKETS, {"points_to_spend": -1}, [("/points_to_spend", "invalid_value")]),
        (_BASKETS, {"channel": "fax"}, [("/channel", "invalid_value")]),
        (_BASKETS, {"occurred_at": "2026-11-21T10:00:00"}, [("/occurred_at", "invalid_value")]),
        (_BASKETS, {"occurred_at": NOW}, [("/occurred_at", "wrong_type")]),
        (_BASKETS, {"occurred_at": "2026-11-21T10:06:00Z"}, [("/occurred_at", "occurred_in_future")]),
        (_BASKETS, {"currency": "eur"}, [("/currency", "invalid_value")]),
        (_BASKETS, {"currency": "USD"}, [("/currency", "currency_mismatch")]),
        (_BASKETS, {"member": {"id": "a", "kind": "card", "value": "b"}}, [("/member", "invalid_value")]),
        (_BASKETS, {"coupons": [{}]}, [("/coupons/0", "invalid_value")]),
        (_BASKETS, {"source": None}, [("/source", "wrong_type")]),
        (("record_transaction", "record_return"), {"business_date": "21.11.2026"}, [("/business_date", "invalid_value")]),
        (("record_transaction", "record_return"), {"business_date": "2026-02-30"}, [("/business_date", "invalid_value")]),
        (("record_transaction",), {"tenders": [{"kind": "cash", "amount": 9.0}]}, [("/tenders/0/amount", "wrong_type")]),
        (("record_transaction",), {"training": "yes"}, [("/training", "wrong_type")]),
        (("record_transaction",), {"mode": "yesterday"}, [("/mode", "invalid_value")]),
        (("create_hold", "extend_hold"), {"ttl_seconds": 60.5}, [("/ttl_seconds", "wrong_type")]),
        (("create_hold", "extend_hold"), {"ttl_seconds": 9}, [("/ttl_seconds", "invalid_value")]),
        (("claim_transaction",), {"member": "mbr_1"}, [("/member", "wrong_type")]),
        (("record_event",), {"type": "Opened!"}, [("/type", "invalid_value")]),
        (("record_event",), {"properties": {"amount": 1.5}}, [("/properties/amount", "wrong_type")]),
        (("import_transactions",), {"transactions": [7]}, [("/transactions/0", "wrong_type")]),
        (("import_transactions",), {"transactions": []}, [("/transactions", "invalid_value")]),
        (("import_transactions",), {"transactions": [{}] * 501}, [("/transactions", "invalid_value")]),
        (("import_transactions",), {"mode": "yesterday"}, [("/mode", "invalid_value")]),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(till: Till, operations: Any, change: Any, errors: Any) -> None:
    calls = every_call(till)
    before = till.stored()
    for operation in operations:
        body, path = calls[operation]
        said = till.call(operation, body | change, **path)
        assert said.status == 422, f"{operation}: {said.text}"
        assert said.errors == errors, operation
    assert till.stored() == before


@pytest.mark.parametrize("context", [None, {}, {"kind": "key", "tenant": "demo"}, {"kind": "key", "tenant": "T#", "id": "i", "scopes": ""}])
def test_no_route_answers_without_a_principal(till: Till, context: Any) -> None:
    calls = every_call(till)
    before = till.stored()
    for operation, (body, path) in calls.items():
        said = till.call(operation, body, caller=context, **path)
        assert said.status == 401, operation
        assert said.headers["www-authenticate"].startswith("Bearer")
    assert till.stored() == before


@pytest.mark.parametrize(("reason", "status"), [("expired_token", 401), ("revoked_key", 401), ("authorizer_unavailable", 503)])
def test_every_route_says_why_a_credential_is_refused(till: Till, reason: str, status: int) -> None:
    calls = every_call(till)
    before = till.stored()
    for operation, (body, path) in calls.items():
        refused(till.call(operation, body, caller=auth_error_to_context(reason), **path), status, reason, operation)
    assert till.stored() == before


def test_every_route_needs_its_scope(till: Till) -> None:
    calls = every_call(till)
    before = till.stored()
    for operation, (body, path) in calls.items():
        scope = BY_OPERATION[operation].scope
        lacking = frozenset({"transactions:write", "transactions:read", "members:write", "coupons:redeem"}) - {scope}
        refused(till.call(operation, body, scopes=lacking, **path), 403, "insufficient_scope", operation)
    assert till.stored() == before


def test_another_tenants_ids_are_not_found(till: Till, other: House) -> None:
    calls, hers = every_call(till), other.join()
    before = till.stored()
    expected = {
        "get_hold": "unknown_hold",
        "release_hold": "unknown_hold",
        "extend_hold": "unknown_hold",
        "create_hold": "unknown_member",
        "lookup_transaction": "unknown_transaction",
        "get_job": "unknown_job",
        "get_transaction": "unknown_transaction",
        "explain_transaction": "unknown_transaction",
        "void_transaction": "unknown_transaction",
        "claim_transaction": "unknown_transaction",
        "record_return": "unknown_transaction",
        "record_event": "unknown_member",
    }
    for operation, code in expected.items():
        body, path = calls[operation]
        refused(till.call(operation, body, tenant="other", **path), 404, code, operation)
    anonymous = calls["claim_transaction"][1]
    refused(till.call("claim_transaction", {"member": {"id": hers}}, **anonymous), 404, "unknown_member")
    quoted = till.call("quote", basket(hers))
    assert [each["code"] for each in quoted.body["warnings"]] == ["unknown_member"]
    assert "member_id" not in quoted.body
    assert till.stored() == before


def test_another_tenants_coupon_and_hold_do_nothing_for_a_sale(till: Till, other: House) -> None:
    member, hers = till.house.join(), other.join()
    coupon, hold = issue(other, hers), held(till, member)
    before = till.stored()
    said = till.call("record_transaction", sold(member, ("fries", 350), coupons=[{"id": coupon}]))
    refused(said, 409, "not_redeemable")
    assert said.errors == [("/coupons/0", "unknown_coupon")]
    refused(till.call("record_transaction", sold(hers, hold_id=hold), tenant="other"), 404, "unknown_hold")
    assert till.stored() == before


_FORGED = ("x", "txn_", "txn_!!", "txn_YQ", "txn_YXxifGN8ZHxl=", "hold_YQ", "job_1", "job_../x", "%00", "#", "é" * 300, "txn_8J-YgA")


@pytest.mark.parametrize("forged", _FORGED)
def test_forged_ids_are_not_found(till: Till, forged: str) -> None:
    calls = every_call(till)
    before = till.stored()
    for operation, (body, path) in calls.items():
        for name in path:
            said = till.call(operation, body, **{name: forged})
            assert said.status == 404, f"{operation}: {said.text}"
    refused(till.call("record_return", return_of(forged[:64] or "x")), 404, "unknown_transaction")
    assert till.stored() == before


def test_a_replay_answers_the_first_answer_and_a_changed_body_is_refused(till: Till) -> None:
    member = till.house.join()
    body = sold(member)
    first = till.call("record_transaction", body)
    again = till.call("record_transaction", json.dumps(body, indent=3))
    assert (again.status, again.text, again.headers["idempotent-replayed"]) == (200, first.text, "true")
    other_basket = basket(member, basket_id="b1")
    till.call("create_hold", other_basket)
    event, back = happened(member), return_of(first.body["transaction_id"])
    till.call("record_event", event)
    till.call("record_return", back)
    before = till.stored()
    line = {"id": "1", "item_id": "burger", "unit_price": 901}
    refused(till.call("record_transaction", body | {"lines": [line]}), 422, "request_reused")
    refused(till.call("record_transaction", {**body, "member": {"id": NOBODY}}), 422, "request_reused")
    refused(till.call("create_hold", other_basket | {"lines": [line]}), 422, "request_reused")
    refused(till.call("record_event", event | {"type": "app_closed"}), 422, "request_reused")
    refused(till.call("record_return", back | {"reason": "cold"}), 422, "request_reused")
    assert till.stored() == before


def test_a_coupon_is_used_once(till: Till) -> None:
    member, somebody = till.house.join(), till.house.join()
    coupon = issue(till.house, member)
    before = till.stored()
    said = till.call("record_transaction", sold(somebody, ("fries", 350), coupons=[{"id": coupon}]))
    assert (said.status, said.errors) == (409, [("/coupons/0", "other_member")])
    said = till.call("record_transaction", sold(member, ("fries", 350), coupons=[{"id": coupon}, {"id": coupon}]))
    assert (said.status, said.errors) == (409, [("/coupons/1", "listed_twice")])
    assert till.stored() == before
    recorded(till, sold(member, ("fries", 350), coupons=[{"id": coupon}]))
    before = till.stored()
    said = till.call("record_transaction", sold(member, ("fries", 350), coupons=[{"id": coupon}]))
    refused(said, 409, "not_redeemable")
    assert said.errors == [("/coupons/0", "redeemed")]
    said = till.call("create_hold", basket(member, ("fries", 350), basket_id="b2", coupons=[{"id": coupon}]))
    refused(said, 409, "not_redeemable")
    assert till.stored() == before


def test_points_that_are_not_there_cannot_be_used(till: Till) -> None:
    member = till.house.join()
    recorded(till, sold(member))
    before = till.stored()
    said = till.call("record_transaction", sold(member, points_to_spend=10))
    assert (said.status, said.errors) == (409, [("/points", "insufficient_points")])
    said = till.call("record_transaction", sold(points_to_spend=1))
    assert (said.status, said.errors) == (409, [("/points", "member_needed")])
    refused(till.call("create_hold", basket(basket_id="b1")), 422, "member_needed")
    assert till.stored() == before


@pytest.mark.parametrize("name", ["location_id", "till_id", "receipt_number", "source"])
def test_a_natural_key_that_is_too_long_is_refused_with_its_place(till: Till, name: str) -> None:
    calls = every_call(till)
    before = till.stored()
    for operation in ("record_transaction", "record_return"):
        said = till.call(operation, calls[operation][0] | {name: "é" * 64})
        refused(said, 422, "invalid_request", operation)
        assert said.errors == [(f"/{name}", "too_long")], operation
    assert till.stored() == before


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


def test_a_bulk_job_of_such_a_key_takes_its_location_only(till: Till) -> None:
    job = till.call("import_transactions", {"transactions": [sold(), sold() | {"location_id": "ost"}]}, location="mitte").body["job_id"]
    assert till.work() == []
    answer = api.JobAnswer.model_validate_json(till.call("get_job", job_id=job).text)
    assert (answer.accepted, [(each.index, each.code) for each in answer.refused]) == (1, [(1, "other_location")])


# -- bulk -----------------------------------------------------------------------------------------------------------


def started(till: Till, *records: Any, **more: Any) -> str:
    """Hand a job in; answers its id."""
    said = till.call("import_transactions", {"transactions": list(records), **more})
    assert said.status == 202
    answer = api.JobAnswer.model_validate_json(said.text)
    assert (answer.status, answer.records) == ("queued", len(records))
    return answer.job_id


def job_of(till: Till, job: str) -> api.JobAnswer:
    said = till.call("get_job", job_id=job)
    assert said.status == 200
    return api.JobAnswer.model_validate_json(said.text)


def test_a_bulk_job_records_what_is_good_and_names_what_is_not(till: Till) -> None:
    member = till.house.join()
    again, used = sold(member), issue(till.house, member)
    recorded(till, again)
    records = [
        sold(member),
        sold() | {"lines": [_LINE | {"unit_price": 9.0}]},
        again,
        again | {"lines": [_LINE]} | {"points_to_spend": 1},
        sold(NOBODY),
        sold() | {"currency": "USD"},
        sold() | {"receipt_number": "é" * 64},
        sold(member, ("fries", 350), coupons=[{"id": used}, {"id": "cpn_none"}]),
        sold(member),
    ]
    job = started(till, *records)
    assert job_of(till, job).status == "queued"
    assert till.work() == []
    answer = job_of(till, job)
    assert (answer.status, answer.accepted, answer.replayed, answer.warned, answer.refused_count) == ("done", 3, 1, 1, 5)
    assert answer.accepted + answer.replayed + answer.refused_count == answer.records
    assert [(each.index, each.code) for each in answer.refused] == [
        (1, "invalid_request"),
        (3, "request_reused"),
        (5, "currency_mismatch"),
        (6, "invalid_request"),
        (7, "not_redeemable"),
    ]
    assert answer.refused[0].errors[0]["pointer"] == "/lines/0/unit_price"
    assert till.house.state(member).profile.count == 3
    check_member(till.house, member)


def test_a_message_is_a_pointer_and_its_body_an_object(till: Till) -> None:
    job = started(till, sold())
    (message,) = till.waiting()
    assert json.loads(message["Body"]) == {"tenant": "demo", "job": job, "part": 0}
    assert f"bulk/demo/{job}.json" in till.stored()[2]


def test_a_message_delivered_again_records_nothing_twice(till: Till) -> None:
    member = till.house.join()
    job = started(till, sold(member), sold(member), mode="historical")
    (message,) = till.waiting()
    assert till.deliver(message["Body"], message["Body"]) == []
    answer = job_of(till, job)
    assert (answer.status, answer.accepted, answer.replayed) == ("done", 0, 2)
    assert till.house.state(member).profile.count == 2
    raw = till.house.table.get(keys.state("demo", member))
    assert raw is not None
    assert json.loads(raw["out"]["S"])["m"] == "historical"


@pytest.mark.parametrize(
    "message",
    [
        "not json",
        "[1]",
        {},
        {"tenant": "demo", "job": "job_1"},
        {"tenant": "De#mo", "job": "job_01ARZ3NDEKTSV4RRFFQ69G5FAV", "part": 0},
        {"tenant": "demo", "job": "../other/job_01ARZ3NDEKTSV4RRFFQ69G5FAV", "part": 0},
    ],
)
def test_poison_goes_to_the_dead_letters_at_once_with_its_reason(till: Till, message: Any) -> None:
    before = till.stored()
    good = started(till, sold())
    (pointer,) = till.waiting()
    assert till.deliver(message, pointer["Body"]) == []
    (dead,) = till.waiting(till.dead)
    assert dead["Body"] == (message if isinstance(message, str) else json.dumps(message))
    assert dead["MessageAttributes"]["reason"]["StringValue"].startswith("Poison: ")
    assert job_of(till, good).status == "done", "the one beside it was worked on"
    assert till.stored() != before


def test_only_the_message_that_fails_comes_again_and_the_last_time_says_why(till: Till) -> None:
    job = started(till, sold())
    (pointer,) = till.waiting()
    lost = {"tenant": "demo", "job": "job_01ARZ3NDEKTSV4RRFFQ69G5FAV", "part": 0}
    assert till.deliver(lost, pointer["Body"]) == ["0"], "its object cannot be read now, perhaps later"
    assert job_of(till, job).status == "done"
    assert till.waiting(till.dead) == []
    assert till.deliver(lost, receives=5) == []
    (dead,) = till.waiting(till.dead)
    assert (json.loads(dead["Body"]), dead["MessageAttributes"]["reason"]["StringValue"]) == (lost, "NoSuchKey")


def test_a_pointer_to_another_tenants_job_leads_nowhere(till: Till, other: House) -> None:
    job = started(till, sold())
    till.waiting()
    before = till.stored()
    assert till.deliver({"tenant": "other", "job": job, "part": 0}) == ["0"]
    assert till.stored() == before
