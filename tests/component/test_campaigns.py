"""Campaigns from the event to the provider: sent once, to whom they are for, at the moment of sending."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from shared.campaigns import planning, service
from shared.campaigns.messages import walk_of
from shared.campaigns.rules import held_out
from shared.coupons.issuing import printable_code
from shared.coupons.repository import CouponRepository
from shared.kernel.instants import DAY, HOUR
from shared.member_state.events import Touched
from shared.members.form_links import open_invitation
from shared.segments.listing import record_flips
from shared.storage import keys
from tests.builders.campaigns import FORM_KEY, NEWS, WELCOME, Post
from tests.builders.house import House

BUYERS = {"name": "Buyers", "rule": {"kind": "attribute", "name": "lifetime_purchases", "op": "ge", "value": 1}}


@pytest.fixture
def post(bare_house: House) -> Post:
    """A tenant with an offer and a push application."""
    return Post.of(bare_house)


def with_(body: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**body, **more}


def on_purchase(**more: Any) -> dict[str, Any]:
    return with_(NEWS, trigger={"kind": "event", "types": ["transaction.recorded"]}, **more)


# -- the whole way --------------------------------------------------------------------------------------------------


def test_a_registration_brings_the_welcome_with_its_coupon(post: Post) -> None:
    post.campaign("welcome", WELCOME)
    member, told = post.registered()
    assert post.plan(told) == 1
    assert post.deliver_all() == {"sent": 1}
    ((endpoint, message),) = post.sender.taken
    (delivery,) = post.deliveries(member)
    assert delivery.coupon is not None
    coupon = CouponRepository("demo", post.house.table).get(delivery.coupon)
    assert coupon is not None
    state = post.house.state(member)
    assert endpoint == f"endpoint/dev_{member}"
    assert (message.title, message.body) == ("Hello", f"Fries for 1 euro, {printable_code(post.house.scope(), coupon.id)}")
    assert message.data == {
        "campaign_id": "welcome",
        "step": "gift",
        "delivery_id": coupon.issued_by,
        "deep_link": f"regulars://coupons/{coupon.id}",
        "coupon_id": coupon.id,
    }
    assert (delivery.state, delivery.occurrence) == ("sent", "registered")
    assert list(state.coupons) == [coupon.id]
    assert [(touch.campaign, touch.step) for touch in state.touches] == [("welcome", "gift")]


@pytest.mark.stream
def test_duplicated_and_shuffled_messages_send_once(post: Post) -> None:
    post.campaign("welcome", WELCOME)
    post.campaign("thanks", on_purchase())
    members = []
    for _ in range(6):
        member, told = post.registered()
        post.purchase(member)
        members.append(member)
        for envelope in [told, post.told(member)] * 2:
            post.plan(envelope)
    orders = post.sending.take() * 3
    random.Random(7).shuffle(orders)
    for order in orders:
        post.deliver(order)
    assert sorted(post.sender.members) == sorted(members * 2)
    report = post.report("welcome")
    assert (report.claimed, report.sent, report.failed, report.unknown) == (6, 6, 0, 0)
    assert all(len(post.house.state(member).coupons) == 1 for member in members)


def test_a_mailing_reaches_every_member_of_the_listing_and_completes(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.campaigns.planning.PAGE", 4)
    members = [post.guest() for _ in range(11)]
    post.list_all(members)
    post.campaign("news", NEWS)
    assert post.mail("news") == 11
    assert service.known_run(post.house.scope(), "news").state == "completed"
    assert post.deliver_all() == {"sent": 11}
    assert sorted(post.sender.members) == sorted(members)


def test_a_walk_without_time_goes_on_in_a_new_message(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.campaigns.planning.PAGE", 2)
    post.list_all([post.guest() for _ in range(5)])
    post.campaign("news", NEWS)
    left = iter(range(40_000, -1, -16_000))
    post.house.time_left = lambda: next(left, 60_000)
    assert post.mail("news") == 5
    assert post.deliver_all() == {"sent": 5}


def test_a_segment_is_an_audience_by_its_listing_and_asked_again_when_sending(post: Post) -> None:
    post.house.publish("segment", "buyers", BUYERS)
    post.house.listed("buyers")
    buyer, other = post.guest(), post.guest()
    post.purchase(buyer)
    assert record_flips(post.house.scope(), post.told(buyer)) == 1
    post.campaign("news", with_(NEWS, audience={"segment": "buyers"}))
    assert post.mail("news") == 1
    (order,) = post.sending.take()
    assert post.deliver(order | {"members": [buyer, other]}) == {"sent": 1, "not_in_segment": 1}


def test_launched_before_the_segment_is_listed_it_waits_for_the_whole_listing(post: Post) -> None:
    post.house.publish("segment", "buyers", BUYERS)
    buyer, scope = post.guest(), post.house.scope()
    post.purchase(buyer)
    post.campaign("news", with_(NEWS, audience={"segment": "buyers"}))
    post.plan(post.envelope(keys.campaign("demo", "news")))
    for _ in range(3):
        (walk,) = post.planning.take()
        assert planning.walk(scope, walk_of(walk), post.sending, post.planning) == 0
        assert post.planning.delays == [planning.UNTIL_LISTED_SECONDS]
    assert service.known_run(scope, "news").state == "sending"
    record_flips(scope, post.told(buyer))
    post.house.listed("buyers")
    assert post.walk() == 1
    assert service.known_run(scope, "news").state == "completed"


def test_a_segment_that_is_never_listed_is_waited_for_a_day(post: Post) -> None:
    post.house.publish("segment", "buyers", BUYERS)
    post.campaign("news", with_(NEWS, audience={"segment": "buyers"}))
    post.plan(post.envelope(keys.campaign("demo", "news")))
    for passed, goes_on in ((0, True), (planning.LISTING_PATIENCE - 1, True), (1, False)):
        post.house.now += passed
        (walk,) = post.planning.take()
        assert planning.walk(post.house.scope(), walk_of(walk), post.sending, post.planning) == 0
        assert bool(post.planning.messages) == goes_on
    assert service.known_run(post.house.scope(), "news").state == "completed"


def test_entering_a_segment_triggers_once_and_not_because_its_definition_changed(post: Post) -> None:
    post.house.publish("segment", "buyers", BUYERS)
    post.campaign("hello", with_(NEWS, trigger={"kind": "event", "types": ["segment.entered"], "segment": "buyers"}))
    member = post.guest()
    post.purchase(member)
    told = post.told(member)
    assert "segment.entered" in told.types
    assert post.plan(told) == 1
    by_definition = [event | {"cause": "definition"} for event in told.events]
    assert post.plan(replace(told, events=tuple(by_definition))) == 0


def test_a_form_step_links_to_a_form_of_hers(post: Post) -> None:
    content = {"en": {"title": "Birthday?", "body": "Here: {{ link }}"}}
    step = {"id": "ask", "form": {"fields": ["birth_date"], "offer": "fries"}, "content": content}
    post.campaign("ask", with_(NEWS, steps=[step]))
    member = post.guest()
    assert post.deliver(post.order("ask", "ask", [member])) == {"sent": 1}
    ((_, message),) = post.sender.taken
    link = message.data["deep_link"]
    assert message.body == f"Here: {link}"
    token = link.removeprefix("regulars://forms/")
    invitation = open_invitation(FORM_KEY, token, post.house.now)
    assert (invitation.tenant, invitation.member, invitation.campaign, invitation.step) == ("demo", member, "ask", "ask")
    assert (invitation.fields, invitation.offer) == (("birth_date",), "fries")
    assert invitation.expires == post.house.now + 30 * DAY


def test_steps_of_an_occurrence_are_sent_in_order(post: Post) -> None:
    steps = [{"id": id_, "content": {"en": {"title": id_, "body": "x"}}} for id_ in ("one", "two", "three")]
    post.campaign("news", with_(NEWS, steps=steps))
    members = [post.guest() for _ in range(3)]
    post.sending.send(post.order("news", "one", members))
    assert post.deliver_all() == {"sent": 9}
    for member in members:
        assert [sent.title for _, sent in post.sender.taken if sent.origin["member"] == member] == ["one", "two", "three"]


# -- who gets it, at the moment of sending --------------------------------------------------------------------------


def test_who_said_no_after_planning_gets_nothing(post: Post) -> None:
    post.campaign("welcome", WELCOME)
    member, told = post.registered()
    post.plan(told)
    post.withdraw(member)
    assert post.deliver_all() == {"no_consent": 1}
    assert post.sender.taken == []
    assert [(each.state, each.reason) for each in post.deliveries(member)] == [("suppressed", "no_consent")]


def test_a_service_message_needs_no_consent(post: Post) -> None:
    post.campaign("news", with_(NEWS, message_class="service"))
    assert post.deliver(post.order("news", "tell", [post.guest(consent=False)])) == {"sent": 1}


def test_who_has_no_device_or_is_nobody_costs_the_others_nothing(post: Post) -> None:
    post.campaign("news", NEWS)
    order = post.order("news", "tell", [post.guest(devices=0), "mbr_nobody", post.guest()])
    assert post.deliver(order) == {"unreachable": 1, "gone": 1, "sent": 1}


def test_a_cap_counts_messages_of_all_campaigns_in_its_days(post: Post) -> None:
    post.campaign("news", with_(NEWS, cap={"max": 2, "days": 7}))
    member = post.guest()
    post.happens(member, Touched(post.house.now, "other", "x", "push"))
    post.house.now += 6 * DAY
    assert post.deliver(post.order("news", "tell", [member], "1")) == {"sent": 1}
    assert post.deliver(post.order("news", "tell", [member], "2")) == {"over_cap": 1}
    post.house.now += DAY + 1
    assert post.deliver(post.order("news", "tell", [member], "3")) == {"sent": 1}


@pytest.mark.stream
def test_the_holdout_is_recorded_and_stays(post: Post) -> None:
    post.campaign("news", with_(NEWS, holdout_percent=50))
    members = [post.guest() for _ in range(12)]
    out = [member for member in members if held_out("news", member, 50)]
    for occurrence in ("1", "2", "2"):
        post.deliver(post.order("news", "tell", members, occurrence))
    assert not set(out) & set(post.sender.members)
    assert all([each.state for each in post.deliveries(member)] == ["held_out"] * 2 for member in out)
    report = post.report("news")
    assert (report.held_out, report.sent) == (2 * len(out), 2 * (12 - len(out)))
    assert all([touch.held for touch in post.house.state(member).touches] == [True, True] for member in out)


def test_an_offer_that_she_has_used_up_skips_her_without_a_claim(post: Post) -> None:
    post.campaign("welcome", WELCOME)
    member = post.guest()
    assert post.deliver(post.order("welcome", "gift", [member], "1")) == {"sent": 1}
    assert post.deliver(post.order("welcome", "gift", [member], "2")) == {"too_many_coupons": 1}
    assert [each.state for each in post.deliveries(member)] == ["sent", "suppressed"]


# -- what triggers --------------------------------------------------------------------------------------------------


def test_history_triggers_nothing(post: Post) -> None:
    post.campaign("thanks", on_purchase())
    member = post.guest()
    post.purchase(member, mode="historical")
    assert post.plan(post.told(member)) == 0
    assert post.sending.messages == []


def test_an_event_that_is_too_old_triggers_nothing_and_an_order_goes_stale(post: Post) -> None:
    post.campaign("thanks", on_purchase(max_event_age_hours=2))
    member = post.guest()
    post.purchase(member)
    told = post.told(member)
    post.house.now += 2 * HOUR
    assert post.plan(told) == 1
    post.house.now += 1
    assert post.plan(told) == 0
    assert post.deliver_all() == {"dropped": 1}


def test_a_draft_and_a_paused_campaign_trigger_nothing(post: Post) -> None:
    post.campaign("thanks", on_purchase(), launch=False)
    member = post.guest()
    post.purchase(member)
    told = post.told(member)
    assert post.plan(told) == 0
    service.launch(post.house.scope(), "thanks")
    service.pause(post.house.scope(), "thanks")
    assert post.plan(told) == 0
    service.resume(post.house.scope(), "thanks")
    assert post.plan(told) == 1


def test_she_is_called_by_her_name_in_her_language(post: Post) -> None:
    content = {
        "en": {"title": "Hi {{ member.first_name }}", "body": "x"},
        "de": {"title": 'Hallo {{ member.first_name | default: "du" }}', "body": "x"},
    }
    post.campaign("news", with_(NEWS, steps=[{"id": "tell", "content": content}]))
    german, nameless = post.guest(), post.guest()
    post.list_all([german], {"first_name": "Anna", "language": "de"})
    assert post.deliver(post.order("news", "tell", [german, nameless])) == {"sent": 2}
    assert [message.title for _, message in post.sender.taken] == ["Hallo Anna", "Hi "]


def test_whose_key_is_destroyed_gets_nothing(post: Post) -> None:
    post.campaign("news", with_(NEWS, steps=[{"id": "tell", "content": {"en": {"title": "{{ member.first_name }}", "body": "x"}}}]))
    member = post.guest()
    post.list_all([member])
    post.house.key_table.delete(keys.member_key("demo", member))
    assert post.deliver(post.order("news", "tell", [member])) == {"gone": 1}
    assert post.sender.taken == []
