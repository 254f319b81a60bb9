"""What guests read: the one choice of a language, what is shown to whom, and what may be published."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared.challenges.model import ChallengeBody
from shared.coupons.model import OfferBody, PromotionBody
from shared.programmes.terms import TierLevel, TierScheme
from shared.rewards.model import RewardBody
from shared.tenants.content import MAX_TEXT, Content, Contents, Reader, content_problems, in_language
from shared.tenants.model import TenantSettings

IMAGE = "med_" + "0" * 32
CONTENTS: TypeAdapter[dict[str, Content]] = TypeAdapter(Contents)
FULL = Content(title="Mug", text="Hand made", long_text="Thrown in Meissen", terms="One each", image=IMAGE,
               deep_link="demo://mug", teaser="Only for gold")  # fmt: skip


def tenant(*languages: str, app_link: str = "demo://") -> TenantSettings:
    return TenantSettings(name="Demo", currency="EUR", time_zone="UTC", languages=languages, app_link=app_link)


def problems(contents: dict[str, Any], settings: TenantSettings) -> list[tuple[str, str]]:
    return [(each.pointer, each.code) for each in content_problems(contents, settings, "/definition/content")]


@pytest.mark.parametrize(
    ("languages", "found"),
    [(("de-AT", "en"), 2), (("fr", "en"), 3), (("fr",), 1), ((), 1), (("en", "de"), 3), (("ru-RU-x",), 1), (("pt", "de-CH", "en"), 2)],
)
def test_the_first_language_that_there_is_wins_then_any(languages: tuple[str, ...], found: int) -> None:
    assert in_language({"ru": 1, "de": 2, "en": 3}, languages) == found


def test_a_regional_text_goes_before_that_of_its_language() -> None:
    assert in_language({"de": 1, "de-AT": 2}, ("de-AT",)) == 2


def test_nothing_is_chosen_from_nothing() -> None:
    assert in_language({}, ("de",)) is None


CHOICES = st.dictionaries(st.sampled_from(["de", "de-AT", "en", "fr"]), st.integers(), min_size=1)


@given(CHOICES, st.lists(st.sampled_from(["de-AT", "en", "pt"])))
def test_whoever_reads_anything_is_shown_something(choices: dict[str, int], languages: list[str]) -> None:
    found = in_language(choices, languages)
    assert found in choices.values()
    exact = [each for each in languages if each in choices]
    if exact and exact[0] == languages[0]:
        assert found == choices[exact[0]]


@pytest.mark.parametrize("model", [OfferBody, PromotionBody, RewardBody, ChallengeBody, TierLevel])
def test_everything_that_guests_read_has_the_one_content_and_an_order(model: Any) -> None:
    schema = model.model_json_schema()
    (reference,) = schema["properties"]["content"]["patternProperties"].values()
    assert set(schema["$defs"][reference["$ref"].rpartition("/")[2]]["properties"]) == {
        "title", "text", "long_text", "terms", "image", "deep_link", "teaser",
    }  # fmt: skip
    assert schema["properties"]["sort_order"]["type"] == "integer"


def test_the_teaser_is_for_those_who_cannot_have_it() -> None:
    reader = Reader(("en",), "demo", "https://images.example")
    having, waiting = reader.shown({"en": FULL}, "mug"), reader.shown({"en": FULL}, "mug", teased=True)
    assert having["teaser"] is None
    assert waiting["teaser"] == "Only for gold"
    assert {**having, "teaser": None} == {**waiting, "teaser": None}


def test_an_image_is_linked_by_its_id_alone() -> None:
    links = Reader(("en",), "demo", "https://images.example").shown({"en": FULL}, "mug")["image"]
    base = f"https://images.example/media/demo/{IMAGE}"
    assert links.model_dump() == {
        "small": f"{base}/320.webp", "medium": f"{base}/640.webp", "large": f"{base}/1280.webp", "fallback": f"{base}/fallback",
    }  # fmt: skip


def test_where_images_are_not_delivered_none_is_linked() -> None:
    assert Reader(("en",), "demo").shown({"en": FULL}, "mug")["image"] is None


def test_without_content_the_name_is_read() -> None:
    assert Reader(("en",), "demo").shown({}, "mug") == {"title": "mug"}
    assert Reader(("en",), "demo").title({}, "mug") == "mug"


@pytest.mark.parametrize(
    ("languages", "settings", "expected"),
    [
        (["en"], tenant("en"), []),
        (["de", "en"], tenant("en", "de"), []),
        (["de"], tenant("en", "de"), [("", "missing_language")]),
        ([], tenant("en"), [("", "missing_language")]),
        (["en", "fr"], tenant("en"), [("/fr", "unknown_language")]),
        (["de", "de-AT"], tenant("de"), []),
        (["de"], tenant("de-AT"), []),
        (["de-CH"], tenant("de-AT"), [("", "missing_language")]),
        (["fr"], tenant("de"), [("", "missing_language"), ("/fr", "unknown_language")]),
    ],
)
def test_the_tenants_first_language_must_be_there_and_no_other_than_its_own(
    languages: list[str], settings: TenantSettings, expected: list[tuple[str, str]]
) -> None:
    found = problems({each: {"title": "x"} for each in languages}, settings)
    assert found == [(f"/definition/content{tail}", code) for tail, code in expected]


@pytest.mark.parametrize(
    ("link", "good"),
    [
        ("https://example.com/mug?a=b", True), ("demo://rewards/mug", True), ("http://example.com", False), ("other://x", False),
        ("javascript://example.com/%0aalert(1)", False), ("data://x", False), ("https://", False), ("https://[", False),
    ],
)  # fmt: skip
def test_links_lead_to_https_or_into_the_tenants_app(link: str, good: bool) -> None:
    found = problems({"en": {"title": "x", "deep_link": link}}, tenant("en"))
    assert found == ([] if good else [("/definition/content/en/deep_link", "unknown_scheme")])


@pytest.mark.parametrize("link", ["javascript:alert(1)", "//example.com", "demo:x", "https://a b", "https://a\nb", "https://" + "a" * 500])
def test_what_is_no_link_is_not_even_a_draft(link: str) -> None:
    with pytest.raises(ValidationError):
        Content(title="x", deep_link=link)


@pytest.mark.parametrize("image", ["mug.png", "med_1", "med_" + "g" * 32, "../" + "0" * 33])
def test_an_image_is_named_by_its_id(image: str) -> None:
    with pytest.raises(ValidationError):
        Content(title="x", image=image)


def test_all_texts_together_have_a_bound() -> None:
    each = {"title": "x", "long_text": "x" * 4999}
    codes = [f"{a}{b}" for a in "abcd" for b in "abcde"]
    most = MAX_TEXT // 5000
    assert CONTENTS.validate_python(dict.fromkeys(codes[:most], each))
    with pytest.raises(ValidationError, match="characters together"):
        CONTENTS.validate_python(dict.fromkeys(codes[:most + 1], each))
    with pytest.raises(ValidationError):
        CONTENTS.validate_python({f"{code}x": {"title": "x"} for code in codes} | {"en": {"title": "x"}})


def test_the_levels_of_a_scheme_share_that_bound() -> None:
    content = {f"a{letter}": {"title": "x", "long_text": "x" * 4999} for letter in "abcdefgh"}
    levels = [{"id": f"l{i}", "name": "L", "threshold": i, "content": content} for i in range(3)]
    assert TierScheme.model_validate({"levels": levels[:2]})
    with pytest.raises(ValidationError, match="characters together"):
        TierScheme.model_validate({"levels": levels})
