"""What this function reads from its environment beside the common settings."""

from __future__ import annotations

from dataclasses import dataclass

from shared.aws.settings import Settings, read_settings, variable


@dataclass(frozen=True, slots=True)
class RegistrationSettings:
    """The queue and bucket of bulk imports, and the queue of what members may ask for."""

    common: Settings
    queue_url: str
    dead_letter_url: str
    bucket: str
    rights_url: str


def registration_settings() -> RegistrationSettings:
    """Read once, when the function is wired."""
    return RegistrationSettings(
        common=read_settings(),
        queue_url=variable("MEMBERS_QUEUE_URL"),
        dead_letter_url=variable("DEAD_LETTER_URL"),
        bucket=variable("DATA_BUCKET"),
        rights_url=variable("RIGHTS_QUEUE_URL"),
    )
