"""Worked cases of earning (tests/cases/earning*.json); what was expected was computed by hand, see each case's ``why``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from shared.kernel.instants import parse_rfc3339
from shared.programmes.outcome import Earned
from tests.unit.programmes.builders import decide

FILES = ("earning.json", "earning_choice.json", "earning_limits.json")
CASES = [case for file in FILES for case in json.loads((Path(__file__).parents[2] / "cases" / file).read_text())]
KEYS = {
    *("name", "why", "lines", "repeat", "rules", "programme", "programmes", "facts", "scene", "payment", "wallets", "exhausted"),
    *("points", "parts", "steps", "count", "usage", "budgets", "posting"),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_worked_case(case: dict[str, Any]) -> None:
    earned = decide(case)
    several = isinstance(case["points"], dict)
    expected = case["points"] if several else {"points": case["points"]} if case["points"] else {}
    assert {award.programme: award.posting.points for award in earned.awards} == expected
    if "parts" in case:
        parts = case["parts"] if several else {"points": case["parts"]}
        assert {award.programme: dict(award.parts) for award in earned.awards} == parts
    if "usage" in case:
        assert [dict(award.usage) for award in earned.awards] == [case["usage"]]
    if "budgets" in case:
        assert earned.budgets == case["budgets"]
    if "count" in case:
        assert len(earned.steps) == case["count"]
    for field, value in case.get("posting", {}).items():
        found = getattr(earned.awards[0].posting, field)
        assert found == (parse_rfc3339(value) if field.endswith("_at") and value else value), field
    for step in case.get("steps", ()):
        assert step.items() <= step_of(earned, step).items()


def step_of(earned: Earned, wanted: dict[str, Any]) -> dict[str, Any]:
    """The only step of that rule, as it is written in the cases."""
    programme = wanted.get("programme")
    (found,) = [each for each in earned.steps if each.rule == wanted["rule"] and programme in (None, each.programme)]
    return {**asdict(found), "lines": list(found.lines)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_every_point_is_in_a_step_and_on_a_line(case: dict[str, Any]) -> None:
    earned = decide(case)
    for award in earned.awards:
        assert sum(points for _, points in award.parts) == award.posting.points
        assert all(points > 0 for _, points in award.parts)
    given = {award.programme: award.posting.points for award in earned.awards}
    for programme in {step.programme for step in earned.steps}:
        assert sum(step.points for step in earned.steps if step.programme == programme) == given.get(programme, 0)


def test_cases_are_told_apart_and_say_nothing_that_is_not_read() -> None:
    names = [case["name"] for case in CASES]
    assert len(set(names)) == len(names)
    assert [case["name"] for case in CASES if not case.keys() <= KEYS or not case["why"]] == []
