"""Birthdays and ages on the local calendar. Who was born on 29 February has the birthday on the 28th in common years."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from shared.kernel.instants import NEVER, Instant, date_of, day_number, day_start
from shared.segments.language.base import COMPARE

if TYPE_CHECKING:
    from shared.segments.language.person import Age, Birthday


def celebrated(born: date, year: int) -> int:
    """The day number of the birthday in a year: 28 February for the 29th in common years."""
    common_leap_day = (born.month, born.day) == (2, 29) and not (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))
    return day_number(date(year, born.month, 28 if common_leap_day else born.day))


def birthday(leaf: Birthday, born_on: int | None, today: int, zone: str) -> tuple[bool | None, Instant]:
    """The answer for a birth date (day number) on a local day."""
    if born_on is None:
        return None, NEVER
    if today < born_on:
        return None, day_start(born_on, zone)
    born, year = date_of(born_on), date_of(today).year
    if isinstance(leaf.month, int):
        return born.month == leaf.month, NEVER
    spans = (_celebration(leaf, born, each) for each in (year - 1, year, year + 1))
    first, after = next(span for span in spans if today < span[1])
    return (True, day_start(after, zone)) if today >= first else (False, day_start(first, zone))


def _celebration(leaf: Birthday, born: date, year: int) -> tuple[int, int]:
    """The first day of the window that is asked for in that year, and the day after its last."""
    if leaf.month == "current":
        return day_number(date(year, born.month, 1)), day_number(date(year + born.month // 12, born.month % 12 + 1, 1))
    day = celebrated(born, year)
    return day - (leaf.within_days_before or 0), day + (leaf.within_days_after or 0) + 1


def age(leaf: Age, born_on: int | None, today: int, zone: str) -> tuple[bool | None, Instant]:
    """The answer for a birth date (day number) on a local day."""
    if born_on is None:
        return None, NEVER
    if today < born_on:
        return None, day_start(born_on, zone)
    born = date_of(born_on)
    truth = COMPARE[leaf.op](years_old(born, today), leaf.years)
    for years in (leaf.years, leaf.years + 1):
        turns = celebrated(born, born.year + years)
        if turns > today and COMPARE[leaf.op](years, leaf.years) is not truth:
            return truth, day_start(turns, zone)
    return truth, NEVER


def years_old(born: date, today: int) -> int:
    """Completed years."""
    year = date_of(today).year
    return year - born.year - (today < celebrated(born, year))
