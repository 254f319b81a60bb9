"""A programme's terms beside earning: how long points live, how they are spent, what returns do, tiers, bonuses, referral."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from shared.programmes.conditions import ALWAYS, When
from shared.programmes.selectors import Selector
from shared.tenants.content import MAX_TEXT, Contents, SortOrder, fits
from shared.tenants.model import Frozen, Label, Name

EventName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,30}$")]
"""A custom event as the tenant names it; ours have a dot and cannot be sent by a till."""


class Pending(Frozen):
    """Points wait ``days`` of 24 hours, or for a custom event of the member, or for whichever of both comes first."""

    days: int = Field(default=0, ge=0, le=365)
    until_event: EventName | None = None


class Expiry(Frozen):
    """When points expire. ``after_days`` counts from earning, ``inactivity`` from the last purchase that earns or spends in the
    wallet; ``end_of_*`` is the end of the local period of earning and ``periods`` whole ones more.
    """

    kind: Literal["never", "after_days", "end_of_month", "end_of_quarter", "end_of_year", "inactivity"] = "never"
    days: int | None = Field(default=None, ge=1, le=3650)
    periods: int = Field(default=0, ge=0, le=40)
    end_of_day: bool = Field(default=True, description="days end with the local day, not to the millisecond")

    @model_validator(mode="after")
    def _days_where_counted(self) -> Expiry:
        if (self.days is not None) != (self.kind in ("after_days", "inactivity")):
            raise ValueError("days belong to after_days and inactivity, and to nothing else")
        if self.periods and not self.kind.startswith("end_of"):
            raise ValueError("periods belong to end_of_month, end_of_quarter and end_of_year")
        return self


class Spending(Frozen):
    """Points as payment: ``points`` are worth ``value`` minor units; without them, the wallet's rate."""

    points: int | None = Field(default=None, ge=1, le=1_000_000)
    value: int | None = Field(default=None, ge=1, le=10**9, description="minor units")
    minimum: int = Field(default=1, ge=1, le=10**9, description="points in one basket")
    step: int = Field(default=1, ge=1, le=10**9, description="only multiples of it")
    max_share_percent: int = Field(default=100, ge=1, le=100, description="of the bill after discounts")
    excluded: Selector | None = Field(default=None, description="lines that cannot be paid with points")
    uses_per_day: int | None = Field(default=None, ge=1, le=100, description="baskets a local day")
    counts_as: Literal["tender", "discount"] = Field(default="tender", description="a discount lowers the lines, and with them the tax")

    @model_validator(mode="after")
    def _whole_rate(self) -> Spending:
        if (self.points is None) != (self.value is None):
            raise ValueError("give points and value, or neither")
        return self


class Conversion(Frozen):
    """``points`` become a coupon of ``offer`` (a voucher of an amount, a percentage off a category, an item): as soon as they are
    there, as often as they are (``automatic``), or when the guest asks.
    """

    id: Name
    points: int = Field(ge=1, le=10**9)
    offer: Name
    automatic: bool = False
    most_at_once: int = Field(default=10, ge=1, le=10)


class Returns(Frozen):
    """What a return takes and gives back.

    ``points_gone``: points earned with what comes back that have been spent since: take only what is still ``pending``, or
    ``within_balance``, or let the balance go ``negative``. ``give_back``: points paid with: ``full`` gives them before money,
    ``pro_rata`` in the share of the bill that comes back, ``never``. ``vouchers``: whether unused vouchers that the points
    were converted to are taken back when points are missing.
    """

    points_gone: Literal["pending_only", "within_balance", "negative"] = "negative"
    give_back: Literal["full", "pro_rata", "never"] = "pro_rata"
    vouchers: Literal["take_back", "keep"] = "take_back"


