"""QR codes that a member shows: her card, and her coupons. Signed when asked for; nothing is stored."""

from __future__ import annotations

from shared.coupons.errors import CouponRefused, UnknownCoupon
from shared.coupons.model import OfferBody
from shared.coupons.qr import LIFETIME, MAX_VALUE, Kind, QrContent
from shared.coupons.repository import CouponRepository
from shared.kernel.instants import SECOND, Instant, format_rfc3339
from shared.member_state.service import view_member
from shared.members.showing_api import QrAnswer
from shared.tenants.scope import TenantScope
from shared.tenants.tokens import TokenSigner


def card(scope: TenantScope, member: str, signer: TokenSigner) -> QrAnswer:
    """Her card. One Query: of a member who is there."""
    now = scope.clock()
    state = view_member(scope, member, now)
    return _signed(scope, signer, "member", state.member, "", now + LIFETIME)


def coupon_qr(scope: TenantScope, member: str, coupon_id: str, signer: TokenSigner) -> QrAnswer:
    """A coupon of hers that she can use now, or ``CouponRefused`` with the reason. One Query and one read."""
    now = scope.clock()
    state = view_member(scope, member, now)
    coupon = CouponRepository(scope.tenant, scope.table).get(coupon_id)
    if coupon is None or not state.was(coupon.member):
        raise UnknownCoupon
    if coupon.state in ("redeemed", "void"):
        raise CouponRefused(coupon.state)
    if coupon.expires_at <= now:
        raise CouponRefused("expired")
    if coupon.active_from > now:
        raise CouponRefused("not_yet_active")
    stopped = scope.definitions.stops.reason(coupon.offer)
    if stopped is not None:
        # A till that is offline takes what the code says: so of what is stopped there is none.
        raise CouponRefused(stopped)
    value, expires_at = _value(coupon.terms(scope.offer(coupon.offer, coupon.offer_version))), min(now + LIFETIME, coupon.expires_at)
    return _signed(scope, signer, "coupon", coupon.id, value, expires_at)


def _value(body: OfferBody | None) -> str:
    """What it is worth, for the cashier: the effect's kind and its number, as far as they fit."""
    if body is None:
        return ""
    fields = body.effect.model_dump()
    number = next((fields[name] for name in ("percent", "amount", "price") if fields.get(name) is not None), "")
    text = f"{fields['kind']} {number}".strip()
    return text if len(text) <= MAX_VALUE else fields["kind"][:MAX_VALUE]


def _signed(scope: TenantScope, signer: TokenSigner, kind: Kind, id_: str, value: str, expires_at: Instant) -> QrAnswer:
    whole = expires_at - expires_at % SECOND
    content = QrContent(kind, scope.tenant, id_, value, whole)
    return QrAnswer(content=signer.sign(content.text().encode()), expires_at=format_rfc3339(whole))
