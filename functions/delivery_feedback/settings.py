"""What this function reads from its environment beside the common settings."""

from __future__ import annotations

from dataclasses import dataclass

from shared.aws.settings import Settings, read_settings, variable


@dataclass(frozen=True, slots=True)
class FeedbackSettings:
    """Where messages go that are of nobody here."""

    common: Settings
    dead_letter_url: str


def feedback_settings() -> FeedbackSettings:
    """Read once, when the function is wired."""
    return FeedbackSettings(common=read_settings(), dead_letter_url=variable("DEAD_LETTER_URL"))
