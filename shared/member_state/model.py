"""The state of a member: everything that a decision about her may read, with a bound for every list.

The classes are plain and mutable for speed; the fold copies before it changes (``copy_state``), so that callers
see values.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Final, Literal

from shared.challenges.model import Instance
from shared.kernel.instants import NEVER, Instant
from shared.profile.model import Profile
from shared.wallet.model import Hold, Posting, Wallet

MemberStatus = Literal["active", "merged", "erased"]
CouponState = Literal["active", "held", "redeemed", "expired", "void"]
Scalar = str | int | bool
Parameters = tuple[tuple[str, int | str], ...]
"""What the personal parameters of an offer were fixed to for her: (place in its terms, value), by place."""

GIFT: Final = "-"
"""In place of a touch's channel: a campaign gave something without a message."""
MAX_TOUCHES: Final = 60
"""Campaign touches kept, newest first; older ones no cap can ask for."""
MAX_COUPONS: Final = 100
"""Coupons held at once; issuing more is refused with ``too_many_coupons``."""
MAX_HOLDS: Final = 20
MAX_DEVICES: Final = 10
"""Registering one more drops the one registered longest ago."""
MAX_ATTRIBUTES: Final = 50
MAX_REDEEMED: Final = 50
"""Redemptions remembered for segments (offer -> last instant); the oldest are forgotten first."""
MAX_TAGS: Final = 50
MAX_USAGE: Final = 200
"""Rules and offers with limits that are counted per member; the one used longest ago is forgotten first."""
USAGE_DAYS: Final = 7
"""Local days for which daily limits are counted: a till may send a sale that many days late. Of weeks and months those are kept that
such a sale may belong to.
"""
MAX_VISITS: Final = 12
"""Visits remembered, newest first, while a late receipt may still belong to them: what decides whether one opens another."""
VISIT_DAYS: Final = 3
MAX_TIER_SPANS: Final = 12
"""Changes of tier remembered, newest first: a late sale is decided with the tier of its own instant."""
MAX_LISTS: Final = 20
"""Static lists that a member may be on."""
MAX_JOURNEYS: Final = 40
"""Campaigns that wait for her at once; the one that would go on last is dropped to make room (``shared.member_state.journeys``)."""
MAX_COUNTER_SALES: Final = 40
"""Purchases remembered, newest first, where the tenant counts them per shift; more than any such rule asks for (20)."""
COUNTER_DAYS: Final = 3
MAX_FORMER: Final = 20
"""Members who may turn out to be one: whoever follows an old id takes no more steps than that."""
MAX_CHALLENGES: Final = 40
"""Challenges that she has, with those that have ended and may still be asked about; see ``shared.member_state.challenges``."""


@dataclass(slots=True)
class Tier:
    """The tier held, since when, and until when it stays without new activity."""

    id: str
    since: Instant
    until: Instant = NEVER


@dataclass(frozen=True, slots=True)
class TierSpan:
    """Since when she held a tier (``None``: none)."""

    id: str | None
    since: Instant


@dataclass(slots=True)
class RuleUsage:
    """What a rule, programme or payment with limits has given her: in all, and [points, times] by local day."""

    points: int = 0
    times: int = 0
    days: dict[int, list[int]] = field(default_factory=dict)
    weeks: dict[int, int] = field(default_factory=dict)
    """Times by week from Monday, and by calendar month, where a limit asks for them: at most two of each."""
    months: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CountedUse:
    """One use of an offer or promotion with limits per member (``offer:<id>``, ``promotion:<id>``), and by what it is counted
    beside the day.
    """

    key: str
    weekly: bool = False
    monthly: bool = False


@dataclass(slots=True)
class RecentVisit:
    """Receipts at one location that are one visit."""

    location: str
    first: Instant
    last: Instant


@dataclass(frozen=True, slots=True)
class CounterSale:
    """A purchase as rules of the counter ask for it. ``day``: the till's business date; ``cashier`` is empty where the till named none."""

    at: Instant
    day: int
    location: str
    cashier: str


