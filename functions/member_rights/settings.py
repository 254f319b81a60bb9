"""What this function reads from its environment beside the common settings."""

from __future__ import annotations

import os
from dataclasses import dataclass

from shared.aws.settings import Settings, read_settings, variable


@dataclass(frozen=True, slots=True)
class RightsSettings:
    """Its own queue, the bucket of files that members asked for, where goes what can never be done, and a local stage's outbox."""

    common: Settings
    queue_url: str
    dead_letter_url: str
    bucket: str
    outbox: bool


def rights_settings() -> RightsSettings:
    """Read once, when the function is wired. ``PUSH_OUTBOX`` is set on a local stage only."""
    return RightsSettings(
        common=read_settings(),
        queue_url=variable("RIGHTS_QUEUE_URL"),
        dead_letter_url=variable("DEAD_LETTER_URL"),
        bucket=variable("DATA_BUCKET"),
        outbox=os.environ.get("PUSH_OUTBOX") == "1",
    )
