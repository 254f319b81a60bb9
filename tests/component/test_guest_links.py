"""Links in messages, from the letter that goes out to what comes back: clicks, openings, unsubscribing."""

from __future__ import annotations

import html

import pytest

from shared.members.repository import MemberRepository
from shared.messaging.links import KEY_PURPOSE, seal_link
from shared.privacy.crypto import derive
from shared.storage import keys
from tests.builders.campaigns import NEWS
from tests.builders.guests import BASE, BROWSER, LETTER, MASTER, Guests
from tests.builders.house import House

ONE_CLICK = "List-Unsubscribe=One-Click"


@pytest.fixture
def guests(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Guests:
    return Guests(bare_house, monkeypatch)


def tracked(guests: Guests, page: str) -> list[str]:
    return [link for link in guests.links(html.unescape(page)) if "/l/" in link]


# -- clicks -----------------------------------------------------------------------------------------------------------


def test_a_click_leads_where_the_letter_said_and_counts_as_opened_and_clicked(guests: Guests) -> None:
    member = guests.guest()
    letter = guests.letter(member)
    personal, places = tracked(guests, letter.html)
    assert "shop.example" not in letter.html + letter.body
    seen = guests.call(personal)
    assert (seen.status, seen.headers["location"]) == (302, "https://shop.example/menu?for=Anna&x=1")
    assert (seen.headers["cache-control"], seen.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert guests.told(member) == ["message.opened", "message.clicked"]
    (touch,) = guests.house.state(member).touches
    assert touch.opened_at == touch.clicked_at == guests.house.now
    (delivery,) = guests.post.deliveries(member)
    assert {"opened", "clicked"} <= delivery.responded
    version = guests.house.state(member).version
    assert guests.call(places).headers["location"] == "https://shop.example/places"
    assert guests.house.state(member).version == version


def test_the_same_link_in_text_and_page_is_one(guests: Guests) -> None:
    letter = guests.letter(guests.guest())
    assert tracked(guests, letter.body) == tracked(guests, letter.html)[1:]


def test_links_are_kept_sealed(guests: Guests) -> None:
    member = guests.guest("Rosalinde")
    guests.letter(member)
    (raw,) = guests.house.table.query_all(keys.member("demo", member), begins=keys.DELIVERY_PREFIX)
    assert "Rosalinde" not in repr(raw)
    assert "shop.example" not in repr(raw)


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", BROWSER),
        ("GET", {"user-agent": "Mozilla/5.0 (compatible; Barracuda Sentinel)"}),
        ("GET", {**BROWSER, "sec-purpose": "prefetch;prerender"}),
    ],
)
def test_programs_are_led_on_and_not_counted(guests: Guests, method: str, headers: dict[str, str]) -> None:
    member = guests.guest()
    letter = guests.letter(member)
    version = guests.house.state(member).version
    (pixel,) = [link for link in guests.links(letter.html) if "/o/" in link]
    assert guests.call(tracked(guests, letter.html)[1], method, headers=headers).headers["location"] == "https://shop.example/places"
    assert guests.call(pixel, method, headers=headers).status == 200
    assert guests.house.state(member).version == version


def test_whatever_is_no_link_of_ours_is_the_same_page(guests: Guests) -> None:
    member = guests.guest()
    (link, _) = tracked(guests, guests.letter(member).html)
    key, token = derive(MASTER, KEY_PURPOSE), link.rpartition("/")[2]
    never_sent = f"{BASE}/l/demo/{seal_link(key, 'click', 'demo', member, 'dlv_none', 0)}"
    no_such_number = f"{BASE}/l/demo/{seal_link(key, 'click', 'demo', member, guests.letter(member, occurrence='2').origin['delivery'], 9)}"
    changed = link[:-1] + ("A" if link[-1] != "A" else "B")
    bad = [
        (f"{BASE}/l/demo/x", None), (changed, None), (link, "other"), (never_sent, None), (no_such_number, None),
        (f"{BASE}/u/demo/{token}", None), (f"{BASE}/l/demo/{'y' * 500}", None),
    ]  # fmt: skip
    answers = [guests.call(each, tenant=tenant) for each, tenant in bad]
    assert {(each.status, each.body) for each in answers} == {(404, answers[0].body)}
    assert "leads nowhere" in answers[0].text


def test_who_is_forgotten_leaves_links_that_lead_nowhere(guests: Guests) -> None:
    member = guests.guest()
    link = tracked(guests, guests.letter(member).html)[0]
    guests.house.key_table.delete(keys.member_key("demo", member))
    assert guests.call(link).status == 404


