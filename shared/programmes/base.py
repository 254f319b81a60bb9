"""What counts as spent: the earning base of every line, as the programme's ``Base`` says. Pure; minor units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared.kernel.money import allocate, divide
from shared.programmes.lines import Line, selects
from shared.programmes.model import Base, ProgrammeBody
from shared.programmes.selectors import TenderKind

Discounts = Literal["after", "before"]


@dataclass(frozen=True, slots=True)
class Payment:
    """How the bill is paid, in minor units.

    ``points_value`` is what the points used on this basket pay; ``tenders`` are those of the receipt, where the points may be
    listed again: they are counted once, as the greater of both.
    """

    points_value: int = 0
    tenders: tuple[tuple[TenderKind, int], ...] = ()


def earning_base(body: ProgrammeBody, lines: list[Line], payment: Payment, discounts: Discounts | None = None) -> dict[str, int]:
    """Line id -> what it counts for, in the basket's order; lines that do not earn are absent.

    * A line earns if its kind is one of ``base.kinds``, ``scope`` selects it, ``base.excluded`` does not, and the catalogue knows
      it (or ``unknown_items`` says that it need not).
    * It counts with what our discounts left of it (``after``), or with its price before all discounts, the till's own included
      (``before``). ``discounts`` replaces the programme's choice.
    * What is paid with points (``points_payment: after``) or with excluded tenders is money of the whole bill: it is spread over all
      lines with a positive amount, earning or not, in proportion to what they cost the guest, and taken from what they count for,
      never to less than zero.
    * The tax is taken out last (``net``), or added where the till prints prices without it (``gross``). Its part of another amount
      than the line's own is in proportion, half up.

    A negative line counts negatively.
    """
    before = (discounts or body.base.discounts) == "before"
    kinds, scope, excluded = body.base.kinds, None if body.scope.everything else body.scope, body.base.excluded
    unknown_earn, gross = body.unknown_items == "earn", body.base.tax == "gross"
    paid = _paid_without_earning(body.base, payment)
    parts = _spread(paid, lines) if paid else None
    counted: dict[str, int] = {}
    for index, line in enumerate(lines):
        if (
            line.kind not in kinds
            or not (line.known or unknown_earn)
            or (scope is not None and not selects(scope, line))
            or (excluded is not None and selects(excluded, line))
        ):
            continue
        value = line.net if not before else line.amount if line.full is None else line.full
        if parts is not None or line.tax:
            value = _with_tax(line, value)
            value -= min(parts[index], max(value, 0)) if parts is not None else 0
            value -= 0 if gross else _tax_within(line, value)
        counted[line.id] = value
    return counted


def _paid_without_earning(basis: Base, payment: Payment) -> int:
    """The part of the bill that earns nothing because of how it is paid."""
    listed = sum(amount for kind, amount in payment.tenders if kind == "points")
    points = max(payment.points_value, listed)
    others = sum(amount for kind, amount in payment.tenders if kind != "points" and kind in basis.excluded_tenders)
    points_count = basis.points_payment == "after" or "points" in basis.excluded_tenders
    return max(points if points_count else 0, 0) + max(others, 0)


def _spread(paid: int, lines: list[Line]) -> list[int]:
    """The part of each line that is paid so."""
    due = [max(_with_tax(line, line.net), 0) for line in lines]
    return allocate(min(paid, sum(due)), due)


def _with_tax(line: Line, value: int) -> int:
    """A value in the line's prices as the guest pays it."""
    return value + _in_proportion(line.tax, value, line.amount) if line.tax_on_top else value


def _tax_within(line: Line, value: int) -> int:
    """The tax inside a value that includes it."""
    return _in_proportion(line.tax, value, line.amount + line.tax if line.tax_on_top else line.amount)


def _in_proportion(tax: int, value: int, whole: int) -> int:
    """The tax on ``value``, if ``tax`` is that on ``whole``. A line that cost nothing says nothing of its tax rate."""
    if whole == 0 or tax == 0:
        return 0
    return divide(tax * value, whole, "half_up") if whole > 0 else divide(-tax * value, -whole, "half_up")
