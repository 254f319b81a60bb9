"""What this function reads from its environment beside the common settings."""

from __future__ import annotations

from dataclasses import dataclass

from shared.aws.settings import Settings, read_settings, variable


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """Where messages go that can never be counted."""

    common: Settings
    dead_letter_url: str


def report_settings() -> ReportSettings:
    """Read once, when the function is wired."""
    return ReportSettings(common=read_settings(), dead_letter_url=variable("DEAD_LETTER_URL"))
