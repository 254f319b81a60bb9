"""Campaigns as a marketer's tool calls them: drafts, publishing, launching, switching. What is wrong is refused where it is, and
nothing is half-launched. Calls that trigger, approval, and what is shown of campaigns: test_campaign_calls_http.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.kernel.instants import DAY, HOUR, MINUTE, format_rfc3339
from shared.storage import keys
from tests.builders.campaigns import NEWS, WELCOME, message
from tests.builders.house import House
from tests.builders.marketer import LEAD, Marketer, refused, step, with_

VISITED: dict[str, Any] = {"kind": "attribute", "name": "lifetime_purchases", "op": "ge", "value": 1}
IN_GHOSTS = {"kind": "segment", "segment": "ghosts"}
REGULARS: dict[str, Any] = {"name": "Regulars", "rule": VISITED}
TEXTS = "/definition/steps/0/content/en"
TITLE = f"{TEXTS}/title"
FEBRUARY_30 = "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30"


@pytest.fixture
def office(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Marketer:
    return Marketer(bare_house, monkeypatch)


def recurring(rrule: str, starts: str = "2026-11-01T11:30") -> dict[str, Any]:
    return with_(trigger={"kind": "recurring", "rrule": rrule, "starts": starts})


def saying(title: str) -> dict[str, Any]:
    return step(content={"en": {"title": title, "body": "x"}})


# -- a draft ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        (with_(steps=[step(then="nowhere")]), "/definition/steps/0/then", "unknown_step"),
        (with_(steps=[message("one"), message("two", then="one")]), "/definition/steps/1/then", "unknown_step"),
        (with_(steps=[message("one", then="three"), message("two"), message("three")]), "/definition/steps/1", "unreachable_step"),
        (with_(steps=[message("one"), message("one")]), "/definition/steps/1/id", "duplicate_step"),
        (recurring(FEBRUARY_30), "/definition/trigger/rrule", "invalid_rrule"),
        (recurring("FREQ=MINUTELY"), "/definition/trigger/rrule", "invalid_rrule"),
        (recurring("FREQ=DAILY;BYHOUR=9,10;BYMINUTE=0,30"), "/definition/trigger/rrule", "too_often"),
        (recurring("FREQ=DAILY", "2026-02-30T11:30"), "/definition/trigger/starts", "invalid_value"),
        (with_(name="News\x00"), "/definition/name", "control_character"),
        (with_(name="Two\nlines"), "/definition/name", "control_character"),
        (with_(steps=[saying("Hi\x1b")]), TITLE, "control_character"),
        (with_(steps=[step(content={"en": {"title": "Hi", "body": "a\n\tb\x00"}})]), f"{TEXTS}/body", "control_character"),
        (with_(trigger={"kind": "once", "at": "tomorrow"}), "/definition/trigger/at", "invalid_value"),
        (with_(trigger={"kind": "once", "at": "9999-12-31T23:59:59-12:00"}), "/definition/trigger/at", "invalid_value"),
        (with_(trigger={"kind": "event", "types": ["campaign.launched"]}), "/definition/trigger/types/0", "invalid_value"),
        (with_(steps=[step(channel="pigeon")]), "/definition/steps/0/channel", "invalid_value"),
        (with_(audience={"filter": {"kind": "wishes"}}), "/definition/audience/filter", "invalid_value"),
    ],
)  # fmt: skip
def test_a_draft_that_can_never_work_is_not_taken_and_leaves_what_was_there(office: Marketer, body: Any, pointer: str, code: str) -> None:
    before = office.rows()
    refused(office.write(body), 422, "invalid_request", (pointer, code))
    assert office.rows() == before
    kept = office.write(NEWS).body
    again = office.call("replace_campaign", {"definition": body}, if_match=kept["etag"], definition_id="news")
    refused(again, 422, "invalid_request", (pointer, code))
    assert office.call("get_campaign", definition_id="news").body == kept


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (with_(steps=[saying("{{ member.shoe_size }}")]), "unknown_variable"),
        (with_(steps=[saying("{{ coupon.title }}")]), "unknown_variable"),
        (with_(steps=[saying("{{ data.table }}")]), "unknown_variable"),
        (with_(steps=[saying("{{ member.first_name")]), "invalid_template"),
        (with_(steps=[saying("{{ member.first_name | shout }}")]), "invalid_template"),
        (with_(steps=[saying("{% include 'other' %}")]), "invalid_template"),
    ],
)
def test_a_text_that_can_never_be_written_is_not_taken(office: Marketer, body: Any, code: str) -> None:
    before = office.rows()
    refused(office.write(body), 422, "unusable_content", (TITLE, code))
    assert office.rows() == before
    kept = office.write(NEWS).body
    again = office.call("replace_campaign", {"definition": body}, if_match=kept["etag"], definition_id="news")
    refused(again, 422, "unusable_content", (TITLE, code))
    assert office.call("get_campaign", definition_id="news").body == kept


def test_a_draft_may_name_a_wallet_that_comes_later(office: Marketer) -> None:
    office.configure("points")
    assert office.write(with_(steps=[saying("{{ balance.stars.points }}")])).status == 201
    refused(office.call("publish_campaign", {}, definition_id="news"), 422, "unusable_content", (TITLE, "unknown_variable"))
    office.configure("points", "stars")
    assert office.call("publish_campaign", {}, definition_id="news").status == 200


def test_a_draft_is_replaced_by_who_has_read_it(office: Marketer) -> None:
    first = office.write(NEWS)
    assert (first.status, first.headers["etag"]) == (201, f'"{first.body["etag"]}"')
    second = office.call("replace_campaign", {"definition": WELCOME}, if_match=first.body["etag"], definition_id="news")
    assert (second.status, second.body["version"], second.body["definition"]["name"]) == (200, 1, "Welcome")
    mismatch = (412, "version_mismatch")
    for tag, (status, code) in (("0", mismatch), (first.body["etag"], mismatch), (None, (428, "if_match_required"))):
        refused(office.call("replace_campaign", {"definition": NEWS}, if_match=tag, definition_id="news"), status, code)
    refused(office.write(NEWS), 409, "definition_exists")


# -- publishing -------------------------------------------------------------------------------------------------------

SERVICE = {"message_class": "service"}


def waiting_until(day: str, **more: Any) -> dict[str, Any]:
    return with_(steps=[{"id": "eve", "kind": "wait", "until_date": day}, step()], **more)


@pytest.mark.parametrize(
    ("body", "code", "errors"),
    [
        (waiting_until("2026-11-20"), "campaign_not_launchable", [("/definition/steps/0/until_date", "schedule_in_past")]),
        (
            waiting_until("2026-12-20", trigger={"kind": "once", "at": "2026-12-24T09:00:00Z"}),
            "campaign_not_launchable",
            [("/definition/steps/0/until_date", "schedule_in_past")],
        ),
        (
            waiting_until("2026-12-20", trigger={"kind": "recurring", "rrule": "FREQ=WEEKLY", "starts": "2026-12-24T11:30"}),
            "campaign_not_launchable",
            [("/definition/steps/0/until_date", "schedule_in_past")],
        ),
        (with_(audience={"segment": "ghosts"}), "broken_reference", [("/definition/audience/segment", "unknown_segment")]),
        (
            with_(audience={"filter": {"kind": "all", "rules": [VISITED, {"kind": "not", "rule": IN_GHOSTS}]}}),
            "broken_reference",
            [("/definition/audience/filter/rules/1/rule/segment", "unknown_segment")],
        ),
        (
            with_(steps=[{"id": "ask", "kind": "branch", "if": {"filter": {"kind": "coupon", "offer": "ghost", "state": "held"}}}, step()]),
            "broken_reference",
            [("/definition/steps/0/if/filter/offer", "unknown_offer")],
        ),
        (with_(steps=[step(offer="ghost")]), "broken_reference", [("/definition/steps/0/offer", "unknown_offer")]),
        (
            with_(trigger={"kind": "event", "types": ["segment.left"], "segment": "ghosts"}),
            "broken_reference",
            [("/definition/trigger/segment", "unknown_segment")],
        ),
        (
            with_(steps=[{"id": "play", "kind": "challenge", "challenge": "ghost"}]),
            "broken_reference",
            [("/definition/steps/0/challenge", "unknown_challenge")],
        ),
        (with_(**SERVICE, steps=[step(offer="fries")]), "service_with_offer", [("/definition/steps/0/offer", "service_with_offer")]),
        (
            with_(**SERVICE, steps=[step(), {"id": "gift", "kind": "issue", "points": {"points": 5}}]),
            "service_with_offer",
            [("/definition/steps/1", "service_with_offer")],
        ),
        (
            with_(**SERVICE, steps=[step(form={"fields": ["city"], "offer": "fries"})]),
            "service_with_offer",
            [("/definition/steps/0/form/offer", "service_with_offer")],
        ),
    ],
)
def test_what_is_not_publishable_stays_a_draft_that_cannot_be_launched(
    office: Marketer, body: Any, code: str, errors: list[tuple[str, str]]
) -> None:
    assert office.write(body).status == 201
    before = office.rows()
    refused(office.call("publish_campaign", {}, definition_id="news"), 422, code, *errors)
    office.house.now += LEAD
    refused(office.switch("launch"), 409, "campaign_not_in_force")
    for what in ("pause", "cancel"):
        refused(office.switch(what), 404, "unknown_campaign")
    assert (office.rows(), office.gates(), office.sqs.sent) == (before, set(), {})
    assert office.call("get_campaign", definition_id="news").body["status"] == "draft"


def test_a_second_version_that_is_refused_leaves_the_first_running(office: Marketer) -> None:
    office.launched(WELCOME)
    etag = office.call("get_campaign", definition_id="news").body["etag"]
    bad = {**WELCOME, "steps": [saying("{{ balance.stars.points }}")]}
    office.configure("points")
    assert office.call("replace_campaign", {"definition": bad}, if_match=etag, definition_id="news").body["version"] == 2
    refused(office.call("publish_campaign", {}, definition_id="news"), 422, "unusable_content", (TITLE, "unknown_variable"))
    office.house.now += LEAD
    assert office.switch("launch").body["version"] == 1
    assert office.stands() == ("active", {True}, {})


def test_publishing_for_too_early_an_instant_or_twice_is_refused_and_nothing_runs(office: Marketer) -> None:
    office.write(NEWS)
    early = {"effective_from": format_rfc3339(office.house.now)}
    refused(office.call("publish_campaign", early, definition_id="news"), 422, "effective_too_early", ("/effective_from", "too_early"))
    assert office.call("publish_campaign", {}, definition_id="news").status == 200
    assert office.stands() == ("draft", {False}, {})
    refused(office.switch("launch"), 409, "campaign_not_in_force")
    assert office.stands() == ("draft", {False}, {})
    later = {"effective_from": format_rfc3339(office.house.now + HOUR)}
    refused(office.call("publish_campaign", later, definition_id="news"), 409, "nothing_to_publish")
    refused(office.call("publish_campaign", {}, definition_id="nothing"), 404, "unknown_definition")


# -- launching --------------------------------------------------------------------------------------------------------


def in_a_minute(office: Marketer) -> dict[str, Any]:
    return with_(trigger={"kind": "once", "at": format_rfc3339(office.house.now + MINUTE)})


def for_regulars(office: Marketer) -> dict[str, Any]:
    office.house.publish("segment", "regulars", REGULARS)
    return with_(audience={"segment": "regulars"})


def for_all_but_regulars(office: Marketer) -> dict[str, Any]:
    for_regulars(office)
    return with_(audience={"filter": {"kind": "not", "rule": {"kind": "segment", "segment": "regulars"}}})


def retire_the_segment(office: Marketer) -> None:
    assert office.call("retire_segment", definition_id="regulars").status == 200
    office.house.now += LEAD


def retire_the_offer(office: Marketer) -> None:
    assert office.call("retire_offer", definition_id="fries").status == 200
    office.house.now += LEAD


def three_days_pass(office: Marketer) -> None:
    office.house.now += 3 * DAY


def nothing_more(_office: Marketer) -> None:
    """It is wrong already."""


LADDER = {"mode": "fixed", "channels": ["push", "sms", "email"]}
CRM = {"id": "crm", "kind": "webhook", "endpoint": "crm"}
STARS = {"id": "gift", "kind": "issue", "points": {"wallet": "stars", "points": 5}}
NOT_SET_UP = "channel_not_configured"


@pytest.mark.parametrize(
    ("body", "then", "errors"),
    [
        (in_a_minute, nothing_more, [("/trigger/at", "schedule_in_past")]),
        (lambda _: recurring("FREQ=DAILY;COUNT=2"), nothing_more, [("/trigger/rrule", "schedule_in_past")]),
        (
            lambda _: waiting_until("2026-11-23", trigger={"kind": "event", "types": ["member.registered"]}),
            three_days_pass,
            [("/steps/0/until_date", "schedule_in_past")],
        ),
        (for_regulars, retire_the_segment, [("/audience/segment", "unknown_segment")]),
        (for_all_but_regulars, retire_the_segment, [("/audience/filter/rule/segment", "unknown_segment")]),
        (lambda _: with_(steps=[step(offer="fries")]), retire_the_offer, [("/steps/0/offer", "unknown_offer")]),
        (lambda _: with_(steps=[step(channel="email")]), nothing_more, [("/steps/0/channel", NOT_SET_UP)]),
        (
            lambda _: with_(steps=[step(ladder=LADDER)]),
            nothing_more,
            [("/steps/0/ladder/channels/1", NOT_SET_UP), ("/steps/0/ladder/channels/2", NOT_SET_UP)],
        ),
        (lambda _: with_(steps=[step(), CRM]), nothing_more, [("/steps/1/endpoint", NOT_SET_UP)]),
        (lambda _: with_(steps=[STARS]), nothing_more, [("/steps/0/points/wallet", "unknown_wallet")]),
        (
            lambda _: with_(trigger={"kind": "date", "of": "lot_expiry", "days": 3, "wallet": "stars"}),
            nothing_more,
            [("/trigger/wallet", "unknown_wallet")],
        ),
        (
            lambda office: {**in_a_minute(office), "steps": [step(channel="sms"), CRM, STARS]},
            nothing_more,
            [
                ("/steps/0/channel", NOT_SET_UP), ("/steps/1/endpoint", NOT_SET_UP),
                ("/steps/2/points/wallet", "unknown_wallet"), ("/trigger/at", "schedule_in_past"),
            ],
        ),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_at_the_launch_and_nothing_has_begun(
    office: Marketer,
    body: Callable[[Marketer], dict[str, Any]],
    then: Callable[[Marketer], None],
    errors: list[tuple[str, str]],
) -> None:
    office.configure("points")
    office.ready(body(office))
    then(office)
    before = office.rows()
    refused(office.switch("launch"), 422, "campaign_not_launchable", *[(f"/definition{pointer}", code) for pointer, code in errors])
    assert office.rows() == before
    assert office.stands() == ("draft", {False}, {})


def test_it_is_launched_once_what_was_wrong_is_set_up(office: Marketer) -> None:
    office.ready(with_(steps=[step(channel="email")]))
    refused(office.switch("launch"), 422, "campaign_not_launchable", ("/definition/steps/0/channel", NOT_SET_UP))
    office.configure(email={"from_address": "news@example.com"})
    said = office.switch("launch")
    assert (said.status, said.body["state"], said.body["version"]) == (200, "sending", 1)
    assert office.stands() == ("sending", {True}, {})
    assert office.post.envelope(keys.campaign("demo", "news")).types == ["campaign.launched"]


def test_a_filter_may_name_what_there_is(office: Marketer) -> None:
    office.house.publish("segment", "regulars", REGULARS)
    rules = [{"kind": "segment", "segment": "regulars"}, {"kind": "coupon", "offer": "fries", "state": "active"}]
    office.launched(with_(audience={"filter": {"kind": "any", "rules": rules}}))
    assert office.stands() == ("sending", {True}, {})


def test_a_schedule_ahead_opens_nothing_yet(office: Marketer) -> None:
    at = format_rfc3339(office.house.now + HOUR)
    office.ready(with_(trigger={"kind": "once", "at": at}))
    said = office.switch("launch")
    assert (said.body["state"], said.body["scheduled_for"]) == ("scheduled", at)
    assert office.stands() == ("scheduled", {False}, {})


# -- switching --------------------------------------------------------------------------------------------------------


def test_the_switches_and_what_each_state_allows(office: Marketer) -> None:
    office.ready(WELCOME)
    for what in ("pause", "resume"):
        refused(office.switch(what), 409, "wrong_campaign_state")
        assert office.stands() == ("draft", {False}, {})
    launched, now = office.switch("launch").body, format_rfc3339(office.house.now)
    assert launched == {"campaign_id": "news", "state": "active", "version": 1, "revision": 2, "launched_at": now}
    assert office.switch("launch").body == launched, "again changes nothing"
    assert (office.switch("pause").body["state"], office.gates()) == ("paused", {False})
    refused(office.switch("launch"), 409, "wrong_campaign_state")
    assert office.gates() == {False}
    assert (office.switch("resume").body["state"], office.gates()) == ("active", {True})
    cancelled = office.switch("cancel").body
    assert (cancelled["state"], cancelled["ended_at"]) == ("cancelled", now)
    assert office.switch("cancel").body == cancelled
    for what in ("launch", "pause", "resume"):
        refused(office.switch(what), 409, "wrong_campaign_state")
    assert office.stands() == ("cancelled", {False}, {})
