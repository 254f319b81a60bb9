"""Rewards and claims -> what the routes answer."""

from __future__ import annotations

from shared.coupons.issuing import printable_code
from shared.kernel.instants import format_rfc3339
from shared.rewards.api import ClaimAnswer, RewardView
from shared.rewards.model import Claim, GivesCoupon, RewardBody
from shared.tenants.content import Reader
from shared.tenants.scope import TenantScope


def claim_answer(scope: TenantScope, claim: Claim) -> ClaimAnswer:
    """A claim, with its coupon's printable code."""
    body = scope.definitions.reward(claim.reward, claim.reward_version)
    return ClaimAnswer(
        claim_id=claim.id,
        reward_id=claim.reward,
        title=scope.reader(None).title(body.content, body.name) if body is not None else None,
        state=claim.state,
        wallet=claim.wallet,
        points=claim.points,
        coupon_id=claim.coupon,
        code=printable_code(scope, claim.coupon) if claim.coupon is not None and claim.state == "given" else None,
        item_id=claim.item,
        units=claim.units or None,
        claimed_at=format_rfc3339(claim.at),
        closed_at=format_rfc3339(claim.closed_at) if claim.closed_at is not None else None,
    )


def reward_view(id_: str, body: RewardBody, reader: Reader, reason: str | None, missing: int) -> RewardView:
    """An entry of the catalogue as she reads it."""
    gives = body.gives
    return RewardView(
        reward_id=id_,
        price=body.price,
        wallet=body.wallet,
        offer_id=gives.offer if isinstance(gives, GivesCoupon) else None,
        item_id=None if isinstance(gives, GivesCoupon) else gives.item,
        units=None if isinstance(gives, GivesCoupon) else gives.units,
        available=reason is None,
        reason=reason,
        missing=missing or None,
        **reader.shown(body.content, body.name, teased=reason is not None),
    )
