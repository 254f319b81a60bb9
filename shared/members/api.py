"""Bodies of the members' routes. Names are API.md's and stay. Null fields of answers are left out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt, StringConstraints, model_validator

from shared.coupons.personal import ShownParameter
from shared.kernel.ids import NAME_PATTERN
from shared.member_state.model import MAX_ATTRIBUTES, MAX_TAGS, CouponState
from shared.members.identifiers import IdentifierKind
from shared.tenants.base import Answer
from shared.tenants.content import GuestText
from shared.tenants.model import Frozen, Language, PushPlatform
from shared.transactions.api import MemberReference, Ref, Timestamp

MAX_BULK = 500
MAX_CONSENTS = 10
MAX_IDENTIFIERS = 5
Proof = Literal["otp", "till", "import"]
"""How a phone number or address was proven: a code sent to it, the guest at the till, or the system that it comes from."""
ClaimedKind = Literal["phone", "email", "card", "external"]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
Key = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
AttributeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
Whole = Annotated[StrictInt, Field(ge=-(10**15), le=10**15)]
AttributeValue = StrictBool | Whole | Annotated[str, StringConstraints(min_length=1, max_length=256)]
Tags = Annotated[tuple[Key, ...], Field(max_length=MAX_TAGS)]
"""Labels that the tenant puts on a member, such as ``staff`` or ``press``."""
Attributes = Annotated[dict[AttributeName, AttributeValue], Field(max_length=MAX_ATTRIBUTES)]
TimeZone = Annotated[str, Field(min_length=1, max_length=64)]
"""An IANA name; checked where it is used, so that the refusal says what it is about."""


class Home(Frozen):
    """Where she lives, in millionths of a degree (no float)."""

    latitude_e6: StrictInt = Field(ge=-90_000_000, le=90_000_000)
    longitude_e6: StrictInt = Field(ge=-180_000_000, le=180_000_000)


class ProfileFields(Frozen):
    """Personal fields. ``phone`` and ``email`` here are for reaching her; they find her only once they are proven identifiers."""

    first_name: Line | None = None
    last_name: Line | None = None
    birth_date: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")
    gender: Literal["female", "male", "other"] | None = None
    language: Language | None = None
    phone: str | None = Field(default=None, min_length=1, max_length=40)
    email: str | None = Field(default=None, min_length=3, max_length=254)
    street: Line | None = None
    postal_code: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z -]{0,15}$")] | None = None
    city: Line | None = None
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = Field(default=None, description="ISO 3166-1")
    home: Home | None = Field(default=None, description="for segments by distance; kept sealed like every other field")


class IdentityToken(Frozen):
    """Sign in with Apple or Google: the identity token as the app got it, and the raw nonce that the app asked for it with."""

    provider: Literal["apple", "google"]
    token: str = Field(min_length=1, max_length=16_384)
    authorization_code: str | None = Field(default=None, min_length=1, max_length=2048, description="Apple's, so that erasing revokes it")
    nonce: str | None = Field(default=None, min_length=1, max_length=256)


class IdentifierRequest(Frozen):
    """An identifier. ``card`` and ``external`` count as proven; ``phone`` and ``email`` need ``proof``."""

    kind: ClaimedKind
    value: str = Field(min_length=1, max_length=256)
    proof: Proof | None = None


class ConsentInput(Frozen):
    """One purpose on one channel: given or withdrawn, to which document."""

    purpose: Key
    channel: Key
    granted: StrictBool
    document_version: Ref
    text_shown: str = Field(default="", max_length=2000)
    confirmed_at: Timestamp | None = Field(
        default=None, description="when she confirmed it by a second step elsewhere, with confirmed_by; needs members:write"
    )
    confirmed_by: Ref | None = Field(default=None, description="the system that has the proof of it")

    @model_validator(mode="after")
    def _proof_is_whole(self) -> ConsentInput:
        named = [self.confirmed_at is not None, self.confirmed_by is not None]
        if any(named) and not (all(named) and self.granted):
            raise ValueError("confirmed_at and confirmed_by belong together, and to a consent that is given")
        return self


class DeviceRequest(Frozen):
    """A device's push token, as the platform gave it to the app."""

    platform: PushPlatform
    token: str = Field(min_length=8, max_length=4096, pattern=r"^[\x21-\x7e]+$")


class OpeningBalance(Frozen):
    """Points that a member brings along: a lot of their own, booked as an opening balance and not as earned here."""

    wallet: Key = "points"
    points: Annotated[StrictInt, Field(ge=1, le=10**9)]
    available_at: Timestamp | None = Field(default=None, description="pending until then")
    expires_at: Timestamp | None = Field(default=None, description="left out: never")


