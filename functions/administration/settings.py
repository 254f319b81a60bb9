"""What this function reads from its environment: the common settings, and the queue of what is to be sent."""

from __future__ import annotations

import os

from shared.aws.settings import Settings, read_settings, variable


def administration_settings() -> Settings:
    """Read once, when the function is wired."""
    return read_settings()


def sending_queue_url() -> str:
    """The queue of what is to be sent; read when the first call triggers a campaign."""
    return variable("SENDING_QUEUE_URL")


def outbox_bucket() -> str:
    """Where a local stage keeps what went out; empty on every other."""
    return os.environ.get("DATA_BUCKET", "") if os.environ.get("PUSH_OUTBOX") == "1" else ""
