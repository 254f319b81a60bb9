"""What each tax rate of a basket comes to: before our discounts and after. Pure; minor units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.kernel.money import divide
from shared.programmes.lines import Line

_WHOLE_PERCENT = 10_000


@dataclass(frozen=True, slots=True)
class TaxSum:
    """The lines of one rate. ``rate``: ten-thousandths of a percent; ``None``: they do not say it. ``tax`` is that on ``net``."""

    rate: int | None
    amount: int
    net: int
    tax: int


def rate_of_text(percent: str) -> int:
    """A rate as a till prints it (``7``, ``19.25``), in ten-thousandths of a percent."""
    whole, _, part = percent.partition(".")
    return int(whole) * _WHOLE_PERCENT + int(part.ljust(4, "0") or 0)


def text_of_rate(rate: int) -> str:
    """The other way, as short as it can be said."""
    whole, part = divmod(rate, _WHOLE_PERCENT)
    return f"{whole}.{part:04}".rstrip("0") if part else str(whole)


def tax_at(rate: int, amount: int, *, included: bool) -> int:
    """The tax at a rate, inside an amount or on top of it; halves are rounded away from zero."""
    return divide(amount * rate, (100 * _WHOLE_PERCENT + rate) if included else 100 * _WHOLE_PERCENT, "half_up")


def tax_sums(lines: Iterable[Line]) -> list[TaxSum]:
    """By rate, the highest first, lines without one last; nothing where no line says anything of its tax.

    The tax of a rate is worked out once, on the sum of its lines. Of lines without a rate it is what was printed, in proportion.
    """
    by_rate: dict[int | None, list[Line]] = {}
    for line in lines:
        by_rate.setdefault(line.rate, []).append(line)
    says_nothing = by_rate.keys() <= {None} and not any(line.tax for line in by_rate.get(None, ()))
    if says_nothing:
        return []
    found = []
    for rate, members in sorted(by_rate.items(), key=lambda each: (each[0] is None, -(each[0] or 0))):
        net, included = sum(line.net for line in members), not members[0].tax_on_top
        tax = sum(_printed(line) for line in members) if rate is None else tax_at(rate, net, included=included)
        found.append(TaxSum(rate, sum(line.amount for line in members), net, tax))
    return found


def _printed(line: Line) -> int:
    """Of the tax that was printed for the line, the part of what discounts left of it."""
    if line.amount == 0 or line.tax == 0:
        return 0
    sign = 1 if line.amount > 0 else -1
    return divide(sign * line.tax * line.net, sign * line.amount, "half_up")
