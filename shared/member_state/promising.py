"""Giving a coupon inside the fold: she has it at once, and its item is written in the same commit (``Effects.promised``). Pure."""

from __future__ import annotations

from shared.kernel.ids import derived_id
from shared.kernel.instants import Instant
from shared.member_state.effects import Effects, PromisedCoupon
from shared.member_state.model import MAX_COUPONS, HeldCoupon, MemberState
from shared.member_state.view import FoldView, Promise
from shared.wallet.model import Posting


def room_for(state: MemberState, promise: Promise) -> int:
    """How many more coupons of the offer she may have: by the offer's own limit, and by how many coupons anyone holds.

    As ``shared.coupons.issuing.check_member_limit`` counts: those held, and one if any was ever redeemed.
    """
    held = sum(1 for each in state.coupons.values() if each.offer == promise.offer)
    of_offer = promise.per_member - held - (promise.offer in state.redeemed)
    return max(min(of_offer, MAX_COUPONS - len(state.coupons)), 0)


def may_have(state: MemberState, view: FoldView, offer: str, at: Instant) -> Promise | None:
    """What her coupon would be; ``None`` if the offer is not in force or she may have no more of them."""
    promise = view.promise(offer, at)
    if promise is None or promise.expires_at <= at or room_for(state, promise) < 1:
        return None
    return promise


def give_coupon(
    state: MemberState,
    promise: Promise,
    at: Instant,
    effects: Effects,
    cause: str,
    *,
    bought: tuple[Posting, ...] = (),
    coupon: str | None = None,
) -> str:
    """Give the coupon that ``may_have`` answered, and tell it; answers its id. ``coupon`` is the id, if it has one already.

    ``bought`` are the points that it was made from, signed as booked.
    """
    id_ = coupon if coupon is not None else _new_id(state, at, effects)
    state.coupons[id_] = HeldCoupon(promise.offer, "active", promise.active_from, promise.expires_at, bought)
    parameters = promise.parameters(state, at)
    effects.promised.append(
        PromisedCoupon(id_, promise.offer, promise.version, promise.active_from, promise.expires_at, cause, parameters)
    )
    effects.tell("coupon.issued", at, {"coupon": id_, "offer": promise.offer}, cause)
    return id_


def withdraw_coupon(state: MemberState, coupon: str, at: Instant, effects: Effects, cause: str) -> HeldCoupon:
    """Take a coupon of hers away again and tell it. One given in this very commit is not written at all."""
    held = state.coupons.pop(coupon)
    kept = [each for each in effects.promised if each.id != coupon]
    if len(kept) == len(effects.promised):
        effects.withdrawn.append(coupon)
    effects.promised[:] = kept
    effects.tell("coupon.voided", at, {"coupon": coupon, "offer": held.offer}, cause)
    return held


def _new_id(state: MemberState, at: Instant, effects: Effects) -> str:
    """Unique by member, version of her state and a running number; the same for every try of a commit that starts from the same."""
    number = len(effects.promised) + len(effects.events)
    while True:
        id_ = derived_id("cpn", at, state.tenant, state.member, str(state.version), str(number))
        if id_ not in state.coupons:
            return id_
        number += 1
