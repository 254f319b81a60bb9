"""Campaigns of several steps: waiting, branching, splitting, giving; each once, whatever comes twice, late or out of order."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from shared.campaigns import service
from shared.campaigns.model import CampaignBody
from shared.campaigns.rules import held_out, variant_of
from shared.kernel.instants import DAY, HOUR, MINUTE, wall_minute
from shared.member_state.events import ProfileChanged, Responded
from shared.messaging.port import Throttled
from tests.builders.campaigns import NEWS, Post, called, message
from tests.builders.house import House
from tests.builders.invariants import check_member


@pytest.fixture
def post(bare_house: House) -> Post:
    """A tenant with an offer and a push application."""
    return Post.of(bare_house)


def begin(post: Post, body: dict[str, Any], members: list[str], id_: str = "tour") -> Counter[str]:
    """Publish, launch, and send the members in."""
    post.campaign(id_, body)
    return post.deliver(post.order(id_, body["steps"][0]["id"], members))


def titles(post: Post, member: str) -> list[str]:
    return [sent.title for _, sent in post.sender.taken if sent.origin["member"] == member]


def later(post: Post, members: list[str], millis: int) -> Counter[str]:
    """Time passes, and whoever waits for it goes on."""
    post.house.now += millis
    post.tick(members)
    return post.deliver_all()


WAIT = {"id": "pause", "kind": "wait", "minutes": 90}


def test_after_a_wait_she_goes_on_with_the_next_step(post: Post) -> None:
    member = post.guest()
    assert begin(post, called(message("one"), WAIT, message("two")), [member]) == {"sent": 1, "waits": 1}
    (journey,) = post.house.state(member).journeys
    assert (journey.step, journey.due, journey.reason) == ("pause", post.house.now + 90 * MINUTE, "wait")
    assert later(post, [member], 90 * MINUTE - 1) == {}
    assert later(post, [member], 1) == {"sent": 1}
    assert titles(post, member) == ["one", "two"]
    assert post.house.state(member).journeys == []


def test_a_wait_that_is_begun_twice_ends_once(post: Post) -> None:
    member = post.guest()
    body = called(WAIT, message("two"))
    begin(post, body, [member])
    (due,) = [each.due for each in post.house.state(member).journeys]
    post.house.now += 10 * MINUTE
    assert post.deliver(post.order("tour", "pause", [member])) == {"already": 1}
    assert [each.due for each in post.house.state(member).journeys] == [due]
    later(post, [member], 80 * MINUTE)
    assert post.deliver(post.order("tour", "pause", [member])) == {"already": 1}
    assert (titles(post, member), post.house.state(member).journeys) == (["two"], [])


def test_a_wait_until_a_time_is_on_her_own_clock(post: Post) -> None:
    berlin, tokyo = post.guest(), post.guest()
    post.happens(tokyo, ProfileChanged(post.house.now, (), zone="Asia/Tokyo"))
    begin(post, called({"id": "nine", "kind": "wait", "until": "09:00"}, message("two")), [berlin, tokyo])
    for member, zone in ((berlin, post.house.scope().definitions.settings.time_zone), (tokyo, "Asia/Tokyo")):
        (journey,) = post.house.state(member).journeys
        assert wall_minute(journey.due, zone) == 9 * 60
        assert post.house.now < journey.due <= post.house.now + DAY


def test_a_date_that_has_come_is_not_waited_for(post: Post) -> None:
    member = post.guest()
    post.campaign("tour", called({"id": "eve", "kind": "wait", "until_date": "2026-12-24"}, message("two")))
    post.house.now += 60 * DAY
    assert post.deliver(post.order("tour", "eve", [member])) == {"sent": 1}


UNTIL_SHE_BUYS = {
    "id": "bought", "kind": "wait", "for": "transaction.recorded", "timeout_minutes": 60, "then": "thanks", "otherwise": "nudge",
}  # fmt: skip


def test_an_event_ends_the_wait_and_so_does_the_timeout(post: Post) -> None:
    body = called(UNTIL_SHE_BUYS, message("thanks", then="end"), message("nudge"), {"id": "end", "kind": "end"})
    buyer, other = post.guest(), post.guest()
    begin(post, body, [buyer, other])
    post.house.now += MINUTE
    post.purchase(buyer)
    assert post.plan(post.told(buyer)) == 1
    assert post.deliver_all() == {"sent": 1}
    assert later(post, [buyer, other], HOUR) == {"sent": 1}
    assert (titles(post, buyer), titles(post, other)) == (["thanks"], ["nudge"])


def test_a_branch_asks_when_she_comes_to_it(post: Post) -> None:
    rule = {"kind": "attribute", "name": "lifetime_purchases", "op": "ge", "value": 1}
    body = called(
        WAIT, {"id": "buyer", "kind": "branch", "if": {"filter": rule}, "then": "yes", "otherwise": "no"},
        message("yes", then="end"), message("no"), {"id": "end", "kind": "end"},
    )  # fmt: skip
    buyer, other = post.guest(), post.guest()
    begin(post, body, [buyer, other])
    post.purchase(buyer)
    later(post, [buyer, other], 90 * MINUTE)
    assert (titles(post, buyer), titles(post, other)) == (["yes"], ["no"])


@pytest.mark.parametrize("of", ["opened", "sent", "purchased"])
def test_a_branch_on_what_came_back(post: Post, of: str) -> None:
    asked = {"response": {"step": "one", "of": of}}
    body = called(
        message("one"), WAIT, {"id": "b", "kind": "branch", "if": asked, "then": "yes", "otherwise": "no"},
        message("yes", then="end"), message("no"), {"id": "end", "kind": "end"},
    )  # fmt: skip
    active, other = post.guest(), post.guest()
    if of == "sent":
        post.withdraw(other)
    post.purchase(other)
    post.house.now += 1
    begin(post, body, [active, other])
    post.house.now += MINUTE
    if of == "opened":
        post.happens(active, Responded(post.house.now, "message.opened", "tour", "one"))
        post.plan(post.told(active))
    if of == "purchased":
        post.purchase(active)
    later(post, [active, other], 90 * MINUTE)
    assert titles(post, active) == ["one", "yes"]
    assert titles(post, other) == ([] if of == "sent" else ["one", "no"])


def test_a_split_keeps_everybody_with_her_variant_and_notes_it(post: Post) -> None:
    variants = [{"id": "a", "percent": 50, "then": "short"}, {"id": "b", "percent": 50, "then": "long"}]
    body = called(
        {"id": "ab", "kind": "split", "variants": variants}, message("short", then="both"), message("long"), message("both")
    )
    members = [post.guest() for _ in range(12)]
    begin(post, body, members)
    post.deliver(post.order("tour", "ab", members, "2"))
    split: Any = CampaignBody.model_validate(body).steps[0]
    for member in members:
        name = "ab"[variant_of(split, "tour", member)]
        assert titles(post, member) == [{"a": "short", "b": "long"}[name], "both"] * 2
        assert {(each.step, each.variant) for each in post.deliveries(member)} == {
            ({"a": "short", "b": "long"}[name], f"ab:{name}"), ("both", f"ab:{name}"),
        }  # fmt: skip
    assert len({tuple(titles(post, member)) for member in members}) == 2


def test_coupon_points_tags_and_challenges_are_given_once(post: Post) -> None:
    goal = {"of": "purchases", "threshold": 3}
    post.house.publish("challenge", "three", {"name": "Three", "goal": goal, "window": {"days": 7}, "reward": {"points": 5}})
    body = called(
        {"id": "gift", "kind": "issue", "offer": "fries", "points": {"points": 50, "expires_days": 30}},
        {"id": "mark", "kind": "tag", "add": ["toured"]},
        {"id": "play", "kind": "challenge", "challenge": "three"},
        message("done"),
    )
    member = post.guest()
    order = post.order("tour", "gift", [member])
    assert begin(post, body, [member]) == {"done": 3, "sent": 1}
    for _ in range(3):
        post.deliver(order)
        post.house.now += HOUR
    state = post.house.state(member)
    assert (len(state.coupons), state.tags, len(state.challenges), len(post.sender.taken)) == (1, ["toured"], 1, 1)
    assert [(lot.points, lot.expires_at) for lot in state.wallets["points"].lots] == [(50, post.house.now - 3 * HOUR + 30 * DAY)]
    check_member(post.house, member)


@pytest.mark.stream
def test_who_is_held_out_gets_nothing_of_it_and_is_noted_once(post: Post) -> None:
    body = called({"id": "gift", "kind": "issue", "offer": "fries"}, message("one"), holdout_percent=50)
    members = [post.guest() for _ in range(10)]
    begin(post, body, members)
    out = [member for member in members if held_out("tour", member, 50)]
    assert 0 < len(out) < 10
    for member in members:
        rows = [(each.step, each.state) for each in post.deliveries(member)]
        assert rows == ([("gift", "held_out")] if member in out else [("gift", "given"), ("one", "sent")])
        assert len(post.house.state(member).coupons) == (member not in out)
    assert post.report("tour").held_out == len(out)


def test_orders_that_come_twice_and_in_any_order_do_everything_once(post: Post) -> None:
    variants = [{"id": "a", "percent": 50}, {"id": "b", "percent": 50, "then": "two"}]
    body = called(
        {"id": "ab", "kind": "split", "variants": variants}, message("one"), message("two"), WAIT,
        {"id": "mark", "kind": "tag", "add": ["toured"]}, message("three"),
    )  # fmt: skip
    post.campaign("tour", body)
    members = [post.guest() for _ in range(5)]
    orders, random_ = [post.order("tour", "ab", members)] * 3, random.Random(5)
    for _ in range(4):
        random_.shuffle(orders)
        for order in orders:
            post.deliver(order)
        post.house.now += 45 * MINUTE
        for member in members:
            if post.tick([member]):
                post.plan(post.told(member))
        orders = post.sending.take() * 2 + orders
    for member in members:
        assert Counter(titles(post, member)).most_common(1)[0][1] == 1
        assert titles(post, member)[-1] == "three"
        assert post.house.state(member).journeys == []


def test_who_is_held_out_of_the_first_message_is_not_asked_about_the_next(post: Post) -> None:
    members = [post.guest() for _ in range(10)]
    begin(post, called(message("one"), message("two"), holdout_percent=50), members)
    out = {member for member in members if held_out("tour", member, 50)}
    assert 0 < len(out) < 10
    assert {member: len(post.deliveries(member)) for member in members} == {member: 1 if member in out else 2 for member in members}


def test_time_that_passed_while_a_step_was_skipped_is_not_lost(post: Post) -> None:
    member = post.guest(consent=False)
    points = {"points": 50, "expires_days": 1}
    begin(post, called({"id": "gift", "kind": "issue", "points": points}), [member], "before")
    body = called(message("skipped"), {"id": "mark", "kind": "tag", "add": ["x"]})
    post.campaign("tour", body)
    post.house.now += 2 * DAY
    assert post.deliver(post.order("tour", "skipped", [member])) == {"no_consent": 1, "done": 1}
    assert "points.expired" in post.told(member).types
    check_member(post.house, member)


def test_an_end_of_a_wait_that_comes_too_late_sends_nothing(post: Post) -> None:
    members = [post.guest(), post.guest()]
    begin(post, called(WAIT, message("two"), max_event_age_hours=2), members)
    assert later(post, members[:1], 90 * MINUTE + 2 * HOUR) == {"sent": 1}
    assert later(post, members[1:], 1) == {}


def test_after_a_wait_a_message_may_be_deferred_as_long_as_any(post: Post) -> None:
    member = post.guest()
    post.campaign("other", called(message("x")))
    post.campaign("later", called(WAIT, message("two"), cap={"max": 1, "days": 1}, deferral={"cap": "defer", "max_hours": 24}))
    post.deliver(post.order("later", "pause", [member]))
    post.house.now += HOUR
    post.deliver(post.order("other", "x", [member]))
    assert later(post, [member], 30 * MINUTE) == {"deferred": 1}
    assert later(post, [member], DAY) == {"sent": 1}


def test_a_busy_provider_is_asked_again_from_the_step_where_it_was_busy(post: Post) -> None:
    member = post.guest()
    post.campaign("tour", called(message("one"), message("two")))

    def busy_from_now_on() -> None:
        post.sender.answers[f"endpoint/dev_{member}_0"] = Throttled()

    post.sender.after = busy_from_now_on
    assert post.deliver(post.order("tour", "one", [member]) | {"attempt": 5}) == {"sent": 1, "waiting": 1}
    (rest,) = post.sending.messages
    assert (rest["step"], rest["attempt"], rest["members"]) == ("two", 1, [member])


# -- pausing, stopping, other versions --------------------------------------------------------------------------------


def test_what_waits_while_a_campaign_is_paused_goes_on_after_it(post: Post) -> None:
    scope, member = post.house.scope(), post.guest()
    begin(post, called(message("one"), WAIT, message("two")), [member])
    service.pause(scope, "tour")
    assert later(post, [member], 90 * MINUTE) == {"paused": 1}
    assert later(post, [member], HOUR) == {"paused": 1}
    service.resume(scope, "tour")
    assert later(post, [member], HOUR) == {"sent": 1}
    assert titles(post, member) == ["one", "two"]


def test_what_waits_in_a_cancelled_campaign_is_over(post: Post) -> None:
    scope, member = post.house.scope(), post.guest()
    begin(post, called(message("one"), WAIT, message("two")), [member])
    service.cancel(scope, "tour")
    assert later(post, [member], 90 * MINUTE) == {}
    assert titles(post, member) == ["one"]


def test_a_gate_that_closes_on_the_way_stops_her_there(post: Post) -> None:
    member = post.guest()
    post.campaign("tour", called(message("one"), {"id": "mark", "kind": "tag", "add": ["x"]}, message("two")))
    post.sender.after = lambda: post.close_gate("tour", member)
    assert post.deliver(post.order("tour", "one", [member])) == {"sent": 1, "campaign_stopped": 1}
    assert (titles(post, member), post.house.state(member).tags) == (["one"], [])


def test_who_waits_goes_on_with_the_version_that_she_began_with(post: Post) -> None:
    member = post.guest()
    begin(post, called(WAIT, message("old")), [member])
    post.house.publish("campaign", "tour", called(message("new")), version=2)
    later(post, [member], 90 * MINUTE)
    assert titles(post, member) == ["old"]


def test_the_emergency_stop_sends_nothing_and_loses_nobody_who_waits(post: Post) -> None:
    member, fresh = post.guest(), post.guest()
    begin(post, called(WAIT, message("two")), [member])
    post.stop(messages=True)
    assert later(post, [member], 90 * MINUTE) == {"paused": 1}
    assert post.deliver(post.order("tour", "pause", [fresh])) == {"stopped": 1}
    post.stop(messages=False)
    assert later(post, [member], HOUR) == {"sent": 1}


def test_a_busy_provider_holds_her_at_her_step(post: Post) -> None:
    member = post.guest()
    post.sender.answers[f"endpoint/dev_{member}_0"] = Throttled()
    assert begin(post, called(message("one"), message("two")), [member]) == {"waiting": 1}
    post.sender.answers.clear()
    assert post.deliver_all() == {"sent": 2}
    assert titles(post, member) == ["one", "two"]


def test_with_little_time_left_the_rest_is_a_new_message(post: Post) -> None:
    member = post.guest()
    post.campaign("tour", called(message("one"), message("two"), message("three")))
    left = iter([60_000] * 4 + [1_000])
    post.house.time_left = lambda: next(left, 60_000)
    post.sending.send(post.order("tour", "one", [member]))
    assert post.deliver_all() == {"sent": 3}
    assert titles(post, member) == ["one", "two", "three"]


# -- coming again -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reentry", "expected"),
    [
        ({"mode": "always"}, ["yes", "yes", "yes"]),
        ({"mode": "once"}, ["yes", "no", "no"]),
        ({"mode": "after", "days": 2}, ["yes", "no", "yes"]),
    ],
)
def test_who_may_come_again(post: Post, reentry: dict[str, Any], expected: list[str]) -> None:
    member = post.guest()
    post.campaign("tour", NEWS | {"reentry": reentry})
    for number, said in enumerate(expected):
        order = post.order("tour", "tell", [member], str(number))
        assert post.deliver(order) == ({"sent": 1} if said == "yes" else {"no_reentry": 1})
        assert post.deliver(order) == ({"already": 1} if said == "yes" else {"no_reentry": 1})
        post.house.now += DAY


def test_not_while_another_occurrence_waits(post: Post) -> None:
    member = post.guest()
    post.campaign("tour", called(WAIT, message("two"), reentry={"mode": "not_while_waiting"}))
    assert post.deliver(post.order("tour", "pause", [member], "1")) == {"waits": 1}
    assert post.deliver(post.order("tour", "pause", [member], "2")) == {"no_reentry": 1}
    later(post, [member], 90 * MINUTE)
    assert post.deliver(post.order("tour", "pause", [member], "3")) == {"waits": 1}


def test_an_audience_may_be_a_rule_of_the_language_of_segments(post: Post) -> None:
    rule = {"kind": "attribute", "name": "lifetime_purchases", "op": "ge", "value": 1}
    buyer, other = post.guest(), post.guest()
    post.purchase(buyer)
    post.campaign("news", NEWS | {"audience": {"filter": rule}})
    assert post.deliver(post.order("news", "tell", [buyer, other])) == {"sent": 1, "not_in_audience": 1}
