"""When a wait is over, on her wall clock. Pure."""

from __future__ import annotations

from shared.campaigns.steps import WaitStep
from shared.kernel.instants import DAY, MINUTE, Instant, day_of, local_day, wall_instant


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


def minute_of(text: str) -> int:
    """The minute of the day that ``HH:MM`` is."""
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)
