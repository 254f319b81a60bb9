"""A reward is an entry of the catalogue with a price in points; a claim is one exchange by one member.

    {"name": "Mug", "price": 800, "gives": {"kind": "item", "item": "mug"}, "stock": 200, "limits": {"per_month": 1},
     "when": {"tiers": ["gold"]}}
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, StrictInt, model_validator

from shared.coupons.limits import UNLIMITED, UseLimits
from shared.kernel.instants import Instant
from shared.member_state.model import CountedUse
from shared.programmes.conditions import ALWAYS, When
from shared.tenants.content import Contents, SortOrder
from shared.tenants.model import Frozen, Label, Name
from shared.wallet.model import Posting

ClaimState = Literal["given", "ordered", "handed_over", "cancelled"]
"""A coupon is ``given`` at once; an item is ``ordered`` until it is ``handed_over``. Either may be ``cancelled`` before it is used."""


class GivesCoupon(Frozen):
    """A coupon of an offer in force: used like any other."""

    kind: Literal["coupon"] = "coupon"
    offer: Name


class GivesItem(Frozen):
    """Something that is handed over or sent, outside any basket."""

    kind: Literal["item"] = "item"
    item: str = Field(min_length=1, max_length=64)
    units: StrictInt = Field(default=1, ge=1, le=100)


class RewardBody(Frozen):
    """One version of a reward."""

    name: Label
    price: StrictInt = Field(ge=1, le=10**9, description="points")
    wallet: Name = "points"
    gives: Annotated[GivesCoupon | GivesItem, Field(discriminator="kind")]
    when: When = Field(default=ALWAYS, description="who may have it, where and when")
    stock: StrictInt | None = Field(default=None, ge=1, le=10**8, description="how many there are in all; a later version may raise it")
    limits: UseLimits = UNLIMITED
    sort_order: SortOrder = 0
    content: Contents = Field(default_factory=dict)

    @model_validator(mode="after")
    def _costs_points_only(self) -> Self:
        if self.limits.of_value:
            raise ValueError("limits: a reward has a stock, and no budget of money")
        return self


@dataclass(frozen=True, slots=True)
class Claim:
    """One exchange as its item says."""

    id: str
    member: str
    reward: str
    reward_version: int
    state: ClaimState
    at: Instant
    wallet: str
    postings: tuple[Posting, ...]
    """What was drawn, signed as booked: a cancelled claim gives exactly this back."""
    version: int = 1
    coupon: str | None = None
    item: str | None = None
    units: int = 0
    shard: int | None = None
    """Of the stock."""
    use: CountedUse | None = None
    day: int = 0
    """The tenant's local day that it was counted on."""
    closed_at: Instant | None = None
    actor: str = ""
    """Who closed it."""

    @property
    def points(self) -> int:
        """What it cost."""
        return -sum(posting.points for posting in self.postings)


def key_of(reward: str) -> str:
    """What the stock and a member's claims of a reward are counted under."""
    return f"reward:{reward}"
