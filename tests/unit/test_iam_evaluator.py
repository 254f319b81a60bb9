"""The evaluator of the tests decides as IAM does, above all where IAM is easily misread."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders.iam import Request, decide, is_allowed, of_dynamodb

TABLE = "arn:aws:dynamodb:eu-central-1:1:table/main"
KEYS = "dynamodb:LeadingKeys"


def allow(action: str = "dynamodb:*", resource: str = f"{TABLE}*", **condition: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, "Condition": {k.replace("__", ":"): v for k, v in condition.items()}}


def get(*keys: str, action: str = "dynamodb:GetItem") -> Request:
    return Request(action, TABLE, {KEYS: keys} if keys else {})


FENCE = allow(ForAllValues__StringLike={KEYS: ["T#anton#*"]})


def test_every_leading_key_must_fit() -> None:
    assert is_allowed(get("T#anton#M#1", "T#anton#DEF"), [FENCE])
    assert not is_allowed(get("T#anton#M#1", "T#berta#DEF"), [FENCE])


def test_a_request_without_keys_passes_for_all_values_and_no_other_quantifier() -> None:
    assert is_allowed(get(action="dynamodb:Scan"), [FENCE])
    assert not is_allowed(get(action="dynamodb:Scan"), [allow(ForAnyValue__StringLike={KEYS: ["*"]})])
    assert not is_allowed(get(action="dynamodb:Scan"), [allow(Null={KEYS: "false"}, ForAllValues__StringLike={KEYS: ["T#anton#*"]})])


def test_an_absent_key_fails_what_is_asked_of_it_and_passes_what_is_denied_of_it() -> None:
    request = Request("kms:Decrypt", "key", {})
    for operator, expected in (("StringEquals", False), ("StringNotEquals", True), ("StringEqualsIfExists", True), ("Bool", False)):
        assert is_allowed(request, [allow("kms:*", "key", **{operator: {"kms:EncryptionContext:tenant": "anton"}})]) is expected


def test_a_deny_outweighs_and_silence_is_no() -> None:
    deny = {"Effect": "Deny", "Action": "dynamodb:GetItem", "Resource": "*"}
    assert decide(get("T#anton#DEF"), [FENCE, deny]) == "deny"
    assert decide(get("T#anton#DEF"), []) == "nothing"
    assert not is_allowed(get("T#anton#DEF"), [])


def test_a_session_has_what_role_and_policy_both_give() -> None:
    wide, narrow = allow(ForAllValues__StringLike={KEYS: ["T#*"]}), FENCE
    assert is_allowed(get("T#anton#DEF"), [wide], [narrow])
    assert not is_allowed(get("T#berta#DEF"), [wide], [narrow])
    assert not is_allowed(get("T#anton#DEF"), [wide], [])
    assert not is_allowed(get("T#anton#DEF"), [], [narrow])


def test_all_keys_and_operators_must_hold_and_one_value_is_enough() -> None:
    both = allow(StringEquals={"aws:a": ["1", "2"], "aws:b": "3"})
    assert is_allowed(Request("dynamodb:GetItem", TABLE, {"aws:A": ["2"], "aws:b": ["3"]}), [both])
    assert not is_allowed(Request("dynamodb:GetItem", TABLE, {"aws:a": ["2"], "aws:b": ["4"]}), [both])


def test_a_variable_is_the_requests_own_value_and_without_one_nothing_fits() -> None:
    fence = allow(ForAllValues__StringLike={KEYS: ["T#${aws:PrincipalTag/tenant}#*"]})
    tagged = {KEYS: ["T#anton#DEF"], "aws:PrincipalTag/tenant": ["anton"]}
    assert is_allowed(Request("dynamodb:GetItem", TABLE, tagged), [fence])
    assert not is_allowed(Request("dynamodb:GetItem", TABLE, tagged | {"aws:PrincipalTag/tenant": ["berta"]}), [fence])
    assert not is_allowed(get("T##DEF"), [fence])


def test_actions_know_no_case_and_resources_do() -> None:
    assert is_allowed(get("x"), [allow("DynamoDB:getitem", TABLE)])
    assert not is_allowed(get("x"), [allow("dynamodb:GetItem", TABLE.upper())])
    assert not is_allowed(get("x"), [allow("dynamodb:GetItem", f"{TABLE}2")])


def test_an_arns_wildcard_does_not_reach_over_a_colon() -> None:
    request = Request("a:b", "r", {"aws:SourceArn": ["arn:aws:sns:eu:1:x:y"]})
    assert is_allowed(request, [allow("a:b", "r", ArnLike={"aws:SourceArn": "arn:aws:sns:*:1:*"})])
    assert not is_allowed(request, [allow("a:b", "r", ArnLike={"aws:SourceArn": "arn:aws:*:x:y"})])


def test_what_it_does_not_know_it_does_not_decide() -> None:
    for statement in (allow(NumericLessThan={"a": "1"}), {"Effect": "Allow", "NotAction": "a", "Resource": "*"}):
        with pytest.raises(NotImplementedError):
            decide(Request("dynamodb:GetItem", TABLE, {"a": ["0"]}), [statement])


def test_a_transaction_needs_the_action_of_each_part() -> None:
    part = {"TableName": "main", "Key": {"PK": {"S": "T#anton#DEF"}, "SK": {"S": "x"}}}
    found = of_dynamodb("transact_write_items", {"TransactItems": [{"Update": part}, {"ConditionCheck": part}]}, TABLE.removesuffix("main"))
    assert [(each.action, each.resource) for each in found] == [("dynamodb:UpdateItem", TABLE), ("dynamodb:ConditionCheckItem", TABLE)]
