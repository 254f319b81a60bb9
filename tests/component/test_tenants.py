"""Tenants and their keys: made once, resumed after a crash, and refused where the operator is mistaken."""

from __future__ import annotations

from typing import Any

import pytest

from shared.privacy.crypto import derive
from shared.storage import keys
from shared.storage.items import KeyringItem, TenantEntryItem
from shared.tenants.access import Access
from shared.tenants.keys_repository import PEPPER_PURPOSE
from shared.tenants.principal import InvalidCredential, RevokedKey, SuspendedTenant
from shared.tenants.tokens import TokenSigner
from tests.builders.house import House
from tests.builders.office import MASTER, Office
from tests.fakes import engine
from tests.fakes.faulty import FaultyTable

SETTINGS: dict[str, Any] = {"name": "Corner Coffee", "currency": "EUR", "time_zone": "Europe/Berlin"}


@pytest.fixture
def office(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(bare_house, monkeypatch)


def access(office: Office) -> Access:
    pepper = derive(MASTER, PEPPER_PURPOSE)
    return Access(office.house.table, TokenSigner(MASTER), pepper, "operators-own-secret", lambda: office.house.now, lambda: 0.0)


def test_a_tenant_is_made_with_its_keyring_and_found_again(office: Office) -> None:
    made = office.call("create_tenant", {"id": "corner", "settings": SETTINGS})
    assert (made.status, made.headers["etag"]) == (201, '"1"')
    read = office.call("get_tenant", tenant_id="corner")
    assert read.body == made.body
    assert read.body["settings"]["currency"] == "EUR"
    assert office.call("list_tenants").body == {"data": [{"id": "corner", "mode": "live", "status": "active"}]}
    ring = KeyringItem.read(office.house.key_table.get(keys.tenant_keyring("corner")) or {})
    assert ring.kek
    entry = TenantEntryItem.read(office.house.table.get(keys.tenant_entry("corner")) or {})
    assert (entry.tenant, entry.status, entry.due_shards) == ("corner", "active", 1)
    assert entry.rates == "200/400 150/300 10/50"


def test_the_operator_changes_a_plan_and_the_entry_has_its_rates(office: Office) -> None:
    office.call("create_tenant", {"id": "corner", "settings": SETTINGS})
    changed = {"settings": SETTINGS | {"plan": {"name": "small", "key_rate": {"per_second": 7, "burst": 9}}}}
    said = office.call("replace_tenant", changed, tenant_id="corner", if_match="1")
    assert said.status == 200
    entry = TenantEntryItem.read(office.house.table.get(keys.tenant_entry("corner")) or {})
    assert entry.rates == "50/100 7/9 10/50"


@pytest.mark.parametrize("tenant", ["corner", "operator", "local"])
def test_a_taken_or_reserved_id_is_refused(office: Office, tenant: str) -> None:
    office.call("create_tenant", {"id": "corner", "settings": SETTINGS})
    before = office.rows()
    said = office.call("create_tenant", {"id": tenant, "settings": SETTINGS | {"name": "Another"}})
    assert (said.status, said.body["code"]) == (409, "tenant_exists")
    assert office.rows() == before


@pytest.mark.parametrize(
    ("body", "status", "errors"),
    [
        ("{", 400, [("", "invalid_json")]),
        ({"settings": SETTINGS}, 422, [("/id", "required")]),
        ({"id": "Corner!", "settings": SETTINGS}, 422, [("/id", "invalid_value")]),
        ({"id": "corner"}, 422, [("/settings", "required")]),
        ({"id": "corner", "settings": SETTINGS | {"currency": "EURO"}}, 422, [("/settings/currency", "invalid_value")]),
        ({"id": "corner", "settings": SETTINGS | {"time_zone": "Mars/Base"}}, 422, [("/settings/time_zone", "invalid_value")]),
        ({"id": "corner", "settings": SETTINGS | {"claim_days": 1.5}}, 422, [("/settings/claim_days", "wrong_type")]),
        ({"id": "corner", "settings": SETTINGS, "plan": "gold"}, 422, [("/plan", "unknown_field")]),
    ],
)
def test_wrong_input_stores_nothing(office: Office, body: Any, status: int, errors: list[tuple[str, str]]) -> None:
    said = office.call("create_tenant", body)
    assert said.status == status
    assert said.errors == errors
    assert office.rows() == []


def test_a_tenants_key_cannot_use_the_operators_routes(office: Office) -> None:
    said = office.call("create_tenant", {"id": "corner", "settings": SETTINGS}, scopes=frozenset({"definitions:write"}))
    assert (said.status, said.body["code"]) == (403, "insufficient_scope")
    assert office.rows() == []


def test_a_configuration_is_replaced_only_by_who_has_read_it(office: Office) -> None:
    office.call("create_tenant", {"id": "corner", "settings": SETTINGS})
    body = {"settings": SETTINGS | {"name": "Corner", "status": "suspended"}}
    assert office.call("replace_tenant", body, tenant_id="corner").status == 428
    assert office.call("replace_tenant", body, tenant_id="corner", if_match="7").status == 412
    replaced = office.call("replace_tenant", body, tenant_id="corner", if_match="1")
    assert (replaced.status, replaced.headers["etag"]) == (200, '"2"')
    assert office.call("replace_tenant", body, tenant_id="corner", if_match="1").body["code"] == "version_mismatch"
    assert office.call("list_tenants").body["data"] == [{"id": "corner", "mode": "live", "status": "suspended"}]
    assert office.call("get_tenant", tenant_id="corner").body == replaced.body


@pytest.mark.parametrize(("field", "given", "told"), [("currency", "XQX", "ISO 4217"), ("time_zone", "Mars/Base", "IANA")])
def test_what_is_expected_is_told_and_not_what_was_sent(office: Office, field: str, given: str, told: str) -> None:
    said = office.call("create_tenant", {"id": "corner", "settings": SETTINGS | {field: given}})
    (error,) = said.body["errors"]
    assert told in error["detail"]
    assert given not in str(said.body)


def test_the_currency_and_the_id_stay(office: Office) -> None:
    office.call("create_tenant", {"id": "corner", "settings": SETTINGS})
    in_dollars = office.call("replace_tenant", {"settings": SETTINGS | {"currency": "USD"}}, tenant_id="corner", if_match="1")
    assert in_dollars.errors == [("/settings/currency", "invalid_value")]
    renamed = office.call("replace_tenant", {"id": "other", "settings": SETTINGS}, tenant_id="corner", if_match="1")
    assert renamed.errors == [("/id", "invalid_value")]


@pytest.mark.parametrize("tenant", ["nobody", "Not-an-id", "T#corner"])
def test_an_unknown_tenant_is_not_found(office: Office, tenant: str) -> None:
    assert office.call("get_tenant", tenant_id=tenant).body["code"] == "unknown_tenant"
    assert office.call("replace_tenant", {"settings": SETTINGS}, tenant_id=tenant, if_match="1").status == 404
    assert office.call("create_key", {"scopes": ["coupons:issue"]}, tenant_id=tenant).status == 404
    assert office.call("revoke_key", tenant_id=tenant, key_id="corner-aaaaaaaaaaaa").status == 404


def test_tenants_are_listed_a_page_at_a_time(office: Office) -> None:
    names = ["aaaa", "bbbb", "cccc", "dddd", "eeee"]
    for name in reversed(names):
        office.call("create_tenant", {"id": name, "settings": SETTINGS})
    found, cursor = [], None
    while True:
        page = office.call("list_tenants", query={"limit": "2"} | ({"cursor": cursor} if cursor else {})).body
        found += [each["id"] for each in page["data"]]
        cursor = page.get("next_cursor")
        if cursor is None:
            break
    assert found == names
    assert office.call("list_tenants", query={"cursor": "Zm9yZ2Vk"}).body["code"] == "invalid_cursor"
    assert office.call("list_tenants", query={"limit": "0"}).status == 422


def test_a_key_opens_the_door_until_it_is_revoked(office: Office) -> None:
    office.call("create_tenant", {"id": "corner", "settings": SETTINGS})
    made = office.call("create_key", {"scopes": ["transactions:write", "coupons:redeem"], "label": "Till 1"}, tenant_id="corner")
    assert made.status == 201
    principal = access(office).principal(f"Bearer {made.body['key']}")
    assert (principal.tenant, principal.scopes) == ("corner", {"transactions:write", "coupons:redeem"})
    secret = made.body["key"].rsplit("_", 1)[1]
    assert not any(secret in str(row) for row in office.rows())
    assert office.call("revoke_key", tenant_id="corner", key_id=made.body["key_id"]).status == 204
    assert office.call("revoke_key", tenant_id="corner", key_id=made.body["key_id"]).status == 204
    with pytest.raises(RevokedKey):
        access(office).principal(f"Bearer {made.body['key']}")
    wrong = made.body["key"][:-1] + ("1" if made.body["key"].endswith("0") else "0")
    with pytest.raises(InvalidCredential):
        access(office).principal(f"Bearer {wrong}")


def test_a_suspended_tenants_keys_are_refused(office: Office) -> None:
    office.call("create_tenant", {"id": "corner", "settings": SETTINGS})
    key = office.call("create_key", {"scopes": ["coupons:issue"]}, tenant_id="corner").body["key"]
    office.call("replace_tenant", {"settings": SETTINGS | {"status": "suspended"}}, tenant_id="corner", if_match="1")
    with pytest.raises(SuspendedTenant):
        access(office).principal(f"Bearer {key}")


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"scopes": []}, [("/scopes", "invalid_value")]),
        ({"scopes": ["me"]}, [("/scopes/0", "invalid_value")]),
        ({"scopes": ["coupons:issue", "operator"]}, [("/scopes/1", "invalid_value")]),
        ({"scopes": ["coupons:issue"], "location_id": "nowhere"}, [("/location_id", "unknown_location")]),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(office: Office, body: dict[str, Any], errors: list[tuple[str, str]]) -> None:
    office.call("create_tenant", {"id": "corner", "settings": SETTINGS})
    before = office.rows()
    said = office.call("create_key", body, tenant_id="corner")
    assert (said.status, said.errors) == (422, errors)
    assert office.rows() == before


