"""A test environment on the running system: made through the gateway, opened by its own keys alone, and its codes reach whom it names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.client import Client, Refused
from local.deploy import MAIL_DOMAIN
from tests.flow.conftest import DeployedStack

LIVE, TEST = "shopfront", "shopfront-test"
SETTINGS = {
    "name": "Shopfront", "currency": "EUR", "time_zone": "Europe/Berlin",
    "messaging": {"email": {"from_address": f"news@{MAIL_DOMAIN}"}},
}  # fmt: skip
SCOPES = ["members:register", "tenant:admin"]


def outbox(stack: DeployedStack, tenant: str) -> list[dict[str, Any]]:
    """What was written to anybody, and what was withheld."""
    s3, bucket = stack.client("s3"), stack.outputs["DataBucket"]
    names = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket, Prefix=f"outbox/{tenant}/").get("Contents", [])]
    return [json.loads(s3.get_object(Bucket=bucket, Key=name)["Body"].read()) for name in names]


def test_a_code_reaches_the_tester_and_no_guest(stack: DeployedStack) -> None:
    operator = Client(stack.api_url, stack.operator_key)
    operator.post("/v1/tenants", {"id": LIVE, "settings": SETTINGS})
    made = operator.call("POST", f"/v1/tenants/{LIVE}/test", {})
    assert (made.status, made.body["id"], made.body["mode"]) == (201, TEST, "test")
    assert operator.call("POST", f"/v1/tenants/{LIVE}/test", {}).status == 200
    settings = made.body["settings"]
    settings["messaging"]["test_recipients"] = ["qa@example.com"]
    operator.put(f"/v1/tenants/{TEST}", {"settings": settings}, made.headers["etag"])
    keys = {each: operator.post(f"/v1/tenants/{each}/keys", {"scopes": SCOPES})["key"] for each in (LIVE, TEST)}
    live, test = (Client(stack.api_url, keys[each]) for each in (LIVE, TEST))
    for address in ("QA@example.com", "guest@example.com"):
        answer = test.call("POST", "/v1/otp", {"kind": "email", "value": address})
        assert answer.headers["regulars-mode"] == "test"
    shown = {each["address"]: (each.get("withheld"), each["title"][:7]) for each in outbox(stack, TEST)}
    assert shown["qa@example.com"] == (None, "[TEST] ")
    assert shown["guest@example.com"][0] == "test_mode"
    assert outbox(stack, LIVE) == []
    assert [[each["key_id"] for each in client.get("/v1/keys")["data"]] for client in (live, test)] == [
        [key.removeprefix("lyk_").rpartition("_")[0]] for key in keys.values()
    ]
    with pytest.raises(Refused, match="unknown_key"):
        live.call("DELETE", f"/v1/keys/{test.get('/v1/keys')['data'][0]['key_id']}")


def test_it_is_suspended_and_removed_with_its_tenant(stack: DeployedStack) -> None:
    operator = Client(stack.api_url, stack.operator_key)
    now = operator.call("GET", f"/v1/tenants/{LIVE}")
    operator.put(f"/v1/tenants/{LIVE}", {"settings": now.body["settings"] | {"status": "suspended"}}, now.headers["etag"])
    assert operator.get(f"/v1/tenants/{TEST}")["settings"]["status"] == "suspended"
    operator.call("DELETE", f"/v1/tenants/{LIVE}", {"id": LIVE})
    assert {operator.get(f"/v1/tenants/{each}/removal")["state"] for each in (LIVE, TEST)} == {"removing"}
