"""Webhooks, verified by the library that their receivers use; and where they may go."""

from __future__ import annotations

import ipaddress
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from shared.kernel.errors import InvalidValue
from shared.messaging.outgoing import Target, allowed_address, is_public, target_of
from shared.messaging.port import Message, WebhookTarget, provider_settings, webhook_secret_purpose
from shared.messaging.webhooks import shown_secret, signed_headers, webhook_body
from shared.tenants.messaging import MessagingSettings

SECRET = bytes(range(32))
ORIGIN = {"tenant": "demo", "member": "mbr_1", "delivery": "dlv_1", "campaign": "c", "step": "s"}


def now() -> int:
    return int(datetime.now(tz=UTC).timestamp() * 1000)


@given(st.text(max_size=50), st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3))
def test_a_receivers_library_verifies_it(body: str, data: dict[str, str]) -> None:
    payload = webhook_body(Message("t", body, data, origin=ORIGIN, at=1_767_225_600_000))
    received = Webhook(shown_secret(SECRET)).verify(payload, signed_headers("dlv_1", payload, SECRET, now()))
    assert received["data"]["body"] == body
    assert received["data"]["data"] == data
    assert (received["type"], received["timestamp"]) == ("campaign.message", "2026-01-01T00:00:00Z")


def test_what_was_changed_or_is_old_or_of_another_secret_does_not_verify() -> None:
    payload = webhook_body(Message("t", "b", origin=ORIGIN))
    good = signed_headers("dlv_1", payload, SECRET, now())
    for body, headers in (
        (payload + b" ", good),
        (payload, {**good, "webhook-id": "dlv_2"}),
        (payload, signed_headers("dlv_1", payload, SECRET[::-1], now())),
        (payload, signed_headers("dlv_1", payload, SECRET, now() - 3_600_000)),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(shown_secret(SECRET)).verify(body, headers)


def test_each_try_has_the_same_id_and_body() -> None:
    message = Message("t", "b", origin=ORIGIN, at=5)
    assert webhook_body(message) == webhook_body(message)
    assert json.loads(webhook_body(message))["data"]["delivery_id"] == "dlv_1"
    first, second = (signed_headers("dlv_1", b"{}", SECRET, at) for at in (1000, 61_000))
    assert first["webhook-id"] == second["webhook-id"]
    assert first["webhook-timestamp"] != second["webhook-timestamp"]


def test_an_endpoint_is_found_by_its_name_and_the_secret_is_not_shown() -> None:
    settings = MessagingSettings.model_validate({"webhooks": {"crm": {"url": "https://crm.example/x", "version": 3}}})
    made = provider_settings("webhook", settings, "crm", lambda name, version: webhook_secret_purpose("demo", name, version).encode())
    assert made == WebhookTarget("https://crm.example/x", b"webhook|demo|crm|3")
    assert "demo" not in repr(made)
    assert provider_settings("webhook", settings, "other", lambda *_: b"") is None


# -- where they may go ----------------------------------------------------------------------------------------------------


def test_parts_of_an_address() -> None:
    assert target_of("https://crm.example/hook?a=1") == Target("crm.example", 443, "/hook?a=1", True)
    assert target_of("https://crm.example:8443") == Target("crm.example", 8443, "/", True)
    assert target_of("http://127.0.0.1:5000/x", local=True) == Target("127.0.0.1", 5000, "/x", False)


@pytest.mark.parametrize(
    "url",
    ["http://crm.example/", "https://crm.example:22/", "https://user@crm.example/", "https://:443/", "ftp://crm.example/", "https://crm.example:x/",
     "https://crm.example/a b", "https://crm.example/\r\nx: y", "https://[::1", "crm.example", "https:///x"],
)  # fmt: skip
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(InvalidValue):
        target_of(url)


FORBIDDEN = (
    "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200",
    "0.0.0.0", "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "168.63.129.16", "::1", "::",
    "fe80::1", "fc00::1", "100.127.0.1",
    "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:93.184.216.34", "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:0:1::1",
    "2001:db8::1", "::127.0.0.1", "64:ff9b:1::1",
)  # fmt: skip


@pytest.mark.parametrize("address", FORBIDDEN)
def test_addresses_that_are_not_of_the_public_internet(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    assert allowed_address([address]) is None
    # One that is public beside it does not help: the next answer may name them the other way round.
    assert allowed_address(["93.184.216.34", address]) is None


def test_public_addresses() -> None:
    assert allowed_address(["93.184.216.34"]) == "93.184.216.34"
    assert allowed_address(["2606:2800:220:1::1", "93.184.216.34"]) == "2606:2800:220:1::1"
    assert allowed_address([]) is None


def test_a_local_stage_may_call_its_own_machine_and_nothing_else_beside() -> None:
    assert allowed_address(["127.0.0.1"], local=True) == "127.0.0.1"
    assert allowed_address(["::1"], local=True) == "::1"
    assert allowed_address(["10.0.0.1"], local=True) is None
    assert allowed_address(["169.254.169.254"], local=True) is None


@pytest.mark.parametrize("address", ["192.88.99.1", "3fff::1", "5f00::1", "100:0:0:1::1", "fec0::1"])
def test_what_only_some_versions_of_python_know_as_special_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