@dataclass(slots=True)
class Referred:
    """Who brought her, by which programme both were rewarded, and for which purchase (empty until then)."""

    by: str
    programme: str = ""
    transaction: str = ""
    ended: str = ""
    """Why nothing will come of it any more, or that it was taken back."""


@dataclass(slots=True)
class HeldCoupon:
    """A copy of what segments and the till need of a coupon. The coupon's own item owns its state."""

    offer: str
    state: CouponState
    active_from: Instant
    expires_at: Instant
    bought: tuple[Posting, ...] = ()
    """The points that were converted to it (signed as booked); given back if a return takes it away again."""
    campaign: str = ""
    """The campaign that gave it; empty: none."""


@dataclass(slots=True)
class Consent:
    """The current answer for one purpose and channel; the history is in the consent records."""

    granted: bool
    at: Instant
    version: str


@dataclass(frozen=True, slots=True)
class Restriction:
    """She had the processing of her data restricted (Art. 18 GDPR): why, as a code, and since when."""

    reason: str
    since: Instant


@dataclass(frozen=True, slots=True)
class Pending:
    """A consent that counts as no until she follows the link in a mail (double opt-in)."""

    since: Instant
    """When it was given first; links say it, so that those from before she took it back lead nowhere."""
    asked_at: Instant
    times: int = 1
    """Mails asked for."""


@dataclass(frozen=True, slots=True)
class Inactivity:
    """Where the retention of one who does nothing is: told of, warned (0: not yet), and told of as over."""

    told_at: Instant
    warned_at: Instant = 0
    is_over: bool = False


@dataclass(slots=True)
class Touch:
    """One message claimed for her, or one that she was held out of: what frequency caps and campaign-response leaves count. On the channel
    ``GIFT`` what was given without a message, which no cap counts.
    """

    campaign: str
    step: str
    channel: str
    at: Instant
    opened_at: Instant | None = None
    clicked_at: Instant | None = None
    redeemed_at: Instant | None = None
    """When a coupon that the campaign gave was first redeemed after it."""
    held: bool = False
    """Held out: she would have got the message and did not. No cap counts it."""
    service: bool = False
    """A service message. No cap counts it."""


@dataclass(slots=True)
class Journey:
    """Where an occurrence of a campaign waits before it goes on for her. Told as ``campaign.step_due`` when it does."""

    campaign: str
    version: int
    occurrence: str
    step: str
    """The step that comes when the waiting ends."""
    due: Instant
    """It goes on then at the latest; a wait for an event has its timeout here."""
    waits_for: str = ""
    """The type of an event that ends the waiting sooner; empty: only time does."""
    reason: str = ""
    """``wait``, ``quiet_hours``, ``cap``, ``blackout``, ``rung``, ``throttle``, ``member_time`` or ``paused``."""
    priority: int = 0
    """Of the campaign, 0 to 100."""
    rung: int = 0
    """Which rung of the step's ladder is next."""
    since: Instant = 0
    """When it first had to wait at this place. Events from before it end no waiting."""


@dataclass(slots=True)
class Facts:
    """Personal facts that leaves may ask for. Stored encrypted beside the state, opened only when a definition asks."""

    birth_date: int | None = None
    """Day number."""
    gender: str | None = None
    language: str | None = None
    home: tuple[int, int] | None = None
    """Latitude and longitude, millionths of a degree."""


