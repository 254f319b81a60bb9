"""Refusals about who a member is. ``UnknownMember`` and ``ErasedMember`` are in ``shared.member_state.errors``."""

from __future__ import annotations

from collections.abc import Iterable

from shared.kernel.errors import FieldError, NotFound, StateConflict, Unprocessable


class IdentifierTaken(StateConflict):
    """Somebody has that identifier. The answer does not say who; ``owners`` is for the house alone."""

    code, title = "identifier_taken", "Identifier taken"

    def __init__(self, pointers: Iterable[str], owners: frozenset[str] = frozenset()) -> None:
        errors = tuple(FieldError(pointer, "identifier_taken", "belongs to a member already") for pointer in pointers)
        super().__init__("An identifier belongs to a member already.", errors=errors)
        self.owners = owners


class IdentifierBlocked(StateConflict):
    """The card or number was reported lost. The answer does not say whose it is; it is nobody else's while it is blocked."""

    code, title = "identifier_blocked", "Identifier blocked"


class ProofRequired(Unprocessable):
    """A phone number or address becomes an identifier only when it is proven to be hers."""

    code, title = "proof_required", "Proof required"


class ProviderNotConfigured(Unprocessable):
    """The tenant does not take identity tokens of this provider."""

    code, title = "provider_not_configured", "Identity provider not configured"


class InvalidTimeZone(Unprocessable):
    """There is no such time zone."""

    code, title = "invalid_time_zone", "Invalid time zone"


class ChannelNotConfigured(Unprocessable):
    """The tenant has no application for this channel."""

    code, title = "channel_not_configured", "Channel not configured"


class InvalidDeviceToken(Unprocessable):
    """The push service does not take this token."""

    code, title = "invalid_device_token", "Invalid device token"


class UnknownDevice(NotFound):
    """No such device of this member."""

    code, title = "unknown_device", "Unknown device"


class TooManyAttributes(Unprocessable):
    """More attributes than a member may have."""

    code, title = "too_many_attributes", "Too many attributes"


class TooManyLists(Unprocessable):
    """On more static lists than a member may be."""

    code, title = "too_many_lists", "Too many lists"


class UnknownSegment(NotFound):
    """No such segment in force."""

    code, title = "unknown_segment", "Unknown segment"


class NothingToIdentify(Unprocessable):
    """A member is enrolled with at least one identifier, or an identity token."""

    code, title = "identifier_required", "Identifier required"


class NotEnough(StateConflict):
    """Points cannot be moved or converted now. ``code`` says why."""

    title = "Not possible with these points"

    def __init__(self, code: str) -> None:
        super().__init__(_NOT_ENOUGH[code])
        self.code = code


_NOT_ENOUGH = {
    "insufficient_points": "There are not enough points.",
    "unknown_offer": "What the points would become is not to be had now.",
    "too_many_coupons": "She has as many of these as a member may have.",
    "redemptions_stopped": "Nothing is redeemed for the moment.",
    "offer_stopped": "What the points would become is stopped for the moment.",
}


class NotAllowed(StateConflict):
    """The tenant does not allow it."""

    code, title = "not_allowed", "Not allowed"


class UnknownTier(Unprocessable):
    """No such tier in the programme in force."""

    code, title = "unknown_tier", "Unknown tier"

    def __init__(self, pointer: str) -> None:
        super().__init__(errors=(FieldError(pointer, self.code, "no tier of the programme in force"),))


class ReferralRefused(Unprocessable):
    """The referral code cannot be used. ``errors`` says why."""

    code, title = "referral_refused", "Referral code not accepted"

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail, errors=(FieldError("/referral_code", reason, detail),))
