"""Bodies of the rewards routes."""

from __future__ import annotations

from pydantic import Field

from shared.members.points_api import Proven, Reason
from shared.rewards.model import ClaimState
from shared.tenants.base import Answer
from shared.tenants.content import GuestText
from shared.tenants.model import Frozen, Name


class ClaimRequest(Proven):
    """The reward that she wants, and where she is, if the reward is for some locations only."""

    reward_id: Name
    location_id: str | None = Field(default=None, min_length=1, max_length=64)


class CancelClaimRequest(Frozen):
    """Why; it stands in the ledger."""

    reason: Reason


class ClaimAnswer(Answer):
    """A claim. ``coupon_id`` is the coupon that it gave, ``item_id`` what is to be handed over; ``points`` what it cost."""

    claim_id: str
    reward_id: str
    title: str | None = None
    state: ClaimState
    wallet: str
    points: int
    coupon_id: str | None = None
    code: str | None = None
    item_id: str | None = None
    units: int | None = None
    claimed_at: str
    closed_at: str | None = None


class RewardView(GuestText):
    """An entry of the catalogue as she may read it. ``missing`` are the points that she lacks; ``reason`` says why she cannot have it,
    and then the teaser is there.
    """

    reward_id: str
    price: int
    wallet: str
    offer_id: str | None = None
    item_id: str | None = None
    units: int | None = None
    available: bool
    reason: str | None = None
    missing: int | None = None


class RewardsAnswer(Answer):
    """The catalogue for her, and what she has claimed, newest first."""

    member_id: str
    data: tuple[RewardView, ...]
    claims: tuple[ClaimAnswer, ...]
