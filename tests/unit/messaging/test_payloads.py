"""What SNS is given: the shapes that APNs and FCM take."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.payloads import MAX_PROVIDER_BYTES, MessageTooLarge, sns_attributes, sns_message
from shared.messaging.port import MAX_TTL_SECONDS, Message

MESSAGE = Message("Fries", "1 € today", {"campaign_id": "welcome", "deep_link": "app://x"}, ttl_seconds=3600)


def test_each_platform_gets_its_own_json_inside_json() -> None:
    outer = json.loads(sns_message(MESSAGE))
    assert set(outer) == {"default", "APNS", "APNS_SANDBOX", "GCM"}
    assert outer["default"] == "Fries"
    assert json.loads(outer["APNS"]) == {
        "aps": {"alert": {"title": "Fries", "body": "1 € today"}, "sound": "default"},
        "campaign_id": "welcome",
        "deep_link": "app://x",
    }
    assert outer["APNS_SANDBOX"] == outer["APNS"]
    assert json.loads(outer["GCM"]) == {
        "fcmV1Message": {
            "message": {
                "notification": {"title": "Fries", "body": "1 € today"},
                "data": {"campaign_id": "welcome", "deep_link": "app://x"},
                "android": {"priority": "high", "ttl": "3600s"},
            }
        }
    }


def test_the_time_to_live_is_a_string_attribute_of_each_platform() -> None:
    attributes = sns_attributes(MESSAGE)
    for platform in ("APNS", "APNS_SANDBOX", "FCM"):
        assert attributes[f"AWS.SNS.MOBILE.{platform}.TTL"] == {"DataType": "String", "StringValue": "3600"}
    assert attributes["AWS.SNS.MOBILE.APNS.PUSH_TYPE"]["StringValue"] == "alert"
    assert sns_attributes(Message("a", "b", ttl_seconds=-5))["AWS.SNS.MOBILE.FCM.TTL"]["StringValue"] == "1"
    assert sns_attributes(Message("a", "b", ttl_seconds=10**9))["AWS.SNS.MOBILE.FCM.TTL"]["StringValue"] == str(MAX_TTL_SECONDS)


def test_data_cannot_take_the_place_of_aps() -> None:
    outer = json.loads(sns_message(Message("a", "b", {"aps": "mine"})))
    assert json.loads(outer["APNS"])["aps"]["alert"] == {"title": "a", "body": "b"}


@given(st.text(max_size=200), st.text(max_size=3000))
def test_what_fits_is_within_the_providers_limit_in_bytes(title: str, body: str) -> None:
    try:
        outer = json.loads(sns_message(Message(title, body)))
    except MessageTooLarge:
        assert len(json.dumps([title, body], ensure_ascii=False).encode()) > MAX_PROVIDER_BYTES - 200
        return
    assert len(outer["APNS"].encode()) <= MAX_PROVIDER_BYTES
    assert json.loads(outer["APNS"])["aps"]["alert"] == {"title": title, "body": body}


def test_too_large_is_refused() -> None:
    with pytest.raises(MessageTooLarge):
        sns_message(Message("a", "€" * 1400))
