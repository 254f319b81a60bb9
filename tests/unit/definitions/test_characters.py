"""Control characters are found wherever they stand."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.definitions.characters import refuse_control_characters
from shared.kernel.errors import Unprocessable

CONTROLS = [chr(code) for code in range(0x3000) if unicodedata.category(chr(code)) == "Cc"]


@given(st.sampled_from(CONTROLS), st.text(st.characters(exclude_categories=("Cc", "Cs"))), st.sampled_from(["name", "title", "body"]))
def test_a_control_character_is_refused_where_it_stands(control: str, text: str, field: str) -> None:
    refuse_control_characters({"a/b": [{field: text}]}, "")
    if field == "body" and control in "\n\r\t":
        refuse_control_characters({"a/b": [{field: text + control}]}, "")
        return
    with pytest.raises(Unprocessable) as refusal:
        refuse_control_characters({"a/b": [{field: text + control}, {field: text}]}, "/definition")
    assert [(each.pointer, each.code) for each in refusal.value.errors] == [(f"/definition/a~1b/0/{field}", "control_character")]


def test_a_name_of_an_entry_is_looked_at_too() -> None:
    with pytest.raises(Unprocessable) as refusal:
        refuse_control_characters({"data": {"a\x00": "b"}}, "/definition")
    assert [each.pointer for each in refusal.value.errors] == ["/definition/data"]


def test_signs_of_languages_and_emoji_are_text() -> None:
    refuse_control_characters({"name": "\u200f\u05e9\u05dc\u05d5\u05dd \u0645\u06cc\u200c\u062e \U0001f468\u200d\U0001f469"}, "")
