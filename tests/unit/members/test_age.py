"""The age limit: worked cases (tests/cases/ages.json), and ages against counting birthdays."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.instants import day_number, parse_rfc3339
from shared.members.age import TooYoung, age_on, check_age
from shared.tenants.rights import AgeLimitSettings
from tests.builders.house import SETTINGS

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "cases" / "ages.json").read_text(encoding="utf-8"))["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_worked_case(case: dict[str, Any]) -> None:
    limit = AgeLimitSettings(years=case["limit"], countries=case.get("countries", {}))
    settings = SETTINGS.model_copy(update={"age_limit": limit, "time_zone": case.get("zone", "Europe/Berlin")})
    fields = {name: case[key] for name, key in (("birth_date", "born"), ("country", "country")) if case.get(key) is not None}
    now = parse_rfc3339(case["now"])
    if case["fits"]:
        check_age(settings, fields, now, "/profile/birth_date")
    else:
        with pytest.raises(TooYoung) as refusal:
            check_age(settings, fields, now, "/profile/birth_date")
        assert [(each.pointer, each.code) for each in refusal.value.errors] == [("/profile/birth_date", "too_young")]


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(0, 40_000))
def test_an_age_is_the_birthdays_that_she_has_had(born: date, lived: int) -> None:
    today = born + timedelta(days=lived)
    birthdays = 0
    for year in range(born.year + 1, today.year + 1):
        is_leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
        birthday = born.replace(year=year) if (born.month, born.day) != (2, 29) or is_leap else date(year, 3, 1)
        birthdays += birthday <= today
    assert age_on(day_number(born), day_number(today)) == birthdays
