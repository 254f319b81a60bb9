from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.pages import InvalidCursor, Page, open_cursor, seal_cursor

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
CONTEXT = "acme1|members"
positions = st.dictionaries(st.text(max_size=8), st.one_of(st.text(max_size=20), st.integers()), max_size=4)


@given(positions)
def test_a_cursor_gives_its_position_back(position: dict[str, object]) -> None:
    cursor = seal_cursor(KEY, CONTEXT, position)
    assert open_cursor(KEY, CONTEXT, cursor) == position
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(positions)
def test_a_cursor_opens_nowhere_else(position: dict[str, object]) -> None:
    cursor = seal_cursor(KEY, CONTEXT, position)
    for key, context in ((OTHER_KEY, CONTEXT), (KEY, "acme2|members"), (KEY, "acme1|offers"), (KEY, "")):
        with pytest.raises(InvalidCursor):
            open_cursor(key, context, cursor)


@given(st.text(max_size=200))
def test_foreign_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursor) as refused:
        open_cursor(KEY, CONTEXT, text)
    assert refused.value.errors[0].pointer == "/cursor"


def test_a_forged_position_is_refused() -> None:
    raw = base64.urlsafe_b64decode(seal_cursor(KEY, CONTEXT, {"pk": "T#acme1#"}) + "==")
    forged = raw[:16] + json.dumps({"pk": "T#acme2#"}).encode()
    with pytest.raises(InvalidCursor):
        open_cursor(KEY, CONTEXT, base64.urlsafe_b64encode(forged).decode().rstrip("="))


@given(positions, st.data())
def test_a_flipped_bit_is_refused(position: dict[str, object], data: st.DataObject) -> None:
    cursor = seal_cursor(KEY, CONTEXT, position)
    raw = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidCursor):
        open_cursor(KEY, CONTEXT, base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("="))


def test_a_page_keeps_its_end_when_mapped() -> None:
    assert Page([1, 2], "next").map(str) == Page(["1", "2"], "next")
    assert Page([]).next_cursor is None
