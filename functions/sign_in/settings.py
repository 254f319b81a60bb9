"""What this function reads from its environment: the common settings, and where a local stage keeps what went out."""

from __future__ import annotations

import os

from shared.aws.settings import Settings, read_settings


def sign_in_settings() -> Settings:
    """Read once, when the function is wired."""
    return read_settings()


def outbox_bucket() -> str:
    """Where a local stage keeps what went out; empty on every other."""
    return os.environ.get("DATA_BUCKET", "") if os.environ.get("PUSH_OUTBOX") == "1" else ""
