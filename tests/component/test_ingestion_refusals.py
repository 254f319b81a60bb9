"""What the till's function refuses, route by route, with its status, code and place; and that a refusal stores nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.http.body import MAX_BODY
from shared.tenants.principal import auth_error_to_context
from tests.builders.gateway import BY_OPERATION, LINE, NOBODY, Till, basket, every_call, happened, held, recorded, refused, return_of, sold
from tests.builders.house import NOW, House
from tests.component.test_races import issue


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
    assert len(taking) == 11
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


_BASKETS = ("quote", "create_hold", "record_transaction")


@pytest.mark.parametrize(
    ("operations", "change", "errors"),
    [
        (_BASKETS, {"lines": [LINE | {"unit_price": 9.0}]}, [("/lines/0/unit_price", "wrong_type")]),
        (_BASKETS, {"lines": [LINE | {"unit_price": 9.5}]}, [("/lines/0/unit_price", "wrong_type")]),
        (_BASKETS, {"lines": [LINE | {"unit_price": "900"}]}, [("/lines/0/unit_price", "wrong_type")]),
        (_BASKETS, {"lines": [LINE | {"amount": 9e2}]}, [("/lines/0/amount", "wrong_type")]),
        (_BASKETS, {"lines": [LINE | {"unit_price": 10**13}]}, [("/lines/0/unit_price", "invalid_value")]),
        (_BASKETS, {"lines": [LINE | {"quantity": 1}]}, [("/lines/0/quantity", "wrong_type")]),
        (_BASKETS, {"lines": [LINE | {"quantity": "1,5"}]}, [("/lines/0/quantity", "invalid_value")]),
        (_BASKETS, {"lines": [LINE, LINE]}, [("", "invalid_value")]),
        (_BASKETS, {"lines": [LINE | {"parent_line_id": "9"}]}, [("", "invalid_value")]),
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
    # A return of a sale that this tenant does not know waits for it, here and nowhere else.
    body, _ = calls["record_return"]
    said = till.call("record_return", body, tenant="other")
    assert (said.status, said.body["status"]) == (201, "waiting")
    written = [item for items in till.stored()[:2] for item in items if item not in before[0] + before[1]]
    assert {item["PK"]["S"].split("#")[1] for item in written} == {"other"}


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
