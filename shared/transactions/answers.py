"""Decision -> answer. Pure; the stored answer is exactly what was sent, so that a replay is the same to the byte.

Answers are made as plain JSON values, not as models: this is the till's hot path. ``shared.transactions.api`` says what they
look like, and the component tests hold them to it.
"""

from __future__ import annotations

from typing import Any

from shared.kernel.instants import NEVER, format_rfc3339
from shared.kernel.money import format_money
from shared.programmes.rules import Step
from shared.transactions.model import Decided

Json = dict[str, Any]


def decision_fields(decided: Decided, currency: str, balance: int | None, tier: str | None) -> Json:
    """``api.Decision``: what quote, hold and transaction answer alike. What is empty or unknown is left out."""
    totals = {"amount": decided.amount, "discount": decided.discount, "paid_with_points": decided.paid_with_points, "due": decided.due}
    fields: Json = {
        "currency": currency,
        "totals": totals,
        "lines": [
            {"id": line.id, "amount": line.amount, "discount": line.amount - line.net, "net": line.net} for line in decided.lines
        ],
        "points": _points(decided, balance),
    }
    if decided.discounts:
        fields["discounts"] = [
            {"coupon_id": each.coupon.id, "offer_id": each.coupon.offer, "amount": each.amount, "lines": dict(each.lines)}
            for each in decided.discounts
        ]
    if decided.refused:
        fields["refused"] = [{"subject": each.subject, "code": each.code, "detail": each.detail} for each in decided.refused]
    if decided.warnings:
        fields["warnings"] = [{"code": each.code, "pointer": each.pointer, "detail": each.detail} for each in decided.warnings]
    if tier is not None:
        fields["tier"] = tier
    if decided.steps:
        fields["trace"] = [_step(step) for step in decided.steps]
    if balance is not None:
        fields["receipt"] = {"lines": receipt(decided, currency, balance)}
    if decided.near_misses:
        fields["near_misses"] = list(decided.near_misses)
    return fields


def receipt(decided: Decided, currency: str, balance: int) -> list[str]:
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
    return [line[:40] for line in lines]


def _points(decided: Decided, balance: int | None) -> Json:
    points: Json = {"earned": sum(posting.points for posting in decided.earned), "spent": sum(decided.spent.values())}
    if balance is not None:
        points["balance"] = balance
    if decided.earned:
        first = decided.earned[0]
        if first.available_at:
            points["available_at"] = format_rfc3339(first.available_at)
        if first.expires_at < NEVER:
            points["expires_at"] = format_rfc3339(first.expires_at)
    return points


def _step(step: Step) -> Json:
    made: Json = {"programme": step.programme, "version": step.version, "rule": step.rule, "base": step.base, "points": step.points}
    if step.lines:
        made["lines"] = list(step.lines)
    if step.formula:
        made["formula"] = step.formula
    if step.rounding is not None:
        made["rounding"] = step.rounding
    if step.reason is not None:
        made["reason"] = step.reason
    return made
