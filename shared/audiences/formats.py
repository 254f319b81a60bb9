"""Rows as CSV (RFC 4180, UTF-8, a header, lines end in CR LF) and as JSON lines. Pure.

A text cell of a CSV file that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return gets an apostrophe before it, so that no
spreadsheet takes it for a formula (OWASP, CSV Injection). Numbers stay numbers; JSON lines have every text as it is.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from shared.audiences.columns import Value

Format = Literal["csv", "jsonl"]
CONTENT_TYPES: Final[Mapping[Format, str]] = {"csv": "text/csv; charset=utf-8; header=present", "jsonl": "application/jsonl; charset=utf-8"}
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def header(form: Format, columns: Sequence[str]) -> bytes:
    """What a file begins with."""
    return _lines([list(columns)]) if form == "csv" else b""


def encoded(form: Format, rows: Sequence[Mapping[str, Value]]) -> bytes:
    """Some rows. JSON lines leave out what there is no value of."""
    if form == "csv":
        return _lines([[_cell(value) for value in row.values()] for row in rows])
    kept = ({name: value for name, value in row.items() if value is not None} for row in rows)
    return b"".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for row in kept)


def _lines(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _cell(value: Value) -> str:
    """Several words are joined by semicolons; nothing is an empty cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = ";".join(value) if isinstance(value, tuple) else value
    return f"'{text}" if text.startswith(_FORMULA) else text
