"""What a purchase and its reversal do to the state. Pure; each answers its cause: the type that flips are put down to."""

from __future__ import annotations

from shared.kernel.instants import DAY, MINUTE, Instant, local_day
from shared.member_state import challenges, conversions, reviews
from shared.member_state.counting_visits import count_visit
from shared.member_state.effects import Effects, LedgerEntry
from shared.member_state.events import Purchased, ReversalTerms, Reversed
from shared.member_state.model import MAX_REDEEMED, MAX_VISITS, VISIT_DAYS, MemberState, RecentVisit
from shared.member_state.taking import take_back
from shared.member_state.tier_windows import VISITS
from shared.member_state.tiers import settle_tier
from shared.member_state.usage import count_usage, count_use, uncount_usage, uncount_use
from shared.member_state.view import FoldView
from shared.wallet import rules as lots
from shared.wallet.expiry import idle_until
from shared.wallet.model import DEBT, Posting

_NO_TERMS = ReversalTerms()


def purchased(state: MemberState, event: Purchased, view: FoldView, at: Instant, effects: Effects) -> str:
    """Points are spent and earned, the visit is counted, tier and vouchers follow."""
    postings: list[Posting] = []
    if event.hold is not None and event.hold in state.holds:
        _end_hold(state, event.hold)
    day = local_day(event.at, view.zone)
    for name, points in event.spent.items():
        postings += lots.spend(state.wallet(name), name, points, floor=-view.wallet(name).overdraft)
        count_usage(state, payments_key(name), points, day)
    for posting in event.earned:
        postings += lots.earn(state.wallet(posting.wallet), posting, at)
    for key, points in event.usage:
        count_usage(state, key, points, day)
    for use in event.uses:
        count_use(state, use, day)
    for name, days, end_of_day in event.idle_days:
        lots.touch(state.wallet(name), idle_until(event.at, days, end_of_day, view.zone))
    postings += _settle_late(state, at)
    for coupon_id in event.redeemed:
        forget_redeemed(state, coupon_id, at, effects)
    if event.visit_minutes:
        _remember_visit(state, event, at)
    if event.counter is not None:
        reviews.remember(state, event.counter)
    state.visits_made += event.visit.by.get(VISITS, 0)
    count_visit(state, event.visit, event.earned, view, at, effects, sign=1)
    if postings:
        effects.entries.append(LedgerEntry("purchase", event.at, tuple(postings), event.transaction))
    earned = {posting.wallet: posting.points for posting in event.earned}
    data: dict[str, object] = {"transaction": event.transaction, "value": event.visit.value, "earned": earned, "spent": dict(event.spent)}
    flags: dict[str, object] = {"flags": list(event.flags)} if event.flags else {}
    effects.tell("transaction.recorded", event.at, data | {"location": event.location, "channel": event.channel} | flags)
    challenges.on_purchase(state, event, view, at, effects)
    settle_tier(state, view, at, effects)
    conversions.convert_due(state, view, at, effects)
    return "transaction.recorded"


def reverse(state: MemberState, event: Reversed, view: FoldView, at: Instant, effects: Effects) -> str:
    """What came back is taken out again. Points given back may pay for what is taken."""
    postings: list[Posting] = []
    for name in dict.fromkeys(posting.wallet for posting in (*event.spent, *event.earned)):
        postings += _undo(state, name, event, at, effects)
    day = local_day(event.visit.at, view.zone)
    for key, points in event.usage:
        uncount_usage(state, key, points, day, times=int(event.whole))
    for use in event.uses:
        uncount_use(state, use, day)
    for coupon_id, coupon in event.reissued.items():
        state.redeemed.pop(coupon.offer, None)
        _respond(state, coupon.campaign, None)
        if coupon.expires_at > at:
            state.coupons[coupon_id] = coupon
    if event.visit.count:
        _forget_visit(state, event)
    if event.kind == "void":
        reviews.forget(state, event.visit.at, event.location)
    state.visits_made -= event.visit.by.get(VISITS, 0)
    count_visit(state, event.visit, event.earned, view, at, effects, sign=-1, recompute=event.kind == "void")
    if postings:
        effects.entries.append(LedgerEntry(event.kind, event.at, tuple(postings), event.transaction))
    type_ = "transaction.returned" if event.kind == "return" else "transaction.voided"
    effects.tell(type_, event.at, {"transaction": event.transaction, "value": event.visit.value, "whole": event.whole})
    challenges.on_reversal(state, event, view, at, effects)
    settle_tier(state, view, at, effects, returned=event.visit.at)
    return type_


