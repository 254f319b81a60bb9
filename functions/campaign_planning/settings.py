"""What this function reads from its environment beside the common settings."""

from __future__ import annotations

from dataclasses import dataclass

from shared.aws.settings import Settings, read_settings, variable


@dataclass(frozen=True, slots=True)
class PlanningSettings:
    """Its own queue, where messages go that can never be worked on, and the queue of what is to be sent."""

    common: Settings
    queue_url: str
    dead_letter_url: str
    sending_queue_url: str


def planning_settings() -> PlanningSettings:
    """Read once, when the function is wired."""
    return PlanningSettings(
        common=read_settings(),
        queue_url=variable("PLANNING_QUEUE_URL"),
        dead_letter_url=variable("DEAD_LETTER_URL"),
        sending_queue_url=variable("SENDING_QUEUE_URL"),
    )
