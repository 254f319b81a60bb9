"""What belongs to messages, through the functions as the gateway calls them: emergency stops, webhooks' secrets, the inbox, channels that
are held back, and the links in a letter of a campaign that was launched over HTTP.
"""

from __future__ import annotations

import base64
import html
from typing import Any

import pytest

from shared.members.silencing import silence
from shared.messaging.inbox import InboxSender
from shared.messaging.port import webhook_secret_purpose
from shared.privacy.crypto import derive
from shared.storage import keys
from shared.storage.items import TenantEntryItem
from tests.builders.campaigns import NEWS, called, message
from tests.builders.front import ALL as FRONT
from tests.builders.front import Front
from tests.builders.guests import BROWSER, LETTER
from tests.builders.house import House
from tests.builders.marketer import NOBODY, Marketer, refused
from tests.builders.office import ALL, MASTER, Said

STOP = frozenset({"tenant:stop"})
ONE_CLICK = "List-Unsubscribe=One-Click"
EVERYTHING = frozenset([*ALL])
"""The scopes of a key that may do all that a key may. Not ``ALL`` itself, with which the office makes the operator's own calls."""


@pytest.fixture
def office(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Marketer:
    bare_house.table.put(TenantEntryItem.at(keys.tenant_entry("demo"), tenant="demo", status="active", due_shards=1))
    return Marketer(bare_house, monkeypatch)


@pytest.fixture
def front(office: Marketer, monkeypatch: pytest.MonkeyPatch) -> Front:
    return Front(office.house, monkeypatch)


def as_key(office: Marketer, operation: str, body: Any = None, **path: Any) -> Said:
    """An operator's route, with a key of the tenant that may do everything else."""
    return office.call(operation, body, scopes=EVERYTHING, **path)


def no(said: Any, status: int, code: str) -> None:
    """A refusal of that status and code."""
    assert (said.status, said.body["code"]) == (status, code), said.body
    assert said.headers["content-type"] == "application/problem+json"


# -- emergency stops --------------------------------------------------------------------------------------------------


def test_stops_of_the_tenant_are_set_whole_and_hold_what_they_say(office: Marketer) -> None:
    nothing = {"messages": False, "redemptions": False, "offers": []}
    assert office.call("get_stops", scopes=STOP).body == nothing
    office.launched(NEWS)
    members = [office.guests.guest(), office.guests.guest()]
    said = office.call("set_stops", {"messages": True, "offers": ["fries"]}, scopes=STOP)
    assert (said.status, said.body["messages"], said.body["offers"]) == (200, True, ["fries"])
    assert office.call("get_stops", scopes=STOP).body == said.body
    assert office.post.envelope(keys.stops("demo")).types == ["tenant.stops_changed"]
    assert office.post.deliver(office.post.order("news", "tell", members)) == {"stopped": 2}
    assert office.call("set_stops", {}, scopes=STOP).body["messages"] is False, "what is left out is lifted"
    assert office.post.deliver(office.post.order("news", "tell", members)) == {"sent": 2}


def test_the_operator_stops_any_tenant_and_the_tenant_sees_it(office: Marketer) -> None:
    said = office.call("set_stops_of_tenant", {"redemptions": True}, tenant_id="demo")
    assert (said.status, said.body["redemptions"]) == (200, True)
    assert office.call("get_stops", scopes=STOP).body == said.body == office.call("get_stops_of_tenant", tenant_id="demo").body
    (event,) = office.post.envelope(keys.stops("demo")).events
    assert event["data"]["actor"] == "operator-root"
    for operation in ("get_stops_of_tenant", "set_stops_of_tenant"):
        no(office.call(operation, {}, tenant_id="nobody"), 404, "unknown_tenant")
        no(as_key(office, operation, {}, tenant_id="demo"), 403, "insufficient_scope")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"messages": "yes"}, ("/messages", "wrong_type")),
        ({"everything": True}, ("/everything", "unknown_field")),
        ({"messages": True, "offers": ["fries", "ghost"]}, ("/offers/1", "unknown_offer")),
        ({"offers": ["NOT A NAME"]}, ("/offers/0", "invalid_value")),
    ],
)
def test_stops_that_cannot_be_meant_change_nothing(office: Marketer, body: Any, error: tuple[str, str]) -> None:
    before = office.rows()
    refused(office.call("set_stops", body), 422, "invalid_request", error)
    refused(office.call("set_stops_of_tenant", body, tenant_id="demo"), 422, "invalid_request", error)
    for operation in ("get_stops", "set_stops"):
        no(office.call(operation, body, scopes=EVERYTHING - STOP), 403, "insufficient_scope")
    assert office.rows() == before


