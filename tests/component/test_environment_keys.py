"""``python -m local testing`` on a remote stage: keys are made once, shown once, and left alone by the next run."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from local import definitions, tenants, testing
from local.setting import KEYS
from shared.tenants.credentials import OPERATOR_KEY_ID
from tests.builders.callers import OfficeClient
from tests.builders.house import FRIES, House
from tests.builders.office import Office

URL = "http://api.example"
ASKED = argparse.Namespace(tenant="corner", url=URL, bare=False)


@pytest.fixture
def operator(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> OfficeClient:
    OfficeClient.office = Office(bare_house, monkeypatch, cache_seconds=0)
    bare_house.definition_seconds = 0
    monkeypatch.setattr(tenants, "Client", OfficeClient)
    monkeypatch.setattr(definitions, "Client", OfficeClient)
    client = OfficeClient(URL, f"lyk_{OPERATOR_KEY_ID}_{'x' * 32}")
    client.post("/v1/tenants", {"id": "corner", "settings": {"name": "Corner", "currency": "EUR", "time_zone": "Europe/Berlin"}})
    live = OfficeClient(URL, testing.new_keys(client, "corner")["marketer"])
    live.put("/v1/catalogue/items", {"items": [{"id": "fries", "name": "Fries", "price": 300}]})
    live.post("/v1/offers", {"id": "fries", "definition": FRIES})
    monkeypatch.setenv(tenants.OPERATOR_VARIABLE, str(client._credential))
    monkeypatch.setenv(definitions.KEY_VARIABLE, str(live._credential))
    for module in (testing, definitions, tenants):
        monkeypatch.setattr(module, "read_env", dict)
    return client


def keys_of(operator: OfficeClient, status: str = "active") -> dict[str, str]:
    """Label -> id."""
    return {each["label"]: each["key_id"] for each in operator.all("/v1/tenants/corner-test/keys") if each["status"] == status}


def test_a_second_run_makes_no_second_set_of_keys(operator: OfficeClient, capsys: pytest.CaptureFixture[str]) -> None:
    assert testing.run(ASKED) == 0
    first, shown = keys_of(operator), capsys.readouterr().out
    assert first.keys() == KEYS.keys()
    assert all(f"lyk_{id_}_" in shown.replace("\n", "") for id_ in first.values())
    operator.call("DELETE", f"/v1/tenants/corner-test/keys/{first['till']}")
    assert testing.run(ASKED) == 0
    again, shown = keys_of(operator), capsys.readouterr().out
    assert {label for label, id_ in again.items() if id_ != first[label]} == {"till"}
    assert shown.count("lyk_") == 1
    assert "keys already for: app, data_team, marketer." in shown


def test_a_run_takes_things_over_with_a_key_that_ends_with_it(operator: OfficeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert testing.run(ASKED) == 0
    own = str(testing._OWN["label"])
    assert own in keys_of(operator, "revoked")
    (scopes,) = [set(each["scopes"]) for each in operator.all("/v1/tenants/corner-test/keys") if each["label"] == own]
    assert scopes == {"definitions:read", "definitions:write"}

    def breaks_off(*_given: Any) -> Any:
        raise ConnectionError

    monkeypatch.setattr(testing, "fill", breaks_off)
    with pytest.raises(ConnectionError):
        testing.run(ASKED)
    assert keys_of(operator).keys() == KEYS.keys()
