"""A decided basket and a recorded sale, as the house keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from shared.coupons.model import Coupon, OfferBody
from shared.kernel.ids import natural_id
from shared.kernel.instants import Instant
from shared.profile.model import Visit
from shared.programmes.lines import Line
from shared.programmes.rules import Programme, Step
from shared.tenants.model import CatalogueItem
from shared.wallet.model import Posting

SaleStatus = Literal["recorded", "returned", "voided"]


@dataclass(frozen=True, slots=True)
class NaturalKey:
    """Receipt numbers restart daily: only together these name a sale."""

    source: str
    location: str
    business_date: str
    till: str
    receipt: str

    def text(self) -> str:
        """Everything behind the source, as one text."""
        parts = (self.location, self.business_date, self.till, self.receipt)
        return "|".join(part.replace("%", "%25").replace("|", "%7C") for part in parts)

    def id(self, prefix: str) -> str:
        """The id that is this key, so that no index is read."""
        return natural_id(prefix, (self.source, self.location, self.business_date, self.till, self.receipt))


@dataclass(frozen=True, slots=True)
class PresentedCoupon:
    """A coupon on a basket with its offer; ``reference`` is what the till sent (shown in refusals), never the code."""

    reference: str
    coupon: Coupon | None
    offer: OfferBody | None


@dataclass(frozen=True, slots=True)
class Warned:
    """Stored as sent, but worth a look."""

    code: str
    pointer: str
    detail: str


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Everything that a decision depends on beside the basket: definitions of the instant, and the member's numbers."""

    now: Instant
    at: Instant
    zone: str
    currency: str
    programmes: tuple[Programme, ...]
    catalogue: Mapping[str, CatalogueItem]
    locations: frozenset[str]
    member: str | None = None
    tier: str | None = None
    balances: Mapping[str, int] = field(default_factory=dict)
    basket: str | None = None
    """The hold whose points and coupons this basket may use."""
    historical: bool = False
    """An imported sale: nothing about categories or members is asked of the till."""


@dataclass(frozen=True, slots=True)
class CouponDiscount:
    """What one coupon took off."""

    coupon: Coupon
    amount: int
    lines: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A coupon or points that this basket cannot use."""

    subject: str
    code: str
    detail: str


@dataclass(slots=True)
class Decided:
    """A priced basket: what each line costs, what was refused and why, what it earns and spends."""

    lines: list[Line]
    discounts: list[CouponDiscount] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    earned: list[Posting] = field(default_factory=list)
    spent: dict[str, int] = field(default_factory=dict)
    paid_with_points: int = 0
    near_misses: list[str] = field(default_factory=list)
    visit: Visit | None = None

    @property
    def amount(self) -> int:
        """Before our discounts."""
        return sum(line.amount for line in self.lines)

    @property
    def discount(self) -> int:
        """What coupons took off."""
        return sum(each.amount for each in self.discounts)

    @property
    def due(self) -> int:
        """What remains to be paid by other tenders."""
        return self.amount - self.discount - self.paid_with_points
