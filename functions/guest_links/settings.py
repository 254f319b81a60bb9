"""What this function reads from its environment: the common settings alone."""

from __future__ import annotations

from shared.aws.settings import Settings, read_settings


def guest_links_settings() -> Settings:
    """Read once, when the function is wired."""
    return read_settings()
