"""Definitions as files: what is written out comes back the same, and applying changes what differs and nothing else."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from local import console, definitions
from local.client import Client, Refused
from tests.builders.house import FRIES, PROGRAMME, House
from tests.builders.office import Office, Said

SEGMENT: dict[str, Any] = {"name": "R", "rule": {"kind": "purchases", "metric": "count", "days": 2, "op": "ge", "value": 1}}
BODIES = {("segments", "recent"): SEGMENT, ("offers", "fries"): FRIES, ("programmes", "points"): PROGRAMME}


class OfficeClient(Client):
    """The command's caller, answered by the functions of a test."""

    def __init__(self, office: Office) -> None:
        super().__init__("http://api.example", "lyk")
        self.office, self.changes = office, 0

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        bare, _, query = path.partition("?")
        _, _, plural, *rest = bare.split("/")
        one = definitions.KINDS[plural]
        verbs = {("GET", 0): f"list_{plural}", ("POST", 0): f"create_{one}", ("PUT", 1): f"replace_{one}", ("POST", 2): f"publish_{one}"}
        self.changes += method != "GET"
        tag = (headers or {}).get("if-match", "").strip('"') or None
        where: dict[str, Any] = {"definition_id": rest[0]} if rest else {}
        asked = dict(each.split("=") for each in query.split("&")) if query else {}
        said: Said = self.office.call(verbs[method, len(rest)], body, if_match=tag, query=asked, **where)
        if said.status >= 400:
            raise Refused(method, path, said.status, said.body)
        return said


@pytest.fixture
def client(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> OfficeClient:
    bare_house.create()
    return OfficeClient(Office(bare_house, monkeypatch))


def write(folder: Path, bodies: Mapping[tuple[str, str], Any] = BODIES) -> None:
    for (kind, id_), body in bodies.items():
        (folder / kind).mkdir(parents=True, exist_ok=True)
        (folder / kind / f"{id_}.json").write_text(json.dumps(body))


def texts(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("*.json"))}


def test_what_is_exported_and_applied_elsewhere_is_the_same(client: OfficeClient, tmp_path: Path) -> None:
    write(tmp_path / "mine")
    done, beyond = definitions.apply(client, tmp_path / "mine", publish=True)
    assert done == [f"{kind}/{id_}: {what}" for kind, id_ in BODIES for what in ("created", "published")]
    assert beyond == []
    assert definitions.export(client, tmp_path / "out") == 3
    assert list(definitions.differences(client, tmp_path / "out")) == []
    assert list(definitions.differences(client, tmp_path / "mine")) == []
    first = texts(tmp_path / "out")
    assert list(first) == ["offers/fries.json", "programmes/points.json", "segments/recent.json"]
    definitions.export(client, tmp_path / "out")
    assert texts(tmp_path / "out") == first


def test_applying_again_changes_nothing(client: OfficeClient, tmp_path: Path) -> None:
    write(tmp_path)
    definitions.apply(client, tmp_path, publish=True)
    client.changes = 0
    assert definitions.apply(client, tmp_path, publish=True) == ([], [])
    assert client.changes == 0


def test_only_what_differs_gets_a_draft(client: OfficeClient, tmp_path: Path) -> None:
    write(tmp_path)
    definitions.apply(client, tmp_path, publish=True)
    write(tmp_path, {("offers", "fries"): FRIES | {"name": "Large fries"}})
    (diff,) = definitions.differences(client, tmp_path)
    assert '+  "name": "Large fries"' in diff
    done, _ = definitions.apply(client, tmp_path, publish=False)
    assert done == ["offers/fries: draft of version 2"]
    assert definitions.apply(client, tmp_path, publish=False) == ([], [])
    assert definitions.apply(client, tmp_path, publish=True)[0] == ["offers/fries: published"]


def test_what_only_the_tenant_has_is_named_and_stays(client: OfficeClient, tmp_path: Path) -> None:
    write(tmp_path)
    definitions.apply(client, tmp_path, publish=True)
    (tmp_path / "offers" / "fries.json").unlink()
    assert definitions.apply(client, tmp_path, publish=True) == ([], ["offers/fries"])
    (diff,) = definitions.differences(client, tmp_path)
    assert "+++ /dev/null" in diff
    assert ("offers", "fries") in definitions.of_tenant(client)


def test_an_export_removes_files_of_what_is_not_there(client: OfficeClient, tmp_path: Path) -> None:
    write(tmp_path, {("segments", "gone"): SEGMENT})
    assert definitions.export(client, tmp_path) == 0
    assert texts(tmp_path) == {}


def test_every_page_is_read(client: OfficeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = {("segments", f"s{number}"): SEGMENT for number in range(5)}
    write(tmp_path, many)
    definitions.apply(client, tmp_path, publish=False)
    call = client.call
    monkeypatch.setattr(client, "call", lambda method, path, *more: call(method, path.replace("limit=200", "limit=2"), *more))
    assert definitions.of_tenant(client).keys() == many.keys()


def test_a_file_that_does_not_fit_is_named_before_anything_is_sent(client: OfficeClient, tmp_path: Path) -> None:
    write(tmp_path, {**BODIES, ("offers", "broken"): {"name": "?"}})
    with pytest.raises(console.Failure, match="offers/broken"):
        definitions.apply(client, tmp_path, publish=True)
    assert client.changes == 0
    (tmp_path / "offers" / "broken.json").write_text("{")
    with pytest.raises(console.Failure, match="not JSON"):
        definitions.apply(client, tmp_path, publish=True)


def test_after_a_refusal_the_same_run_does_the_rest(client: OfficeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    call = client.call

    def refusing(method: str, path: str, *more: Any) -> Any:
        if path == "/v1/offers/fries/publish":
            raise Refused(method, path, 409, {"code": "state_conflict"})
        return call(method, path, *more)

    monkeypatch.setattr(client, "call", refusing)
    with pytest.raises(console.Failure, match="/v1/offers/fries/publish: 409"):
        definitions.apply(client, tmp_path, publish=True)
    monkeypatch.setattr(client, "call", call)
    done, _ = definitions.apply(client, tmp_path, publish=True)
    assert done == ["offers/fries: published", "programmes/points: created", "programmes/points: published"]


@pytest.mark.parametrize(
    ("key", "problem"),
    [(None, "no key"), ("lyk_other-aaaaaaaaaaaa_" + "x" * 32, "not one of the tenant"), ("nonsense", "not one of the tenant")],
)
def test_a_key_of_another_tenant_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str | None, problem: str
) -> None:
    monkeypatch.setattr(definitions, "read_env", lambda: {"api_url": "http://127.0.0.1:1"})
    monkeypatch.delenv(definitions.KEY_VARIABLE, raising=False)
    if key is not None:
        monkeypatch.setenv(definitions.KEY_VARIABLE, key)
    options = argparse.Namespace(what="export", folder=tmp_path, tenant="demo", url=None, publish=False)
    with pytest.raises(console.Failure, match=problem):
        definitions.run(options)
