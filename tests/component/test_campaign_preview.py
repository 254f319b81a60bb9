"""What a step would say to a member: looked at, and sent to members who test. Nothing is written."""

from __future__ import annotations

from typing import Any

import pytest

from shared.campaigns.errors import UnknownCampaign
from shared.campaigns.preview_api import PreviewRequest, SendTestRequest
from shared.campaigns.previewing import preview, send_test
from shared.definitions.model import Definition
from shared.definitions.repository import item_of
from shared.kernel.errors import Unprocessable
from shared.member_state.errors import UnknownMember
from shared.messaging.port import Throttled, Unreachable, Withheld
from shared.storage import keys
from shared.storage.items import SettingsItem
from shared.storage.packing import pack
from shared.tenants.branding import Branding
from tests.builders.guests import BASE, Guests
from tests.builders.house import House
from tests.fakes.senders import FakeSender

LOGO = "med_" + "a" * 32
DRAFT: dict[str, Any] = {
    "name": "Hello",
    "trigger": {"kind": "api", "data": ["table"]},
    "steps": [
        {
            "id": "tell",
            "ladder": {"mode": "all", "channels": ["email", "sms", "push"]},
            "offer": "fries",
            "content": {
                "en": {"title": "Hi {{ member.first_name }}", "body": "{{ coupon.code }} at {{ data.table }}, {{ tier.title }} https://shop.example/x"},
                "de": {"title": "Hallo {{ member.first_name }}", "body": "{{ coupon.title }}"},
            },
        },
        {"id": "wait", "kind": "wait", "minutes": 5},
    ],
}


