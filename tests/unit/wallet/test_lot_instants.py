"""When lots become available and expire: worked cases (tests/cases/expiry.json), and what holds in every zone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.errors import InvalidValue
from shared.kernel.instants import DAY, NEVER, Instant, local_datetime, local_day, parse_rfc3339
from shared.wallet.expiry import ExpiryKind, idle_until, lot_instants
from shared.wallet.model import SLIDING

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "cases" / "expiry.json").read_text())
WORDS = {"never": NEVER, "sliding": SLIDING}
MONTHS: dict[ExpiryKind, int] = {"end_of_month": 1, "end_of_quarter": 3, "end_of_year": 12}
ZONES = st.sampled_from(
    (
        "UTC Europe/Berlin America/New_York America/Sao_Paulo America/Havana Asia/Beirut Asia/Kathmandu Australia/Lord_Howe"
        " Pacific/Apia Pacific/Kiritimati America/Asuncion Africa/Cairo"
    ).split()
)
INSTANTS = st.integers(parse_rfc3339("2005-01-01T00:00:00Z"), parse_rfc3339("2045-01-01T00:00:00Z"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_worked_case(case: dict[str, Any]) -> None:
    rule = (case.get("pending_days", 0), case.get("awaits", ""), case["expiry"], case.get("days"), case.get("periods", 0))
    at, zone = parse_rfc3339(case["at"]), case["zone"]
    available_at = parse_rfc3339(case["available_at"]) if "available_at" in case else 0
    expires_at = WORDS[case["expires_at"]] if case["expires_at"] in WORDS else parse_rfc3339(case["expires_at"])
    assert lot_instants(*rule, case.get("end_of_day", False), at, zone) == (available_at, expires_at)


def test_there_are_cases_enough_of_every_expiry() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES) >= 50
    assert {case["expiry"] for case in CASES} == {"never", "after_days", "inactivity", *MONTHS}


@pytest.mark.parametrize("end_of_day", [False, True])
def test_a_number_of_days_is_needed(end_of_day: bool) -> None:
    with pytest.raises(InvalidValue):
        lot_instants(0, "", "after_days", None, 0, end_of_day, 0, "UTC")


@given(at=INSTANTS, zone=ZONES, kind=st.sampled_from(sorted(MONTHS)), periods=st.integers(0, 30))
def test_a_period_ends_where_the_wall_calendar_turns(at: Instant, zone: str, kind: ExpiryKind, periods: int) -> None:
    def period(instant: Instant) -> int:
        wall = local_datetime(instant, zone)
        return (wall.year * 12 + wall.month - 1) // MONTHS[kind]

    available_at, expires_at = lot_instants(0, "", kind, None, periods, False, at, zone)
    assert available_at == 0
    assert period(expires_at - 1) == period(at) + periods
    assert period(expires_at) == period(at) + periods + 1


@given(at=INSTANTS, zone=ZONES, days=st.integers(1, 800))
def test_the_end_of_the_day_is_where_the_local_day_turns(at: Instant, zone: str, days: int) -> None:
    exact, rounded = idle_until(at, days, False, zone), idle_until(at, days, True, zone)
    assert exact == at + days * DAY
    last = local_day(at, zone) + days
    assert local_day(rounded - 1, zone) <= last < local_day(rounded, zone), "the last day may be one that a zone skipped"
    assert (0, rounded) == lot_instants(0, "", "after_days", days, 0, True, at, zone)
