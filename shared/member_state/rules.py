"""The fold: bring a member's state to an event's instant through everything that fell due, then apply the event.

Pure: a function of its arguments, without I/O or a clock. The state passed in is consumed (changed in place and
owned by the caller again afterwards); pass ``copy_state(state)`` to keep the old one.

Order: obligations due (lots maturing and expiring, holds, coupons and challenges running out, birthdays, the tier's end,
segment boundaries; campaigns that wait or begin) in the order of their instants, each effect carrying its own; then the event; then
what points convert to by themselves; then the segments once more; then campaigns that wait for any of it; then the timer.
A sweep that is 30 days late therefore leaves the same events as minute sweeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.kernel.instants import NEVER, Instant
from shared.member_state import activity, bonuses, challenges, conversions, dates, handlers, journeys, tiers
from shared.member_state.effects import Effects
from shared.member_state.events import MemberEvent, TimePassed
from shared.member_state.model import Facts, MemberState
from shared.member_state.view import Flips, FoldView, Views
from shared.wallet import rules as lots


def apply(
    state: MemberState, event: MemberEvent, views: Views, facts: Facts | None = None, effects: Effects | None = None
) -> Effects:
    """Advance to the event's instant, apply it, evaluate the segments, and set the timer. ``effects`` are added to, if given.

    An event earlier than ``state.as_of`` is a late arrival: it is applied to the state as it is now, its purchase going
    to the local day it belongs to; nothing already told is untold.
    """
    effects = Effects() if effects is None else effects
    advance(state, event.at, views, facts, effects)
    at = max(event.at, state.as_of)
    state.as_of, told = at, len(effects.events)
    view = _view(state, views, at, facts, effects)
    cause = handlers.handle(state, event, view, at, effects)
    activity.note(state, event)
    if state.status != "active":
        # Nothing is true of her any more, and nothing falls due.
        return effects
    conversions_left = conversions.convert_due(state, view, at, effects)
    next_change = _evaluate(state, view, at, facts, effects, cause)
    journeys.settle_told(state, view, effects, told)
    due = min(_next_obligation(state, view, facts), next_change)
    # What one commit has no room for, or an import leaves behind, is made by the next, as soon as the timer brings it.
    is_left = conversions_left or journeys.has_overdue(state) or activity.is_overdue(state, view)
    _set_timer(state, min(due, at + 1) if is_left else due, exact=isinstance(event, TimePassed))
    return effects


def advance(state: MemberState, to: Instant, views: Views, facts: Facts | None, effects: Effects) -> None:
    """Settle everything due by ``to``. Cheap when nothing is: the stored timer is never later than the next instant."""
    if to <= state.as_of or state.version == 0 or state.status == "erased":
        return
    switch = missed_switch(state, views, to)
    if state.timer is not None and state.timer > to and switch is None:
        return
    if switch is not None:
        # Nothing happens before it, so that the definitions of until then need not even be compiled.
        state.as_of = switch
    told = len(effects.events)
    view = _view(state, views, state.as_of, facts, effects)
    next_change = _evaluate(state, view, state.as_of, facts, effects, "time")
    journeys.settle_told(state, view, effects, told)
    while (due := min(_next_obligation(state, view, facts), next_change, _next_switch(state, views, to))) <= to:
        # A boundary that does not lie ahead would never end; evaluators answer later instants, and one more is safe.
        state.as_of, told = max(due, state.as_of), len(effects.events)
        view = _view(state, views, state.as_of, facts, effects)
        _settle(state, view, state.as_of, facts, effects)
        next_change = max(_evaluate(state, view, state.as_of, facts, effects, "time"), state.as_of + 1)
        journeys.settle_told(state, view, effects, told)


def missed_switch(state: MemberState, views: Views, to: Instant) -> Instant | None:
    """The newest switch of definitions until ``to``, and before anything else falls due, that she has not met; ``None`` if there is none.

    It is an instant of hers like any other: whoever meets it late, whenever that is, has told of her what she would have been told of
    at once. Of several switches without anything due between them only the newest is met: what the others changed about a member,
    the fan-out had told (``shared.segments.switching``).
    """
    return _switch(state, views, to, to if state.timer is None else min(to, state.timer), newest=True)


def _switch(state: MemberState, views: Views, to: Instant, until: Instant, *, newest: bool) -> Instant | None:
    """A switch that she has not met. An imported past is decided by the definitions of today and has none of its own."""
    view = views(to)
    if view.epoch <= state.epoch:
        return None
    missed = [epoch for epoch in (view.switches or (view.epoch,)) if state.epoch < epoch <= until]
    at = max(missed[-1 if newest else 0], state.as_of) if missed else NEVER
    return at if at <= until and views(at).epoch > state.epoch else None


def needs_facts(state: MemberState, views: Views, at: Instant) -> bool:
    """Whether folding an event at that instant may ask for the personal facts."""
    to = max(at, state.as_of)
    switch = missed_switch(state, views, to)
    met = state.as_of if switch is None else switch
    later = (epoch for epoch in views(to).switches if met < epoch <= to)
    asking = [views(max(instant, state.epoch)) for instant in (to, met, *later)]
    has_birthdays = "birth_date" in state.known and any(view.birthdays or dates.asks_for_birthdays(view.dates) for view in asking)
    return has_birthdays or any(view.segments.needs_facts for view in asking)


def _view(state: MemberState, views: Views, at: Instant, facts: Facts | None, effects: Effects) -> FoldView:
    """The definitions that hold for her at an instant. When they are newer than the ones she was last evaluated with, what
    changes by that alone is told first, as its own cause.

    They never go back: an imported or late event from before a definition's switch does not undo the switch.
    """
    view = views(max(at, state.epoch))
    if state.epoch < view.epoch and state.version:
        tiers.settle_tier(state, view, at, effects, cause="definition")
        _evaluate(state, view, at, facts, effects, "definition")
        state.epoch = view.epoch
    return view


def _next_switch(state: MemberState, views: Views, to: Instant) -> Instant:
    switch = _switch(state, views, to, to, newest=False)
    return NEVER if switch is None else switch


def _settle(state: MemberState, view: FoldView, at: Instant, facts: Facts | None, effects: Effects) -> None:
    """Everything that is due exactly by ``at``, other than segments."""
    journeys.settle_due(state, view, at, effects)
    dates.settle_due(state, view, facts, at, effects)
    activity.settle_due(state, view, at, effects)
    for name, wallet in state.wallets.items():
        matured, expired = lots.settle(wallet, name, at)
        if matured:
            effects.tell("points.available", at, {"wallet": name, "points": matured})
        if expired:
            effects.entries.append(handlers.entry("expire", at, expired))
            effects.tell("points.expired", at, {"wallet": name, "points": -sum(posting.points for posting in expired)})
    for hold_id in [hold_id for hold_id, hold in state.holds.items() if hold.until <= at]:
        handlers.release_hold(state, hold_id, at, effects, "hold.expired")
    for coupon_id, coupon in list(state.coupons.items()):
        if coupon.expires_at <= at:
            del state.coupons[coupon_id]
            effects.tell("coupon.expired", at, {"coupon": coupon_id, "offer": coupon.offer})
    challenges.settle_due(state, view, at, effects)
    bonuses.on_birthday(state, view, facts, at, effects)
    tiers.settle_due(state, view, at, effects)
    conversions.convert_due(state, view, at, effects)


def _next_obligation(state: MemberState, view: FoldView, facts: Facts | None) -> Instant:
    """When the next thing falls due that is not a segment boundary."""
    due = min((lots.next_due(wallet) for wallet in state.wallets.values()), default=NEVER)
    due = min(due, min((hold.until for hold in state.holds.values()), default=NEVER))
    due = min(due, min((coupon.expires_at for coupon in state.coupons.values()), default=NEVER))
    if state.challenges:
        due = min(due, challenges.next_due(state, view))
    if state.journeys:
        due = min(due, journeys.next_due(state, view))
    if view.dates:
        due = min(due, dates.next_date(state, facts, view.dates, state.as_of, state.zone or view.zone))
    due = min(due, activity.next_due(state, view))
    return min(due, bonuses.next_birthday(state, view, facts), tiers.tier_due(state, view))


def _evaluate(state: MemberState, view: FoldView, at: Instant, facts: Facts | None, effects: Effects, cause: str) -> Instant:
    """Flip memberships; answers the next instant at which time alone may flip one.

    Who is in a segment by another of its versions already, or still, changes the version only (cause ``version``).
    """
    flips: Flips = view.segments.evaluate(state, facts, at) if state.restriction is None else _Nowhere(sorted(state.segments))
    before = _segments_of(state) if cause == "definition" and flips.entered else frozenset()
    for key in flips.entered:
        state.segments[key] = at
    for key in flips.left:
        del state.segments[key]
    after = _segments_of(state) if cause == "definition" and flips.left else frozenset()
    for type_, keys, others in (("segment.left", flips.left, after), ("segment.entered", flips.entered, before)):
        for key in keys:
            segment, _, version = key.rpartition("@")
            said = "version" if segment in others else cause
            effects.tell(type_, at, {"segment": segment, "segment_version": int(version)}, said)
    return flips.next_change


@dataclass(frozen=True, slots=True)
class _Nowhere:
    """The answer for whom nothing is looked at: she leaves what she is in."""

    left: Sequence[str]
    entered: Sequence[str] = ()
    next_change: Instant = NEVER


def _segments_of(state: MemberState) -> frozenset[str]:
    """The segments that she is in, by whatever version."""
    return frozenset(key.rpartition("@")[0] for key in state.segments)


def _set_timer(state: MemberState, due: Instant, *, exact: bool) -> None:
    """The stored timer may be earlier than the next instant, never later: leaving it saves an index write.

    It is moved on before it would wake in vain: when she is not expected to be back by then, so that no later commit will move
    it. A wake-up re-arms exactly, and a timer that lies behind is never left standing. Measured in docs/adr/0017.
    """
    wanted, stood = (None if due >= NEVER else due), state.timer
    if exact or stood is None or wanted is None or wanted < stood or stood - state.as_of <= _usual_gap(state):
        state.timer = wanted


def _usual_gap(state: MemberState) -> int:
    """Milliseconds between two of her purchases, on average; 0 where there are none to tell from."""
    profile = state.profile
    if profile.count < 2 or profile.first_at is None or profile.last_at is None:
        return 0
    return (profile.last_at - profile.first_at) // (profile.count - 1)
