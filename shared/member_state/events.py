"""Everything that can happen to a member, as values. Time passing is one of them (``TimePassed``).

``at`` is when it happened; the fold is told separately when it is committed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from shared.challenges.model import Counts
from shared.kernel.instants import Instant
from shared.member_state.counter_events import IdentifiersChanged, PurchaseReviewed
from shared.member_state.erasing import Erased
from shared.member_state.model import Consent, CountedUse, CounterSale, HeldCoupon, Scalar
from shared.member_state.own_events import RestrictionChanged, SignedIn, WarnedOfInactivity
from shared.member_state.uniting_events import MergedAway, United
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
    referrer: str | None = None
    """The member whose referral code she gave."""
    tags: tuple[str, ...] = ()
    opening: tuple[Posting, ...] = ()
    """Balances that she brings from another programme."""
    zone: str = ""
    """Her IANA time zone; empty: the tenant's."""
    pending: tuple[str, ...] = ()
    """As of ``ConsentsChanged``."""


@dataclass(frozen=True, slots=True)
class ProfileChanged:
    """Personal fields or attributes changed; ``known`` is the whole new list, ``attributes`` only what changed, ``tags`` the whole
    new list if they changed.
    """

    at: Instant
    known: tuple[str, ...]
    attributes: dict[str, Scalar | None] = field(default_factory=dict)
    fields: tuple[str, ...] = ()
    cause: str = ""
    tags: tuple[str, ...] | None = None
    zone: str | None = None
    """Her IANA time zone from now on (empty: the tenant's); ``None``: as it was."""


@dataclass(frozen=True, slots=True)
class TagsChanged:
    """Labels were put on her, or taken off. What she has, or lacks, already changes nothing."""

    at: Instant
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    cause: str = ""


@dataclass(frozen=True, slots=True)
class ConsentsChanged:
    """Consents were given or withdrawn."""

    at: Instant
    consents: dict[str, Consent]
    pending: tuple[str, ...] = ()
    """Those of them that wait for her confirmation, and are no until then."""


@dataclass(frozen=True, slots=True)
class ProfilingChanged:
    """She objected to profiling, or allowed it again."""

    at: Instant
    allowed: bool


@dataclass(frozen=True, slots=True)
class ListsChanged:
    """She was put on static lists, or taken off."""

    at: Instant
    added: tuple[str, ...]
    removed: tuple[str, ...]


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
    usage: tuple[tuple[str, int], ...] = ()
    """(``programme/rule`` or ``programme``, points) of what is limited per member."""
    visit_minutes: int = 30
    idle_days: tuple[tuple[str, int, bool], ...] = ()
    """(wallet, days, to the end of the day) of wallets whose points expire with inactivity."""
    counts: Counts = ()
    """What it counts for her challenges, and for those that every member has."""
    uses: tuple[CountedUse, ...] = ()
    """Of offers and promotions with limits per member, one each time."""
    counter: CounterSale | None = None
    """What rules of the counter are to remember of it."""
    flags: tuple[str, ...] = ()
    """Why it is under review; what it earned waits for that."""


@dataclass(frozen=True, slots=True)
class ReversalTerms:
    """How points that are gone already are taken back."""

    points_gone: Literal["pending_only", "within_balance", "negative"] = "negative"
    floor: int | None = None
    take_vouchers: bool = True


@dataclass(frozen=True, slots=True)
class Reversed:
    """A purchase, or a part of it, was returned; or it was voided as if it never was."""

    at: Instant
    transaction: str
    kind: Literal["return", "void"]
    visit: Visit
    """What comes back, dated like the purchase; its count is 0 while anything stays."""
    earned: tuple[Posting, ...] = ()
    """What it had earned with what comes back, to be taken back."""
    spent: tuple[Posting, ...] = ()
    """What is given back of what it had drawn (signed as booked)."""
    reissued: dict[str, HeldCoupon] = field(default_factory=dict)
    """Coupons that are active again, by id."""
    usage: tuple[tuple[str, int], ...] = ()
    """What no longer counts towards limits."""
    whole: bool = True
    """Nothing of the purchase is left."""
    terms: Mapping[str, ReversalTerms] = field(default_factory=dict)
    """Wallet -> the policy of the programme that gave the points, as of the purchase."""
    location: str = ""
    counts: Counts = ()
    """What no longer counts for her challenges."""
    uses: tuple[CountedUse, ...] = ()
    """Which uses no longer count towards limits."""


@dataclass(frozen=True, slots=True)
class PointsBooked:
    """Points given or taken by hand, by a transfer, or for a friend. ``postings`` are signed; those drawn carry no lots yet."""

    at: Instant
    kind: Literal["adjust", "transfer_in", "transfer_out", "bonus", "reverse"]
    postings: tuple[Posting, ...]
    reference: str
    reason: str = ""
    actor: str = ""
    referral: Literal[1, 0, -1] = 0
    """One more, or one less, friend that she was rewarded for."""
    terms: ReversalTerms = ReversalTerms()


