"""What this function reads from its environment beside the common settings."""

from __future__ import annotations

import os
from dataclasses import dataclass

from shared.aws.settings import Settings, read_settings, variable


@dataclass(frozen=True, slots=True)
class SendingSettings:
    """Its own queue, where messages go that can never be sent, and the outbox of a local stage."""

    common: Settings
    queue_url: str
    dead_letter_url: str
    bucket: str
    outbox: bool


def sending_settings() -> SendingSettings:
    """Read once, when the function is wired. ``PUSH_OUTBOX`` is set on a local stage only."""
    return SendingSettings(
        common=read_settings(),
        queue_url=variable("SENDING_QUEUE_URL"),
        dead_letter_url=variable("DEAD_LETTER_URL"),
        bucket=variable("DATA_BUCKET"),
        outbox=os.environ.get("PUSH_OUTBOX") == "1",
    )
