"""The wall clock of a day: minutes that exist twice, and minutes that the clocks skip."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.instants import MINUTE, day_of, day_start, local_datetime, local_day, parse_rfc3339, wall_instant, wall_minute

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Cairo", "Pacific/Apia", "UTC")


@pytest.mark.parametrize(
    ("day", "clock", "zone", "instant"),
    [
        ("2026-07-01", "08:00", "Europe/Berlin", "2026-07-01T06:00:00Z"),
        ("2026-03-29", "02:30", "Europe/Berlin", "2026-03-29T01:00:00Z"),  # skipped: the gap's end
        ("2026-03-29", "02:00", "Europe/Berlin", "2026-03-29T01:00:00Z"),
        ("2026-03-29", "03:00", "Europe/Berlin", "2026-03-29T01:00:00Z"),
        ("2026-10-25", "02:30", "Europe/Berlin", "2026-10-25T00:30:00Z"),  # twice: the first
        ("2026-10-04", "02:15", "Australia/Lord_Howe", "2026-10-03T15:30:00Z"),  # half an hour is skipped
        ("2026-04-24", "00:00", "Africa/Cairo", "2026-04-23T22:00:00Z"),  # midnight is skipped
        ("2011-12-30", "12:00", "Pacific/Apia", "2011-12-30T10:00:00Z"),  # a whole day is skipped
    ],
)
def test_known_instants(day: str, clock: str, zone: str, instant: str) -> None:
    hours, _, minutes = clock.partition(":")
    assert wall_instant(day_of(day), int(hours) * 60 + int(minutes), zone) == parse_rfc3339(instant)


@given(st.integers(day_of("2024-01-01"), day_of("2028-12-31")), st.integers(0, 1439), st.sampled_from(ZONES))
def test_it_is_the_first_minute_of_the_day_that_shows_it_or_more(day: int, minute: int, zone: str) -> None:
    start = datetime.combine(datetime(1970, 1, 1, tzinfo=UTC).date() + timedelta(days=day), datetime.min.time(), UTC) - timedelta(hours=14)
    wanted = None
    at = int(start.timestamp()) * 1000
    for _ in range(60 * 54):  # from before the day begins anywhere
        wall = datetime.fromtimestamp(at / 1000, ZoneInfo(zone))
        if (wall.date() - datetime(1970, 1, 1, tzinfo=UTC).date()).days == day and wall.hour * 60 + wall.minute >= minute:
            wanted = at
            break
        at += MINUTE
    assert wall_instant(day, minute, zone) == wanted


@given(st.integers(0, 4_000_000_000_000), st.sampled_from(ZONES))
def test_the_minute_is_what_the_clock_shows(instant: int, zone: str) -> None:
    wall = local_datetime(instant, zone)
    assert wall_minute(instant, zone) == wall.hour * 60 + wall.minute
    assert day_start(local_day(instant, zone), zone) <= instant
