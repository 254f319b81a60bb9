"""Everything that can happen to a member, as values. Time passing is one of them (``TimePassed``).

``at`` is when it happened; the fold is told separately when it is committed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from shared.kernel.instants import Instant
from shared.member_state.model import Consent, HeldCoupon, Scalar
from shared.profile.model import Visit
from shared.wallet.model import Posting

Mode = Literal["live", "late", "historical"]


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Nothing but time."""

    at: Instant


@dataclass(frozen=True, slots=True)
class Registered:
    """She became a member."""

    at: Instant
    source: str
    location: str
    identifier_kinds: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    attributes: dict[str, Scalar] = field(default_factory=dict)
    consents: dict[str, Consent] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProfileChanged:
    """Personal fields or attributes changed; ``known`` is the whole new list, ``attributes`` only what changed."""

    at: Instant
    known: tuple[str, ...]
    attributes: dict[str, Scalar | None] = field(default_factory=dict)
    fields: tuple[str, ...] = ()
    cause: str = ""


@dataclass(frozen=True, slots=True)
class ConsentsChanged:
    """Consents were given or withdrawn."""

    at: Instant
    consents: dict[str, Consent]


@dataclass(frozen=True, slots=True)
class DevicesChanged:
    """The usable devices are now these."""

    at: Instant
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IdentifierAdded:
    """A proven identifier was attached."""

    at: Instant
    kind: str


@dataclass(frozen=True, slots=True)
class Purchased:
    """A purchase as decided: what it adds to the profile, earns, spends and redeems."""

    at: Instant
    transaction: str
    visit: Visit
    earned: tuple[Posting, ...] = ()
    spent: dict[str, int] = field(default_factory=dict)
    redeemed: tuple[str, ...] = ()
    """Ids of coupons redeemed with it."""
    hold: str | None = None
    location: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Reversed:
    """A purchase was returned whole, or voided as if it never was."""

    at: Instant
    transaction: str
    kind: Literal["return", "void"]
    visit: Visit
    earned: tuple[Posting, ...] = ()
    """What it had earned, to be taken back."""
    spent: tuple[Posting, ...] = ()
    """What it had drawn (signed as booked), to be given back."""
    reissued: dict[str, HeldCoupon] = field(default_factory=dict)
    """Coupons that are active again, by id."""


@dataclass(frozen=True, slots=True)
class CouponIssued:
    """She was given a coupon."""

    at: Instant
    coupon: str
    offer: str
    active_from: Instant
    expires_at: Instant
    cause: str = ""


@dataclass(frozen=True, slots=True)
class CouponChanged:
    """A coupon of hers was held, released, redeemed or voided outside a purchase."""

    at: Instant
    coupon: str
    to: Literal["active", "held", "redeemed", "void"]


@dataclass(frozen=True, slots=True)
class HoldPlaced:
    """Points and coupons were set aside for a basket (or a hold was given more time)."""

    at: Instant
    hold: str
    wallet: str
    points: int
    until: Instant
    coupons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HoldReleased:
    """A hold was given up."""

    at: Instant
    hold: str


@dataclass(frozen=True, slots=True)
class Touched:
    """A message was claimed for her."""

    at: Instant
    campaign: str
    step: str
    channel: str


@dataclass(frozen=True, slots=True)
class Responded:
    """She opened or clicked a message, or something the tenant declared happened."""

    at: Instant
    type: str
    campaign: str | None = None
    step: str | None = None
    properties: dict[str, Scalar] = field(default_factory=dict)


MemberEvent = (
    TimePassed
    | Registered
    | ProfileChanged
    | ConsentsChanged
    | DevicesChanged
    | IdentifierAdded
    | Purchased
    | Reversed
    | CouponIssued
    | CouponChanged
    | HoldPlaced
    | HoldReleased
    | Touched
    | Responded
)


@dataclass(frozen=True, slots=True)
class DomainEvent:
    """What the house is told: past tense, ids only, no personal data. Sent by the relay with the commit's envelope."""

    type: str
    occurred_at: Instant
    data: dict[str, object] = field(default_factory=dict)
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What is booked, with its own instant; the commit adds its own."""

    kind: str
    at: Instant
    postings: tuple[Posting, ...]
    reference: str | None = None


@dataclass(slots=True)
class Effects:
    """What a fold leads to beside the new state."""

    events: list[DomainEvent] = field(default_factory=list)
    entries: list[LedgerEntry] = field(default_factory=list)
    history_changed: bool = False

    def tell(self, type_: str, at: Instant, data: dict[str, object] | None = None, cause: str | None = None) -> None:
        """Add an event."""
        self.events.append(DomainEvent(type_, at, data or {}, cause))
