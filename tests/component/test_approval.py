"""Approval by a second person: what needs it, who may give it, and what holds until then."""

from __future__ import annotations

from typing import Any

import pytest

from shared.campaigns import service
from shared.definitions.repository import definition_of
from shared.kernel.instants import DAY, MINUTE, format_rfc3339, parse_rfc3339
from shared.relay.envelope import of_record
from shared.storage import keys
from shared.storage.items import SettingsItem
from shared.storage.packing import pack
from shared.tenants.messaging import MessagingSettings
from tests.builders.campaigns import PUSH_SETTINGS
from tests.builders.house import FRIES, House
from tests.builders.office import Office, Said

NEWS: dict[str, Any] = {
    "name": "News",
    "trigger": {"kind": "event", "types": ["member.registered"]},
    "steps": [{"id": "tell", "channel": "inbox", "content": {"en": {"title": "New", "body": "Have a look"}}}],
}
BIRTHDAY = NEWS | {"trigger": {"kind": "date", "of": "birthday"}}
DAILY = NEWS | {"trigger": {"kind": "recurring", "rrule": "FREQ=DAILY", "starts": "2026-11-01T11:30"}}
LEAD = 2 * MINUTE
ANNA, BEN = "demo-anna", "demo-ben"


class Marketing(Office):
    """Two people of a tenant."""

    def approval(self, *, wanted: bool) -> None:
        messaging = MessagingSettings(approval=wanted)
        whole = PUSH_SETTINGS.model_copy(update={"messaging": messaging})
        key = keys.settings("demo")
        self.house.table.put(SettingsItem.at(key, version=1, body=pack(whole.model_dump(mode="json"))))
        self.house.cache.forget("demo")

    def write(self, body: dict[str, Any] = NEWS) -> None:
        """The first draft, or the next."""
        before = self.call("get_campaign", definition_id="news")
        if before.status == 404:
            assert self.call("create_campaign", {"id": "news", "definition": body}).status == 201
        else:
            said = self.call("replace_campaign", {"definition": body}, if_match=before.body["etag"], definition_id="news")
            assert said.status == 200, said.body

    def publish(self, who: str = ANNA, **body: Any) -> Said:
        return self.call("publish_campaign", body, who=who, definition_id="news")

    def approve(self, version: int = 1, who: str = BEN) -> Said:
        return self.call("approve_campaign", {"version": version}, who=who, campaign_id="news")

    def launch(self) -> Said:
        return self.call("launch_campaign", campaign_id="news")

    def pass_time(self, by: int = LEAD) -> None:
        self.house.now += by
        self.house.cache.forget("demo")

    def served(self) -> int | None:
        found = self.house.scope().definitions.at(self.house.now).campaigns.get("news")
        return None if found is None else found.version

    def told(self, version: int = 1) -> list[tuple[str, dict[str, Any]]]:
        raw = self.house.table.get(keys.definition("demo", "campaign", "news", version))
        assert raw is not None
        found = of_record({"eventName": "MODIFY", "dynamodb": {"NewImage": raw}})
        return [(each["type"], each["data"]) for each in found.events] if found is not None else []