class RegisterRequest(Frozen):
    """Enrol a member by an identity token, by identifiers, or both. An unproven phone or email waits on the profile."""

    identity: IdentityToken | None = None
    identifiers: tuple[IdentifierRequest, ...] = Field(default=(), max_length=MAX_IDENTIFIERS)
    profile: ProfileFields = ProfileFields()
    attributes: Attributes = Field(default_factory=dict)
    consents: tuple[ConsentInput, ...] = Field(default=(), max_length=MAX_CONSENTS)
    source: Ref = Field(description="where she joined: app, kiosk, a table's QR code, ...")
    location_id: Key | None = None
    joined_at: Timestamp | None = Field(default=None, description="import of an older membership; needs members:write")
    device: DeviceRequest | None = None
    referral_code: str | None = Field(default=None, min_length=4, max_length=32, description="of the member who brought her")
    opening_balances: tuple[OpeningBalance, ...] = Field(
        default=(), max_length=100, description="what she brings from another programme; needs members:write"
    )
    tags: Tags = ()
    time_zone: TimeZone | None = Field(default=None, description="IANA zone: when messages reach her; none: the tenant's")
    remember: bool = Field(default=False, description="also begin a session on this device: the answer has a refresh token")

    @model_validator(mode="after")
    def _each_consent_once(self) -> RegisterRequest:
        _check_once(self.consents)
        return self


class BulkMembersRequest(Frozen):
    """Up to 500 members, each as ``POST /v1/members`` takes it without an identity token. Each is checked by itself."""

    members: tuple[dict[str, Any], ...] = Field(min_length=1, max_length=MAX_BULK)


class IdentifyRequest(MemberReference):
    """Who is at the till: an identifier, the id itself, or the text of the rotating code in her app, which proves that she is there."""

    qr: str | None = Field(default=None, min_length=20, max_length=300, description="the text of the code of her card in the app")
    location_id: Ref | None = Field(default=None, description="where; spending that needs proof is then for this place")

    @model_validator(mode="after")
    def _one_of_both(self) -> IdentifyRequest:
        named = [self.id is not None, self.kind is not None, self.qr is not None]
        if sum(named) != 1 or (self.kind is None) != (self.value is None):
            raise ValueError("give either id, or kind and value, or qr")
        return self


class ProfilePatch(Frozen):
    """A merge patch (RFC 7396): what is named is replaced, null removes, the rest stays."""

    profile: ProfileFields | None = None
    attributes: dict[AttributeName, AttributeValue | None] = Field(default_factory=dict, max_length=MAX_ATTRIBUTES)
    tags: Tags | None = Field(default=None, description="the whole new list")
    time_zone: TimeZone | None = Field(default=None, description="IANA zone: when messages reach her; null: the tenant's")


class ConsentsRequest(Frozen):
    """Answers of the guest. What she says now holds at once; what is not named stays."""

    consents: tuple[ConsentInput, ...] = Field(min_length=1, max_length=MAX_CONSENTS)
    source: Ref = "app"

    @model_validator(mode="after")
    def _each_once(self) -> ConsentsRequest:
        _check_once(self.consents)
        return self


def _check_once(consents: tuple[ConsentInput, ...]) -> None:
    if len({(each.purpose, each.channel) for each in consents}) != len(consents):
        raise ValueError("a purpose and channel is named twice")


# -- answers --------------------------------------------------------------------------------------------------------


class ConsentAnswer(Answer):
    """What she answered last."""

    purpose: str
    channel: str
    granted: bool
    document_version: str
    at: str
    pending: bool | None = Field(default=None, description="true: given, and no until she confirms it by the link in a mail; else absent")


class ConsentsAnswer(Answer):
    """Every current answer."""

    member_id: str
    consents: tuple[ConsentAnswer, ...]


class MemberAnswer(Answer):
    """A member with her personal fields. Identifiers are named by kind only: their values are kept as keyed hashes."""

    member_id: str
    status: Literal["active", "merged", "erased"]
    joined_at: str
    source: str
    location_id: str | None = None
    identifiers: tuple[IdentifierKind, ...]
    profile: dict[str, str | Home]
    attributes: dict[str, bool | int | str]
    tags: tuple[str, ...] = ()
    profiling_allowed: bool = Field(default=True, description="false: she has objected to profiling")
    restricted: bool | None = Field(default=None, description="true: the processing of her data is restricted (Art. 18 GDPR); else absent")
    lists: tuple[str, ...] = Field(default=(), description="static lists that she is on")
    consents: tuple[ConsentAnswer, ...]
    devices: tuple[str, ...]
    tier: str | None = None
    tier_title: str | None = Field(default=None, description="as she reads it; in the answer that reads a member")
    time_zone: str | None = Field(default=None, description="absent: the tenant's")


