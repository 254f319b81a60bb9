"""What a basket gives, decided without asking: from what was shown and verified, within the location's allowance. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from shared.coupons.qr import MAX_VALUE, QrContent
from shared.kernel.instants import Instant
from shared.tenants.allowances import REASONS as ALLOWANCE_REASONS
from shared.tenants.allowances import Giving, allowed
from shared.tenants.model import EffectKind, OfflineAllowance

_KINDS: Final[tuple[str, ...]] = get_args(EffectKind)
_LATER: Final = ("extra_points", "points_multiplier")
"""These take nothing off: the points come when the sale is settled."""
REASONS: Final = ALLOWANCE_REASONS | {
    "card_needed": "A coupon that is shown is a member's: say whose.",
    "not_verified": "Offline only what a signed QR code says is taken.",
    "taken_before": "This till has taken the coupon already.",
    "amount_needed": "The till cannot work this discount out: say how much was taken off.",
    "points_value_needed": "Say what the points were worth.",
    "nothing_left": "The bill is used up already.",
}


@dataclass(frozen=True, slots=True)
class Coupon:
    """A coupon on a basket: ``shown`` as a QR code that was verified, or named by id or code (good only with network).

    ``amount``: what it takes off, where a cashier says so.
    """

    shown: QrContent | None = None
    id: str | None = None
    code: str | None = None
    amount: int | None = None

    @property
    def reference(self) -> dict[str, Any]:
        """``CouponReference``."""
        if self.shown is not None:
            return {"id": self.shown.id}
        return {"id": self.id} if self.id is not None else {"code": self.code}


@dataclass(frozen=True, slots=True)
class Order:
    """A basket that is about to be paid. Amounts in minor units. ``card``: the member's, verified; else ``member`` as the API takes it."""

    receipt: str
    lines: tuple[dict[str, Any], ...]
    card: QrContent | None = None
    member: dict[str, Any] | None = None
    coupons: tuple[Coupon, ...] = ()
    points: int = 0
    points_value: int | None = None
    """What the points are worth, as the till knows it."""
    tenders: tuple[dict[str, Any], ...] = ()
    business_date: str | None = None

    @property
    def who(self) -> dict[str, Any] | None:
        """``MemberReference``."""
        return {"id": self.card.id} if self.card is not None else self.member

    @property
    def gives(self) -> bool:
        """Whether anything is to be decided about it."""
        return bool(self.coupons or self.points)


@dataclass(frozen=True, slots=True)
class Given:
    """What is given: each coupon's amount, the points' value. ``reason`` (of ``REASONS``) instead, if it may not be."""

    reason: str | None = None
    subject: str | None = None
    """``coupons/0``, ``points``."""
    amounts: tuple[int, ...] = ()
    giving: Giving = field(default_factory=Giving)
    points_value: int = 0


def total_of(lines: Collection[dict[str, Any]]) -> int:
    """What the lines cost as printed, else unit price by whole quantity."""
    return sum(line["amount"] if line.get("amount") is not None else _priced(line) for line in lines)


def kind_of(value: str) -> str:
    """The effect that a coupon's QR code names: codes are short, so long names are cut."""
    named = value.partition(" ")[0]
    return next((kind for kind in _KINDS if kind[:MAX_VALUE] == named), named)


def _priced(line: dict[str, Any]) -> int:
    whole, _, part = str(line.get("quantity", "1")).partition(".")
    thousandths = int(whole) * 1000 + int(part.ljust(3, "0") or 0)
    return int((thousandths * line["unit_price"] + 500) // 1000)


def decide(
    order: Order,
    allowance: OfflineAllowance | None,
    used: Giving,
    taken: Collection[str],
    at: Instant,
    since: Instant | None,
    *,
    stopped: bool = False,
) -> Given:
    """What this basket gives. All of it or none: the cashier takes off what is refused and asks again."""
    if order.coupons and order.who is None:
        return Given("card_needed", "coupons/0")
    left, amounts, kinds, seen = total_of(order.lines), [], set(), set(taken)
    for place, coupon in enumerate(order.coupons):
        reason, amount = _worth(coupon, left, seen)
        if reason is not None or coupon.shown is None:
            return Given(reason, f"coupons/{place}")
        seen.add(coupon.shown.id)
        kinds.add(kind_of(coupon.shown.value))
        amounts.append(amount)
        left -= amount
    value = order.points_value or 0
    if order.points:
        reason = _points_reason(order, left)
        if reason is not None:
            return Given(reason, "points")
    wanted = Giving(order.points, sum(amounts), frozenset(kinds))
    reason = allowed(allowance, used, wanted, at, since, stopped=stopped)
    if reason is not None:
        return Given(reason, "points" if reason.startswith("points") else None)
    return Given(amounts=tuple(amounts), giving=wanted, points_value=value if order.points else 0)


def _points_reason(order: Order, left: int) -> str | None:
    if order.card is None:
        return "not_verified"
    if order.points_value is None:
        return "points_value_needed"
    return "nothing_left" if order.points_value > left else None


def _worth(coupon: Coupon, left: int, seen: Collection[str]) -> tuple[str | None, int]:
    """What the coupon takes off a bill of which so much is left: what the cashier says, or what the code says as far as it says it."""
    if coupon.shown is None or coupon.shown.kind != "coupon":
        return "not_verified", 0
    if coupon.shown.id in seen:
        return "taken_before", 0
    kind, number = kind_of(coupon.shown.value), coupon.shown.value.partition(" ")[2]
    if coupon.amount is not None:
        amount = coupon.amount
    elif kind in _LATER:
        amount = 0
    elif kind == "percent" and number.isdigit():
        amount = left * int(number) // 100
    elif kind == "amount" and number.isdigit():
        amount = min(left, int(number))
    else:
        return "amount_needed", 0
    return ("nothing_left", 0) if amount > left else (None, amount)
