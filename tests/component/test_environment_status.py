"""A test environment is suspended and resumed with its tenant, whoever else changes either at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from functions.tenancy import handler as tenancy
from shared.storage import keys
from shared.storage.expressions import Path
from shared.tenants import service, testing
from shared.tenants.principal import SuspendedTenant
from tests.builders.house import House
from tests.builders.operator_desk import Desk, desk_of, desk_over
from tests.fakes.faulty import FaultyTable


@pytest.fixture
def desk(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return desk_of(bare_house, monkeypatch)


def test_it_is_suspended_and_resumed_with_its_tenant(desk: Desk) -> None:
    desk.found()
    desk.make_test()
    key = desk.call("create_key", {"scopes": ["tenant:admin"]}, "corner-test").body["key"]
    assert desk.put(status="suspended").body["test_tenant"] == "corner-test"
    assert desk.statuses() == {"corner": ("suspended", "suspended"), "corner-test": ("suspended", "suspended")}
    with pytest.raises(SuspendedTenant):
        desk.access().principal(f"Bearer {key}")
    refused = desk.put("corner-test", status="active")
    assert (refused.status, refused.body["code"]) == (409, "live_tenant_not_active")
    assert desk.call("get_tenant", tenant="corner-test").body["etag"] == "2", "a refusal changes nothing"
    assert desk.make_test().body["code"] == "live_tenant_not_active"
    assert desk.put(status="active").status == 200
    assert desk.statuses() == {"corner": ("active", "active"), "corner-test": ("active", "active")}


def test_suspended_by_itself_it_stays_so_while_its_tenant_is_changed(desk: Desk) -> None:
    desk.found()
    desk.make_test()
    desk.put("corner-test", status="suspended")
    desk.put(name="Corner")
    assert desk.statuses() == {"corner": ("active", "active"), "corner-test": ("suspended", "suspended")}
    assert desk.put("corner-test", status="active").status == 200


@pytest.mark.parametrize("status", ["suspended", "active"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_change_of_status_killed_anywhere_is_finished_by_repeating_it(
    dynamodb: str, bare_house: House, monkeypatch: pytest.MonkeyPatch, status: str, when: Any
) -> None:
    table = FaultyTable(dynamodb, bare_house.table.name)
    desk = desk_over(table, dynamodb, bare_house, monkeypatch)
    desk.found()
    desk.make_test()
    for at in range(1, 30):
        desk.put(status="active" if status == "suspended" else "suspended")
        now = desk.call("get_tenant").body
        table.arm(at, when, "kill")
        desk.call("replace_tenant", {"settings": now["settings"] | {"status": status}}, if_match=now["etag"])
        was_reached = table.calls >= at
        table.disarm()
        desk.put(status=status)
        assert desk.statuses() == {"corner": (status, status), "corner-test": (status, status)}, f"killed {when} call {at}"
        if not was_reached:
            assert at > 8
            return
    pytest.fail("it makes more calls than the test kills")


def test_a_tenant_that_is_suspended_while_it_is_made_takes_it_along(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.found()
    found_tenant = service.found_tenant

    def while_it_is_suspended(*given: Any) -> Any:
        desk.put(status="suspended")
        return found_tenant(*given)

    monkeypatch.setattr(testing, "found_tenant", while_it_is_suspended)
    assert desk.make_test().body["code"] == "live_tenant_not_active"
    assert desk.statuses() == {"corner": ("suspended", "suspended"), "corner-test": ("suspended", "suspended")}


@pytest.mark.parametrize("seen", ["at once", "when it is made"])
def test_one_that_somebody_else_has_made_active_meanwhile_is_not_left_so(desk: Desk, monkeypatch: pytest.MonkeyPatch, seen: str) -> None:
    claimed, found_tenant = testing._claimed, service.found_tenant

    def another() -> None:
        """Who made it dies before the last look, and whoever suspends the tenant has found none."""
        desk.put(status="suspended")
        _, settings = service.read_settings(tenancy._operator(), "corner")
        found_tenant(tenancy._operator(), "corner-test", testing.settings_of_test(settings))
        assert desk.statuses() == {"corner": ("suspended", "suspended"), "corner-test": ("active", "active")}

    def then_another(*given: Any) -> str:
        found = claimed(*given)
        another()
        return found

    def after_another(*given: Any) -> Any:
        another()
        return found_tenant(*given)

    desk.found()
    name, work = ("_claimed", then_another) if seen == "at once" else ("found_tenant", after_another)
    monkeypatch.setattr(testing, name, work)
    assert desk.make_test().body["code"] == "live_tenant_not_active"
    assert desk.statuses() == {"corner": ("suspended", "suspended"), "corner-test": ("suspended", "suspended")}


def test_it_is_resumed_by_nobody_while_its_tenant_is_being_suspended(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.found()
    desk.make_test()
    desk.put("corner-test", status="suspended")
    update: Callable[..., Any] = desk.office.house.table.update

    def just_before(key: keys.Key, *given: Any, **more: Any) -> Any:
        if key == keys.tenant_entry("corner-test"):
            monkeypatch.setattr(desk.office.house.table, "update", update)
            desk.put(status="suspended")
        return update(key, *given, **more)

    monkeypatch.setattr(desk.office.house.table, "update", just_before)
    assert desk.put("corner-test", status="active").body["code"] == "live_tenant_not_active"
    assert desk.statuses() == {"corner": ("suspended", "suspended"), "corner-test": ("suspended", "suspended")}


def test_of_two_changes_at_once_the_newer_settings_hold(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.found()
    desk.put(status="suspended")
    enter = service._enter

    def after_another(*given: Any) -> bool:
        monkeypatch.setattr(service, "_enter", enter)
        assert desk.put(status="suspended", plan={"name": "small"}).status == 200
        return enter(*given)

    monkeypatch.setattr(service, "_enter", after_another)
    assert desk.put(status="active").status == 200
    assert desk.statuses() == {"corner": ("suspended", "suspended")}
    assert desk.entry("corner").rates == "50/100 50/100 10/50", "the plan, too"
    assert desk.put(status="active").status == 200
    assert desk.statuses() == {"corner": ("active", "active")}


@pytest.mark.parametrize("first", ["suspended", "active"])
def test_of_two_changes_at_once_the_newer_settings_hold_for_both(desk: Desk, monkeypatch: pytest.MonkeyPatch, first: str) -> None:
    then = "active" if first == "suspended" else "suspended"
    desk.found()
    desk.make_test()
    desk.put(status=then)
    follow, enter = service._follow, service._enter

    def after_another(work: Callable[..., Any]) -> Callable[..., Any]:
        def worked(*given: Any) -> Any:
            monkeypatch.setattr(service, "_follow", follow)
            monkeypatch.setattr(service, "_enter", enter)
            assert desk.put(status=then).status == 200
            return work(*given)

        return worked

    # The first thing that either writes after its settings.
    name, work = ("_follow", follow) if first == "active" else ("_enter", enter)
    monkeypatch.setattr(service, name, after_another(work))
    assert desk.put(status=first).status == 200
    assert desk.statuses() == {"corner": (then, then), "corner-test": (then, then)}


class Interrupted(FaultyTable):
    """Before the call named, somebody else does something."""

    def __init__(self, endpoint: str, name: str) -> None:
        super().__init__(endpoint, name)
        self.others: Callable[[], Any] | None = None
        self.others_at = 0

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        others = self.others
        if others is not None and self.calls + 1 == self.others_at:
            kept, self.others, self.fail_at = (self.calls, self.fail_at), None, None
            others()
            self.calls, self.fail_at = kept
        return super()._call(operation, **request)


@pytest.mark.parametrize("again", ["make_test", "suspend"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_making_it_killed_anywhere_after_a_suspension_leaves_none_active(
    dynamodb: str, bare_house: House, monkeypatch: pytest.MonkeyPatch, when: Any, again: str
) -> None:
    table, left = Interrupted(dynamodb, bare_house.table.name), set[str]()
    desk = desk_over(table, dynamodb, bare_house, monkeypatch)
    for suspended_at, killed_at in ((first, then) for first in range(2, 9) for then in (first, first + 1, 99)):
        tenant = f"shop{suspended_at:02d}{killed_at:02d}"
        desk.found(tenant)
        table.others, table.others_at = (lambda tenant=tenant: desk.put(tenant, status="suspended")), suspended_at
        table.arm(killed_at, when, "kill")
        desk.make_test(tenant)
        table.disarm()
        assert table.others is None
        left.add(desk.statuses().get(f"{tenant}-test", ("none", ""))[0])
        if again == "make_test":
            assert desk.make_test(tenant).body["code"] == "live_tenant_not_active"
        else:
            assert desk.put(tenant, status="suspended").status == 200
        now = desk.statuses()
        assert now[tenant] == ("suspended", "suspended")
        assert now.get(f"{tenant}-test") in (None, ("suspended", "suspended")), (suspended_at, killed_at)
        assert desk.remove(tenant).status == 202
    assert left == {"none", "active", "suspended"}, "it happens, and what was left is what is mended"


def test_what_follows_stands_in_the_tenants_own_log(desk: Desk) -> None:
    def noted(tenant: str) -> list[str]:
        # Sorted: what happens within one millisecond has no order in the log.
        return sorted(each["operation"] for each in desk.call("list_audit_of_tenant", tenant=tenant).body["data"])

    desk.found()
    desk.make_test()
    assert (noted("corner"), noted("corner-test")) == (["create_tenant"], ["create_test_tenant"])
    desk.put(status="suspended")
    desk.office.house.table.update(keys.tenant_entry("corner-test"), [Path("status").set("active")], Path("PK").exists())
    assert desk.make_test().body["code"] == "live_tenant_not_active"
    assert desk.entry("corner-test").status == "suspended"
    assert (noted("corner"), noted("corner-test")) == (["create_tenant", "replace_tenant"], ["create_test_tenant"])
