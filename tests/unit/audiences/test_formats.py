"""Files that every reader takes, and no spreadsheet executes."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audiences.formats import encoded, header

texts = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=20)


def parsed(body: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(body.decode("utf-8"), newline=""), strict=True))


@given(st.lists(st.fixed_dictionaries({"a": texts, "b": texts}), min_size=1, max_size=5))
def test_a_csv_file_is_read_back(rows: list[dict[str, str]]) -> None:
    found = parsed(header("csv", ["a", "b"]) + encoded("csv", rows))
    assert found[0] == ["a", "b"]
    back = [["'" + text if text[:1] in "=+-@\t\r" and text else text for text in row.values()] for row in rows]
    assert found[1:] == back


@given(st.lists(st.fixed_dictionaries({"a": texts | st.integers() | st.booleans() | st.none()}), max_size=5))
def test_json_lines_are_read_back_without_what_is_not_there(rows: list[dict[str, str | int | bool | None]]) -> None:
    lines = encoded("jsonl", rows).split(b"\n")
    assert lines.pop() == b""
    assert [json.loads(line) for line in lines] == [{name: value for name, value in row.items() if value is not None} for row in rows]


@pytest.mark.parametrize("text", ["=1+1", "+49", "-x", "@SUM", "\tx", "\rx"])
def test_a_text_that_a_spreadsheet_would_calculate_is_protected(text: str) -> None:
    ((cell,),) = parsed(encoded("csv", [{"a": text}]))
    assert cell == "'" + text
    ((cell,),) = parsed(encoded("csv", [{"a": (text, "b")}]))
    assert cell == f"'{text};b"


def test_cells_of_every_kind() -> None:
    row = {"a": -5, "b": True, "c": False, "d": None, "e": ("x", "y"), "f": 'say "hi", you', "g": "ü", "h": ()}
    assert encoded("csv", [row]) == '-5,true,false,,x;y,"say ""hi"", you",ü,\r\n'.encode()
    assert encoded("jsonl", [{"a": -5, "e": ("x",), "h": ()}]) == b'{"a":-5,"e":["x"],"h":[]}\n'


def test_json_lines_have_no_header() -> None:
    assert header("jsonl", ["a"]) == b""
    assert header("csv", ["a", "window:count:30:tag=a,b"]) == b'a,"window:count:30:tag=a,b"\r\n'
