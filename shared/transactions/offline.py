"""What a settled offline sale gave away that does not hold, and what it was worth: the offline loss of its location. Pure.

The guest has it already, so the sale is taken as it is. A loss is what the till says it gave (``given`` of a coupon, tenders of the
kind ``points``); where it does not say, what our own pricing says the coupon would have taken off if it held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from shared.coupons.limits import UNLIMITED
from shared.coupons.rules import Use, discount
from shared.kernel.instants import NEVER
from shared.programmes.conditions import ALWAYS
from shared.programmes.spending import rate_of
from shared.transactions.api import Basket
from shared.transactions.model import Circumstances, CouponDiscount, Decided, OfflineLoss, PresentedCoupon, Refused

MORE_THAN_WORTH: Final = "more_than_worth"
"""The coupon or the points hold, but the till gave more for them than they are worth."""
EXHAUSTED: Final = "exhausted"
"""The limit of the coupon's offer was used up: the sale has overdrawn it."""
_POINTS: Final = "points"


def losses_of(basket: Basket, presented: Sequence[PresentedCoupon], given: Circumstances, decided: Decided) -> list[OfflineLoss]:
    """What this sale gave and what does not hold; coupons in their order, then points."""
    found = [_coupon_loss(place, each, basket, given, decided) for place, each in enumerate(presented)]
    return [loss for loss in (*found, points_loss(basket, given, decided)) if loss is not None]


def beyond_limit(used: CouponDiscount, presented: Sequence[PresentedCoupon], reason: str = EXHAUSTED) -> OfflineLoss:
    """The loss of a coupon that is used although its offer's limit, or budget, was used up."""
    subject = next((each.reference for each in presented if each.coupon is not None and each.coupon.id == used.coupon.id), "coupons")
    return OfflineLoss(subject, reason, used.amount, used.coupon.id, used.coupon.offer)


def points_loss(basket: Basket, given: Circumstances, decided: Decided) -> OfflineLoss | None:
    """What the till took as points and what nobody's points cover; the amount is that of its own tenders, else by the wallet's rate."""
    if not basket.points_to_spend:
        return None
    said = [tender.amount for tender in basket.tenders if tender.kind == _POINTS]
    refused = next((each for each in decided.refused if each.subject == _POINTS), None)
    if refused is not None:
        return OfflineLoss(_POINTS, refused.code, sum(said) if said else _worth(basket.points_to_spend, given))
    beyond = sum(said) - decided.paid_with_points
    return OfflineLoss(_POINTS, MORE_THAN_WORTH, beyond) if beyond > 0 else None


def after_claim(stored: Iterable[OfflineLoss], basket: Basket, given: Circumstances, decided: Decided) -> list[OfflineLoss]:
    """The losses of a sale that has got its member: points that nobody's covered may be hers. Coupons stay as they were settled."""
    stored = list(stored)
    points = points_loss(basket, given, decided) if any(each.subject == _POINTS for each in stored) else None
    return [*(each for each in stored if each.subject != _POINTS), *([points] if points is not None else [])]


def loss_fields(losses: Iterable[OfflineLoss]) -> list[dict[str, Any]]:
    """``answer_models.OfflineLoss`` of each."""
    return [_fields_of(each) for each in losses]


def losses_in(answer: Mapping[str, Any]) -> list[OfflineLoss]:
    """The losses that a sale's answer names."""
    return [
        OfflineLoss(each["subject"], each["reason"], each.get("amount"), each.get("coupon_id"), each.get("offer_id"))
        for each in answer.get("offline_losses", ())
    ]


def event_data(loss: OfflineLoss, transaction: str, location: str, business_date: str) -> dict[str, object]:
    """What ``offline.loss`` tells: ids and numbers."""
    kind = _POINTS if loss.subject == _POINTS else "coupon"
    data: dict[str, object] = {"transaction": transaction, "location": location, "business_date": business_date}
    data |= {"subject": kind, "reason": loss.reason}
    named = {"amount": loss.amount, "coupon": loss.coupon, "offer": loss.offer}
    return data | {name: value for name, value in named.items() if value is not None}


def sums(losses: Iterable[OfflineLoss], sign: int = 1) -> dict[str, Counter[str]]:
    """Reason -> ``number``, ``amount`` and ``unpriced``."""
    found: dict[str, Counter[str]] = {}
    for each in losses:
        unpriced = each.amount is None
        by = found.setdefault(each.reason, Counter())
        by.update({"number": sign, "amount": sign * (each.amount or 0), "unpriced": sign * int(unpriced)})
    return found


def _fields_of(loss: OfflineLoss) -> dict[str, Any]:
    named = {"amount": loss.amount, "coupon_id": loss.coupon, "offer_id": loss.offer}
    return {"subject": loss.subject, "reason": loss.reason} | {name: value for name, value in named.items() if value is not None}


def _coupon_loss(place: int, each: PresentedCoupon, basket: Basket, given: Circumstances, decided: Decided) -> OfflineLoss | None:
    said = basket.coupons[place].given
    coupon = each.coupon
    id_, offer = (coupon.id, coupon.offer) if coupon is not None else (None, None)
    refused: Refused | None = next((one for one in decided.refused if one.subject == each.reference), None)
    if refused is not None:
        return OfflineLoss(each.reference, refused.code, said if said is not None else _would_take_off(each, given, decided), id_, offer)
    used = next((one for one in decided.discounts if one.coupon.id == id_), None)
    beyond = (said or 0) - (used.amount if used is not None else 0)
    return OfflineLoss(each.reference, MORE_THAN_WORTH, beyond, id_, offer) if beyond > 0 else None


def _would_take_off(each: PresentedCoupon, given: Circumstances, decided: Decided) -> int | None:
    """What the coupon would take off the lines as they stand, were it good here and now; ``None`` where that cannot be said."""
    if each.coupon is None or each.offer is None:
        return None
    good = replace(each.coupon, state="active", member=None, active_from=0, expires_at=NEVER)
    unconditional = each.offer.model_copy(update={"when": ALWAYS, "limits": UNLIMITED, "minimum_basket": 0, "minimum_quantity": 0})
    use = Use(given.scene.at, given.scene, given.member, given.facts)
    return discount(good, unconditional, decided.lines, use, decided.paid_with_vouchers).amount or None


def _worth(points: int, given: Circumstances) -> int | None:
    """What points are worth by the first programme that takes any."""
    payer = next((each.body for each in given.programmes if each.body.spending is not None), None)
    if payer is None or payer.spending is None:
        return None
    return rate_of(payer.spending, given.wallet(payer.wallet)).worth(points)
