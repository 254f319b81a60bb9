"""An offer says what a coupon is worth and when; a coupon is one promise to one bearer or member."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from pydantic import Field, model_validator

from shared.coupons.effects import Effect
from shared.kernel.instants import Instant, parse_rfc3339
from shared.member_state.model import CouponState
from shared.programmes.conditions import ALWAYS, When
from shared.programmes.selectors import Selector
from shared.tenants.model import Frozen, Label, Language, Name

CODE_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""No look-alikes (0 O, 1 I L U)."""


class Content(Frozen):
    """What the guest reads."""

    title: Label
    text: str = Field(default="", max_length=2000)
    terms: str = Field(default="", max_length=5000)


class Stacking(Frozen):
    """What an offer may stand beside. Of a ``group`` only one is used; ``combines_with`` names the groups that it goes with (none: all)."""

    priority: int = Field(default=0, ge=-1000, le=1000, description="the higher works first")
    group: Name | None = None
    exclusive: bool = Field(default=False, description="not together with any other")
    combines_with: tuple[Name, ...] | None = Field(default=None, max_length=20)


ANY: Final = Stacking()


class OfferBody(Frozen):
    """One version of an offer."""

    name: Label
    effect: Effect
    scope: Selector = Selector()
    minimum_basket: int = Field(default=0, ge=0, le=10**9, description="minor units, before this coupon's discount")
    minimum_quantity: int = Field(default=0, ge=0, le=10**6, description="whole units")
    minimum_of: Selector = Field(default=Selector(), description="the lines that the minimum is about")
    minimum_counts: Literal["before_discounts", "after_discounts"] = Field(
        default="after_discounts", description="of the coupons that were applied before it"
    )
    maximum_discount: int | None = Field(default=None, ge=1, le=10**9)
    starts_after_days: int = Field(default=0, ge=0, le=365, description="activation delay after issue")
    valid_days: int = Field(default=30, ge=1, le=3650, description="days from activation, to the end of the last local day")
    valid_until: str | None = Field(default=None, description="RFC 3339; whatever is earlier holds")
    when: When = ALWAYS
    per_member: int = Field(default=1, ge=1, le=100, description="coupons of this offer that a member may hold or have used")
    limit: int | None = Field(default=None, ge=1, le=100_000_000, description="redemptions in all")
    stacking: Stacking = ANY
    on_return: Literal["reissue", "keep"] = Field(
        default="reissue", description="reissue: active again when everything it discounted came back; keep: it stays redeemed"
    )
    content: dict[Language, Content] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _valid_until_is_a_time(self) -> OfferBody:
        if self.valid_until is not None:
            parse_rfc3339(self.valid_until)
        return self


@dataclass(frozen=True, slots=True)
class Coupon:
    """A coupon as its item says. ``version`` grows with every change."""

    id: str
    offer: str
    offer_version: int
    state: CouponState
    member: str | None
    active_from: Instant
    expires_at: Instant
    version: int = 1
    hold_until: Instant | None = None
    hold_basket: str | None = None
    redeemed_basket: str | None = None
    quota_shard: int | None = None
    left: int | None = None
    """What is left of a voucher that was used in part, minor units; none: all of it."""
    code: str | None = None
    """The printable code at its issue; it is stored nowhere (``shared.coupons.issuing.printable_code``)."""
    issued_by: str | None = None
