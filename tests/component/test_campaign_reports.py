"""A campaign's report: everybody it was meant for in one place, conversions of both groups, credit once, budgets that stop."""

from __future__ import annotations

import random
from typing import Any

import pytest

from shared.campaigns import service
from shared.campaigns.api import CampaignStateAnswer
from shared.campaigns.rules import held_out
from shared.kernel.instants import DAY, HOUR, MINUTE, parse_rfc3339
from shared.member_state.events import Responded
from shared.member_state.model import Consent
from shared.reports import budgets
from shared.transactions.service import record
from tests.builders.campaigns import NEWS, WELCOME, Post, called, message
from tests.builders.house import House, sale

pytestmark = pytest.mark.stream


@pytest.fixture
def post(bare_house: House) -> Post:
    return Post.of(bare_house)


def with_(body: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**body, **more}


def buys(post: Post, member: str, price: int = 1000, *, times: int = 1, **more: Any) -> None:
    """A sale, and planning hears of it, as often as is said."""
    record(post.house.scope(), sale(member, post.house.now, (("burger", price),), **more))
    for _ in range(times):
        post.plan(post.told(member))


def test_everybody_it_was_meant_for_is_somewhere(post: Post) -> None:
    post.campaign("news", NEWS)
    sent, refused, alone = post.guest(), post.guest(consent=False), post.guest(devices=0)
    post.deliver(post.order("news", "tell", [sent, refused, alone]))
    report = post.report("news")
    assert (report.planned, report.claimed, report.sent, report.suppressed) == (3, 1, 1, 2)
    assert report.suppressed_by_reason == {"no_consent": 1, "unreachable": 1}
    post.deliver(post.order("news", "tell", [sent, refused, alone]))
    assert post.report("news") == report, "the same order again"


def test_what_waits_for_the_morning_is_planned_once(post: Post) -> None:
    post.messaging(quiet_hours={"start": "21:00", "end": "08:00"})
    post.house.now = parse_rfc3339("2026-12-01T22:00:00Z")
    post.campaign("news", NEWS)
    member = post.guest()
    post.deliver(post.order("news", "tell", [member]))
    post.deliver(post.order("news", "tell", [member]))
    night = post.report("news")
    assert (night.planned, night.deferred, night.claimed) == (1, 1, 0)
    post.house.now = parse_rfc3339("2026-12-02T07:00:00Z")
    assert post.tick([member]) == 1
    post.deliver_all()
    morning = post.report("news")
    assert (morning.planned, morning.deferred, morning.sent) == (1, 1, 1)


def test_what_waited_for_the_morning_in_a_campaign_that_was_paused_is_planned_once(post: Post) -> None:
    post.messaging(quiet_hours={"start": "21:00", "end": "08:00"})
    post.house.now = parse_rfc3339("2026-12-01T22:00:00Z")
    post.campaign("news", NEWS)
    member = post.guest()
    post.deliver(post.order("news", "tell", [member]))
    service.pause(post.house.scope(), "news")
    post.house.now = parse_rfc3339("2026-12-02T07:00:00Z")
    post.tick([member])
    assert post.deliver_all() == {"paused": 1}
    service.resume(post.house.scope(), "news")
    post.house.now += HOUR
    post.tick([member])
    assert post.deliver_all() == {"sent": 1}
    report = post.report("news")
    assert (report.planned, report.deferred, report.sent) == (1, 1, 1)


def test_both_groups_convert_by_what_they_buy_within_the_days(post: Post) -> None:
    post.campaign("news", with_(NEWS, holdout_percent=50, goal={"of": "purchase", "days": 7}))
    members = [post.guest() for _ in range(8)]
    post.deliver(post.order("news", "tell", members))
    held = {member for member in members if post.deliveries(member)[0].state == "held_out"}
    post.house.now += DAY
    for member in members[:6]:
        buys(post, member, times=random.Random(member).randint(1, 3))
    post.house.now += 7 * DAY
    buys(post, members[6])
    report = post.report("news")
    assert report.planned == 8
    assert report.converted == len(set(members[:6]) - held)
    assert report.revenue == 1000 * report.converted
    assert report.uplift is not None
    assert (report.uplift.members, report.uplift.held_out) == (8 - len(held), len(held))
    assert report.uplift.sample_too_small


