from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel import instants as when
from shared.kernel.errors import InvalidValue

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "America/St_Johns",
    "Africa/Cairo",
)
zones = st.sampled_from(ZONES)
# 1990 to 2100: until 1979 a few zones had offsets that are no multiples of a quarter of an hour.
instants = st.integers(631152000000, 4102444800000)
days = st.integers(7305, 47482)


def at(text: str) -> int:
    return when.parse_rfc3339(text)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-21T10:00:00Z", 1795255200000),
        ("2026-11-21T11:00:00+01:00", 1795255200000),
        ("2026-11-21T10:00:00.123456Z", 1795255200123),
        ("1969-12-31T23:59:59.999Z", -1),
        ("9999-12-31T23:59:59Z", when.NEVER),
        ("2024-02-29T12:00:00Z", 1709208000000),
    ],
)
def test_instants_that_are_read(text: str, instant: int) -> None:
    assert at(text) == instant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-21",
        "2026-11-21T10:00:00",
        "2026-11-21 10:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-11-21T25:00:00Z",
        "now",
        "2026-11-21T23:59:60Z",
    ],
)
def test_texts_that_are_no_instant_are_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        at(text)


@given(st.integers(-30610224000000, when.NEVER))
def test_an_instant_survives_being_written(instant: int) -> None:
    text = when.format_rfc3339(instant)
    assert at(text) == instant
    assert text.endswith("Z")
    assert ("." in text) == (instant % 1000 != 0)


def test_milliseconds_are_written_only_where_there_are_any() -> None:
    assert when.format_rfc3339(1795255200000) == "2026-11-21T10:00:00Z"
    assert when.format_rfc3339(1795255200007) == "2026-11-21T10:00:00.007Z"


@pytest.mark.parametrize("name", ["", "Europe/Atlantis", "../etc/passwd", "/etc/passwd", "a\0b"])
def test_zones_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(InvalidValue):
        when.zone(name)


@pytest.mark.parametrize(
    ("text", "zone", "day"),
    [
        ("2026-03-29T00:59:59Z", "Europe/Berlin", "2026-03-29"),  # one second before the spring gap
        ("2026-03-28T23:00:00Z", "Europe/Berlin", "2026-03-29"),
        ("2026-10-24T21:59:59Z", "Europe/Berlin", "2026-10-24"),
        ("2026-10-24T22:00:00Z", "Europe/Berlin", "2026-10-25"),
        ("2026-10-25T22:59:59Z", "Europe/Berlin", "2026-10-25"),  # a day of 25 hours
        ("2026-10-25T23:00:00Z", "Europe/Berlin", "2026-10-26"),
        ("2024-02-29T05:00:00Z", "America/New_York", "2024-02-29"),
        ("2024-03-01T04:59:59Z", "America/New_York", "2024-02-29"),
        ("2026-01-01T18:14:59Z", "Asia/Kathmandu", "2026-01-01"),
        ("2026-01-01T18:15:00Z", "Asia/Kathmandu", "2026-01-02"),
    ],
)
def test_local_days(text: str, zone: str, day: str) -> None:
    assert when.format_day(when.local_day(at(text), zone)) == day


def test_a_day_that_starts_at_one_o_clock() -> None:
    # Sao Paulo went from 23:59:59 on 2018-11-03 to 01:00 on 2018-11-04.
    day = when.day_of("2018-11-04")
    assert when.format_rfc3339(when.day_start(day, "America/Sao_Paulo")) == "2018-11-04T03:00:00Z"


def test_the_length_of_days_round_the_clock_changes() -> None:
    def hours(day: str) -> float:
        number = when.day_of(day)
        return (when.day_start(number + 1, "Europe/Berlin") - when.day_start(number, "Europe/Berlin")) / when.HOUR

    assert (hours("2026-03-28"), hours("2026-03-29"), hours("2026-10-25")) == (24, 23, 25)


@given(instants, zones)
def test_the_local_day_is_the_wall_calendars(instant: int, zone: str) -> None:
    wall = datetime.fromtimestamp(instant // 1000, ZoneInfo(zone)).date()
    assert when.date_of(when.local_day(instant, zone)) == wall


def exists(day: int, zone: str) -> bool:
    """Whether the zone had that day at all: Samoa had no 2011-12-30."""
    noon = datetime.combine(when.date_of(day), datetime.min.time(), ZoneInfo(zone)) + timedelta(hours=12)
    return noon.astimezone(UTC).astimezone(ZoneInfo(zone)).date() == when.date_of(day)


@given(days, zones)
def test_a_day_starts_with_its_first_instant(day: int, zone: str) -> None:
    if not exists(day, zone):
        return
    start = when.day_start(day, zone)
    assert when.local_day(start, zone) == day
    assert when.local_day(start - 1, zone) < day


@given(days, zones)
def test_a_day_has_23_to_25_hours_or_none(day: int, zone: str) -> None:
    length = when.day_start(day + 1, zone) - when.day_start(day, zone)
    assert length == 0 or 23 * when.HOUR <= length <= 25 * when.HOUR


@given(st.dates(date(1, 1, 1), date(9999, 12, 31)))
def test_a_date_survives_being_a_number(value: date) -> None:
    number = when.day_number(value)
    assert when.date_of(number) == value
    assert when.day_of(when.format_day(number)) == number


@pytest.mark.parametrize("text", ["", "2026-2-1", "20260201", "2026-02-30", "2026-02-01T00:00:00Z"])
def test_texts_that_are_no_date_are_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        when.day_of(text)
