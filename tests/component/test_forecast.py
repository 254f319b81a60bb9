"""Estimates and the calendar over a real engine, through the handler, with a snapshot and without."""

from __future__ import annotations

from typing import Any

import pytest

from functions.audiences import handler
from shared.campaigns import service
from shared.campaigns.rules import held_out
from shared.definitions.api import REQUESTS, DefinitionRequest
from shared.definitions.model import Kind
from shared.definitions.service import create
from shared.kernel.ids import new_id
from shared.kernel.instants import day_of
from shared.member_state.events import ConsentsChanged, DevicesChanged, MemberEvent
from shared.member_state.model import Consent, Facts
from shared.member_state.repository import seal_facts
from shared.member_state.service import Change, Occasion, change_member
from shared.members.repository import MemberRepository
from shared.storage import keys
from shared.storage.expressions import Path
from shared.storage.items import SettingsItem
from shared.storage.packing import pack
from shared.storage.table import WriteBatch
from shared.tenants.messaging import MessagingSettings
from shared.tenants.model import TenantSettings
from shared.tenants.principal import Principal
from tests.builders.audiences import BY_OPERATION, Desk, Said
from tests.builders.campaigns import PUSH_SETTINGS
from tests.builders.house import PROGRAMME, House
from tests.unit.http.events import event_for

RUN = frozenset({"campaigns:run"})
TEXT = {"en": {"title": "Hello", "body": "x"}}
RICH = {"kind": "balance", "wallet": "points", "op": "ge", "value": 50}
VOUCHER = {"name": "Voucher", "effect": {"kind": "voucher", "value": 500}, "content": {"en": {"title": "5 euros"}}}


class Marketer(Desk):
    """Somebody who plans campaigns."""

    def settings(self, languages: tuple[str, ...] = ("en",), **messaging: Any) -> None:
        changed = {"messaging": MessagingSettings.model_validate(messaging), "languages": languages}
        whole = TenantSettings.model_validate(PUSH_SETTINGS.model_copy(update=changed).model_dump(mode="json"))
        self.house.table.put(SettingsItem.at(keys.settings("demo"), version=1, body=pack(whole.model_dump(mode="json"))))
        self.house.cache.forget("demo")

    def draft(self, kind: Kind, id_: str, body: dict[str, Any]) -> None:
        request: DefinitionRequest[Any] = REQUESTS[kind].model_validate({"id": id_, "definition": body})
        create(self.scope(), kind, request)
        self.house.cache.forget("demo")

    def campaign(self, id_: str, *steps: dict[str, Any], publish: bool = False, **more: Any) -> None:
        body = {"name": id_, "trigger": {"kind": "once"}, "steps": list(steps or [{"id": "s", "content": TEXT}]), **more}
        if publish:
            self.house.publish("campaign", id_, body)
        else:
            self.draft("campaign", id_, body)

    def members(self, number: int, *, push: bool = True) -> list[str]:
        return [self.member(push=push) for _ in range(number)]

    def member(self, *, push: bool = True) -> str:
        member = self.house.join()
        now = self.house.now
        yes = ConsentsChanged(now, {"marketing:push": Consent(True, now, "1")})
        events: list[MemberEvent] = [yes, DevicesChanged(now, (f"d{member}",))]
        if push:
            change_member(self.scope(), member, Occasion(now), lambda *_: Change(events, lambda *_: None))
        self.listed(member)
        return member

    def listed(self, member: str, facts: Facts | None = None) -> None:
        """Her profile row, which lists her; and what of it leaves may ask, sealed."""
        cipher, batch = self.scope().new_cipher(member), WriteBatch()
        MemberRepository("demo", self.house.table).add_profile(batch, member, 0, {"first_name": "Anna"}, cipher)
        self.house.table.transact(batch, new_id("tok", self.house.now)[-26:])
        if facts is not None:
            self.house.table.update(keys.state("demo", member), [Path("f").set(seal_facts(facts, cipher))])

    def ask(self, **query: str) -> Said:
        """The calendar."""
        caller = Principal(kind="key", tenant="demo", id="demo-aaaaaaaaaaaa", scopes=RUN)
        return Said(handler.lambda_handler(event_for(BY_OPERATION["get_calendar"], caller, queryStringParameters=query)))

    def estimate(self, campaign: str, **body: Any) -> Said:
        return self.call("estimate_campaign", body or None, scopes=RUN, campaign_id=campaign)


