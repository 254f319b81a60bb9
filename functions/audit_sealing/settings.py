"""What this function reads from its environment beside the common settings."""

from __future__ import annotations

from dataclasses import dataclass

from shared.aws.settings import Settings, read_settings, variable


@dataclass(frozen=True, slots=True)
class SealingSettings:
    """Its own queue, the bucket whose objects stay, and where goes what can never be worked on."""

    common: Settings
    queue_url: str
    dead_letter_url: str
    bucket: str


def sealing_settings() -> SealingSettings:
    """Read once, when the function is wired."""
    return SealingSettings(
        common=read_settings(),
        queue_url=variable("AUDIT_QUEUE_URL"),
        dead_letter_url=variable("DEAD_LETTER_URL"),
        bucket=variable("SEALS_BUCKET"),
    )
