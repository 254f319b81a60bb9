"""Which campaigns a commit names: those that touched her in the 30 days before something that one may aim at."""

from __future__ import annotations

import json

import pytest

from shared.kernel.instants import DAY, Instant
from shared.member_state.contact import touched_before
from shared.member_state.effects import DomainEvent, Effects
from shared.member_state.events import Purchased, TimePassed, Touched
from shared.member_state.model import GIFT, MemberState, Touch
from shared.member_state.repository import Loaded, Stamp, StateRepository
from shared.member_state.rules import apply
from shared.profile.model import Visit
from shared.storage.table import WriteBatch
from tests.builders.views import views

NOW: Instant = 1_790_000_000_000
STATE = MemberState(
    "demo",
    "m",
    touches=[
        Touch("news", "b", "push", NOW - DAY),
        Touch("welcome", "a", "push", NOW - 2 * DAY, held=True),
        Touch("news", "a", "push", NOW - 29 * DAY),
        Touch("old", "a", "push", NOW - 30 * DAY),
    ],
)


@pytest.mark.parametrize(
    "type_", ["transaction.recorded", "transaction.returned", "transaction.voided", "coupon.redeemed", "form.submitted", "event.app_opened"]
)
def test_each_campaign_once_the_newest_first_held_out_ones_too(type_: str) -> None:
    assert touched_before(STATE, [DomainEvent("points.expired", NOW - DAY), DomainEvent(type_, NOW)]) == ("news", "welcome")


@pytest.mark.parametrize("type_", ["member.updated", "message.claimed", "coupon.issued", "segment.entered", "events"])
def test_nothing_with_what_no_campaign_aims_at(type_: str) -> None:
    assert touched_before(STATE, [DomainEvent(type_, NOW)]) == ()


@pytest.mark.parametrize("held", [False, True])
def test_a_gift_touches_and_is_told_by_what_it_is(held: bool) -> None:
    for channel, told in ((GIFT, []), ("push", ["message.held_out" if held else "message.claimed"])):
        state, event = MemberState("demo", "m", as_of=NOW - 1), Touched(NOW, "news", "gift", channel, held)
        effects = apply(state, event, views({"kind": "since_last_purchase", "op": "at_least", "days": 1}))
        assert [(each.campaign, each.channel, each.at, each.held) for each in state.touches] == [("news", channel, NOW, held)]
        assert [each.type for each in effects.events] == told


def test_the_thirty_days_are_those_before_it_happened() -> None:
    assert touched_before(STATE, [DomainEvent("transaction.recorded", NOW - 1)]) == ("news", "welcome", "old")
    assert touched_before(STATE, [DomainEvent("transaction.recorded", NOW + 40 * DAY)]) == ()
    several = [DomainEvent("transaction.recorded", NOW), DomainEvent("coupon.redeemed", NOW + 40 * DAY)]
    assert touched_before(STATE, several) == ("news", "welcome")


def written(mode: str, event: Purchased | TimePassed) -> dict[str, object]:
    """What a commit says, as it is stored."""
    state = MemberState("demo", "m", version=1, as_of=NOW - DAY, touches=list(STATE.touches))
    effects: Effects = apply(state, event, views({"kind": "since_last_purchase", "op": "at_least", "days": 1}))
    batch = WriteBatch()
    StateRepository("demo", None).add_writes(batch, Loaded(state), effects, Stamp(NOW, mode=mode))  # type: ignore[arg-type]
    item = batch.actions[0]["Put"]["Item"]
    return dict(json.loads(item["out"]["S"])) if "out" in item else {}


def test_a_commit_names_them_unless_it_imports_history() -> None:
    paid = Purchased(NOW, "t1", Visit(NOW, 500, 1000, {}))
    assert written("live", paid)["w"] == ["news", "welcome"]
    assert written("late", paid)["w"] == ["news", "welcome"]
    assert "w" not in written("historical", paid)
    assert "w" not in written("live", TimePassed(NOW))
