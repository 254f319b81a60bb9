"""Opening hours: worked cases, and against opening the doors minute by minute."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.kernel.instants import MINUTE, parse_rfc3339
from shared.tenants.hours import WEEKDAYS, OpeningHours, is_open

BAR = OpeningHours.model_validate(
    {
        "weekly": {
            "mon": [{"opens": "08:00", "closes": "12:00"}, {"opens": "14:00", "closes": "18:00"}],
            "fri": [{"opens": "18:00", "closes": "02:00"}],
            "sat": [{"opens": "18:00", "closes": "04:00"}],
            "sun": [{"opens": "00:00", "closes": "00:00"}],
        },
        "exceptions": [
            {"first": "2026-12-24", "last": "2026-12-26", "name": "Christmas"},
            {"first": "2026-12-31", "last": "2026-12-31", "spans": [{"opens": "20:00", "closes": "05:00"}]},
        ],
    }
)


@pytest.mark.parametrize(
    ("at", "zone", "expected"),
    [
        ("2026-11-23T08:00:00+01:00", "Europe/Berlin", True),
        ("2026-11-23T07:59:59+01:00", "Europe/Berlin", False),
        ("2026-11-23T12:00:00+01:00", "Europe/Berlin", False),
        ("2026-11-23T13:00:00Z", "Europe/Berlin", True),
        ("2026-11-24T09:00:00+01:00", "Europe/Berlin", False),
        ("2026-11-21T01:59:00+01:00", "Europe/Berlin", True),
        ("2026-11-21T02:00:00+01:00", "Europe/Berlin", False),
        ("2026-11-22T03:59:00+01:00", "Europe/Berlin", True),
        ("2026-11-22T23:59:00+01:00", "Europe/Berlin", True),
        ("2026-11-23T00:00:00+01:00", "Europe/Berlin", False),
        ("2026-12-25T19:00:00+01:00", "Europe/Berlin", False),
        ("2026-12-26T01:00:00+01:00", "Europe/Berlin", False),
        ("2027-01-01T04:59:00+01:00", "Europe/Berlin", True),
        ("2027-01-01T05:00:00+01:00", "Europe/Berlin", False),
        ("2026-11-23T08:00:00+01:00", "America/New_York", False),
        ("2026-10-25T02:30:00+02:00", "Europe/Berlin", True),
        ("2026-10-25T02:30:00+01:00", "Europe/Berlin", True),
    ],
)
def test_a_worked_case(at: str, zone: str, expected: bool) -> None:
    assert is_open(BAR, parse_rfc3339(at), zone) is expected


@pytest.mark.parametrize(
    "body",
    [
        {"weekly": {"mon": [{"opens": "08:00", "closes": "12:00"}, {"opens": "11:00", "closes": "13:00"}]}},
        {"weekly": {"mon": [{"opens": "14:00", "closes": "15:00"}, {"opens": "08:00", "closes": "09:00"}]}},
        {"weekly": {"mon": [{"opens": "18:00", "closes": "02:00"}, {"opens": "20:00", "closes": "21:00"}]}},
        {"weekly": {"mon": [{"opens": "8:00", "closes": "12:00"}]}},
        {"weekly": {"funday": []}},
        {"weekly": {"mon": [{"opens": f"0{n}:00", "closes": f"0{n}:30"} for n in range(5)]}},
        {"exceptions": [{"first": "2026-12-26", "last": "2026-12-24"}]},
        {"exceptions": [{"first": "2026-02-30", "last": "2026-03-01"}]},
    ],
)
def test_hours_that_cannot_be_are_refused(body: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        OpeningHours.model_validate(body)


minutes = st.integers(0, 1439)
weeks = st.dictionaries(st.sampled_from(WEEKDAYS), st.tuples(minutes, minutes))


def clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


@given(weeks, st.integers(0, 20_000), st.sampled_from(["Europe/Berlin", "Asia/Kathmandu"]))
def test_it_is_open_where_a_walk_through_the_local_days_says(week: dict[str, tuple[int, int]], later: int, zone: str) -> None:
    """Of the hours as pairs of wall clocks, without change of clocks in the weeks looked at."""
    hours = OpeningHours.model_validate({"weekly": {day: [{"opens": clock(a), "closes": clock(b)}] for day, (a, b) in week.items()}})
    at = parse_rfc3339("2026-06-01T00:00:00Z") + later * MINUTE
    local = datetime.fromtimestamp(at / 1000, ZoneInfo(zone)).replace(tzinfo=None)
    expected = False
    for back in (0, 1):
        midnight = datetime.combine(local.date() - timedelta(days=back), datetime.min.time())
        span = week.get(WEEKDAYS[midnight.weekday()])
        if span is not None:
            opens = midnight + timedelta(minutes=span[0])
            closes = midnight + timedelta(minutes=span[1], days=int(span[1] <= span[0]))
            expected |= opens <= local < closes
    assert is_open(hours, at, zone) is expected


@given(weeks, st.integers(0, 20_000), st.integers(0, 240))
def test_with_grace_it_is_open_where_it_is_so_within_that_many_minutes(week: dict[str, tuple[int, int]], later: int, grace: int) -> None:
    """Minute by minute: in some minute that is at most so far after, or less than a minute more than so far before."""
    hours = OpeningHours.model_validate({"weekly": {day: [{"opens": clock(a), "closes": clock(b)}] for day, (a, b) in week.items()}})
    at = parse_rfc3339("2026-06-01T00:00:00Z") + later * MINUTE
    expected = any(is_open(hours, at + minute * MINUTE, "Europe/Berlin") for minute in range(-grace, grace + 1))
    assert is_open(hours, at, "Europe/Berlin", grace) is expected


@pytest.mark.parametrize(("at", "expected"), [("2026-11-25T01:58:00+01:00", True), ("2026-11-25T01:59:00+01:00", False)])
def test_grace_after_a_span_of_nearly_a_day_reaches_the_day_after_the_next(at: str, expected: bool) -> None:
    """Open from Monday at ten in the evening until a minute before ten on Tuesday, and four hours more."""
    hours = OpeningHours.model_validate({"weekly": {"mon": [{"opens": "22:00", "closes": "21:59"}]}})
    assert is_open(hours, parse_rfc3339(at), "Europe/Berlin", 240) is expected


@pytest.mark.parametrize(
    ("at", "grace", "expected"),
    [
        ("2026-11-22T23:00:00+01:00", 0, True),
        ("2026-11-20T17:30:00+01:00", 30, True),
        ("2026-11-20T17:29:00+01:00", 30, False),
        ("2026-11-21T02:29:00+01:00", 30, True),
        ("2026-11-21T02:30:00+01:00", 30, False),
        ("2026-12-26T23:45:00+01:00", 15, True),
        ("2026-12-26T23:45:00+01:00", 14, False),
        ("2027-01-01T05:10:00+01:00", 11, True),
    ],
)
def test_grace_reaches_over_midnight(at: str, grace: int, expected: bool) -> None:
    """The Sunday after Christmas opens at midnight: a quarter of an hour before, that is near."""
    assert is_open(BAR, parse_rfc3339(at), "Europe/Berlin", grace) is expected
