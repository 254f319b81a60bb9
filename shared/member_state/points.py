"""Points that move without a purchase: adjustments, transfers, a friend's reward, vouchers at her request. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from shared.kernel.instants import Instant
from shared.member_state import conversions
from shared.member_state.effects import Effects, LedgerEntry
from shared.member_state.events import PointsBooked, PointsConverted, ReferralEnded
from shared.member_state.model import MemberState
from shared.member_state.taking import take_back
from shared.member_state.tiers import settle_tier
from shared.member_state.view import FoldView
from shared.wallet import rules as lots
from shared.wallet.model import Posting


def booked(state: MemberState, event: PointsBooked, view: FoldView, at: Instant, effects: Effects) -> str:
    """Post to her wallets; the ledger entry says who did it and why."""
    postings = _BOOKINGS[event.kind](state, event, view, at, effects)
    state.referrals += event.referral
    if postings:
        effects.entries.append(LedgerEntry(event.kind, event.at, tuple(postings), event.reference, event.reason, event.actor))
    sums: dict[str, int] = {}
    for posting in postings:
        sums[posting.wallet] = sums.get(posting.wallet, 0) + posting.points
    type_ = _TYPES[event.kind]
    effects.tell(type_, event.at, {"reference": event.reference, "points": sums})
    settle_tier(state, view, at, effects)
    conversions.convert_due(state, view, at, effects)
    return type_


def converted(state: MemberState, event: PointsConverted, view: FoldView, at: Instant, effects: Effects) -> str:
    """Vouchers for points, as she asked."""
    conversions.convert_requested(state, event, view, at, effects)
    return "points.converted"


def referral_ended(state: MemberState, event: ReferralEnded, _view: FoldView, _at: Instant, effects: Effects) -> str:
    """Both were rewarded, it was taken back, or nothing will come of it."""
    type_ = f"referral.{event.outcome}"
    if state.referred is not None:
        state.referred.programme, state.referred.transaction = event.programme, event.transaction
        state.referred.ended = "" if event.outcome == "rewarded" else event.reason or event.outcome
        data: dict[str, object] = {"referrer": state.referred.by, "programme": event.programme, "transaction": event.transaction}
        effects.tell(type_, event.at, data | ({"reason": event.reason} if event.reason else {}))
    return type_


def _given(state: MemberState, event: PointsBooked, view: FoldView, at: Instant, _effects: Effects) -> list[Posting]:
    """Add or take: what is taken comes from the lots that expire first, down to the wallet's overdraft."""
    made: list[Posting] = []
    for posting in event.postings:
        wallet = state.wallet(posting.wallet)
        if posting.points >= 0:
            made += lots.earn(wallet, posting, at)
        else:
            floor = -view.wallet(posting.wallet).overdraft
            made += lots.spend(wallet, posting.wallet, -posting.points, kind=posting.kind, floor=floor)
    return made + [expired for name, wallet in state.wallets.items() for expired in lots.settle(wallet, name, at)[1]]


def _received(state: MemberState, event: PointsBooked, _view: FoldView, at: Instant, _effects: Effects) -> list[Posting]:
    made: list[Posting] = []
    for name in dict.fromkeys(posting.wallet for posting in event.postings):
        made += lots.transfer_in(state.wallet(name), name, [each for each in event.postings if each.wallet == name], at)
    return made


def _reversed(state: MemberState, event: PointsBooked, _view: FoldView, at: Instant, effects: Effects) -> list[Posting]:
    made: list[Posting] = []
    for name in dict.fromkeys(posting.wallet for posting in event.postings):
        made += take_back(state, name, [each for each in event.postings if each.wallet == name], event.terms, at, effects)
    return made


_Booking = Callable[[MemberState, PointsBooked, FoldView, Instant, Effects], list[Posting]]
_BOOKINGS: Final[dict[str, _Booking]] = {
    "adjust": _given,
    "bonus": _given,
    "transfer_out": _given,
    "transfer_in": _received,
    "reverse": _reversed,
}
_TYPES: Final = {
    "adjust": "points.adjusted",
    "bonus": "points.given",
    "transfer_out": "points.transferred_out",
    "transfer_in": "points.transferred_in",
    "reverse": "points.taken_back",
}
