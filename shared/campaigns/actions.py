"""What steps do without a message, and waiting: each once per occurrence, by a row of its own in the transaction that changes her state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from shared.campaigns.claiming import HELD_OUT, STOPPED, Met, Skipped
from shared.campaigns.content import Attached
from shared.campaigns.deliveries import DELIVERY_LABEL, delivery_id
from shared.campaigns.gifts import WITHHELD, add_coupon, attach, given
from shared.campaigns.model import ACTION, Delivery
from shared.campaigns.participant import Participant
from shared.campaigns.recurring import her_turn
from shared.campaigns.repository import GATE_LABEL
from shared.campaigns.rules import BY_CAMPAIGN, refused_again, variant_at
from shared.campaigns.steps import ChallengeStep, Giving, IssueStep, Step, TagStep, WaitStep
from shared.campaigns.waiting import ends_at
from shared.coupons.errors import NoOffer, TooManyCoupons, UnknownOffer
from shared.kernel.ids import derived_id
from shared.kernel.instants import DAY, NEVER, Instant
from shared.member_state.challenges import has_room
from shared.member_state.effects import Effects
from shared.member_state.events import ChallengeGiven, JourneyMoved, MemberEvent, PointsBooked, TagsChanged, TimePassed, Touched
from shared.member_state.model import MAX_TAGS, MemberState
from shared.member_state.service import Change, Done
from shared.storage import keys
from shared.storage.commit import Stale
from shared.storage.table import WriteBatch
from shared.wallet.model import Posting


@dataclass(frozen=True, slots=True)
class Acted:
    """It was done now."""


@dataclass(frozen=True, slots=True)
class OnTime:
    """There is nothing to wait for: the time has come already."""


@dataclass(frozen=True, slots=True)
class Waits:
    """A journey of her state brings her back."""


Action = Acted | Met | Skipped
Waiting = Waits | OnTime | Met | Skipped


@dataclass(slots=True)
class Deed:
    """What a step does to her: events, and the coupon that is written with them."""

    events: list[MemberEvent]
    attached: Attached | None = None


def act(her: Participant, step: IssueStep | TagStep | ChallengeStep) -> Action:
    """Do what the step says, or find out why not. One transaction of 3 to 4 items."""
    row = _row(her, step)

    def decide(state: MemberState, stale: Stale) -> Change[Action] | Done[Action]:
        stopped = _stopped(her, stale)
        if stopped is not None:
            return Done(stopped)
        outside = her.outside(state)
        if outside is not None:
            return Done(Skipped(outside))
        if her.held_out:
            return _held(her, replace(row, exposure=her.is_first(step)))
        try:
            deed = _DEEDS[type(step)](her, step, state, row)
        except NoOffer as none:
            return _held(her, replace(row, reason=WITHHELD)) if none.kind == "holdout" else Done(Skipped(none.code))
        except (UnknownOffer, TooManyCoupons) as error:
            return Done(Skipped(error.code))
        if isinstance(deed, Skipped):
            return Done(deed)
        done = replace(row, coupon=deed.attached.coupon.id) if deed.attached is not None else row
        if isinstance(step, Giving):
            done = replace(done, state="given", exposure=her.is_first(step))
            deed.events.append(_touched(her, step, held=False))

        def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> Action:
            _add_row(her, batch, done)
            if deed.attached is not None:
                add_coupon(her, batch, deed.attached)
            return Acted()

        return Change(deed.events, finish)

    return her.change(decide)


def wait(her: Participant, step: WaitStep) -> Waiting:
    """Begin to wait. Who has begun before goes on waiting, or has gone on already."""
    row, order = _row(her, step), her.order

    def decide(state: MemberState, stale: Stale) -> Change[Waiting] | Done[Waiting]:
        stopped = _stopped(her, stale)
        if stopped is not None:
            return Done(stopped)
        if state.status != "active":
            return Done(Skipped("not_active"))
        due = ends_at(step, her.now, state.zone or her.zone)
        if due <= her.now:
            return Done(OnTime())
        moved = JourneyMoved(
            her.now, order.campaign, order.version, order.occurrence, step.id, due,
            waits_for=step.for_ or "", reason="wait", priority=her.body.priority, rung=1, since=her.now,
        )  # fmt: skip

        def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> Waiting:
            _add_row(her, batch, row)
            return Waits()

        return Change([moved], finish)

    return her.change(decide)


def begin(her: Participant, data: bytes | None) -> Action:
    """Begin the occurrence for her: what re-entry is decided by, and where what a call gave is kept. One transaction of 3 items; where an
    earlier beginning matters, one Query before it, of rows that her state's version proves.
    """
    first = replace(_row(her, her.body.steps[0]), step=keys.BEGINNING, data=data, variant=None)
    reentry = her.body.reentry

    def decide(state: MemberState, stale: Stale) -> Change[Action] | Done[Action]:
        stopped = _stopped(her, stale)
        if stopped is not None:
            return Done(stopped)
        outside = her.outside(state)
        if outside is not None:
            return Done(Skipped(outside))
        begun = her.deliveries.begun(her.member, her.order.campaign) if reentry.mode != "always" else []
        if any(each.occurrence == her.order.occurrence for each in begun):
            return Done(Met(first))
        if refused_again(reentry, her.order.campaign, her.order.occurrence, begun, state, her.now):
            return Done(Skipped("no_reentry"))

        def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> Action:
            _add_row(her, batch, first)
            return Acted()

        return Change([TimePassed(her.now)], finish)

    return her.change(decide)


def await_turn(her: Participant) -> Action | Waits:
    """Of an occurrence in the members' own time: wait until her clock shows it; ``too_late`` if it has, longer ago than an event may be."""
    order = her.order

    def decide(state: MemberState, stale: Stale) -> Change[Action | Waits] | Done[Action | Waits]:
        stopped = _stopped(her, stale)
        if stopped is not None:
            return Done(stopped)
        due = her_turn(order.occurrence, state.zone or her.zone)
        if due <= her.now:
            return Done(Skipped("too_late") if her.now - due > her.body.max_event_age else Acted())
        return _moved(her, her.body.steps[0], due, "member_time")

    return her.change(decide)


