"""Channels one after another or all at once, the right time, and how fast: what a step says about its way to her."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from shared.aws.email_sending import SesSender
from shared.campaigns.deliveries import DeliveryRepository
from shared.campaigns.messages import Order, order_of
from shared.campaigns.sending import Means, send
from shared.kernel.instants import DAY, HOUR, local_datetime
from shared.member_state.events import ConsentsChanged, Touched
from shared.messaging.port import Unreachable
from shared.tenants.messaging import CHANNELS
from tests.builders.campaigns import CONSENT, KEYS, NEWS, Post, called, message
from tests.builders.house import House
from tests.fakes.senders import FakeSender

CONTENT = {"en": {"title": "Hi", "body": "x"}}


@pytest.fixture
def post(bare_house: House) -> Post:
    """A tenant that may write over every channel."""
    post = Post.of(bare_house)
    post.messaging(email={"from_address": "news@example.com"}, sms={"origination": "demo"})
    return post


def guest(post: Post, devices: int = 1, channels: tuple[str, ...] = ("push", "email", "sms", "inbox")) -> str:
    """Reached over everything, with a yes to these channels."""
    member = post.house.join(consents={f"marketing:{each}": CONSENT for each in channels}, known=("email", "phone"))
    post.list_all([member], {"email": "anna@example.com", "phone": "+4930123456"})
    if devices:
        post.give_devices(member, [f"dev_{member}"])
    return member


def step(mode: str = "fixed", *channels: str, **more: Any) -> dict[str, Any]:
    return {"id": "tell", "ladder": {"mode": mode, "channels": list(channels), **more}, "content": CONTENT}


def over(post: Post, members: list[str], body: dict[str, Any] | None = None, occurrence: str = "1") -> tuple[Counter[str], list[str]]:
    """Send to the members; what came of it, and over which channels it went."""
    senders = {channel: FakeSender() for channel in CHANNELS}
    if body is not None:
        post.campaign("news", body)
    for each in senders.values():
        each.answers = post.sender.answers
    order = order_for(post, members, occurrence)
    found = send(post.house.scope(), order, Means(senders, post.sending, KEYS))
    return found, [channel for channel, sender in senders.items() for _ in sender.taken]


def order_for(post: Post, members: list[str], occurrence: str) -> Order:
    return order_of(post.order("news", "tell", members, occurrence))


def later(post: Post, members: list[str], millis: int) -> tuple[Counter[str], list[str]]:
    post.house.now += millis
    post.tick(members)
    senders = {channel: FakeSender() for channel in CHANNELS}
    total: Counter[str] = Counter()
    while post.sending.messages:
        for each in post.sending.take():
            total += send(post.house.scope(), order_of(each), Means(senders, post.sending, KEYS))
    return total, [channel for channel, sender in senders.items() for _ in sender.taken]


def one(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return called(*steps, **more)


def test_a_form_opens_in_the_app_or_as_a_page_where_there_is_none(post: Post) -> None:
    form = {"id": "tell", "form": {"fields": ["birth_date"], "offer": "fries"}, "content": {"en": {"title": "?", "body": "{{ link }}"}}}
    post.campaign("news", one(form | {"ladder": {"mode": "all", "channels": ["push", "email", "sms"]}}))
    member, senders = guest(post), {channel: FakeSender() for channel in CHANNELS}
    send(post.house.scope(), order_for(post, [member], "1"), Means(senders, post.sending, replace(KEYS, public_url="https://api.example")))
    begins = {channel: message.data["deep_link"].partition("forms/")[0] for channel, each in senders.items() for _, message in each.taken}
    assert begins == {"push": "regulars://", "email": "https://api.example/v1/", "sms": "https://api.example/v1/"}


# -- ladders ----------------------------------------------------------------------------------------------------------


def test_the_first_channel_that_leads_to_her_is_taken(post: Post) -> None:
    members = [guest(post), guest(post, devices=0), guest(post, channels=("sms",)), guest(post, channels=())]
    found, channels = over(post, members, one(step("fixed", "push", "email", "sms")))
    assert (found, channels) == ({"sent": 3, "no_consent": 1}, ["push", "email", "sms"])
    assert [each.rung for member in members for each in post.deliveries(member) if each.state == "sent"] == [0, 1, 2]


def test_the_cheapest_comes_first(post: Post) -> None:
    post.messaging(
        email={"from_address": "news@example.com"}, sms={"origination": "demo"}, prices={"sms": {"*": 70_000}, "email": {"*": 100}}
    )
    member = guest(post, devices=0)
    assert over(post, [member], one(step("cheapest", "sms", "email")))[1] == ["email"]


def test_all_channels_at_once_each_once(post: Post) -> None:
    member = guest(post)
    body = one(step("all", "push", "email", "sms", "inbox"), message("next"))
    found, channels = over(post, [member], body)
    assert (found, sorted(channels)) == ({"sent": 5}, ["email", "inbox", "push", "push", "sms"])
    assert over(post, [member])[0] == {"already": 5}


def test_the_next_rung_comes_if_the_message_neither_arrived_nor_was_opened(post: Post) -> None:
    body = one(step("fixed", "push", "email", "sms", next_after_minutes=60), message("next"))
    silent, reached = guest(post), guest(post)
    found, channels = over(post, [silent, reached], body)
    assert (found, channels) == ({"sent": 2}, ["push", "push"])
    deliveries = DeliveryRepository("demo", post.house.table, post.house.scope().effort)
    (first,) = post.deliveries(reached)
    assert deliveries.respond(deliveries.key(first), "delivered", post.house.now)
    found, channels = later(post, [silent, reached], HOUR)
    assert (found, sorted(channels)) == ({"sent": 2, "answered": 1}, ["email", "push"])
    found, channels = later(post, [silent, reached], HOUR)
    assert (found, channels) == ({"sent": 2}, ["push", "sms"])
    assert [each.rung for each in post.deliveries(silent) if each.step == "tell"] == [1, 0, 2]


def test_the_next_rung_is_deferred_as_long_as_the_first(post: Post) -> None:
    member = guest(post)
    clock = local_datetime(post.house.now, post.house.scope().definitions.settings.time_zone)
    hours = {"start": f"{(clock.hour + 1) % 24:02d}:00", "end": f"{(clock.hour + 4) % 24:02d}:00"}
    post.messaging(email={"from_address": "news@example.com"}, quiet_hours=hours)
    body = one(step("fixed", "push", "email", next_after_minutes=120) | {"deferral": {"max_hours": 3}})
    assert over(post, [member], body)[0] == {"sent": 1}
    # Counted from the first rung it would have waited for too long.
    assert later(post, [member], 2 * HOUR)[0] == {"deferred": 1}
    assert later(post, [member], 2 * HOUR) == ({"sent": 1}, ["email"])


def test_a_rung_that_went_one_way_goes_no_other_way_when_it_comes_again(post: Post) -> None:
    member = guest(post)
    post.sender.answers[f"endpoint/dev_{member}"] = Unreachable("endpoint_disabled", dead=True)
    found, _ = over(post, [member], one(step("fixed", "push", "email")))
    assert found == {"failed": 1}
    assert post.house.state(member).devices == []
    assert over(post, [member]) == ({"already": 1}, [])


def test_an_address_that_she_took_back_leads_nowhere(post: Post) -> None:
    member = guest(post, channels=("email",))
    post.happens(member, ConsentsChanged(post.house.now, {"marketing:email": replace(CONSENT, granted=False)}))
    assert over(post, [member], one(step("fixed", "email")))[0] == {"no_consent": 1}


@pytest.mark.stream
def test_marketing_without_a_link_to_unsubscribe_fails_and_is_counted_so(post: Post) -> None:
    class NoMail:
        def send_email(self, **request: Any) -> dict[str, str]:
            raise AssertionError(request)

    post.campaign("tour", one(step("fixed", "email")))
    member = guest(post)
    assert KEYS.public_url == "", "a stage without a public address makes no links"
    means = Means({"email": SesSender(NoMail())}, post.sending, KEYS)
    assert send(post.house.scope(), order_of(post.order("tour", "tell", [member])), means) == {"failed": 1}
    assert [(each.state, each.reason) for each in post.deliveries(member)] == [("failed", "no_unsubscribe")]
    report = post.report("tour")
    assert (report.planned, report.failed, report.sent) == (1, 1, 0)


def test_an_email_goes_to_her_address_and_an_sms_to_her_number(post: Post) -> None:
    member = guest(post)
    post.campaign("news", one(step("all", "email", "sms", "inbox")))
    senders = {channel: FakeSender() for channel in CHANNELS}
    send(post.house.scope(), order_for(post, [member], "1"), Means(senders, post.sending, KEYS))
    addresses = {channel: [address for address, _ in sender.taken] for channel, sender in senders.items()}
    assert addresses == {"push": [], "email": ["anna@example.com"], "sms": ["+4930123456"], "inbox": [member], "webhook": []}


def test_a_webhook_is_told_ids_and_what_the_step_says(post: Post) -> None:
    post.messaging(webhooks={"crm": {"url": "https://example.com/hook"}})
    member = guest(post, channels=())
    post.campaign("news", one({"id": "tell", "kind": "webhook", "endpoint": "crm", "data": {"why": "test"}}))
    senders = {channel: FakeSender() for channel in CHANNELS}
    assert send(post.house.scope(), order_for(post, [member], "1"), Means(senders, post.sending, KEYS)) == {"sent": 1}
    ((address, sent),) = senders["webhook"].taken
    assert (address, sent.data["why"], sent.data["member_id"], sent.data["campaign_id"]) == ("crm", "test", member, "news")
    assert getattr(sent.settings, "secret", None) == b"crm|1"
    assert post.house.state(member).touches == []


# -- the right time ---------------------------------------------------------------------------------------------------


def quiet(post: Post) -> None:
    """Quiet for the two hours around now, in the tenant's time zone."""
    clock = local_datetime(post.house.now, post.house.scope().definitions.settings.time_zone)
    post.messaging(quiet_hours={"start": f"{(clock.hour - 1) % 24:02d}:00", "end": f"{(clock.hour + 1) % 24:02d}:00"})


