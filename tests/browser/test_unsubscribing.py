"""What a guest sees who follows a link of a letter: the page to unsubscribe, and the one for links that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from functions.guest_links import handler
from shared.campaigns.messages import order_of
from shared.campaigns.sending import Means, send
from shared.messaging.port import Message
from shared.storage import keys
from shared.storage.items import SettingsItem
from shared.storage.packing import pack
from tests.browser.conftest import DESK, PHONE, NewTab
from tests.browser.gateway import gateway, stranger
from tests.browser.tab import Tab
from tests.builders.campaigns import CONSENT
from tests.builders.guests import BASE, KEYS, Guests
from tests.builders.house import House
from tests.fakes.senders import FakeSender, only

HOSTILE = '"><script>window.hurt = 1</script><img src=x onerror="window.hurt = 1">' + "ß" * 80
WORDS = {
    "en": ("Unsubscribe?", "Unsubscribe", "Unsubscribed", "This link leads nowhere"),
    "de": ("Abmelden?", "Abmelden", "Abgemeldet", "Dieser Link führt nirgendwohin"),
    "ru": ("Отписаться?", "Отписаться", "Вы отписались", "Ссылка никуда не ведёт"),
}


class Street:
    """A tenant that writes letters, and the address where the links in them are answered."""

    def __init__(self, guests: Guests, address: str) -> None:
        self.guests, self.house, self.address = guests, guests.house, address

    def letter(self, language: str = "en", link: str = "https://shop.example/menu") -> tuple[str, Message]:
        """A guest who got one, and it."""
        member = self.house.join(consents={"marketing:email": CONSENT}, known=("email",))
        self.guests.post.list_all([member], {"first_name": "Anna", "language": language, "email": "anna@example.com"})
        texts = {each: {"title": each, "body": f"{link} {{{{ unsubscribe_link }}}}"} for each in WORDS}
        if "letter" not in self.house.scope().definitions.at(self.house.now).campaigns:
            step = {"id": "tell", "channel": "email", "content": texts}
            self.guests.post.campaign("letter", {"name": "Letter", "trigger": {"kind": "once"}, "steps": [step]})
        sender = FakeSender()
        order = order_of(self.guests.post.order("letter", "tell", [member]))
        assert send(self.house.scope(), order, Means(only(sender), self.guests.post.sending, KEYS)) == {"sent": 1}
        return member, sender.taken[0][1]

    def unsubscribing(self, letter: Message) -> str:
        """Where her letter's link to unsubscribe leads."""
        return self.here(letter.headers["List-Unsubscribe"].partition(">")[0].removeprefix("<"))

    def here(self, link: str) -> str:
        """A link of a letter, at our address."""
        assert link.startswith(BASE)
        return self.address + link.removeprefix(BASE)

    def rename(self, name: str) -> None:
        """Another name for the tenant."""
        settings = self.house.scope().definitions.settings.model_copy(update={"name": name})
        key = keys.settings(self.house.tenant)
        self.house.table.put(SettingsItem.at(key, version=2, body=pack(settings.model_dump(mode="json"))))
        self.house.cache.forget(self.house.tenant)

    def agrees(self, member: str) -> bool:
        """Whether she wants letters."""
        return self.house.state(member).consents["marketing:email"].granted


@pytest.fixture
def street(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Street]:
    guests = Guests(bare_house, monkeypatch)
    with gateway("guest_links", handler.lambda_handler) as address:
        yield Street(guests, address)


def says(tab: Tab, heading: str) -> None:
    """Wait until this is the page's heading."""
    expect(tab.page.locator("h1")).to_have_text(heading)


@pytest.mark.parametrize("language", WORDS)
def test_looking_changes_nothing_and_the_button_unsubscribes_in_her_language(new_tab: NewTab, street: Street, language: str) -> None:
    tab = new_tab(locale="fr-FR")
    member, letter = street.letter(language)
    asking, button, done, _ = WORDS[language]
    version = street.house.state(member).version
    for _ in range(2):
        assert tab.open(street.unsubscribing(letter)) == 200
        says(tab, asking)
        assert tab.page.locator("html").get_attribute("lang") == language
        assert "Fries & More" in tab.text
    assert street.house.state(member).version == version
    tab.page.get_by_role("button", name=button, exact=True).click()
    says(tab, done)
    assert "Fries & More" in tab.text
    assert not street.agrees(member)
    assert tab.errors == []


