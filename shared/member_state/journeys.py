"""Where campaigns wait for a member: until an instant, or for something to happen to her. Pure.

A journey is an obligation like a lot that expires: the fold removes it when it is due, or when what it waits for is told of her, and
tells ``campaign.step_due`` in the same commit. So the waiting ends once, and goes on as surely as the commit is told.

Of time and event whichever comes first counts, and time where both fall on one instant. Imported history ends no waiting: what is told
of it starts nothing. What falls due while it is folded is told by the next commit that is no import, with its own instant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from shared.kernel.errors import InvalidValue
from shared.kernel.instants import NEVER, Instant
from shared.member_state.effects import DomainEvent, Effects
from shared.member_state.events import JourneyEnded, JourneyMoved
from shared.member_state.model import MAX_JOURNEYS, Journey, MemberState
from shared.member_state.view import FoldView

_OF_CAMPAIGNS: Final = ("message.", "form.")
"""What the types of events begin with that are about a message: only the campaign that sent it waits for them."""


def moved(state: MemberState, event: JourneyMoved, _view: FoldView, at: Instant, effects: Effects) -> str:
    """Wait, in place of where the occurrence waited before. Who leads to another member, or is erased, has nothing to wait for."""
    if event.due >= NEVER:
        raise InvalidValue("a journey waits until an instant")
    if state.status == "active":
        stood = _take(state, event.campaign, event.occurrence)
        at_the_same_place = stood is not None and (stood.step, stood.rung) == (event.step, event.rung)
        since = event.since or (stood.since if stood is not None and at_the_same_place else at)
        journey = Journey(
            campaign=event.campaign,
            version=event.version,
            occurrence=event.occurrence,
            step=event.step,
            due=event.due,
            waits_for=event.waits_for,
            reason=event.reason,
            priority=event.priority,
            rung=event.rung,
            since=since,
        )
        state.journeys.append(journey)
        _make_room(state, at, effects)
    return "time"


def ended(state: MemberState, event: JourneyEnded, _view: FoldView, _at: Instant, _effects: Effects) -> str:
    """Forget it, if it is there."""
    _take(state, event.campaign, event.occurrence)
    return "time"


def next_due(state: MemberState, view: FoldView) -> Instant:
    """When the next one goes on by time alone. What imported history has passed over is not asked for again by it."""
    if view.gifts:
        return min((each.due for each in state.journeys), default=NEVER)
    return min((each.due for each in state.journeys if each.due > state.as_of), default=NEVER)


def has_overdue(state: MemberState) -> bool:
    """Whether some have been passed over, so that the next commit is to come soon."""
    return any(each.due <= state.as_of for each in state.journeys)


def settle_due(state: MemberState, view: FoldView, at: Instant, effects: Effects) -> None:
    """Those due by ``at`` go on, in the order of their instants; of those due at once the campaign of the highest priority first."""
    if state.status != "active":
        state.journeys.clear()
    if view.gifts and state.journeys:
        _go_on(state, [each for each in state.journeys if each.due <= at], "time", effects)


def settle_told(state: MemberState, view: FoldView, effects: Effects, start: int) -> None:
    """Those go on that wait for one of the events told from ``start`` on, if it happened since they began to wait."""
    if not (state.journeys and view.gifts):
        return
    waiting = [each for each in state.journeys if each.waits_for]
    for told in effects.events[start:] if waiting else ():
        met = [each for each in waiting if _is_met(each, told)]
        waiting = [each for each in waiting if each not in met]
        _go_on(state, met, "event", effects, told.occurred_at)


def _take(state: MemberState, campaign: str, occurrence: str) -> Journey | None:
    found = next((each for each in state.journeys if (each.campaign, each.occurrence) == (campaign, occurrence)), None)
    if found is not None:
        state.journeys.remove(found)
    return found


def _make_room(state: MemberState, at: Instant, effects: Effects) -> None:
    """What would go on last is dropped; of several that which is least important, then the one that came last."""
    while len(state.journeys) > MAX_JOURNEYS:
        dropped = max(reversed(state.journeys), key=lambda each: (each.due, -each.priority))
        state.journeys.remove(dropped)
        data: dict[str, object] = {"campaign": dropped.campaign, "occurrence": dropped.occurrence, "step": dropped.step}
        effects.tell("campaign.journey_dropped", at, data)


def _is_met(journey: Journey, told: DomainEvent) -> bool:
    if told.type != journey.waits_for or told.occurred_at < journey.since:
        return False
    about_a_message = told.type.startswith(_OF_CAMPAIGNS)
    return not about_a_message or told.data.get("campaign") == journey.campaign


def _go_on(
    state: MemberState, found: Sequence[Journey], outcome: Literal["time", "event"], effects: Effects, met_at: Instant | None = None
) -> None:
    for each in _in_order(found):
        state.journeys.remove(each)
        data: dict[str, object] = {
            "campaign": each.campaign,
            "version": each.version,
            "occurrence": each.occurrence,
            "step": each.step,
            "rung": each.rung,
            "outcome": outcome,
            "reason": each.reason,
            "since": each.since,
        }
        effects.tell("campaign.step_due", each.due if met_at is None else met_at, data)


def _in_order(found: Iterable[Journey]) -> list[Journey]:
    return sorted(found, key=lambda each: (each.due, -each.priority, each.campaign, each.occurrence))
