"""What begins a campaign beside events of a member: rules of the calendar, dates of hers, calls; and what is refused at launch."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shared.campaigns import service, triggering
from shared.campaigns.api import Recipient, TriggerRequest
from shared.campaigns.errors import NotLaunchable, NotTriggerable, ServiceWithOffer, UnusableContent, UnusableRecipients
from shared.campaigns.model import CampaignBody
from shared.definitions.model import Definition
from shared.kernel.errors import KeyRequired
from shared.kernel.instants import DAY, HOUR, MINUTE, Instant, format_day, format_rfc3339, local_datetime, local_day, parse_rfc3339
from shared.member_state.events import ProfileChanged
from shared.storage import keys
from tests.builders.campaigns import NEWS, Post, called, message
from tests.builders.house import House


@pytest.fixture
def post(bare_house: House) -> Post:
    """A tenant with an offer and a push application, on a Monday at noon of Berlin."""
    post = Post.of(bare_house)
    post.house.now = parse_rfc3339("2026-11-23T11:00:00Z")
    return post


def recurring(rule: str, whose: str = "tenant", starts: str = "2026-11-01T18:00") -> dict[str, Any]:
    return NEWS | {"trigger": {"kind": "recurring", "rrule": rule, "starts": starts, "in": whose}}


def fire(post: Post, at: Instant) -> int:
    """The tick of a later instant finds the campaign due; answers how many members were handed over."""
    post.house.now = at
    before = service.known_run(post.house.scope(), "news").next_at
    started = service.start_due(post.house.scope(), "news")
    assert started is (before is not None and before <= at and service.known_run(post.house.scope(), "news").state != "paused")
    raw = post.house.table.get(keys.campaign("demo", "news"))
    if not started or raw is None or "out" not in raw:
        return 0
    post.plan(post.envelope(keys.campaign("demo", "news")))
    return post.walk()


def told(post: Post) -> list[tuple[str, Any]]:
    events = post.envelope(keys.campaign("demo", "news")).events
    return [(each["type"], each["data"].get("occurrence", each["data"].get("occurrences"))) for each in events]


# -- by the calendar --------------------------------------------------------------------------------------------------


def test_every_day_everybody_of_the_audience(post: Post) -> None:
    members = [post.guest() for _ in range(3)]
    post.list_all(members)
    post.campaign("news", recurring("FREQ=DAILY"))
    run = service.known_run(post.house.scope(), "news")
    assert (run.state, run.next_at) == ("active", parse_rfc3339("2026-11-23T17:00:00Z"))
    assert fire(post, parse_rfc3339("2026-11-23T16:59:59Z")) == 0
    for day in (23, 24):
        assert fire(post, parse_rfc3339(f"2026-11-{day}T17:00:30Z")) == 3
        assert told(post) == [("campaign.fired", f"2026-11-{day}T17:00:00Z")]
        assert fire(post, post.house.now + MINUTE) == 0
        assert post.deliver_all() == {"sent": 3}
    assert {each.occurrence for each in post.deliveries(members[0])} == {"2026-11-23T17:00:00Z", "2026-11-24T17:00:00Z"}


def test_a_firing_that_is_told_twice_is_sent_once(post: Post) -> None:
    member = post.guest()
    post.list_all([member])
    post.campaign("news", recurring("FREQ=DAILY"))
    fire(post, parse_rfc3339("2026-11-23T17:00:00Z"))
    post.plan(post.envelope(keys.campaign("demo", "news")))
    post.walk()
    assert post.deliver_all() == {"sent": 1, "already": 1}


def test_in_the_members_own_time_each_gets_it_when_her_clock_shows_it(post: Post) -> None:
    zones = {"": "17:00", "Asia/Tokyo": "09:00", "America/New_York": "23:00"}
    members = {zone: post.guest() for zone in zones}
    for zone, member in members.items():
        post.happens(member, ProfileChanged(post.house.now, (), zone=zone))
    post.list_all(list(members.values()))
    post.campaign("news", recurring("FREQ=WEEKLY;BYDAY=WE", "member"))
    assert service.known_run(post.house.scope(), "news").next_at == parse_rfc3339("2026-11-25T04:00:00Z")
    assert fire(post, parse_rfc3339("2026-11-25T04:00:00Z")) == 3
    assert post.deliver_all() == {"waits": 3}
    for zone in ("Asia/Tokyo", "", "America/New_York"):
        post.house.now = parse_rfc3339(f"2026-11-25T{zones[zone]}:00Z")
        post.tick(list(members.values()))
        assert post.deliver_all() == {"sent": 1}
        assert post.sender.members[-1] == members[zone]


def test_whose_time_has_passed_too_long_gets_nothing(post: Post) -> None:
    member = post.guest()
    post.list_all([member])
    post.happens(member, ProfileChanged(post.house.now, (), zone="Pacific/Kiritimati"))
    post.campaign("news", recurring("FREQ=WEEKLY;BYDAY=WE", "member"))
    assert fire(post, parse_rfc3339("2026-11-25T10:30:00Z")) == 1
    assert post.deliver_all() == {"too_late": 1}


@pytest.mark.parametrize(("hours", "sent", "skipped"), [(5, 1, 3), (7, 0, 4)])
def test_of_missed_occurrences_only_the_newest_is_sent_if_it_is_fresh(post: Post, hours: int, sent: int, skipped: int) -> None:
    post.list_all([post.guest()])
    post.campaign("news", recurring("FREQ=DAILY"))
    assert fire(post, parse_rfc3339("2026-11-26T17:00:00Z") + hours * HOUR) == sent
    assert told(post)[0] == ("campaign.skipped", skipped)
    assert service.known_run(post.house.scope(), "news").next_at == parse_rfc3339("2026-11-27T17:00:00Z")


def test_a_rule_that_ends_completes_the_campaign(post: Post) -> None:
    post.list_all([post.guest()])
    post.campaign("news", recurring("FREQ=DAILY;COUNT=1", starts="2026-11-23T18:00"))
    assert fire(post, parse_rfc3339("2026-11-23T17:00:00Z")) == 1
    assert service.known_run(post.house.scope(), "news").state == "completed"
    assert post.deliver_all() == {"sent": 1}


def test_what_recurs_skips_what_came_while_it_was_paused(post: Post) -> None:
    scope = post.house.scope()
    post.list_all([post.guest()])
    post.campaign("news", recurring("FREQ=DAILY"))
    service.pause(scope, "news")
    assert fire(post, parse_rfc3339("2026-11-23T17:00:00Z")) == 0
    assert service.resume(scope, "news").next_at == "2026-11-24T17:00:00Z"
    assert fire(post, parse_rfc3339("2026-11-24T17:00:00Z")) == 1


def test_a_new_version_takes_over_for_what_comes(post: Post) -> None:
    post.list_all([post.guest()])
    post.campaign("news", recurring("FREQ=DAILY"))
    body = recurring("FREQ=DAILY", starts="2026-11-01T14:00") | {"steps": [message("later")]}
    since = post.house.now + 5 * MINUTE
    service.on_publish(post.house.scope(), Definition("campaign", "news", 2, "published", body, effective_from=since))
    post.house.publish("campaign", "news", body, version=2, since=since)
    assert fire(post, since) == 0
    assert service.known_run(post.house.scope(), "news").next_at == parse_rfc3339("2026-11-23T13:00:00Z")
    assert fire(post, parse_rfc3339("2026-11-23T13:00:00Z")) == 1
    assert post.deliver_all() == {"sent": 1}
    assert [sent.title for _, sent in post.sender.taken] == ["later"]


# -- on dates of hers -------------------------------------------------------------------------------------------------


def test_days_after_her_last_visit_she_is_written_to_once(post: Post) -> None:
    member = post.guest()
    post.campaign("news", NEWS | {"trigger": {"kind": "date", "of": "no_visit", "days": 30, "at": "10:00"}})
    post.purchase(member)
    zone = post.house.scope().definitions.settings.time_zone
    day = local_day(post.house.now, zone)
    post.house.now += 31 * DAY
    post.house.now -= (local_datetime(post.house.now, zone).hour - 10) * HOUR + DAY
    post.house.now -= post.house.now % HOUR
    assert post.tick([member]) == 1
    assert post.deliver_all() == {"sent": 1}
    assert [each.occurrence for each in post.deliveries(member)] == [f"no_visit:{format_day(day)}"]
    assert post.tick([member]) == 0


# -- by calls ---------------------------------------------------------------------------------------------------------


def request(*recipients: tuple[str, dict[str, Any]], key: str | None = "k1") -> TriggerRequest:
    return TriggerRequest(key=key, recipients=tuple(Recipient(member_id=member, data=data) for member, data in recipients))


def call(post: Post, asked: TriggerRequest, header: str | None = None) -> list[str]:
    found = triggering.trigger(post.house.scope(), "call", asked, header, post.sending)
    return [each.status for each in found.recipients]


def text(body: str, **more: Any) -> dict[str, Any]:
    return {"id": "tell", "content": {"en": {"title": "Hi", "body": body}}, **more}


def test_a_call_says_of_each_what_her_message_shows_and_only_she_can_read_it(post: Post) -> None:
    first, second = post.guest(), post.guest()
    post.list_all([first, second])
    post.campaign("call", called({"id": "pause", "kind": "wait", "minutes": 5}, text("Table {{ data.table }}")))
    asked = request((first, {"table": "seven"}), (second, {"table": 8}), ("mbr_nobody", {}))
    assert call(post, asked) == ["accepted", "accepted", "unknown_member"]
    assert "seven" not in str(post.sending.messages)
    assert post.deliver_all() == {"waits": 2}
    post.house.now += 5 * MINUTE
    post.tick([first, second])
    assert post.deliver_all() == {"sent": 2}
    assert sorted(sent.body for _, sent in post.sender.taken) == ["Table 8", "Table seven"]


def test_the_same_key_sends_once_and_another_again(post: Post) -> None:
    member = post.guest()
    post.campaign("call", called(text("x")))
    for asked, header in ((request((member, {})), None), (request((member, {}), key=None), "k1"), (request((member, {}), key="k2"), None)):
        assert call(post, asked, header) == ["accepted"]
    assert post.deliver_all() == {"sent": 2, "already": 1}


def test_who_is_erased_is_said_and_nothing_is_half_done(post: Post) -> None:
    gone, member = post.guest(), post.guest()
    post.list_all([gone, member])
    post.campaign("call", called(text("{{ data.table }}")))
    post.house.key_table.delete(keys.member_key("demo", gone))
    assert call(post, request((gone, {"table": "1"}), (member, {"table": "2"}))) == ["erased", "accepted"]
    assert post.deliver_all() == {"sent": 1}


@pytest.mark.parametrize(
    ("recipients", "pointer", "code"),
    [
        ([("a", {}), ("a", {})], "/recipients/1/member_id", "duplicate_recipient"),
        ([("a", {"other": 1})], "/recipients/0/data", "unknown_field"),
        ([("a", {"table": "é" * 1500})], "/recipients/0/data", "too_large"),
    ],
)
def test_recipients_that_do_not_fit(post: Post, recipients: list[tuple[str, dict[str, Any]]], pointer: str, code: str) -> None:
    post.campaign("call", called(text("x")))
    with pytest.raises(UnusableRecipients) as refusal:
        call(post, request(*recipients))
    assert [(each.pointer, each.code) for each in refusal.value.errors] == [(pointer, code)]


def test_what_calls_cannot_trigger(post: Post) -> None:
    member = post.guest()
    post.campaign("call", called(text("x")), launch=False)
    with pytest.raises(NotTriggerable):
        call(post, request((member, {})))
    with pytest.raises(KeyRequired):
        call(post, request((member, {}), key=None))
    post.campaign("news", NEWS)
    with pytest.raises(NotTriggerable):
        triggering.trigger(post.house.scope(), "news", request((member, {})), None, post.sending)
    assert post.sending.messages == []


# -- what is refused before it begins ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (NEWS | {"audience": {"segment": "nobody"}}, {"/definition/audience/segment": "unknown_segment"}),
        (called(message("a", channel="email")), {"/definition/steps/0/channel": "channel_not_configured"}),
        (
            called(message("a", ladder={"mode": "all", "channels": ["push", "sms"]})),
            {"/definition/steps/0/ladder/channels/1": "channel_not_configured"},
        ),
        (called({"id": "a", "kind": "webhook", "endpoint": "crm"}), {"/definition/steps/0/endpoint": "channel_not_configured"}),
        (called({"id": "a", "kind": "challenge", "challenge": "c"}), {"/definition/steps/0/challenge": "unknown_challenge"}),
        (called({"id": "a", "kind": "issue", "offer": "nothing"}), {"/definition/steps/0/offer": "unknown_offer"}),
        (recurring("FREQ=DAILY;COUNT=2"), {"/definition/trigger/rrule": "schedule_in_past"}),
        (NEWS | {"trigger": {"kind": "once", "at": format_rfc3339(1)}}, {"/definition/trigger/at": "schedule_in_past"}),
    ],
)
def test_what_cannot_work_is_not_launched_and_nothing_begins(post: Post, body: dict[str, Any], pointers: dict[str, str]) -> None:
    scope = post.house.scope()
    post.campaign("news", body, launch=False)
    with pytest.raises(NotLaunchable) as refusal:
        service.launch(scope, "news")
    assert {each.pointer: each.code for each in refusal.value.errors} == pointers
    gate = post.house.table.get(keys.gate("demo", "news", 0))
    assert (service.known_run(scope, "news").state, gate and gate["open"]["BOOL"]) == ("draft", False)


@pytest.mark.parametrize(
    ("step", "pointer"),
    [
        (message("a", offer="fries"), "/definition/steps/0/offer"),
        ({"id": "a", "kind": "issue", "offer": "fries"}, "/definition/steps/0"),
        ({"id": "a", "kind": "issue", "points": {"points": 1}}, "/definition/steps/0"),
        (message("a", form={"fields": ["email"], "offer": "fries"}), "/definition/steps/0/form/offer"),
    ],
)
def test_a_service_message_advertises_nothing(post: Post, step: dict[str, Any], pointer: str) -> None:
    with pytest.raises(ServiceWithOffer) as refusal:
        post.campaign("service", called(step, message_class="service"), launch=False)
    assert [each.pointer for each in refusal.value.errors] == [pointer]


def test_a_text_about_what_nobody_declared_is_not_published(post: Post) -> None:
    with pytest.raises(UnusableContent) as refusal:
        post.campaign("call", called(text("{{ data.other }}")), launch=False)
    assert [(each.pointer, each.code) for each in refusal.value.errors] == [("/definition/steps/0/content/en/body", "unknown_variable")]


def test_a_definition_says_where_it_is_wrong() -> None:
    with pytest.raises(ValidationError) as refusal:
        CampaignBody.model_validate(called(message("a", then="b"), {"id": "lost", "kind": "end"}, message("b", then="a")))
    assert [(each["loc"], each["type"]) for each in refusal.value.errors()] == [
        (("steps", 2, "then"), "unknown_step"), (("steps", 1), "unreachable_step"),
    ]  # fmt: skip
