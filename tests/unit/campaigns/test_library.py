"""The library's files: complete in every language, and filled in without a rest whatever the parameters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from shared.campaigns.content import Attached, Values, check_content, write
from shared.campaigns.library.filling import Filling, filled, problems
from shared.campaigns.library.model import CHANNELS, LANGUAGES, entries
from shared.campaigns.lint import check_service
from shared.campaigns.model import CampaignBody, SendStep
from shared.coupons.model import Coupon, OfferBody
from shared.definitions.api import REQUESTS
from shared.kernel.instants import DAY
from shared.tenants.model import TenantSettings
from tests.builders.house import NOW

NAMES = ("bigger_basket", "birthday", "expiry", "new_product", "news", "profile_form", "second_visit", "welcome", "win_back")


def bodies(name: str, **given: Any) -> list[tuple[str, str, Any]]:
    """Kind, id and parsed body of each definition."""
    filling = Filling(
        given.pop("prefix", ""), given.pop("values", {}), given.pop("languages", LANGUAGES), given.pop("channels", CHANNELS)
    )
    made = filled(entries()[name], filling)
    return [(kind, id_, REQUESTS[kind].model_validate({"definition": body}).definition) for kind, id_, body in made]


def campaign(name: str, **given: Any) -> CampaignBody:
    """Its campaign."""
    found = next(body for kind, _, body in bodies(name, **given) if kind == "campaign")
    assert isinstance(found, CampaignBody)
    return found


def by_language(node: Any) -> Iterator[dict[str, Any]]:
    """Whatever is written in a language."""
    if isinstance(node, dict):
        if set(node) & set(LANGUAGES):
            yield node
        for each in node.values():
            yield from by_language(each)
    if isinstance(node, list):
        for each in node:
            yield from by_language(each)


def test_the_library_has_nine_campaigns() -> None:
    assert tuple(entries()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_text_is_there_in_every_language_and_differs_between_them(name: str) -> None:
    entry = entries()[name]
    texts = [*by_language([each.definition for each in entry.definitions]), entry.title, entry.about]
    texts += [each.about for each in entry.parameters.values()]
    for each in texts:
        assert set(each) == set(LANGUAGES)
        said = [json.dumps(each[language], ensure_ascii=False) for language in LANGUAGES]
        only_a_parameter = said[0].count("[[headline]]") or said[0].count("[[story]]")
        assert len(set(said)) == 3 or only_a_parameter, said


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_used_and_has_a_default_within_its_bounds(name: str) -> None:
    entry = entries()[name]
    text = json.dumps([each.definition for each in entry.definitions])
    for parameter, each in entry.parameters.items():
        assert f'"$": "{parameter}"' in text or f"[[{parameter}]]" in text
        assert problems(entry, {parameter: each.default}) == ()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bound", ["least", "most"])
def test_every_number_works_at_its_bounds(name: str, bound: str) -> None:
    for parameter, each in entries()[name].parameters.items():
        if each.kind == "number" and parameter not in ("at_least", "at_most"):
            assert bodies(name, values={parameter: getattr(each, bound)})


@pytest.mark.parametrize("name", NAMES)
def test_a_campaign_has_a_goal_a_holdout_and_texts_that_can_be_written(name: str) -> None:
    body = campaign(name)
    assert body.holdout_percent == 10
    assert body.goal is not None
    assert "goal" in body.model_fields_set
    check_content(body, set())
    check_service(body)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_a_message_reads_well_with_a_coupon_and_without_a_name(name: str, language: str) -> None:
    settings = TenantSettings(name="Fries & More", currency="EUR", time_zone="Europe/Berlin", languages=LANGUAGES)
    offers = {id_: body for kind, id_, body in bodies(name) if kind == "offer"}
    for step in campaign(name).steps:
        if not isinstance(step, SendStep):
            continue
        attached = None
        if isinstance(step.offer, str):
            offer = offers[step.offer]
            assert isinstance(offer, OfferBody)
            coupon = Coupon("cpn_1", step.offer, 1, "active", "mbr_1", NOW, NOW + 30 * DAY)
            attached = Attached(coupon, offer, {"minimum_basket": "12.00 EUR"})
        for person in ({"language": language}, {"language": language, "first_name": "Anna"}):
            values = Values(member="mbr_1", person=person, attached=attached, unsubscribe_link="https://u", form_link="https://f")
            for channel in CHANNELS:
                text = write(step, channel, values, settings)
                whole = f"{text.title}\n{text.body}"
                assert text.language == language
                assert not any(each in whole for each in ("[[", "{{", "{%", "@", "  ", " ,", " ."))
                assert ("Anna" in whole) == (channel == "email" and "first_name" in person)
                assert ("https://u" in whole) == (channel == "email")
                assert ("https://f" in whole) == (channel == "email" and step.form is not None)


def test_another_prefix_makes_other_ids_that_name_one_another() -> None:
    made = bodies("win_back", prefix="spring")
    assert [(kind, id_) for kind, id_, _ in made] == [
        ("segment", "spring-sleepers"), ("offer", "spring-win-back-coupon"), ("campaign", "spring-win-back"),
    ]  # fmt: skip
    body = campaign("win_back", prefix="spring")
    (step,) = body.steps
    assert isinstance(step, SendStep)
    assert (body.audience.segment, getattr(body.trigger, "segment", None), step.offer) == (
        "spring-sleepers", "spring-sleepers", "spring-win-back-coupon",
    )  # fmt: skip


def test_parameters_reach_numbers_and_texts() -> None:
    made = bodies("welcome", values={"percent": 35, "remind_days": 3}, languages=("de",))
    offer, body = made[0][2], campaign("welcome", values={"remind_days": 3})
    assert (offer.effect.percent, offer.content["de"].title) == (35, "35 % auf Ihren ersten Besuch")
    wait = body.step("used")
    assert getattr(wait, "timeout_minutes", None) == 3 * 1440


def test_a_language_of_the_tenant_reads_its_base_and_one_that_the_library_lacks_reads_english() -> None:
    step = campaign("news", languages=("de-AT", "fr"), values={"headline": {"fr": "Du nouveau", "de": "Neues"}}).steps[0]
    assert isinstance(step, SendStep)
    assert {language: content.title for language, content in step.content.items()} == {"de-AT": "Neues", "fr": "Du nouveau"}
    assert step.by_channel["email"]["fr"].body.startswith("Hello")
    assert step.by_channel["email"]["de-AT"].body.startswith("Guten Tag")


def test_messages_go_over_what_is_set_up_and_over_everything_while_nothing_is() -> None:
    for channels, expected in (({"inbox"}, ("inbox",)), ({"email", "inbox"}, ("email", "inbox")), (set(), CHANNELS)):
        step = campaign("news", channels=channels).steps[0]
        assert isinstance(step, SendStep)
        assert step.channels == expected
        assert ("email" in step.by_channel) == ("email" in expected)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"percent": 51}, "out_of_bounds"),
        ({"percent": 4}, "out_of_bounds"),
        ({"percent": "20"}, "out_of_bounds"),
        ({"product": ""}, "out_of_bounds"),
        ({"product": 5}, "out_of_bounds"),
        ({"product": {}}, "out_of_bounds"),
        ({"product": {"en": "x" * 61}}, "out_of_bounds"),
        ({"nothing": 1}, "unknown_parameter"),
    ],
)
def test_what_is_beyond_the_bounds_is_pointed_at(given: dict[str, Any], code: str) -> None:
    (found,) = problems(entries()["new_product"], given)
    assert (found.pointer, found.code) == (f"/parameters/{next(iter(given))}", code)


def test_text_parameters_fit_at_their_bounds() -> None:
    assert problems(entries()["new_product"], {"percent": 50, "product": "x" * 60}) == ()