def come_back(her: Participant, step: Step, rung: int, due: Instant) -> Waits | Skipped:
    """A campaign that is paused: what waited goes on waiting before its step. Her gate is closed, and not asked."""
    order = her.order

    def decide(state: MemberState, _stale: Stale) -> Change[Waits | Skipped] | Done[Waits | Skipped]:
        if state.status != "active":
            return Done(Skipped("not_active"))
        moved = JourneyMoved(
            her.now, order.campaign, order.version, order.occurrence, step.id, due, reason="paused", priority=her.body.priority, rung=rung
        )
        return Change([moved], lambda _after, _effects, _batch: Waits())

    return her.change(decide)


def _moved(her: Participant, step: Step, due: Instant, reason: str) -> Change[Action | Waits]:
    order = her.order
    moved = JourneyMoved(her.now, order.campaign, order.version, order.occurrence, step.id, due, reason=reason, priority=her.body.priority)

    def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> Action | Waits:
        her.gates.add_gate_check(batch, order.campaign, her.member)
        return Waits()

    return Change([moved], finish)


# -- the deeds ----------------------------------------------------------------------------------------------------------


def _issue(her: Participant, step: IssueStep, state: MemberState, row: Delivery) -> Deed:
    events: list[MemberEvent] = []
    attached = attach(her, step.offer, state, delivery_id(row))
    if attached is not None:
        events.append(given(her, attached))
    points = step.points
    if points is not None:
        expires = her.now + points.expires_days * DAY if points.expires_days is not None else NEVER
        posting = Posting(points.wallet, "bonus", points.points, her.now, expires)
        events.append(PointsBooked(her.now, "bonus", (posting,), delivery_id(row), actor=f"{BY_CAMPAIGN}{her.order.campaign}"))
    return Deed(events, attached)


def _tag(her: Participant, step: TagStep, state: MemberState, _row: Delivery) -> Deed | Skipped:
    if len({*state.tags, *step.add} - {*step.remove}) > MAX_TAGS:
        return Skipped("too_many_tags")
    return Deed([TagsChanged(her.now, step.add, step.remove, f"{BY_CAMPAIGN}{her.order.campaign}")])


def _challenge(her: Participant, step: ChallengeStep, state: MemberState, row: Delivery) -> Deed | Skipped:
    view = her.view.fold
    challenge = view.challenges.in_force.get(step.challenge)
    if challenge is None:
        return Skipped("unknown_challenge")
    if not has_room(state, view, her.now):
        return Skipped("too_many_challenges")
    instance = derived_id("chl", her.now, her.member, delivery_id(row))
    return Deed([ChallengeGiven(her.now, instance, step.challenge, challenge.version, f"{BY_CAMPAIGN}{her.order.campaign}")])


_DEEDS: Final[dict[type, Callable[..., Deed | Skipped]]] = {IssueStep: _issue, TagStep: _tag, ChallengeStep: _challenge}


# -- rows ---------------------------------------------------------------------------------------------------------------


def _row(her: Participant, step: Step) -> Delivery:
    order = her.order
    return Delivery(
        campaign=order.campaign,
        campaign_version=order.version,
        step=step.id,
        occurrence=order.occurrence,
        member=her.member,
        channel=ACTION,
        state="done",
        claimed_at=her.now,
        variant=variant_at(her.body, step, order.campaign, her.member),
    )


def _stopped(her: Participant, stale: Stale) -> Met | Skipped | None:
    """What stood in the way: it was done before, or the campaign was stopped."""
    there = stale.get(DELIVERY_LABEL)
    if there is not None:
        return Met(her.deliveries.decode(there))
    return Skipped(STOPPED) if GATE_LABEL in stale else None


def _held(her: Participant, row: Delivery) -> Change[Action]:
    """Record that she would have got it. Of what brings her nothing there is nothing to compare, and no touch."""
    held, step = replace(row, state="held_out"), her.body.step(row.step)
    event = _touched(her, step, held=True) if isinstance(step, Giving) else TimePassed(her.now)

    def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> Action:
        _add_row(her, batch, held)
        return Skipped(HELD_OUT)

    return Change([event], finish)


def _touched(her: Participant, step: Giving, *, held: bool) -> Touched:
    """What results are found by; no cap counts it."""
    return Touched(her.now, her.order.campaign, step.id, ACTION, held, her.body.message_class == "service")


def _add_row(her: Participant, batch: WriteBatch, row: Delivery) -> None:
    her.deliveries.add_new(batch, row)
    her.gates.add_gate_check(batch, her.order.campaign, her.member)
