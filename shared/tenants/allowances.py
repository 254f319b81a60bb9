"""What a till may give while it cannot ask us: the allowance of its location. Pure; the reference till client decides by it.

Each till counts for itself (tills that are cut off cannot know of one another), so what a location stands to lose in a day is at most
the allowance times its tills.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.kernel.instants import HOUR, Instant
from shared.tenants.model import OfflineAllowance
from shared.tenants.stops import ALL

REASONS: Final = {
    "not_allowed": "This location gives nothing while it is offline.",
    "offline_too_long": "The till has been without contact for longer than is allowed.",
    ALL: "Nothing is redeemed for the moment.",
    "coupon_kind": "Coupons of this kind are not taken offline.",
    "points_per_sale": "More points than are allowed for one sale.",
    "points_per_day": "The points that this till may take today are used up.",
    "value_per_sale": "More discount than is allowed for one sale.",
    "value_per_day": "The discount that this till may give today is used up.",
}
"""Every reason for people, by its code."""


@dataclass(frozen=True, slots=True)
class Giving:
    """What a sale gives offline, or a till has given so far on a business date: points taken as payment, and discount in minor units."""

    points: int = 0
    value: int = 0
    kinds: frozenset[str] = frozenset()
    """Effects of its coupons."""

    def __add__(self, other: Giving) -> Giving:
        """Both together."""
        return Giving(self.points + other.points, self.value + other.value, self.kinds | other.kinds)

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to allow."""
        return not (self.points or self.value or self.kinds)


def allowed(
    allowance: OfflineAllowance | None, used: Giving, wanted: Giving, at: Instant, since: Instant | None, *, stopped: bool = False
) -> str | None:
    """Why this may not be given offline (a key of ``REASONS``), or ``None`` if it may.

    ``used`` is what the till has given on this business date, ``since`` its last contact with us (``None``: it never had any). A sale that
    gives nothing is always allowed. A clock that was put back does not lengthen the time.
    """
    if wanted.nothing:
        return None
    if allowance is None:
        return "not_allowed"
    if since is None or abs(at - since) > allowance.hours * HOUR:
        return "offline_too_long"
    if wanted.kinds and stopped:
        return ALL
    if not wanted.kinds <= set(allowance.coupon_kinds):
        return "coupon_kind"
    bounds = (
        ("points_per_sale", wanted.points, allowance.points_per_sale),
        ("points_per_day", used.points + wanted.points if wanted.points else 0, allowance.points_per_day),
        ("value_per_sale", wanted.value, allowance.value_per_sale),
        ("value_per_day", used.value + wanted.value if wanted.value else 0, allowance.value_per_day),
    )
    return next((reason for reason, amount, most in bounds if amount > most), None)
