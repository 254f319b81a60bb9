"""Campaigns as a marketer's tool calls them, further: calls that trigger them, approval, previews and tests, reports, deliveries, the
library, estimates; and who may. Drafts, launching and switching: test_campaign_http.py.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from shared.campaigns.model import CampaignBody
from shared.http.routes import ROUTES
from shared.messaging.port import Unclear, Unreachable
from shared.storage import keys
from tests.builders.audiences import Desk
from tests.builders.campaigns import NEWS, PUSH_SETTINGS, WELCOME, called, message
from tests.builders.house import FRIES, House
from tests.builders.marketer import LEAD, NOBODY, Marketer, refused, step, with_
from tests.builders.office import ALL

RUN = frozenset({"campaigns:run"})


@pytest.fixture
def office(bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Marketer:
    return Marketer(bare_house, monkeypatch)


# -- calls ------------------------------------------------------------------------------------------------------------


def test_a_call_puts_an_order_in_the_queue_for_each_recipient_that_there_is(office: Marketer) -> None:
    office.launched(called(message("one")))
    member, gone = office.guests.guest(), office.guests.guest()
    office.house.key_table.delete(keys.member_key("demo", gone))
    data = {"data": {"table": "7"}}
    recipients = [{"member_id": member, **data}, {"member_id": NOBODY}, {"member_id": gone, **data}]
    said = office.call("trigger_campaign", {"key": "k1", "recipients": recipients}, campaign_id="news")
    assert said.status == 200, said.body
    assert [each["status"] for each in said.body["recipients"]] == ["accepted", "unknown_member", "erased"]
    (order,) = office.sqs.sent["sending"]
    assert (order["members"], order["occurrence"], order["step"]) == ([member], said.body["occurrence"], "one")
    without_key = {"recipients": [{"member_id": member}]}
    by_header = office.call("trigger_campaign", without_key, headers={"idempotency-key": '"k1"'}, campaign_id="news")
    assert by_header.body["occurrence"] == said.body["occurrence"]


@pytest.mark.parametrize(
    ("body", "code", "errors"),
    [
        ({"recipients": [{"member_id": NOBODY}]}, "idempotency_key_required", [("/key", "required")]),
        ({"key": "k", "recipients": []}, "invalid_request", [("/recipients", "invalid_value")]),
        (
            {"key": "k", "recipients": [{"member_id": NOBODY}] * 2},
            "unusable_recipients",
            [("/recipients/1/member_id", "duplicate_recipient")],
        ),
        (
            {"key": "k", "recipients": [{"member_id": NOBODY, "data": {"table": "1", "room": "2"}}]},
            "unusable_recipients",
            [("/recipients/0/data", "unknown_field")],
        ),
        (
            {"key": "k", "recipients": [{"member_id": NOBODY, "data": {"table": "ü" * 1100}}]},
            "unusable_recipients",
            [("/recipients/0/data", "too_large")],
        ),
    ],
)
def test_a_call_with_something_wrong_in_it_reaches_nobody(office: Marketer, body: Any, code: str, errors: list[tuple[str, str]]) -> None:
    office.launched(called(message("one")))
    refused(office.call("trigger_campaign", body, campaign_id="news"), 422, code, *errors)
    assert office.sqs.sent == {}


def test_no_call_triggers_what_does_not_run_or_waits_for_something_else(office: Marketer) -> None:
    body = {"key": "k", "recipients": [{"member_id": office.guests.guest()}]}
    office.ready(called(message("one")))
    refused(office.call("trigger_campaign", body, campaign_id="news"), 409, "campaign_not_triggerable")
    for what in ("launch", "pause"):
        office.switch(what)
    refused(office.call("trigger_campaign", body, campaign_id="news"), 409, "campaign_not_triggerable")
    office.launched(WELCOME, "welcome")
    refused(office.call("trigger_campaign", body, campaign_id="welcome"), 409, "campaign_not_triggerable")
    assert office.sqs.sent == {}


# -- approval ---------------------------------------------------------------------------------------------------------


def test_nothing_runs_before_a_second_person_has_approved_it(office: Marketer) -> None:
    office.configure(approval=True)
    assert office.publish(NEWS).body["awaits_approval"] is True
    office.house.now += LEAD
    refused(office.switch("launch"), 409, "approval_needed")
    assert office.stands() == ("draft", {False}, {})
    refused(office.call("approve_campaign", {"version": 1}, campaign_id="news"), 403, "own_work")
    for body, pointer, code in (({"version": 0}, "/version", "invalid_value"), ({}, "/version", "required")):
        refused(office.call("approve_campaign", body, who="demo-ben", campaign_id="news"), 422, "invalid_request", (pointer, code))
    refused(office.call("approve_campaign", {"version": 2}, who="demo-ben", campaign_id="news"), 404, "unknown_definition")
    assert office.call("approve_campaign", {"version": 1}, who="demo-ben", campaign_id="news").body["approved_by"] == "demo-ben"
    office.house.now += LEAD
    assert office.switch("launch").body["state"] == "sending"
    office.write(WELCOME, "draft")
    refused(office.call("approve_campaign", {"version": 1}, who="demo-ben", campaign_id="draft"), 409, "nothing_to_approve")


# -- looking at it ----------------------------------------------------------------------------------------------------

HI = step(content={"en": {"title": "Hi {{ member.first_name }}", "body": "x"}})
GREETING = with_(steps=[HI, {"id": "day", "kind": "wait", "minutes": 5}])


def test_a_draft_is_shown_as_she_would_read_it_and_nothing_is_written(office: Marketer) -> None:
    office.write(GREETING)
    asked = {"member_id": office.guests.guest("Rosa"), "step": "tell", "channel": "push"}
    before = office.rows()
    shown = office.call("preview_campaign", asked, campaign_id="news")
    assert (shown.status, shown.body["title"], shown.body["body"]) == (200, "Hi Rosa", "x")
    for wrong, pointer, code in (
        ({"step": "day"}, "/step", "unknown_step"), ({"step": "no"}, "/step", "unknown_step"),
        ({"channel": "sms"}, "/channel", "unknown_channel"), ({"channel": "pigeon"}, "/channel", "invalid_value"),
    ):  # fmt: skip
        refused(office.call("preview_campaign", asked | wrong, campaign_id="news"), 422, "invalid_request", (pointer, code))
    refused(office.call("preview_campaign", asked | {"member_id": NOBODY}, campaign_id="news"), 404, "unknown_member")
    assert (office.rows(), office.sqs.sent) == (before, {})



def test_a_test_reaches_a_test_member_alone_and_leaves_nothing(office: Marketer) -> None:
    member, other = office.guests.guest("Rosa"), office.guests.guest("Eva")
    office.configure(test_members=[member])
    office.write(GREETING)
    before = office.rows()
    body = {"member_id": member, "step": "tell", "channels": ["push"]}
    sent = office.call("test_campaign", body, campaign_id="news")
    assert (sent.status, sent.body["results"]) == (200, [{"channel": "push", "result": "sent", "id": "msg-1"}])
    for changed, pointer, code in (
        ({"member_id": other}, "/member_id", "not_a_test_member"),
        ({"channels": ["push", "sms"]}, "/channels/1", "unknown_channel"),
        ({"channels": []}, "/channels", "invalid_value"),
    ):
        refused(office.call("test_campaign", body | changed, campaign_id="news"), 422, "invalid_request", (pointer, code))
    assert [(each.title) for _, each in office.senders["push"].taken] == ["[Test] Hi Rosa"]
    assert (office.rows(), office.gates(), office.sqs.sent) == (before, set(), {})


# -- what became of it ------------------------------------------------------------------------------------------------


@pytest.mark.stream
def test_the_report_and_its_table_say_the_same(office: Marketer) -> None:
    office.launched(with_(budget={"amount": 500}))
    assert office.call("report_campaign", campaign_id="news").body["planned"] == 0
    members = [office.guests.guest(), office.guests.guest(), office.guests.guest(channels=("sms",))]
    assert office.post.deliver(office.post.order("news", "tell", members)) == {"sent": 2, "no_consent": 1}
    counted = office.post.report("news")
    said = office.call("report_campaign", campaign_id="news")
    assert said.body == counted.model_dump(exclude_none=True, mode="json")
    numbers = {name: said.body[name] for name in ("planned", "claimed", "sent", "suppressed", "suppressed_by_reason", "state")}
    assert numbers == {
        "planned": 3, "claimed": 2, "sent": 2, "suppressed": 1, "suppressed_by_reason": {"no_consent": 1}, "state": "sending",
    }  # fmt: skip
    assert said.body["budget"] == {"amount": 500, "spent": 0, "percent": 0}
    headers, rows = office.table()
    assert (headers["content-type"], headers["content-disposition"]) == ("text/csv; charset=utf-8", "attachment")
    assert {(each["part"], each["name"]) for each in rows} >= {("all", "news"), ("step", "tell"), ("channel", "push")}
    whole = rows[0]
    assert {name: int(whole[name]) for name in ("planned", "claimed", "sent", "suppressed")} == {
        "planned": 3, "claimed": 2, "sent": 2, "suppressed": 1,
    }  # fmt: skip
    by_part = Counter({part: sum(int(each["sent"]) for each in rows if each["part"] == part) for part in ("step", "channel", "language")})
    assert by_part == {"step": 2, "channel": 2, "language": 2}


def test_what_a_person_must_look_at_is_listed_page_by_page(office: Marketer) -> None:
    office.launched(NEWS)
    members = [office.guests.guest() for _ in range(3)]
    office.post.sender.answers[f"endpoint/dev_{members[0]}"] = Unreachable("endpoint_disabled")
    office.post.sender.answers[f"endpoint/dev_{members[1]}"] = Unclear()
    office.post.deliver(office.post.order("news", "tell", members))
    of_cursor = ("/cursor", "invalid_cursor")
    first = office.call("list_deliveries", query={"limit": "1"}, campaign_id="news")
    second = office.call("list_deliveries", query={"limit": "1", "cursor": first.body["next_cursor"]}, campaign_id="news")
    found = {each["member_id"]: (each["state"], each["step"], each["channel"]) for page in (first, second) for each in page.body["data"]}
    assert found == {members[0]: ("failed", "tell", "push"), members[1]: ("unknown", "tell", "push")}
    refused(office.call("list_deliveries", query={"cursor": "made-up"}, campaign_id="news"), 422, "invalid_cursor", of_cursor)
    refused(office.call("list_deliveries", query={"limit": "0"}, campaign_id="news"), 422, "invalid_request", ("/limit", "invalid_value"))
    office.launched(NEWS, "others")
    others = office.call("list_deliveries", query={"cursor": first.body["next_cursor"]}, campaign_id="others")
    refused(others, 422, "invalid_cursor", of_cursor)


# -- the library, and forecasts -----------------------------------------------------------------------------------------


def test_a_ready_campaign_is_installed_as_drafts_and_wrong_wishes_write_nothing(office: Marketer) -> None:
    listed = {each["name"] for each in office.call("list_library").body["data"]}
    before = office.rows()
    refused(office.call("install_campaign", {}, name="nothing"), 404, "unknown_library_campaign")
    for body, code, error in (
        ({"parameters": {"percent": 99}}, "not_installable", ("/parameters/percent", "out_of_bounds")),
        ({"languages": ["tlh"]}, "not_installable", ("/languages/0", "unknown_language")),
        ({"prefix": "Not A Prefix"}, "invalid_request", ("/prefix", "invalid_value")),
    ):
        said = office.call("install_campaign", body, name="welcome")
        assert (said.status, said.body["code"], said.errors[0]) == (422, code, error), said.body
    assert office.rows() == before
    assert "welcome" in listed
    made = office.call("install_campaign", name="welcome")
    assert (made.status, [each["kind"] for each in made.body["definitions"]]) == (201, ["offer", "campaign"])
    campaign = office.call("get_campaign", definition_id=made.body["definitions"][-1]["id"]).body
    assert campaign["status"] == "draft"
    CampaignBody.model_validate(campaign["definition"])
    refused(office.switch("launch", campaign["id"]), 409, "campaign_not_in_force")
    taken = office.call("install_campaign", name="welcome")
    assert (taken.status, taken.body["code"]) == (409, "definition_exists")


def test_an_estimate_of_a_draft_and_what_it_refuses(office: Marketer, dynamodb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(office.house, dynamodb, monkeypatch)
    office.write(NEWS)
    member = office.guests.guest()
    said = desk.call("estimate_campaign", scopes=RUN, campaign_id="news")
    assert said.status == 200, said.body
    assert (said.body["audience"]["count"], said.body["steps"][0]["channels"][0]["first"]["count"]) == (1, 1), member
    office.write(with_(audience={"segment": "ghosts"}), "lost")
    lost = desk.call("estimate_campaign", scopes=RUN, campaign_id="lost")
    assert (lost.status, lost.body["code"]) == (422, "broken_reference")
    assert lost.errors == [("/definition/audience/segment", "unknown_segment")]
    for campaign, body, status, code in (
        ("nothing", None, 404, "unknown_campaign"),
        ("news", {"version": 7}, 404, "unknown_campaign"),
        ("news", {"mode": "guess"}, 422, "invalid_request"),
    ):
        answer = desk.call("estimate_campaign", body, scopes=RUN, campaign_id=campaign)
        assert (answer.status, answer.body["code"]) == (status, code)
    for operation in ("estimate_campaign", "get_calendar"):
        barred = desk.call(operation, scopes=ALL - RUN, campaign_id="news")
        assert (barred.status, barred.body["code"]) == (403, "insufficient_scope")


# -- who may, and what there is not -----------------------------------------------------------------------------------

OPERATIONS = {
    "launch_campaign": None, "pause_campaign": None, "resume_campaign": None, "cancel_campaign": None,
    "report_campaign": None, "report_campaign_csv": None, "list_deliveries": None,
    "trigger_campaign": {"key": "k", "recipients": [{"member_id": NOBODY}]},
    "preview_campaign": {"member_id": NOBODY, "step": "tell", "channel": "push"},
    "test_campaign": {"member_id": NOBODY, "step": "tell", "channels": ["push"]},
}  # fmt: skip


def test_of_a_campaign_that_there_is_not_every_route_says_so(office: Marketer) -> None:
    office.configure(test_members=[NOBODY])
    before = office.rows()
    for operation, body in OPERATIONS.items():
        for campaign in ("nothing", "NOT A NAME", "x" * 100):
            refused(office.call(operation, body, campaign_id=campaign), 404, "unknown_campaign")
    refused(office.call("approve_campaign", {"version": 1}, campaign_id="nothing"), 404, "unknown_definition")
    assert (office.rows(), office.sqs.sent) == (before, {})


def test_every_route_of_campaigns_refuses_a_key_without_its_scope(office: Marketer) -> None:
    office.ready(WELCOME)
    before = office.rows()
    routes = [each for each in ROUTES if each.function == "administration" and each.path.startswith(("/v1/campaigns", "/v1/library"))]
    scopes = {each.operation: each.scope for each in routes}
    assert {scopes[each] for each in (*OPERATIONS, "approve_campaign")} == RUN
    assert (scopes["install_campaign"], scopes["publish_campaign"], scopes["list_library"]) == (
        "definitions:write", "definitions:write", "definitions:read",
    )  # fmt: skip
    for route in routes:
        said = office.call(route.operation, {}, scopes=ALL - {route.scope}, campaign_id="news", definition_id="news", name="welcome")
        refused(said, 403, "insufficient_scope")
    assert office.rows() == before
    assert office.stands() == ("draft", {False}, {})
    assert office.switch("launch", scopes=RUN).status == 200, "and with it alone it is enough"


def test_another_tenants_key_sees_no_campaign_of_this_one(office: Marketer) -> None:
    office.launched(WELCOME)
    neighbour = House(office.house.table, office.house.key_table, tenant="other").create(PUSH_SETTINGS)
    neighbour.publish("offer", "fries", FRIES)
    for operation, body in OPERATIONS.items():
        if operation != "test_campaign":
            refused(office.call(operation, body, tenant="other", campaign_id="news"), 404, "unknown_campaign")
    assert office.stands() == ("active", {True}, {})
