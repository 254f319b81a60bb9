"""A finding of the linter, and the basket that shows it."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from shared.programmes.selectors import LineKind
from shared.tenants.model import Frozen

Severity = Literal["error", "warning"]
Code = Literal[
    "dead_amount",
    "dead_conditions",
    "dead_dates",
    "dead_lines",
    "dead_location_group",
    "dead_multiplier",
    "dead_tier",
    "shadowed_by_best",
    "shadowed_by_stop",
    "pays_more_than_spent",
    "generous",
    "fixed_below_worth",
    "item_below_worth",
    "points_loop",
    "reward_loop",
    "multipliers_above_bound",
    "expires_before_available",
    "tier_gap",
    "unreachable_tier",
    "second_tiers",
    "spending_excludes_all",
    "spending_not_in_steps",
    "spending_out_of_reach",
    "spending_worthless",
    "unbounded_bonus",
    "referral_below_worth",
]
MOST_FINDINGS: Final = 100
"""What is answered at most, errors first: nobody reads more at once, and what is behind them shows after they are mended."""


class ExampleLine(Frozen):
    """A line. ``amount`` is printed; ``discount`` is what the example's coupon takes off."""

    id: str
    kind: LineKind = "item"
    item: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    units: int = Field(default=1000, description="thousandths")
    unit_price: int = Field(description="minor units")
    amount: int = Field(description="minor units")
    discount: int = Field(default=0, description="minor units")


class ExampleStep(Frozen):
    """What a rule gave for the basket, or why it gave nothing: as in the explanation of a purchase."""

    rule: str
    points: int
    reason: str | None = None


class Example(Frozen):
    """A basket, who buys it, where and when; and what the engine makes of it (from ``spent`` on)."""

    lines: tuple[ExampleLine, ...]
    at: str = Field(description="RFC 3339")
    location: str
    location_groups: tuple[str, ...] = Field(default=(), description="all that the location is in")
    channel: str
    tier: str | None = None
    segments: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    joined: str = Field(description="RFC 3339")
    first_purchase: bool = False
    baskets: int = Field(default=1, description="how many such baskets (or events) the finding is about")
    pays_points: int = Field(default=0, description="points that she wants to pay with")
    coupon: str | None = Field(default=None, description="the offer whose coupon she uses")
    spent: int = Field(default=0, description="minor units: what the basket costs after its discounts")
    earned: int = Field(default=0, description="points that the programme gives for it")
    worth: int = Field(default=0, description="minor units: what these points are worth, rounded down")
    pays_voucher: int = Field(default=0, description="minor units that her coupon pays, where it counts as a tender")
    bonus: int = Field(default=0, description="points that come beside those of the basket")
    pays_value: int = Field(default=0, description="minor units that her points pay")
    refused: str | None = Field(default=None, description="why her points pay nothing")
    available_at: str | None = Field(default=None, description="RFC 3339: when the points may be spent")
    expires_at: str | None = Field(default=None, description="RFC 3339: when they are gone")
    steps: tuple[ExampleStep, ...] = Field(default=(), description="of the rules that the finding is about, and those that gave points")


class Finding(Frozen):
    """One mistake. ``code`` is stable; ``message`` is for people and says what to do."""

    code: Code
    severity: Severity
    pointer: str = Field(description="JSON pointer (RFC 6901), from /definition")
    message: str
    example: Example
