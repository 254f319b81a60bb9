"""Refusals of the counter. None says whose card it is, or any number of hers."""

from __future__ import annotations

from collections.abc import Iterable

from shared.counter.model import Way
from shared.kernel.errors import FieldError, NotFound, StateConflict, TooManyRequests, Unprocessable

_HINTS: dict[Way, str] = {
    "qr": "identify her again by the rotating code of her app, and send the identification",
    "app": "POST /v1/confirmations with way app: she approves in the app",
    "sms": "POST /v1/confirmations with way sms: she tells the code that is sent to her",
    "email": "POST /v1/confirmations with way email: she tells the code that is sent to her",
}


class ConfirmationRequired(StateConflict):
    """More is spent than her phone number, address or card proves. ``errors`` lists the ways in which she can confirm it."""

    code, title = "confirmation_required", "Confirmation required"

    def __init__(self, ways: Iterable[Way], pointer: str = "/confirmation_id") -> None:
        errors = tuple(FieldError(pointer, f"confirm_by_{way}", _HINTS[way]) for way in ways)
        super().__init__("Spending this much needs her confirmation; then send the same again with it.", errors=errors)


class ConfirmationNotUsable(StateConflict):
    """The confirmation was used, refused, is over, or is for another member, place or less. Nothing was stored."""

    code, title = "confirmation_not_usable", "Confirmation not usable"

    def __init__(self, reason: str) -> None:
        hint = FieldError("/confirmation_id", reason, _REASONS[reason])
        super().__init__("Ask for another confirmation.", errors=(hint,))


_REASONS = {
    "unknown": "there is none of this member",
    "used": "it was used",
    "refused": "she refused",
    "not_confirmed": "she has not confirmed yet",
    "expired": "its time is over",
    "other_location": "it is for another location",
    "too_much": "it is for less",
}


class UnknownConfirmation(NotFound):
    """No such confirmation."""

    code, title = "unknown_confirmation", "Unknown confirmation"


class WayNotAvailable(Unprocessable):
    """She cannot confirm in this way."""

    code, title = "way_not_available", "Way not available"


class TooManyConfirmations(TooManyRequests):
    """As many as one member is asked for at once are open."""

    code, title = "too_many_confirmations", "Too many confirmations"


class QrRefused(Unprocessable):
    """Not the rotating code of a member of this tenant, or one whose time is over: ``errors`` says which."""

    code, title = "qr_refused", "QR code refused"

    def __init__(self, reason: str) -> None:
        super().__init__("Let her app show the code again.", errors=(FieldError("/qr", reason, "not a code that is good now"),))


class NotUnderReview(StateConflict):
    """The purchase was not flagged."""

    code, title = "not_under_review", "Not under review"


class AlreadyReviewed(StateConflict):
    """Somebody has decided otherwise, or its time is over and it counts as approved."""

    code, title = "already_reviewed", "Already reviewed"
