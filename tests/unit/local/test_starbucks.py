"""A real file of offers received, purchases and completions, through the replay: exactly the completions that the file has."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from local.__main__ import main
from local.replay_definitions import read_definitions
from local.starbucks import BEGIN
from shared.kernel.instants import HOUR
from shared.member_state.effects import Effects
from shared.replay.engine import Replay
from shared.replay.events import EVENT

FOLDER = Path(__file__).parents[4] / "shared" / "data" / "starbucks_500"
pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="the files of the rewards programme are not there")
Completions = Counter[tuple[str, str, int]]


def of_the_file() -> Completions:
    """(member, offer, hour); the same line twice is two receipts that one purchase completed."""
    lines = (json.loads(line) for line in (FOLDER / "events.jsonl").open())
    return Counter((each["member_id"], each["offer_id"], each["hour"]) for each in lines if each["event"] == "completed")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command writes."""
    out = tmp_path_factory.mktemp("starbucks")
    assert main(["starbucks", str(FOLDER), "--out", str(out)]) == 0
    return out


def replayed(definitions: dict[str, Any], written: Path, folder: Path) -> tuple[Completions, Replay]:
    """The completions by these definitions."""
    file = folder / "used.json"
    file.write_text(json.dumps(definitions))
    known, catalogue = read_definitions(file)
    found: Completions = Counter()

    def hear(member: str, effects: Effects) -> None:
        for each in effects.events:
            if each.type == "challenge.completed":
                times = each.data["times"]
                assert isinstance(times, int)
                found[member, str(each.data["challenge"]), (each.occurred_at - BEGIN) // HOUR] += times

    replay = Replay(known, catalogue, hear=hear, keeps=())
    for line in (written / "events.jsonl").read_bytes().splitlines():
        replay.feed(EVENT.validate_json(line, strict=True))
    replay.finish(replay.last + 1000 * HOUR)
    return found, replay


def test_the_completions_are_exactly_those_of_the_file(written: Path, tmp_path: Path) -> None:
    found, replay = replayed(json.loads((written / "definitions.json").read_text()), written, tmp_path)
    assert found == of_the_file()
    assert (sum(found.values()), max(found.values())) == (1040, 2)
    assert not replay.refusals
    rewards = {each["id"]: each["reward"] for each in json.loads((FOLDER / "offers.json").read_text())}
    earned = sum(each.state.wallet("stars").earned for each in replay.world.members.values())
    assert earned == sum(rewards[offer] * times for (_, offer, _), times in found.items())


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("goal", "compare"), {">=": ">", ">": ">="}),
        (("goal", "counted"), {"cumulative": "single_purchase", "single_purchase": "cumulative"}),
        (("window", "end"), {"inclusive": "exclusive"}),
    ],
    ids=["compare", "counted", "end"],
)
def test_no_other_reading_of_the_rules_agrees_with_the_file(
    place: tuple[str, str], value: dict[str, str], written: Path, tmp_path: Path
) -> None:
    definitions = json.loads((written / "definitions.json").read_text())
    for each in definitions["challenges"]:
        part = each["definition"][place[0]]
        part[place[1]] = value[part[place[1]]]
    found, _ = replayed(definitions, written, tmp_path)
    assert found != of_the_file()
