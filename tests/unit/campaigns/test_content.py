"""Texts of a step: what is refused when they are saved, and what one member reads."""

from __future__ import annotations

from typing import Any

import pytest

from shared.campaigns.content import Attached, check_content, needs_person, write
from shared.campaigns.errors import UnusableContent
from shared.campaigns.model import CampaignBody, Step
from shared.coupons.model import Coupon, OfferBody
from shared.kernel.instants import parse_rfc3339

OFFER = OfferBody.model_validate(
    {
        "name": "Fries",
        "effect": {"kind": "amount", "amount": 100},
        "content": {"de": {"title": "Pommes für 1 Euro", "text": "Guten Appetit"}, "en": {"title": "Fries for 1 euro"}},
    }
)
COUPON = Coupon("cpn_1", "fries", 1, "active", "mbr_1", 0, parse_rfc3339("2026-12-21T23:00:00Z"), code="ABC")
ATTACHED = Attached(COUPON, OFFER)


def step(body: str = "b", title: str = "t", **more: Any) -> Step:
    content = more.pop("content", {"en": {"title": title, "body": body, "deep_link": more.pop("deep_link", None)}})
    return Step.model_validate({"id": "s", "content": content, **more})


def problems(of: Step) -> list[tuple[str, str]]:
    body = CampaignBody.model_validate({"name": "c", "trigger": {"kind": "once"}, "steps": [of.model_dump()]})
    try:
        check_content(body)
    except UnusableContent as error:
        return [(each.pointer, each.code) for each in error.errors]
    return []


BODY_AT = "/definition/steps/0/content/en/body"


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (step("Hi {{ member.first_name }}"), []),
        (step("{{ coupon.title }}", offer="fries"), []),
        (step("{{ coupon.title }}"), [(BODY_AT, "unknown_variable")]),
        (step("{{ member.phone }}"), [(BODY_AT, "unknown_variable")]),
        (step("{{ link }}"), [(BODY_AT, "unknown_variable")]),
        (step("{{ link }}", form={"fields": ["birth_date"]}), []),
        (step("{{ link }}", deep_link="app://x/{{ coupon.id }}", offer="fries"), []),
        (step(deep_link="{{ link }}"), [("/definition/steps/0/content/en/deep_link", "unknown_variable")]),
        (step("{% if x %}", title="{{"), [("/definition/steps/0/content/en/title", "invalid_template"), (BODY_AT, "invalid_template")]),
    ],
)
def test_texts_are_checked_before_they_are_published(of: Step, expected: list[tuple[str, str]]) -> None:
    assert problems(of) == expected


def test_the_coupons_words_are_in_her_language_and_its_last_day_is_local() -> None:
    of = step("{{ coupon.title }} {{ coupon.text }} {{ coupon.code }} {{ coupon.expires_on }}", offer="fries")
    german = write(of, {"language": "de-AT"}, ATTACHED, None, "app://", "Europe/Berlin", ("en",))
    assert german.body == "Pommes für 1 Euro Guten Appetit ABC 2026-12-21"
    assert german.deep_link == "app://coupons/cpn_1"
    assert write(of, {}, ATTACHED, None, "app://", "Europe/Berlin", ("en",)).body == "Fries for 1 euro  ABC 2026-12-21"


def test_links_in_their_order() -> None:
    plain, deep = step("{{ link }}", form={"fields": ["city"]}), step("{{ link }}", deep_link="app://x", form={"fields": ["city"]})
    assert write(deep, {}, None, "app://forms/t", "app://", "UTC", ()).deep_link == "app://forms/t"
    assert write(deep, {}, None, None, "app://", "UTC", ()).body == "app://x"
    assert write(plain, {}, None, None, "app://", "UTC", ()).deep_link == "app://"


def test_a_coupons_own_link_goes_before_its_place_in_the_app() -> None:
    linked = OFFER.model_validate({**OFFER.model_dump(), "content": {"en": {"title": "Fries", "deep_link": "app://fries"}}})
    message = step("{{ coupon.title }}", offer="fries")
    assert write(message, {}, ATTACHED, None, "app://", "UTC", ("en",)).deep_link == "app://coupons/cpn_1"
    assert write(message, {}, Attached(COUPON, linked), None, "app://", "UTC", ("en",)).deep_link == "app://fries"


def test_personal_fields_are_opened_only_for_who_is_called_by_name_or_language() -> None:
    assert not needs_person(step("{{ coupon.title }}", offer="fries"))
    assert needs_person(step("{{ member.first_name }}"))
    assert needs_person(step(content={"en": {"title": "a", "body": "b"}, "de": {"title": "a", "body": "b"}}))
