"""A member is forgotten: what of her state leads to a person, or tells what one did, goes at once. Pure.

What stays are her wallets, emptied by a booking, because the ledger must still prove them. Everything else is as if she had never been:
a field that the state gets later is forgotten too, unless it is named here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from shared.kernel.instants import Instant
from shared.member_state.effects import Effects, LedgerEntry
from shared.member_state.model import MemberState
from shared.member_state.view import FoldView
from shared.wallet.closing import close

KEPT: Final = frozenset({"tenant", "member", "version", "as_of", "epoch", "wallets"})
CAUSE: Final = "erasure"


@dataclass(frozen=True, slots=True)
class Erased:
    """She is forgotten. ``erasure`` is the id of the record that says so."""

    at: Instant
    erasure: str


def erased(state: MemberState, event: Erased, _view: FoldView, at: Instant, effects: Effects) -> str:
    """Write off what is left, and forget the rest. The only thing told is that it happened: no campaign hears of what she left."""
    postings = [posting for name, wallet in state.wallets.items() for posting in close(wallet, name, at)]
    if postings:
        effects.entries.append(LedgerEntry("expire", at, tuple(postings), event.erasure, CAUSE))
    effects.history_changed |= bool(state.profile.history)
    nobody = MemberState(state.tenant, state.member)
    for each in fields(MemberState):
        if each.name not in KEPT:
            setattr(state, each.name, getattr(nobody, each.name))
    state.status = "erased"
    effects.tell("member.erased", at, {"erasure": event.erasure})
    return "member.erased"
