"""Points as payment: what they are worth, and how many of them a bill takes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from shared.kernel.money import allocate
from shared.programmes.lines import Line, net_of, selects
from shared.programmes.terms import Spending
from shared.tenants.model import WalletSettings

REASONS = {
    "points_not_accepted": "Points cannot be used on this basket.",
    "no_rate": "The points of this wallet have no money value.",
    "used_today": "Points cannot be used again today.",
    "insufficient_points": "There are not enough points.",
    "bill_too_small": "The bill is too small to use points on.",
    "below_minimum": "So few points are not used at once.",
    "not_a_multiple": "Points are used in whole steps.",
    "above_share_of_bill": "More points than this bill takes.",
}
"""Every refusal of a payment with points, for people."""


@dataclass(frozen=True, slots=True)
class Rate:
    """``points`` are worth ``value`` minor units."""

    points: int
    value: int

    def worth(self, points: int) -> int:
        """The value of points as payment, rounded down."""
        return points * self.value // self.points


@dataclass(frozen=True, slots=True)
class SpendingLimit:
    """What may be paid with points on a bill, or the reason why nothing may."""

    points: int
    value: int
    reason: str | None = None


def rate_of(spending: Spending, wallet: WalletSettings) -> Rate:
    """The programme's own rate, or that of its wallet."""
    if spending.points is not None and spending.value is not None:
        return Rate(spending.points, spending.value)
    return Rate(wallet.points, wallet.value)


def spending_limit(
    spending: Spending | None, wallet: WalletSettings, lines: list[Line], drawable: int, uses_today: int, paid: int = 0
) -> SpendingLimit:
    """The most points that this bill takes. ``drawable`` are the points that may leave the wallet, its overdraft included.

    The share is of the whole bill after discounts, and never more than the lines that may be paid with points, or than ``paid``
    (by vouchers) leaves.
    """
    if spending is None:
        return SpendingLimit(0, 0, "points_not_accepted")
    rate = rate_of(spending, wallet)
    if rate.value == 0:
        return SpendingLimit(0, 0, "no_rate")
    if spending.uses_per_day is not None and uses_today >= spending.uses_per_day:
        return SpendingLimit(0, 0, "used_today")
    bill, payable = net_of(lines), net_of(payable_lines(spending, lines))
    cap = max(0, min(payable, bill - paid, bill * spending.max_share_percent // 100))
    # The last point must not be worth more than what is left to pay.
    most = min(drawable, cap * rate.points // rate.value) // spending.step * spending.step
    if most < spending.minimum:
        return SpendingLimit(0, 0, "insufficient_points" if drawable < spending.minimum else "bill_too_small")
    return SpendingLimit(most, rate.worth(most))


def refusal(spending: Spending, limit: SpendingLimit, wanted: int, drawable: int) -> str | None:
    """Why so many points cannot be used, or ``None``: a payment is taken whole or not at all."""
    if limit.reason is not None:
        return limit.reason
    if wanted < spending.minimum:
        return "below_minimum"
    if wanted % spending.step:
        return "not_a_multiple"
    if wanted > limit.points:
        return "insufficient_points" if wanted > drawable else "above_share_of_bill"
    return None


def payable_lines(spending: Spending, lines: list[Line]) -> list[Line]:
    """The lines that points may pay."""
    return [line for line in lines if spending.excluded is None or not selects(spending.excluded, line)]


def deduct(spending: Spending, lines: list[Line], value: int) -> None:
    """Lower the payable lines by what points paid, in proportion: a payment that counts as a discount."""
    payable = [line for line in payable_lines(spending, lines) if line.net > 0]
    for line, part in zip(payable, allocate(value, [line.net for line in payable]), strict=True):
        line.net -= part
