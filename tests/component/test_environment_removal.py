"""Test environments are removed with their tenants, or alone, and the next one has an id of its own."""

from __future__ import annotations

from typing import Any

import pytest

from shared.storage import keys
from shared.storage.expressions import Path
from tests.builders.house import House
from tests.builders.operator_desk import Desk, desk_of, desk_over
from tests.fakes.faulty import FaultyTable


@pytest.fixture
def desk(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return desk_of(bare_house, monkeypatch)


def test_it_is_removed_with_its_tenant(desk: Desk) -> None:
    desk.found()
    desk.make_test()
    desk.put(status="suspended")
    said = desk.remove()
    assert (said.status, said.body["tenant"]) == (202, "corner")
    assert desk.removals() == ["corner-test", "corner"]
    assert {desk.entry(each).status for each in ("corner", "corner-test")} == {"removing"}
    assert desk.call("get_removal", tenant="corner-test").body["requested_by"] == "operator-root"
    assert desk.make_test().body["code"] == "tenant_removing"


def test_an_order_that_is_refused_removes_neither(desk: Desk) -> None:
    desk.found()
    desk.make_test()
    desk.put("corner-test", status="suspended")
    assert desk.remove().body["code"] == "tenant_active"
    assert desk.entry("corner-test").status == "suspended"
    desk.put(status="suspended")
    assert desk.call("remove_tenant", {"id": "corner-test"}).errors == [("/id", "invalid_value")]
    assert desk.removals() == []
    assert desk.statuses() == {"corner": ("suspended", "suspended"), "corner-test": ("suspended", "suspended")}


def test_an_order_that_is_refused_in_the_middle_is_noted_once_it_is_given(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def orders() -> list[str]:
        noted = desk.call("list_audit_of_tenant", tenant="operator").body["data"]
        return [each["target"]["id"] for each in noted if each["operation"] == "remove_tenant"]

    desk.found()
    desk.make_test()
    desk.put(status="suspended")
    send = desk.queue.send

    def while_it_is_resumed(*given: Any) -> None:
        monkeypatch.setattr(desk.queue, "send", send)
        send(*given)
        assert desk.put(status="active").status == 200

    monkeypatch.setattr(desk.queue, "send", while_it_is_resumed)
    assert desk.remove().body["code"] == "tenant_active"
    assert (desk.entry("corner").status, desk.entry("corner-test").status, orders()) == ("active", "removing", [])
    desk.put(status="suspended")
    assert desk.remove().status == 202
    assert orders() == ["corner"]


def test_removed_alone_it_leaves_its_tenant_and_the_next_has_a_new_id(desk: Desk) -> None:
    desk.found()
    desk.make_test()
    assert desk.remove("corner-test").body["code"] == "tenant_active"
    desk.put("corner-test", status="suspended")
    assert desk.remove("corner-test").status == 202
    assert desk.removals() == ["corner-test"]
    live = desk.call("get_tenant").body
    assert (live["settings"]["status"], "test_tenant" in live) == ("active", False)
    made = desk.make_test()
    assert (made.status, made.body["id"], made.body["live_tenant"]) == (201, "corner-test2", "corner")
    assert desk.call("get_tenant").body["test_tenant"] == "corner-test2"
    assert desk.make_test().status == 200
    desk.remove("corner-test")
    assert desk.call("get_tenant").body["test_tenant"] == "corner-test2"


def test_one_that_is_on_its_way_out_is_not_the_next_one(desk: Desk) -> None:
    desk.found()
    desk.make_test()
    desk.put("corner-test", status="suspended")
    desk.remove("corner-test")
    # As if the order had broken off before the tenant's entry was written.
    desk.office.house.table.update(keys.tenant_entry("corner"), [Path("test_tenant").set("corner-test")], Path("PK").exists())
    assert desk.make_test().body["id"] == "corner-test2"


def test_a_tenant_has_ninety_nine_of_them_at_most(desk: Desk) -> None:
    desk.found()
    desk.office.house.table.update(keys.tenant_entry("corner"), [Path("test_number").set(98)], Path("PK").exists())
    assert desk.make_test().body["id"] == "corner-test99"
    desk.put("corner-test99", status="suspended")
    desk.remove("corner-test99")
    said = desk.make_test()
    assert (said.status, said.body["code"]) == (409, "tests_used_up")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("half_made", [False, True])
def test_an_order_killed_anywhere_is_finished_by_repeating_it(
    dynamodb: str, bare_house: House, monkeypatch: pytest.MonkeyPatch, when: Any, half_made: bool
) -> None:
    table = FaultyTable(dynamodb, bare_house.table.name)
    desk = desk_over(table, dynamodb, bare_house, monkeypatch)
    for at in range(1, 30):
        tenant = f"shop{at:02d}"
        desk.found(tenant)
        if half_made:
            table.arm(6, "before", "kill")
        desk.make_test(tenant)
        table.disarm()
        assert (table.get(keys.tenant_entry(f"{tenant}-test")) is None) is half_made
        desk.put(tenant, status="suspended")
        table.arm(at, when, "kill")
        desk.remove(tenant)
        was_reached = table.calls >= at
        table.disarm()
        desk.queue.take()
        assert desk.remove(tenant).status == 202
        assert desk.removals() == [f"{tenant}-test", tenant]
        assert {desk.entry(each).status for each in (tenant, f"{tenant}-test")} == {"removing"}
        if not was_reached:
            assert at > 9
            return
    pytest.fail("it makes more calls than the test kills")
