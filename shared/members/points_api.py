"""Bodies of the routes that move points without a purchase."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictInt, StringConstraints, field_validator

from shared.tenants.base import Answer
from shared.tenants.model import Frozen, Name
from shared.transactions.api import MemberReference, Ref, Timestamp, Token

Points = Annotated[StrictInt, Field(ge=1, le=10**9)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class AdjustmentRequest(Frozen):
    """Points given (above zero) or taken (below) by hand. The reason and who did it stand in the ledger."""

    wallet: Name = "points"
    points: Annotated[StrictInt, Field(ge=-(10**9), le=10**9)]
    reason: Reason
    expires_at: Timestamp | None = Field(default=None, description="of points given; by the programme's rule, if left out")

    @field_validator("points")
    @classmethod
    def _something(cls, value: int) -> int:
        if value == 0:
            raise ValueError("zero points change nothing")
        return value


class Proven(Frozen):
    """What proves that she herself asks, of spending above the tenant's limit. Her own token needs none of it."""

    location_id: Ref | None = Field(default=None, description="where; as the confirmation says it")
    identification: Token | None = Field(default=None, description="what identify answered")
    confirmation_id: Token | None = Field(default=None, description="good once")


class TransferRequest(Proven):
    """Points for another member. They keep their expiry."""

    to: MemberReference
    wallet: Name = "points"
    points: Points
    reason: Reason | None = None


class ConversionRequest(Proven):
    """Points for vouchers, as a programme offers it."""

    programme: Name
    conversion: Name
    times: Annotated[StrictInt, Field(ge=1, le=10)] = 1


class TierRequest(Frozen):
    """A tier given by hand, below which she does not fall until then; no tier: what was given is taken away."""

    tier: Name | None
    until: Timestamp | None = Field(default=None, description="left out: for ever")
    reason: Reason


class PointsAnswer(Answer):
    """What was booked. ``balance``: of the wallet, after it; below zero if points are owed."""

    member_id: str
    wallet: str
    points: int
    balance: int
    reference: str
    coupons: tuple[str, ...] | None = Field(default=None, description="ids of the vouchers")


class TierSetAnswer(Answer):
    """The tier that she holds now."""

    member_id: str
    tier: str | None = None
    until: str | None = None
    floor: str | None = None


class ReferralCodeAnswer(Answer):
    """What a friend gives when she registers. ``rewarded``: friends that it has brought her something for."""

    member_id: str
    code: str
    rewarded: int
