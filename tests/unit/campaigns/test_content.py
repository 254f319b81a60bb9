"""Texts of a step: what is refused when they are saved, and what one member reads."""

from __future__ import annotations

from typing import Any

import pytest

from shared.campaigns.content import Attached, Expiring, TextFailed, Values, asked_for, check_content, needs_person, write
from shared.campaigns.errors import UnusableContent
from shared.campaigns.model import CampaignBody, SendStep
from shared.coupons.model import Coupon, OfferBody
from shared.kernel.instants import parse_rfc3339
from shared.messaging.look import Look
from shared.messaging.payloads import MessageTooLarge
from shared.messaging.tracking import Tracking
from shared.tenants.branding import Branding
from shared.tenants.model import TenantSettings

OFFER = OfferBody.model_validate(
    {
        "name": "Fries",
        "effect": {"kind": "amount", "amount": 100},
        "content": {"de": {"title": "Pommes für 1 Euro", "text": "Guten Appetit"}, "en": {"title": "Fries for 1 euro"}},
    }
)
COUPON = Coupon("cpn_1", "fries", 1, "active", "mbr_1", 0, parse_rfc3339("2026-12-21T23:00:00Z"), code="ABC")
ATTACHED = Attached(COUPON, OFFER)
SETTINGS = TenantSettings.model_validate(
    {
        "name": "Fritz",
        "currency": "EUR",
        "time_zone": "Europe/Berlin",
        "app_link": "app://",
        "wallets": {"points": {"points": 10, "value": 1}},
    }
)


def step(body: str = "b", title: str = "t", **more: Any) -> SendStep:
    html = {"html": more.pop("html")} if "html" in more else {}
    content = more.pop("content", {"en": {"title": title, "body": body, "deep_link": more.pop("deep_link", None), **html}})
    return SendStep.model_validate({"id": "s", "content": content, **more})


def problems(of: SendStep, trigger: dict[str, Any] | None = None, wallets: Any = None) -> list[tuple[str, str]]:
    body = CampaignBody.model_validate({"name": "c", "trigger": trigger or {"kind": "once"}, "steps": [of.model_dump()]})
    try:
        check_content(body, wallets)
    except UnusableContent as error:
        return [(each.pointer, each.code) for each in error.errors]
    return []


AT = "/definition/steps/0/content/en/"
BODY_AT = f"{AT}body"


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (step("Hi {{ member.first_name }} of {{ tenant.name }}, {{ balance.points.value }}"), []),
        (step("{{ coupon.title }}", offer="fries"), []),
        (step("{{ coupon.title }}"), [(BODY_AT, "unknown_variable")]),
        (step("{{ member.phone }}"), [(BODY_AT, "unknown_variable")]),
        (step("{{ link }}"), [(BODY_AT, "unknown_variable")]),
        (step("{{ link }}", form={"fields": ["birth_date"]}), []),
        (step("{{ link }}", deep_link="app://x/{{ coupon.id }}", offer="fries"), []),
        (step(deep_link="{{ link }}"), [(f"{AT}deep_link", "unknown_variable")]),
        (step("{% if x %}", title="{{"), [(f"{AT}title", "invalid_template"), (BODY_AT, "invalid_template")]),
        (step("b", html="<p>{{ membr.id }}</p>"), [(f"{AT}html", "unknown_variable")]),
        (step("{% if tier.id == 'gold' %}{{ expiring.points }} until {{ expiring.expires_on }}{% endif %}"), []),
        (step("{{ data.order }}"), [(BODY_AT, "unknown_variable")]),
        (step("x" * 1600, channel="sms"), [(BODY_AT, "message_too_large")]),
        (step("x" * 1530, channel="sms"), []),
        (step("😀" * 1100), [(BODY_AT, "message_too_large")]),
        (step("😀" * 1100, channel="inbox"), []),
        (step("я" * 1000, by_channel={"sms": {"en": {"title": "t", "body": "я" * 671}}}, ladder={"channels": ["inbox", "sms"]}),
         [("/definition/steps/0/by_channel/sms/en/body", "message_too_large")]),
    ],
)  # fmt: skip
def test_texts_are_checked_before_they_are_published(of: SendStep, expected: list[tuple[str, str]]) -> None:
    assert problems(of) == expected


def test_data_is_what_the_trigger_declares() -> None:
    of = step("{{ data.order.total }}{% for line in data.lines %}{{ line.name }}{% endfor %}")
    assert problems(of, {"kind": "api", "data": ["order", "lines"]}) == []
    assert problems(of, {"kind": "api", "data": ["order"]}) == [(BODY_AT, "unknown_variable")]


