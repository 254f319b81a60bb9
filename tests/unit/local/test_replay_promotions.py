"""Promotions in a replay: the till's own decision, what comes back of it, and definitions from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.console import Failure
from local.replay_definitions import read_definitions
from shared.definitions.model import Definition, DefinitionSet
from tests.unit.local.test_replay_engine import SET, bought, fed, joined, points, returned

CONTENT = {"en": {"title": "Because it is you"}}
HALF: dict[str, Any] = {"name": "Half", "effect": {"kind": "percent", "percent": 50}, "content": CONTENT}
FORTY: dict[str, Any] = {"name": "Forty", "effect": {"kind": "extra_points", "programme": "stars", "points": 40}, "content": CONTENT}


def with_promotions(**bodies: dict[str, Any]) -> DefinitionSet:
    """The example's definitions, and promotions in force from the beginning."""
    made = [Definition("promotion", id_, 1, "published", body, effective_from=0) for id_, body in bodies.items()]
    return DefinitionSet(SET.tenant, SET.settings, SET.locations, (*SET.definitions, *made))


def programme() -> str:
    """The example's programme."""
    return next(each.id for each in SET.definitions if each.kind == "programme")


def test_what_a_promotion_takes_off_earns_nothing() -> None:
    without, half = fed(joined(), bought("1")), fed(joined(), bought("1"), definitions=with_promotions(half=HALF))
    assert (points(without), points(half)) == (15, 10)


def test_points_of_a_promotion_are_given_and_taken_back() -> None:
    forty = FORTY | {"effect": FORTY["effect"] | {"programme": programme()}}
    definitions = with_promotions(forty=forty)
    assert points(fed(joined(), bought("1"), definitions=definitions)) == 15 + 40
    assert points(fed(joined(), bought("1"), returned("r", "1"), definitions=definitions)) == 5


def test_promotions_are_read_from_the_file_of_definitions(tmp_path: Path) -> None:
    whole = json.loads((Path(__file__).parents[2] / "cases" / "replay" / "coffee.json").read_text())
    whole["promotions"] = [{"id": "half", "definition": HALF}]
    file = tmp_path / "all.json"
    file.write_text(json.dumps(whole))
    read, _ = read_definitions(file)
    assert [each.id for each in read.at(0).promotions] == ["half"]
    whole["promotions"] = [{"id": "forty", "definition": FORTY | {"effect": FORTY["effect"] | {"programme": "none"}}}]
    file.write_text(json.dumps(whole))
    with pytest.raises(Failure, match="/promotions/0/definition/effect/programme: unknown_programme"):
        read_definitions(file)
