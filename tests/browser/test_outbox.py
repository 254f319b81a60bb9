"""The local outbox in a browser: letters that a campaign really sent, and messages made to do harm."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from html import escape
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from local.outbox import Reader
from local.outbox_page import serving
from shared.aws.objects import S3Store
from shared.campaigns.messages import order_of
from shared.campaigns.sending import Means, send
from shared.messaging.outbox import Outbox
from tests.browser.conftest import PHONE, NewTab
from tests.browser.gateway import in_background, stranger
from tests.browser.tab import Tab
from tests.builders.guests import KEYS, Guests
from tests.builders.house import House
from tests.component.test_outbox_page import message
from tests.fakes.senders import FakeSender, only

SCRIPT = "<script>window.hurt = 1</script>"
BREAK = f'"><img src=x onerror="window.hurt = 1">{SCRIPT}'
LONG = "Donaudampfschifffahrtsgesellschaft" * 6
EVERYTHING = [
    message(1, channel="push", title="A coupon for you", body="Fries\nfor one euro", endpoint=f"arn:{LONG}", data={"deep_link": "app://x"}),
    message(2, channel="sms", title="", body=f"1+1 https://api.example/l/demo/{LONG}", campaign="winter", address="+4930123456"),
    message(3, channel="inbox", title=LONG, body=LONG, campaign=LONG, member=LONG, tenant="other"),
    message(4, channel="email", title="News", body="Read", html="<p>Hello Anna</p>", headers={"List-Unsubscribe-Post": LONG}),
]
Show = Callable[[Sequence[dict[str, Any]]], str]


@pytest.fixture
def show() -> Iterator[Show]:
    """Serves messages; answers the page's address."""
    with ExitStack() as open_:

        def shown(messages: Sequence[dict[str, Any]]) -> str:
            return open_.enter_context(in_background(open_.enter_context(serving(lambda: messages, 0))))

        yield shown


def lists(tab: Tab, channels: list[str]) -> None:
    """Wait until these are the channels of the messages, from the top."""
    expect(tab.page.locator("main .channel")).to_have_text(channels)


def hurt(tab: Tab) -> bool:
    """Whether a script ran, in the page or in any frame of it."""
    return any(frame.evaluate("() => 'hurt' in window") for frame in tab.page.frames)


def test_messages_stand_newest_first_and_are_narrowed_by_hand(tab: Tab, show: Show) -> None:
    tab.open(show(EVERYTHING))
    lists(tab, ["email", "inbox", "sms", "push"])
    tab.page.get_by_label("campaign").fill("summer")
    tab.page.get_by_role("button", name="Show").click()
    lists(tab, ["email", "push"])
    tab.page.get_by_label("channel").select_option("push")
    tab.page.get_by_role("button", name="Show").click()
    lists(tab, ["push"])
    assert (tab.page.get_by_label("campaign").input_value(), tab.page.get_by_label("channel").input_value()) == ("summer", "push")
    tab.page.get_by_role("link", name="all").click()
    tab.page.get_by_role("link", name="mbr_2").click()
    lists(tab, ["sms"])
    tab.page.get_by_label("member").fill("nobody")
    tab.page.get_by_label("member").press("Enter")
    lists(tab, [])
    expect(tab.page.locator("main")).to_have_text("Nothing was delivered yet that fits.")
    assert tab.errors == []


def test_a_message_is_opened_for_its_details(tab: Tab, show: Show) -> None:
    tab.open(show(EVERYTHING))
    newest = tab.page.locator("article").first
    assert newest.get_by_text("Read").is_hidden()
    newest.locator("summary", has_text="text").click()
    newest.locator("summary", has_text="details").click()
    expect(newest.get_by_text("Read")).to_be_visible()
    expect(newest.get_by_text("dlv_4")).to_be_visible()
    expect(newest.frame_locator("iframe").get_by_text("Hello Anna")).to_be_visible()
    assert tab.page.locator("article").last.locator(".text").inner_text() == "Fries\nfor one euro"


