"""What this function reads from its environment beside the common settings."""

from __future__ import annotations

from dataclasses import dataclass

from shared.aws.settings import Settings, read_settings, variable


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """The bus, and where goes what it does not take."""

    common: Settings
    bus_name: str
    failure_queue_url: str


def relay_settings() -> RelaySettings:
    """Read once, when the function is wired."""
    return RelaySettings(common=read_settings(), bus_name=variable("BUS_NAME"), failure_queue_url=variable("FAILURE_QUEUE_URL"))