@pytest.mark.stream
def test_in_quiet_hours_it_waits_for_their_end_and_is_sent_once(post: Post) -> None:
    member = guest(post)
    quiet(post)
    assert over(post, [member], one(message("tell")))[0] == {"deferred": 1}
    assert over(post, [member])[0] == {"deferred": 1}
    (journey,) = post.house.state(member).journeys
    assert (journey.reason, journey.step) == ("quiet_hours", "tell")
    assert later(post, [member], 2 * HOUR) == ({"sent": 1}, ["push"])
    assert post.report("news").deferred == 1


def test_what_is_deferred_is_dropped_where_the_step_says_so(post: Post) -> None:
    member = guest(post)
    quiet(post)
    body = one(message("tell", deferral={"quiet_hours": "drop"}))
    assert over(post, [member], body)[0] == {"quiet_hours": 1}
    assert post.house.state(member).journeys == []


def test_a_cap_may_defer_until_there_is_room(post: Post) -> None:
    member = guest(post)
    post.happens(member, Touched(post.house.now, "other", "x", "push"))
    body = one(message("tell"), cap={"max": 1, "days": 1}, deferral={"cap": "defer"})
    assert over(post, [member], body)[0] == {"deferred": 1}
    assert later(post, [member], DAY - 1)[0] == {}
    assert later(post, [member], 1) == ({"sent": 1}, ["push"])