def _undo(state: MemberState, name: str, event: Reversed, at: Instant, effects: Effects) -> list[Posting]:
    """Payment and earnings of one wallet. Earnings go first where they are all there, so that they are what is taken; else last."""
    wallet = state.wallet(name)
    given_back = [Posting(name, "give_back", -each.points, 0, each.expires_at) for each in event.spent if each.wallet == name]
    earned = [each for each in event.earned if each.wallet == name]
    postings: list[Posting] = []
    for posting in (each for each in given_back if each.expires_at == DEBT):
        postings += lots.give_back(wallet, posting, at)
    all_there = sum(posting.points for posting in earned) <= sum(lot.points for lot in wallet.lots)
    terms = event.terms.get(name, _NO_TERMS)
    if earned and all_there:
        postings += take_back(state, name, earned, terms, at, effects)
    for posting in (each for each in given_back if each.expires_at != DEBT):
        postings += lots.give_back(wallet, posting, at)
    if earned and not all_there:
        postings += take_back(state, name, earned, terms, at, effects)
    return postings


def payments_key(wallet: str) -> str:
    """Under which payments with points are counted."""
    return f"pay:{wallet}"


def same_visit(state: MemberState, location: str, at: Instant, minutes: int) -> bool:
    """Whether a receipt belongs to a visit that is known already: early or late by at most so many minutes."""
    return _visit_of(state, location, at, minutes) is not None


def forget_redeemed(state: MemberState, coupon_id: str, at: Instant, effects: Effects) -> None:
    """A coupon of hers was used: it leaves her wallet, and its offer is remembered."""
    coupon = state.coupons.pop(coupon_id, None)
    offer = coupon.offer if coupon else ""
    _respond(state, coupon.campaign if coupon else "", at)
    if offer:
        state.redeemed.pop(offer, None)
        state.redeemed[offer] = at
        while len(state.redeemed) > MAX_REDEEMED:
            del state.redeemed[next(iter(state.redeemed))]
    effects.tell("coupon.redeemed", at, {"coupon": coupon_id, "offer": offer})


def _respond(state: MemberState, campaign: str, at: Instant | None) -> None:
    """A coupon that a campaign gave was redeemed (``None``: is active again): the newest touch of that campaign says so."""
    touch = next((each for each in state.touches if campaign and each.campaign == campaign and not each.held), None)
    if touch is not None:
        touch.redeemed_at = touch.redeemed_at or at if at is not None else None


def _end_hold(state: MemberState, hold_id: str) -> None:
    """What was held is used now; a voucher that is used in part is free for another basket."""
    for coupon_id in state.holds.pop(hold_id).coupons:
        if coupon_id in state.coupons:
            state.coupons[coupon_id].state = "active"


def _settle_late(state: MemberState, at: Instant) -> list[Posting]:
    """A late purchase may have earned points that have matured or expired since: they are settled with it."""
    postings: list[Posting] = []
    for name, wallet in state.wallets.items():
        _, expired = lots.settle(wallet, name, at)
        postings += expired
    return postings


def _visit_of(state: MemberState, location: str, at: Instant, minutes: int) -> RecentVisit | None:
    span = minutes * MINUTE
    return next((each for each in state.visits if each.location == location and each.first - span <= at <= each.last + span), None)


def _remember_visit(state: MemberState, event: Purchased, at: Instant) -> None:
    """A receipt belongs to a visit that is known, or opens another. Visits that no late receipt can reach are forgotten."""
    known = _visit_of(state, event.location, event.at, event.visit_minutes)
    if known is not None:
        known.first, known.last = min(known.first, event.at), max(known.last, event.at)
        return
    state.visits.insert(0, RecentVisit(event.location, event.at, event.at))
    state.visits[:] = [each for each in state.visits if each.last > at - VISIT_DAYS * DAY][:MAX_VISITS]


def _forget_visit(state: MemberState, event: Reversed) -> None:
    """A visit of this receipt alone never was: the next receipt opens one."""
    at = event.visit.at
    state.visits[:] = [each for each in state.visits if (each.location, each.first, each.last) != (event.location, at, at)]
