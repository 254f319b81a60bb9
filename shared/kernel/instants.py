"""Time without a clock: an instant is an integer of milliseconds since 1970-01-01T00:00Z.

Days are counted in a location's or tenant's IANA time zone as days since 1970-01-01 (``local_day``), so that a
day is one small integer wherever it is stored.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.kernel.errors import InvalidValue

Instant = int
"""Milliseconds since the epoch, UTC."""
Clock = Callable[[], Instant]
"""Gives the present instant. Passed in by the shells; domain code takes an ``Instant``."""

SECOND: Final = 1000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
NEVER: Final[Instant] = 253402300799000
"""9999-12-31T23:59:59Z: later than everything, and still a valid date."""
_RFC3339: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_EPOCH: Final = date(1970, 1, 1)
_EPOCH_DATETIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final[Instant] = (datetime.min.replace(tzinfo=UTC) - _EPOCH_DATETIME) // timedelta(milliseconds=1)


def parse_rfc3339(text: str) -> Instant:
    """An RFC 3339 date-time with an offset. Sub-millisecond digits are cut. Naive times are refused."""
    if _RFC3339.fullmatch(text) is None:
        raise InvalidValue("not an RFC 3339 date-time with an offset, as in 2026-11-21T10:00:00Z")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidValue("no such instant") from error
    instant = (moment - _EPOCH_DATETIME) // timedelta(milliseconds=1)
    # With an offset the last day can lie beyond what can be written in UTC, and the first one before it.
    if not _FIRST <= instant < NEVER + SECOND:
        raise InvalidValue("no such instant")
    return instant


def format_rfc3339(instant: Instant) -> str:
    """``2026-11-21T10:00:00Z``, with milliseconds only where there are any."""
    moment = _EPOCH_DATETIME + timedelta(milliseconds=instant)
    text = moment.replace(microsecond=0, tzinfo=None).isoformat()
    return f"{text}.{instant % SECOND:03d}Z" if instant % SECOND else f"{text}Z"


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """The IANA zone, or ``InvalidValue``."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidValue(f"unknown time zone {name!r}") from error


def local_datetime(instant: Instant, zone_name: str) -> datetime:
    """The wall clock at that instant in that zone."""
    return (_EPOCH_DATETIME + timedelta(milliseconds=instant)).astimezone(zone(zone_name))


def day_start(day: int, zone_name: str) -> Instant:
    """The first instant of a local day. Where the clocks skip midnight it is the first instant that exists."""
    return wall_instant(day, 0, zone_name)


def wall_minute(instant: Instant, zone_name: str) -> int:
    """The minute of the local day that the wall clock shows, 0 to 1439."""
    now = local_datetime(instant, zone_name)
    return now.hour * 60 + now.minute


@lru_cache(maxsize=4096)
def wall_instant(day: int, minute: int, zone_name: str) -> Instant:
    """When the wall clock of a local day shows that minute: the first time, where it does so twice; where the clocks skip it, the
    first instant after the gap.
    """
    wall = datetime.combine(_EPOCH + timedelta(days=day), time(minute // 60, minute % 60), zone(zone_name))
    instant = _since_epoch(wall)
    if local_datetime(instant, zone_name).replace(tzinfo=None) == wall.replace(tzinfo=None):
        return instant
    # In a gap both readings of the wall time lie around it; the offset changes at a whole second between them.
    before, after = _since_epoch(wall.replace(fold=1)) // SECOND, instant // SECOND
    skipped = local_datetime(after * SECOND, zone_name).utcoffset()
    while after - before > 1:
        middle = (before + after) // 2
        if local_datetime(middle * SECOND, zone_name).utcoffset() == skipped:
            after = middle
        else:
            before = middle
    return after * SECOND


def _since_epoch(wall: datetime) -> Instant:
    return (wall.astimezone(UTC) - _EPOCH_DATETIME) // timedelta(milliseconds=1)


@lru_cache(maxsize=4096)
def _quarter_day(quarter: int, zone_name: str) -> int:
    # Offsets are multiples of 15 minutes and change at most on quarters, so every instant of a quarter has one day.
    return (local_datetime(quarter * 15 * MINUTE, zone_name).date() - _EPOCH).days


def local_day(instant: Instant, zone_name: str) -> int:
    """Days since 1970-01-01 on the wall calendar of that zone."""
    return _quarter_day(instant // (15 * MINUTE), zone_name)


def day_of(text: str) -> int:
    """Days since 1970-01-01 of an ISO date such as ``2026-11-21``."""
    if _DATE.fullmatch(text) is None:
        raise InvalidValue("not a date as in 2026-11-21")
    try:
        return (date.fromisoformat(text) - _EPOCH).days
    except ValueError as error:
        raise InvalidValue("no such day") from error


def format_day(day: int) -> str:
    """The ISO date of a day number."""
    return (_EPOCH + timedelta(days=day)).isoformat()


def date_of(day: int) -> date:
    """The calendar date of a day number."""
    return _EPOCH + timedelta(days=day)


def day_number(value: date) -> int:
    """The day number of a calendar date."""
    return (value - _EPOCH).days
