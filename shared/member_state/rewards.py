"""A reward claimed, handed over or cancelled: points leave her wallet, and come back as they were. Pure."""

from __future__ import annotations

from shared.kernel.errors import InvalidValue
from shared.kernel.instants import Instant, local_day
from shared.member_state import conversions
from shared.member_state.effects import Effects, LedgerEntry
from shared.member_state.events import RewardCancelled, RewardClaimed, RewardHandedOver
from shared.member_state.model import MemberState
from shared.member_state.usage import count_use, uncount_use
from shared.member_state.view import FoldView
from shared.wallet import rules as lots
from shared.wallet.model import Posting


def claimed(state: MemberState, event: RewardClaimed, view: FoldView, at: Instant, effects: Effects) -> str:
    """Draw its price from what she has; ``InvalidValue`` where that does not suffice: an overdraft is for payments."""
    wallet = state.wallet(event.wallet)
    if lots.spendable(wallet, state.holds, event.wallet) < event.points:
        raise InvalidValue(f"the reward {event.reward} cannot be paid")
    postings = tuple(lots.spend(wallet, event.wallet, event.points, kind="convert"))
    effects.entries.append(LedgerEntry("convert", event.at, postings, event.claim))
    if event.use is not None:
        count_use(state, event.use, local_day(event.at, view.zone))
    data: dict[str, object] = {"claim": event.claim, "reward": event.reward, "wallet": event.wallet, "points": event.points}
    effects.tell("reward.claimed", at, data)
    return "reward.claimed"


def cancelled(state: MemberState, event: RewardCancelled, view: FoldView, at: Instant, effects: Effects) -> str:
    """Give back exactly what was drawn, with its expiry: what has expired since comes back only to expire."""
    postings: list[Posting] = []
    for drawn in event.postings:
        returned = Posting(drawn.wallet, "give_back", -drawn.points, 0, drawn.expires_at)
        postings += lots.give_back(state.wallet(drawn.wallet), returned, at)
    effects.entries.append(LedgerEntry("give_back", event.at, tuple(postings), event.claim, event.reason, event.actor))
    if event.use is not None:
        uncount_use(state, event.use, event.day)
    effects.tell("reward.cancelled", at, {"claim": event.claim, "reward": event.reward, "actor": event.actor}, event.reason or None)
    conversions.convert_due(state, view, at, effects)
    return "reward.cancelled"


def handed_over(_state: MemberState, event: RewardHandedOver, _view: FoldView, at: Instant, effects: Effects) -> str:
    """Nothing of her changes; whoever listens is told."""
    effects.tell("reward.handed_over", at, {"claim": event.claim, "reward": event.reward, "actor": event.actor})
    return "reward.handed_over"
