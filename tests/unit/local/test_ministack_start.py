"""What functions are made of is unpacked once, however many environments run it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from ministack.core import lambda_runtime

from local import ministack_start
from local.ministack_start import NotAsRead, share


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where archives are unpacked; what is replaced in MiniStack is put back."""
    monkeypatch.setattr(lambda_runtime, "zipfile", zipfile)
    share(tmp_path / "unpacked")
    return tmp_path / "unpacked"


def unpack(folder: Path, archive: Path) -> Path:
    """As MiniStack does it."""
    folder.mkdir(parents=True)
    with lambda_runtime.zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    return folder


def archive_of(path: Path, text: str) -> Path:
    with zipfile.ZipFile(path, "w") as written:
        written.writestr("shared/rules.py", text)
    return path


def test_a_second_environment_is_led_to_what_the_first_unpacked(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = archive_of(tmp_path / "code.zip", "one")
    first = unpack(tmp_path / "a" / "code", archive)
    monkeypatch.delattr(zipfile.ZipFile, "extractall")
    second = unpack(tmp_path / "b" / "code", archive)
    assert (first / "shared" / "rules.py").read_text() == (second / "shared" / "rules.py").read_text() == "one"
    assert first.resolve() == second.resolve()
    assert len(list(home.iterdir())) == 1


def test_another_archive_of_the_same_name_is_another(tmp_path: Path, home: Path) -> None:
    first = unpack(tmp_path / "a" / "code", archive_of(tmp_path / "code.zip", "one"))
    second = unpack(tmp_path / "b" / "code", archive_of(tmp_path / "code.zip", "two"))
    assert [(each / "shared" / "rules.py").read_text() for each in (first, second)] == ["one", "two"]
    assert len(list(home.iterdir())) == 2


def test_who_comes_second_at_the_same_moment_leaves_nothing(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, real = archive_of(tmp_path / "code.zip", "one"), zipfile.ZipFile.extractall
    others: list[Path] = []

    def meanwhile(self: zipfile.ZipFile, *arguments: object) -> None:
        monkeypatch.setattr(zipfile.ZipFile, "extractall", real)
        others.append(unpack(tmp_path / "other" / "code", archive))
        real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(zipfile.ZipFile, "extractall", meanwhile)
    mine = unpack(tmp_path / "mine" / "code", archive)
    assert mine.resolve() == others[0].resolve()
    assert [each.name for each in home.iterdir()] == [mine.resolve().name]


def test_another_way_of_unpacking_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ministack_start, "_EXTRACTIONS", ("zf.extractall(elsewhere)",))
    with pytest.raises(NotAsRead):
        share(tmp_path)
