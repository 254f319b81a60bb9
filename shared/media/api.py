"""Bodies of the media routes."""

from __future__ import annotations

from pydantic import Field

from shared.media.model import MAX_BYTES, ContentType
from shared.tenants.content import ImageLinks
from shared.tenants.model import Frozen, Label


class UploadRequest(Frozen):
    """An image: JPEG, PNG or WebP, 64 to 8000 pixels a side, at most 40 million in all, at most 4 MB."""

    name: Label = Field(description="for people who look for it; the first upload's stays")
    content_type: ContentType
    data: str = Field(min_length=1, max_length=-(-MAX_BYTES // 3) * 4, description="base64 (RFC 4648, section 4)")


class MediaAnswer(Frozen):
    """An image and where its files are. ``width`` and ``height`` of the upload, upright, in pixels; ``size`` in bytes."""

    media_id: str
    name: str
    content_type: ContentType
    size: int
    width: int
    height: int
    transparent: bool
    uploaded_at: str
    links: ImageLinks


class MediaPage(Frozen):
    """Images by id."""

    data: tuple[MediaAnswer, ...]
    next_cursor: str | None = None
