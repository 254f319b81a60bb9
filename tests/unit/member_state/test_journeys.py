"""Campaigns that wait for a member: what ends the waiting, in which order, and what becomes of it when there is no room."""

from __future__ import annotations

import pytest

from shared.kernel.errors import InvalidValue
from shared.kernel.instants import DAY, HOUR, NEVER, Instant
from shared.member_state.effects import DomainEvent, Effects
from shared.member_state.events import (
    ChannelSuppressed,
    JourneyEnded,
    JourneyMoved,
    MemberEvent,
    Purchased,
    Registered,
    Responded,
    TagsChanged,
    TimePassed,
    Touched,
)
from shared.member_state.model import MAX_JOURNEYS, MAX_TAGS, MemberState
from shared.member_state.rules import apply
from shared.profile.model import Visit
from tests.builders.views import views

START: Instant = 1_790_000_000_000
LIVE = views({"kind": "since_last_purchase", "op": "at_least", "days": 2})
IMPORT = views(gifts=False)


def fresh() -> MemberState:
    state = MemberState("demo", "m", as_of=START)
    apply(state, Registered(START, "app", ""), LIVE)
    state.version = 1
    return state


def told(state: MemberState, *events: MemberEvent, live: object = LIVE) -> list[DomainEvent]:
    """What the events tell of campaigns."""
    effects = Effects()
    for event in events:
        apply(state, event, live, None, effects)  # type: ignore[arg-type]
    return [each for each in effects.events if each.type.startswith(("campaign.", "channel.", "member.updated"))]


def purchase(at: Instant) -> Purchased:
    return Purchased(at, f"t{at}", Visit(at, 500, 1000, {}))


def wait(campaign: str, due: Instant, waits_for: str = "", *, at: Instant = START, priority: int = 0, step: str = "s", rung: int = 0,
         since: Instant = 0) -> JourneyMoved:  # fmt: skip
    return JourneyMoved(at, campaign, 1, "o", step, due, waits_for, "wait", priority, rung, since)


def test_those_due_at_once_go_on_by_instant_then_falling_priority() -> None:
    state = fresh()
    due = START + DAY
    quiet = [wait("low", due, priority=10), wait("high", due, priority=90), wait("first", due - 1), wait("even", due, priority=10)]
    went = told(state, *quiet, TimePassed(due + DAY))
    assert [(each.data["campaign"], each.occurred_at) for each in went] == [
        ("first", due - 1), ("high", due), ("even", due), ("low", due),
    ]  # fmt: skip
    assert state.journeys == []


def test_moving_replaces_the_one_of_the_campaign_and_occurrence() -> None:
    state = fresh()
    told(state, wait("a", START + DAY, step="one"), wait("a", START + 2 * DAY, step="two", at=START + HOUR))
    assert [(each.step, each.since) for each in state.journeys] == [("two", START + HOUR)]
    told(state, wait("a", START + 3 * DAY, step="two", at=START + 2 * HOUR))
    assert [(each.due, each.since) for each in state.journeys] == [(START + 3 * DAY, START + HOUR)], "it waits there since then"
    told(state, wait("a", START + 3 * DAY, step="two", rung=1, at=START + 3 * HOUR))
    assert state.journeys[0].since == START + 3 * HOUR
    told(state, wait("a", START + 3 * DAY, step="three", at=START + 4 * HOUR, since=START + 7))
    assert state.journeys[0].since == START + 7


def test_an_ended_one_is_told_of_no_more() -> None:
    state = fresh()
    assert told(state, wait("a", START + DAY), JourneyEnded(START + 1, "a", "o"), JourneyEnded(START + 2, "b", "o")) == []
    assert told(state, TimePassed(START + 2 * DAY)) == []


def test_an_event_ends_the_waiting_in_its_own_commit() -> None:
    state = fresh()
    told(state, wait("a", START + DAY, "transaction.recorded"), wait("b", START + DAY, "coupon.issued"))
    (went,) = told(state, purchase(START + HOUR))
    assert (went.type, went.occurred_at, went.data) == (
        "campaign.step_due",
        START + HOUR,
        {"campaign": "a", "version": 1, "occurrence": "o", "step": "s", "rung": 0, "outcome": "event", "reason": "wait", "since": START},
    )
    assert [each.campaign for each in state.journeys] == ["b"]


def test_events_from_before_the_waiting_do_not_count() -> None:
    state = fresh()
    told(state, wait("a", START + DAY, "transaction.recorded", at=START + HOUR))
    assert told(state, purchase(START + HOUR - 1)) == []
    (went,) = told(state, purchase(START + HOUR))
    assert went.occurred_at == START + HOUR


def test_at_the_very_instant_time_comes_first() -> None:
    state = fresh()
    (went,) = told(state, wait("a", START + DAY, "transaction.recorded"), purchase(START + DAY))
    assert went.data["outcome"] == "time"