@dataclass(frozen=True, slots=True)
class PointsConverted:
    """Points became coupons at her request: ``coupons`` are their ids."""

    at: Instant
    wallet: str
    conversion: str
    points: int
    """Of each."""
    offer: str
    coupons: tuple[str, ...]
    cause: str = "request"


@dataclass(frozen=True, slots=True)
class RewardClaimed:
    """Points became a reward, at her request."""

    at: Instant
    claim: str
    reward: str
    wallet: str
    points: int
    use: CountedUse | None = None
    """What it counts as, where the reward has limits per member."""


@dataclass(frozen=True, slots=True)
class RewardCancelled:
    """A claim was cancelled: ``postings`` are what it had drawn (signed as booked), ``day`` the local day that it was counted on."""

    at: Instant
    claim: str
    reward: str
    postings: tuple[Posting, ...]
    reason: str = ""
    actor: str = ""
    use: CountedUse | None = None
    day: int = 0


@dataclass(frozen=True, slots=True)
class RewardHandedOver:
    """She has got the item that she claimed."""

    at: Instant
    claim: str
    reward: str
    actor: str = ""


@dataclass(frozen=True, slots=True)
class TierSet:
    """A tier given by hand until ``until``, below which she does not fall; ``None`` takes it away."""

    at: Instant
    tier: str | None
    until: Instant
    reason: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class ReferralEnded:
    """Her being referred came to its end: both were rewarded (``transaction``), it was taken back, or it led to nothing."""

    at: Instant
    programme: str
    transaction: str
    outcome: Literal["rewarded", "reversed", "refused"]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ChallengeGiven:
    """She received a challenge: each receipt is an instance of its own, with its own window."""

    at: Instant
    instance: str
    challenge: str
    version: int
    cause: str = ""


@dataclass(frozen=True, slots=True)
class CouponIssued:
    """She was given a coupon."""

    at: Instant
    coupon: str
    offer: str
    active_from: Instant
    expires_at: Instant
    cause: str = ""
    choice: Mapping[str, object] | None = None
    """Why this offer, where it was chosen among several."""


@dataclass(frozen=True, slots=True)
class OfferWithheld:
    """A choice among offers gave her none: she is held out, or there was none for her."""

    at: Instant
    choice: Mapping[str, object]
    cause: str = ""


@dataclass(frozen=True, slots=True)
class CouponChanged:
    """A coupon of hers was held, released, redeemed or voided outside a purchase."""

    at: Instant
    coupon: str
    to: Literal["active", "held", "redeemed", "void"]
    use: CountedUse | None = None
    """The use that its redemption counts as, where the offer has limits per member."""
    reason: str = ""
    """Why a hold was ended by force, and by whom."""
    actor: str = ""


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
    """A hold was given up; by force, if it says why and by whom."""

    at: Instant
    hold: str
    reason: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Touched:
    """A message was claimed for her, or (channel ``GIFT``) a campaign gave her something; ``held``: she was held out of it."""

    at: Instant
    campaign: str
    step: str
    channel: str
    held: bool = False
    service: bool = False


@dataclass(frozen=True, slots=True)
class ChannelSuppressed:
    """Nothing may be sent to her over a channel any more, and why; ``lifted``: it may again."""

    at: Instant
    channel: str
    reason: str
    lifted: bool = False


@dataclass(frozen=True, slots=True)
class JourneyMoved:
    """An occurrence of a campaign waits: until ``due``, or for an event. There is one waiting of a campaign's occurrence at a time."""

    at: Instant
    campaign: str
    version: int
    occurrence: str
    step: str
    due: Instant
    """Not ``NEVER``: what waits for an event has a timeout."""
    waits_for: str = ""
    reason: str = ""
    priority: int = 0
    rung: int = 0
    since: Instant = 0
    """When it first had to wait at this place; 0: now, or when it began to if it is there already."""


@dataclass(frozen=True, slots=True)
class JourneyEnded:
    """An occurrence of a campaign waits no longer, and nothing comes of it."""

    at: Instant
    campaign: str
    occurrence: str


@dataclass(frozen=True, slots=True)
class Responded:
    """She opened or clicked a message, or something the tenant declared happened."""

    at: Instant
    type: str
    campaign: str | None = None
    step: str | None = None
    properties: dict[str, Scalar] = field(default_factory=dict)


MemberEvent = (
    TimePassed | Registered | ProfileChanged | TagsChanged | ConsentsChanged | ProfilingChanged | ListsChanged | DevicesChanged
    | IdentifierAdded | IdentifiersChanged | Purchased | PurchaseReviewed | Reversed | PointsBooked | PointsConverted | RewardClaimed
    | RewardCancelled | RewardHandedOver | TierSet | ReferralEnded | ChallengeGiven | CouponIssued | OfferWithheld | CouponChanged
    | HoldPlaced | HoldReleased | Touched | ChannelSuppressed | JourneyMoved | JourneyEnded | Responded | Erased
    | MergedAway | United | RestrictionChanged | SignedIn | WarnedOfInactivity
)  # fmt: skip
