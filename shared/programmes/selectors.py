"""Which lines of a basket a rule is about."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from shared.tenants.model import Frozen, Name

LineKind = Literal["item", "modifier", "delivery", "service_charge", "tip", "deposit", "gift_card_sale", "rounding"]
TenderKind = Literal["cash", "card", "gift_card", "points", "voucher", "other"]
EARNING_KINDS: tuple[LineKind, ...] = ("item", "modifier")


class Selector(Frozen):
    """Any of the named items, categories or tags, of a unit price inside the band. An empty selector means every line."""

    items: tuple[Annotated[str, Field(max_length=64)], ...] = Field(default=(), max_length=200)
    categories: tuple[Name, ...] = Field(default=(), max_length=50)
    tags: tuple[Name, ...] = Field(default=(), max_length=50)
    price_from: int | None = Field(default=None, ge=0, le=10**12, description="minor units, of one unit, included")
    price_below: int | None = Field(default=None, ge=1, le=10**12, description="minor units, of one unit, not included")

    @model_validator(mode="after")
    def _band(self) -> Selector:
        if self.price_from is not None and self.price_below is not None and self.price_from >= self.price_below:
            raise ValueError("price_from must be less than price_below")
        return self

    @property
    def named(self) -> bool:
        """Whether it names items, categories or tags."""
        return bool(self.items or self.categories or self.tags)

    @property
    def everything(self) -> bool:
        """Whether it selects every line."""
        return not self.named and self.price_from is None and self.price_below is None