def test_a_deferred_message_meets_what_has_changed_meanwhile(post: Post) -> None:
    member = guest(post)
    quiet(post)
    over(post, [member], one(message("tell")))
    post.withdraw(member)
    assert later(post, [member], 2 * HOUR) == ({"no_consent": 1}, [])


def test_the_global_holdout_gets_no_marketing_but_service(post: Post) -> None:
    post.messaging(global_holdout_percent=50)
    members = [guest(post) for _ in range(12)]
    found, _ = over(post, members, one(message("tell")))
    assert set(found) == {"held_out", "sent"}
    post.campaign("service", one(message("tell"), message_class="service"))
    assert post.deliver(post.order("service", "tell", members)) == {"sent": 12}


def test_a_message_is_a_touch_of_its_class(post: Post) -> None:
    member = guest(post)
    over(post, [member], one(message("tell"), message_class="service"))
    assert [touch.service for touch in post.house.state(member).touches] == [True]


# -- how fast ---------------------------------------------------------------------------------------------------------


def test_a_campaign_s_messages_keep_their_distance(post: Post) -> None:
    members = [guest(post) for _ in range(4)]
    assert over(post, members, NEWS | {"per_second": 2})[0] == {"sent": 4}
    assert [round(each, 3) for each in post.house.sleeps] == [0.5, 1.0, 1.5]


def test_what_lies_too_far_ahead_is_put_back(post: Post) -> None:
    members = [guest(post) for _ in range(9)]
    found, channels = over(post, members, NEWS | {"per_second": 1})
    assert (found, len(channels)) == ({"sent": 6, "throttled": 3}, 6)
    (rest,) = post.sending.messages
    assert (len(rest["members"]), post.sending.delays, rest.get("attempt", 0)) == (3, [6], 0)
    post.house.now += 6_000
    assert post.deliver_all() == {"sent": 3}


def test_a_channel_s_credential_is_shared_by_all_campaigns(post: Post) -> None:
    post.messaging(per_second={"push": 1})
    first, second = guest(post), guest(post)
    over(post, [first], one(message("tell")))
    post.campaign("more", one(message("tell")))
    post.deliver(post.order("more", "tell", [second]))
    assert post.house.sleeps == [1.0]