# -- secrets of webhooks ----------------------------------------------------------------------------------------------


def test_a_webhooks_secret_is_the_one_that_signs_and_a_higher_version_is_another(office: Marketer) -> None:
    office.configure(webhooks={"crm": {"url": "https://crm.example/hook"}})
    first = office.call("show_webhook_secret", tenant_id="demo", name="crm").body
    key = derive(MASTER, webhook_secret_purpose("demo", "crm", 1))
    assert first == {"name": "crm", "version": 1, "secret": f"whsec_{base64.b64encode(key).decode()}"}
    assert office.call("show_webhook_secret", tenant_id="demo", name="crm").body == first
    office.configure(webhooks={"crm": {"url": "https://crm.example/hook", "version": 2}})
    second = office.call("show_webhook_secret", tenant_id="demo", name="crm").body
    assert (second["version"], second["secret"] != first["secret"]) == (2, True)


def test_no_secret_for_what_there_is_not_and_none_for_keys(office: Marketer) -> None:
    office.configure(webhooks={"crm": {"url": "https://crm.example/hook"}})
    no(office.call("show_webhook_secret", tenant_id="demo", name="other"), 404, "unknown_webhook")
    no(office.call("show_webhook_secret", tenant_id="nobody", name="crm"), 404, "unknown_tenant")
    no(as_key(office, "show_webhook_secret", tenant_id="demo", name="crm"), 403, "insufficient_scope")


# -- the inbox --------------------------------------------------------------------------------------------------------


def written_to(office: Marketer, member: str, *steps: str) -> None:
    """Messages in her inbox, of a campaign that calls trigger."""
    office.launched(called(*(message(each, channel="inbox") for each in steps)), "tour")
    body = {"key": "k", "recipients": [{"member_id": member}]}
    assert office.call("trigger_campaign", body, campaign_id="tour").body["recipients"][0]["status"] == "accepted"
    office.post.sender = InboxSender(lambda _tenant: office.house.scope())  # type: ignore[assignment]
    (order,) = office.sqs.sent["sending"]
    assert office.post.deliver(order) == {"sent": len(steps)}


def test_what_a_call_sent_is_in_the_inbox_and_reading_it_counts_as_opening(office: Marketer, front: Front) -> None:
    member = office.guests.guest()
    written_to(office, member, "one", "two")
    page = front.call("list_inbox", member_id=member)
    assert (page.status, {each["title"] for each in page.body["data"]}) == (200, {"one", "two"})
    assert front.call("list_inbox_of_me", me=member).body == page.body
    shown = page.body["data"][0]
    assert (shown["campaign_id"], "read_at" in shown) == ("tour", False)
    read = front.call("read_message", member_id=member, message_id=shown["id"])
    assert (read.status, "read_at" in read.body) == (200, True)
    assert front.call("read_message_of_me", me=member, message_id=shown["id"]).body == read.body
    assert office.guests.told(member) == ["message.opened"]
    assert sorted(bool(each.responded) for each in office.post.deliveries(member)) == [False, True]


def test_the_inbox_is_hers_alone_and_shows_only_what_is_there(office: Marketer, front: Front) -> None:
    member, other = office.guests.guest(), office.guests.guest()
    written_to(office, member, "one", "two")
    first = front.call("list_inbox", query={"limit": "1"}, member_id=member).body
    assert front.call("list_inbox", query={"limit": "1", "cursor": first["next_cursor"]}, member_id=member).body["data"] != first["data"]
    no(front.call("list_inbox", query={"cursor": first["next_cursor"]}, member_id=other), 422, "invalid_cursor")
    no(front.call("list_inbox_of_me", query={"cursor": "x"}, me=member), 422, "invalid_cursor")
    hers = first["data"][0]["id"]
    version = office.house.state(member).version
    no(front.call("read_message_of_me", me=other, message_id=hers), 404, "unknown_message")
    for id_ in ("inb_00000000000000000000000000", "nothing"):
        no(front.call("read_message", member_id=member, message_id=id_), 404, "unknown_message")
    no(front.call("list_inbox", member_id=NOBODY), 404, "unknown_member")
    no(front.call("list_inbox", scopes=FRONT - {"members:read"}, member_id=member), 403, "insufficient_scope")
    no(front.call("read_message", scopes=FRONT - {"members:write"}, member_id=member, message_id=hers), 403, "insufficient_scope")
    no(front.call("list_inbox_of_me"), 403, "insufficient_scope")
    assert office.house.state(member).version == version


