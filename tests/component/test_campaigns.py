"""Campaigns from the event to the provider: sent once, to whom they are for, at the moment of sending."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from shared.campaigns import reports, service
from shared.campaigns.rules import held_out
from shared.coupons.repository import CouponRepository
from shared.kernel.instants import DAY, HOUR, format_rfc3339
from shared.member_state.events import CouponChanged, Purchased, Responded, Touched
from shared.members.form_links import open_invitation
from shared.members.repository import MemberRepository
from shared.messaging.push import Throttled, Unclear, Unreachable
from shared.profile.model import Visit
from shared.segments.listing import record_flips
from shared.storage import keys
from shared.storage.expressions import Path
from shared.storage.table import WriteBatch
from tests.builders.campaigns import CONSENT, FORM_KEY, NEWS, PUSH_SETTINGS, WELCOME, Post
from tests.builders.house import FRIES, House


@pytest.fixture
def post(bare_house: House) -> Post:
    """A tenant with an offer and a push application."""
    bare_house.create(PUSH_SETTINGS)
    bare_house.publish("offer", "fries", FRIES)
    return Post(bare_house)


def registered(post: Post) -> tuple[str, Any]:
    """A guest, with the envelope of her registration; her device comes right after it."""
    member = post.house.join(consents={"marketing:push": CONSENT})
    told = post.told(member)
    post.give_devices(member, [f"dev_{member}"])
    return member, told


def purchase(post: Post, member: str, **more: Any) -> None:
    """She buys something."""
    now = post.house.now
    post.happens(member, Purchased(now, f"txn_{now}", Visit(now, 900, 1000, {})), **more)


def with_(body: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**body, **more}


def on_purchase(**more: Any) -> dict[str, Any]:
    return with_(NEWS, trigger={"kind": "event", "types": ["transaction.recorded"]}, **more)


# -- the whole way --------------------------------------------------------------------------------------------------


def test_a_registration_brings_the_welcome_with_its_coupon(post: Post) -> None:
    post.campaign("welcome", WELCOME)
    member, told = registered(post)
    assert post.plan(told) == 1
    assert post.deliver_all() == {"sent": 1}
    ((endpoint, message),) = post.sender.taken
    (delivery,) = post.deliveries(member)
    assert delivery.coupon is not None
    coupon = CouponRepository("demo", post.house.table).get(delivery.coupon)
    assert coupon is not None
    state = post.house.state(member)
    assert endpoint == f"endpoint/dev_{member}"
    assert (message.title, message.body) == ("Hello", f"Fries for 1 euro, {coupon.code}")
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


def test_duplicated_and_shuffled_messages_send_once(post: Post) -> None:
    post.campaign("welcome", WELCOME)
    post.campaign("thanks", on_purchase())
    members = []
    for _ in range(6):
        member, told = registered(post)
        purchase(post, member)
        members.append(member)
        for envelope in [told, post.told(member)] * 2:
            post.plan(envelope)
    orders = post.sending.take() * 3
    random.Random(7).shuffle(orders)
    for order in orders:
        post.deliver(order)
    assert sorted(post.sender.members) == sorted(members * 2)
    report = reports.report(post.house.scope(), "welcome")
    assert (report.claimed, report.sent, report.failed, report.unknown) == (6, 6, 0, 0)
    assert all(len(post.house.state(member).coupons) == 1 for member in members)


def test_a_mailing_reaches_every_member_of_the_listing_and_completes(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.campaigns.planning.PAGE", 4)
    members = [post.guest() for _ in range(11)]
    for member in members:
        _list(post, member)
    post.campaign("news", NEWS)
    assert post.mail("news") == 11
    assert service.known_run(post.house.scope(), "news").state == "completed"
    assert post.deliver_all() == {"sent": 11}
    assert sorted(post.sender.members) == sorted(members)


def test_a_walk_without_time_goes_on_in_a_new_message(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.campaigns.planning.PAGE", 2)
    for _ in range(5):
        _list(post, post.guest())
    post.campaign("news", NEWS)
    left = iter(range(40_000, -1, -16_000))
    post.house.time_left = lambda: next(left, 60_000)
    assert post.mail("news") == 5
    assert post.deliver_all() == {"sent": 5}


def test_a_segment_is_an_audience_by_its_listing_and_asked_again_when_sending(post: Post) -> None:
    rule = {"kind": "attribute", "name": "lifetime_purchases", "op": "ge", "value": 1}
    post.house.publish("segment", "buyers", {"name": "Buyers", "rule": rule})
    buyer, other = post.guest(), post.guest()
    purchase(post, buyer)
    assert record_flips(post.house.scope(), post.told(buyer)) == 1
    post.campaign("news", with_(NEWS, audience={"segment": "buyers"}))
    assert post.mail("news") == 1
    (order,) = post.sending.take()
    assert post.deliver(order | {"members": [buyer, other]}) == {"sent": 1, "not_in_segment": 1}


def test_entering_a_segment_triggers_once_and_not_because_its_definition_changed(post: Post) -> None:
    rule = {"kind": "attribute", "name": "lifetime_purchases", "op": "ge", "value": 1}
    post.house.publish("segment", "buyers", {"name": "Buyers", "rule": rule})
    post.campaign("hello", with_(NEWS, trigger={"kind": "event", "types": ["segment.entered"], "segment": "buyers"}))
    member = post.guest()
    purchase(post, member)
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
    assert [message.title for _, message in post.sender.taken] == ["one"] * 3 + ["two"] * 3 + ["three"] * 3


# -- who gets it, at the moment of sending --------------------------------------------------------------------------


def test_who_said_no_after_planning_gets_nothing(post: Post) -> None:
    post.campaign("welcome", WELCOME)
    member, told = registered(post)
    post.plan(told)
    post.withdraw(member)
    assert post.deliver_all() == {"no_consent": 1}
    assert (post.sender.taken, post.deliveries(member)) == ([], [])


def test_a_service_message_needs_no_consent(post: Post) -> None:
    post.campaign("news", with_(NEWS, message_class="service"))
    assert post.deliver(post.order("news", "tell", [post.guest(consent=False)])) == {"sent": 1}


def test_who_has_no_device_or_is_nobody_costs_the_others_nothing(post: Post) -> None:
    post.campaign("news", NEWS)
    order = post.order("news", "tell", [post.guest(devices=0), "mbr_nobody", post.guest()])
    assert post.deliver(order) == {"no_device": 1, "gone": 1, "sent": 1}


def test_a_cap_counts_messages_of_all_campaigns_in_its_days(post: Post) -> None:
    post.campaign("news", with_(NEWS, cap={"max": 2, "days": 7}))
    member = post.guest()
    post.happens(member, Touched(post.house.now, "other", "x", "push"))
    post.house.now += 6 * DAY
    assert post.deliver(post.order("news", "tell", [member], "1")) == {"sent": 1}
    assert post.deliver(post.order("news", "tell", [member], "2")) == {"over_cap": 1}
    post.house.now += DAY + 1
    assert post.deliver(post.order("news", "tell", [member], "3")) == {"sent": 1}


def test_the_holdout_is_recorded_and_stays(post: Post) -> None:
    post.campaign("news", with_(NEWS, holdout_percent=50))
    members = [post.guest() for _ in range(12)]
    out = [member for member in members if held_out("news", member, 50)]
    for occurrence in ("1", "2", "2"):
        post.deliver(post.order("news", "tell", members, occurrence))
    assert not set(out) & set(post.sender.members)
    assert all([each.state for each in post.deliveries(member)] == ["held_out"] * 2 for member in out)
    report = reports.report(post.house.scope(), "news")
    assert (report.held_out, report.sent) == (2 * len(out), 2 * (12 - len(out)))
    assert all(not post.house.state(member).touches for member in out)


def test_an_offer_that_she_has_used_up_skips_her_without_a_claim(post: Post) -> None:
    post.campaign("welcome", WELCOME)
    member = post.guest()
    assert post.deliver(post.order("welcome", "gift", [member], "1")) == {"sent": 1}
    assert post.deliver(post.order("welcome", "gift", [member], "2")) == {"too_many_coupons": 1}
    assert len(post.deliveries(member)) == 1


# -- what triggers --------------------------------------------------------------------------------------------------


def test_history_triggers_nothing(post: Post) -> None:
    post.campaign("thanks", on_purchase())
    member = post.guest()
    purchase(post, member, mode="historical")
    assert post.plan(post.told(member)) == 0
    assert post.sending.messages == []


def test_an_event_that_is_too_old_triggers_nothing_and_an_order_goes_stale(post: Post) -> None:
    post.campaign("thanks", on_purchase(max_event_age_hours=2))
    member = post.guest()
    purchase(post, member)
    told = post.told(member)
    post.house.now += 2 * HOUR
    assert post.plan(told) == 1
    post.house.now += 1
    assert post.plan(told) == 0
    assert post.deliver_all() == {"dropped": 1}


def test_a_draft_and_a_paused_campaign_trigger_nothing(post: Post) -> None:
    post.campaign("thanks", on_purchase(), launch=False)
    member = post.guest()
    purchase(post, member)
    told = post.told(member)
    assert post.plan(told) == 0
    service.launch(post.house.scope(), "thanks")
    service.pause(post.house.scope(), "thanks")
    assert post.plan(told) == 0
    service.resume(post.house.scope(), "thanks")
    assert post.plan(told) == 1


# -- the provider ---------------------------------------------------------------------------------------------------


def test_a_dead_device_is_forgotten_and_the_living_one_reached(post: Post) -> None:
    post.campaign("news", NEWS)
    member = post.guest(devices=2)
    dead, alive = post.house.state(member).devices
    post.sender.answers[f"endpoint/{dead}"] = Unreachable("endpoint_disabled", dead=True)
    assert post.deliver(post.order("news", "tell", [member])) == {"sent": 1}
    assert post.house.state(member).devices == [alive]
    assert post.house.table.get(keys.device("demo", member, dead)) is None


def test_what_no_device_takes_is_failed_and_listed(post: Post) -> None:
    post.campaign("news", NEWS)
    member = post.guest()
    post.sender.answers[f"endpoint/dev_{member}_0"] = Unreachable("endpoint_disabled", dead=True)
    assert post.deliver(post.order("news", "tell", [member])) == {"failed": 1}
    page = reports.deliveries(post.house.scope(), "news", 10, None, b"k" * 32)
    assert [(each.member_id, each.state, each.reason) for each in page.data] == [(member, "failed", "endpoint_disabled")]
    assert post.deliver(post.order("news", "tell", [member])) == {"no_device": 1}


def test_a_busy_provider_is_asked_again_later_and_the_coupon_is_the_same(post: Post) -> None:
    post.campaign("welcome", WELCOME)
    member = post.guest()
    endpoint = f"endpoint/dev_{member}_0"
    post.sender.answers[endpoint] = Throttled()
    assert post.deliver(post.order("welcome", "gift", [member])) == {"waiting": 1}
    assert post.sending.delays == [30]
    (again,) = post.sending.take()
    assert post.deliver(again) == {"waiting": 1}
    del post.sender.answers[endpoint]
    (again,) = post.sending.take()
    assert post.deliver(again) == {"sent": 1}
    assert post.deliver(again) == {"already": 1}
    (coupon,) = post.house.state(member).coupons
    assert [message.data["coupon_id"] for _, message in post.sender.taken] == [coupon]
    assert reports.report(post.house.scope(), "welcome").claimed == 1


def test_what_waits_is_not_sent_once_she_said_no_or_the_campaign_stopped(post: Post) -> None:
    post.campaign("news", NEWS)
    first, second = post.guest(), post.guest()
    for member in (first, second):
        post.sender.answers[f"endpoint/dev_{member}_0"] = Throttled()
    post.deliver(post.order("news", "tell", [first, second]))
    post.sender.answers.clear()
    post.withdraw(first)
    _close_gate(post, "news", second)
    assert post.deliver_all() == {"failed": 2}
    assert post.sender.taken == []
    page = reports.deliveries(post.house.scope(), "news", 10, None, b"k" * 32)
    assert {each.member_id: each.reason for each in page.data} == {first: "no_consent", second: "campaign_stopped"}


def test_a_provider_that_stays_busy_fails_in_the_end(post: Post) -> None:
    post.campaign("news", NEWS)
    member = post.guest()
    post.sender.answers[f"endpoint/dev_{member}_0"] = Throttled()
    post.sending.send(post.order("news", "tell", [member]))
    assert post.deliver_all() == {"waiting": 8, "failed": 1}


def test_an_unclear_answer_is_unknown_and_never_sent_again(post: Post) -> None:
    post.campaign("news", NEWS)
    member = post.guest()
    post.sender.answers[f"endpoint/dev_{member}_0"] = Unclear()
    order = post.order("news", "tell", [member])
    assert post.deliver(order) == {"unknown": 1}
    post.sender.answers.clear()
    assert post.deliver(order) == {"already": 1}
    assert post.sender.taken == []


# -- stopping -------------------------------------------------------------------------------------------------------


def test_cancelled_in_the_middle_nothing_is_claimed_after(post: Post) -> None:
    post.campaign("news", NEWS)
    members = [post.guest() for _ in range(8)]
    sent = 0

    def cancel_after_three() -> None:
        nonlocal sent
        sent += 1
        if sent == 3:
            service.cancel(post.house.scope(), "news")

    post.sender.after = cancel_after_three
    assert post.deliver(post.order("news", "tell", members)) == {"sent": 3, "campaign_stopped": 5}
    assert [bool(post.deliveries(member)) for member in members] == [True] * 3 + [False] * 5
    assert post.deliver(post.order("news", "tell", members)) == {"dropped": 8}


def test_a_gate_that_closes_between_check_and_claim_lets_nothing_through(post: Post) -> None:
    post.campaign("news", NEWS)
    member = post.guest()
    _close_gate(post, "news", member)
    assert post.deliver(post.order("news", "tell", [member])) == {"campaign_stopped": 1}
    assert (post.sender.taken, post.deliveries(member), post.house.state(member).touches) == ([], [], [])


def test_a_resumed_mailing_reaches_the_rest_and_nobody_twice(post: Post) -> None:
    members = [post.guest() for _ in range(6)]
    for member in members:
        _list(post, member)
    post.campaign("news", NEWS)
    post.mail("news")
    (order,) = post.sending.take()
    post.deliver(order | {"members": order["members"][:2]})
    service.pause(post.house.scope(), "news")
    assert post.deliver(order) == {"dropped": 6}
    service.resume(post.house.scope(), "news")
    assert post.mail("news") == 6
    assert post.deliver_all() == {"sent": 4, "already": 2}
    assert sorted(post.sender.members) == sorted(members)


# -- what came back -------------------------------------------------------------------------------------------------


def test_responses_count_once_however_often_they_are_told(post: Post) -> None:
    post.campaign("welcome", WELCOME)
    member, told = registered(post)
    post.plan(told)
    post.deliver_all()
    (coupon,) = post.house.state(member).coupons
    now = post.house.now
    for event in (
        Responded(now, "message.clicked", "welcome", "gift"),
        Responded(now, "message.opened", None, None, {"delivery_id": post.sender.taken[0][1].data["delivery_id"]}),
        Responded(now, "form.submitted", "welcome", "gift"),
        CouponChanged(now, coupon, "redeemed"),
    ):
        post.happens(member, event)
        for _ in range(2):
            post.plan(post.told(member))
    report = reports.report(post.house.scope(), "welcome")
    assert (report.opened, report.clicked, report.submitted, report.redeemed) == (1, 1, 1, 1)


def test_responses_to_nothing_of_ours_count_nothing(post: Post) -> None:
    post.campaign("welcome", WELCOME)
    member = post.guest()
    for campaign, step in (("welcome", "gift"), ("ü" * 60, "x"), ("other", None)):
        post.happens(member, Responded(post.house.now, "message.opened", campaign, step, {"delivery_id": "dlv_????"}))
        post.plan(post.told(member))
    assert reports.report(post.house.scope(), "welcome").opened == 0


def test_pages_of_deliveries_go_on_where_the_last_ended(post: Post) -> None:
    post.campaign("news", NEWS)
    members = [post.guest() for _ in range(5)]
    for member in members:
        post.sender.answers[f"endpoint/dev_{member}_0"] = Unclear()
    post.deliver(post.order("news", "tell", members))
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        page = reports.deliveries(post.house.scope(), "news", 2, cursor, b"k" * 32)
        seen += [each.member_id for each in page.data]
        cursor = page.next_cursor
    assert sorted(seen) == sorted(members)
    assert cursor is None
    assert all(each.claimed_at == format_rfc3339(post.house.now) for each in page.data)


def _list(post: Post, member: str) -> None:
    """Her profile row, which lists her."""
    scope, batch = post.house.scope(), WriteBatch()
    MemberRepository("demo", scope.table).add_profile(batch, member, 0, {"first_name": "Anna"}, scope.new_cipher(member))
    scope.table.transact(batch, member)


def _close_gate(post: Post, campaign: str, member: str) -> None:
    post.house.table.update(keys.gate("demo", campaign, keys.gate_of(member)), [Path("open").set(False)])
