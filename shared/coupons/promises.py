"""Coupons that a member's fold gives or takes: their items, written in the commit that writes her state."""

from __future__ import annotations

from shared.coupons.issuing import blind_code, printable_code
from shared.coupons.model import Coupon
from shared.coupons.repository import CouponRepository
from shared.member_state.effects import Effects, PromisedCoupon
from shared.member_state.model import MemberState
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope


def add_promised(scope: TenantScope, batch: WriteBatch, state: MemberState, effects: Effects) -> None:
    """Two writes a coupon given (itself and its code), one a coupon taken away. No request where there is nothing to do."""
    if not (effects.promised or effects.withdrawn):
        return
    coupons = CouponRepository(scope.tenant, scope.table)
    for promised in effects.promised:
        coupon = coupon_of(scope, promised, state.member)
        coupons.add_new(batch, coupon, blind_code(scope, coupon.code))
    for coupon in coupons.get_many(effects.withdrawn).values():
        coupons.add_void(batch, coupon)


def coupon_of(scope: TenantScope, promised: PromisedCoupon, member: str) -> Coupon:
    """The coupon as its item will say."""
    return Coupon(
        id=promised.id,
        offer=promised.offer,
        offer_version=promised.offer_version,
        state="active",
        member=member,
        active_from=promised.active_from,
        expires_at=promised.expires_at,
        code=printable_code(scope, promised.id),
        issued_by=promised.issued_by,
        parameters=promised.parameters,
    )
