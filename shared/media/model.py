"""An image as it is kept: what is known of it. Its files are objects (``shared.tenants.content.file_name``)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from shared.kernel.instants import Instant

MAX_BYTES: Final = 4 * 1024 * 1024
"""Of the file as uploaded: as base64 it is 5.6 MB, and Lambda takes 6."""
Status = Literal["making", "ready", "deleting"]
"""``making``: its files are being stored. Only one that is ready may be named by a definition that is published."""
ContentType = Literal["image/jpeg", "image/png", "image/webp"]


@dataclass(frozen=True, slots=True)
class Media:
    """An image. ``width`` and ``height`` are those of the upload, upright, in pixels."""

    id: str
    name: str
    content_type: ContentType
    size: int
    width: int
    height: int
    transparent: bool
    at: Instant
    status: Status = "ready"


@dataclass(frozen=True, slots=True)
class File:
    """One file of an image, as it is stored and delivered."""

    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """What an upload became: its size upright, and its files by variant (a width, or ``fallback``)."""

    width: int
    height: int
    transparent: bool
    files: Mapping[str | int, File]


def id_of(data: bytes) -> str:
    """The id of an image is made from its content: the same one again is the same. 128 bits of SHA-256."""
    return f"med_{hashlib.sha256(data).hexdigest()[:32]}"
