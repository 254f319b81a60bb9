"""What a tenant asks for at the counter: from when on spending needs a confirmation, and what is flagged. Nothing, unless it says so."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.tenants.base import Frozen

Place = Literal["anywhere", "location", "cashier"]


class PurchaseRule(Frozen):
    """One member's purchases in one shift. The one that is more than so many is flagged, and each after it."""

    more_than: int = Field(ge=1, le=20, description="purchases of one member that nobody asks about")
    per: Literal["business_date", "hours"] = "business_date"
    hours: int = Field(default=8, ge=1, le=48, description="of ``per: hours``: so long back from the purchase, its own instant included")
    at: Place = Field(default="location", description="counted at one location, with one of its cashiers, or at all together")


class DailyRule(Frozen):
    """How often one cashier does something on one business date before it is told of."""

    more_than: int = Field(ge=0, le=10**6)


class AfterHoursRule(Frozen):
    """A member's sale at the counter (``pos``, ``kiosk``) while its location is closed, by the location's hours. It is flagged."""

    grace_minutes: int = Field(default=30, ge=0, le=240, description="before opening and after closing that nobody asks about")
    more_than: int = Field(default=0, ge=0, le=10**6, description="such sales of one cashier on one business date that are not told of")


class AdjustmentRule(Frozen):
    """Points given or taken by hand by one credential on one day of the tenant: how often, and how many in all."""

    more_than: int | None = Field(default=None, ge=0, le=10**6)
    points: int | None = Field(default=None, ge=0, le=10**12, description="given and taken, added up")


class CounterRules(Frozen):
    """What is looked at. A rule that is left out is not."""

    purchases: PurchaseRule | None = None
    claims: DailyRule | None = Field(default=None, description="anonymous sales given to members by one cashier")
    returns: DailyRule | None = Field(default=None, description="returns of sales with a coupon or points, by one cashier")
    adjustments: AdjustmentRule | None = None
    after_hours: AfterHoursRule | None = Field(default=None, description="sales while the location is closed")


class CounterSettings(Frozen):
    """The counter. Limits are for what is spent in one call by whoever was found by phone, e-mail, card or external id."""

    confirm_points: int | None = Field(default=None, ge=0, le=10**9, description="more points than this need a confirmation")
    confirm_value: int | None = Field(
        default=None, ge=0, le=10**12, description="more than this, paid with points or taken off by her coupons, needs one: minor units"
    )
    review_days: int | None = Field(
        default=None, ge=1, le=365, description="what nobody has reviewed by then counts as approved; none: points wait until somebody does"
    )
    rules: CounterRules = CounterRules()

    @property
    def asks(self) -> bool:
        """Whether spending may need a confirmation."""
        return self.confirm_points is not None or self.confirm_value is not None
