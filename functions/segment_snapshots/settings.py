"""What this function reads from its environment beside the common settings."""

from __future__ import annotations

from dataclasses import dataclass

from shared.aws.settings import Settings, read_settings, variable


@dataclass(frozen=True, slots=True)
class SnapshotSettings:
    """Its own queue, the bucket of the objects, and where goes what can never be worked on."""

    common: Settings
    queue_url: str
    bucket: str
    dead_letter_url: str


def snapshot_settings() -> SnapshotSettings:
    """Read once, when the function is wired."""
    return SnapshotSettings(
        common=read_settings(),
        queue_url=variable("SNAPSHOTS_QUEUE_URL"),
        bucket=variable("DATA_BUCKET"),
        dead_letter_url=variable("DEAD_LETTER_URL"),
    )
