"""What this function reads from its environment beside the common settings."""

from __future__ import annotations

from dataclasses import dataclass

from shared.aws.settings import Settings, read_settings, variable


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """Its own queue, where campaigns that are due go and switches of segments, and where goes what can never be worked on."""

    common: Settings
    queue_url: str
    planning_queue_url: str
    snapshots_queue_url: str
    dead_letter_url: str


def evaluation_settings() -> EvaluationSettings:
    """Read once, when the function is wired."""
    return EvaluationSettings(
        common=read_settings(),
        queue_url=variable("SEGMENTS_QUEUE_URL"),
        planning_queue_url=variable("PLANNING_QUEUE_URL"),
        snapshots_queue_url=variable("SNAPSHOTS_QUEUE_URL"),
        dead_letter_url=variable("DEAD_LETTER_URL"),
    )
