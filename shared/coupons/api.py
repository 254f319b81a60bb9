"""Bodies of the coupons' routes. Codes travel in bodies, never in paths."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt, StringConstraints, model_validator

from shared.coupons.model import ChoiceKind
from shared.coupons.next_best import NextBest
from shared.coupons.personal import ShownParameter
from shared.programmes.conditions import Channel
from shared.tenants.model import Frozen, Name

Ref = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$")]


class IssueRequest(Frozen):
    """Who gets it: a member, or the bearer where no member is named. ``request_id`` (or an Idempotency-Key) makes it safe to repeat."""

    member_id: str | None = Field(default=None, min_length=1, max_length=64)
    request_id: Ref | None = None


class CouponReference(Frozen):
    """A coupon by its id or printable code."""

    id: str | None = Field(default=None, min_length=1, max_length=64)
    code: str | None = Field(default=None, min_length=4, max_length=64)

    @model_validator(mode="after")
    def _one_of_both(self) -> CouponReference:
        if (self.id is None) == (self.code is None):
            raise ValueError("give either id or code")
        return self

    @property
    def pointer(self) -> str:
        """Where the coupon is named."""
        return "/id" if self.id is not None else "/code"


class _Use(CouponReference):
    basket_id: Ref
    """The till's own id of the basket: it makes the call safe to repeat."""


class _UseHere(_Use):
    location_id: Name | None = Field(default=None, description="required where the offer holds at some locations only")
    channel: Channel | None = Field(default=None, description="required where the offer holds in some channels only")


class HoldCouponRequest(_UseHere):
    """Keep a coupon for a basket."""

    ttl_seconds: Annotated[StrictInt, Field(ge=10, le=86400)] = 600


class RedeemCouponRequest(_UseHere):
    """Use a coupon up for a basket, where the basket itself is not sent: what it must contain is then for the caller to check."""

    member_id: str | None = Field(
        default=None, min_length=1, max_length=64, description="who uses a bearer's coupon: required where the offer has limits per member"
    )
    amount: Annotated[StrictInt, Field(ge=0, le=10**9)] | None = Field(
        default=None, description="what it takes off, minor units: required where the offer has a budget"
    )


class ReleaseCouponRequest(CouponReference):
    """Give a hold up: that of the basket named, or with ``force`` whichever there is, for the reason given (scope ``coupons:release``)."""

    basket_id: Ref | None = None
    force: StrictBool = False
    reason: Name | None = Field(default=None, description="why by force, as a word of the tenant's own (till-broken): events carry it")

    @model_validator(mode="after")
    def _says_whose_or_why(self) -> ReleaseCouponRequest:
        if self.force and self.reason is None:
            raise ValueError("force needs a reason")
        if not self.force and self.basket_id is None:
            raise ValueError("basket_id is required, unless the release is by force")
        return self


class ScoreAnswer(Frozen):
    """Affinity times margin of an offer, in hundredths of minor units (``shared.coupons.next_best``)."""

    offer: str
    score: int


class ChoiceAnswer(Frozen):
    """Why this offer of several, or none."""

    kind: ChoiceKind
    offer: str | None = None
    experiment: str
    scores: tuple[ScoreAnswer, ...] = Field(description="the three highest, best first")
    dropped: dict[str, str] = Field(description="offer -> why it was not available")


class CouponAnswer(Frozen):
    """A coupon as it is now. A hold that has run out counts as active."""

    id: str
    offer_id: str
    offer_version: int
    state: Literal["active", "held", "redeemed", "expired", "void"]
    member_id: str | None = None
    code: str | None = None
    title: str | None = None
    active_from: str
    expires_at: str
    hold_until: str | None = None
    basket_id: str | None = None
    parameters: dict[str, ShownParameter] | None = Field(
        default=None, description="what the offer's personal parameters were fixed to for her, by their place in its terms"
    )
    choice: ChoiceAnswer | None = Field(default=None, description="why this offer, where it was chosen among several")


class NextOfferRequest(Frozen):
    """Choose the next best offer for a member, and give it. ``request_id`` (or an Idempotency-Key) makes it safe to repeat."""

    next_best: NextBest
    request_id: Ref | None = None


class NextOfferAnswer(Frozen):
    """The choice; no coupon where she is held out, or where there was no offer for her."""

    choice: ChoiceAnswer
    coupon: CouponAnswer | None = None