class RegisterAnswer(Answer):
    """The member, and a token of 15 minutes for her own view. ``existing``: she was one before. With ``remember`` a refresh token too."""

    member_id: str
    status: Literal["created", "existing"]
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 the kind of token, not one
    expires_in: int = Field(description="seconds")
    refresh_token: str | None = None
    refresh_expires_in: int | None = Field(default=None, description="seconds until it ends unless it is used before")
    member: MemberAnswer


class DeviceAnswer(Answer):
    """A registered device."""

    device_id: str
    platform: PushPlatform
    registered_at: str


class Spendable(Answer):
    """What she can pay with now: points, and what they are worth in minor units."""

    wallet: str
    points: int
    value: int
    currency: str


class UsableCoupon(GuestText):
    """A coupon that a basket may use now."""

    coupon_id: str
    offer_id: str
    expires_at: str | None = None


class IdentifyAnswer(Answer):
    """Enough to greet and to offer, nothing more of the person."""

    member_id: str
    name: str | None = Field(default=None, description="masked: Anna S.")
    language: str | None = None
    tier: str | None = None
    balance: int
    spendable: tuple[Spendable, ...]
    coupons: tuple[UsableCoupon, ...]
    restricted: bool | None = Field(default=None, description="true: her data serve the membership alone, suggest nothing")
    identification: str | None = Field(
        default=None, description="to be sent along with holds and sales, for ten minutes; where the tenant asks for confirmations"
    )


class LotAnswer(Answer):
    """Points that become available and expire together."""

    points: int
    available_at: str | None = Field(default=None, description="absent: available now, or only when what it awaits happens")
    awaits: str | None = Field(default=None, description="the event that makes it available")
    expires_at: str | None = Field(default=None, description="absent: never; of points that expire with inactivity, as of now")


class WalletBalance(Answer):
    """``earned = available + pending + held + spent + expired + reversed``. ``value``: of the available points, minor units."""

    wallet: str
    name: str
    unit: str
    available: int
    pending: int
    held: int
    earned: int
    spent: int
    expired: int
    reversed: int
    debt: int
    value: int | None = Field(default=None, description="by the wallet's rate; absent where its points have none")
    lots: tuple[LotAnswer, ...]


class WalletAnswer(Answer):
    """Every wallet of the member, and the tier that she holds."""

    member_id: str
    currency: str
    tier: TierView | None = None
    wallets: tuple[WalletBalance, ...]


class PostingAnswer(Answer):
    """One line of an entry; ``points`` is signed."""

    wallet: str
    kind: str
    points: int
    available_at: str | None = None
    expires_at: str | None = None


class LedgerEntryAnswer(Answer):
    """What was booked, when it happened and when it was committed. ``reference`` is the transaction, if there is one."""

    entry_id: str
    kind: str
    occurred_at: str
    committed_at: str
    reference: str | None = None
    reason: str | None = None
    actor: str | None = None
    postings: tuple[PostingAnswer, ...]


class LedgerPage(Answer):
    """Entries, newest first. ``limit`` counts commits; one commit may have booked several entries."""

    data: tuple[LedgerEntryAnswer, ...]
    next_cursor: str | None = None


class CouponView(GuestText):
    """A coupon with its state as of now; the teaser while it is not active yet."""

    coupon_id: str
    offer_id: str
    state: CouponState
    code: str | None = None
    active_from: str
    expires_at: str | None = None
    parameters: dict[str, ShownParameter] | None = Field(
        default=None, description="what the offer's personal parameters were fixed to for her, by their place in its terms"
    )


class CouponsAnswer(Answer):
    """Her coupons by the sort order of their offers, the newest first of equal ones; at most 200."""

    member_id: str
    data: tuple[CouponView, ...]


class TierView(GuestText):
    """A level as she may read it; the teaser of one that she has not reached."""

    tier: str
    reached: bool
    benefits: tuple[str, ...] = ()


class NextTier(Answer):
    """The tier to aim for: so much more of what counts."""

    tier: str
    name: str
    missing: int


class TierAnswer(Answer):
    """The tier held, if any, what counts towards tiers, and the next one. ``floor``: a tier given by hand."""

    tier: str | None = None
    since: str | None = None
    until: str | None = None
    projected: str | None = None
    counts: Literal["points", "spend", "visits"] | None = None
    counted: int
    floor: str | None = None
    next: NextTier | None = None
    levels: tuple[TierView, ...] = Field(default=(), description="all of them, by their sort order, then from the lowest")
