"""What needs a confirmation, and which purchase is flagged. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from shared.counter.model import AFTER_HOURS, MARK, PURCHASES, Flag, Spending
from shared.kernel.instants import DAY, HOUR, Instant
from shared.member_state.model import CounterSale
from shared.tenants.counter import AfterHoursRule, CounterSettings, PurchaseRule
from shared.tenants.hours import is_open
from shared.tenants.model import Location
from shared.wallet.model import Posting

_AT_THE_COUNTER: Final = frozenset({"pos", "kiosk"})
"""Channels on which somebody stands in the place."""


def exceeds(settings: CounterSettings, spending: Spending) -> bool:
    """Whether it is more than may be spent without a confirmation."""
    many_points = settings.confirm_points is not None and spending.points > settings.confirm_points
    much_value = settings.confirm_value is not None and spending.value > settings.confirm_value
    return many_points or much_value


def limited(settings: CounterSettings, spending: Spending) -> Spending:
    """Of it what the tenant limits: a confirmation has to cover that, and nothing that is never asked about."""
    points = spending.points if settings.confirm_points is not None else 0
    return Spending(points, spending.value if settings.confirm_value is not None else 0)


def purchases_flag(rule: PurchaseRule | None, before: Iterable[CounterSale], sale: CounterSale) -> Flag | None:
    """The flag of a purchase by what is remembered of those before it (and of later ones, where it came late)."""
    if rule is None:
        return None
    number = 1 + sum(_counts(rule, each, sale) for each in before)
    if number <= rule.more_than:
        return None
    return Flag(PURCHASES, f"purchase {number} of this member in one shift")


def _counts(rule: PurchaseRule, other: CounterSale, sale: CounterSale) -> bool:
    in_place = {
        "anywhere": True,
        "location": other.location == sale.location,
        "cashier": (other.location, other.cashier) == (sale.location, sale.cashier),
    }[rule.at]
    if rule.per == "business_date":
        return in_place and other.day == sale.day
    return in_place and sale.at - rule.hours * HOUR < other.at <= sale.at


def after_hours_flag(rule: AfterHoursRule | None, place: Location | None, channel: str, at: Instant, zone: str) -> Flag | None:
    """The flag of a sale over the counter while its location is closed. ``zone``: of a location that has none of its own.

    A location without hours is never closed; what is ordered from afar is ordered at any hour.
    """
    if rule is None or place is None or place.hours is None or channel not in _AT_THE_COUNTER:
        return None
    if is_open(place.hours, at, place.time_zone or zone, rule.grace_minutes):
        return None
    return Flag(AFTER_HOURS, "made while the location was closed")


def marks_of(transaction: str, number: int) -> tuple[str, ...]:
    """What each award of a flagged purchase awaits: short, since it lies in the state."""
    mark = MARK + hashlib.sha256(transaction.encode()).hexdigest()[:12]
    return tuple(f"{mark}.{index}" for index in range(number))


def under_review(postings: Sequence[Posting], transaction: str, until: Instant) -> tuple[Posting, ...]:
    """What a flagged purchase earned, waiting: for a person, or for ``until`` (0: for a person only).

    Each posting has a mark of its own, so that what one waited for before is found again (``lots.let_go``). What a programme lets wait for
    longer waits for longer; what waits for an event alone is never approved by time.
    """
    marks = marks_of(transaction, len(postings))
    return tuple(_waiting(each, mark, until) for each, mark in zip(postings, marks, strict=True))


def _waiting(posting: Posting, mark: str, until: Instant) -> Posting:
    waits_for_event_alone = posting.awaits != "" and not posting.available_at
    at = 0 if waits_for_event_alone or not until else max(until, posting.available_at)
    return replace(posting, available_at=at, awaits=mark)


def review_until(settings: CounterSettings, at: Instant) -> Instant:
    """When what nobody reviewed is approved; 0: never."""
    return at + settings.review_days * DAY if settings.review_days is not None else 0