@pytest.fixture
def office(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Marketing:
    bare_house.create(PUSH_SETTINGS)
    bare_house.publish("offer", "fries", FRIES)
    made = Marketing(bare_house, monkeypatch)
    made.approval(wanted=True)
    return made


def test_what_nobody_else_approved_is_not_launched_and_then_it_is(office: Marketing) -> None:
    office.write()
    published = office.publish().body
    assert (published["status"], published["awaits_approval"], published["published_by"]) == ("published", True, ANNA)
    assert "effective_from" not in published
    office.pass_time(DAY)
    refused = office.launch()
    assert (refused.status, refused.body["code"], office.served()) == (409, "approval_needed", None)
    approved = office.approve()
    assert (approved.status, approved.body["approved_by"], "awaits_approval" in approved.body) == (200, BEN, False)
    assert approved.body["effective_from"] == format_rfc3339(office.house.now + LEAD)
    assert (office.launch().status, office.launch().body["code"]) == (409, "campaign_not_in_force")
    office.pass_time()
    assert office.launch().body["state"] == "active"


def test_what_waits_for_approval_is_listed_until_it_is_approved(office: Marketing) -> None:
    def waiting(**query: str) -> list[tuple[str, int]]:
        said = office.call("list_campaigns", query={"awaits_approval": "true", **query})
        assert said.status == 200, said.body
        return [(each["id"], each["version"]) for each in said.body["data"]]

    assert waiting() == []
    office.write()
    assert waiting() == [], "a draft waits for nobody"
    office.publish()
    office.write(NEWS | {"name": "News, again"})
    assert waiting() == [("news", 1)], "the draft beside it hides it not"
    for other in ("a-first", "z-last"):
        office.call("create_campaign", {"id": other, "definition": NEWS})
        office.call("publish_campaign", {}, who=ANNA, definition_id=other)
    first = office.call("list_campaigns", query={"awaits_approval": "true", "limit": "2"}).body
    assert [each["id"] for each in first["data"]] == ["a-first", "news"]
    assert waiting(cursor=first["next_cursor"]) == [("z-last", 1)]
    office.publish()
    assert ("news", 2) in waiting()
    office.approve(version=2)
    assert waiting() == [("a-first", 1), ("z-last", 1)], "nobody needs the first version any more"
    assert office.call("retire_campaign", definition_id="z-last").status == 200
    assert waiting() == [("a-first", 1)]
    everything = office.call("list_campaigns", query={"awaits_approval": "false"}).body["data"]
    assert [each["id"] for each in everything] == ["a-first", "news", "z-last"]


def test_a_filter_that_is_no_truth_and_a_kind_without_approval_are_refused(office: Marketing) -> None:
    said = office.call("list_campaigns", query={"awaits_approval": "yes"})
    assert (said.status, said.errors) == (422, [("/awaits_approval", "invalid_value")])
    said = office.call("list_offers", query={"awaits_approval": "true"})
    assert (said.status, said.errors) == (422, [("/awaits_approval", "unknown_field")])


def test_who_published_does_not_approve(office: Marketing) -> None:
    office.write()
    office.publish(ANNA)
    refused = office.approve(who=ANNA)
    assert (refused.status, refused.body["code"]) == (403, "own_work")
    office.pass_time(DAY)
    assert office.launch().body["code"] == "approval_needed"


def test_approval_and_publication_are_told_when_it_is_approved_and_not_before(office: Marketing) -> None:
    office.write(BIRTHDAY)
    office.publish()
    assert office.told() == [("definition.approval_requested", {"kind": "campaign", "id": "news", "version": 1, "actor": ANNA})]
    office.approve()
    since = office.house.now + LEAD
    assert office.told() == [
        ("campaign.approved", {"campaign": "news", "version": 1, "actor": BEN}),
        ("definition.published", {"kind": "campaign", "id": "news", "version": 1, "epoch": since, "effective_from": since}),
    ]
    assert office.house.scope().definitions.epoch_at(since) == since


def test_a_new_version_takes_over_only_when_it_is_approved(office: Marketing) -> None:
    office.write()
    office.publish()
    office.approve()
    office.pass_time()
    assert office.launch().status == 200
    office.write(NEWS | {"name": "News, again"})
    office.publish()
    office.pass_time(DAY)
    assert office.served() == 1
    assert office.approve(version=1).body["approved_by"] == BEN
    assert office.served() == 1
    office.approve(version=2)
    assert office.served() == 1
    office.pass_time()
    assert office.served() == 2
    service.pause(office.house.scope(), "news")
    assert office.call("resume_campaign", campaign_id="news").body["state"] == "active"


def test_an_approval_repeated_changes_nothing_also_by_a_third(office: Marketing) -> None:
    office.write()
    office.publish()
    first = office.approve().body
    office.pass_time(DAY)
    assert office.approve(who="demo-carla").body == first


def test_an_instant_ahead_is_kept(office: Marketing) -> None:
    office.write()
    wanted = office.house.now + DAY
    assert office.publish(effective_from=format_rfc3339(wanted)).status == 200
    assert office.publish(effective_from=format_rfc3339(wanted)).status == 200
    assert office.publish(effective_from=format_rfc3339(wanted + 1)).body["code"] == "nothing_to_publish"
    assert parse_rfc3339(office.approve().body["effective_from"]) == wanted


def test_a_draft_a_retired_version_and_none_cannot_be_approved(office: Marketing) -> None:
    assert office.approve().status == 404
    office.write()
    assert (office.approve().status, office.approve().body["code"]) == (409, "nothing_to_approve")
    assert office.approve(version=2).status == 404
    office.publish()
    assert "awaits_approval" not in office.call("retire_campaign", definition_id="news").body
    assert office.approve().body["code"] == "nothing_to_approve"


def test_what_it_names_is_checked_again_when_it_is_approved(office: Marketing) -> None:
    office.write(NEWS | {"steps": [NEWS["steps"][0] | {"offer": "fries"}]})
    assert office.publish().status == 200
    office.call("retire_offer", definition_id="fries")
    office.pass_time()
    refused = office.approve()
    assert (refused.status, refused.errors) == (422, [("/definition/steps/0/offer", "unknown_offer")])


def test_without_the_setting_nothing_waits_and_what_holds_may_be_approved_later(office: Marketing) -> None:
    office.approval(wanted=False)
    office.write()
    assert "effective_from" in office.publish().body
    office.pass_time()
    office.approval(wanted=True)
    assert (office.served(), office.launch().body["code"]) == (1, "approval_needed")
    assert office.approve(who=ANNA).body["code"] == "own_work"
    before = office.call("get_campaign", definition_id="news").body["effective_from"]
    assert office.approve().body["effective_from"] == before
    assert [type_ for type_, _ in office.told()] == ["campaign.approved"]
    office.pass_time(MINUTE)
    assert office.launch().body["state"] == "active"


def test_what_runs_goes_on_when_approval_is_wanted_from_now_on_and_resuming_needs_it(office: Marketing) -> None:
    office.approval(wanted=False)
    office.write()
    office.publish()
    office.pass_time()
    office.launch()
    office.approval(wanted=True)
    assert (office.served(), office.launch().body["state"]) == (1, "active")
    service.pause(office.house.scope(), "news")
    assert office.call("resume_campaign", campaign_id="news").body["code"] == "approval_needed"
    office.approve()
    office.house.cache.forget("demo")
    assert office.call("resume_campaign", campaign_id="news").body["state"] == "active"


def test_a_recurring_campaign_looks_again_for_its_next_time_when_another_rule_is_approved(office: Marketing) -> None:
    office.write(DAILY)
    office.publish()
    office.approve()
    office.pass_time()
    office.launch()
    office.write(DAILY | {"trigger": DAILY["trigger"] | {"starts": "2026-11-01T11:05"}})
    office.publish()
    run = service.known_run(office.house.scope(), "news")
    office.approve(version=2)
    assert service.known_run(office.house.scope(), "news").next_at == min(office.house.now + LEAD, run.next_at or 0)


def test_the_waiting_version_is_stored_with_the_instant_that_it_was_published_for(office: Marketing) -> None:
    office.write()
    office.publish()
    raw = office.house.table.get(keys.definition("demo", "campaign", "news", 1))
    assert raw is not None
    found = definition_of(raw)
    assert (found.effective_from, found.wanted_from, found.published_by) == (None, office.house.now + LEAD, ANNA)
