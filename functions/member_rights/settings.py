"""What this function reads from its environment beside the common settings."""

from __future__ import annotations

from dataclasses import dataclass

from shared.aws.settings import Settings, read_settings, variable


@dataclass(frozen=True, slots=True)
class RightsSettings:
    """Its own queue, the bucket of files that members asked for, and where goes what can never be worked on."""

    common: Settings
    queue_url: str
    dead_letter_url: str
    bucket: str


def rights_settings() -> RightsSettings:
    """Read once, when the function is wired."""
    return RightsSettings(
        common=read_settings(),
        queue_url=variable("RIGHTS_QUEUE_URL"),
        dead_letter_url=variable("DEAD_LETTER_URL"),
        bucket=variable("DATA_BUCKET"),
    )
