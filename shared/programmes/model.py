"""A programme: how purchases earn points, what points are worth, and the tiers.

Every rule names its rounding. Amounts are minor units, points whole numbers, factors whole percent.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from shared.kernel.money import Rounding
from shared.tenants.model import Frozen, Label, Name

LineKind = Literal["item", "modifier", "delivery", "service_charge", "tip", "deposit", "gift_card_sale", "rounding"]
EARNING_KINDS: tuple[LineKind, ...] = ("item", "modifier")


class Selector(Frozen):
    """Which lines a rule is about: any of the named items, categories or tags; an empty selector means every line."""

    items: tuple[str, ...] = Field(default=(), max_length=200)
    categories: tuple[Name, ...] = Field(default=(), max_length=50)
    tags: tuple[Name, ...] = Field(default=(), max_length=50)

    @property
    def everything(self) -> bool:
        """Whether it selects every line."""
        return not (self.items or self.categories or self.tags)


class PerAmount(Frozen):
    """``points`` for every ``per`` minor units of the matched lines' net amount, as one sum."""

    kind: Literal["per_amount"] = "per_amount"
    id: Name
    points: int = Field(ge=1, le=1_000_000)
    per: int = Field(ge=1, le=10**9, description="minor units")
    rounding: Rounding = "floor"
    on: Selector = Selector()


class PerItem(Frozen):
    """``points`` for every whole unit of a matched line."""

    kind: Literal["per_item"] = "per_item"
    id: Name
    points: int = Field(ge=1, le=1_000_000)
    on: Selector = Selector()


class PerVisit(Frozen):
    """``points`` for a purchase whose earning base is at least ``minimum``."""

    kind: Literal["per_visit"] = "per_visit"
    id: Name
    points: int = Field(ge=1, le=1_000_000)
    minimum: int = Field(default=1, ge=0, le=10**9, description="minor units")


EarningRule = Annotated[PerAmount | PerItem | PerVisit, Field(discriminator="kind")]


class TierRule(Frozen):
    """Reached by points earned in the last ``window_days`` local days; multiplies what rules give."""

    id: Name
    name: Label
    threshold: int = Field(ge=0, le=10**9, description="points earned inside the window")
    multiplier_percent: int = Field(default=100, ge=100, le=1000)
    valid_days: int = Field(default=365, ge=1, le=3650, description="days it is kept after it was last reached")


class Expiry(Frozen):
    """Points become available ``pending_days`` after the purchase and expire at the end of the local day ``days`` after it."""

    pending_days: int = Field(default=0, ge=0, le=365)
    days: int | None = Field(default=None, ge=1, le=3650, description="none: they never expire")

    @model_validator(mode="after")
    def _after_pending(self) -> Expiry:
        if self.days is not None and self.days <= self.pending_days:
            raise ValueError("points would expire before they become available")
        return self


class Spending(Frozen):
    """Points as payment: ``points`` are worth ``value`` minor units."""

    points: int = Field(default=1, ge=1, le=1_000_000)
    value: int = Field(ge=1, le=10**9)
    minimum: int = Field(default=1, ge=1, description="points in one basket")
    max_share_percent: int = Field(default=100, ge=1, le=100, description="of the bill after discounts")
    excluded: Selector | None = None


class ProgrammeBody(Frozen):
    """One version of a programme."""

    name: Label
    wallet: Name = "points"
    earning: tuple[EarningRule, ...] = Field(min_length=1, max_length=100)
    excluded: Selector | None = Field(default=None, description="lines that earn nothing")
    earning_kinds: tuple[LineKind, ...] = EARNING_KINDS
    expiry: Expiry = Expiry()
    spending: Spending | None = None
    tiers: tuple[TierRule, ...] = Field(default=(), max_length=10)
    tier_window_days: int = Field(default=365, ge=1, le=400)

    @model_validator(mode="after")
    def _consistent(self) -> ProgrammeBody:
        ids = [rule.id for rule in self.earning]
        if len(set(ids)) != len(ids):
            raise ValueError("two earning rules have the same id")
        thresholds = [tier.threshold for tier in self.tiers]
        if thresholds != sorted(set(thresholds)):
            raise ValueError("tiers must be listed by rising threshold")
        return self
