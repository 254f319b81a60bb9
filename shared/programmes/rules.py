"""Earning and spending: programme + lines -> points, with a trace of every rule, applied or not. Pure.

Earning base: net amounts after all discounts, of the programme's earning kinds, without its exclusions, less the part
of the bill that is paid with points (points do not earn points).
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.kernel.instants import DAY, NEVER, Instant, day_start, local_day
from shared.kernel.money import allocate, divide
from shared.programmes.lines import Line, net_of, selected, selects
from shared.programmes.model import EarningRule, Expiry, PerAmount, PerItem, ProgrammeBody, Spending
from shared.wallet.model import Posting


@dataclass(frozen=True, slots=True)
class Programme:
    """A published version of a programme."""

    id: str
    version: int
    body: ProgrammeBody


@dataclass(frozen=True, slots=True)
class Step:
    """What one rule did. ``reason`` says why it gave nothing."""

    programme: str
    version: int
    rule: str
    lines: tuple[str, ...] = ()
    base: int = 0
    formula: str = ""
    rounding: str | None = None
    points: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class SpendingLimit:
    """What may be paid with points on a bill, or the reason why nothing may."""

    points: int
    value: int
    reason: str | None = None


def earn(
    programme: Programme, lines: list[Line], paid_with_points: int, tier: str | None, at: Instant, zone: str
) -> tuple[list[Posting], list[Step]]:
    """The postings that a purchase earns in this programme, and the trace."""
    body = programme.body
    base = earning_base(body, lines, paid_with_points)
    steps = [_step(programme, rule, lines, base) for rule in body.earning]
    points = sum(step.points for step in steps)
    multiplier = next((each.multiplier_percent for each in body.tiers if each.id == tier), 100)
    if multiplier != 100 and points > 0:
        extra = divide(points * (multiplier - 100), 100, "floor")
        formula = f"{points} x {multiplier - 100} %"
        steps.append(Step(programme.id, programme.version, f"tier:{tier}", (), points, formula, "floor", extra))
        points += extra
    if points <= 0:
        return [], steps
    available_at, expires_at = instants(body.expiry, at, zone)
    return [Posting(body.wallet, "earn", points, available_at, expires_at)], steps


def earning_base(body: ProgrammeBody, lines: list[Line], paid_with_points: int) -> dict[str, int]:
    """Line id -> what it counts for. Lines that do not earn are absent. The part paid with points is spread over all lines."""
    positive = [max(line.net, 0) for line in lines]
    paid = allocate(min(paid_with_points, sum(positive)), positive) if paid_with_points else [0] * len(lines)
    return {
        line.id: line.net - part
        for line, part in zip(lines, paid, strict=True)
        if line.kind in body.earning_kinds and not (body.excluded is not None and selects(body.excluded, line))
    }


def instants(expiry: Expiry, at: Instant, zone: str) -> tuple[Instant, Instant]:
    """When points earned at an instant become available (0: at once) and expire (end of a local day)."""
    available_at = at + expiry.pending_days * DAY if expiry.pending_days else 0
    expires_at = NEVER if expiry.days is None else day_start(local_day(at, zone) + expiry.days + 1, zone)
    return available_at, expires_at


def points_worth(spending: Spending, points: int) -> int:
    """The value of points as payment, in minor units, rounded down."""
    return points * spending.value // spending.points


def spending_limit(spending: Spending | None, lines: list[Line], balance: int) -> SpendingLimit:
    """The most points that this bill takes from this balance."""
    if spending is None:
        return SpendingLimit(0, 0, "points_not_accepted")
    payable = net_of(line for line in lines if spending.excluded is None or not selects(spending.excluded, line))
    cap = max(payable, 0) * spending.max_share_percent // 100
    # The last point must not be worth more than what is left to pay.
    points = min(balance, cap * spending.points // spending.value)
    if points < spending.minimum:
        return SpendingLimit(0, 0, "insufficient_points" if balance < spending.minimum else "bill_too_small")
    return SpendingLimit(points, points_worth(spending, points))


def _step(programme: Programme, rule: EarningRule, lines: list[Line], base: dict[str, int]) -> Step:
    """One rule over the earning base."""
    if isinstance(rule, PerAmount | PerItem):
        matched = [line for line in selected(rule.on, lines) if line.id in base]
    else:
        matched = [line for line in lines if line.id in base]
    amount = sum(base[line.id] for line in matched)
    ids = tuple(line.id for line in matched)

    def step(points: int, formula: str, rounding: str | None, reason: str) -> Step:
        why = None if points > 0 else reason
        return Step(programme.id, programme.version, rule.id, ids, amount, formula, rounding, max(points, 0), why)

    if not matched:
        return step(0, "", None, "no_line_matched")
    if isinstance(rule, PerAmount):
        points = divide(amount * rule.points, rule.per, rule.rounding)
        return step(points, f"{amount} x {rule.points} / {rule.per}", rule.rounding, "amount_too_small")
    if isinstance(rule, PerItem):
        units = sum(line.whole_units for line in matched)
        return step(units * rule.points, f"{units} x {rule.points}", None, "no_whole_unit")
    return step(rule.points if amount >= rule.minimum else 0, f"{rule.points} if {amount} >= {rule.minimum}", None, "below_minimum")
