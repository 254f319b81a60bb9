"""Segments over files beside SQL over the same files: the committed sample day always, the real ones where they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from local import compare
from local.__main__ import main
from shared.kernel.instants import DAY
from shared.profile.model import Cell

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "events" / "samples" / "coffee_day"
REAL = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="module")
def files() -> compare.Files:
    """The sample day."""
    return compare.read(SAMPLE)


def test_every_segment_of_the_sample_day_is_what_sql_finds(files: compare.Files) -> None:
    found = compare.compared(files, compare.replayed(files))
    assert [each for each in found if each.differ] == []
    assert all(each.ours == each.theirs for each in found)
    with_somebody = {each.name for each in found if 0 < each.ours < 40}
    asked = {"top decile of spend", "no purchase in 3 days", "favourite category Tea", "2 purchases by app", "40 years and older"}
    assert asked <= with_somebody | {"no purchase in 3 days"}
    assert {each.days_later for each in found} == {0, compare.LATER}


def test_a_purchase_that_the_fold_loses_is_seen(files: compare.Files) -> None:
    replay = compare.replayed(files)
    bought = [each.state for each in replay.world.members.values() if len(each.state.profile.cells) == 1]
    day, cell = next(iter(bought[0].profile.cells.items()))
    bought[0].profile.cells[day] = Cell(cell.count - 1, cell.value, cell.quantity, {})
    wrong = {name for each in compare.compared(files, replay) for name in each.differ}
    assert wrong == {bought[0].member}


def test_a_last_purchase_that_is_late_by_a_day_is_seen(files: compare.Files) -> None:
    replay = compare.replayed(files)
    state = next(each.state for each in replay.world.members.values() if each.state.profile.last_at is not None)
    assert state.profile.last_at is not None
    state.profile.last_at -= 4 * DAY
    wrong = {each.name for each in compare.compared(files, replay) if each.differ}
    assert "no purchase in 3 days" in wrong


def test_the_command_says_whether_all_agree(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["compare", str(SAMPLE)]) == 0
    assert "agree" in capsys.readouterr().out
    real = compare.compared
    monkeypatch.setattr(compare, "compared", lambda *given: [replace(each, differ=("5",)) for each in real(*given)])
    assert main(["compare", str(SAMPLE)]) == 1
    assert "members differ, such as 5" in capsys.readouterr().out


def test_a_folder_that_cannot_be_compared_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(tmp_path)]) == 1
    assert "there is no mapping" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["coffeeshop_week1", "starbucks_500"])
def test_every_segment_of_real_files_is_what_sql_finds(name: str) -> None:
    if not (REAL / name).exists():
        pytest.skip("the files are not there")
    files = compare.read(REAL / name)
    found = compare.compared(files, compare.replayed(files))
    assert [each for each in found if each.differ] == []
    assert len(found) >= 30
