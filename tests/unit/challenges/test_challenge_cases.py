"""Worked cases of challenges, as data: what is told, and what she has in the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.challenges.corner import Corner, at, body_of

CASES = json.loads((Path(__file__).parents[2] / "cases" / "challenges.json").read_text())
JOINED = at("2026-03-01 00:00")


def carry_out(corner: Corner, step: list[Any]) -> None:
    """One step of a case."""
    when, verb, *more = at(step[0]), *step[1:]
    if verb == "give":
        corner.give("it", when)
    elif verb == "buy":
        corner.buy(more[0], when, [tuple(line) for line in more[1]], *more[2:])
    elif verb == "return":
        corner.bring_back(more[0], when, [(line, units) for line, units in more[1]] if len(more) > 1 else ())
    elif verb == "void":
        corner.bring_back(more[0], when, void=True)
    else:
        corner.wait(when)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_worked_case(case: dict[str, Any]) -> None:
    corner = Corner({"it": body_of(**case["challenge"])}, JOINED, offers=case.get("offers"), gifts=case.get("gifts", True))
    for step in case["steps"]:
        carry_out(corner, step)
    assert [list(each) for each in corner.events()] == case["told"]
    assert corner.points == case["points"]
    assert len(corner.state.coupons) == case.get("coupons", 0)
    booked = [posting.points for entry in corner.told.entries for posting in entry.postings]
    assert sum(booked) == case["points"]
    assert {entry.reference for entry in corner.told.entries} <= {"challenge/it"}


def test_there_are_enough_cases_and_each_says_something_else() -> None:
    assert len({case["why"] for case in CASES}) == len(CASES) >= 40
