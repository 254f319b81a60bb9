"""Codes that were printed elsewhere: each becomes a coupon at once, as those of a pool do. Every refused one is named by its place."""

from __future__ import annotations

import hashlib
from typing import Final

from shared.coupons.code_store import AT_ONCE, Fate, store_codes
from shared.coupons.errors import UnknownOffer
from shared.coupons.issuing import check_bearer, offer_in_force
from shared.coupons.model import Coupon
from shared.coupons.pools_api import CodesAnswer, CodesRequest, RefusedCode
from shared.coupons.rules import validity
from shared.kernel.errors import FieldError, KeyRequired
from shared.tenants.scope import TenantScope

_TEXTS: Final = {
    "duplicate_code": "the same code stands earlier in this call",
    "code_taken": "the tenant has this code already; it was left as it is",
}


def import_codes(scope: TenantScope, offer_id: str, request: CodesRequest, idempotency_key: str | None) -> CodesAnswer:
    """Store up to 500 codes of an offer in force. 2 write units a code, a request for every 25.

    The key makes it safe to repeat, as a whole or after it broke off: a code that the same key stored before counts as ``replayed``.
    """
    key = request.request_id or idempotency_key
    if key is None:
        hint = FieldError("/request_id", "required", "or send an Idempotency-Key")
        raise KeyRequired("Importing again must not refuse its own codes; send a key.", errors=(hint,))
    template = _template(scope, offer_id, key)
    first: dict[str, int] = {}
    refused: dict[int, str] = {}
    for index, code in enumerate(request.codes):
        if first.setdefault(code.upper(), index) != index:
            refused[index] = "duplicate_code"
    codes, fates = list(first), list[Fate]()
    for start in range(0, len(codes), AT_ONCE):
        fates += store_codes(scope, template, codes[start : start + AT_ONCE])
    refused |= {first[code]: "code_taken" for code, fate in zip(codes, fates, strict=True) if fate == "taken"}
    named = tuple(RefusedCode(index=index, code=reason, detail=_TEXTS[reason]) for index, reason in sorted(refused.items()))
    return CodesAnswer(accepted=fates.count("stored"), replayed=fates.count("again"), refused=named)


def _template(scope: TenantScope, offer_id: str, key: str) -> Coupon:
    """What each of the codes is. ``issued_by`` tells this import's codes from all others."""
    now = scope.clock()
    body, version = offer_in_force(scope, offer_id, now)
    check_bearer(body)
    active_from, expires_at = validity(body, now, scope.definitions.settings.time_zone)
    if expires_at <= now:
        raise UnknownOffer("The offer has ended.")
    mark = hashlib.sha256(f"{offer_id}|{key}".encode()).hexdigest()[:32]
    return Coupon("", offer_id, version, "active", None, active_from, expires_at, issued_by=f"import_{mark}")
