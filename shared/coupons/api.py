"""Bodies of the coupons' routes. Codes travel in bodies, never in paths."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictInt, StringConstraints, model_validator

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


class ReleaseCouponRequest(_Use):
    """Give a hold up."""


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
