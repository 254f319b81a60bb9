"""Codes that are coupons themselves: one item a code, at the code's own key, made under a condition.

A transaction and not a batch: BatchWriteItem takes no conditions, and a part of a pool that is worked on a second time would make a
redeemed code active again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from shared.coupons.model import Coupon
from shared.storage import keys
from shared.storage.commit import Plan, Stale, commit
from shared.storage.errors import RawItem
from shared.storage.items import CouponItem
from shared.storage.packing import pack, unpack
from shared.storage.table import NOT_THERE_YET, WriteBatch
from shared.tenants.scope import TenantScope

Fate = Literal["stored", "again", "taken"]
"""Stored now; stored before by the same pool or import; somebody else's, and left as it was."""
AT_ONCE: Final = 25
"""Codes of one transaction: a failed one is repeated whole."""


def store_codes(scope: TenantScope, template: Coupon, codes: Sequence[str]) -> list[Fate]:
    """Store at most 25 different codes, each as an active coupon like ``template``; ``issued_by`` says whose they are.

    One request (2 write units a code), one more where some were there before. Repeating is harmless.
    """
    blinds = [scope.blind("code", code) for code in codes]
    fates: list[Fate] = ["stored"] * len(codes)

    def plan(stale: Stale) -> Plan[list[Fate]]:
        for label, raw in stale.items():
            fates[int(label)] = "again" if _issued_by(raw) == template.issued_by else "taken"
        batch = WriteBatch()
        for place, blind in enumerate(blinds):
            if fates[place] == "stored":
                batch.put_raw(str(place), _item(scope.tenant, blind, template), NOT_THERE_YET, old=True)
        return Plan(batch, fates)

    return commit(scope.table, plan, effort=scope.effort())


def _item(tenant: str, blind: str, template: Coupon) -> RawItem:
    return CouponItem.raw(
        keys.code(tenant, blind),
        offer=template.offer,
        offer_version=template.offer_version,
        state="active",
        active_from=template.active_from,
        coupon_expires_at=template.expires_at,
        version=1,
        body=pack({"by": template.issued_by}),
    )


def _issued_by(raw: RawItem | None) -> str | None:
    """Who made the coupon that is there; of a pointer to a coupon, nobody."""
    if raw is None or "d" not in raw:
        return None
    found: str | None = unpack(raw["d"]["B"]).get("by")
    return found
