"""What this function reads from its environment beside the common settings."""

from __future__ import annotations

from dataclasses import dataclass

from shared.aws.settings import Settings, read_settings, variable


@dataclass(frozen=True, slots=True)
class RedemptionSettings:
    """The queue of pools that are being made, and the bucket of their codes."""

    common: Settings
    queue_url: str
    dead_letter_url: str
    bucket: str


def redemption_settings() -> RedemptionSettings:
    """Read once, when the function is wired."""
    return RedemptionSettings(
        common=read_settings(),
        queue_url=variable("COUPONS_QUEUE_URL"),
        dead_letter_url=variable("DEAD_LETTER_URL"),
        bucket=variable("DATA_BUCKET"),
    )
