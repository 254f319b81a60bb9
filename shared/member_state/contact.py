"""What messages leave behind: touches, and channels that take no more. Pure; a handler answers its cause."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from shared.kernel.instants import DAY, Instant
from shared.member_state.effects import DomainEvent, Effects
from shared.member_state.events import ChannelSuppressed, Touched
from shared.member_state.model import GIFT, MAX_TOUCHES, MemberState, Touch
from shared.member_state.view import FoldView

TOUCHED_DAYS: Final = 30
"""Rolling days that a touch is told of with what may have come of it: the longest window that a campaign may count results in."""
_GOALS: Final = frozenset({"transaction.recorded", "transaction.returned", "transaction.voided", "coupon.redeemed", "form.submitted"})
_CUSTOM: Final = "event."


def touched(state: MemberState, event: Touched, _view: FoldView, at: Instant, effects: Effects) -> str:
    """A message is hers, or she was held out of it. A gift is told by what it is."""
    state.touches.insert(0, Touch(event.campaign, event.step, event.channel, at, held=event.held, service=event.service))
    del state.touches[MAX_TOUCHES:]
    type_ = "message.held_out" if event.held else "message.claimed"
    if event.channel != GIFT:
        effects.tell(type_, at, {"campaign": event.campaign, "step": event.step, "channel": event.channel})
    return type_


def suppressed(state: MemberState, event: ChannelSuppressed, _view: FoldView, at: Instant, effects: Effects) -> str:
    """The newest reason is kept. What says nothing new is not told."""
    stood = state.suppressed.get(event.channel)
    if event.lifted:
        if stood is not None:
            del state.suppressed[event.channel]
            effects.tell("channel.restored", at, {"channel": event.channel, "reason": event.reason})
        return "channel.restored"
    if stood != event.reason:
        state.suppressed[event.channel] = event.reason
        effects.tell("channel.suppressed", at, {"channel": event.channel, "reason": event.reason})
    return "channel.suppressed"


def touched_before(state: MemberState, events: Iterable[DomainEvent]) -> tuple[str, ...]:
    """The campaigns that touched her, or held her out, in the 30 days before something that a campaign may aim at: the newest first.

    None where nothing of that kind is told.
    """
    aims = [each.occurred_at for each in events if each.type in _GOALS or each.type.startswith(_CUSTOM)]
    if not (aims and state.touches):
        return ()
    since = min(aims) - TOUCHED_DAYS * DAY
    return tuple(dict.fromkeys(each.campaign for each in state.touches if each.at > since))