def test_what_happens_by_time_alone_ends_a_waiting_too() -> None:
    state = fresh()
    told(state, purchase(START + HOUR), wait("a", START + 9 * DAY, "segment.entered", at=START + HOUR))
    (went,) = told(state, TimePassed(START + 20 * DAY))
    assert (went.occurred_at, went.data["outcome"]) == (START + HOUR + 2 * DAY, "event")


def test_a_message_of_another_campaign_is_not_waited_for() -> None:
    state = fresh()
    told(state, wait("a", START + DAY, "message.opened"))
    assert told(state, Responded(START + 1, "message.opened", "b", "s")) == []
    assert len(told(state, Responded(START + 2, "message.opened", "a", "s"))) == 1
    told(state, wait("a", START + DAY, "event.app_opened", at=START + 3))
    elsewhere = Responded(START + 4, "event.app_opened", properties={"campaign": "somebody else's"})
    assert len(told(state, elsewhere)) == 1


def test_the_one_that_would_go_on_last_is_dropped_for_want_of_room() -> None:
    state = fresh()
    assert told(state, *(wait(f"c{number}", START + DAY + number) for number in range(MAX_JOURNEYS))) == []
    (went,) = told(state, wait("new", START + DAY, at=START + 5))
    last = f"c{MAX_JOURNEYS - 1}"
    assert (went.type, went.occurred_at, went.data) == (
        "campaign.journey_dropped", START + 5, {"campaign": last, "occurrence": "o", "step": "s"},
    )  # fmt: skip
    (went,) = told(state, wait("far", START + 90 * DAY))
    assert went.data["campaign"] == "far"
    assert len(state.journeys) == MAX_JOURNEYS


def test_of_those_due_last_the_least_important_is_dropped() -> None:
    state, due = fresh(), START + DAY
    told(state, wait("important", due, priority=90), *(wait(f"c{number}", due, priority=20) for number in range(MAX_JOURNEYS - 1)))
    (went,) = told(state, wait("new", due, priority=50))
    assert went.data["campaign"] == f"c{MAX_JOURNEYS - 2}"


def test_it_waits_until_an_instant() -> None:
    with pytest.raises(InvalidValue):
        told(fresh(), wait("a", NEVER, "transaction.recorded"))


def test_the_timer_wakes_her_for_it() -> None:
    state = fresh()
    told(state, wait("a", START + HOUR))
    assert state.timer == START + HOUR


def test_imported_history_ends_no_waiting_and_leaves_what_is_due_to_the_next_commit() -> None:
    state = fresh()
    told(state, wait("a", START + HOUR), wait("b", START + 9 * DAY, "transaction.recorded"))
    assert told(state, purchase(START + DAY), live=IMPORT) == []
    assert len(state.journeys) == 2
    assert state.timer == START + DAY + 1
    (went,) = told(state, TimePassed(START + 2 * DAY))
    assert (went.data["campaign"], went.occurred_at) == ("a", START + HOUR)


def test_who_is_merged_or_erased_keeps_none() -> None:
    state = fresh()
    told(state, wait("a", START + HOUR))
    state.status = "merged"
    assert told(state, TimePassed(START + DAY)) == []
    assert state.journeys == []
    told(state, wait("a", START + 2 * DAY, at=START + DAY))
    assert state.journeys == []


def test_a_channel_is_suppressed_and_restored_and_told_of_once() -> None:
    state = fresh()
    bounce, complaint = ChannelSuppressed(START + 1, "email", "bounce"), ChannelSuppressed(START + 2, "email", "complaint")
    said = told(state, bounce, bounce, complaint)
    assert [(each.type, each.data) for each in said] == [
        ("channel.suppressed", {"channel": "email", "reason": "bounce"}),
        ("channel.suppressed", {"channel": "email", "reason": "complaint"}),
    ]
    assert state.suppressed == {"email": "complaint"}
    lifted = ChannelSuppressed(START + 3, "email", "by_hand", lifted=True)
    assert [(each.type, each.data["reason"]) for each in told(state, lifted, lifted)] == [("channel.restored", "by_hand")]
    assert state.suppressed == {}


def test_tags_are_put_on_and_taken_off() -> None:
    state = fresh()
    (said,) = told(state, TagsChanged(START + 1, ("vip", "press"), cause="campaign:a"))
    assert (said.data, said.cause, state.tags) == ({"fields": ["tags"]}, "campaign:a", ["press", "vip"])
    assert told(state, TagsChanged(START + 2, ("vip",), ("staff",))) == []
    assert len(told(state, TagsChanged(START + 3, (), ("vip",)))) == 1
    assert state.tags == ["press"]
    with pytest.raises(InvalidValue):
        told(state, TagsChanged(START + 4, tuple(f"t{number}" for number in range(MAX_TAGS))))


def test_a_touch_says_whether_it_was_a_service_message() -> None:
    state = fresh()
    told(state, Touched(START + 1, "a", "s", "email"), Touched(START + 2, "b", "s", "email", service=True))
    assert [(each.campaign, each.service) for each in state.touches] == [("b", True), ("a", False)]
