"""What the counter knows of a call: how the guest was found, what is spent, what stands out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

How = Literal["qr", "id", "phone", "email", "card", "external", "apple", "google"]
"""By what a till found a member. ``qr`` is the app's rotating code, which proves that her app is there; nothing else proves more than
that somebody knows a number.
"""
PROVES: Final[frozenset[str]] = frozenset({"qr"})
Way = Literal["qr", "app", "sms", "email"]
"""How spending is confirmed: the rotating code is scanned, she approves in the app, or a code that was sent to her is typed."""
MARK: Final = "review:"
"""What points of a flagged purchase await begins so. No event of a tenant has a colon in its name."""


@dataclass(frozen=True, slots=True)
class Spending:
    """What one call spends: points, and minor units that points and her coupons are worth in it."""

    points: int = 0
    value: int = 0


@dataclass(frozen=True, slots=True)
class Flag:
    """Why a purchase stands out. ``code`` is stable."""

    code: str
    detail: str


PURCHASES: Final = "purchases_in_shift"
BLOCKED: Final = "identifier_blocked"
UNCONFIRMED: Final = "unconfirmed_spending"
AFTER_HOURS: Final = "after_hours"
