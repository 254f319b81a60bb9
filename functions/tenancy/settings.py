"""What this function reads from its environment: the common settings, and where push applications tell."""

from __future__ import annotations

import os

from shared.aws.settings import Settings, read_settings, variable


def tenancy_settings() -> Settings:
    """Read once, when the function is wired."""
    return read_settings()


def push_events_topic() -> str:
    """The topic that push applications tell of devices that cannot be reached; empty: none."""
    return os.environ.get("PUSH_EVENTS_TOPIC_ARN", "")


def staff_pool_id() -> str:
    """The user pool of staff."""
    return variable("STAFF_POOL_ID")


def removals_queue_url() -> str:
    """The queue of tenants that are to be removed."""
    return variable("REMOVALS_QUEUE_URL")
