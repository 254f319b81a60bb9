"""Purchases that rules of the counter look at, and what becomes of a flagged one. Pure."""

from __future__ import annotations

from shared.kernel.instants import DAY, Instant
from shared.member_state.counter_events import PurchaseReviewed
from shared.member_state.counting_visits import count_visit
from shared.member_state.effects import Effects, LedgerEntry
from shared.member_state.model import COUNTER_DAYS, MAX_COUNTER_SALES, CounterSale, MemberState
from shared.member_state.tiers import settle_tier
from shared.member_state.view import FoldView
from shared.profile.model import Visit
from shared.wallet import rules as lots
from shared.wallet.lots import true_expiry
from shared.wallet.model import Posting


def remember(state: MemberState, sale: CounterSale) -> None:
    """Keep a purchase for the rules of the counter; what no rule can ask for any more is forgotten, the oldest first."""
    kept = sorted([*state.counter_sales, sale], key=lambda each: each.at, reverse=True)
    newest = kept[0].at
    state.counter_sales = [each for each in kept if each.at > newest - COUNTER_DAYS * DAY][:MAX_COUNTER_SALES]


def forget(state: MemberState, at: Instant, location: str) -> None:
    """A purchase that never was: one of that instant and place counts no more."""
    found = next((each for each in state.counter_sales if (each.at, each.location) == (at, location)), None)
    if found is not None:
        state.counter_sales.remove(found)


def reviewed(state: MemberState, event: PurchaseReviewed, view: FoldView, at: Instant, effects: Effects) -> str:
    """Approved: what is left of its points waits as its programmes say, or no longer. Rejected: it is taken back, to the last point."""
    postings: list[Posting] = []
    if event.outcome == "approved":
        _approve(state, event, at, effects)
    else:
        postings = _reject(state, event, view, at, effects)
    points = -sum(posting.points for posting in postings)
    data: dict[str, object] = {"transaction": event.transaction, "outcome": event.outcome, "points": points, "actor": event.actor}
    effects.tell("transaction.reviewed", at, data)
    settle_tier(state, view, at, effects)
    return "transaction.reviewed"


def _approve(state: MemberState, event: PurchaseReviewed, at: Instant, effects: Effects) -> None:
    matured: dict[str, int] = {}
    for award, mark in zip(event.awards, event.marks, strict=True):
        became = lots.let_go(state.wallet(award.wallet), mark, award, at)
        matured[award.wallet] = matured.get(award.wallet, 0) + became
    for wallet, points in matured.items():
        if points:
            effects.tell("points.available", at, {"wallet": wallet, "points": points})


def _reject(state: MemberState, event: PurchaseReviewed, view: FoldView, at: Instant, effects: Effects) -> list[Posting]:
    """What has expired while it waited is gone already."""
    left = [each for each in event.back if true_expiry(state.wallet(each.wallet), each.expires_at) > at]
    postings: list[Posting] = []
    for name in dict.fromkeys(each.wallet for each in left):
        hers = [each for each in left if each.wallet == name]
        postings += lots.reverse(state.wallet(name), name, hers, policy="negative", floor=None)
    never_was = Visit(event.bought_at, 0, 0, {}, 0, {})
    count_visit(state, never_was, event.back, view, at, effects, sign=-1)
    if postings:
        effects.entries.append(LedgerEntry("reverse", at, tuple(postings), event.transaction, event.reason, event.actor))
    return postings
