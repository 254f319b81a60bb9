"""When a wait is over, on her wall clock. Pure."""

from __future__ import annotations

from typing import Final

from shared.campaigns.steps import WaitStep
from shared.kernel.instants import DAY, MINUTE, Instant, day_of, local_day, wall_instant

_LAST_ON_EARTH: Final = "Etc/GMT+12"
"""Where a day begins last: UTC-12, by the inverted sign of these names."""


def ends_at(step: WaitStep, now: Instant, zone: str) -> Instant:
    """The instant at which it goes on by time; not later than ``now`` if it need not wait. ``zone`` is hers.

    ``until`` is the next time that her clock shows it, tomorrow if it shows it now. What the clocks skip is the end of the gap.
    """
    if step.minutes is not None:
        return now + step.minutes * MINUTE
    if step.timeout_minutes is not None:
        return now + step.timeout_minutes * MINUTE
    minute = minute_of(step.until) if step.until is not None else 0
    if step.until_date is not None:
        return wall_instant(day_of(step.until_date), minute, zone)
    today = local_day(now, zone)
    found = (wall_instant(day, minute, zone) for day in range(today, today + 3))
    return next((each for each in found if each > now), now + DAY)


def surely_over(step: WaitStep, begins: Instant) -> bool:
    """Whether its date is past for every member when the campaign begins for the first: on no clock on earth it is still to come."""
    minute = minute_of(step.until) if step.until is not None else 0
    return step.until_date is not None and wall_instant(day_of(step.until_date), minute, _LAST_ON_EARTH) <= begins


def minute_of(text: str) -> int:
    """The minute of the day that ``HH:MM`` is."""
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)
