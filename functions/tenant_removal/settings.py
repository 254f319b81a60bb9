"""What this function reads from its environment beside the common settings."""

from __future__ import annotations

from dataclasses import dataclass

from shared.aws.settings import Settings, read_settings, variable


@dataclass(frozen=True, slots=True)
class RemovalSettings:
    """Its own queue, the buckets in which tenants have objects, and the user pool of their staff."""

    common: Settings
    queue_url: str
    dead_letter_url: str
    data_bucket: str
    media_bucket: str
    staff_pool_id: str


def removal_settings() -> RemovalSettings:
    """Read once, when the function is wired."""
    return RemovalSettings(
        common=read_settings(),
        queue_url=variable("REMOVALS_QUEUE_URL"),
        dead_letter_url=variable("DEAD_LETTER_URL"),
        data_bucket=variable("DATA_BUCKET"),
        media_bucket=variable("MEDIA_BUCKET"),
        staff_pool_id=variable("STAFF_POOL_ID"),
    )
