"""What each event does to the state, one function an event. Each answers its cause: the type that flips are put down to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Literal

from shared.kernel.errors import InvalidValue
from shared.kernel.instants import Instant, local_day
from shared.member_state import events as happened
from shared.member_state.events import Effects, LedgerEntry, MemberEvent
from shared.member_state.model import (
    MAX_ATTRIBUTES,
    MAX_COUPONS,
    MAX_DEVICES,
    MAX_HOLDS,
    MAX_REDEEMED,
    MAX_TOUCHES,
    HeldCoupon,
    MemberState,
    Touch,
)
from shared.member_state.tiers import points_dimension, settle_tier
from shared.member_state.view import FoldView
from shared.profile.model import Visit
from shared.profile.rules import add_visit, spill
from shared.wallet import rules as lots
from shared.wallet.model import Hold, Posting, Wallet


def handle(state: MemberState, event: MemberEvent, view: FoldView, at: Instant, effects: Effects) -> str:
    """Apply one event at ``at``; answers the type that caused what follows."""
    return _HANDLERS[type(event)](state, event, view, at, effects)


def entry(kind: str, at: Instant, postings: Iterable[Posting], reference: str | None = None) -> LedgerEntry:
    """A ledger entry."""
    return LedgerEntry(kind, at, tuple(postings), reference)


def wallet_of(state: MemberState, name: str) -> Wallet:
    """The member's wallet, made when first needed."""
    return state.wallets.setdefault(name, Wallet())


def release_hold(state: MemberState, hold_id: str, at: Instant, effects: Effects, type_: str) -> None:
    """Points and coupons of a hold are free again."""
    hold = state.holds.pop(hold_id)
    for coupon_id in hold.coupons:
        if coupon_id in state.coupons and state.coupons[coupon_id].state == "held":
            state.coupons[coupon_id].state = "active"
    effects.tell(type_, at, {"hold": hold_id, "points": hold.points})


def _time_passed(_state: MemberState, _event: happened.TimePassed, _view: FoldView, _at: Instant, _effects: Effects) -> str:
    return "time"


def _registered(state: MemberState, event: happened.Registered, view: FoldView, at: Instant, effects: Effects) -> str:
    state.joined_at, state.join_source, state.join_location = at, event.source, event.location
    state.identifier_kinds, state.known = list(event.identifier_kinds), sorted(event.known)
    state.attributes, state.consents = dict(event.attributes), dict(event.consents)
    state.epoch = view.epoch
    effects.tell("member.registered", at, {"source": event.source, "location": event.location})
    return "member.registered"


def _profile_changed(state: MemberState, event: happened.ProfileChanged, _view: FoldView, at: Instant, effects: Effects) -> str:
    state.known = sorted(event.known)
    for name, value in event.attributes.items():
        if value is None:
            state.attributes.pop(name, None)
        else:
            state.attributes[name] = value
    if len(state.attributes) > MAX_ATTRIBUTES:
        raise InvalidValue(f"a member has at most {MAX_ATTRIBUTES} attributes")
    changed = sorted({*event.fields, *event.attributes})
    effects.tell("member.updated", at, {"fields": changed}, event.cause or None)
    return "member.updated"


def _consents_changed(state: MemberState, event: happened.ConsentsChanged, _view: FoldView, at: Instant, effects: Effects) -> str:
    changed = {key: consent.granted for key, consent in event.consents.items()}
    state.consents.update(event.consents)
    effects.tell("consent.changed", at, {"consents": changed})
    return "consent.changed"


def _devices_changed(state: MemberState, event: happened.DevicesChanged, _view: FoldView, at: Instant, effects: Effects) -> str:
    state.devices = list(event.devices)[-MAX_DEVICES:]
    if state.devices:
        state.suppressed.pop("push", None)
    effects.tell("member.devices_changed", at, {"devices": len(state.devices)})
    return "member.devices_changed"


