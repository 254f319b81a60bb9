"""Refusals about coupons. The words of the reasons are those of a till's ``refused`` (``shared.coupons.rules.REASONS``)."""

from __future__ import annotations

from shared.coupons.rules import REASONS
from shared.kernel.errors import FieldError, NotFound, StateConflict, Unprocessable


class UnknownOffer(NotFound):
    """No such offer in force in this tenant."""

    code, title = "unknown_offer", "Unknown offer"


class OfferStopped(UnknownOffer):
    """The tenant has stopped this offer: nothing of it is issued until it says so."""

    code, status, title = "offer_stopped", 409, "Offer stopped"


class UnknownCoupon(NotFound):
    """No such coupon in this tenant."""

    code, title = "unknown_coupon", "Unknown coupon"


class CouponRefused(StateConflict):
    """The coupon cannot be used now. The code is ``coupon_`` and the reason: ``coupon_redeemed``, ``coupon_held``, ..."""

    code, title = "coupon_refused", "Coupon not usable"

    def __init__(self, reason: str, pointer: str = "") -> None:
        text = REASONS[reason]
        super().__init__(text, errors=(FieldError(pointer, reason, text),))
        self.code = f"coupon_{reason}"
        self.reason = reason


class TooManyCoupons(StateConflict):
    """The member has as many coupons of the offer as it gives to one member, or as many in all as a member may hold."""

    code, title = "too_many_coupons", "Too many coupons"


class TooManyHolds(StateConflict):
    """The member has as many baskets open as a member may have."""

    code, title = "too_many_holds", "Too many holds"


class NoOffer(StateConflict):
    """A choice among offers gave none: ``kind`` says why (``holdout``, ``none``)."""

    code, title = "no_offer", "No offer"

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind


class AmountNeeded(Unprocessable):
    """The offer has a budget of value: the caller must say what the coupon takes off."""

    code, title = "amount_needed", "Amount needed"


class LocationNeeded(Unprocessable):
    """The offer has a budget for each location, or for groups of them: the caller must say where."""

    code, title = "location_needed", "Location needed"
