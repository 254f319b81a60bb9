"""Test environments: made once and again after a crash, apart from their tenants, suspended and removed with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from functions.tenancy import handler as tenancy
from shared.messaging.fence import Fence
from shared.privacy.crypto import derive
from shared.storage import keys
from shared.storage.expressions import Path
from shared.storage.items import TenantEntryItem
from shared.tenants import service, testing
from shared.tenants.access import Access
from shared.tenants.keys_repository import PEPPER_PURPOSE
from shared.tenants.principal import SuspendedTenant
from shared.tenants.tokens import TokenSigner
from tests.builders.campaigns import NEWS, Post
from tests.builders.house import House
from tests.builders.office import MASTER, Office, Said
from tests.fakes import engine
from tests.fakes.faulty import FaultyTable
from tests.fakes.queue import FakeQueue

SETTINGS: dict[str, Any] = {
    "name": "Corner Coffee", "currency": "EUR", "time_zone": "Europe/Berlin", "languages": ["de"], "wallets": {"stars": {}},
    "plan": {"name": "small", "key_rate": {"per_second": 7, "burst": 9}},
    "push": {"gcm": {"application_arn": "arn:of-the-live-app"}},
    "identity_providers": {"apple": {"audiences": ["example.corner.app"]}},
    "branding": {"logo": "med_" + "0" * 32, "color": "#004488"},
    "retention": {"inactive_months": 24},
    "messaging": {
        "email": {"from_address": "news@corner.example"}, "link_base": "https://go.corner.example", "approval": True,
        "webhooks": {"crm": {"url": "https://crm.corner.example/hook"}}, "test_members": ["mbr_01KAJ5XW0000000000000000AA"],
    },
}  # fmt: skip


@dataclass
class Desk:
    """The operator's desk, with a tenant."""

    office: Office
    queue: FakeQueue

    def call(self, operation: str, body: Any = None, tenant: str = "corner", **more: Any) -> Said:
        return self.office.call(operation, body, tenant_id=tenant, **more)

    def found(self, tenant: str = "corner") -> None:
        assert self.office.call("create_tenant", {"id": tenant, "settings": SETTINGS}).status == 201

    def make_test(self, tenant: str = "corner") -> Said:
        return self.call("create_test_tenant", tenant=tenant)

    def put(self, tenant: str = "corner", **changed: Any) -> Said:
        """Replace the settings as they are now, with something changed."""
        now = self.call("get_tenant", tenant=tenant).body
        return self.call("replace_tenant", {"settings": now["settings"] | changed}, tenant, if_match=now["etag"])

    def remove(self, tenant: str = "corner") -> Said:
        return self.call("remove_tenant", {"id": tenant}, tenant)

    def entry(self, tenant: str) -> TenantEntryItem:
        return TenantEntryItem.read(self.office.house.table.get(keys.tenant_entry(tenant)) or {})

    def statuses(self) -> dict[str, tuple[str, str]]:
        """Of each tenant: what its entry says, and its settings."""
        listed = {each["id"]: each["status"] for each in self.office.call("list_tenants").body["data"]}
        return {tenant: (status, self._of_settings(tenant)) for tenant, status in listed.items()}

    def _of_settings(self, tenant: str) -> str:
        read = self.call("get_tenant", tenant=tenant).body
        return str(read["settings"]["status"] if "settings" in read else read["code"])


