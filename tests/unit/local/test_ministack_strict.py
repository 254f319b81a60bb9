"""What the strict local AWS tells IAM of a request: as the Service Authorization Reference has the keys."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest

from local.ministack_strict import _SIGNATURES, condition_keys, endpoint_of, secret_of, sender_of


def key(pk: str) -> dict[str, Any]:
    return {"PK": {"S": pk}, "SK": {"S": "x"}}


@pytest.mark.parametrize(
    ("request_", "leading"),
    [
        ({"TableName": "t", "Key": key("a")}, ["a"]),
        ({"TableName": "t", "Item": key("a")}, ["a"]),
        ({"KeyConditionExpression": "#p = :p", "ExpressionAttributeValues": {":p": {"S": "a"}}}, ["a"]),
        ({"KeyConditionExpression": "PK = :p AND begins_with(SK, :s)", "ExpressionAttributeValues": {":p": {"S": "a"}}}, ["a"]),
        ({"TransactItems": [{"Put": {"Item": key("b")}}, {"ConditionCheck": {"Key": key("a")}}, {"Put": {"Key": key("b")}}]}, ["a", "b"]),
        ({"RequestItems": {"t": {"Keys": [key("a"), key("b")]}, "u": {"Keys": [key("c")]}}}, ["a", "b", "c"]),
        ({"RequestItems": {"t": [{"PutRequest": {"Item": key("a")}}, {"DeleteRequest": {"Key": key("b")}}]}}, ["a", "b"]),
    ],
)
def test_leading_keys_are_those_of_every_part(request_: dict[str, Any], leading: list[str]) -> None:
    assert condition_keys("dynamodb", json.dumps(request_).encode()) == {"dynamodb:LeadingKeys": leading}


def test_a_scan_has_none() -> None:
    assert condition_keys("dynamodb", b'{"TableName": "t"}') == {}


def test_the_context_of_an_encryption_is_told_by_name() -> None:
    body = json.dumps({"KeyId": "k", "EncryptionContext": {"tenant": "ann"}}).encode()
    assert condition_keys("kms", body) == {"kms:EncryptionContext:tenant": "ann"}
    assert condition_keys("kms", b"{}") == {}


@pytest.mark.parametrize("body", [b"", b"\xff", b"[1]", b"Action=Publish"])
def test_other_bodies_say_nothing(body: bytes) -> None:
    assert condition_keys("dynamodb", body) == {}
    assert secret_of(body) is None


def test_secrets_and_endpoints_are_named_by_the_call() -> None:
    assert secret_of(b'{"SecretId": "master"}') == "master"
    assert endpoint_of({"Action": ["Publish"], "TargetArn": ["arn:e"]}) == "arn:e"
    assert endpoint_of({"PhoneNumber": "+49"}) is None
    assert sender_of(b'{"FromEmailAddress": "Corner <news@corner.example>"}') == "corner.example"
    assert sender_of(b"{}") is None


def test_what_is_replaced_is_what_was_read() -> None:
    from ministack.core import iam_actions, iam_evaluator

    modules = {"iam_actions": iam_actions, "iam_evaluator": iam_evaluator}
    for name, parameters in _SIGNATURES.items():
        module, _, function = name.partition(".")
        assert list(inspect.signature(getattr(modules[module], function)).parameters) == parameters
