"""Whether bytes are an image that we take, by their header alone: nothing is decoded before its size is known. Pure.

Formats: PNG (W3C Recommendation, section 5.6: IHDR comes first), JPEG (ITU-T T.81, B.2.2: the frame header), WebP (RFC 9649, section 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.media.errors import UnusableImage
from shared.media.model import MAX_BYTES, ContentType

SHORTEST: Final = 64
LONGEST: Final = 8000
MOST_PIXELS: Final = 40_000_000
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG's markers that start a frame; the three others are tables and a reserved one."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says that it is. Width and height in pixels, as stored (not yet upright)."""

    content_type: ContentType
    width: int
    height: int


def check(data: bytes, claimed: str) -> Header:
    """The header of an image that may be decoded; ``UnusableImage`` with the first thing that is wrong."""
    if len(data) > MAX_BYTES:
        raise UnusableImage("too_large", f"it has {len(data)} bytes, and at most {MAX_BYTES} are taken")
    header = header_of(data)
    if header is None:
        raise UnusableImage("not_an_image", "it is neither a JPEG, a PNG nor a WebP")
    if header.content_type != claimed:
        raise UnusableImage("other_type", f"it is an {header.content_type}", "/content_type")
    check_size(header.width, header.height)
    return header


def check_size(width: int, height: int) -> None:
    """``UnusableImage`` unless the sides are 64 to 8000 pixels and the whole at most 40 million."""
    if min(width, height) < SHORTEST:
        raise UnusableImage("too_small", f"it has {width} x {height} pixels, and each side needs {SHORTEST}")
    if max(width, height) > LONGEST or width * height > MOST_PIXELS:
        raise UnusableImage("too_many_pixels", f"it has {width} x {height} pixels; {LONGEST} a side and {MOST_PIXELS} in all are taken")


def header_of(data: bytes) -> Header | None:
    """What the file says that it is; ``None`` if it is none of the three, or ends within its header."""
    if data.startswith(_PNG):
        return _png(data)
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    return None


def _png(data: bytes) -> Header | None:
    is_complete = len(data) >= 33 and data[12:16] == b"IHDR"
    if not is_complete:
        return None
    return Header("image/png", int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))


def _jpeg(data: bytes) -> Header | None:
    """From segment to segment up to the frame header. Each step goes forward, so it ends."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        is_fill, stands_alone = marker == 0xFF, marker == 0x01 or 0xD0 <= marker <= 0xD8
        if is_fill:
            at += 1
        elif stands_alone:
            at += 2
        elif marker in _FRAMES:
            height, width = int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
            return Header("image/jpeg", width, height)
        else:
            at += 2 + max(int.from_bytes(data[at + 2 : at + 4], "big"), 2)
    return None


def _webp(data: bytes) -> Header | None:
    chunk = data[12:16]
    if len(data) < 30:
        return None
    if chunk == b"VP8X":
        width, height = int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    elif chunk == b"VP8L" and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif chunk == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    else:
        return None
    return Header("image/webp", width, height)
