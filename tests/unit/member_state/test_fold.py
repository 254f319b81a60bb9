"""The fold: time is advanced first, in order, whoever asks and however late."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Self

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kernel.instants import DAY, HOUR, MINUTE, Instant, day_start, local_day
from shared.member_state.codec import decode_cells, decode_state, encode_cells, encode_state
from shared.member_state.effects import Effects
from shared.member_state.events import CouponIssued, HoldPlaced, MemberEvent, Purchased, Registered, Reversed, TimePassed
from shared.member_state.model import MemberState, copy_state
from shared.member_state.rules import apply
from shared.member_state.view import FoldView
from shared.profile.model import Visit
from shared.wallet.model import Posting
from shared.wallet.rules import available
from tests.builders.house import NOW
from tests.builders.views import ZONE, programme, views

Views = Callable[[Instant], FoldView]
SEGMENTS: tuple[dict[str, Any], ...] = (
    {"kind": "purchases", "metric": "count", "days": 7, "op": "ge", "value": 2},
    {"kind": "since_last_purchase", "op": "at_least", "days": 3},
    {"kind": "since_last_purchase", "op": "less_than", "hours": 30},
    {"kind": "tag_share", "tag": "vegetarian", "days": 5, "op": "ge", "percent": 50},
    {"kind": "balance", "wallet": "points", "op": "ge", "value": 50},
    {"kind": "coupon", "offer": "fries", "state": "active"},
)
LEVELS = [{"id": "silver", "name": "Silver", "threshold": 50}, {"id": "gold", "name": "Gold", "threshold": 150}]
TIERED = (programme(tiers={"valid_days": 4, "levels": LEVELS}),)


def fresh(views_: Views, at: Instant = NOW) -> MemberState:
    """A member who has just joined."""
    state = MemberState("demo", "mbr_1", as_of=at)
    apply(state, Registered(at, "app", ""), views_)
    state.version = 1
    return state


def purchase(number: int, at: Instant, value: int = 1000, points: int = 10, tag: str = "vegetarian", days: int = 6) -> Purchased:
    """A purchase that earns points which expire some days later."""
    expires = day_start(local_day(at, ZONE) + days + 1, ZONE)
    earned = (Posting("points", "earn", points, at + 2 * HOUR if number % 2 else 0, expires),) if points else ()
    return Purchased(at, f"txn_{number}", Visit(at, value, 1000, {f"t:{tag}": value, "l:mitte": value}), earned)


class Said:
    """What folds said, in comparable form: the events in order, and what was booked in order."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.booked: list[Any] = []

    def __iadd__(self, effects: Effects) -> Self:
        self.events += [(each.type, each.occurred_at, json.dumps(each.data, sort_keys=True), each.cause) for each in effects.events]
        self.booked += [(entry.at, entry.kind, entry.postings) for entry in effects.entries]
        return self


def comparable(state: MemberState) -> Any:
    """A state without what may rightly differ: the version, how far it was advanced, and how early its timer is."""
    copy = copy_state(state)
    copy.version, copy.as_of, copy.timer = 0, 0, None
    return encode_state(copy), encode_cells(copy.profile.history)


steps = st.lists(
    st.tuples(
        st.sampled_from(["buy", "coupon", "hold"]),
        st.integers(1, 60 * 24 * 4),
        st.integers(0, 90),
        st.sampled_from(["vegetarian", "meat"]),
    ),
    max_size=8,
)


def story(drawn: list[tuple[str, int, int, str]]) -> list[MemberEvent]:
    """Drawn steps as events in order of time; the number is minutes since the step before."""
    at, events = NOW, []
    for number, (kind, minutes, points, tag) in enumerate(drawn):
        at += minutes * MINUTE
        if kind == "buy":
            events.append(purchase(number, at, points=points, tag=tag))
        elif kind == "coupon":
            events.append(CouponIssued(at, f"cpn_{number}", "fries", at, at + points * HOUR + MINUTE))
        else:
            events.append(HoldPlaced(at, f"h{number}", "points", 0, at + points * MINUTE + 1))
    return events


@given(steps, st.lists(st.integers(1, 60 * 24 * 40), max_size=12), st.integers(0, 40))
def test_sweeps_never_change_what_is_told(drawn: list[tuple[str, int, int, str]], sweeps: list[int], days_late: int) -> None:
    """With or without sweeps in between, and with the last one days late: the same events at the same instants."""
    live = views(*SEGMENTS, programmes=TIERED)
    end = NOW + 40 * DAY
    events = story(drawn)
    times = sorted({NOW + minutes * MINUTE for minutes in sweeps})
    quiet, swept = fresh(live), fresh(live)
    said_quiet = Said()
    said_swept = Said()
    for event in events:
        said_quiet += apply(quiet, event, live)
        while times and times[0] <= event.at:
            said_swept += apply(swept, TimePassed(times.pop(0)), live)
        said_swept += apply(swept, event, live)
    for sweep in times:
        said_swept += apply(swept, TimePassed(max(sweep, swept.as_of)), live)
    end = max(end, quiet.as_of, swept.as_of) + days_late * DAY
    said_quiet += apply(quiet, TimePassed(end), live)
    said_swept += apply(swept, TimePassed(end), live)
    assert said_quiet.events == said_swept.events
    assert said_quiet.booked == said_swept.booked
    assert comparable(quiet) == comparable(swept)


