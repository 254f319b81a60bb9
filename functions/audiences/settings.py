"""What this function reads from its environment beside the common settings."""

from __future__ import annotations

from dataclasses import dataclass

from shared.aws.settings import Settings, read_settings, variable


@dataclass(frozen=True, slots=True)
class AudienceSettings:
    """Its own queue, the queue that snapshots are asked for with, the bucket of both, and where goes what can never be worked on."""

    common: Settings
    queue_url: str
    snapshots_url: str
    bucket: str
    dead_letter_url: str


def audience_settings() -> AudienceSettings:
    """Read once, when the function is wired."""
    return AudienceSettings(
        common=read_settings(),
        queue_url=variable("EXPORTS_QUEUE_URL"),
        snapshots_url=variable("SNAPSHOTS_QUEUE_URL"),
        bucket=variable("DATA_BUCKET"),
        dead_letter_url=variable("DEAD_LETTER_URL"),
    )