def test_a_letter_of_a_campaign_is_read_and_nothing_in_it_runs_or_is_loaded(
    tab: Tab, show: Show, bare_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stranger() as (elsewhere, asked):
        address = show(sent(Guests(bare_house, monkeypatch), hostile(elsewhere)))
        tab.open(address)
        letter = tab.page.frame_locator("iframe")
        expect(letter.get_by_text("Hello <i>Anna</i>")).to_be_visible()
        assert not hurt(tab)
        for name in ("away", "over the top", "script", "Send"):
            tab.open(address)
            letter.get_by_text(name, exact=True).click()
            # There is nothing to wait for: what must not happen would happen by then.
            tab.page.wait_for_timeout(100)
            assert tab.page.locator("h1").inner_text() == "Outbox (1)"
        assert not hurt(tab)
        assert len(tab.page.context.pages) == 1
    assert asked == []


def hostile(elsewhere: str) -> str:
    """What a campaign may not do to whoever reads it here."""
    return (
        f'<html><head><meta http-equiv="refresh" content="0;url={elsewhere}/refresh"><link rel="stylesheet" href="{elsewhere}/style">'
        f'<base href="{elsewhere}/"></head><body onload="window.hurt = 1"><p>Hello {{{{ member.first_name }}}}</p>{SCRIPT}'
        f'<img src="{elsewhere}/picture" onerror="window.hurt = 1"><iframe src="{elsewhere}/frame"></iframe><svg onload="window.hurt = 1">'
        f'</svg><p><a href="{elsewhere}/away">away</a> <a target="_top" href="{elsewhere}/top">over the top</a> '
        f'<a href="javascript:window.hurt = 1">script</a></p><form action="{elsewhere}/form" target="_blank"><button>Send</button></form>'
        f"</iframe>{SCRIPT}</body></html>"
    )


class Shelf:
    """S3 as far as an outbox uses it."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}

    def put_object(self, **request: Any) -> None:
        self._objects[request["Key"]] = request["Body"]

    def get_object(self, **request: Any) -> dict[str, Any]:
        return {"Body": io.BytesIO(self._objects[request["Key"]])}

    def get_paginator(self, _operation: str) -> Any:
        found = [{"Key": name, "ETag": name} for name in self._objects]
        return SimpleNamespace(paginate=lambda **_: [{"Contents": found}])


def sent(guests: Guests, html: str) -> list[dict[str, Any]]:
    """A letter to a guest of a strange name, as the local stage keeps it and its reader finds it."""
    content = {"de": {"title": "Neu", "body": "Sieh {{ unsubscribe_link }}", "html": html}}
    shelf = Shelf()
    guests.post.campaign(
        "letter", {"name": "N", "trigger": {"kind": "once"}, "steps": [{"id": "tell", "channel": "email", "content": content}]}
    )
    outbox = Outbox("email", FakeSender(), S3Store(shelf, "outbox"), lambda: guests.house.now)
    order = order_of(guests.post.order("letter", "tell", [guests.guest("<i>Anna</i>")]))
    assert send(guests.house.scope(), order, Means(only(outbox), guests.post.sending, KEYS)) == {"sent": 1}  # type: ignore[arg-type]
    stage: Any = SimpleNamespace(client=lambda _service: shelf, outputs={"DataBucket": "outbox"})
    return Reader(stage).messages()


def test_hostile_names_are_text(tab: Tab, show: Show) -> None:
    names = dict.fromkeys(("tenant", "member", "campaign", "title", "body", "step", "delivery", "address", "sent_at"), BREAK)
    address = show([message(1, **names, channel=BREAK, headers={BREAK: BREAK}, data={BREAK: BREAK}), message(2, channel="sms", body=BREAK)])
    for query in ("", f"?campaign={quote(BREAK)}"):
        tab.open(f"{address}/{query}")
        for summary in tab.page.locator("summary").all():
            summary.click()
        assert not hurt(tab)
        assert tab.page.locator("main img, main script").count() == 0
        assert tab.page.locator("h2").first.inner_text() == BREAK
        assert escape(BREAK) not in tab.text
    assert tab.page.get_by_label("campaign").input_value() == BREAK


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_everybody_can_use_it(new_tab: NewTab, show: Show, scheme: str) -> None:
    tab = new_tab(viewport=PHONE, color_scheme=scheme)
    tab.open(show(EVERYTHING))
    for summary in tab.page.locator("summary").all():
        summary.click()
    assert not tab.is_wider_than_the_screen
    assert tab.faults() == []
    assert tab.errors == []


def test_a_keyboard_is_enough(tab: Tab, show: Show) -> None:
    tab.open(show(EVERYTHING[:2]))
    assert tab.stops() == [
        "tenant", "member", "campaign", "channel", "Show", "all", "winter", "mbr_2", "details", "summer", "mbr_1", "details",
    ]  # fmt: skip
    tab.page.get_by_label("tenant").focus()
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.type("mbr_1")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url("**member=mbr_1**")
    lists(tab, ["push"])
    tab.page.locator("summary").focus()
    tab.page.keyboard.press("Enter")
    expect(tab.page.get_by_text("dlv_1")).to_be_visible()


def test_it_works_without_scripts_and_keeps_nothing_in_the_browser(new_tab: NewTab, show: Show) -> None:
    tab = new_tab(java_script_enabled=False)
    tab.open(show(EVERYTHING))
    tab.page.get_by_label("channel").select_option("email")
    tab.page.get_by_role("button", name="Show").click()
    lists(tab, ["email"])
    expect(tab.page.frame_locator("iframe").get_by_text("Hello Anna")).to_be_visible()
    assert tab.page.context.cookies() == []


def test_a_page_of_another_origin_neither_reads_nor_frames_it(tab: Tab, show: Show) -> None:
    address = show(EVERYTHING)
    with stranger(f'<iframe src="{address}/"></iframe>') as (elsewhere, _):
        tab.open(elsewhere)
        reading = tab.page.evaluate("address => fetch(address).then(answer => answer.text(), () => 'refused')", f"{address}/messages.json")
        assert reading == "refused"
        assert tab.page.frames[1].locator("article").count() == 0
    assert "frame-ancestors" in " ".join(tab.errors)
