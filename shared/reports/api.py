"""A campaign's report as the API answers it, and as a table."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.campaigns.model import CampaignState
from shared.tenants.base import Answer


class Numbers(Answer):
    """Deliveries by what became of them, each counted once. A delivery is one message to one member over one channel, or the record that
    she got none.
    """

    planned: int = Field(default=0, description="everybody it was meant for: what follows up to claimed, and what is on its way")
    held_out: int = 0
    suppressed: int = Field(default=0, description="not hers to get; see suppressed_by_reason")
    deferred: int = Field(default=0, description="waiting for the end of quiet hours, of a cap, of a blackout")
    given: int = Field(default=0, description="coupons, points and challenges that steps gave without a message")
    claimed: int = Field(default=0, description="handed over to the provider, or about to be")
    sent: int = Field(default=0, description="the provider took it")
    failed: int = 0
    unknown: int = Field(default=0, description="nobody knows whether it went out; it is never sent again")
    delivered: int = Field(default=0, description="the provider says that it arrived; push says nothing")
    bounced: int = 0
    complained: int = 0
    opened: int = 0
    clicked: int = 0
    submitted: int = Field(default=0, description="forms")
    redeemed: int = Field(default=0, description="coupons of this delivery")
    unsubscribed: int = 0
    converted: int = Field(default=0, description="reached the goal within its days after the first message or gift")
    revenue: int = Field(default=0, description="of who converted, within those days, minor units")
    attributed: int = Field(default=0, description="purchases that this is given credit for: each to one delivery")
    attributed_hard: int = Field(default=0, description="of these by a coupon redeemed or a form filled, not by order in time")
    attributed_revenue: int = Field(default=0, description="minor units")
    discount: int = Field(default=0, description="what its coupons took off, minor units")
    cost: int = Field(default=0, description="of the messages by the tenant's prices, minor units, rounded up")


class Part(Numbers):
    """The numbers of one step, variant, channel or language."""

    name: str
    cost_per_conversion: int | None = Field(default=None, description="messages and discount, minor units, rounded up; none: nobody")


class UpliftAnswer(Answer):
    """What the campaign changed, against who was held out. Each value with the bounds of its 95 % interval.

    ``rate``: converted of a million members, more than without. ``revenue``: thousandths of a minor unit a member, more than without.
    """

    members: int
    held_out: int
    rate: int
    rate_low: int
    rate_high: int
    revenue: int
    revenue_low: int
    revenue_high: int
    verdict: Literal["more", "fewer", "no_effect_seen"]
    sample_too_small: bool = Field(description="fewer than 100 members or 10 conversions in a group: do not decide by this")


class Budget(Answer):
    """What a campaign may cost, and has: messages and discount, minor units."""

    amount: int
    spent: int
    percent: int


class ReportAnswer(Numbers):
    """A campaign's report. Behind the table by moments."""

    campaign_id: str
    state: CampaignState
    suppressed_by_reason: dict[str, int] = Field(default_factory=dict)
    uplift: UpliftAnswer | None = Field(default=None, description="none without a holdout")
    uplift_by_variant: dict[str, UpliftAnswer] = Field(default_factory=dict, description="each variant against all who were held out")
    budget: Budget | None = None
    steps: tuple[Part, ...] = ()
    variants: tuple[Part, ...] = ()
    channels: tuple[Part, ...] = ()
    languages: tuple[Part, ...] = ()
