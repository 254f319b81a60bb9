"""The code that a member's app shows, as a till sends it. Apart from the rest: few functions need the library of signatures."""

from __future__ import annotations

from shared.counter.errors import QrRefused
from shared.coupons.qr import ExpiredQr, InvalidQr, verify
from shared.kernel.ids import is_id
from shared.tenants.jwks import JwkSet
from shared.tenants.scope import TenantScope


def member_of_qr(scope: TenantScope, text: str, keys: JwkSet) -> str:
    """Whose rotating code it is; ``QrRefused``. Unlike a till without network, we take none whose five minutes are over."""
    now = scope.clock()
    try:
        content = verify(text, keys, scope.tenant, now)
    except InvalidQr:
        raise QrRefused("invalid_qr") from None
    except ExpiredQr:
        raise QrRefused("expired_qr") from None
    if content.kind != "member" or not is_id("mbr", content.id):
        raise QrRefused("invalid_qr")
    if now >= content.expires_at:
        raise QrRefused("expired_qr")
    return content.id
