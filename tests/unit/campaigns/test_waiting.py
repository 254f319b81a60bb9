"""When waits end, on the member's wall clock."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.campaigns.steps import WaitStep
from shared.campaigns.waiting import ends_at, minute_of, surely_over
from shared.kernel.instants import DAY, HOUR, MINUTE, format_rfc3339, parse_rfc3339, wall_minute


def step(**more: Any) -> WaitStep:
    return WaitStep.model_validate({"id": "w", "kind": "wait", **more})


@pytest.mark.parametrize(
    ("wait", "now", "zone", "ends"),
    [
        ({"minutes": 90}, "2026-06-01T10:00:00Z", "UTC", "2026-06-01T11:30:00Z"),
        ({"for": "coupon.redeemed", "timeout_minutes": 60}, "2026-06-01T10:00:00Z", "UTC", "2026-06-01T11:00:00Z"),
        ({"until": "18:00"}, "2026-06-01T10:00:00Z", "Europe/Berlin", "2026-06-01T16:00:00Z"),
        ({"until": "12:00"}, "2026-06-01T10:00:00Z", "Europe/Berlin", "2026-06-02T10:00:00Z"),
        ({"until": "09:00"}, "2026-06-01T10:00:00Z", "Asia/Tokyo", "2026-06-02T00:00:00Z"),
        ({"until": "02:30"}, "2026-03-28T12:00:00Z", "Europe/Berlin", "2026-03-29T01:00:00Z"),
        ({"until_date": "2026-12-24"}, "2026-06-01T10:00:00Z", "Europe/Berlin", "2026-12-23T23:00:00Z"),
        ({"until_date": "2026-12-24", "until": "08:00"}, "2026-06-01T10:00:00Z", "Europe/Berlin", "2026-12-24T07:00:00Z"),
        ({"until_date": "2026-01-01"}, "2026-06-01T10:00:00Z", "UTC", "2026-01-01T00:00:00Z"),
    ],
)
def test_when_it_goes_on(wait: dict[str, Any], now: str, zone: str, ends: str) -> None:
    assert format_rfc3339(ends_at(step(**wait), parse_rfc3339(now), zone)) == ends


@given(st.integers(0, 400 * DAY), st.integers(0, 23), st.sampled_from(["UTC", "Asia/Kolkata", "America/Sao_Paulo", "Australia/Lord_Howe"]))
def test_the_next_time_is_ahead_and_shows_the_clock(after: int, hour: int, zone: str) -> None:
    now = parse_rfc3339("2026-01-01T00:00:00Z") + after
    found = ends_at(step(until=f"{hour:02d}:00"), now, zone)
    assert now < found <= now + DAY + HOUR
    # Where the clocks skip the hour it is the end of the gap.
    assert wall_minute(found, zone) in (hour * 60, hour * 60 + 30, (hour * 60 + 60) % 1440)
    assert found % MINUTE == 0


def test_a_time_is_a_minute_of_the_day() -> None:
    assert [minute_of(text) for text in ("00:00", "09:05", "23:59")] == [0, 545, 1439]


@pytest.mark.parametrize(
    ("wait", "begins", "over"),
    [
        ({"until_date": "2026-06-01"}, "2026-06-01T11:59:59.999Z", False),
        ({"until_date": "2026-06-01"}, "2026-06-01T12:00:00Z", True),
        ({"until_date": "2026-06-01", "until": "18:00"}, "2026-06-02T05:59:00Z", False),
        ({"until_date": "2026-06-01", "until": "18:00"}, "2026-06-02T06:00:00Z", True),
        ({"until": "00:00"}, "2026-06-02T06:00:00Z", False),
        ({"minutes": 1}, "2026-06-02T06:00:00Z", False),
    ],
)
def test_a_date_is_over_when_it_is_past_where_a_day_begins_last(wait: dict[str, Any], begins: str, over: bool) -> None:
    assert surely_over(step(**wait), parse_rfc3339(begins)) is over
