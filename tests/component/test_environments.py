"""Test environments: made once and again after a crash, apart from their tenants, with keys and messages of their own."""

from __future__ import annotations

from typing import Any

import pytest

from shared.messaging.fence import Fence
from shared.storage import keys
from shared.tenants import service, testing
from tests.builders.campaigns import NEWS, Post
from tests.builders.house import House
from tests.builders.office import Said
from tests.builders.operator_desk import SETTINGS, Desk, desk_of, desk_over
from tests.fakes.faulty import FaultyTable


@pytest.fixture
def desk(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return desk_of(bare_house, monkeypatch)


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
    desk = desk_over(table, dynamodb, bare_house, monkeypatch)
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


def test_its_keys_say_what_they_are_and_open_it_alone(desk: Desk) -> None:
    desk.found()
    desk.make_test()
    made, live = (desk.call("create_key", {"scopes": ["tenant:admin"]}, tenant).body for tenant in ("corner-test", "corner"))
    assert (made["mode"], live["mode"]) == ("test", "live")
    assert made["key"].startswith("lyk_corner-test-")
    assert [each["key_id"] for each in desk.call("list_keys", tenant="corner-test").body["data"]] == [made["key_id"]]
    assert desk.access().principal(f"Bearer {made['key']}").tenant == "corner-test"
    for tenant, theirs in (("corner", made), ("corner-test", live)):
        assert desk.call("revoke_key", tenant=tenant, key_id=theirs["key_id"]).body["code"] == "unknown_key"
    own = desk.office.call("list_own_keys", tenant="corner-test", who=made["key_id"])
    assert (own.headers["regulars-mode"], len(own.body["data"])) == ("test", 1)
    assert desk.office.call("list_own_keys", tenant="corner", who=live["key_id"]).headers["regulars-mode"] == "live"
    assert "regulars-mode" not in desk.call("get_tenant").headers