def test_history_and_what_was_bought_before_convert_nobody(post: Post) -> None:
    member = post.guest()
    buys(post, member)
    post.house.now += HOUR
    post.campaign("news", NEWS)
    post.deliver(post.order("news", "tell", [member]))
    buys(post, member, mode="historical")
    assert post.report("news").converted == 0


def test_a_coupon_redeemed_proves_it_and_says_what_it_cost(post: Post) -> None:
    post.campaign("welcome", WELCOME)
    member, told = post.registered()
    post.plan(told)
    post.deliver_all()
    (coupon,) = post.house.state(member).coupons
    post.campaign("news", NEWS)
    post.deliver(post.order("news", "tell", [member]))
    post.happens(member, Responded(post.house.now, "message.clicked", "news", "tell"))
    post.plan(post.told(member))
    record(post.house.scope(), sale(member, post.house.now, (("fries", 350), ("burger", 900)), coupons=[{"id": coupon}]))
    for _ in range(3):
        post.plan(post.told(member))
    report = post.report("welcome")
    taken = 250
    assert (report.redeemed, report.discount) == (1, taken)
    assert (report.attributed, report.attributed_hard) == (1, 1)
    assert report.attributed_revenue == report.revenue == 1250 - taken
    other = post.report("news")
    assert (other.converted, other.attributed) == (1, 0), "she did buy after the news too, but the coupon has the credit"


def test_without_a_proof_the_last_answer_has_the_credit(post: Post) -> None:
    member = post.guest()
    for campaign in ("first", "second"):
        post.campaign(campaign, NEWS)
        post.deliver(post.order(campaign, "tell", [member]))
        post.house.now += MINUTE
    for type_, campaign in (("message.clicked", "second"), ("message.opened", "first")):
        post.happens(member, Responded(post.house.now, type_, campaign, "tell"))
        post.plan(post.told(member))
        post.house.now += MINUTE
    buys(post, member, times=2)
    first, second = post.report("first"), post.report("second")
    assert (first.attributed, first.attributed_hard, first.attributed_revenue) == (1, 0, 1000)
    assert (second.attributed, second.converted) == (0, 1)


def test_variants_channels_and_languages_have_their_own_numbers(post: Post) -> None:
    split = {"id": "ab", "kind": "split", "variants": [
        {"id": "a", "percent": 50, "then": "short"}, {"id": "b", "percent": 50, "then": "long"},
    ]}  # fmt: skip
    body = with_(NEWS, steps=[split, message("short", then="done"), message("long"), {"id": "done", "kind": "end"}])
    post.campaign("news", body)
    members = [post.guest() for _ in range(20)]
    post.deliver(post.order("news", "ab", members))
    report = post.report("news")
    assert report.sent == 20
    assert {part.name.rpartition(":")[2] for part in report.variants} == {"a", "b"}
    assert sum(part.sent for part in report.variants) == sum(part.sent for part in report.steps) == 20
    assert [(part.name, part.sent) for part in report.channels] == [("push", 20)]
    assert [(part.name, part.sent) for part in report.languages] == [("en", 20)]


GIFT: dict[str, Any] = {"id": "gift", "kind": "issue", "offer": "fries", "points": {"points": 50}}


def test_a_gift_without_a_message_is_measured_as_a_message_is(post: Post) -> None:
    body = called(GIFT, holdout_percent=50, goal={"of": "purchase", "days": 7}, cap={"max": 1, "days": 7}, budget={"amount": 10_000})
    post.campaign("gifts", body)
    members = [post.guest() for _ in range(8)]
    order = post.order("gifts", "gift", members)
    post.deliver(order)
    post.deliver(order)
    held = {member for member in members if held_out("gifts", member, 50)}
    assert 0 < len(held) < 8
    post.house.now += DAY
    for member in members[:6]:
        buys(post, member, times=2)
    report, buyers = post.report("gifts"), set(members[:6]) - held
    assert (report.planned, report.given, report.held_out, report.claimed) == (8, 8 - len(held), len(held), 0)
    assert (report.converted, report.revenue) == (len(buyers), 1000 * len(buyers))
    assert report.uplift is not None
    assert (report.uplift.members, report.uplift.held_out) == (8 - len(held), len(held))
    gifted = min(set(members) - held)
    (coupon,) = post.house.state(gifted).coupons
    record(post.house.scope(), sale(gifted, post.house.now, (("fries", 350), ("burger", 900)), coupons=[{"id": coupon}]))
    post.plan(post.told(gifted))
    after = post.report("gifts")
    assert (after.redeemed, after.discount, after.attributed_hard, after.attributed_revenue) == (1, 250, 1, 1000)
    assert after.budget is not None
    assert after.budget.spent == 250


