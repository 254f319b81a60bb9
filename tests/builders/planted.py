"""Looks for planted personal values in whatever is stored, sent or logged: in clear, or in any spelling that is as good as that.

Blind to what is encrypted or hashed with a key, which is the point; it opens everything else: JSON, DynamoDB's typed values, our packed
bodies, deflated and gzipped bytes.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote, quote_plus

from shared.kernel.errors import InvalidValue
from shared.storage.packing import unpack

_TOO_COMMON = 5
"""A spelling that is shorter would be found by chance in ids and digests."""


class Needles:
    """``values``: what each is -> the value as somebody typed it."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._folded = {(name, each.lower()) for name, value in values.items() for each in _spellings(value)}
        self._exact = {(name, each) for name, value in values.items() for each in _base64_of(value)}

    def found(self, *haystacks: Any) -> list[str]:
        """Which of the values are in there, by their names."""
        names: set[str] = set()
        for haystack in haystacks:
            for piece in pieces(haystack):
                folded = piece.lower()
                names |= {name for name, each in self._folded if each in folded}
                names |= {name for name, each in self._exact if each in piece}
        return sorted(names)


def pieces(value: Any) -> Iterator[bytes]:
    """Every text and every run of bytes within the value, and what is packed in them."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield str(name).encode()
            yield from pieces(each)
    elif isinstance(value, bytes | bytearray):
        yield from _opened(bytes(value))
    elif isinstance(value, str):
        yield value.encode()
        # A text that is bytes in disguise: a binary attribute in a stream's record, a body in a message.
        if len(value) >= 8 and re.fullmatch(r"[A-Za-z0-9+/]+={0,2}|[A-Za-z0-9_-]+={0,2}", value):
            yield from _opened(_decoded(value))
    elif isinstance(value, Iterable):
        for each in value:
            yield from pieces(each)
    elif value is not None:
        yield str(value).encode()


def _opened(raw: bytes) -> Iterator[bytes]:
    yield raw
    for opening in (unpack, gzip.decompress, zlib.decompress, lambda each: zlib.decompress(each, -15), json.loads):
        try:
            inner = opening(raw)
        except (InvalidValue, zlib.error, ValueError, OSError, EOFError):
            continue
        if inner != raw:
            yield from pieces(inner)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.translate(str.maketrans("-_", "+/")) + "==")
    except ValueError:
        return b""


def _spellings(value: str) -> set[bytes]:
    digits = re.sub(r"\D", "", value)
    found = {value, quote(value), quote_plus(value), json.dumps(value)[1:-1], value.encode().hex()}
    if value.startswith("+"):  # a phone number: without its country, as people write it
        found |= {digits, digits[2:], f"0{digits[2:]}"}
    if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        day = date.fromisoformat(value)
        midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        found |= {digits, day.strftime("%d.%m.%Y"), day.strftime("%m/%d/%Y"), str(midnight)}
    return {each.encode() for each in found if len(each) >= _TOO_COMMON}


def _base64_of(value: str) -> set[bytes]:
    """What of the value shows in base64 wherever in a longer text it stands (three alignments)."""
    raw, found = value.encode(), set()
    for shift in range(3):
        for coding in (base64.b64encode, base64.urlsafe_b64encode):
            text = coding(b"\0" * shift + raw)
            core = text[(0, 2, 3)[shift] : len(text) - 4]
            if len(core) >= 8:
                found.add(core)
    return found
