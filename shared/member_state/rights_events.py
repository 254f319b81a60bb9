"""What a member asked for by law, as it happens to her state. Pure; a handler answers its cause."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from shared.kernel.instants import DAY, Instant
from shared.member_state.effects import Effects
from shared.member_state.events import ConsentsChanged
from shared.member_state.model import Consent, MemberState, Pending, Restriction
from shared.member_state.own_events import RestrictionChanged
from shared.member_state.view import FoldView

CONFIRMABLE: Final = 7 * DAY
"""How long a link that confirms a consent is good for, from the mail that it was in."""


def restriction_changed(state: MemberState, event: RestrictionChanged, _view: FoldView, at: Instant, effects: Effects) -> str:
    """She leaves every segment with it, and comes back into those that are true of her when it is lifted."""
    stood = state.restriction is not None
    state.restriction = Restriction(event.reason, at) if event.reason is not None else None
    data: dict[str, object] = {"restricted": event.reason is not None, "stood": stood, "by_herself": event.by_herself}
    effects.tell("member.restriction_changed", at, data)
    return "member.restriction_changed"


def settle_pending(state: MemberState, before: Mapping[str, Consent], event: ConsentsChanged, at: Instant, effects: Effects) -> None:
    """Whatever she answers ends the waiting for an earlier answer, but for the same answer once more."""
    stood = {key: waits for key in event.consents if (waits := state.pending.pop(key, None)) is not None}
    same = {key: waits for key, waits in stood.items() if before[key].version == event.consents[key].version}
    await_confirmation(state, same, event.pending, at, effects)


def await_confirmation(state: MemberState, stood: Mapping[str, Pending], keys: Iterable[str], at: Instant, effects: Effects) -> None:
    """Wait for her confirmation, and have her asked for it. ``stood``: what of it is waited for already."""
    for key in keys:
        waits = stood.get(key)
        goes_on = waits is not None and at < waits.asked_at + CONFIRMABLE
        state.pending[key] = Pending(waits.since, at, waits.times + 1) if waits is not None and goes_on else Pending(at, at)
        effects.tell("consent.confirmation_asked", at, {"consent": key})
