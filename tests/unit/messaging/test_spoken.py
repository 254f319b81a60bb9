"""A text of ours in a language that its reader speaks."""

from __future__ import annotations

import pytest

from shared.messaging.spoken import spoken

TEXTS = {"en": ("Hello @name@", "@name@, see @link@ and @other@"), "de": ("Hallo @name@", "@link@")}


@pytest.mark.parametrize(
    ("languages", "title"), [([], "Hello A"), (["fr"], "Hello A"), (["fr", "de-AT"], "Hallo A"), (["en", "de"], "Hello A")]
)
def test_the_first_language_that_there_is_else_english(languages: list[str], title: str) -> None:
    assert spoken(TEXTS, languages, {"name": "A"})[0] == title


def test_a_value_that_looks_like_a_word_is_taken_as_it_is() -> None:
    values = {"name": "@link@", "link": "https://a.example"}
    assert spoken(TEXTS, ["en"], values) == ("Hello @link@", "@link@, see https://a.example and @other@")