def test_no_cap_counts_a_gift(post: Post) -> None:
    post.campaign("gifts", called(GIFT, cap={"max": 1, "days": 7}))
    post.campaign("news", with_(NEWS, cap={"max": 1, "days": 7}))
    member = post.guest()
    assert post.deliver(post.order("gifts", "gift", [member])) == {"done": 1}
    assert post.deliver(post.order("news", "tell", [member])) == {"sent": 1}


@pytest.mark.parametrize("steps", [[GIFT, message("tell")], [message("tell"), GIFT]])
def test_a_gift_and_a_message_are_one_exposure(post: Post, steps: list[dict[str, Any]]) -> None:
    post.campaign("both", called(*steps))
    member = post.guest()
    post.deliver(post.order("both", steps[0]["id"], [member]))
    buys(post, member)
    report = post.report("both")
    assert (report.given, report.sent, report.converted, report.revenue) == (1, 1, 1, 1000)
    assert {part.name: part.converted for part in report.steps} == {"gift": int(steps[0] is GIFT), "tell": int(steps[1] is GIFT)}


def test_a_second_message_of_an_occurrence_is_no_second_exposure(post: Post) -> None:
    post.campaign("news", with_(NEWS, steps=[message("one"), message("two")]))
    member = post.guest()
    post.deliver(post.order("news", "one", [member]))
    buys(post, member)
    report = post.report("news")
    assert (report.sent, report.converted, report.revenue) == (2, 1, 1000)


def test_a_budget_alerts_once_and_then_pauses(post: Post) -> None:
    post.messaging(prices={"push": {"*": 20_000_000}})
    post.campaign("news", with_(NEWS, budget={"amount": 100}))
    told: list[str] = []

    def sends(number: int) -> CampaignStateAnswer:
        members = [post.guest() for _ in range(number)]
        if members:
            post.deliver(post.order("news", "tell", members, f"o{len(told)}"))
        post.report("news")
        for _ in range(2):
            budgets.watch(post.house.scope(), "news")
        answer = service.answer_of(service.known_run(post.house.scope(), "news"))
        told.append(answer.state)
        return answer

    before = sends(3)
    assert before.state == "sending"
    alerted = sends(1)
    assert (alerted.state, alerted.revision) == ("sending", before.revision + 1)
    assert sends(0).revision == alerted.revision, "told once"
    spent = sends(1)
    assert spent.state == "paused"
    assert post.report("news").budget is not None
    assert post.report("news").budget.percent == 100  # type: ignore[union-attr]
    late = post.guest()
    assert post.deliver(post.order("news", "tell", [late])) == {"dropped": 1}
    assert post.deliveries(late) == []


def test_what_it_costs_is_by_the_price_of_the_channel(post: Post) -> None:
    post.messaging(sms={"origination": "demo"}, prices={"sms": {"*": 7_500_000}, "push": {"*": 50}})
    sms = {"id": "tell", "channel": "sms", "content": {"en": {"title": "New", "body": "Привет " * 20}}}
    post.campaign("news", with_(NEWS, steps=[sms]))
    member = post.house.join(consents={"marketing:sms": Consent(granted=True, at=0, version="v1")}, known=("phone",))
    post.list_all([member], {"phone": "+4930123456"})
    post.deliver(post.order("news", "tell", [member]))
    report = post.report("news")
    assert report.sent == 1
    assert report.cost == 23, "140 letters beyond the GSM alphabet are three parts of 7.5 each, rounded up"