@dataclass(slots=True)
class MemberState:
    """See the module. ``known`` names the personal fields that have a value, without their values."""

    tenant: str
    member: str
    version: int = 0
    status: MemberStatus = "active"
    merged_into: str | None = None
    former: list[str] = field(default_factory=list)
    """Ids of members who turned out to be her: their ledgers, sales and messages are hers (``shared.member_state.uniting``)."""
    joined_at: Instant = 0
    join_source: str = ""
    join_location: str = ""
    as_of: Instant = 0
    """Time has been advanced up to here: every obligation due by then is settled."""
    wallets: dict[str, Wallet] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    tier: Tier | None = None
    profile: Profile = field(default_factory=Profile)
    coupons: dict[str, HeldCoupon] = field(default_factory=dict)
    redeemed: dict[str, Instant] = field(default_factory=dict)
    segments: dict[str, Instant] = field(default_factory=dict)
    """``segment@version`` -> when she entered. Only the ones she is in."""
    consents: dict[str, Consent] = field(default_factory=dict)
    """``purpose:channel`` -> the current answer."""
    pending: dict[str, Pending] = field(default_factory=dict)
    """Of those answers that stand as no, the ones that only wait for her confirmation."""
    suppressed: dict[str, str] = field(default_factory=dict)
    """Channel -> reason (bounce, complaint, dead_token, ...): nothing is sent over it."""
    zone: str = ""
    """Her IANA time zone; empty: the tenant's. For when messages reach her; days of sales are the tenant's all the same."""
    journeys: list[Journey] = field(default_factory=list)
    """Campaigns that wait for her, in the order in which they began to."""
    devices: list[str] = field(default_factory=list)
    """Ids of devices that take push messages, oldest first."""
    identifier_kinds: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    attributes: dict[str, Scalar] = field(default_factory=dict)
    touches: list[Touch] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    profiled: bool = True
    """False: she has objected to profiling. Nothing that looks at her behaviour may decide about her (``may_profile``)."""
    restriction: Restriction | None = None
    """While it stands her data are stored, and used for what the membership owes her alone (``is_considered``)."""
    lists: dict[str, Instant] = field(default_factory=dict)
    """Static lists that she is on -> since when."""
    usage: dict[str, RuleUsage] = field(default_factory=dict)
    """``programme/rule``, ``programme``, ``pay:wallet``, ``offer:<id>`` or ``promotion:<id>`` -> what it has given; used longest ago
    first.
    """
    visits: list[RecentVisit] = field(default_factory=list)
    visits_made: int = 0
    counter_sales: list[CounterSale] = field(default_factory=list)
    """Newest first; kept only where a rule of the counter asks."""
    tier_spans: list[TierSpan] = field(default_factory=list)
    tier_floor: Tier | None = None
    """A tier given by hand, until when: she does not fall below it."""
    referred: Referred | None = None
    referrals: int = 0
    """Friends that she was rewarded for."""
    challenges: list[Instance] = field(default_factory=list)
    """In the order in which she got them."""
    challenges_closed: Instant = 0
    """Windows that ended by then are closed for good: one of them was forgotten to make room."""
    active_at: Instant = 0
    """When she last did something that nothing else here says (``shared.member_state.activity``)."""
    inactivity: Inactivity | None = None
    """While she does nothing, and the tenant keeps nobody for ever."""
    epoch: int = 0
    """The definitions epoch that the segments were last evaluated with."""
    timer: Instant | None = None
    """The instant in the due index. Never later than the true next instant; may be earlier."""

    @property
    def may_profile(self) -> bool:
        """Whether her behaviour may be looked at: she did not object, and nothing of hers is restricted."""
        return self.profiled and self.restriction is None

    @property
    def is_considered(self) -> bool:
        """Whether she is one of those whom segments, audiences, campaigns and statistics are about."""
        return self.status == "active" and self.restriction is None

    def was(self, member: str | None) -> bool:
        """Whether an id is hers: the present one, or that of a member who turned out to be her."""
        return member == self.member or member in self.former

    def wallet(self, name: str) -> Wallet:
        """Her wallet, made when first needed."""
        return self.wallets.setdefault(name, Wallet())


def copy_state(state: MemberState) -> MemberState:
    """An independent copy."""
    return deepcopy(state)


def segment_key(segment: str, version: int) -> str:
    """How a version of a segment is named in ``MemberState.segments``."""
    return f"{segment}@{version}"