def test_balances_are_of_the_tenants_wallets() -> None:
    of = step("{{ balance.points.points }}{{ balance.coins.points }}")
    assert problems(of) == []
    assert problems(of, wallets={"points"}) == [(BODY_AT, "unknown_variable")]
    assert problems(of, wallets={"points", "coins"}) == []


def test_an_unknown_variable_is_named_with_its_line() -> None:
    body = CampaignBody.model_validate({"name": "c", "trigger": {"kind": "once"}, "steps": [step("a\n{{ member.nam }}").model_dump()]})
    with pytest.raises(UnusableContent) as caught:
        check_content(body)
    assert caught.value.errors[0].detail.startswith("member.nam (line 2); here are known: balance.*, expiring.expires_on")


def body_of(of: SendStep, values: Values, channel: Any = "push") -> str:
    return write(of, channel, values, SETTINGS).body


def test_the_coupons_words_are_in_her_language_and_its_last_day_is_local() -> None:
    of = step("{{ coupon.title }} {{ coupon.text }} {{ coupon.code }} {{ coupon.expires_on }}", offer="fries")
    german = write(of, "push", Values(person={"language": "de-AT"}, attached=ATTACHED), SETTINGS)
    assert german.body == "Pommes für 1 Euro Guten Appetit ABC 2026-12-21"
    assert german.deep_link == "app://coupons/cpn_1"
    assert body_of(of, Values(attached=ATTACHED)) == "Fries for 1 euro  ABC 2026-12-21"


def test_what_is_known_of_her() -> None:
    values = Values(
        member="mbr_1", person={"first_name": "Anna"}, balances={"points": 1234}, expiring=Expiring(50, "2026-12-03"), tier="gold",
        tier_title="Gold", location="Mitte", data={"order": {"total": 7}},
    )  # fmt: skip
    of = step(
        "{{ member.first_name }}|{{ member.last_name }}|{{ balance.points.points }}|{{ balance.points.value }}|{{ expiring.points }}"
        '|{{ expiring.expires_on | date: "%d.%m." }}|{{ tier.title }}|{{ location.name }}|{{ data.order.total }}|{{ tenant.name }}'
    )
    assert body_of(of, values) == "Anna||1234|1.23 EUR|50|03.12.|Gold|Mitte|7|Fritz"
    conditions = step("{% if balance.points.points >= 1000 %}many{% endif %}{% if tier.id %} {{ tier.id }}{% endif %}")
    assert body_of(conditions, values) == "many gold"
    assert body_of(of, Values()) == "|||||||||Fritz"


def test_the_language_is_hers_and_else_the_tenants() -> None:
    of = step(content={"ru": {"title": "a", "body": "я"}, "en": {"title": "a", "body": "e"}, "de": {"title": "a", "body": "d"}})
    people: list[dict[str, str]] = [{"language": "de-AT"}, {"language": "fr"}, {}]
    assert [write(of, "push", Values(person=person), SETTINGS).language for person in people] == ["de", "en", "en"]


def test_a_channel_may_have_its_own_text_and_only_mail_a_page() -> None:
    of = step("long", html="<b>{{ member.first_name }}</b>", by_channel={"sms": {"en": {"title": "t", "body": "short"}}})
    values = Values(person={"first_name": "<Anna>"})
    assert body_of(of, values, "sms") == "short"
    assert write(of, "email", values, SETTINGS).html == "<b>&lt;Anna&gt;</b>"
    assert write(of, "push", values, SETTINGS).html == ""


def test_links_in_their_order() -> None:
    plain, deep = step("{{ link }}", form={"fields": ["city"]}), step("{{ link }}", deep_link="app://x", form={"fields": ["city"]})
    assert write(deep, "push", Values(form_link="app://forms/t"), SETTINGS).deep_link == "app://forms/t"
    assert write(deep, "push", Values(), SETTINGS).body == "app://x"
    assert write(plain, "push", Values(), SETTINGS).deep_link == "app://"


def test_a_coupons_own_link_goes_before_its_place_in_the_app() -> None:
    linked = OFFER.model_validate({**OFFER.model_dump(), "content": {"en": {"title": "Fries", "deep_link": "app://fries"}}})
    message = step("{{ coupon.title }}", offer="fries")
    assert write(message, "push", Values(attached=ATTACHED), SETTINGS).deep_link == "app://coupons/cpn_1"
    assert write(message, "push", Values(attached=Attached(COUPON, linked)), SETTINGS).deep_link == "app://fries"