class TierLevel(Frozen):
    """Reached at ``threshold``; multiplies what rules give; ``offers`` are given on reaching it."""

    id: Name
    name: Label
    threshold: int = Field(ge=0, le=10**12)
    multiplier_percent: int = Field(default=100, ge=100, le=1000)
    offers: tuple[Name, ...] = Field(default=(), max_length=5)
    benefits: tuple[Label, ...] = Field(default=(), max_length=20, description="for people: what else it brings")
    content: Contents = Field(default_factory=dict)
    sort_order: SortOrder = Field(default=0, description="in what guests read; equal ones by rising threshold")


class TierScheme(Frozen):
    """Tiers by ``points`` earned, ``spend`` (minor units, goods after discounts) or ``visits``, counted in a window: the last ``days``
    local days, the current local month, quarter or year, or for ever.

    A level is entered at once, or (``next_period``) at the start of the next calendar period, for what was counted in the one before.
    It is kept ``valid_days`` after it was last reached (calendar windows: to the end of the period after the one it was reached
    in), then ``grace_days`` more; after that she falls to the level that the window supports, or by one step only.
    """

    by: Literal["points", "spend", "visits"] = "points"
    window: Literal["rolling", "month", "quarter", "year", "lifetime"] = "rolling"
    days: int = Field(default=365, ge=1, le=400, description="of the rolling window")
    entry: Literal["at_once", "next_period"] = "at_once"
    valid_days: int = Field(default=365, ge=1, le=3650)
    grace_days: int = Field(default=0, ge=0, le=365)
    downgrade: Literal["by_balance", "one_step"] = "by_balance"
    levels: tuple[TierLevel, ...] = Field(min_length=1, max_length=10)

    @model_validator(mode="after")
    def _rising(self) -> TierScheme:
        thresholds = [level.threshold for level in self.levels]
        if thresholds != sorted(set(thresholds)):
            raise ValueError("levels must be listed by rising threshold")
        if len({level.id for level in self.levels}) != len(self.levels):
            raise ValueError("two levels have the same id")
        if not fits(level.content for level in self.levels):
            raise ValueError(f"the texts of all levels have more than {MAX_TEXT} characters together")
        if self.entry == "next_period" and self.window not in ("month", "quarter", "year"):
            raise ValueError("next_period needs a calendar window")
        return self


class Bonus(Frozen):
    """Points for something other than a purchase: once, unless ``times`` says more (a birthday: once a year).

    ``profile_completed`` is when the last of ``fields`` becomes known; ``form_filled`` a form of a campaign; ``event`` a custom event.
    """

    id: Name
    on: Literal["registration", "birthday", "profile_completed", "form_filled", "event"]
    points: int = Field(ge=1, le=1_000_000)
    event: EventName | None = None
    fields: tuple[Name, ...] = Field(default=(), max_length=20)
    when: When = ALWAYS
    times: int = Field(default=1, ge=1, le=1_000_000, description="in all, per member; birthdays: not counted")
    per_day: int | None = Field(default=None, ge=1, le=1000, description="times a local day")

    @model_validator(mode="after")
    def _trigger(self) -> Bonus:
        if (self.event is not None) != (self.on == "event"):
            raise ValueError("event belongs to on: event, and to nothing else")
        if bool(self.fields) != (self.on == "profile_completed"):
            raise ValueError("fields belong to on: profile_completed, and to nothing else")
        return self


class Referral(Frozen):
    """Both sides are rewarded after the friend's first purchase of at least ``minimum`` (goods after discounts)."""

    referrer_points: int = Field(default=0, ge=0, le=1_000_000)
    friend_points: int = Field(default=0, ge=0, le=1_000_000)
    minimum: int = Field(default=1, ge=0, le=10**9, description="minor units")
    most_per_referrer: int = Field(default=10, ge=1, le=100_000)
    within_days: int = Field(default=90, ge=1, le=3650, description="of the friend's registration")

    @model_validator(mode="after")
    def _something(self) -> Referral:
        if not (self.referrer_points or self.friend_points):
            raise ValueError("nobody is rewarded")
        return self
