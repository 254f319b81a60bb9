"""``python -m local testing``: a test environment with what its tenant has defined, and nobody's data."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from local import console, definitions, tenants, testing
from local.client import Client, Refused
from shared.audiences.api import ExportMembersRequest
from shared.audiences.columns import columns_of
from shared.tenants.credentials import OPERATOR_KEY_ID
from tests.builders.callers import OfficeClient
from tests.builders.house import FRIES, PROGRAMME, House
from tests.builders.office import Office

SETTINGS = {"name": "Corner", "currency": "EUR", "time_zone": "Europe/Berlin"}
GROUPS = {"groups": [{"id": "west", "name": "West"}, {"id": "cologne", "name": "Cologne", "kind": "region", "parent": "west"}]}
MITTE = {"id": "mitte", "name": "Mitte", "groups": ["cologne"], "hours": {"weekly": {"mon": [{"opens": "08:00", "closes": "18:00"}]}}}


@pytest.fixture
def operator(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> OfficeClient:
    OfficeClient.office = Office(bare_house, monkeypatch, cache_seconds=0)
    bare_house.definition_seconds = 0
    monkeypatch.setattr(tenants, "Client", OfficeClient)
    monkeypatch.setattr(definitions, "Client", OfficeClient)
    client = OfficeClient("http://api.example", f"lyk_{OPERATOR_KEY_ID}_{'x' * 32}")
    client.post("/v1/tenants", {"id": "corner", "settings": SETTINGS})
    return client


@pytest.fixture
def live(operator: OfficeClient) -> OfficeClient:
    """A tenant with something of everything."""
    client = OfficeClient("http://api.example", testing.new_keys(operator, "corner")["marketer"])
    client.put("/v1/location-groups", GROUPS)
    client.put("/v1/locations", {"locations": [MITTE, *({"id": f"shop{number}", "name": "Shop"} for number in range(99))]})
    client.put("/v1/locations", {"locations": [{"id": "last", "name": "Last"}]})
    client.put("/v1/catalogue/items", {"items": [{"id": each, "name": each, "price": 300} for each in ("burger", "fries")]})
    for kind, id_, body in (("offers", "fries", FRIES), ("programmes", "points", PROGRAMME)):
        client.post(f"/v1/{kind}", {"id": id_, "definition": body})
    return client


def seen(client: Client) -> Any:
    listed = {name: client.all(path) for name, path in (("places", "/v1/locations"), ("items", "/v1/catalogue/items"))}
    bodies = {name: definitions.text_of(name, each["definition"]) for name, each in definitions.of_tenant(client).items()}
    return listed, client.get("/v1/location-groups"), bodies


def test_it_has_what_the_tenant_has_defined(operator: OfficeClient, live: OfficeClient) -> None:
    made = testing.ensure(operator, "corner")
    test = OfficeClient("http://api.example", testing.new_keys(operator, made)["marketer"])
    before = seen(live)
    lines = list(testing.fill(live, test))
    assert lines[:2] == ["2 groups of locations", "101 locations, 2 items"]
    assert lines[2:] == [f"{each}: {what}" for each in ("offers/fries", "programmes/points") for what in ("created", "published")]
    assert seen(test) == seen(live) == before
    assert list(testing.fill(live, test)) == lines[:2]


def test_the_command_makes_it_and_again_finds_it(
    operator: OfficeClient, live: OfficeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    facts: dict[str, Any] = {"api_url": "http://api.example", "operator_key": operator._credential}
    facts["tenants"] = {"corner": {"marketer": live._credential}}
    for module in (testing, definitions, tenants):
        monkeypatch.setattr(module, "read_env", lambda: facts)
    monkeypatch.setattr(testing, "write_env", lambda **more: facts.update(more))
    asked = argparse.Namespace(tenant="corner", url=None, bare=False)
    assert testing.run(asked) == 0
    first = facts["tenants"]["corner-test"]
    assert first["till"].startswith("lyk_corner-test-")
    assert testing.run(asked) == 0
    assert facts["tenants"]["corner-test"] == first
    assert capsys.readouterr().out.count("is corner-test.") == 2
    facts.clear()
    with pytest.raises(console.Failure, match="no operator's key"):
        testing.run(asked)


def test_what_a_tenant_has_set_up_is_exported_whole(operator: OfficeClient, live: OfficeClient, tmp_path: Path) -> None:
    counts = tenants.export(operator, live, "corner", tmp_path / "out")
    assert counts == {"location_groups": 2, "locations": 101, "items": 2, "definitions": 2}
    assert json.loads((tmp_path / "out" / "location_groups.json").read_text()) == live.get("/v1/location-groups")["groups"]
    assert [each["id"] for each in json.loads((tmp_path / "out" / "items.json").read_text())] == ["burger", "fries"]
    written = json.loads((tmp_path / "out" / "tenant.json").read_text())
    assert tenants.configure(operator, "corner", written, dry_run=True) == ""
    assert sorted(each.name for each in (tmp_path / "out" / "definitions").rglob("*.json")) == ["fries.json", "points.json"]
    written["settings"]["name"] = "Corner & Co"
    assert "Corner & Co" in tenants.configure(operator, "corner", written, dry_run=False)
    assert operator.get("/v1/tenants/corner")["settings"]["name"] == "Corner & Co"


def test_a_tenant_is_suspended_and_resumed(operator: OfficeClient) -> None:
    for _ in range(2):
        tenants.set_status(operator, "corner", "suspended")
    assert operator.get("/v1/tenants/corner")["settings"]["status"] == "suspended"
    with pytest.raises(Refused, match="404"):
        tenants.set_status(operator, "nobody", "suspended")
    tenants.set_status(operator, "corner", "active")
    assert operator.get("/v1/tenants/corner")["settings"]["status"] == "active"


def test_everybody_is_a_rule() -> None:
    request = ExportMembersRequest.model_validate({"rule": tenants.EVERYBODY, "format": "jsonl", "columns": list(tenants.COLUMNS)})
    assert len(request.columns) == len(tenants.COLUMNS)
    assert columns_of([*tenants.COLUMNS, *tenants.PERSONAL_COLUMNS], None)
