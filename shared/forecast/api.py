"""Bodies of the routes that look ahead. Money in minor units, rounded up."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictInt

from shared.forecast.flow import Bound
from shared.tenants.base import Answer, Frozen
from shared.tenants.messaging import Channel


class EstimateRequest(Frozen):
    """Of which version (none: the newest, also a draft), and how closely it is looked at."""

    version: Annotated[StrictInt, Field(ge=1)] | None = None
    mode: Literal["estimate", "exact"] = Field(default="estimate", description="exact: the audience is counted; the rest is of a sample")
    size: Annotated[StrictInt, Field(ge=100, le=2000)] = Field(default=1000, description="members looked at")
    redemption_percent: Annotated[StrictInt, Field(ge=0, le=100)] = Field(default=10, description="how many of the coupons will be used")


class Figure(Answer):
    """A number of members; the truth is between ``low`` and ``high`` in 95 of 100 estimates."""

    count: int
    low: int
    high: int


class ChannelEstimate(Answer):
    """Who gets it over a channel: ``first`` as the first message, ``at_most`` with everybody whom a later rung of the ladder may reach."""

    channel: Channel
    rung: int = Field(description="place in the ladder, from 0")
    reachable: Figure = Field(description="it leads to her and she allows it")
    first: Figure
    at_most: Figure
    cost: int
    cost_at_most: int


class StepEstimate(Answer):
    """One message. Of those who come to it: who gets it, and what is in the way of the others."""

    step: str
    sure: bool = Field(description="false: a branch or a wait for an event is before it, so that not everybody who may come to it will")
    comes: Figure
    channels: tuple[ChannelEstimate, ...]
    no_consent: Figure
    suppressed: Figure
    unreachable: Figure
    held_out: Figure
    over_cap: Figure = Field(description="a frequency cap has no room for it now")
    quiet_hours: Figure = Field(description="sent now, it would wait for the morning, or be dropped")
    blackout: Figure = Field(description="sent now, it would wait for the end of a blackout, or be dropped")


class OfferEstimate(Answer):
    """What the coupons of an offer may cost. Absent: its terms do not tell."""

    offer: str
    recipients: Figure
    highest_each: int | None = None
    expected_each: int | None = None
    highest: int | None = Field(default=None, description="everybody redeems at the highest value")
    expected: int | None = Field(default=None, description="as many redeem as the request expects")


class FlowEstimate(Answer):
    """How often it begins, for a campaign that waits for something. ``bound``: the truth may be less (at_most) or more (at_least)."""

    basis: Literal["past", "ahead", "unknown"] = Field(description="counted from the 28 days behind, or the dates of the 28 ahead")
    in_28_days: int | None = None
    per_day: int | None = Field(default=None, description="rounded up")
    bound: Bound | None = None
    reason: str | None = None
    message_cost_in_28_days: int | None = None


class BudgetEstimate(Answer):
    """The campaign's budget beside what it is expected to cost."""

    amount: int
    expected: int
    at_most: int | None = Field(default=None, description="absent: the terms of an offer do not tell")


WarningCode = Literal["missing_language", "budget_too_small", "goal_not_measurable", "channel_not_set_up", "nobody", "cost_not_known"]


class WarningAnswer(Answer):
    """Something to look at before it is launched."""

    code: WarningCode
    pointer: str
    detail: str


class EstimateAnswer(Answer):
    """What a campaign would do for whoever is in its audience now: each going through it once.

    The figures are estimated from the members that were looked at, as they are now.
    """

    campaign_id: str
    version: int
    mode: Literal["estimate", "exact"]
    audience: Figure
    population: int = Field(description="active members")
    looked_at: int = Field(description="members of the audience that everything else is estimated from")
    source: Literal["snapshot", "table"] = Field(serialization_alias="from")
    whole: bool = Field(description="false: only the first 20,000 members were there to be sampled; population says so")
    as_of: str
    steps: tuple[StepEstimate, ...]
    messages: Figure = Field(description="first messages of all steps together")
    message_cost: int
    message_cost_at_most: int
    coupons: tuple[OfferEstimate, ...] = ()
    coupon_liability_highest: int | None = Field(default=None, description="absent: the terms of an offer do not tell")
    coupon_liability_expected: int | None = None
    points: int = Field(default=0, description="given by steps, at most")
    points_value: int = Field(default=0, description="what these can be spent as")
    sending_seconds: int | None = Field(default=None, description="by the throttles; absent: nothing throttles it")
    flow: FlowEstimate | None = None
    budget: BudgetEstimate | None = None
    warnings: tuple[WarningAnswer, ...] = ()
