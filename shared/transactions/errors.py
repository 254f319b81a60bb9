"""Refusals about sales."""

from __future__ import annotations

from shared.kernel.errors import ConcurrentUpdate, FieldError, NotFound, StateConflict, Unprocessable
from shared.transactions.model import Refused


class UnknownTransaction(NotFound):
    """No such sale in this tenant."""

    code, title = "unknown_transaction", "Unknown transaction"


class UnknownLocation(NotFound):
    """Not one of the tenant's locations."""

    code, title = "unknown_location", "Unknown location"


class RequestReused(Unprocessable):
    """The same natural key (or idempotency key) with another body."""

    code, title = "request_reused", "Request key reused with another body"


class OccurredInFuture(Unprocessable):
    """More than five minutes ahead of our clock."""

    code, title = "occurred_in_future", "occurred_at lies in the future"


class SaleRefused(StateConflict):
    """A coupon or points that the till counted on cannot be used. Nothing is stored; ``errors`` says what and why."""

    code, title = "not_redeemable", "Coupon or points not usable"

    def __init__(self, refused: list[Refused]) -> None:
        errors = tuple(FieldError(f"/{each.subject}", each.code, each.detail) for each in refused)
        super().__init__("Send the sale again without what is listed, or with what can be used.", errors=errors)
        self.refused = refused


class AlreadyReversed(StateConflict):
    """The sale was returned or voided before."""

    code, title = "already_reversed", "Already returned or voided"


class SaleArrived(ConcurrentUpdate):
    """The sale that a return was about to wait for came at the same moment. Safe to repeat."""

    code, title = "sale_arrived", "The sale has just arrived"


class TooManyWaiting(StateConflict):
    """More returns than anybody makes wait for one sale."""

    code, title = "too_many_returns", "Too many returns wait for this sale"


class NotClaimable(StateConflict):
    """The sale has a member, was reversed, or is too old to be claimed."""

    code, title = "not_claimable", "Cannot be claimed"


class UnknownHold(NotFound):
    """No such hold."""

    code, title = "unknown_hold", "Unknown hold"


class HoldNotUsable(StateConflict):
    """The hold was released, committed, has expired, or is another member's."""

    code, title = "hold_not_usable", "Hold not usable"


class MemberNeeded(Unprocessable):
    """This needs a member, and none was found."""

    code, title = "member_needed", "Member needed"
