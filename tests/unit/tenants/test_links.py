from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.errors import InvalidValue
from shared.tenants.links import ExpiredLink, UnknownLink, open_token, seal_token

KEY = b"k" * 32
NOW = 1_795_255_200_000
payloads = st.dictionaries(st.text(max_size=6), st.text(max_size=20) | st.integers(), max_size=4)


@given(payloads, st.integers(1, 10**10))
def test_a_link_opens_until_its_expiry(payload: dict[str, object], lifetime: int) -> None:
    text = seal_token(KEY, "form", payload, NOW + lifetime)
    assert open_token(KEY, "form", text, NOW + lifetime - 1) == payload
    with pytest.raises(ExpiredLink):
        open_token(KEY, "form", text, NOW + lifetime)


def test_a_link_opens_for_its_purpose_and_key_only() -> None:
    text = seal_token(KEY, "form", {"member": "mbr_1"}, NOW + 1)
    for key, purpose in ((KEY, "unsubscribe"), (b"o" * 32, "form"), (KEY, "")):
        with pytest.raises(UnknownLink):
            open_token(key, purpose, text, NOW)


@given(st.text(max_size=300))
def test_any_other_text_is_unknown(text: str) -> None:
    with pytest.raises(UnknownLink):
        open_token(KEY, "form", text, NOW)


@given(payloads, st.data())
def test_a_changed_link_is_unknown(payload: dict[str, object], data: st.DataObject) -> None:
    text = seal_token(KEY, "form", payload, NOW + 1)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("ABCxyz019-_=+ \n").filter(lambda character: character != text[at]))
    for changed in (text[:at] + other + text[at + 1 :], text[:at] + other + text[at:], text + "="):
        with pytest.raises(UnknownLink):
            open_token(KEY, "form", changed, NOW)


def test_only_the_spelling_that_was_made_is_taken() -> None:
    # 29 bytes leave two spare bits in the last character, which a lax decoder ignores.
    text = seal_token(KEY, "form", {"a": 1}, NOW + 1)
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    spellings = [text[:-1] + last for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"]
    same = [spelling for spelling in spellings if base64.urlsafe_b64decode(spelling + "=" * (-len(spelling) % 4)) == raw]
    assert len(same) > 1
    assert [spelling for spelling in same if opens(spelling)] == [text]


def opens(text: str) -> bool:
    try:
        open_token(KEY, "form", text, NOW)
    except UnknownLink:
        return False
    return True


def test_what_does_not_fit_into_a_link_is_refused() -> None:
    with pytest.raises(InvalidValue):
        seal_token(KEY, "form", {"a": "x" * 2000}, NOW)
    with pytest.raises(InvalidValue):
        seal_token(KEY, "form", {}, -1)


def test_a_link_is_short() -> None:
    assert len(seal_token(KEY, "form", {}, NOW)) == 32