@pytest.fixture
def guests(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Guests:
    guests = Guests(bare_house, monkeypatch)
    bare_house.table.put(item_of("demo", Definition("campaign", "hello", 1, "draft", DRAFT)))
    return guests


def look(guests: Guests, member: str, **more: Any) -> Any:
    request = PreviewRequest.model_validate({"member_id": member, "step": "tell", "channel": "email", **more})
    return preview(guests.house.scope(), "hello", request, BASE)


def stored(guests: Guests) -> Any:
    return [each._client.scan(TableName=each.name)["Items"] for each in (guests.house.table, guests.house.key_table)]


def pointers(refused: pytest.ExceptionInfo[Unprocessable]) -> list[tuple[str, str]]:
    return [(each.pointer, each.code) for each in refused.value.errors]


def test_a_draft_reads_as_she_would_read_it_and_nothing_is_written(guests: Guests) -> None:
    member = guests.guest("Anna")
    before = stored(guests)
    found = look(guests, member)
    assert (found.campaign_version, found.language, found.title, found.body) == (1, "de", "Hallo Anna", "Fries for 1 euro")
    english = look(guests, member, language="en", data={"table": "7"})
    assert (english.title, english.body) == ("Hi Anna", "SAMPLE at 7,  https://shop.example/x")
    assert stored(guests) == before


def test_what_is_missing_is_said(guests: Guests) -> None:
    member = guests.guest("Anna", channels=("sms",))
    found = look(guests, member, language="en")
    assert [(each.code, each.name) for each in found.warnings] == [
        ("no_consent", None), ("missing_value", "data.table"), ("missing_value", "tier.title"),
    ]  # fmt: skip
    guests.post.stop(offers=["fries"])
    assert [each.code for each in look(guests, guests.guest(), language="en", data={"table": "7"}).warnings] == [
        "offer_stopped", "missing_value", "missing_value",
    ]  # fmt: skip


def test_a_logo_that_the_email_shows_is_not_missing(guests: Guests) -> None:
    content = {"de": {"title": "Neu", "body": "Neu", "html": '<p><img src="{{ tenant.logo }}"> {{ data.table }}</p>'}}
    step = {"id": "tell", "channel": "email", "content": content}
    guests.house.table.put(item_of("demo", Definition("campaign", "hello", 2, "draft", {**DRAFT, "steps": [step]})))
    member = guests.guest()
    assert [each.name for each in look(guests, member).warnings] == ["data.table", "tenant.logo"]
    guests.house.media_url = "https://images.example"
    branded(guests, Branding(logo=LOGO))
    found = look(guests, member)
    assert f'<img src="https://images.example/media/demo/{LOGO}/' in found.html
    assert [each.name for each in found.warnings] == ["data.table"]


def branded(guests: Guests, branding: Branding) -> None:
    """The tenant's branding, from now on."""
    whole = guests.house.scope().definitions.settings.model_copy(update={"branding": branding})
    guests.house.table.put(SettingsItem.at(keys.settings("demo"), version=2, body=pack(whole.model_dump(mode="json"))))
    guests.house.cache.forget("demo")


def test_links_of_a_preview_prove_nothing(guests: Guests) -> None:
    link = look(guests, guests.guest()).headers["List-Unsubscribe"].partition(">")[0].removeprefix("<")
    assert link.startswith(f"{BASE}/u/demo/")
    assert guests.call(link, "POST", "List-Unsubscribe=One-Click").status == 404


def test_a_test_is_really_sent_marked_and_leaves_nothing(guests: Guests) -> None:
    member = guests.guest("Anna")
    guests.post.messaging(email={"from_address": "news@example.com"}, sms={"origination": "demo"}, test_members=[member])
    senders = {channel: FakeSender() for channel in ("email", "sms", "push")}
    senders["sms"].answers["+4930123456"] = Unreachable("country_blocked")
    senders["push"].answers[f"endpoint/dev_{member}"] = Throttled()
    before = stored(guests)
    request = SendTestRequest(member_id=member, step="tell", channels=("email", "sms", "push"))
    answer = send_test(guests.house.scope(), "hello", request, senders, BASE)  # type: ignore[arg-type]
    found = [(each.channel, each.result, each.id, each.reason) for each in answer.results]
    assert found == [("email", "sent", "msg-1", None), ("sms", "refused", None, "country_blocked"), ("push", "busy", None, None)]
    ((address, message),) = senders["email"].taken
    assert (address, message.title) == ("anna@example.com", "[Test] Hallo Anna")
    assert message.data["coupon_id"] == "cpn_sample"
    assert stored(guests) == before


def test_a_test_that_a_test_environment_withholds_is_told(guests: Guests) -> None:
    member = guests.guest("Anna")
    guests.post.messaging(email={"from_address": "news@example.com"}, test_members=[member])
    sender = FakeSender()
    sender.answers["anna@example.com"] = Withheld("test_mode")
    request = SendTestRequest(member_id=member, step="tell", channels=("email",))
    (found,) = send_test(guests.house.scope(), "hello", request, {"email": sender}, BASE).results
    assert (found.result, found.reason) == ("refused", "test_mode")


def test_tests_go_to_test_members_alone(guests: Guests) -> None:
    member = guests.guest()
    sender = FakeSender()
    request = SendTestRequest(member_id=member, step="tell", channels=("email",))
    with pytest.raises(Unprocessable) as refused:
        send_test(guests.house.scope(), "hello", request, {"email": sender}, BASE)
    assert pointers(refused) == [("/member_id", "not_a_test_member")]
    assert sender.taken == []


def test_what_cannot_be_shown_is_refused_with_a_pointer(guests: Guests) -> None:
    member = guests.guest()
    with pytest.raises(Unprocessable) as refused:
        look(guests, member, step="wait")
    assert pointers(refused) == [("/step", "unknown_step")]
    with pytest.raises(Unprocessable) as refused:
        look(guests, member, channel="inbox")
    assert pointers(refused) == [("/channel", "unknown_channel")]
    with pytest.raises(UnknownMember):
        look(guests, "nobody")
    with pytest.raises(UnknownCampaign):
        preview(guests.house.scope(), "nothing", PreviewRequest(member_id=member, step="tell", channel="email"), BASE)
