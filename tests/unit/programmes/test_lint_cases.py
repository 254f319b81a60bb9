"""The linter's worked cases (tests/cases/lint.json): each check found, and just not; every example confirmed by the engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from shared.programmes.lint.model import Code
from tests.unit.programmes.linting import confirm, linted, subject

CASES = json.loads((Path(__file__).parents[2] / "cases" / "lint.json").read_text())
KEYS = {"name", "why", "body", "found", "wallets", "offers", "others", "prices", "severity", "locations"}
ERRORS = {
    *("pays_more_than_spent", "fixed_below_worth", "item_below_worth", "points_loop", "reward_loop"),
    *("expires_before_available", "unreachable_tier"),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_worked_case(case: dict[str, Any]) -> None:
    about = subject(case)
    findings = linted(about)
    assert [[each.code, each.pointer] for each in findings] == case["found"]
    for each in findings:
        assert each.severity == case.get("severity", "error" if each.code in ERRORS else "warning")
        confirm(about, each)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_pointer_leads_into_the_definition(case: dict[str, Any]) -> None:
    about = subject(case)
    for finding in linted(about):
        first, *path = finding.pointer.removeprefix("/").split("/")
        assert first == "definition"
        node: Any = about.body.model_dump(mode="json")
        for part in path:
            node = node[int(part)] if isinstance(node, list) else node[part]
        assert node is not None


def test_every_check_is_found_somewhere_and_cases_are_told_apart() -> None:
    assert {code for case in CASES for code, _ in case["found"]} == set(get_args(Code))
    names = [case["name"] for case in CASES]
    assert len(set(names)) == len(names)
    assert [case["name"] for case in CASES if not case.keys() <= KEYS or not case["why"]] == []
    assert sum(not case["found"] for case in CASES) >= 30
