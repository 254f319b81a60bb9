"""A decided basket and a recorded sale, as the house keeps them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from shared.coupons.model import Coupon, OfferBody, OfferTerms, Promotion
from shared.coupons.promotions import NO_PROMOTIONS, Promotions
from shared.coupons.stacking import Objective
from shared.kernel.ids import natural_id
from shared.kernel.instants import Instant
from shared.profile.model import Visit
from shared.programmes.compiled import Programme
from shared.programmes.conditions import MemberFacts, Scene
from shared.programmes.extras import Extra
from shared.programmes.lines import Line
from shared.programmes.outcome import Award, ExtraGiven, Step
from shared.tenants.model import CatalogueItem, WalletSettings
from shared.wallet.model import Posting

SaleStatus = Literal["recorded", "partly_returned", "returned", "voided"]


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
class Recorded:
    """The answer of a sale or reversal; ``replayed`` if it was recorded before, ``waited_for`` if returns came before the sale."""

    answer: dict[str, Any]
    replayed: bool = False
    waited_for: bool = False


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


NOBODY: Final = MemberFacts(anonymous=True)
"""What is known of who bought without saying who she is."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Everything that a decision depends on beside the basket: definitions of the instant, and the member's numbers.

    Together with the basket and the coupons' discounts it is kept with the sale, so that the decision can be made again.
    """

    now: Instant
    scene: Scene
    programmes: tuple[Programme, ...]
    """By falling priority, then id."""
    wallets: Mapping[str, WalletSettings]
    catalogue: Mapping[str, CatalogueItem]
    known_location: bool
    member: str | None = None
    facts: MemberFacts = NOBODY
    basket: str | None = None
    """The hold whose points and coupons this basket may use."""
    held_value: int | None = None
    """What the points of that hold were worth when they were held: they keep it, whatever has been published since."""
    historical: bool = False
    """An imported sale: nothing about categories or members is asked of the till."""
    counts_visits: bool = False
    """Whether visits are counted in the profile: tiers ask for them."""
    exhausted: frozenset[str] = frozenset()
    """Budgets that have nothing left, and what the tenant has stopped."""
    coupons_together: Objective = "best_for_guest"
    promotions: Promotions = NO_PROMOTIONS
    """In force at the instant; an imported sale has none."""
    promised: tuple[Promotion, ...] = ()
    """Those of the hold, in the version that it was placed with."""
    languages: tuple[str, ...] = ()
    """The guest's, if it is known, then the tenant's."""
    asked_groups: frozenset[str] = frozenset()
    """Groups of locations that somebody may ask about once more: whether the location is in them is kept with the sale."""

    def wallet(self, name: str) -> WalletSettings:
        """The wallet's settings."""
        return self.wallets.get(name) or WalletSettings()


NO_POINTS: Final = ExtraGiven(0)


@dataclass(frozen=True, slots=True)
class CouponDiscount:
    """What one coupon took off."""

    coupon: Coupon
    amount: int
    lines: tuple[tuple[str, int], ...]
    tender: bool = False
    """A voucher that pays the bill, and lowers no line."""
    left: int = 0
    """What stays on its code."""
    added: tuple[tuple[str, int], ...] = ()
    """(item, units) that the till adds for nothing."""
    terms: OfferTerms | None = None
    """What it was decided by; none where it was read from a record: its limits were counted then."""
    extra: Extra | None = None
    """The points that it gives, and ``came_to``: how many."""
    came_to: ExtraGiven = NO_POINTS

    @property
    def key(self) -> str:
        """What its uses are counted under."""
        return self.coupon.key


@dataclass(frozen=True, slots=True)
class PromotionDiscount:
    """What one automatic promotion took off or gave. ``terms`` as with a coupon's."""

    id: str
    version: int
    title: str
    amount: int
    lines: tuple[tuple[str, int], ...]
    added: tuple[tuple[str, int], ...] = ()
    terms: OfferTerms | None = None
    extra: Extra | None = None
    came_to: ExtraGiven = NO_POINTS

    @property
    def key(self) -> str:
        """As ``shared.coupons.model.Promotion.key``."""
        return f"promotion:{self.id}"


@dataclass(frozen=True, slots=True)
class Applied:
    """What was used on a basket, as it is kept with the sale."""

    coupons: list[CouponDiscount] = field(default_factory=list)
    promotions: list[PromotionDiscount] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Refused:
    """A coupon or points that this basket cannot use."""

    subject: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class OfflineLoss:
    """What a till gave while it was offline, and what does not hold: its location bears it."""

    subject: str
    """As in refusals: ``coupons/0``, ``points``."""
    reason: str
    amount: int | None = None
    """Minor units; none: nobody knows."""
    coupon: str | None = None
    offer: str | None = None


@dataclass(slots=True)
class Decided:
    """A priced basket: what each line costs, what was refused and why, what it earns and spends."""

    lines: list[Line]
    discounts: list[CouponDiscount] = field(default_factory=list)
    """Of coupons."""
    promotions: list[PromotionDiscount] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    awards: list[Award] = field(default_factory=list)
    budgets: dict[str, int] = field(default_factory=dict)
    """``programme/rule`` or ``programme`` -> points to be taken from its budget."""
    spent: dict[str, int] = field(default_factory=dict)
    paid_with_points: int = 0
    tendered: int = 0
    """Of it, what counts as a tender; the rest counted as a discount and has lowered the lines."""
    near_misses: list[str] = field(default_factory=list)
    visit: Visit | None = None
    losses: list[OfflineLoss] = field(default_factory=list)

    @property
    def earned(self) -> tuple[Posting, ...]:
        """What is added to wallets, one posting a programme."""
        return tuple(award.posting for award in self.awards)

    @property
    def amount(self) -> int:
        """Before our discounts."""
        return sum(line.amount for line in self.lines)

    @property
    def discount(self) -> int:
        """What coupons and promotions took off."""
        return sum(each.amount for each in self.discounts if not each.tender) + sum(each.amount for each in self.promotions)

    @property
    def added(self) -> tuple[tuple[str, int], ...]:
        """(item, units) that the till adds for nothing."""
        by_coupons = (item for each in self.discounts for item in each.added)
        return (*by_coupons, *(item for each in self.promotions for item in each.added))

    @property
    def taken_off(self) -> Iterator[tuple[str, int]]:
        """(line, amount) of every coupon and promotion that lowered it."""
        for discount in self.discounts:
            if not discount.tender:
                yield from discount.lines
        for promotion in self.promotions:
            yield from promotion.lines

    @property
    def paid_with_vouchers(self) -> int:
        """What vouchers paid that count as tenders."""
        return sum(each.amount for each in self.discounts if each.tender)

    @property
    def due(self) -> int:
        """What remains to be paid by other tenders."""
        return self.amount - self.discount - self.paid_with_vouchers - self.paid_with_points
