"""An offer says what a coupon is worth and when; a coupon is one promise to one bearer or member."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from shared.kernel.instants import Instant, parse_rfc3339
from shared.kernel.money import Rounding
from shared.member_state.model import CouponState
from shared.programmes.conditions import Channel
from shared.programmes.selectors import Selector
from shared.tenants.model import Frozen, Label, Language, Name

CODE_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""No look-alikes (0 O, 1 I L U)."""


class PercentOff(Frozen):
    """A percentage off the scoped lines: of their total, or rounded for every unit by itself."""

    kind: Literal["percent"] = "percent"
    percent: int = Field(ge=1, le=100)
    round_per: Literal["total", "unit"] = "total"
    rounding: Rounding = "half_up"


class AmountOff(Frozen):
    """An amount off the scoped lines together, never more than they cost."""

    kind: Literal["amount"] = "amount"
    amount: int = Field(ge=1, le=10**9, description="minor units")


class UnitPrice(Frozen):
    """Up to ``units`` of the scoped lines, dearest first, for this price each."""

    kind: Literal["unit_price"] = "unit_price"
    price: int = Field(ge=0, le=10**9, description="minor units")
    units: int = Field(default=1, ge=1, le=100)


class FreeItem(Frozen):
    """Units of one item for nothing: taken from what is in the basket, or added to it by the till (``added_items`` of the answer)."""

    kind: Literal["free_item"] = "free_item"
    item: str = Field(min_length=1, max_length=64)
    units: int = Field(default=1, ge=1, le=100)
    how: Literal["from_basket", "added"] = "from_basket"


class Voucher(Frozen):
    """An amount to pay with. What a smaller bill leaves is lost, is kept on the same code, or the voucher is refused.

    As a discount it lowers the lines, and with them the tax; as a tender it pays the bill as it is.
    """

    kind: Literal["voucher"] = "voucher"
    value: int = Field(ge=1, le=10**9, description="minor units")
    remainder: Literal["lost", "kept", "refused"] = "lost"
    counts_as: Literal["discount", "tender"] = "discount"


Effect = Annotated[PercentOff | AmountOff | UnitPrice | FreeItem | Voucher, Field(discriminator="kind")]


class Content(Frozen):
    """What the guest reads."""

    title: Label
    text: str = Field(default="", max_length=2000)
    terms: str = Field(default="", max_length=5000)


class OfferBody(Frozen):
    """One version of an offer."""

    name: Label
    effect: Effect
    scope: Selector = Selector()
    minimum_basket: int = Field(default=0, ge=0, le=10**9, description="minor units, before this coupon's discount")
    minimum_counts: Literal["before_discounts", "after_discounts"] = Field(
        default="after_discounts", description="of the coupons that were applied before it"
    )
    maximum_discount: int | None = Field(default=None, ge=1, le=10**9)
    starts_after_days: int = Field(default=0, ge=0, le=365, description="activation delay after issue")
    valid_days: int = Field(default=30, ge=1, le=3650, description="days from activation, to the end of the last local day")
    valid_until: str | None = Field(default=None, description="RFC 3339; whatever is earlier holds")
    locations: tuple[Name, ...] = Field(default=(), max_length=500)
    channels: tuple[Channel, ...] = ()
    per_member: int = Field(default=1, ge=1, le=100, description="coupons of this offer that a member may hold or have used")
    limit: int | None = Field(default=None, ge=1, le=100_000_000, description="redemptions in all")
    exclusive: bool = Field(default=False, description="not together with another coupon")
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
