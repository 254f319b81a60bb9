"""How many parts an SMS takes, and what the provider is given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.port import Message
from shared.messaging.sms import MAX_PARTS, is_number, size_of, sms_request, too_large
from shared.tenants.messaging import SmsSettings

ORIGIN = {"tenant": "demo", "member": "mbr_1", "delivery": "dlv_1", "campaign": "c", "step": "s"}


@pytest.mark.parametrize(
    ("text", "encoding", "units", "parts"),
    [
        ("", "GSM-7", 0, 1),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("€" * 80, "GSM-7", 160, 1),
        ("€" * 81, "GSM-7", 162, 2),
        # Two septets are never cut: 152 of the first part, and the last euro in the third.
        ("€" * 153, "GSM-7", 306, 3),
        ("äöüßÄÖÜéèàñ@£¥_\n", "GSM-7", 16, 1),
        ("{}[]~^|\\\f", "GSM-7", 18, 1),
        ("`", "UCS-2", 1, 1),
        ("ç", "UCS-2", 1, 1),
        ("я" * 70, "UCS-2", 70, 1),
        ("я" * 71, "UCS-2", 71, 2),
        ("я" * 134, "UCS-2", 134, 2),
        ("я" * 135, "UCS-2", 135, 3),
        ("😀" * 35, "UCS-2", 70, 1),
        ("😀" * 36, "UCS-2", 72, 2),
        # A pair of units is never cut: 66 of 67 in each part.
        ("😀" * 67, "UCS-2", 134, 3),
        ("a" * 159 + "я", "UCS-2", 160, 3),
    ],
)
def test_parts_of_a_text(text: str, encoding: str, units: int, parts: int) -> None:
    size = size_of(text)
    assert (size.encoding, size.units, size.parts) == (encoding, units, parts)


@given(st.text(max_size=400), st.text(max_size=5))
def test_more_text_is_never_fewer_parts(text: str, more: str) -> None:
    assert size_of(text).parts <= size_of(text + more).parts
    assert size_of(text).units == (len(text.encode("utf-16-le")) // 2 if size_of(text).encoding == "UCS-2" else size_of(text).units)


def test_ten_parts_are_the_most() -> None:
    assert too_large("a" * 153 * MAX_PARTS) is None
    assert "11 parts" in (too_large("a" * (153 * MAX_PARTS + 1)) or "")
    assert too_large("я" * 67 * MAX_PARTS) is None
    assert too_large("я" * (67 * MAX_PARTS + 1)) is not None


def test_the_request_of_a_marketing_message() -> None:
    settings = SmsSettings(origination="pool-1", configuration_set="set", protect_configuration="protect-1", max_price="0.09")
    message = Message("unused", "1 € today", ttl_seconds=10**7, origin=ORIGIN, settings=settings)
    assert sms_request("+491701234567", message, settings) == {
        "DestinationPhoneNumber": "+491701234567",
        "OriginationIdentity": "pool-1",
        "MessageBody": "1 € today",
        "MessageType": "PROMOTIONAL",
        "TimeToLive": 259_200,
        "Context": {"tenant": "demo", "member": "mbr_1", "delivery": "dlv_1"},
        "ConfigurationSetName": "set",
        "ProtectConfigurationId": "protect-1",
        "MaxPrice": "0.09",
    }


def test_the_request_of_a_service_message() -> None:
    settings = SmsSettings(origination="+4915112345678")
    request = sms_request("+49170", Message("", "x", ttl_seconds=1, service=True), settings)
    assert (request["MessageType"], request["TimeToLive"]) == ("TRANSACTIONAL", 5)
    assert not {"ConfigurationSetName", "ProtectConfigurationId", "MaxPrice"} & set(request)


def test_numbers_are_e164() -> None:
    assert is_number("+491701234567")
    assert not any(map(is_number, ("491701234567", "+0491701234567", "+49 170", "+4" + "9" * 20, "", "+49170\n")))
