"""When what recurs is due: rules over wall clocks, against a plain count of days."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.campaigns.recurring import first_after, her_turn, last_turn, newest_until
from shared.campaigns.triggers import RecurringTrigger
from shared.kernel.instants import DAY, MINUTE, format_rfc3339, parse_rfc3339

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def trigger(rule: str, starts: str = "2026-03-02T10:00", whose: str = "tenant") -> RecurringTrigger:
    return RecurringTrigger.model_validate({"rrule": rule, "starts": starts, "in": whose})


def walls(found: RecurringTrigger, zone: str, after: str, count: int) -> list[str]:
    at, listed = parse_rfc3339(after), []
    for _ in range(count):
        firing = first_after(found, zone, at)
        assert firing is not None
        listed.append(firing.wall)
        at = firing.at
    return listed


@given(
    st.sets(st.sampled_from(range(7)), min_size=1),
    st.integers(1, 3),
    st.integers(0, 23),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kathmandu"]),
)
def test_weekly_rules_agree_with_counting_days(days: set[int], interval: int, hour: int, zone: str) -> None:
    rule = f"FREQ=WEEKLY;INTERVAL={interval};BYDAY={','.join(WEEKDAYS[day] for day in sorted(days))}"
    found = trigger(rule, f"2026-03-02T{hour:02d}:00")
    monday, expected = date(2026, 3, 2), []
    for number in range(200):
        day = monday + timedelta(days=number)
        if day.weekday() in days and (number // 7) % interval == 0:
            expected.append(datetime(day.year, day.month, day.day, hour))
    at = parse_rfc3339("2026-02-20T00:00:00Z")
    for wall in expected[:20]:
        firing = first_after(found, zone, at)
        assert firing is not None
        assert firing.wall == wall.isoformat(timespec="minutes")
        shown = datetime.fromtimestamp(firing.at / 1000, ZoneInfo(zone)).replace(tzinfo=None)
        # Only what the clocks skip is shown later than it says.
        assert shown == wall or timedelta() < shown - wall <= timedelta(hours=1)
        at = firing.at


def test_the_last_day_of_the_month_and_the_second_friday() -> None:
    last = trigger("FREQ=MONTHLY;BYMONTHDAY=-1", "2026-01-31T09:00")
    assert walls(last, "UTC", "2026-01-01T00:00:00Z", 3) == ["2026-01-31T09:00", "2026-02-28T09:00", "2026-03-31T09:00"]
    second = trigger("FREQ=MONTHLY;BYDAY=2FR", "2026-01-01T09:00")
    assert walls(second, "UTC", "2026-01-01T00:00:00Z", 2) == ["2026-01-09T09:00", "2026-02-13T09:00"]


def test_clocks_that_change() -> None:
    daily = trigger("FREQ=DAILY", "2026-03-28T02:30")
    at = [first_after(daily, "Europe/Berlin", parse_rfc3339(f"2026-03-{day}T00:00:00Z")) for day in (28, 29)]
    assert [format_rfc3339(each.at) for each in at if each is not None] == ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z"]
    autumn = first_after(daily, "Europe/Berlin", parse_rfc3339("2026-10-24T12:00:00Z"))
    assert autumn is not None
    assert format_rfc3339(autumn.at) == "2026-10-25T00:30:00Z"


def test_in_the_members_own_time_it_begins_where_the_day_begins() -> None:
    found = trigger("FREQ=DAILY", "2026-06-01T09:00", "member")
    firing = first_after(found, "Europe/Berlin", parse_rfc3339("2026-05-01T00:00:00Z"))
    assert firing is not None
    assert (firing.wall, format_rfc3339(firing.at)) == ("2026-06-01T09:00", "2026-05-31T19:00:00Z")
    assert her_turn(firing.wall, "Pacific/Kiritimati") == firing.at
    assert her_turn(firing.wall, "Etc/GMT+12") == last_turn(found, firing)
    assert last_turn(trigger("FREQ=DAILY"), firing) == firing.at


@given(st.integers(0, 40 * 24 * 60), st.integers(0, 20 * 24 * 60))
def test_of_what_was_missed_the_newest_and_how_many_before(begin: int, length: int) -> None:
    found, start = trigger("FREQ=DAILY", "2026-03-02T10:00"), parse_rfc3339("2026-03-02T10:00:00Z")
    first, now = start - DAY + begin * MINUTE, start - DAY + (begin + length) * MINUTE
    inside = [at for at in range(start, start + 70 * DAY, DAY) if first <= at <= now]
    newest, before = newest_until(found, "UTC", first, now)
    assert (newest.at if newest is not None else None) == (inside[-1] if inside else None)
    assert before == max(len(inside) - 1, 0)


def test_what_has_ended_comes_no_more() -> None:
    found = trigger("FREQ=WEEKLY;COUNT=2")
    assert walls(found, "UTC", "2026-03-01T00:00:00Z", 2) == ["2026-03-02T10:00", "2026-03-09T10:00"]
    assert first_after(found, "UTC", parse_rfc3339("2026-03-09T10:00:00Z")) is None
    until = trigger("FREQ=DAILY;UNTIL=20260304T100000")
    assert first_after(until, "UTC", parse_rfc3339("2026-03-03T10:00:00Z")) is not None
    assert first_after(until, "UTC", parse_rfc3339("2026-03-04T10:00:00Z")) is None


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"rrule": "FREQ=HOURLY"}, "invalid_rrule"),
        ({"rrule": "FREQ=MINUTELY;COUNT=3"}, "invalid_rrule"),
        ({"rrule": "FREQ=DAILY;FREQ=WEEKLY"}, "invalid_rrule"),
        ({"rrule": "FREQ=DAILY;BYSECOND=1,2"}, "invalid_rrule"),
        ({"rrule": "FREQ=DAILY;BYEASTER=0"}, "invalid_rrule"),
        ({"rrule": "FREQ=DAILY;BYMONTHDAY=31"}, "invalid_rrule"),
        ({"rrule": "FREQ=WEEKLY;BYDAY=XX"}, "invalid_rrule"),
        ({"rrule": "FREQ=DAILY;UNTIL=20260304T100000Z"}, "invalid_rrule"),
        ({"rrule": "FREQ=DAILY;COUNT=MANY"}, "invalid_rrule"),
        ({"rrule": "FREQ=WEEKLY;BYMONTHDAY=1"}, "invalid_rrule"),
        ({"starts": "2026-13-02T10:00"}, "value_error"),
        ({"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "invalid_rrule"),
        ({"rrule": "FREQ=DAILY;UNTIL=20250101T000000"}, "invalid_rrule"),
        ({"rrule": "FREQ=DAILY;BYMINUTE=0,30"}, "too_often"),
        ({"rrule": "FREQ=DAILY;BYHOUR=8,12,18"}, "too_often"),
        ({"starts": "2026-03-02"}, "string_pattern_mismatch"),
        ({"in": "nobody"}, "literal_error"),
    ],
)
def test_rules_that_are_not_taken(change: dict[str, Any], kind: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        RecurringTrigger.model_validate({"rrule": "FREQ=DAILY", "starts": "2026-03-02T10:00"} | change)
    (error,) = refusal.value.errors()
    assert (error["type"], error["loc"]) == (kind, tuple(change))


def test_often_is_fine_where_it_ends() -> None:
    assert trigger("FREQ=DAILY;BYHOUR=8,12,18;COUNT=900").rrule


def test_what_is_stored_is_what_was_written() -> None:
    found = trigger("FREQ=DAILY", whose="member")
    body = found.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert body["in"] == "member"
    assert RecurringTrigger.model_validate(body) == found
