"""Refusals about images."""

from __future__ import annotations

from shared.kernel.errors import FieldError, NotFound, StateConflict, Unprocessable


class UnknownMedia(NotFound):
    """No such image in this tenant."""

    code, title = "unknown_media", "Unknown image"


class MediaInUse(StateConflict):
    """A published definition names it: publish another version without it first, and retire or replace what names it."""

    code, title = "in_use", "Image in use"


class BeingDeleted(StateConflict):
    """A deletion has not come to its end: send it again, then upload."""

    code, title = "being_deleted", "Image is being deleted"


class UnusableImage(Unprocessable):
    """It is no image that we take. ``errors`` says why, at ``/data`` or ``/content_type``."""

    code, title = "unusable_image", "Unusable image"

    def __init__(self, code: str, reason: str, pointer: str = "/data") -> None:
        super().__init__(f"The image cannot be used: {reason}.", errors=(FieldError(pointer, code, reason),))
