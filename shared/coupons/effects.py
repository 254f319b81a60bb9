"""What an offer does to a basket: one model an effect. Amounts are minor units, percentages whole."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from shared.kernel.money import Rounding
from shared.programmes.selectors import Selector
from shared.tenants.model import Frozen, Name

Times = Annotated[int, Field(ge=1, le=1000)]
Percent = Annotated[int, Field(ge=1, le=100)]
Amount = Annotated[int, Field(ge=1, le=10**9, description="minor units")]


class PercentOff(Frozen):
    """A percentage off the scoped lines: of their total, or rounded for every unit by itself."""

    kind: Literal["percent"] = "percent"
    percent: Percent
    round_per: Literal["total", "unit"] = "total"
    rounding: Rounding = "half_up"


class AmountOff(Frozen):
    """An amount off the scoped lines together, never more than they cost."""

    kind: Literal["amount"] = "amount"
    amount: Amount


class AmountPerUnit(Frozen):
    """An amount off each whole unit, of at most ``units`` of them, dearest first; no unit costs less than nothing."""

    kind: Literal["amount_per_unit"] = "amount_per_unit"
    amount: Amount
    units: Times | None = None


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


class CheapestFree(Frozen):
    """Of every ``of`` units the cheapest ``free`` cost nothing (three for two). Groups are made dearest first."""

    kind: Literal["cheapest_free"] = "cheapest_free"
    of: int = Field(default=3, ge=2, le=100)
    free: int = Field(default=1, ge=1, le=99)
    times: Times | None = None

    @model_validator(mode="after")
    def _some_are_paid(self) -> CheapestFree:
        if self.free >= self.of:
            raise ValueError("at least one of the group is paid")
        return self


class NthItem(Frozen):
    """Every ``n``-th unit, counted dearest first, for ``percent`` less (the second for half)."""

    kind: Literal["nth_item"] = "nth_item"
    n: int = Field(default=2, ge=2, le=100)
    percent: Percent = 50
    rounding: Rounding = "half_up"
    times: Times | None = None


class BuyGet(Frozen):
    """For every ``buy_units`` of what is bought (dearest first), ``get_units`` of what is got for ``percent`` less."""

    kind: Literal["buy_x_get_y"] = "buy_x_get_y"
    buy: Selector = Selector()
    buy_units: int = Field(default=1, ge=1, le=100)
    get: Selector = Selector()
    get_units: int = Field(default=1, ge=1, le=100)
    get_which: Literal["cheapest", "dearest"] = "cheapest"
    percent: Percent = 100
    rounding: Rounding = "half_up"
    times: Times = 1


class BundlePart(Frozen):
    """So many units of these."""

    on: Selector
    units: int = Field(default=1, ge=1, le=100)


class BundlePrice(Frozen):
    """The parts together for one price, the dearest that are in the basket; never more than they would cost."""

    kind: Literal["bundle_price"] = "bundle_price"
    parts: tuple[BundlePart, ...] = Field(min_length=1, max_length=10)
    price: int = Field(ge=0, le=10**9, description="minor units")
    times: Times = 1


class Voucher(Frozen):
    """An amount to pay with. What a smaller bill leaves is lost, is kept on the same code, or the voucher is refused.

    As a discount it lowers the lines, and with them the tax; as a tender it pays the bill as it is.
    """

    kind: Literal["voucher"] = "voucher"
    value: Amount
    remainder: Literal["lost", "kept", "refused"] = "lost"
    counts_as: Literal["discount", "tender"] = "discount"


class ExtraPoints(Frozen):
    """Points of a programme beside its rules: once, or for every whole unit of the scoped lines. No multiplier multiplies them."""

    kind: Literal["extra_points"] = "extra_points"
    programme: Name
    points: int = Field(ge=1, le=1_000_000)
    per: Literal["basket", "unit"] = "basket"
    units: Times | None = Field(default=None, description="at most so many units count, in the order of the lines")

    @model_validator(mode="after")
    def _units_are_counted(self) -> ExtraPoints:
        if self.units is not None and self.per == "basket":
            raise ValueError("units says how many count where points are given per unit")
        return self


class PointsMultiplier(Frozen):
    """More of the points that a programme's rules give for the scoped lines; it stands beside the programme's own multipliers."""

    kind: Literal["points_multiplier"] = "points_multiplier"
    programme: Name
    percent: int = Field(ge=101, le=10_000, description="200 doubles")
    of: tuple[Name, ...] = Field(default=(), max_length=50, description="the programme's rules that it multiplies; none: all")
    rounding: Rounding = "floor"


GIVES_POINTS: Final = (ExtraPoints, PointsMultiplier)
"""The effects that take nothing off."""

Effect = Annotated[
    PercentOff
    | AmountOff
    | AmountPerUnit
    | UnitPrice
    | FreeItem
    | CheapestFree
    | NthItem
    | BuyGet
    | BundlePrice
    | Voucher
    | ExtraPoints
    | PointsMultiplier,
    Field(discriminator="kind"),
]