# -- channels that are held back --------------------------------------------------------------------------------------


def test_a_suppressed_channel_is_used_again_once_it_is_lifted(office: Marketer, front: Front) -> None:
    member = office.guests.guest()
    office.launched(NEWS)
    silence(office.house.scope(), member, [], "opt_out", "", suppressed=("push", "bounce"))
    assert office.post.deliver(office.post.order("news", "tell", [member], "1")) == {"suppressed": 1}
    no(front.call("lift_suppression", scopes=FRONT - {"members:write"}, member_id=member, channel="push"), 403, "insufficient_scope")
    lifted = front.call("lift_suppression", member_id=member, channel="push")
    assert (lifted.status, lifted.body) == (204, None)
    assert office.post.told(member).types == ["channel.restored"]
    assert office.post.deliver(office.post.order("news", "tell", [member], "2")) == {"sent": 1}
    version = office.house.state(member).version
    for channel in ("push", "sms", "pigeon"):
        no(front.call("lift_suppression", member_id=member, channel=channel), 404, "unknown_suppression")
    no(front.call("lift_suppression", member_id=NOBODY, channel="push"), 404, "unknown_member")
    assert office.house.state(member).version == version


# -- links in a letter ------------------------------------------------------------------------------------------------


@pytest.mark.stream
def test_what_she_does_with_a_letter_is_in_the_report_of_its_campaign(office: Marketer) -> None:
    office.configure(email={"from_address": "news@example.com"})
    office.launched(LETTER, "letter")
    member, guests = office.guests.guest(), office.guests
    letter = guests.letter(member)
    links = {each.split("/")[3]: each for each in guests.links(html.unescape(letter.html))}
    looked = guests.call(links["l"], "HEAD")
    assert (looked.status, looked.headers["location"]) == (302, "https://shop.example/places")
    assert guests.call(links["o"]).headers["content-type"] == "image/gif"
    assert guests.told(member) == ["message.opened"]
    clicked = guests.call(links["l"])
    assert (clicked.status, clicked.headers["location"], clicked.body) == (302, "https://shop.example/places", b"")
    assert guests.told(member) == ["message.clicked"]
    page = guests.call(links["u"])
    assert (page.status, page.headers["content-type"].split(";")[0]) == (200, "text/html")
    assert guests.call(links["u"], "POST", "x=y").status == 400
    assert office.house.state(member).consents["marketing:email"].granted
    assert guests.call(links["u"], "POST", ONE_CLICK).status == 200
    assert not office.house.state(member).consents["marketing:email"].granted
    office.post.report("letter")
    found = office.call("report_campaign", campaign_id="letter").body
    assert {name: found[name] for name in ("sent", "opened", "clicked", "unsubscribed")} == {
        "sent": 1, "opened": 1, "clicked": 1, "unsubscribed": 1,
    }  # fmt: skip


def test_links_of_others_and_links_that_were_changed_lead_nowhere_and_change_nobody(office: Marketer) -> None:
    office.configure(email={"from_address": "news@example.com"})
    office.launched(LETTER, "letter")
    member, guests = office.guests.guest(), office.guests
    letter = guests.letter(member)
    links = {each.split("/")[3]: each for each in guests.links(html.unescape(letter.html))}
    before = office.rows()
    swapped = links["l"].replace("/l/", "/u/"), links["u"].replace("/u/", "/l/")
    shortened = links["l"][:-3], links["u"][:-3]
    for link in (*swapped, *shortened):
        method, body = ("POST", ONE_CLICK) if "/u/" in link else ("GET", None)
        answer = guests.call(link, method, body, headers=BROWSER)
        assert (answer.status, answer.headers["content-type"].split(";")[0]) == (404, "text/html"), link
    assert guests.call(links["u"], "POST", ONE_CLICK, tenant="other").status == 404
    assert guests.call(links["o"].replace(".gif", ".png")).status == 200
    assert office.rows() == before
