"""What this function reads from its environment beside the common settings."""

from __future__ import annotations

from dataclasses import dataclass

from shared.aws.settings import Settings, read_settings, variable


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """The bucket of images."""

    common: Settings
    bucket: str


def media_settings() -> MediaSettings:
    """Read once, when the function is wired."""
    return MediaSettings(common=read_settings(), bucket=variable("MEDIA_BUCKET"))