def test_a_push_leads_through_us_to_a_page_and_straight_into_the_app(guests: Guests) -> None:
    to_page = {"name": "N", "trigger": {"kind": "once"}, "steps": [{"id": "tell", "content": {"en": {**NEWS["steps"][0]["content"]["en"], "deep_link": "https://shop.example/news"}}}]}  # fmt: skip  # noqa: E501
    to_app = {"name": "N", "trigger": {"kind": "once"}, "steps": [{"id": "tell", "content": {"en": {**NEWS["steps"][0]["content"]["en"], "deep_link": "regulars://news"}}}]}  # fmt: skip  # noqa: E501
    member = guests.guest()
    message = guests.letter(member, to_page, campaign="page")
    assert guests.call(message.data["deep_link"]).headers["location"] == "https://shop.example/news"
    assert guests.letter(member, to_app, campaign="app").data["deep_link"] == "regulars://news"


def test_the_tenants_own_domain_stands_in_links(guests: Guests) -> None:
    guests.post.messaging(email={"from_address": "news@example.com"}, link_base="https://go.example.com/r")
    letter = guests.letter(guests.guest())
    assert 'href="https://go.example.com/r/l/demo/' in letter.html
    assert letter.headers["List-Unsubscribe"].startswith("<https://go.example.com/r/u/demo/")


# -- openings ---------------------------------------------------------------------------------------------------------


def test_the_picture_counts_as_opened_once(guests: Guests) -> None:
    member = guests.guest()
    (pixel,) = [link for link in guests.links(guests.letter(member).html) if "/o/" in link]
    seen = guests.call(pixel)
    assert (seen.status, len(seen.body), seen.body[:6], seen.headers["content-type"]) == (200, 43, b"GIF89a", "image/gif")
    assert "no-store" in seen.headers["cache-control"]
    assert guests.told(member) == ["message.opened"]
    version = guests.house.state(member).version
    assert guests.call(pixel).body == seen.body
    assert guests.house.state(member).version == version
    assert guests.call(f"{BASE}/o/demo/nothing.gif").body == seen.body


# -- unsubscribing ----------------------------------------------------------------------------------------------------


def link_of(headers: dict[str, str]) -> str:
    return headers["List-Unsubscribe"].partition(">")[0].removeprefix("<")


def test_one_click_withdraws_the_consent_with_its_proof_and_counts_once(guests: Guests) -> None:
    member = guests.guest()
    letter = guests.letter(member)
    assert letter.headers["List-Unsubscribe-Post"] == ONE_CLICK
    link = link_of(dict(letter.headers))
    assert link in html.unescape(letter.html)
    for _ in range(3):
        assert guests.call(link, "POST", ONE_CLICK, headers={}).status == 200
    consents = guests.house.state(member).consents
    assert {name: each.granted for name, each in consents.items() if not each.granted} == {"marketing:email": False}
    (record,) = MemberRepository("demo", guests.house.table).consents(member, guests.house.scope().cipher(member))
    assert (record["granted"], record["source"], record["proof"]) == (False, "one_click", letter.origin["delivery"])
    (delivery,) = guests.post.deliveries(member)
    assert "unsubscribed" in delivery.responded
    assert guests.post.deliver(guests.post.order("letter", "tell", [member], "2")) == {"no_consent": 1}


def test_looking_unsubscribes_nobody(guests: Guests) -> None:
    member = guests.guest()
    link = link_of(dict(guests.letter(member).headers))
    version = guests.house.state(member).version
    for method in ("GET", "HEAD"):
        seen = guests.call(link, method)
        assert seen.status == 200
    assert '<form method="post">' in seen.text
    assert "Abmelden" in seen.text
    assert "Fries &amp; More" in seen.text
    assert "Anna" not in seen.text
    assert guests.house.state(member).version == version
    assert guests.call(link, "POST", "", headers=BROWSER).status == 400
    assert guests.house.state(member).version == version


def test_the_pages_own_button_works_and_mail_programs_may_send_parts(guests: Guests) -> None:
    part = '--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'
    for body in (ONE_CLICK, part):
        member = guests.guest()
        seen = guests.call(link_of(dict(guests.letter(member).headers)), "POST", body)
        assert "Abgemeldet" in seen.text
        assert not guests.house.state(member).consents["marketing:email"].granted


def test_a_service_message_stops_service_messages_over_this_channel(guests: Guests) -> None:
    body = {**LETTER, "message_class": "service"}
    member = guests.guest()
    letter = guests.letter(member, body, campaign="receipt")
    guests.call(link_of(dict(letter.headers)), "POST", ONE_CLICK)
    consents = guests.house.state(member).consents
    assert (consents["service:email"].granted, consents["marketing:email"].granted) == (False, True)


def test_a_forgotten_guest_may_still_say_no(guests: Guests) -> None:
    member = guests.guest()
    link = link_of(dict(guests.letter(member).headers))
    guests.house.key_table.delete(keys.member_key("demo", member))
    assert guests.call(link, "POST", ONE_CLICK).status == 200
    changed = link[:-1] + ("A" if link[-1] != "A" else "B")
    assert guests.call(changed, "POST", ONE_CLICK).status == 404
