"""Handing over to the provider, stopping in the middle, and what comes back."""

from __future__ import annotations

import pytest

from shared.campaigns import service
from shared.kernel.instants import format_rfc3339
from shared.member_state.events import CouponChanged, Responded
from shared.messaging.port import Throttled, Unclear, Unreachable
from shared.reports import service as reports
from shared.storage import keys
from tests.builders.campaigns import NEWS, WELCOME, Post
from tests.builders.house import House


@pytest.fixture
def post(bare_house: House) -> Post:
    """A tenant with an offer and a push application."""
    return Post.of(bare_house)


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
    assert post.deliver(post.order("news", "tell", [member], "2")) == {"unreachable": 1}


@pytest.mark.stream
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
    assert post.report("welcome").claimed == 1


def test_what_waits_is_not_sent_once_she_said_no_or_the_campaign_stopped(post: Post) -> None:
    post.campaign("news", NEWS)
    first, second = post.guest(), post.guest()
    for member in (first, second):
        post.sender.answers[f"endpoint/dev_{member}_0"] = Throttled()
    post.deliver(post.order("news", "tell", [first, second]))
    post.sender.answers.clear()
    post.withdraw(first)
    post.close_gate("news", second)
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
    post.close_gate("news", member)
    assert post.deliver(post.order("news", "tell", [member])) == {"campaign_stopped": 1}
    assert (post.sender.taken, post.deliveries(member), post.house.state(member).touches) == ([], [], [])


def test_a_resumed_mailing_reaches_the_rest_and_nobody_twice(post: Post) -> None:
    members = [post.guest() for _ in range(6)]
    post.list_all(members)
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


@pytest.mark.stream
def test_responses_count_once_however_often_they_are_told(post: Post) -> None:
    post.campaign("welcome", WELCOME)
    member, told = post.registered()
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
    report = post.report("welcome")
    assert (report.opened, report.clicked, report.submitted, report.redeemed) == (1, 1, 1, 1)


@pytest.mark.stream
def test_responses_to_nothing_of_ours_count_nothing(post: Post) -> None:
    post.campaign("welcome", WELCOME)
    member = post.guest()
    for campaign, step in (("welcome", "gift"), ("ü" * 60, "x"), ("other", None)):
        post.happens(member, Responded(post.house.now, "message.opened", campaign, step, {"delivery_id": "dlv_????"}))
        post.plan(post.told(member))
    assert post.report("welcome").opened == 0


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
