"""The end of a claim: the item is handed over, or the claim is cancelled. Each once; repeating it changes nothing.

One Query, one read (two where a coupon was given), and one transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from shared.coupons.model import Coupon
from shared.coupons.repository import CouponRepository
from shared.kernel.ids import is_id
from shared.kernel.instants import Instant
from shared.member_state.effects import Effects
from shared.member_state.events import CouponChanged, MemberEvent, RewardCancelled, RewardHandedOver
from shared.member_state.model import MemberState
from shared.member_state.service import Change, Done, Occasion, change_member
from shared.rewards.answers import claim_answer
from shared.rewards.api import CancelClaimRequest, ClaimAnswer
from shared.rewards.errors import RewardRefused, UnknownClaim
from shared.rewards.model import Claim, key_of
from shared.rewards.repository import LABEL, ClaimRepository
from shared.storage.commit import Stale
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope


def hand_over(scope: TenantScope, member: str, claim_id: str, actor: str, correlation: str = "") -> ClaimAnswer:
    """The item was given to her. ``RewardRefused`` for a claim that gave a coupon, or was cancelled."""
    now = scope.clock()

    def end(claim: Claim) -> _End:
        if claim.item is None:
            raise RewardRefused("not_an_item", "/claim_id")
        return _End([RewardHandedOver(now, claim.id, claim.reward, actor)])

    return _carry_out(scope, member, claim_id, "handed_over", end, Occasion(now, correlation), actor)


def cancel(
    scope: TenantScope, member: str, claim_id: str, request: CancelClaimRequest, actor: str, correlation: str = ""
) -> ClaimAnswer:
    """Her points come back with their old expiry, the stock has one more, and an unused coupon is void.

    ``RewardRefused`` for an item that was handed over, or a coupon that was used, has expired or is held for a basket.
    """
    now, coupons = scope.clock(), CouponRepository(scope.tenant, scope.table)

    def end(claim: Claim) -> _End:
        events: list[MemberEvent] = [
            RewardCancelled(now, claim.id, claim.reward, claim.postings, request.reason, actor, claim.use, claim.day)
        ]
        coupon = _unused(coupons, claim.coupon, now) if claim.coupon is not None else None
        if coupon is not None:
            events.append(CouponChanged(now, coupon.id, "void"))

        def write(batch: WriteBatch) -> None:
            if coupon is not None:
                coupons.add_void(batch, coupon)
            if claim.shard is not None:
                coupons.add_quota_return(batch, key_of(claim.reward), claim.shard)

        return _End(events, write)

    return _carry_out(scope, member, claim_id, "cancelled", end, Occasion(now, correlation), actor)


@dataclass(frozen=True, slots=True)
class _End:
    """What happens to her, and what else is written."""

    events: list[MemberEvent]
    write: Callable[[WriteBatch], None] | None = None


def _carry_out(
    scope: TenantScope,
    member: str,
    claim_id: str,
    to: Literal["handed_over", "cancelled"],
    end: Callable[[Claim], _End],
    occasion: Occasion,
    actor: str,
) -> ClaimAnswer:
    claims = ClaimRepository(scope.tenant, scope.table)

    def decide(state: MemberState, stale: Stale) -> Change[ClaimAnswer] | Done[ClaimAnswer]:
        raw = stale.get(LABEL)
        may_be_there = is_id("rwd", claim_id)
        claim = claims.decode(raw) if raw is not None else claims.get(state.member, claim_id) if may_be_there else None
        if claim is None:
            raise UnknownClaim
        if claim.state == to:
            return Done(claim_answer(scope, claim))
        if claim.state in ("handed_over", "cancelled"):
            raise RewardRefused(claim.state, "/claim_id")
        ending = end(claim)

        def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> ClaimAnswer:
            if ending.write is not None:
                ending.write(batch)
            return claim_answer(scope, claims.add_end(batch, claim, to, occasion.at, actor))

        return Change(ending.events, finish)

    return change_member(scope, member, occasion, decide)


def _unused(coupons: CouponRepository, coupon_id: str, now: Instant) -> Coupon:
    coupon = coupons.get(coupon_id)
    is_held = coupon is not None and coupon.state == "held" and (coupon.hold_until or 0) > now
    if coupon is None or is_held or coupon.state not in ("active", "held"):
        raise RewardRefused("coupon_used", "/claim_id")
    if coupon.expires_at <= now:
        raise RewardRefused("expired", "/claim_id")
    return coupon