@pytest.fixture
def desk(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return _desk(bare_house, monkeypatch)


def _desk(house: House, monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk(Office(house, monkeypatch), FakeQueue())
    monkeypatch.setattr(tenancy, "removals_queue_url", lambda: "removals")
    monkeypatch.setattr(tenancy, "SqsQueue", lambda _client, _url: desk.queue)
    return desk


# -- making it --------------------------------------------------------------------------------------------------------------


def test_it_is_a_tenant_of_its_own_and_each_shows_the_other(desk: Desk) -> None:
    desk.found()
    made = desk.make_test()
    assert (made.status, made.headers["etag"]) == (201, '"1"')
    assert (made.body["id"], made.body["mode"], made.body["live_tenant"]) == ("corner-test", "test", "corner")
    assert desk.call("get_tenant", tenant="corner-test").body == made.body
    live = desk.call("get_tenant").body
    assert (live["mode"], live["test_tenant"], "live_tenant" in live) == ("live", "corner-test", False)
    assert desk.office.call("list_tenants").body["data"] == [
        {"id": "corner", "mode": "live", "status": "active", "test_tenant": "corner-test"},
        {"id": "corner-test", "mode": "test", "status": "active", "live_tenant": "corner"},
    ]
    rings = [desk.office.house.key_table.get(keys.tenant_keyring(each)) or {} for each in ("corner", "corner-test")]
    assert rings[0]["kek"] != rings[1]["kek"]


def test_settings_are_taken_over_without_what_leads_to_the_live_tenant(desk: Desk) -> None:
    desk.found()
    live, made = desk.call("get_tenant").body["settings"], desk.make_test().body["settings"]
    assert (made["push"], made["identity_providers"], made["branding"]["color"]) == ({}, {}, "#004488")
    assert "logo" not in made["branding"]
    assert (made["messaging"]["webhooks"], made["messaging"]["test_members"], made["messaging"]["test_recipients"]) == ({}, [], [])
    assert "link_base" not in made["messaging"]
    changed = {"push", "identity_providers", "branding", "messaging"}
    assert {name: each for name, each in made.items() if name not in changed} == {
        name: each for name, each in live.items() if name not in changed
    }
    assert (made["messaging"]["email"], made["messaging"]["approval"]) == ({"from_address": "news@corner.example"}, True)
    assert desk.entry("corner-test").rates == desk.entry("corner").rates == "50/100 7/9 10/50"


def test_its_making_stands_in_its_own_audit_log(desk: Desk) -> None:
    desk.found()
    made = len(desk.call("list_audit_of_tenant", tenant="corner").body["data"])
    desk.make_test()
    desk.make_test()
    (entry,) = desk.call("list_audit_of_tenant", tenant="corner-test").body["data"]
    assert (entry["operation"], entry["actor"]["kind"]) == ("create_test_tenant", "operator")
    assert desk.call("list_audit_of_tenant", tenant="operator").body["data"] == []
    assert len(desk.call("list_audit_of_tenant", tenant="corner").body["data"]) == made


def test_the_same_call_again_answers_what_is_there(desk: Desk) -> None:
    desk.found()
    desk.make_test()
    desk.put("corner-test", name="Tried out")
    rows = desk.office.rows()
    again = desk.make_test()
    assert (again.status, again.body["etag"], again.body["settings"]["name"]) == (200, "2", "Tried out")
    assert desk.office.rows() == rows


@pytest.mark.parametrize(
    ("tenant", "status", "code"),
    [("corner-test", 409, "test_of_test"), ("nobody", 404, "unknown_tenant"), ("Not-an-id", 404, "unknown_tenant"),
     ("operator", 404, "unknown_tenant")],
)  # fmt: skip
def test_whoever_is_no_live_tenant_has_none(desk: Desk, tenant: str, status: int, code: str) -> None:
    desk.found()
    desk.make_test()
    rows = desk.office.rows()
    said = desk.make_test(tenant)
    assert (said.status, said.body["code"], desk.office.rows()) == (status, code, rows)


def test_a_tenants_own_key_makes_none(desk: Desk) -> None:
    desk.found()
    said = desk.call("create_test_tenant", scopes=frozenset({"tenant:admin"}))
    assert (said.status, said.body["code"]) == (403, "insufficient_scope")


def test_its_id_is_given_to_no_other_tenant(desk: Desk) -> None:
    said = desk.office.call("create_tenant", {"id": "corner-test", "settings": SETTINGS})
    assert (said.status, said.body["code"], said.errors) == (422, "reserved_for_test", [("/id", "reserved_for_test")])
    assert desk.office.rows() == []


@pytest.mark.parametrize("at", range(1, 10))
@pytest.mark.parametrize("when", ["before", "after"])
def test_making_it_killed_anywhere_is_finished_by_repeating_it(
    dynamodb: str, bare_house: House, monkeypatch: pytest.MonkeyPatch, at: int, when: Any
) -> None:
    table = FaultyTable(dynamodb, bare_house.table.name)
    desk = _desk(House(table, engine.table(dynamodb, bare_house.key_table.name)), monkeypatch)
    desk.found()
    table.arm(at, when, "kill")
    desk.make_test()
    was_reached = table.calls >= at
    table.disarm()
    assert was_reached == (at < 9), "kill each call, and see that there are no more"
    again = desk.make_test()
    assert again.status in (200, 201)
    assert (again.body["id"], again.body["etag"]) == ("corner-test", "1")
    assert desk.statuses() == {"corner": ("active", "active"), "corner-test": ("active", "active")}
    assert int(desk.entry("corner").test_number) == 1


def test_two_who_make_it_at_once_make_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.found()
    found_tenant, others = service.found_tenant, list[Said]()

    def with_another(*given: Any) -> Any:
        monkeypatch.setattr(testing, "found_tenant", found_tenant)
        others.append(desk.make_test())
        return found_tenant(*given)

    monkeypatch.setattr(testing, "found_tenant", with_another)
    said = desk.make_test()
    assert [(each.status, each.body["id"]) for each in (*others, said)] == [(201, "corner-test"), (200, "corner-test")]
    assert set(desk.statuses()) == {"corner", "corner-test"}


def test_tenants_of_one_mode_are_listed_a_page_at_a_time(desk: Desk) -> None:
    for name in ("aaaa", "bbbb", "cccc"):
        desk.found(name)
    for name in ("aaaa", "cccc"):
        desk.make_test(name)

    def listed(mode: str) -> list[str]:
        found, cursor = [], None
        while True:
            query = {"limit": "1", "mode": mode} | ({"cursor": cursor} if cursor else {})
            page = desk.office.call("list_tenants", query=query).body
            found += [each["id"] for each in page["data"]]
            cursor = page.get("next_cursor")
            if cursor is None:
                return found

    assert (listed("live"), listed("test")) == (["aaaa", "bbbb", "cccc"], ["aaaa-test", "cccc-test"])
    assert desk.office.call("list_tenants", query={"mode": "trial"}).errors == [("/mode", "invalid_value")]
    other = desk.office.call("list_tenants", query={"limit": "1", "mode": "live"}).body["next_cursor"]
    assert desk.office.call("list_tenants", query={"mode": "test", "cursor": other}).body["code"] == "invalid_cursor"


# -- whom it writes to ------------------------------------------------------------------------------------------------------


def test_whom_it_may_write_to_is_set_there_and_nowhere_else(desk: Desk) -> None:
    desk.found()
    desk.make_test()
    messaging = {"test_recipients": ["QA@corner.example"]}
    refused = desk.put("corner", messaging=messaging)
    assert (refused.status, refused.body["code"]) == (422, "only_in_test")
    assert refused.errors == [("/settings/messaging/test_recipients", "only_in_test")]
    new = desk.office.call("create_tenant", {"id": "other", "settings": SETTINGS | {"messaging": messaging}})
    assert (new.status, new.body["code"]) == (422, "only_in_test")
    put = desk.put("corner-test", messaging=messaging)
    assert (put.status, put.body["settings"]["messaging"]["test_recipients"]) == (200, ["qa@corner.example"])


class FencedPost(Post):
    """Whose senders stand behind the fence, as those of a stage do."""

    def means(self) -> Any:
        def allowed(_tenant: str) -> tuple[str, ...]:
            return self.house.scope().definitions.settings.messaging.test_recipients

        means = super().means()
        fenced = {channel: Fence(channel, sender, allowed) for channel, sender in means.senders.items()}
        return type(means)(fenced, means.own, means.keys)


@pytest.mark.stream
def test_a_campaign_there_reaches_whom_it_names_and_counts_the_others(bare_house: House) -> None:
    bare_house.tenant = "demo-test"
    post = FencedPost.of(bare_house)
    post.campaign("news", NEWS)
    tester, guest = post.guest(), post.guest()
    post.messaging(test_recipients=(tester,))
    assert post.deliver(post.order("news", "tell", [tester, guest])) == {"sent": 1, "suppressed": 1}
    assert post.sender.members == [tester]
    (withheld,) = post.deliveries(guest)
    assert (withheld.state, withheld.reason) == ("suppressed", "test_mode")
    assert post.deliver(post.order("news", "tell", [guest])) == {"already": 1}
    report = post.report("news")
    assert (report.planned, report.sent, report.suppressed, report.suppressed_by_reason) == (2, 1, 1, {"test_mode": 1})
    assert (report.claimed, report.failed) == (1, 0)


# -- its keys ---------------------------------------------------------------------------------------------------------------


def access(desk: Desk) -> Access:
    pepper = derive(MASTER, PEPPER_PURPOSE)
    return Access(desk.office.house.table, TokenSigner(MASTER), pepper, "operators-own-secret", lambda: desk.office.house.now, lambda: 0.0)


def test_its_keys_say_what_they_are_and_open_it_alone(desk: Desk) -> None:
    desk.found()
    desk.make_test()
    made, live = (desk.call("create_key", {"scopes": ["tenant:admin"]}, tenant).body for tenant in ("corner-test", "corner"))
    assert (made["mode"], live["mode"]) == ("test", "live")
    assert made["key"].startswith("lyk_corner-test-")
    assert [each["key_id"] for each in desk.call("list_keys", tenant="corner-test").body["data"]] == [made["key_id"]]
    assert access(desk).principal(f"Bearer {made['key']}").tenant == "corner-test"
    for tenant, theirs in (("corner", made), ("corner-test", live)):
        assert desk.call("revoke_key", tenant=tenant, key_id=theirs["key_id"]).body["code"] == "unknown_key"
    own = desk.office.call("list_own_keys", tenant="corner-test", who=made["key_id"])
    assert (own.headers["regulars-mode"], len(own.body["data"])) == ("test", 1)
    assert desk.office.call("list_own_keys", tenant="corner", who=live["key_id"]).headers["regulars-mode"] == "live"
    assert "regulars-mode" not in desk.call("get_tenant").headers


# -- with its tenant --------------------------------------------------------------------------------------------------------


def test_it_is_suspended_and_resumed_with_its_tenant(desk: Desk) -> None:
    desk.found()
    desk.make_test()
    key = desk.call("create_key", {"scopes": ["tenant:admin"]}, "corner-test").body["key"]
    assert desk.put(status="suspended").body["test_tenant"] == "corner-test"
    assert desk.statuses() == {"corner": ("suspended", "suspended"), "corner-test": ("suspended", "suspended")}
    with pytest.raises(SuspendedTenant):
        access(desk).principal(f"Bearer {key}")
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
    desk = _desk(House(table, engine.table(dynamodb, bare_house.key_table.name)), monkeypatch)
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


# -- removing ---------------------------------------------------------------------------------------------------------------


def removals(desk: Desk) -> list[str]:
    return [each["tenant"] for each in desk.queue.take()]


def test_it_is_removed_with_its_tenant(desk: Desk) -> None:
    desk.found()
    desk.make_test()
    desk.put(status="suspended")
    said = desk.remove()
    assert (said.status, said.body["tenant"]) == (202, "corner")
    assert removals(desk) == ["corner-test", "corner"]
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
    assert removals(desk) == []
    assert desk.statuses() == {"corner": ("suspended", "suspended"), "corner-test": ("suspended", "suspended")}


def test_removed_alone_it_leaves_its_tenant_and_the_next_has_a_new_id(desk: Desk) -> None:
    desk.found()
    desk.make_test()
    assert desk.remove("corner-test").body["code"] == "tenant_active"
    desk.put("corner-test", status="suspended")
    assert desk.remove("corner-test").status == 202
    assert removals(desk) == ["corner-test"]
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
    desk = _desk(House(table, engine.table(dynamodb, bare_house.key_table.name)), monkeypatch)
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
        assert removals(desk) == [f"{tenant}-test", tenant]
        assert {desk.entry(each).status for each in (tenant, f"{tenant}-test")} == {"removing"}
        if not was_reached:
            assert at > 9
            return
    pytest.fail("it makes more calls than the test kills")
