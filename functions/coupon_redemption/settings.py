"""What this function reads from its environment: nothing beside the common settings."""

from __future__ import annotations

from shared.aws.settings import Settings, read_settings


def redemption_settings() -> Settings:
    """Read once, when the function is wired."""
    return read_settings()
