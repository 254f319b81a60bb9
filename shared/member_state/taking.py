"""Taking back points that were given: by the terms of the programme that gave them. Pure."""

from __future__ import annotations

from shared.kernel.instants import Instant
from shared.member_state import conversions
from shared.member_state.effects import Effects
from shared.member_state.events import ReversalTerms
from shared.member_state.model import MemberState
from shared.wallet import rules as lots
from shared.wallet.model import Posting


def take_back(
    state: MemberState, name: str, earned: list[Posting], terms: ReversalTerms, at: Instant, effects: Effects
) -> list[Posting]:
    """Take earned points back by the programme's terms; where they are gone, unused vouchers bought with points go first."""
    wallet = state.wallet(name)
    missing = sum(posting.points for posting in earned) - sum(lot.points for lot in wallet.lots)
    if missing > 0 and terms.take_vouchers and terms.points_gone != "pending_only":
        conversions.take_back(state, name, missing, at, effects)
    return lots.reverse(wallet, name, earned, policy=terms.points_gone, floor=terms.floor)
