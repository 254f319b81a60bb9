"""Points become coupons: by themselves as soon as they are there, or as she asks; and back, when a return wants the points. Pure."""

from __future__ import annotations

from typing import Final

from shared.kernel.errors import InvalidValue
from shared.kernel.instants import Instant
from shared.member_state.effects import Effects, LedgerEntry
from shared.member_state.events import PointsConverted
from shared.member_state.model import MemberState
from shared.member_state.promising import give_coupon, may_have, room_for, withdraw_coupon
from shared.member_state.view import FoldView, Promise
from shared.programmes.compiled import Programme
from shared.programmes.terms import Conversion
from shared.wallet import rules as lots
from shared.wallet.model import Posting

MOST_IN_ONE_COMMIT: Final = 5
"""Coupons given in one commit, beyond which automatic conversions wait for the next: each is items of the same transaction."""


def convert_due(state: MemberState, view: FoldView, at: Instant, effects: Effects) -> bool:
    """Make every automatic conversion that her drawable points suffice for, those of most points first.

    One whose offer is not in force, or of which she may have no more, is passed over. Answers whether some are left for another
    commit.
    """
    if not (view.automatic and view.gifts and state.status == "active"):
        return False
    while (found := _next(state, view, at)) is not None:
        if len(effects.promised) >= MOST_IN_ONE_COMMIT:
            return True
        programme, conversion, promise = found
        _convert(state, programme.body.wallet, conversion.id, conversion.points, promise, at, effects, cause=f"convert:{conversion.id}")
    return False


def convert_requested(state: MemberState, event: PointsConverted, view: FoldView, at: Instant, effects: Effects) -> None:
    """The conversions that she asked for, which ``refusal`` had nothing against. ``InvalidValue`` where it had."""
    for coupon in event.coupons:
        promise = may_have(state, view, event.offer, at)
        if promise is None or _drawable(state, event.wallet) < event.points:
            raise InvalidValue(f"the conversion {event.conversion} cannot be made")
        _convert(state, event.wallet, event.conversion, event.points, promise, at, effects, cause=event.cause, coupon=coupon)


def refusal(
    state: MemberState, view: FoldView, conversion: Conversion, times: int, at: Instant, wallet: str | None = None
) -> str | None:
    """Why she cannot have the conversion so many times: ``unknown_offer``, ``too_many_coupons`` (the offer's limit, everybody's, or
    ``most_at_once``) or ``insufficient_points``. ``wallet`` is the programme's; without it, that of the first that lists the conversion.
    """
    promise = view.promise(conversion.offer, at)
    if promise is None or promise.expires_at <= at:
        return "unknown_offer"
    if times > min(conversion.most_at_once, room_for(state, promise)):
        return "too_many_coupons"
    if wallet is None:
        wallet = next((each.body.wallet for each in view.programmes if conversion in each.body.conversions), "points")
    return "insufficient_points" if _drawable(state, wallet) < times * conversion.points else None


def take_back(state: MemberState, wallet: str, missing: int, at: Instant, effects: Effects) -> None:
    """Turn unused vouchers that were bought from a wallet into points again, newest first, until so many have come back.

    The points have their old expiry. What of them has expired since comes back only to expire, and does not count; what pays a debt
    does. One held for a basket, or used, stays as it is.
    """
    unused = [
        coupon_id
        for coupon_id, coupon in state.coupons.items()
        if coupon.state == "active" and coupon.bought and coupon.bought[0].wallet == wallet
    ]
    wanted = _worth(state, wallet) + missing
    for coupon_id in sorted(unused, reverse=True):  # ids of coupons sort by time
        if _worth(state, wallet) >= wanted:
            return
        coupon = withdraw_coupon(state, coupon_id, at, effects, "points_returned")
        postings: list[Posting] = []
        # In the order of drawing: that restores the wallet exactly.
        for bought in coupon.bought:
            returned = Posting(wallet, "give_back", -bought.points, 0, bought.expires_at)
            postings += lots.give_back(state.wallet(wallet), returned, at)
        effects.entries.append(LedgerEntry("give_back", at, tuple(postings), coupon_id))


def _next(state: MemberState, view: FoldView, at: Instant) -> tuple[Programme, Conversion, Promise] | None:
    for programme, conversion in view.automatic:
        if _drawable(state, programme.body.wallet) >= conversion.points:
            promise = may_have(state, view, conversion.offer, at)
            if promise is not None:
                return programme, conversion, promise
    return None


def _convert(
    state: MemberState,
    wallet: str,
    conversion: str,
    points: int,
    promise: Promise,
    at: Instant,
    effects: Effects,
    *,
    cause: str,
    coupon: str | None = None,
) -> None:
    postings = tuple(lots.spend(state.wallet(wallet), wallet, points, kind="convert"))
    id_ = give_coupon(state, promise, at, effects, cause, bought=postings, coupon=coupon)
    effects.entries.append(LedgerEntry("convert", at, postings, id_))
    data: dict[str, object] = {"wallet": wallet, "points": points, "conversion": conversion, "coupon": id_}
    effects.tell("points.converted", at, data, cause)


def _drawable(state: MemberState, name: str) -> int:
    """Vouchers are bought with what she has: an overdraft is for payments."""
    wallet = state.wallets.get(name)
    return lots.spendable(wallet, state.holds, name) if wallet is not None else 0


def _worth(state: MemberState, name: str) -> int:
    """Points in lots less what is owed: what giving back points raises."""
    wallet = state.wallets.get(name)
    return sum(lot.points for lot in wallet.lots) - wallet.debt if wallet is not None else 0