def _identifier_added(state: MemberState, event: happened.IdentifierAdded, _view: FoldView, at: Instant, effects: Effects) -> str:
    state.identifier_kinds = sorted({*state.identifier_kinds, event.kind})
    effects.tell("member.identifier_added", at, {"kind": event.kind})
    return "member.identifier_added"


def _purchased(state: MemberState, event: happened.Purchased, view: FoldView, at: Instant, effects: Effects) -> str:
    postings: list[Posting] = []
    if event.hold is not None and event.hold in state.holds:
        del state.holds[event.hold]
    for name, points in event.spent.items():
        postings += lots.spend(wallet_of(state, name), name, points)
    for posting in event.earned:
        postings += lots.earn(wallet_of(state, posting.wallet), posting, at)
    # A late purchase may have earned points that have matured or expired since: settle them with it.
    for name, wallet in state.wallets.items():
        _, expired = lots.settle(wallet, name, at)
        postings += expired
    for coupon_id in event.redeemed:
        _forget_redeemed(state, coupon_id, at, effects)
    _count(state, event.visit, event.earned, view, at, effects, sign=1)
    if postings:
        effects.entries.append(entry("purchase", event.at, postings, event.transaction))
    earned = {posting.wallet: posting.points for posting in event.earned}
    data: dict[str, object] = {"transaction": event.transaction, "value": event.visit.value, "earned": earned, "spent": dict(event.spent)}
    effects.tell("transaction.recorded", event.at, data | {"location": event.location, "channel": event.channel})
    settle_tier(state, view, at, effects)
    return "transaction.recorded"


def _reversed(state: MemberState, event: happened.Reversed, view: FoldView, at: Instant, effects: Effects) -> str:
    postings: list[Posting] = []
    for posting in event.spent:
        returned = Posting(posting.wallet, "give_back", -posting.points, 0, posting.expires_at)
        postings += lots.give_back(wallet_of(state, posting.wallet), returned, at)
    for name in dict.fromkeys(posting.wallet for posting in event.earned):
        postings += lots.reverse(wallet_of(state, name), name, [each for each in event.earned if each.wallet == name])
    for coupon_id, coupon in event.reissued.items():
        state.redeemed.pop(coupon.offer, None)
        if coupon.expires_at > at:
            state.coupons[coupon_id] = coupon
    _count(state, event.visit, event.earned, view, at, effects, sign=-1, recompute=event.kind == "void")
    if postings:
        effects.entries.append(entry(event.kind, event.at, postings, event.transaction))
    type_ = "transaction.returned" if event.kind == "return" else "transaction.voided"
    effects.tell(type_, event.at, {"transaction": event.transaction, "value": event.visit.value})
    settle_tier(state, view, at, effects)
    return type_


def _count(
    state: MemberState,
    visit: Visit,
    earned: Iterable[Posting],
    view: FoldView,
    at: Instant,
    effects: Effects,
    *,
    sign: Literal[1, -1],
    recompute: bool = False,
) -> None:
    """The purchase in its daily cell, with the points it earned as a dimension for tiers."""
    points: dict[str, int] = {}
    for posting in earned:
        points[points_dimension(posting.wallet)] = points.get(points_dimension(posting.wallet), 0) + posting.points
    # Points first: a cell keeps a bounded number of dimensions, and tiers must not lose theirs.
    booked = replace(visit, by=points | visit.by)
    in_history = add_visit(state.profile, booked, view.zone, sign, recompute=recompute)
    effects.history_changed |= spill(state.profile, local_day(at, view.zone)) or in_history


def _forget_redeemed(state: MemberState, coupon_id: str, at: Instant, effects: Effects) -> None:
    coupon = state.coupons.pop(coupon_id, None)
    offer = coupon.offer if coupon else ""
    if offer:
        state.redeemed.pop(offer, None)
        state.redeemed[offer] = at
        while len(state.redeemed) > MAX_REDEEMED:
            del state.redeemed[next(iter(state.redeemed))]
    effects.tell("coupon.redeemed", at, {"coupon": coupon_id, "offer": offer})