def test_another_tenants_key_cannot_be_revoked_through_ours(office: Office) -> None:
    for name in ("corner", "other"):
        office.call("create_tenant", {"id": name, "settings": SETTINGS})
    theirs = office.call("create_key", {"scopes": ["coupons:issue"]}, tenant_id="other").body
    assert office.call("revoke_key", tenant_id="corner", key_id=theirs["key_id"]).body["code"] == "unknown_key"
    assert access(office).principal(f"Bearer {theirs['key']}").tenant == "other"


def test_creation_killed_anywhere_is_finished_by_repeating_it(dynamodb: str, bare_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    table = FaultyTable(dynamodb, bare_house.table.name)
    house = House(table, engine.table(dynamodb, bare_house.key_table.name))
    office = Office(house, monkeypatch)
    number = 0
    for at in range(1, 10):
        for when in ("before", "after"):
            number += 1
            body = {"id": f"shop{number:02d}", "settings": SETTINGS}
            table.arm(at, when, "kill")  # type: ignore[arg-type]
            office.call("create_tenant", body)
            reached = table.calls >= at
            table.disarm()
            again = office.call("create_tenant", body)
            assert again.status in (201, 409)
            assert office.call("get_tenant", tenant_id=body["id"]).body["etag"] == "1"
            listed = office.call("list_tenants", query={"limit": "200"}).body["data"]
            assert {"id": body["id"], "mode": "live", "status": "active"} in listed
        if not reached:
            assert at > 3
            return
    pytest.fail("creation makes more calls than the test kills")
