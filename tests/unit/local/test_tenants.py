"""``python -m local tenants``: what is asked of the API for each command, and what a person is told when it does not go."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from local import console, definitions, tenants
from local.client import Client, Refused, Reply

SETTINGS: dict[str, Any] = {"name": "Corner", "currency": "EUR", "time_zone": "Europe/Berlin", "status": "active"}


class Stage(Client):
    """The operator's API with one tenant, as far as the command asks it."""

    def __init__(self) -> None:
        super().__init__("http://api.example")
        self.settings, self.revision = dict(SETTINGS), 1
        self.exports: list[dict[str, Any]] = []
        self.columns: list[str] = []
        self.removals: list[dict[str, Any]] = []
        self.changes: list[tuple[str, str]] = []

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        if method != "GET":
            self.changes.append((method, path))
        return Reply(200, self._answer(method, path, body, headers or {}), {})

    def _answer(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        shown = {"id": "corner", "mode": "live", "status": self.settings["status"]}
        match method, path:
            case "GET", "/v1/tenants?limit=200":
                return {"data": [shown], "next_cursor": "more"}
            case "GET", "/v1/tenants?limit=200&cursor=more":
                return {"data": [{**shown, "id": "corner-test", "mode": "test"}]}
            case "POST", "/v1/tenants":
                return {"id": body["id"]}
            case "GET", "/v1/tenants/corner":
                return {**shown, "etag": str(self.revision), "settings": self.settings}
            case "PUT", "/v1/tenants/corner":
                assert headers == {"if-match": f'"{self.revision}"'}
                self.settings, self.revision = body["settings"], self.revision + 1
                return {}
            case "DELETE", "/v1/tenants/corner" if self.settings["status"] == "active":
                raise Refused(method, path, 409, {"code": "tenant_active"})
            case ("DELETE", "/v1/tenants/corner") | ("GET", "/v1/tenants/corner/removal"):
                return self.removals.pop(0)
            case "POST", "/v1/members/export" if "balance:draft" in body["columns"]:
                place = body["columns"].index("balance:draft")
                raise Refused(method, path, 422, {"errors": [{"pointer": f"/columns/{place}", "code": "unknown_column", "detail": ""}]})
            case "POST", "/v1/members/export":
                self.columns = body["columns"]
                return {"export_id": "exp_1", **self.exports.pop(0)}
            case "GET", "/v1/programmes?limit=200":
                found = ({"wallet": "stars"}, {}, {"wallet": "draft"})
                shown = [{"id": f"p{number}", "status": "published", "definition": each} for number, each in enumerate(found)]
                return {"data": shown}
            case "GET", _ if path.partition("?")[0].removeprefix("/v1/") in definitions.KINDS:
                return {"data": []}
            case "GET", "/v1/exports/exp_1":
                return {"export_id": "exp_1", **self.exports.pop(0)}
        raise AssertionError(f"{method} {path}")


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    made = Stage()
    monkeypatch.setattr(tenants, "operator_of", lambda _url: made)
    return made


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    tenants.add_parser(parser.add_subparsers())
    options = parser.parse_args(["tenants", *arguments])
    return int(options.run(options))


def written(folder: Path, **more: Any) -> str:
    file = folder / "corner.json"
    file.write_text(json.dumps({"id": "corner", "settings": {**SETTINGS, **more}}))
    return str(file)


def test_all_pages_are_listed(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    run("list")
    said = capsys.readouterr().out
    assert "corner-test" in said
    assert said.count("corner") == 2


def test_what_is_shown_to_a_file_is_what_there_is(stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "corner.json")
    run("show", "corner", "--to", file)
    assert run("configure", "corner", file) == 0
    assert "no differences" in capsys.readouterr().out
    assert stage.settings == SETTINGS


def test_a_dry_run_says_what_differs_and_stores_nothing(stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("configure", "corner", written(tmp_path, name="Corner & Co"), "--dry-run") == 1
    said = capsys.readouterr().out
    assert '-    "name": "Corner"' in said
    assert '+    "name": "Corner & Co"' in said
    assert stage.changes == []


def test_what_differs_is_stored_over_what_was_read(stage: Stage, tmp_path: Path) -> None:
    assert run("configure", "corner", written(tmp_path, name="Corner & Co")) == 0
    assert stage.settings["name"] == "Corner & Co"
    assert stage.changes == [("PUT", "/v1/tenants/corner")]


def test_a_file_about_another_tenant_changes_nothing(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text(json.dumps({"id": "other", "settings": SETTINGS}))
    with pytest.raises(console.Failure, match="about other"):
        run("configure", "corner", str(file))
    assert stage.changes == []


@pytest.mark.parametrize("text", ["{", "[]", '{"id": "corner"}', '{"settings": []}'])
def test_a_file_that_describes_no_tenant_is_not_sent(stage: Stage, tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(text)
    with pytest.raises(console.Failure):
        run("create", str(file))
    with pytest.raises(console.Failure):
        run("create", str(tmp_path / "missing.json"))
    assert stage.changes == []


def test_suspending_keeps_the_other_settings_and_is_sent_again_if_it_broke_off(stage: Stage) -> None:
    run("suspend", "corner")
    assert stage.settings == {**SETTINGS, "status": "suspended"}
    run("suspend", "corner")
    assert stage.changes == [("PUT", "/v1/tenants/corner")] * 2
    run("resume", "corner")
    assert stage.settings == SETTINGS


def test_nothing_is_removed_without_the_id_twice(stage: Stage) -> None:
    with pytest.raises(console.Failure):
        run("remove", "corner", "--confirm", "corne")
    assert stage.changes == []


def test_whoever_is_not_suspended_is_told_how(stage: Stage) -> None:
    with pytest.raises(console.Failure) as failed:
        run("remove", "corner", "--confirm", "corner")
    assert "tenants suspend corner" in failed.value.remedy


def test_the_removal_is_watched_until_its_certificate(stage: Stage) -> None:
    stage.settings["status"] = "suspended"
    stage.removals = [{"state": "removing", "deleted": {}}, {"state": "removing", "deleted": {"items": 500}}]
    stage.removals.append({"state": "removed", "deleted": {"items": 700}})
    waits: list[float] = []
    assert tenants.remove(stage, "corner", waits.append)["deleted"] == {"items": 700}
    assert len(waits) == 2


def test_an_export_is_waited_for_and_fetched(stage: Stage, tmp_path: Path) -> None:
    stage.exports = [{"status": "queued"}, {"status": "running"}, {"status": "done", "rows": 3, "link": "https://there"}]
    waits: list[float] = []
    rows = tenants.export_members(stage, tmp_path / "m.jsonl", personal=True, fetch=str.encode, pause=waits.append)
    assert (rows, (tmp_path / "m.jsonl").read_bytes(), len(waits)) == (3, b"https://there", 2)
    assert [name for name in stage.columns if name.startswith("balance:")] == ["balance:points", "balance:stars"]
    assert set(tenants.PERSONAL_COLUMNS) < set(stage.columns)
    assert (tmp_path / "m.jsonl").stat().st_mode & 0o077 == 0


def test_an_export_that_failed_says_why(stage: Stage, tmp_path: Path) -> None:
    stage.exports = [{"status": "failed", "reason": "upload_lost"}]
    with pytest.raises(console.Failure, match="upload_lost"):
        tenants.export_members(stage, tmp_path / "m.jsonl", personal=False, fetch=str.encode, pause=lambda _: None)


def test_what_never_ends_is_given_up(stage: Stage, tmp_path: Path) -> None:
    stage.exports = [{"status": "running"} for _ in range(10_000)]
    with pytest.raises(console.Failure, match="too long"):
        tenants.export_members(stage, tmp_path / "m.jsonl", personal=False, fetch=str.encode, pause=lambda _: None)