def _coupon_issued(state: MemberState, event: happened.CouponIssued, _view: FoldView, at: Instant, effects: Effects) -> str:
    if len(state.coupons) >= MAX_COUPONS:
        raise InvalidValue(f"a member holds at most {MAX_COUPONS} coupons")
    state.coupons[event.coupon] = HeldCoupon(event.offer, "active", event.active_from, event.expires_at)
    effects.tell("coupon.issued", at, {"coupon": event.coupon, "offer": event.offer}, event.cause or None)
    return "coupon.issued"


def _coupon_changed(state: MemberState, event: happened.CouponChanged, _view: FoldView, at: Instant, effects: Effects) -> str:
    if event.to == "redeemed":
        _forget_redeemed(state, event.coupon, at, effects)
        return "coupon.redeemed"
    coupon = state.coupons.get(event.coupon)
    if coupon is not None and event.to == "void":
        del state.coupons[event.coupon]
    elif coupon is not None:
        coupon.state = event.to
    type_ = {"held": "coupon.held", "active": "coupon.released", "void": "coupon.voided"}[event.to]
    effects.tell(type_, at, {"coupon": event.coupon, "offer": coupon.offer if coupon else ""})
    return type_


def _hold_placed(state: MemberState, event: happened.HoldPlaced, _view: FoldView, at: Instant, effects: Effects) -> str:
    if event.hold not in state.holds and len(state.holds) >= MAX_HOLDS:
        raise InvalidValue(f"a member has at most {MAX_HOLDS} holds")
    state.holds[event.hold] = Hold(event.wallet, event.points, event.until, event.coupons)
    for coupon_id in event.coupons:
        if coupon_id in state.coupons:
            state.coupons[coupon_id].state = "held"
    effects.tell("hold.placed", at, {"hold": event.hold, "points": event.points})
    return "hold.placed"


def _hold_released(state: MemberState, event: happened.HoldReleased, _view: FoldView, at: Instant, effects: Effects) -> str:
    if event.hold in state.holds:
        release_hold(state, event.hold, at, effects, "hold.released")
    return "hold.released"


def _touched(state: MemberState, event: happened.Touched, _view: FoldView, at: Instant, effects: Effects) -> str:
    state.touches.insert(0, Touch(event.campaign, event.step, event.channel, at))
    del state.touches[MAX_TOUCHES:]
    effects.tell("message.claimed", at, {"campaign": event.campaign, "step": event.step, "channel": event.channel})
    return "message.claimed"


def _responded(state: MemberState, event: happened.Responded, _view: FoldView, at: Instant, effects: Effects) -> str:
    touch = next((each for each in state.touches if (each.campaign, each.step) == (event.campaign, event.step)), None)
    if touch is not None and event.type == "message.opened":
        touch.opened_at = touch.opened_at or at
    if touch is not None and event.type == "message.clicked":
        touch.opened_at, touch.clicked_at = touch.opened_at or at, touch.clicked_at or at
    data: dict[str, object] = dict(event.properties)
    if event.campaign:
        data |= {"campaign": event.campaign, "step": event.step}
    effects.tell(event.type, event.at, data)
    return event.type


_HANDLERS: dict[type, Callable[[MemberState, Any, FoldView, Instant, Effects], str]] = {
    happened.TimePassed: _time_passed,
    happened.Registered: _registered,
    happened.ProfileChanged: _profile_changed,
    happened.ConsentsChanged: _consents_changed,
    happened.DevicesChanged: _devices_changed,
    happened.IdentifierAdded: _identifier_added,
    happened.Purchased: _purchased,
    happened.Reversed: _reversed,
    happened.CouponIssued: _coupon_issued,
    happened.CouponChanged: _coupon_changed,
    happened.HoldPlaced: _hold_placed,
    happened.HoldReleased: _hold_released,
    happened.Touched: _touched,
    happened.Responded: _responded,
}
