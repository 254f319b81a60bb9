"""Decision -> answer. Pure; the stored answer is exactly what was sent, so that a replay is the same to the byte.

Answers are made as plain JSON values, not as models: this is the till's hot path. ``shared.transactions.api`` says what they
look like, and the component tests hold them to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.kernel.instants import NEVER, Instant, format_rfc3339
from shared.kernel.money import format_money
from shared.member_state.model import MemberState
from shared.member_state.tiers import progress
from shared.member_state.view import FoldView
from shared.programmes.outcome import Step
from shared.transactions.model import CouponDiscount, Decided, PromotionDiscount
from shared.transactions.offline import loss_fields
from shared.transactions.taxes import TaxSum, tax_sums, text_of_rate

Json = dict[str, Any]


def decision_fields(decided: Decided, currency: str, balance: int | None, standing: Json | None) -> Json:
    """``api.Decision``: what quote, hold and transaction answer alike. What is empty or unknown is left out."""
    totals = {"amount": decided.amount, "discount": decided.discount, "paid_with_points": decided.paid_with_points, "due": decided.due}
    if decided.paid_with_vouchers:
        totals["paid_with_vouchers"] = decided.paid_with_vouchers
    fields: Json = {
        "currency": currency,
        "totals": totals,
        "lines": [
            {"id": line.id, "amount": line.amount, "discount": line.amount - line.net, "net": line.net} for line in decided.lines
        ],
        "points": _points(decided, balance),
    }
    used: Json = {
        "discounts": [_discount(each) for each in decided.discounts],
        "promotions": [_promotion(each) for each in decided.promotions],
        "added_items": [{"item_id": item, "quantity": str(units)} for item, units in decided.added],
        "taxes": [_tax(each) for each in tax_sums(decided.lines)],
    }
    fields |= {name: rows for name, rows in used.items() if rows}
    if decided.refused:
        fields["refused"] = [{"subject": each.subject, "code": each.code, "detail": each.detail} for each in decided.refused]
    if decided.warnings:
        fields["warnings"] = [{"code": each.code, "pointer": each.pointer, "detail": each.detail} for each in decided.warnings]
    if standing is not None:
        if "tier" in standing:
            fields["tier"] = standing["tier"]
        fields["tier_progress"] = standing
    if decided.steps:
        fields["trace"] = trace(decided.steps)
    if balance is not None:
        fields["receipt"] = {"lines": receipt(decided, currency, balance)}
    if decided.near_misses:
        fields["near_misses"] = list(decided.near_misses)
    if decided.losses:
        fields["offline_losses"] = loss_fields(decided.losses)
    return fields


def _discount(used: CouponDiscount) -> Json:
    made: Json = {"coupon_id": used.coupon.id, "offer_id": used.coupon.offer, "amount": used.amount, "lines": dict(used.lines)}
    if used.tender:
        made["counts_as"] = "tender"
    named = {"left": used.left, "points": used.came_to.points}
    return made | {name: value for name, value in named.items() if value}


def _promotion(used: PromotionDiscount) -> Json:
    made: Json = {"promotion_id": used.id, "version": used.version, "title": used.title, "amount": used.amount, "lines": dict(used.lines)}
    return made | {"points": used.came_to.points} if used.came_to.points else made


def _tax(found: TaxSum) -> Json:
    rate: Json = {} if found.rate is None else {"rate": text_of_rate(found.rate)}
    return rate | {"amount": found.amount, "discount": found.amount - found.net, "net": found.net, "tax": found.tax}


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


def standing_of(state: MemberState, view: FoldView, at: Instant) -> Json | None:
    """``api.TierProgress`` of a member; ``None`` where the tenant has no tiers."""
    if view.scheme is None:
        return None
    standing = progress(state, view, at)
    fields: Json = {"counts": view.scheme.by, "counted": standing.metric}
    named = {"tier": standing.tier, "projected": standing.projected}
    fields |= {name: value for name, value in named.items() if value is not None}
    if standing.next is not None:
        fields |= {"next": standing.next.id, "next_name": standing.next.name, "missing": standing.missing}
    if standing.until is not None and standing.until < NEVER:
        fields["until"] = format_rfc3339(standing.until)
    return fields


def trace(steps: Sequence[Step]) -> list[Json]:
    """``api.TraceStep`` of every rule."""
    return [_step(step) for step in steps]


def _step(step: Step) -> Json:
    made: Json = {"programme": step.programme, "version": step.version, "rule": step.rule, "base": step.base, "points": step.points}
    if step.lines:
        made["lines"] = list(step.lines)
    if step.formula:
        made["formula"] = step.formula
    named = {"rounding": step.rounding, "reason": step.reason, "limit": step.limit}
    return made | {name: value for name, value in named.items() if value is not None}


def pack_trace(trace: Sequence[Json], programmes: Sequence[str], lines: Sequence[str]) -> list[list[Any]]:
    """The trace as it is stored: programmes and lines by their place, what is empty as 0, trailing zeros left out."""
    place = {line: index for index, line in enumerate(lines)}
    rows: list[list[Any]] = []
    for step in trace:
        every: list[Any] = [
            programmes.index(step["programme"]),
            step["rule"],
            step["points"],
            [place[line] for line in step.get("lines", ())] or 0,
            step["base"],
            *(step.get(name, 0) for name in _TEXTS),
        ]
        filled = max(index for index, value in enumerate(every) if value != 0 or index < 3)
        rows.append(every[: filled + 1])
    return rows


def unpack_trace(rows: Sequence[list[Any]], programmes: Sequence[tuple[str, int]], lines: Sequence[str]) -> list[Json]:
    """The trace as it was answered."""
    found: list[Json] = []
    for row in rows:
        index, rule, points, places, base, *texts = row + [0] * (9 - len(row))
        programme, version = programmes[index]
        step: Json = {"programme": programme, "version": version, "rule": rule, "base": base, "points": points}
        if places:
            step["lines"] = [lines[place] for place in places]
        found.append(step | {name: text for name, text in zip(_TEXTS, texts, strict=True) if text})
    return found


_TEXTS = ("formula", "rounding", "reason", "limit")
