"""The command: files in, files out, and what it says about files that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.__main__ import main
from local.replay import sales_that_come_back

CASES = Path(__file__).parents[2] / "cases" / "replay"
DEFINITIONS, EVENTS, EXPECTED = CASES / "coffee.json", CASES / "coffee.jsonl", CASES / "expected"
UNTIL = "2026-04-30T00:00:00-04:00"


def replay(out: Path, definitions: Path = DEFINITIONS, events: Path = EVENTS, *more: str) -> int:
    return main(["replay", str(definitions), str(events), "--out", str(out), *more])


def test_the_worked_example_gives_exactly_what_is_written_down(tmp_path: Path) -> None:
    assert replay(tmp_path, DEFINITIONS, EVENTS, "--until", UNTIL) == 0
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(each.name for each in EXPECTED.iterdir())
    for file in EXPECTED.iterdir():
        assert (tmp_path / file.name).read_text() == file.read_text(), file.name


def test_the_same_input_gives_the_same_bytes_also_over_older_results(tmp_path: Path) -> None:
    made = []
    for _ in range(2):
        replay(tmp_path)
        made.append({each.name: each.read_bytes() for each in tmp_path.iterdir()})
    assert made[0] == made[1]


def test_a_folder_of_parts_as_the_api_answers_them_is_the_same_as_one_file(tmp_path: Path) -> None:
    whole, parts = json.loads(DEFINITIONS.read_text()), tmp_path / "parts"
    parts.mkdir()
    whole["catalogue"] = {"data": whole["catalogue"], "next_cursor": None}
    programme = whole["programmes"][0]
    answered = {"kind": "programme", "version": 3, "status": "published", "effective_from": "2026-01-01T00:00:00Z", "etag": "3.1"}
    whole["programmes"] = {"data": [programme | answered | {"changed_at": "2026-01-01T00:00:00Z"}]}
    for name, part in whole.items():
        (parts / f"{name}.json").write_text(json.dumps({name: part}))
    assert replay(tmp_path / "out", parts, EVENTS, "--until", UNTIL) == 0
    assert (tmp_path / "out" / "balances.csv").read_text() == (EXPECTED / "balances.csv").read_text()


def _in_groups(**more: Any) -> dict[str, Any]:
    """Two houses, one of them in the west by its city: a point for a euro, 50 more in the west, and a euro off for as long as it pays."""
    bonus = {"kind": "fixed", "id": "west", "points": 50, "per": "receipt", "when": {"location_groups": ["west"]}}
    rules = [{"kind": "per_amount", "id": "base", "points": 1, "per": 100}, bonus]
    off = {"name": "Off", "effect": {"kind": "amount", "amount": 100}, "limits": {"group_budgets": {"west": 250}}}
    return {
        "settings": {"name": "Fries", "currency": "EUR", "time_zone": "Europe/Berlin"},
        "locations": [{"id": "dom", "name": "Dom", "groups": ["cologne"]}, {"id": "alex", "name": "Alex"}],
        "location_groups": {"groups": [{"id": "west", "name": "West"}, {"id": "cologne", "name": "Cologne", "parent": "west"}]},
        "programmes": [{"id": "points", "definition": {"name": "Points", "earning": rules}}],
        "promotions": [{"id": "off", "definition": off}],
    } | more


def test_groups_of_locations_are_what_the_service_takes_them_for(tmp_path: Path) -> None:
    """Three purchases of 10 euros at each house: in the west the third gets no euro off, as its budget has 50 cents left."""
    (tmp_path / "shop.json").write_text(json.dumps(_in_groups()))
    lines: list[dict[str, Any]] = [{"type": "registration", "at": "2026-03-01T09:00:00Z", "member": "ann"}]
    for number, location in enumerate(["dom", "alex"] * 3):
        natural = {"source": "till", "location_id": location, "business_date": "2026-03-02", "receipt_number": str(number)}
        at = {"occurred_at": f"2026-03-02T1{number}:00:00Z", "currency": "EUR", "member": {"id": "ann"}}
        lines.append({"type": "purchase", **natural, **at, "lines": [{"id": "1", "item_id": "latte", "unit_price": 1000}]})
    (tmp_path / "events.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert replay(tmp_path / "out", tmp_path / "shop.json", tmp_path / "events.jsonl") == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    west, elsewhere = 2 * (9 + 50) + (10 + 50), 3 * 9
    assert summary["wallets"]["points"]["earned"] == west + elsewhere


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"location_groups": [{"id": "cologne", "name": "C"}]}, "/definition/earning/1/when/location_groups/0: unknown_location_group"),
        ({"location_groups": [{"id": "cologne", "name": "C"}]}, "/definition/limits/group_budgets/west: unknown_location_group"),
        ({"location_groups": [{"id": "west", "name": "W", "parent": "west"}]}, "/location_groups/0/parent: cycle"),
        ({"location_groups": [{"id": "west", "title": "W"}]}, "/location_groups/0/title: unknown_field"),
    ],
)
def test_groups_that_do_not_fit_are_pointed_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: dict[str, Any], said: str
) -> None:
    (tmp_path / "shop.json").write_text(json.dumps(_in_groups(**more)))
    assert replay(tmp_path / "out", tmp_path / "shop.json", EVENTS) == 2
    assert said in capsys.readouterr().err.replace("\n", " ")


def test_without_until_time_ends_with_the_last_event(tmp_path: Path) -> None:
    replay(tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["until"] == "2026-03-09T16:10:00Z"
    assert summary["wallets"]["stars"]["expired"] == 0


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("{", "invalid_json"),
        ("{}", "/type: required"),
        ('{"type": "sale"}', "/type: invalid_value"),
        ('{"type": "coupon", "at": "2026-03-01T00:00:00Z", "member": "ann"}', "/offer: required"),
        ('{"type": "coupon", "at": "2026-03-01T00:00:00Z", "member": "ann", "offer": "latte", "code": "x"}', "/code: unknown_field"),
        ('{"type": "registration", "at": "2026-03-01", "member": "ann"}', "/at: invalid_value"),
        ('{"type": "adjustment", "at": "2026-03-01T00:00:00Z", "member": "a", "points": 1.5, "reason": "why"}', "/points: wrong_type"),
    ],
)
def test_a_line_that_is_no_event_stops_it_with_number_pointer_and_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bad: str, said: str
) -> None:
    events = tmp_path / "events.jsonl"
    first = EVENTS.read_text().splitlines()[0]
    events.write_text(f"{first}\n\n{bad}\n")
    assert replay(tmp_path / "out", DEFINITIONS, events) == 2
    told = capsys.readouterr().err.replace("\n", " ")
    assert "line 3" in told
    assert said in told


def test_lines_that_are_no_events_are_skipped_and_counted_if_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = tmp_path / "events.jsonl"
    events.write_text("nonsense\n" + EVENTS.read_text() + '{"type": "void"}\n')
    assert replay(tmp_path / "out", DEFINITIONS, events, "--keep-going", "--until", UNTIL) == 0
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["bad_lines"] == 2
    assert (tmp_path / "out" / "ledger.csv").read_text() == (EXPECTED / "ledger.csv").read_text()
    said = capsys.readouterr().out
    assert "skipped line 1:" in said
    assert "skipped line 21:" in said


def _with(change: Any) -> str:
    whole = json.loads(DEFINITIONS.read_text())
    change(whole)
    return json.dumps(whole)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "invalid_json"),
        ("[]", "wrong_type"),
        (_with(lambda d: d.pop("settings")), "/settings: required"),
        (_with(lambda d: d["settings"].update(currency="COIN")), "/settings/currency: invalid_value"),
        (_with(lambda d: d.update(rules=[])), "/rules: unknown_field"),
        (_with(lambda d: d["programmes"][0]["definition"].update(wallets=1)), "/programmes/0/definition/wallets: unknown_field"),
        (_with(lambda d: d["programmes"][0]["definition"]["earning"][0].update(points=1.5)), "/earning/0/points: wrong_type"),
        (_with(lambda d: d["offers"].clear()), "/programmes/0/definition/conversions/0/offer: unknown_offer"),
        (_with(lambda d: d["programmes"].append(d["programmes"][0])), "/programmes/1/id: duplicate"),
    ],
)
def test_definitions_that_cannot_be_used_say_file_pointer_and_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    definitions = tmp_path / "definitions.json"
    definitions.write_text(text)
    assert replay(tmp_path / "out", definitions) == 2
    told = capsys.readouterr().err
    assert "definitions.json" in told
    assert said in told.replace("\n", " ")


def test_files_that_are_not_there_are_a_wrong_call(tmp_path: Path) -> None:
    assert replay(tmp_path / "out", tmp_path / "none.json") == 2
    assert replay(tmp_path / "out", DEFINITIONS, tmp_path / "none.jsonl") == 2
    assert replay(tmp_path / "out", DEFINITIONS, EVENTS, "--until", "tomorrow") == 2


def test_only_sales_that_come_back_are_kept() -> None:
    assert len(sales_that_come_back(EVENTS)) == 3
