"""What this function reads from its environment beside the common settings."""

from __future__ import annotations

from dataclasses import dataclass

from shared.aws.settings import Settings, read_settings, variable


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """The bus, the queue of the reports, and where goes what these do not take."""

    common: Settings
    bus_name: str
    reports_queue_url: str
    failure_queue_url: str


def relay_settings() -> RelaySettings:
    """Read once, when the function is wired."""
    return RelaySettings(
        common=read_settings(),
        bus_name=variable("BUS_NAME"),
        reports_queue_url=variable("REPORTS_QUEUE_URL"),
        failure_queue_url=variable("FAILURE_QUEUE_URL"),
    )
