"""Issuing a coupon to a member: what a new coupon is, and whether she may have one. The caller commits it with her state.

    coupon, code = new_coupon(scope, offer_id, state, now, issued_by)
    CouponRepository(...).add_new(batch, coupon, blind_code(scope, code))      and the event ``issued(coupon, cause)``
"""

from __future__ import annotations

import hashlib
from typing import Final

from shared.coupons.errors import OfferStopped, TooManyCoupons, UnknownOffer
from shared.coupons.model import CODE_ALPHABET, Coupon, OfferBody
from shared.coupons.personal import resolve
from shared.coupons.rules import validity
from shared.kernel.ids import natural_parts, new_id
from shared.kernel.instants import Instant
from shared.member_state.events import CouponIssued
from shared.member_state.model import MAX_COUPONS, MemberState
from shared.tenants.scope import TenantScope
from shared.transactions.errors import MemberNeeded

FORM: Final = "form:"
"""What a coupon that a form gave is issued by: ``form:<campaign>``."""
CODE_LENGTH: Final = 10
"""30 characters to the power of 10: 49 bits, so that guessing one of a million codes takes 10**8 tries."""


def new_coupon(
    scope: TenantScope, offer_id: str, holder: MemberState | None, now: Instant, issued_by: str | None = None
) -> tuple[Coupon, str | None]:
    """A fresh coupon of an offer in force, and its printable code. Reads the cached definitions; writes nothing.

    ``UnknownOffer`` if it is not, ``MemberNeeded`` if it has personal parameters and nobody to fix them for; ``issued_by`` is the
    campaign, key or form that gives it. The caller commits it under the state that it was made from.
    """
    body, version = offer_in_force(scope, offer_id, now)
    zone = scope.definitions.settings.time_zone
    active_from, expires_at = validity(body, now, zone)
    if holder is None:
        check_bearer(body)
    id_ = new_id("cpn", now)
    code = printable_code(scope, id_)
    coupon = Coupon(
        id=id_,
        offer=offer_id,
        offer_version=version,
        state="active",
        member=holder.member if holder is not None else None,
        active_from=active_from,
        expires_at=expires_at,
        code=code,
        issued_by=issued_by,
        parameters=resolve(body.personal, holder, now, zone, scope.goes_with([body])) if holder is not None else (),
    )
    return coupon, code


def check_bearer(body: OfferBody) -> None:
    """``MemberNeeded`` if a bearer's coupon of the offer would have nobody whom its personal parameters are fixed for."""
    if body.personal:
        raise MemberNeeded(f"The offer is personal ({', '.join(sorted(body.personal))}): say for which member.")


def printable_code(scope: TenantScope, coupon_id: str) -> str:
    """A coupon's code: made again from its id by whoever has the tenant's index key, and therefore stored nowhere."""
    return derived_code(scope, "coupon-code", coupon_id, CODE_LENGTH)


def derived_code(scope: TenantScope, purpose: str, id_: str, length: int) -> str:
    """A code for people, made from an id by the tenant's index key: the same for ever, and not to be guessed from the id."""
    secret = hashlib.sha256(scope.blind(purpose, id_).encode()).digest()
    number, characters = int.from_bytes(secret[:16], "big"), []
    for _ in range(length):
        number, digit = divmod(number, len(CODE_ALPHABET))
        characters.append(CODE_ALPHABET[digit])
    return "".join(characters)


def offer_in_force(scope: TenantScope, offer_id: str, now: Instant) -> tuple[OfferBody, int]:
    """The offer as it holds now, with its version. ``OfferStopped`` if the tenant has stopped it."""
    if offer_id in scope.definitions.stops.offers:
        raise OfferStopped
    found = scope.offers_in_force([offer_id], now).get(offer_id)
    if found is None:
        raise UnknownOffer
    return found


def check_member_limit(body: OfferBody, offer_id: str, state: MemberState) -> None:
    """``TooManyCoupons`` unless she may have one more. Of redemptions the state knows that there were any."""
    held = sum(1 for each in state.coupons.values() if each.offer == offer_id)
    if held + (offer_id in state.redeemed) >= body.per_member:
        raise TooManyCoupons(f"A member may have {body.per_member} of these.")
    if len(state.coupons) >= MAX_COUPONS:
        raise TooManyCoupons(f"A member may hold {MAX_COUPONS} coupons.")


def blind_code(scope: TenantScope, code: str | None) -> str | None:
    """The blind index that a printable code is found by."""
    return scope.blind("code", code.upper()) if code is not None else None


def campaign_of(issued_by: str | None) -> str:
    """The campaign that gave a coupon, from what it is issued by: a delivery, or a form; empty if none did."""
    if issued_by is None:
        return ""
    if issued_by.startswith(FORM):
        return issued_by.removeprefix(FORM)
    try:
        campaign, *_ = natural_parts("dlv", issued_by)
    except ValueError:
        return ""
    return campaign


def issued(coupon: Coupon, now: Instant, cause: str = "") -> CouponIssued:
    """What happens to the member."""
    why = coupon.choice.data() if coupon.choice is not None else None
    return CouponIssued(now, coupon.id, coupon.offer, coupon.active_from, coupon.expires_at, cause, why)
