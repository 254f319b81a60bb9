"""A tenant's configuration and its locations."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.limits.plans import Plan
from shared.tenants.base import Currency, Frozen, Label, Language, Name, ZoneName
from shared.tenants.branding import Branding
from shared.tenants.counter import CounterSettings
from shared.tenants.hours import OpeningHours
from shared.tenants.messaging import MessagingSettings
from shared.tenants.rights import AgeLimitSettings, ConsentSettings, RetentionSettings

__all__ = [
    "CatalogueItem", "EffectKind", "EventSettings", "Frozen", "IdentityProviderSettings", "Label", "Language", "Location", "Name",
    "OfflineAllowance", "ProfileSettings", "PropertyName", "PushPlatform", "PushSettings", "TenantSettings", "WalletSettings",
]  # fmt: skip
PushPlatform = Literal["apns", "apns_sandbox", "gcm"]


class IdentityProviderSettings(Frozen):
    """Whose identity tokens the tenant's app accepts. ``jwks`` or ``jwks_url`` replace the provider's well-known keys."""

    audiences: tuple[Annotated[str, Field(max_length=256)], ...] = Field(min_length=1, max_length=10)
    issuers: tuple[Annotated[str, Field(max_length=256)], ...] | None = Field(default=None, max_length=4)
    jwks: dict[str, object] | None = Field(default=None, max_length=10)
    jwks_url: str | None = Field(default=None, max_length=1000, pattern=r"^https://")
    nonce_required: bool = True
    erase_on_account_delete: bool = Field(
        default=False, description="erase members whose Apple account is deleted; otherwise they stay, without Apple's identifier"
    )


class PushSettings(Frozen):
    """The push application of the tenant on one platform. The credential itself is write-only and goes to SNS alone."""

    application_arn: str = Field(max_length=256)


class WalletSettings(Frozen):
    """A wallet that programmes share by its name. ``points`` are worth ``value`` minor units: as payment, as cashback, as liability."""

    name: Label = "Points"
    unit: str = Field(default="points", min_length=1, max_length=30, description="for people: points, stars, EUR")
    points: int = Field(default=1, ge=1, le=1_000_000)
    value: int = Field(default=1, ge=0, le=10**9, description="minor units; 0: points have no money value")
    floor: int | None = Field(
        default=None, le=0, ge=-(10**9), description="how far a return may take the balance below zero; none: as far as it must"
    )
    overdraft: int = Field(default=0, ge=0, le=10**9, description="points that may be spent beyond the balance")
    transfers: bool = Field(default=False, description="whether members may give points to one another")


PropertyName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]


class EventSettings(Frozen):
    """A custom event that the profile counts by day. ``value`` is an integer property that is summed, ``by`` a text property that splits:
    at most 20 values a member, the rest under ``~``.
    """

    value: PropertyName | None = None
    by: PropertyName | None = None


class ProfileSettings(Frozen):
    """What the words of a profile mean. Tenths: 20 is twice the usual interval."""

    sleeping_times_e1: int = Field(default=20, ge=10, le=100, description="sleeping: more than so many tenths of her usual interval")
    lost_times_e1: int = Field(default=40, ge=10, le=200, description="lost: likewise; not less than sleeping")
    tag_days: int = Field(default=365, ge=1, le=400, description="days that the strength of a tag looks back, today included")
    tag_half_life_days: int = Field(default=90, ge=1, le=400, description="a purchase so many days older weighs half")
    tag_percent: int = Field(default=50, ge=1, le=100, description="prefers: at least this part of what she spent, weighed")
    tag_purchases: int = Field(default=3, ge=1, le=1000, description="prefers: at least so many purchases with the tag")
    rfm_days: int = Field(default=365, ge=1, le=400, description="days of frequency and money, today included")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.lost_times_e1 < self.sleeping_times_e1:
            raise ValueError("lost_times_e1 is not less than sleeping_times_e1")
        return self


class CodeSettings(Frozen):
    """One-time codes that prove phone numbers and addresses. What they may cost is bounded by where they go and how many a day."""

    countries: tuple[Annotated[str, Field(pattern=r"^[A-Z]{2}$")], ...] = Field(
        default=(), max_length=250, description="ISO 3166-1: numbers of these countries get codes; none named: the tenant's own country"
    )
    per_day: int = Field(default=1000, ge=0, le=10**6, description="codes a UTC day to all together; 0: none")


class LookupSettings(Frozen):
    """How many members one credential may look for at the till in an hour, so that nobody walks through phone numbers."""

    missed_per_hour: int = Field(default=600, ge=1, le=10**6, description="look-ups by an identifier that is nobody's")
    found_per_hour: int = Field(default=3000, ge=1, le=10**6, description="different members found by an identifier")


class TenantSettings(Frozen):
    """Everything about a tenant that is not a definition of its own."""

    name: Label
    currency: Currency = Field(description="ISO 4217")
    time_zone: ZoneName = Field(description="IANA zone: the tenant's days, and its members' unless they have their own")
    languages: tuple[Language, ...] = Field(default=("en",), min_length=1, max_length=20)
    country: str | None = Field(default=None, pattern=r"^[A-Z]{2}$", description="ISO 3166-1: how phone numbers without + are read")
    identity_providers: dict[Literal["apple", "google"], IdentityProviderSettings] = Field(default_factory=dict)
    push: dict[PushPlatform, PushSettings] = Field(default_factory=dict)
    app_link: str = Field(default="regulars://", max_length=200, description="prefix of deep links in messages")
    wallets: dict[Name, WalletSettings] = Field(default_factory=dict, max_length=20, description="by name; one not named: 1 point = 1")
    coupons_together: Literal["best_for_guest", "best_for_margin", "as_listed"] = Field(
        default="best_for_guest", description="which of several coupons on a basket are used, and in which order"
    )
    claim_days: int = Field(default=14, ge=0, le=90, description="how long an anonymous sale may be claimed")
    events: dict[Name, EventSettings] = Field(
        default_factory=dict, max_length=20, description="custom events that the profile counts, by type without event."
    )
    profile: ProfileSettings = ProfileSettings()
    messaging: MessagingSettings = MessagingSettings()
    codes: CodeSettings = CodeSettings()
    counter: CounterSettings = CounterSettings()
    consents: ConsentSettings = ConsentSettings()
    retention: RetentionSettings = RetentionSettings()
    age_limit: AgeLimitSettings = AgeLimitSettings()
    branding: Branding = Branding()
    plan: Plan = Field(default=Plan(), description="rates and sizes; the operator's to change")
    lookups: LookupSettings = LookupSettings()
    status: Literal["active", "suspended"] = "active"


EffectKind = Literal[
    "percent", "amount", "amount_per_unit", "unit_price", "free_item", "cheapest_free", "nth_item", "buy_x_get_y", "bundle_price",
    "voucher", "extra_points", "points_multiplier",
]
"""What a coupon does (``shared.coupons.effects``), as a till that is offline tells coupons apart."""


class OfflineAllowance(Frozen):
    """What each till of a location may give without asking us. Nothing is given that is not allowed here. Points; minor units."""

    points_per_sale: int = Field(default=0, ge=0, le=10**9)
    points_per_day: int = Field(default=0, ge=0, le=10**9, description="per till and business date")
    value_per_sale: int = Field(default=0, ge=0, le=10**12, description="discount by coupons, minor units")
    value_per_day: int = Field(default=0, ge=0, le=10**12, description="per till and business date, minor units")
    coupon_kinds: tuple[EffectKind, ...] = Field(default=(), max_length=20, description="effects of the coupons that are taken")
    hours: int = Field(default=24, ge=1, le=720, description="how long after its last contact with us a till goes on giving")


class Location(Frozen):
    """A place of sale. Coordinates in millionths of a degree (no float)."""

    id: Name
    name: Label
    time_zone: ZoneName | None = None
    latitude_e6: int | None = Field(default=None, ge=-90_000_000, le=90_000_000)
    longitude_e6: int | None = Field(default=None, ge=-180_000_000, le=180_000_000)
    groups: tuple[Name, ...] = Field(default=(), max_length=20, description="groups that it is in; it is in those above them too")
    offline: OfflineAllowance | None = Field(default=None, description="what its tills may give while they are offline; none: nothing")
    hours: OpeningHours | None = Field(default=None, description="when it is open, by its own clock, else the tenant's; none: not known")


class CatalogueItem(Frozen):
    """Something that is sold. What a receipt does not say of a line is taken from here."""

    id: str = Field(min_length=1, max_length=64)
    name: Label
    category: Name | None = None
    tags: tuple[Name, ...] = Field(default=(), max_length=20)
    price: int | None = Field(default=None, ge=0, le=10**12, description="minor units")
    is_new: bool = False
