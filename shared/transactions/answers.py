"""Decision -> answer. Pure; the stored answer is exactly what was sent, so that a replay is the same to the byte."""

from __future__ import annotations

from typing import Any

from shared.kernel.instants import NEVER, format_rfc3339
from shared.kernel.money import format_money
from shared.transactions import api
from shared.transactions.model import Decided


def decision_fields(decided: Decided, currency: str, balance: int | None, tier: str | None) -> dict[str, Any]:
    """The fields that quote, hold and transaction answer alike."""
    earned = sum(posting.points for posting in decided.earned)
    first = decided.earned[0] if decided.earned else None
    points = api.Points(
        earned=earned,
        spent=sum(decided.spent.values()),
        balance=balance,
        available_at=format_rfc3339(first.available_at) if first and first.available_at else None,
        expires_at=format_rfc3339(first.expires_at) if first and first.expires_at < NEVER else None,
    )
    return {
        "currency": currency,
        "totals": api.Totals(
            amount=decided.amount, discount=decided.discount, paid_with_points=decided.paid_with_points, due=decided.due
        ),
        "lines": tuple(
            api.LineOutcome(id=line.id, amount=line.amount, discount=line.amount - line.net, net=line.net) for line in decided.lines
        ),
        "discounts": tuple(
            api.CouponOutcome(coupon_id=each.coupon.id, offer_id=each.coupon.offer, amount=each.amount, lines=dict(each.lines))
            for each in decided.discounts
        ),
        "refused": tuple(api.Refusal(subject=each.subject, code=each.code, detail=each.detail) for each in decided.refused),
        "warnings": tuple(api.Warned(code=each.code, pointer=each.pointer, detail=each.detail) for each in decided.warnings),
        "points": points,
        "tier": tier,
        "trace": tuple(
            api.TraceStep(
                programme=step.programme,
                version=step.version,
                rule=step.rule,
                lines=step.lines,
                base=step.base,
                formula=step.formula,
                rounding=step.rounding,
                points=step.points,
                reason=step.reason,
            )
            for step in decided.steps
        ),
        "receipt": receipt(decided, currency, balance) if balance is not None else None,
        "near_misses": tuple(decided.near_misses),
    }


def receipt(decided: Decided, currency: str, balance: int) -> api.Receipt:
    """What the printed receipt says: lines of at most 40 characters."""
    lines = []
    if decided.discount:
        lines.append(f"You saved {format_money(decided.discount, currency)}")
    earned = sum(posting.points for posting in decided.earned)
    if earned:
        lines.append(f"Points earned: {earned}")
    if decided.spent:
        lines.append(f"Points used: {sum(decided.spent.values())}")
    lines.append(f"Points balance: {balance}")
    return api.Receipt(lines=tuple(line[:40] for line in lines))
