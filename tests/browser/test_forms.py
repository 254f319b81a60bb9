"""A form's page in a browser: fields of every kind, what is wrong beside the field, taken once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from functions.registration import handler
from tests.browser.conftest import PHONE, NewTab
from tests.browser.gateway import gateway
from tests.browser.tab import Tab
from tests.builders.front import Front, settings_with_everything
from tests.builders.house import FRIES, PROGRAMME, House

EVERY = ("birth_date", "first_name", "last_name", "gender", "language", "email", "phone", "postal_code", "city")
LABELS = ["Date of birth", "First name", "Last name", "Gender", "Language (such as en)", "E-mail", "Phone", "Postal code", "City"]
GOOD = {
    "Date of birth": "1990-04-21", "First name": "Anna", "Last name": "O'Neil", "Language (such as en)": "en", "E-mail": "anna@example.com",
    "Phone": "+4915112345678", "Postal code": "10115", "City": "Berlin",
}  # fmt: skip
HOSTILE = '"><script>window.hurt = 1</script><img src=x onerror="window.hurt = 1">'


@pytest.fixture
def front(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    bare_house.create(settings_with_everything())
    bare_house.publish("programme", "points", PROGRAMME)
    bare_house.publish("offer", "fries", FRIES)
    return Front(bare_house, monkeypatch)


@pytest.fixture
def address(front: Front) -> Iterator[str]:
    with gateway("registration", handler.lambda_handler) as address:
        yield f"{address}/v1/forms/"


def says(tab: Tab, heading: str) -> None:
    expect(tab.page.locator("h1")).to_have_text(heading)


def fill(tab: Tab) -> None:
    for label, value in GOOD.items():
        tab.page.get_by_label(label, exact=True).fill(value)
    tab.page.get_by_label("Gender").select_option("female")


@pytest.mark.parametrize("scripts", [True, False])
def test_every_kind_of_field_is_taken_once_and_the_second_time_says_so(
    new_tab: NewTab, front: Front, address: str, scripts: bool
) -> None:
    tab, other = new_tab(java_script_enabled=scripts), new_tab()
    member = front.register()
    link = address + front.invite(member, *EVERY, offer="fries")
    assert (tab.open(link), other.open(link)) == (200, 200)
    fill(tab)
    tab.page.get_by_role("button").click()
    says(tab, "Thank you")
    assert "Fries for 1 euro" in tab.text
    profile = front.call("get_member", member_id=member).body["profile"]
    assert (profile["last_name"], profile["gender"], profile["city"]) == ("O'Neil", "female", "Berlin")
    version = front.house.state(member).version
    tab.open(link)
    says(tab, "Thank you")
    assert "was sent already" in tab.text
    other.page.get_by_label("City").fill("Graz")
    other.page.get_by_role("button").click()
    expect(other.page.locator("main")).to_contain_text("was sent already")
    assert front.house.state(member).version == version
    assert tab.errors == []


def test_what_is_missing_or_wrong_is_said_beside_the_field_and_the_rest_is_kept(tab: Tab, front: Front, address: str) -> None:
    member = front.register()
    tab.open(address + front.invite(member, *EVERY))
    tab.page.get_by_role("button").click()
    expect(tab.page.locator(".wrong")).to_have_count(len(EVERY))
    fill(tab)
    tab.page.get_by_label("Phone").fill("110")
    tab.page.get_by_label("City").fill("")
    tab.page.get_by_label("First name").fill(HOSTILE)
    tab.page.get_by_role("button").click()
    expect(tab.page.get_by_role("alert")).to_be_visible()
    expect(tab.page.get_by_label("City")).to_have_accessible_description("Please fill this in.")
    expect(tab.page.get_by_label("First name")).to_have_value(HOSTILE)
    expect(tab.page.get_by_label("Gender")).to_have_value("female")
    tab.page.get_by_label("City").fill("Berlin")
    tab.page.get_by_role("button").click()
    expect(tab.page.get_by_label("Phone")).to_have_accessible_description("This does not look right: please check it.")
    assert not tab.page.evaluate("() => 'hurt' in window")
    assert front.house.state(member).version == 1


@pytest.mark.parametrize(
    ("locale", "heading"), [("en-GB", "A few questions"), ("de-DE", "Ein paar Fragen"), ("ru-RU", "Несколько вопросов")]
)
def test_it_fits_a_phone_and_everybody_can_use_it(new_tab: NewTab, front: Front, address: str, locale: str, heading: str) -> None:
    tab = new_tab(viewport=PHONE, locale=locale)
    tab.open(address + front.invite(front.register(), *EVERY))
    says(tab, heading)
    for _ in range(2):
        assert tab.faults() == []
        assert not tab.is_wider_than_the_screen
        tab.page.get_by_role("button").click()
        expect(tab.page.locator(".wrong")).to_have_count(len(EVERY))


def test_a_keyboard_is_enough(tab: Tab, front: Front, address: str) -> None:
    member = front.register()
    tab.open(address + front.invite(member, "first_name", "city"))
    assert tab.stops() == ["First name", "City", "Send"]
    tab.page.get_by_label("First name").focus()
    tab.page.keyboard.type("Anna")
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.type("Graz")
    tab.page.keyboard.press("Enter")
    says(tab, "Thank you")
    assert front.call("get_member", member_id=member).body["profile"]["city"] == "Graz"


def test_links_that_are_forged_or_over_give_a_page(tab: Tab, front: Front, address: str) -> None:
    token = front.invite(front.register(), "city", days=1)
    front.house.now += 86_400_000
    for each in (token, token[:-1], "x"):
        assert tab.open(address + each) == 404
        says(tab, "This link leads nowhere")
