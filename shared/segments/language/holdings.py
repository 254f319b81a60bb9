"""Leaves about what she has: tier, points, coupons and challenges."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StrictInt, model_validator

from shared.profile.model import KEPT_DAYS
from shared.segments.language.base import Amount, Comparison, DayMeaning, Key, Leaf, OneOrSeveral, RollingDays

Within = Annotated[StrictInt, Field(ge=1, le=KEPT_DAYS, description="days of 24 hours")]


class TierHeld(Leaf, OneOrSeveral):
    """Whether she holds one of the tiers, or ``at_least`` one by the order of the levels in force; who has no tier does not.

    ``op`` and ``days``: since at least, or less than, so many days of 24 hours. ``at_least`` a level that the scheme lacks is unknown.
    """

    kind: Literal["tier"]
    at_least: Key | None = None
    op: Literal["at_least", "less_than"] | None = None
    days: RollingDays | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if sum(given is not None for given in (self.is_, self.in_, self.at_least)) != 1:
            raise ValueError("give exactly one of is, in, at_least")
        if (self.op is None) != (self.days is None):
            raise ValueError("give op and days together, or neither")
        return self

    @property
    def is_certain(self) -> bool:
        return self.at_least is None

    @property
    def meaning_of_day(self) -> DayMeaning | None:
        return "rolling" if self.days is not None else None


class _OfWallet(Leaf):
    """Never unknown: a wallet that she does not have has 0."""

    wallet: Key
    op: Comparison
    value: Amount

    @property
    def is_certain(self) -> bool:
        return True


class Balance(_OfWallet):
    """Available points of a wallet: matured, not expired, not held. A wallet that she does not have has 0."""

    kind: Literal["balance"]


class Points(_OfWallet):
    """Points of a wallet: ``available`` (as ``balance``), ``pending`` (they wait for an instant or an event), ``held`` for baskets."""

    kind: Literal["points"]
    state: Literal["available", "pending", "held"]


class PointsExpiring(_OfWallet):
    """Matured points of a wallet that expire at most so many days of 24 hours from now, those held for a basket included."""

    kind: Literal["points_expiring"]
    within_days: Within

    @property
    def meaning_of_day(self) -> DayMeaning:
        return "rolling"


class CouponHeld(Leaf):
    """Whether she has a coupon of the offer: ``active`` (usable now), ``held`` for a basket, or ever ``redeemed`` one.

    ``expires_within_days``: an active one that expires at most so many rolling days of 24 hours from now.
    """

    kind: Literal["coupon"]
    offer: Key
    state: Literal["active", "held", "redeemed"]
    expires_within_days: Within | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.expires_within_days is not None and self.state != "active":
            raise ValueError("expires_within_days is asked of active coupons")
        return self

    @property
    def is_certain(self) -> bool:
        return True

    @property
    def meaning_of_day(self) -> DayMeaning | None:
        return "rolling" if self.expires_within_days is not None else None


class ChallengeState(Leaf):
    """Whether she has the challenge: ``active`` (its window is open, completed or not), ``completed`` (at least once), ``ended`` (its
    window has passed without a completion). Remembered for a week after the end, or a month where it was completed. Never unknown.

    ``within_days``: it ends at most so many days of 24 hours from now (``active``), or was completed, or ended, at most so long ago.
    """

    kind: Literal["challenge"]
    challenge: Key
    state: Literal["active", "completed", "ended"]
    within_days: Within | None = None

    @property
    def is_certain(self) -> bool:
        return True

    @property
    def meaning_of_day(self) -> DayMeaning | None:
        return "rolling" if self.within_days is not None else None
