"""A programme: whom and what it is for, how purchases earn points, and the terms that they come with.

Every rule names its rounding. Amounts are minor units, points whole numbers, factors whole percent, cashback hundredths of a percent.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from shared.kernel.money import Rounding
from shared.programmes.conditions import ALWAYS, When
from shared.programmes.selectors import EARNING_KINDS, LineKind, Selector, TenderKind
from shared.programmes.terms import Bonus, Conversion, Expiry, Pending, Referral, Returns, Spending, TierScheme
from shared.tenants.model import Frozen, Label, Name

MAX_RULES = 1000
RoundPer = Literal["unit", "line", "order"]


class Limits(Frozen):
    """Points, unless it says times. What is over is cut off, and the trace says which limit was hit."""

    per_transaction: int | None = Field(default=None, ge=1, le=10**9)
    per_day: int | None = Field(default=None, ge=1, le=10**9, description="per member and local day")
    per_member: int | None = Field(default=None, ge=1, le=10**9, description="per member in all")
    times_per_day: int | None = Field(default=None, ge=1, le=10**6)
    times_per_member: int | None = Field(default=None, ge=1, le=10**6)
    budget: int | None = Field(default=None, ge=1, le=10**12, description="given to all members in all; never exceeded")

    @property
    def of_member(self) -> bool:
        """Whether any of them needs to know what the member has had."""
        return any(each is not None for each in (self.per_day, self.per_member, self.times_per_day, self.times_per_member))


UNLIMITED = Limits()


class Rule(Frozen):
    """What every earning rule has.

    Rules are worked through by falling ``priority``, then as listed. ``add``: what it gives is added. ``best``: of all such rules only
    the one that gives most counts (the earlier, if equal). ``stop``: the lines that it gave points for earn by no later rule.
    """

    id: Name
    priority: int = Field(default=0, ge=-1000, le=1000)
    combine: Literal["add", "best", "stop"] = "add"
    when: When = ALWAYS
    limits: Limits = UNLIMITED


class PerAmount(Rule):
    """``points`` for every ``per`` minor units of the matched lines: in proportion, or (``whole_steps``) for every full ``per``."""

    kind: Literal["per_amount"] = "per_amount"
    points: int = Field(ge=1, le=1_000_000)
    per: int = Field(ge=1, le=10**9, description="minor units")
    whole_steps: bool = False
    rounding: Rounding = "floor"
    round_per: RoundPer = Field(default="order", description="where the rounding (or counting of steps) is made")
    on: Selector = Selector()


class PerItem(Rule):
    """``points`` for every whole unit of a matched line."""

    kind: Literal["per_item"] = "per_item"
    points: int = Field(ge=1, le=1_000_000)
    on: Selector = Selector()


class Fixed(Rule):
    """``points`` once, if the matched lines come to the minimum; ``per`` visit or per receipt."""

    kind: Literal["fixed"] = "fixed"
    points: int = Field(ge=1, le=1_000_000)
    per: Literal["visit", "receipt"] = "visit"
    minimum: int = Field(default=1, ge=0, le=10**12, description="minor units of the matched lines")
    minimum_counts: Literal["before_discounts", "after_discounts"] = "after_discounts"
    on: Selector = Selector()


class Cashback(Rule):
    """A percentage of the matched lines, by tier, as points at the wallet's rate. Hundredths of a percent: 150 is 1.5 %."""

    kind: Literal["cashback"] = "cashback"
    percent_e2: int = Field(ge=0, le=10_000, description="without a tier, or with one that is not named")
    by_tier: dict[Name, Annotated[int, Field(ge=0, le=10_000)]] = Field(default_factory=dict, max_length=10)
    rounding: Rounding = "floor"
    round_per: RoundPer = "order"
    on: Selector = Selector()


class Multiplier(Rule):
    """The points of other rules on the matched lines, times ``percent`` / 100. Works on ``of`` (rule ids), or on all rules."""

    kind: Literal["multiplier"] = "multiplier"
    percent: int = Field(ge=101, le=10_000, description="200 doubles")
    rounding: Rounding = "floor"
    on: Selector = Selector()
    of: tuple[Name, ...] = Field(default=(), max_length=100)


EarningRule = Annotated[PerAmount | PerItem | Fixed | Cashback | Multiplier, Field(discriminator="kind")]


class Base(Frozen):
    """What counts as spent. All of it is the tenant's choice; nothing is implied."""

    tax: Literal["gross", "net"] = Field(default="gross", description="with or without tax")
    discounts: Literal["after", "before"] = Field(default="after", description="after: coupons and rewards lower the base")
    points_payment: Literal["after", "before"] = Field(default="after", description="after: what is paid with points does not earn")
    kinds: tuple[LineKind, ...] = Field(default=EARNING_KINDS, min_length=1, max_length=20)
    excluded: Selector | None = Field(default=None, description="lines that earn nothing")
    excluded_tenders: tuple[TenderKind, ...] = Field(default=(), max_length=20, description="what is paid with these does not earn")


class ProgrammeBody(Frozen):
    """One version of a programme."""

    name: Label
    wallet: Name = "points"
    priority: int = Field(default=0, ge=-1000, le=1000, description="of two programmes, the higher is asked first")
    applies: When = ALWAYS
    scope: Selector = Field(default=Selector(), description="the lines that it is about")
    ownership: Literal["additive", "exclusive"] = Field(
        default="additive", description="exclusive: lines that it earned for earn in no programme asked later"
    )
    base: Base = Base()
    earning: tuple[EarningRule, ...] = Field(default=(), max_length=MAX_RULES)
    multipliers: Literal["add", "multiply", "best"] = Field(
        default="add", description="double and triple: fourfold (add), sixfold (multiply), threefold (best); tiers included"
    )
    limits: Limits = UNLIMITED
    unknown_items: Literal["earn", "nothing"] = Field(default="earn", description="lines whose item no catalogue lists")
    visit_minutes: int = Field(default=30, ge=0, le=1440, description="receipts at one location within so many minutes are one visit")
    bonuses: tuple[Bonus, ...] = Field(default=(), max_length=50)
    referral: Referral | None = None
    pending: Pending = Pending()
    expiry: Expiry = Expiry()
    spending: Spending | None = None
    conversions: tuple[Conversion, ...] = Field(default=(), max_length=20)
    returns: Returns = Returns()
    tiers: TierScheme | None = None

    @model_validator(mode="after")
    def _consistent(self) -> ProgrammeBody:
        ids = [each.id for each in (*self.earning, *self.bonuses, *self.conversions)]
        if len(set(ids)) != len(ids):
            raise ValueError("two rules, bonuses or conversions have the same id")
        if not (self.earning or self.bonuses or self.referral):
            raise ValueError("nothing earns points")
        known = {rule.id for rule in self.earning if rule.kind != "multiplier"}
        for rule in self.earning:
            if rule.kind == "multiplier" and not set(rule.of) <= known:
                raise ValueError(f"multiplier {rule.id} names a rule that is not there")
        return self
