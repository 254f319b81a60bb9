"""What SES is given, and the headers that unsubscribe with one click (RFC 2369, RFC 8058), read by another implementation."""

from __future__ import annotations

import re
from email import message_from_string
from email.policy import default

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.kernel.errors import InvalidValue
from shared.messaging.email import email_request, origin_of, tags, unsubscribe_headers
from shared.messaging.links import seal_unsubscribe, unsubscribe_address
from shared.messaging.port import Message
from shared.tenants.messaging import EmailSettings

ORIGIN = {"tenant": "demo", "member": "mbr_1", "delivery": "dlv_1", "campaign": "summer", "step": "s"}
SETTINGS = EmailSettings(from_address="Fries <news@fries.example>", reply_to="hi@fries.example", configuration_set="set", ses_tenant="demo")


def test_the_request() -> None:
    headers = unsubscribe_headers("https://api.example/u/demo/abc")
    message = Message("New\r\nBcc: x@y.example", "Text", origin=ORIGIN, html="<p>Text</p>", headers=headers)
    assert email_request("anna@example.com", message, SETTINGS) == {
        "FromEmailAddress": "Fries <news@fries.example>",
        "Destination": {"ToAddresses": ["anna@example.com"]},
        "ReplyToAddresses": ["hi@fries.example"],
        "Content": {
            "Simple": {
                "Subject": {"Data": "New Bcc: x@y.example", "Charset": "UTF-8"},
                "Body": {"Text": {"Data": "Text", "Charset": "UTF-8"}, "Html": {"Data": "<p>Text</p>", "Charset": "UTF-8"}},
                "Headers": [
                    {"Name": "List-Unsubscribe", "Value": "<https://api.example/u/demo/abc>"},
                    {"Name": "List-Unsubscribe-Post", "Value": "List-Unsubscribe=One-Click"},
                ],
            }
        },
        "EmailTags": [
            {"Name": "tenant", "Value": "demo"},
            {"Name": "member", "Value": "mbr_1"},
            {"Name": "delivery", "Value": "dlv_1"},
            {"Name": "campaign", "Value": "summer"},
        ],
        "ConfigurationSetName": "set",
        "TenantName": "demo",
    }


def test_what_a_tenant_has_not_set_is_left_out() -> None:
    request = email_request("a@b.example", Message("t", "b"), EmailSettings(from_address="news@fries.example"))
    assert set(request) == {"FromEmailAddress", "Destination", "Content", "EmailTags"}
    assert set(request["Content"]["Simple"]) == {"Subject", "Body"}


def test_a_mail_reader_finds_the_one_click_link() -> None:
    token = seal_unsubscribe(b"k" * 32, "demo", "mbr_01HZXW4T5R3E8K9M2N6P7Q0S1V", "email", "marketing", "dlv_1")
    link = unsubscribe_address("https://api.example", "demo", token)
    headers = unsubscribe_headers(link, "unsubscribe@fries.example")
    mail = message_from_string("".join(f"{name}: {value}\n" for name, value in headers.items()) + "\nbody", policy=default)
    # RFC 8058, 3.1: one https link in angle brackets, and the second header exactly so.
    assert re.findall(r"<(https://[^>]+)>", mail["List-Unsubscribe"]) == [link]
    assert f"<mailto:unsubscribe@fries.example?subject={token}>" in mail["List-Unsubscribe"]
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert all(value.isascii() and len(value) <= 995 for value in headers.values())


@pytest.mark.parametrize("link", ["ftp://x", "https://x/\r\nBcc: y", "https://x/>", "https://x/ä", "https://x/" + "a" * 1000, ""])
def test_what_is_no_link_makes_no_header(link: str) -> None:
    with pytest.raises(InvalidValue):
        unsubscribe_headers(link)


@example({"tenant": "b64_abc", "delivery": "x" * 600})
@given(st.dictionaries(st.sampled_from(["tenant", "member", "delivery", "campaign"]), st.text(min_size=1, max_size=700)))
def test_tags_lead_back_to_the_origin(origin: dict[str, str]) -> None:
    try:
        made = tags(origin)
    except UnicodeEncodeError:
        return
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,256}", part) for tag in made for part in tag.values())
    assert len(made) <= 50
    assert origin_of({tag["Name"]: tag["Value"] for tag in made}) == origin