@settings(max_examples=settings().max_examples // 2)
@given(steps)
def test_following_the_timer_leaves_the_same_as_every_quarter_of_an_hour(drawn: list[tuple[str, int, int, str]]) -> None:
    """Waking only when the timer says so misses nothing that a sweep each quarter of an hour would find."""
    live = views(*SEGMENTS, programmes=TIERED)
    by_timer, by_sweep = fresh(live), fresh(live)
    said_timer = Said()
    said_sweep = Said()
    end = NOW + 12 * DAY
    sweep = NOW
    for event in [*story(drawn)[:3], TimePassed(end)]:
        while by_timer.timer is not None and by_timer.timer <= event.at:
            said_timer += apply(by_timer, TimePassed(by_timer.timer), live)
        while sweep + 15 * MINUTE <= event.at:
            sweep += 15 * MINUTE
            said_sweep += apply(by_sweep, TimePassed(sweep), live)
        said_timer += apply(by_timer, event, live)
        said_sweep += apply(by_sweep, event, live)
    assert said_timer.events == said_sweep.events
    assert said_timer.booked == said_sweep.booked
    assert comparable(by_timer) == comparable(by_sweep)


@given(steps)
def test_a_stored_timer_is_never_later_than_the_next_thing_due(drawn: list[tuple[str, int, int, str]]) -> None:
    live = views(*SEGMENTS, programmes=TIERED)
    state = fresh(live)
    for event in story(drawn):
        apply(state, event, live)
        exact = copy_state(state)
        apply(exact, TimePassed(state.as_of), live)
        assert (state.timer is None and exact.timer is None) or (state.timer is not None and exact.timer is not None)
        if state.timer is not None and exact.timer is not None:
            assert state.as_of < state.timer <= exact.timer


@given(steps)
def test_the_codec_is_lossless(drawn: list[tuple[str, int, int, str]]) -> None:
    live = views(*SEGMENTS, programmes=TIERED)
    state = fresh(live)
    for event in story(drawn):
        apply(state, event, live)
    stored = json.loads(json.dumps(encode_state(state)))
    again = decode_state("demo", "mbr_1", stored)
    again.version, again.status = state.version, state.status
    again.profile.history = decode_cells(json.loads(json.dumps(encode_cells(state.profile.history))))
    assert again == state


@given(steps, st.integers(0, 30))
def test_a_whole_return_restores_exactly(drawn: list[tuple[str, int, int, str]], minutes: int) -> None:
    live = views()
    state = fresh(live)
    for event in story(drawn):
        apply(state, event, live)
    at = state.as_of + MINUTE
    apply(state, TimePassed(at), live)
    before = copy_state(state)
    bought = purchase(99, at, points=33, days=40)
    apply(state, bought, live)
    back = Reversed(at + minutes * MINUTE, "txn_99", "void", bought.visit, bought.earned)
    apply(state, back, live)
    apply(before, TimePassed(back.at), live)
    wallet, then = state.wallets["points"], before.wallets.get("points")
    assert wallet.lots == (then.lots if then else [])
    assert wallet.earned - wallet.reversed == (then.earned - then.reversed if then else 0)
    assert state.profile.cells == before.profile.cells
    assert (state.profile.count, state.profile.value) == (before.profile.count, before.profile.value)


def test_points_spent_are_drawn_soonest_to_expire_first_and_given_back_with_their_expiry() -> None:
    live = views()
    state = fresh(live)
    apply(state, purchase(2, NOW, points=30, days=30), live)
    apply(state, purchase(4, NOW, points=50, days=10), live)
    effects = apply(state, Purchased(NOW + 1, "txn_s", Visit(NOW + 1, 100, 1000, {}), spent={"points": 60}), live)
    (entry,) = effects.entries
    assert [posting.points for posting in entry.postings] == [-50, -10]
    assert available(state.wallets["points"], state.holds, "points") == 20
    back = Reversed(NOW + 2, "txn_s", "return", Visit(NOW + 1, 100, 1000, {}), spent=entry.postings)
    apply(state, back, live)
    assert [(lot.points) for lot in state.wallets["points"].lots] == [50, 30]


def test_points_given_back_after_their_expiry_expire_at_once() -> None:
    live = views()
    state = fresh(live)
    apply(state, purchase(2, NOW, points=50, days=1), live)
    effects = apply(state, Purchased(NOW + 1, "txn_s", Visit(NOW + 1, 100, 1000, {}), spent={"points": 50}), live)
    back = Reversed(NOW + 9 * DAY, "txn_s", "return", Visit(NOW + 1, 100, 1000, {}), spent=effects.entries[0].postings)
    apply(state, back, live)
    wallet = state.wallets["points"]
    assert (wallet.spent, wallet.expired, wallet.lots) == (0, 50, [])


def test_a_return_of_spent_points_becomes_debt_that_later_earnings_pay() -> None:
    live = views()
    state = fresh(live)
    bought = purchase(2, NOW, points=50)
    apply(state, bought, live)
    apply(state, Purchased(NOW + 1, "txn_s", Visit(NOW + 1, 100, 1000, {}), spent={"points": 40}), live)
    apply(state, Reversed(NOW + 2, "txn_2", "return", bought.visit, bought.earned), live)
    wallet = state.wallets["points"]
    assert (wallet.reversed, wallet.debt, wallet.lots) == (10, 40, [])
    apply(state, purchase(4, NOW + 3, points=60), live)
    assert (wallet.debt, sum(lot.points for lot in wallet.lots)) == (0, 20)
    assert wallet.earned == 20 + wallet.spent + wallet.expired + wallet.reversed


def test_three_hundred_segments_flip_in_the_write_of_one_purchase() -> None:
    rules = [{"kind": "purchases", "metric": "count", "days": 1 + index, "op": "ge", "value": 1} for index in range(300)]
    live = views(*rules)
    state = fresh(live)
    effects = apply(state, purchase(2, NOW + 1), live)
    assert sum(event.type == "segment.entered" for event in effects.events) == 300
    assert len(effects.entries) == 1
    assert len(state.segments) == 300


def test_a_tier_is_reached_at_once_and_kept_until_its_validity_ends() -> None:
    live = views(programmes=TIERED)
    state = fresh(live)
    apply(state, purchase(2, NOW, points=150), live)
    assert state.tier is not None
    assert state.tier.id == "gold"
    until = state.tier.until
    assert until == day_start(local_day(NOW, ZONE) + 5, ZONE)
    effects = apply(state, TimePassed(until), live)
    assert state.tier is not None, "the points of the window still support it"
    assert [event.type for event in effects.events if event.type == "tier.changed"] == []


def test_a_late_arrival_counts_on_its_own_day_and_expires_with_its_own_purchase() -> None:
    live = views()
    state = fresh(live)
    apply(state, purchase(2, NOW + 5 * DAY, points=10), live)
    apply(state, purchase(4, NOW + DAY, points=10, days=3), live)
    assert state.as_of == NOW + 5 * DAY
    assert sorted(state.profile.cells) == [local_day(NOW + DAY, ZONE), local_day(NOW + 5 * DAY, ZONE)]
    wallet = state.wallets["points"]
    assert (wallet.earned, wallet.expired) == (20, 10), "its points had run out by the time that it arrived"


def switched(before: Views, after: Views, at: Instant) -> Views:
    """Definitions that change at an instant."""
    return lambda instant: (after if instant >= at else before)(instant)


def test_an_event_from_before_a_switch_does_not_undo_it() -> None:
    bought = {"kind": "purchases", "metric": "count", "days": 30, "op": "ge", "value": 1}
    switch = NOW + DAY
    live = switched(views(), views(bought, epoch=switch), switch)
    state = fresh(live)
    apply(state, purchase(2, NOW), lambda _at: live(switch))
    assert set(state.segments) == {"s1@1"}, "imported history is decided with what is in force now"
    effects = apply(state, purchase(4, NOW + HOUR), live)
    assert set(state.segments) == {"s1@1"}
    assert [event.type for event in effects.events] == ["transaction.recorded"]


def test_what_a_new_definition_changes_is_told_as_its_own_cause_before_what_time_changes() -> None:
    bought = {"kind": "purchases", "metric": "count", "days": 30, "op": "ge", "value": 1}
    switch = NOW + DAY
    live = switched(views(), views(bought, epoch=switch), switch)
    state = fresh(live)
    apply(state, purchase(2, NOW, days=2), live)
    assert state.segments == {}
    effects = apply(state, TimePassed(NOW + 40 * DAY), live)
    flips = [(event.type, event.cause) for event in effects.events if event.type.startswith("segment.")]
    assert flips == [("segment.entered", "definition"), ("segment.left", "time")]
    assert state.epoch == switch