def test_links_are_tracked_but_for_the_one_to_unsubscribe() -> None:
    values = Values(unsubscribe_link="https://api.example/u/demo/x")
    of = step("https://a.example {{ unsubscribe_link }}", html='<a href="https://b.example">b</a><a href="{{ unsubscribe_link }}">no</a>')
    tracking = Tracking(lambda number: f"https://t.example/{number}", "https://t.example/p.gif", (values.unsubscribe_link,))
    text = write(of, "email", values, SETTINGS, tracking)
    assert text.body == "https://t.example/0 https://api.example/u/demo/x"
    assert text.html.startswith('<a href="https://t.example/1">b</a><a href="https://api.example/u/demo/x">no</a><img src="https://t.example/p.gif"')
    assert text.links == ("https://a.example", "https://b.example")
    assert write(of, "email", values, SETTINGS).links == ()


LOOK = Look("Café Fritz", "#7a1f3d", "#ffffff", "https://img.example/logo.png")
BRANDED = SETTINGS.model_copy(update={"branding": Branding(name="Café Fritz", color="#7a1f3d")})


def test_an_email_without_html_is_a_letter_in_the_look_of_a_tenant_that_has_one() -> None:
    values = Values(unsubscribe_link="https://api.example/u/demo/x")
    of = step("Soup & <bread>, see https://a.example/menu.\n\nBook now:\nhttps://b.example/book\n\n{{ unsubscribe_link }}")
    tracking = Tracking(lambda number: f"https://t.example/{number}", "https://t.example/p.gif", (values.unsubscribe_link,))
    text = write(of, "email", values, BRANDED, tracking, LOOK)
    assert "Soup &amp; &lt;bread&gt;, see" in text.html
    assert '<img src="https://img.example/logo.png" alt="Café Fritz"' in text.html
    assert '<a href="https://t.example/0">a.example</a>.' in text.html, "in a sentence it is a link"
    assert 'background:#7a1f3d;color:#ffffff">Book now</a>' in text.html
    assert '<a href="https://t.example/1" style=' in text.html
    assert '<a href="https://api.example/u/demo/x">api.example</a>' in text.html, "no button, and not tracked"
    assert text.html.endswith('<img src="https://t.example/p.gif" width="1" height="1" alt=""></body></html>')
    assert text.links == ("https://a.example/menu", "https://b.example/book")
    assert text.html.startswith('<html lang="en">')
    assert write(of, "email", values, SETTINGS, tracking, LOOK).html == "", "who has set nothing has plain text, as before"
    assert write(of, "sms", values, BRANDED, tracking, LOOK).html == ""
    own = step("x", html="<p>own</p>")
    assert write(own, "email", values, BRANDED, None, LOOK).html == "<p>own</p>"


def test_a_text_may_use_the_branding() -> None:
    of = step("{{ tenant.name }}", html='<b style="color:{{ tenant.on_color }}">{{ tenant.color }}</b><img src="{{ tenant.logo }}">')
    assert problems(of) == []
    found = write(of, "email", Values(), BRANDED, None, LOOK)
    assert (found.body, found.html) == (
        "Café Fritz", '<b style="color:#ffffff">#7a1f3d</b><img src="https://img.example/logo.png">',
    )  # fmt: skip
    assert write(of, "push", Values(), SETTINGS).body == "Fritz"


def test_what_is_too_long_for_its_channel() -> None:
    of = step("{{ data.long }}")
    values = Values(data={"long": "я" * 1600})
    with pytest.raises(MessageTooLarge):
        write(of, "sms", values, SETTINGS)
    assert len(body_of(of, values)) == 1500
    assert len(body_of(of, values, "inbox")) == 1600


def test_a_text_that_cannot_be_written_is_a_refusal_with_a_code() -> None:
    of = step("{% for x in data.lines %}{{ x }}{% endfor %}")
    with pytest.raises(TextFailed) as caught:
        write(of, "push", Values(data={"lines": ["x"] * 1000}), SETTINGS)
    assert caught.value.code == "text_failed"


def test_personal_fields_are_opened_only_for_who_is_called_by_name_or_language() -> None:
    assert not needs_person(step("{{ coupon.title }} {{ member.id }}", offer="fries"))
    assert needs_person(step("{{ member.first_name }}"))
    assert needs_person(step("x", html="{% if member.last_name %}x{% endif %}"))
    assert needs_person(step(content={"en": {"title": "a", "body": "b"}, "de": {"title": "a", "body": "b"}}))


def test_what_texts_ask_for() -> None:
    of = step("{{ balance.points.points }}", html="{{ tier.id }}", by_channel={"sms": {"en": {"title": "t", "body": "{{ link }}"}}})
    assert asked_for(of) == {"balance.points.points", "tier.id", "link"}