def test_a_second_time_says_the_same_and_changes_nothing(tab: Tab, street: Street) -> None:
    member, letter = street.letter()
    tab.open(street.unsubscribing(letter))
    tab.page.get_by_role("button").click()
    says(tab, "Unsubscribed")
    version = street.house.state(member).version
    tab.page.go_back()
    says(tab, "Unsubscribe?")
    tab.page.get_by_role("button").click()
    says(tab, "Unsubscribed")
    tab.page.reload()
    says(tab, "Unsubscribed")
    assert (street.agrees(member), street.house.state(member).version) == (False, version)


@pytest.mark.parametrize(("locale", "language"), [("en-GB", "en"), ("de-AT", "de"), ("ru-RU", "ru"), ("fr-FR", "en")])
def test_a_forged_link_gives_a_page_that_can_be_read(new_tab: NewTab, street: Street, locale: str, language: str) -> None:
    tab = new_tab(locale=locale, viewport=PHONE)
    member, letter = street.letter()
    link = street.unsubscribing(letter)
    bad = [link[:-1] + ("A" if link[-1] != "A" else "B"), link[:-9], f"{street.address}/u/other/{link.rpartition('/')[2]}"]
    for each in bad if locale == "en-GB" else bad[:1]:
        assert tab.open(each) == 404
        says(tab, WORDS[language][3])
        assert tab.page.locator("html").get_attribute("lang") == language
        assert tab.page.get_by_role("button").count() == 0
        assert "Fries" not in tab.text
    assert tab.faults() == []
    assert street.agrees(member)


def test_a_keyboard_is_enough_and_no_script_is_needed(new_tab: NewTab, street: Street) -> None:
    tab = new_tab(java_script_enabled=False)
    member, letter = street.letter()
    tab.open(street.unsubscribing(letter))
    assert tab.stops() == ["Unsubscribe"]
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Enter")
    says(tab, "Unsubscribed")
    assert not street.agrees(member)
    assert tab.page.context.cookies() == []


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("de", "dark"), ("ru", "light")])
def test_it_fits_a_phone_and_everybody_can_use_it(new_tab: NewTab, street: Street, language: str, scheme: str) -> None:
    street.rename(HOSTILE)
    tab = new_tab(viewport=PHONE, color_scheme=scheme)
    tab.open(street.unsubscribing(street.letter(language)[1]))
    button = tab.page.get_by_role("button")
    assert button.bounding_box()["height"] >= 44  # type: ignore[index]
    for heading in (WORDS[language][0], WORDS[language][2]):
        says(tab, heading)
        assert HOSTILE in tab.text
        assert not tab.is_wider_than_the_screen
        assert tab.faults() == []
        if heading == WORDS[language][0]:
            button.click()
    assert not tab.page.evaluate("() => 'hurt' in window")
    assert tab.errors == []


def test_nobody_can_lay_the_button_under_a_page_of_theirs(tab: Tab, street: Street) -> None:
    link = street.unsubscribing(street.letter()[1])
    with stranger(f'<iframe src="{link}"></iframe>') as (elsewhere, _):
        tab.open(elsewhere)
        assert tab.page.frames[1].get_by_role("button").count() == 0
    assert "frame-ancestors" in " ".join(tab.errors)


def test_a_link_leads_to_the_shop_which_does_not_learn_from_where(new_tab: NewTab, street: Street) -> None:
    agent: dict[str, Any] = {"viewport": DESK, "user_agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/150.0"}
    with stranger() as (shop, asked):
        member, letter = street.letter(link=f"{shop}/menu?table=7")
        link = street.here(street.guests.links(letter.body)[0])
        with stranger(f'<a referrerpolicy="unsafe-url" href="{link}">look</a>') as (webmail, _):
            mailbox = new_tab(**agent)
            mailbox.open(webmail)
            mailbox.page.get_by_role("link").click()
            mailbox.page.wait_for_url(f"{shop}/menu?table=7")
    assert [each for each in asked if each[0] != "/favicon.ico"] == [("/menu?table=7", "")]
    assert street.guests.told(member) == ["message.opened", "message.clicked"]
