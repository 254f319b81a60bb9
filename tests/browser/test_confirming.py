"""What a guest sees who follows the link of a mail that asks whether she wants e-mails."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from functions.guest_links import handler
from tests.browser.conftest import PHONE, NewTab
from tests.browser.gateway import gateway
from tests.browser.tab import Tab
from tests.builders.front import Front
from tests.builders.house import House
from tests.builders.rights import BASE, EMAIL, Rights, settings_that_write

YES = {"purpose": "marketing", "channel": "email", "granted": True, "document_version": "2"}
WORDS = {
    "en": ("E-mails from Fries & More?", "Yes, I want e-mails", "Confirmed"),
    "de": ("E-Mails von Fries & More?", "Ja, ich möchte E-Mails", "Bestätigt"),
    "ru": ("Письма от Fries & More?", "Да, хочу письма", "Подтверждено"),
}


class Street:
    """A tenant that asks, and the address where its links are answered."""

    def __init__(self, rights: Rights, address: str) -> None:
        self.rights, self.address = rights, address

    def asked(self) -> tuple[str, str]:
        """A guest with a yes that waits, and where her link leads."""
        member = self.rights.front.register(profile={"email": EMAIL}, consents=[YES])
        self.rights.told(member)
        return member, self.address + self.rights.links()[-1].removeprefix(BASE)

    def agrees(self, member: str) -> bool:
        return self.rights.house.state(member).consents["marketing:email"].granted


@pytest.fixture
def street(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Street]:
    bare_house.create(settings_that_write())
    with gateway("guest_links", handler.lambda_handler) as address:
        yield Street(Rights(Front(bare_house, monkeypatch), monkeypatch), address)


def says(tab: Tab, heading: str) -> None:
    expect(tab.page.locator("h1")).to_have_text(heading)


@pytest.mark.parametrize(("locale", "language"), [("en-GB", "en"), ("de-AT", "de"), ("ru-RU", "ru")])
def test_looking_confirms_nothing_and_the_button_does(new_tab: NewTab, street: Street, locale: str, language: str) -> None:
    tab = new_tab(locale=locale, viewport=PHONE)
    member, link = street.asked()
    asking, button, done = WORDS[language]
    for _ in range(2):
        assert tab.open(link) == 200
        says(tab, asking)
    assert tab.faults() == []
    assert not street.agrees(member)
    tab.page.get_by_role("button", name=button, exact=True).click()
    says(tab, done)
    assert street.agrees(member)
    tab.page.reload()
    says(tab, done)
    assert (tab.faults(), tab.errors) == ([], [])


def test_a_keyboard_is_enough_and_no_script_is_needed(new_tab: NewTab, street: Street) -> None:
    tab = new_tab(locale="en-GB", java_script_enabled=False)
    member, link = street.asked()
    tab.open(link)
    assert tab.stops() == ["Yes, I want e-mails"]
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Enter")
    says(tab, "Confirmed")
    assert street.agrees(member)


def test_a_link_that_was_taken_back_gives_a_page_that_can_be_read(new_tab: NewTab, street: Street) -> None:
    tab = new_tab(locale="de-DE")
    member, link = street.asked()
    street.rights.front.call("set_consents", {"consents": [{**YES, "granted": False}]}, member_id=member)
    tab.open(link)
    tab.page.get_by_role("button").click()
    says(tab, "Dieser Link führt nirgendwohin")
    assert tab.page.get_by_role("button").count() == 0
    assert not street.agrees(member)