@pytest.fixture
def desk(dynamodb: str, bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Marketer:
    bare_house.create(PUSH_SETTINGS)
    bare_house.publish("programme", "points", PROGRAMME)
    return Marketer(bare_house, dynamodb, monkeypatch)


def count(figure: dict[str, Any]) -> int:
    assert figure["low"] <= figure["count"] <= figure["high"]
    found: int = figure["count"]
    return found


def test_a_draft_is_estimated_with_reach_costs_and_liability(desk: Marketer) -> None:
    desk.house.publish("offer", "voucher", VOUCHER)
    desk.settings(prices={"push": {"*": 1_500_000}}, per_second={"push": 2})
    desk.campaign("news", {"id": "s", "content": TEXT, "offer": "voucher"})
    desk.members(6)
    desk.members(4, push=False)
    said = desk.estimate("news", redemption_percent=50)
    assert said.status == 200, said.body
    found = said.body
    assert (found["version"], found["from"], found["looked_at"], count(found["audience"]), found["population"]) == (1, "table", 10, 10, 10)
    (step,) = found["steps"]
    (push,) = step["channels"]
    assert [count(each) for each in (step["comes"], push["first"], push["reachable"], step["no_consent"])] == [10, 6, 6, 4]
    assert (push["cost"], found["message_cost"], found["sending_seconds"]) == (9, 9, 3)
    (voucher,) = found["coupons"]
    assert (count(voucher["recipients"]), voucher["highest"], voucher["expected"]) == (6, 3000, 1500)
    assert (found["coupon_liability_highest"], found["coupon_liability_expected"]) == (3000, 1500)
    assert desk.sqs.of["snapshots"].sent, "without a snapshot one is asked for"


@pytest.mark.parametrize("mode", ["estimate", "exact"])
def test_the_audience_is_that_of_the_draft_segment_and_a_snapshot_answers_alike(desk: Marketer, mode: str) -> None:
    desk.crowd(150)
    desk.snapshot()
    desk.draft("segment", "rich", {"name": "Rich", "rule": RICH})
    desk.campaign("news", audience={"segment": "rich"})
    truth = len(desk.truth(RICH))
    found = desk.estimate("news", mode=mode, size=100).body
    assert (found["from"], found["population"], count(found["audience"])) == ("snapshot", 150, truth)
    assert 0 < truth < 100
    assert found["looked_at"] == truth
    assert count(found["steps"][0]["no_consent"]) == truth


def test_a_sample_scales_and_its_interval_holds_the_truth(desk: Marketer) -> None:
    desk.crowd(400)
    desk.snapshot()
    desk.campaign("news", holdout_percent=0)
    found = desk.estimate("news", size=100).body
    assert (found["looked_at"], found["audience"]["count"]) == (100, 400)
    assert found["steps"][0]["no_consent"]["count"] == 400


def test_held_out_and_capped_members_are_counted_apart(desk: Marketer) -> None:
    desk.campaign("news", holdout_percent=50, cap={"max": 1, "days": 7})
    members = desk.members(12)
    out = sum(held_out("news", member, 50) for member in members)
    step = desk.estimate("news").body["steps"][0]
    assert (count(step["held_out"]), count(step["channels"][0]["first"])) == (out, 12 - out)
    assert 0 < out < 12


def test_a_flow_is_told_for_events_and_dates_and_unknown_is_said(desk: Marketer) -> None:
    desk.members(3)
    desk.campaign("welcome", trigger={"kind": "event", "types": ["member.registered"]})
    desk.campaign("other", trigger={"kind": "event", "types": ["coupon.redeemed"]})
    assert desk.estimate("welcome").body["flow"] | {"message_cost_in_28_days": 0} == {
        "basis": "past", "in_28_days": 3, "per_day": 1, "bound": "exact", "message_cost_in_28_days": 0,
    }  # fmt: skip
    unknown = desk.estimate("other").body["flow"]
    assert (unknown["basis"], "in_28_days" in unknown, "coupon.redeemed" in unknown["reason"]) == ("unknown", False, True)


def test_birthdays_are_seen_through_the_sealed_facts(desk: Marketer) -> None:
    desk.member()
    desk.listed(desk.house.join(), Facts(birth_date=day_of("1990-12-01")))
    desk.listed(desk.house.join(), Facts(birth_date=day_of("1990-06-01")))
    desk.campaign("birthday", trigger={"kind": "date", "of": "birthday", "days": 3})
    assert desk.estimate("birthday").body["flow"]["in_28_days"] == 1


def test_warnings_name_languages_budget_goal_and_channels(desk: Marketer) -> None:
    desk.settings(("en", "de"))
    desk.listed(desk.house.join(), Facts(language="de-AT"))
    desk.house.publish("offer", "voucher", VOUCHER)
    steps = [{"id": "s", "content": TEXT, "offer": "voucher", "ladder": {"channels": ["push", "email"]}}]
    desk.campaign("news", *steps, goal={"of": "form_submitted", "days": 3}, budget={"amount": 1})
    desk.members(9)
    found = {(each["code"], each["pointer"]) for each in desk.estimate("news", redemption_percent=100).body["warnings"]}
    assert found == {
        ("missing_language", "/definition/steps/0/content"),
        ("channel_not_set_up", "/definition/steps/0"),
        ("goal_not_measurable", "/definition/goal/of"),
        ("budget_too_small", "/definition/budget/amount"),
    }
    desk.campaign("plain", goal={"of": "event.nothing", "days": 3}, audience={"filter": {"kind": "member_tag", "tag": "nobody"}})
    assert [each["code"] for each in desk.estimate("plain").body["warnings"]] == ["nobody", "goal_not_measurable"]


def test_refusals_name_what_is_not_there(desk: Marketer) -> None:
    assert (desk.estimate("nothing").status, desk.estimate("nothing").body["code"]) == (404, "unknown_campaign")
    desk.campaign("news", audience={"segment": "nothing"})
    refused = desk.estimate("news")
    assert (refused.status, refused.errors) == (422, [("/definition/audience/segment", "unknown_segment")])
    assert desk.estimate("news", version=7).status == 404


def test_an_older_version_may_be_asked_about(desk: Marketer) -> None:
    desk.members(2)
    body = {"name": "n", "trigger": {"kind": "once"}, "steps": [{"id": "old", "content": TEXT}]}
    desk.house.publish("campaign", "news", body)
    desk.house.publish("campaign", "news", body | {"steps": [{"id": "new", "content": TEXT}]}, version=2)
    assert [desk.estimate("news", **more).body["steps"][0]["step"] for more in ({}, {"version": 1})] == ["new", "old"]


# -- the calendar -----------------------------------------------------------------------------------------------------

AT_NINE = "2026-11-23T08:00:00Z"
"""Nine o'clock in Berlin, two days ahead."""


def launched(desk: Marketer, id_: str, **more: Any) -> None:
    desk.campaign(id_, publish=True, **more)
    service.launch(desk.scope(), id_)


def calendar(desk: Marketer, **query: str) -> dict[str, Any]:
    said = desk.ask(**query)
    assert said.status == 200, said.body
    body: dict[str, Any] = said.body
    return body


def on(found: dict[str, Any]) -> dict[str, list[tuple[str, int]]]:
    """Day -> campaigns with the members who would get something."""
    busy = (day for day in found["days"] if day["campaigns"])
    return {day["date"]: [(each["campaign_id"], each["members"]["count"]) for each in day["campaigns"]] for day in busy}


def test_each_day_says_what_goes_out_to_how_many(desk: Marketer) -> None:
    desk.members(4)
    desk.members(2, push=False)
    launched(desk, "once", trigger={"kind": "once", "at": AT_NINE})
    launched(desk, "weekly", trigger={"kind": "recurring", "rrule": "FREQ=WEEKLY;BYDAY=MO", "starts": "2026-11-02T11:00"})
    desk.campaign("draft", trigger={"kind": "recurring", "rrule": "FREQ=WEEKLY;BYDAY=TU", "starts": "2026-11-02T11:00", "in": "member"})
    desk.campaign("unlaunched", publish=True)
    found = calendar(desk, **{"from": "2026-11-21", "to": "2026-11-30"})
    assert on(found) == {"2026-11-23": [("once", 4), ("weekly", 4)], "2026-11-30": [("weekly", 4)]}
    assert [len(found["days"]), found["looked_at"], found["population"], found["time_zone"]] == [10, 6, 6, "Europe/Berlin"]
    (once, _) = found["days"][2]["campaigns"]
    assert (once["at"], once["audience"]["count"]) == (AT_NINE, 6)
    more = calendar(desk, **{"from": "2026-11-21", "to": "2026-11-24", "with": "draft"})
    assert on(more) == {"2026-11-23": [("once", 4), ("weekly", 4)], "2026-11-24": [("draft", 4)]}


def test_campaigns_that_wait_for_events_run_on_no_day(desk: Marketer) -> None:
    desk.members(3)
    launched(desk, "welcome", trigger={"kind": "event", "types": ["member.registered"]})
    launched(desk, "calls", trigger={"kind": "api"})
    found = calendar(desk)
    assert on(found) == {}
    assert {each["campaign_id"]: each.get("per_day") for each in found["running"]} == {"calls": None, "welcome": 1}


def test_collisions_and_cap_losses_are_counted_and_priority_decides(desk: Marketer) -> None:
    desk.settings(caps=[{"max": 1, "days": 3}])
    desk.members(5)
    launched(desk, "big", trigger={"kind": "once", "at": AT_NINE}, priority=80)
    launched(desk, "small", trigger={"kind": "once", "at": AT_NINE}, priority=20)
    launched(desk, "later", trigger={"kind": "once", "at": "2026-11-26T08:00:00Z"})
    found = calendar(desk)
    losses = {each["campaign_id"]: (each["planned"], each["lost"]) for each in found["losses"]}
    assert losses == {"big": (5, 0), "later": (5, 0), "small": (5, 5)}
    (pair,) = found["collisions"]
    assert (pair["campaigns"], pair["members"]["count"], pair["share_percent"]) == (["big", "small"], 5, [100, 100])
    assert (pair["first"], pair["hours_apart"], found["collision_days"]) == ("2026-11-23", 0, 3)


def test_blackout_days_and_quiet_hours_are_warned_of(desk: Marketer) -> None:
    desk.settings(blackouts=[{"first": "2026-11-24", "last": "2026-11-24"}], quiet_hours={"start": "21:00", "end": "08:30"})
    desk.members(2)
    launched(desk, "night", trigger={"kind": "recurring", "rrule": "FREQ=DAILY;COUNT=3", "starts": "2026-11-23T07:00"})
    found = calendar(desk)
    assert [each["date"] for each in found["days"] if each["blackout"]] == ["2026-11-24"]
    assert [(each["code"], each["date"], each["messages"]) for each in found["warnings"]] == [
        ("quiet_hours", "2026-11-23", 2), ("blackout", "2026-11-24", 2), ("quiet_hours", "2026-11-25", 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "status", "pointer"),
    [
        ({"from": "2026-11-21", "to": "2027-02-21"}, 422, "/to"),
        ({"from": "2026-11-21", "to": "2026-11-20"}, 422, "/to"),
        ({"from": "today"}, 422, "/from"),
        ({"with": "nothing"}, 404, "/with/0"),
        ({"with": ",".join(f"c{number}" for number in range(21))}, 422, "/with"),
    ],
)
def test_a_range_that_is_none_is_refused(desk: Marketer, query: dict[str, str], status: int, pointer: str) -> None:
    refused = desk.ask(**query)
    assert (refused.status, [each[0] for each in refused.errors]) == (status, [pointer])


def test_the_longest_range_is_92_days(desk: Marketer) -> None:
    assert len(calendar(desk, **{"from": "2026-11-21", "to": "2027-02-20"})["days"]) == 92
