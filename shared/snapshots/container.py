"""A file of columns: magic, format, header, one deflated blob a column, checksum. Any column is read without the others.

    RGSN | format (1 byte) | length of the header (4 bytes) | header (deflated JSON) | blobs | crc32 of all before (4 bytes)

Integers are stored in the fewest bytes that hold them, as they are or as steps from the one before (whichever deflates better,
tried on the first rows), the bytes of equal weight side by side: small numbers then deflate to almost nothing, quickly.
Little endian throughout. Pure; the format is ours alone and never read by a newer version: a snapshot is made again instead.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Texts = npt.NDArray[np.bytes_]
"""Fixed width, ASCII."""

MAGIC: Final = b"RGSN"
FORMAT: Final = 1
_LEVEL: Final = 1
_TRIED: Final = 16_384
"""Rows on which the two ways of storing a column are compared."""
_HEAD: Final = struct.Struct("<4sBI")
_WIDTHS: Final = ("u1", "<u2", "<u4", "<u8")


class Damaged(Exception):
    """Not a file of this format: foreign, cut short, or changed. It is made again; nobody is told but the log."""


def write(meta: Mapping[str, Any], ints: Mapping[str, Ints], texts: Mapping[str, Texts], words: Mapping[str, Sequence[str]]) -> bytes:
    """The file of named columns: integers, fixed-width texts, and lists of words of any length."""
    blobs: list[bytes] = []
    columns: dict[str, list[Any]] = {}

    def add(name: str, blob: bytes, *how: Any) -> None:
        columns[name] = [len(blob), *how]
        blobs.append(blob)

    for name, column in ints.items():
        add(name, *_packed(column))
    for name, text in texts.items():
        planes = np.frombuffer(text.tobytes(), np.uint8).reshape(len(text), text.dtype.itemsize).T
        add(name, zlib.compress(planes.tobytes(), _LEVEL), "text", len(text), text.dtype.itemsize)
    for name, listed in words.items():
        add(name, zlib.compress(json.dumps(list(listed), ensure_ascii=False, separators=(",", ":")).encode(), _LEVEL), "words")
    header = zlib.compress(json.dumps({"meta": dict(meta), "columns": columns}, separators=(",", ":")).encode(), _LEVEL)
    body = b"".join((_HEAD.pack(MAGIC, FORMAT, len(header)), header, *blobs))
    return body + struct.pack("<I", zlib.crc32(body))


class Container:
    """A file as read. Opening it checks the whole of it; a column is inflated when it is first asked for."""

    def __init__(self, body: bytes) -> None:
        if len(body) < _HEAD.size + 4 or struct.unpack("<I", body[-4:])[0] != zlib.crc32(memoryview(body)[:-4]):
            raise Damaged("the checksum does not fit")
        magic, format_, length = _HEAD.unpack_from(body)
        if (magic, format_) != (MAGIC, FORMAT):
            raise Damaged("another format")
        try:
            header = json.loads(zlib.decompress(body[_HEAD.size : _HEAD.size + length]))
            self.meta: dict[str, Any] = header["meta"]
            self._columns: dict[str, list[Any]] = header["columns"]
        except (zlib.error, ValueError, KeyError) as error:
            raise Damaged("the header is not readable") from error
        self._body = memoryview(body)
        self._places: dict[str, int] = {}
        place = _HEAD.size + length
        for name, column in self._columns.items():
            self._places[name] = place
            place += column[0]

    def __contains__(self, name: str) -> bool:
        return name in self._columns

    @property
    def names(self) -> list[str]:
        """Every column."""
        return list(self._columns)

    def size(self, name: str) -> int:
        """Bytes of a column in the file."""
        return int(self._columns[name][0])

    def ints(self, name: str) -> Ints:
        """A column of integers."""
        _, kind, number, base, step = self._columns[name]
        if kind == "same":
            return np.full(number, base, np.int64)
        width = int(kind)
        planes = np.frombuffer(self._inflated(name), np.uint8)
        raw = planes if width == 1 else np.ascontiguousarray(planes.reshape(width, number).T).view(_WIDTHS[width.bit_length() - 1])
        column = raw.reshape(number).astype(np.int64)
        column += base
        return np.cumsum(column, out=column) if step else column

    def texts(self, name: str) -> Texts:
        """A column of fixed-width texts."""
        _, _, number, width = self._columns[name]
        planes = np.frombuffer(self._inflated(name), np.uint8)
        return np.ascontiguousarray(planes.reshape(width, number).T).view(f"S{width}").reshape(number)

    def words(self, name: str) -> list[str]:
        """A list of words."""
        listed: list[str] = json.loads(self._inflated(name))
        return listed

    def _inflated(self, name: str) -> bytes:
        place = self._places[name]
        return zlib.decompress(self._body[place : place + self._columns[name][0]])


def _packed(column: Ints) -> tuple[bytes, Any, int, int, int]:
    """(blob, width or ``same``, rows, base, whether steps)."""
    if not len(column) or (column == column[0]).all():
        return b"", "same", len(column), int(column[0]) if len(column) else 0, 0
    plain, steps = _narrow(column[:_TRIED]), _narrow(np.diff(column[:_TRIED], prepend=0))
    by_steps = len(zlib.compress(steps[0], _LEVEL)) < len(zlib.compress(plain[0], _LEVEL))
    raw, width, base = _narrow(np.diff(column, prepend=0) if by_steps else column)
    return zlib.compress(raw, _LEVEL), width, len(column), base, int(by_steps)


def _narrow(column: Ints) -> tuple[bytes, int, int]:
    """The bytes by weight, how many each number has, and what was taken from all of them."""
    base = int(column.min())
    most = int(column.max()) - base
    place = 0 if most < 1 << 8 else 1 if most < 1 << 16 else 2 if most < 1 << 32 else 3
    width = 1 << place
    # Wraps round where the span is wider than a signed number: adding the base again wraps back.
    small = (column - base).astype(_WIDTHS[place])
    return (small.tobytes() if width == 1 else small.view(np.uint8).reshape(len(column), width).T.tobytes()), width, base
