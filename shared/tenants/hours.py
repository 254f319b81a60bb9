"""When a location is open: weekly hours and exceptions, in its local time. Pure.

What closes at or before it opens goes on past midnight (``18:00`` to ``02:00``; ``00:00`` to ``00:00`` is the whole day), and belongs to
the day on which it opened, of whose exceptions it is. On the wall clock: a night on which the clocks change is an hour longer or shorter.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from shared.kernel.instants import Instant, date_of, day_of, local_day, wall_minute
from shared.tenants.base import Frozen, Label
from shared.tenants.messaging import Day, LocalTime

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAYS_NEAR: Final = (-2, -1, 0, 1)
"""Days whose spans may reach an instant with their grace: what opened two days before may have closed a minute before midnight."""


class Span(Frozen):
    """Open from ``opens`` until ``closes``, which is of the next day if it is not later."""

    opens: LocalTime
    closes: LocalTime

    @property
    def begins(self) -> int:
        """Minute of the day."""
        return _minute(self.opens)

    @property
    def ends(self) -> int:
        """Minute of the day on which it opened: more than 1440 past midnight."""
        closes = _minute(self.closes)
        return closes if closes > self.begins else closes + 1440


def _in_order(spans: tuple[Span, ...]) -> None:
    if any(later.begins < earlier.ends for earlier, later in pairwise(spans)):
        raise ValueError("the hours of a day are in order and do not overlap; what passes midnight comes last")


class HoursException(Frozen):
    """Other hours from the local day ``first`` to ``last``, both included; none: closed."""

    first: Day
    last: Day
    spans: tuple[Span, ...] = Field(default=(), max_length=4)
    name: Label | None = Field(default=None, description="such as Christmas")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.last < self.first:
            raise ValueError("last is not before first")
        _in_order(self.spans)
        return self


class OpeningHours(Frozen):
    """A location's hours. A weekday that is left out is closed. Of exceptions that meet on a day the first that is listed holds."""

    weekly: dict[Weekday, Annotated[tuple[Span, ...], Field(max_length=4)]] = Field(default_factory=dict, max_length=7)
    exceptions: tuple[HoursException, ...] = Field(default=(), max_length=100)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for spans in self.weekly.values():
            _in_order(spans)
        return self


def is_open(hours: OpeningHours, at: Instant, zone: str, grace: int = 0) -> bool:
    """Whether the location is open at an instant, in its time zone; or was ``grace`` minutes before, or will be so many after."""
    day, minute = local_day(at, zone), wall_minute(at, zone)
    return any(
        span.begins - grace <= minute - 1440 * other < span.ends + grace for other in _DAYS_NEAR for span in _spans(hours, day + other)
    )


def _spans(hours: OpeningHours, day: int) -> tuple[Span, ...]:
    other = next((each for each in hours.exceptions if day_of(each.first) <= day <= day_of(each.last)), None)
    return other.spans if other is not None else hours.weekly.get(WEEKDAYS[date_of(day).weekday()], ())


def _minute(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)
