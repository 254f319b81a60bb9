"""When points become available and expire. Pure: the instant and the IANA zone are passed in; a result is an instant in ms."""

from __future__ import annotations

from datetime import MAXYEAR, date
from typing import Final, Literal

from shared.kernel.errors import InvalidValue
from shared.kernel.instants import DAY, NEVER, Instant, date_of, day_number, day_start, local_day
from shared.wallet.model import SLIDING

ExpiryKind = Literal["never", "after_days", "end_of_month", "end_of_quarter", "end_of_year", "inactivity"]

_MONTHS: Final[dict[ExpiryKind, int]] = {"end_of_month": 1, "end_of_quarter": 3, "end_of_year": 12}


def lot_instants(
    pending_days: int,
    awaits: str,  # noqa: ARG001 a caller passes the whole rule; an event has no instant
    expiry: ExpiryKind,
    days: int | None,
    periods: int,
    end_of_day: bool,
    at: Instant,
    zone: str,
) -> tuple[Instant, Instant]:
    """``(available_at, expires_at)`` of a lot earned at ``at``.

    Pending lasts ``pending_days`` times 24 hours, 0 if there is no such wait; what ``awaits`` names may end it sooner and
    changes neither instant. Expiry, counted from ``at``: ``never``; ``after_days`` as in ``idle_until``; the end of the local
    month, quarter or year and of ``periods`` (>= 0) whole ones more; ``inactivity`` is ``SLIDING``.
    ``days`` is for ``after_days`` alone, without it ``InvalidValue``; ``end_of_day`` too: periods end with a day anyway.
    """
    available_at = at + pending_days * DAY if pending_days else 0
    if expiry == "after_days":
        if days is None:
            raise InvalidValue("after_days needs a number of days")
        return available_at, idle_until(at, days, end_of_day, zone)
    if expiry == "inactivity":
        return available_at, SLIDING
    if expiry == "never":
        return available_at, NEVER
    return available_at, _period_end(at, _MONTHS[expiry], periods, zone)


def idle_until(at: Instant, days: int, end_of_day: bool, zone: str) -> Instant:
    """``days`` times 24 hours after ``at``, or the end of the local day that many days after: the first instant of the next.

    A day without a midnight, where the clocks skip it, begins when the clocks do.
    """
    return day_start(local_day(at, zone) + days + 1, zone) if end_of_day else at + days * DAY


def _period_end(at: Instant, months: int, periods: int, zone: str) -> Instant:
    """The first instant after the period of so many months that ``at`` is in, and after ``periods`` more."""
    today = date_of(local_day(at, zone))
    current = (today.year * 12 + today.month - 1) // months
    year, month = divmod((current + 1 + periods) * months, 12)
    return NEVER if year > MAXYEAR else day_start(day_number(date(year, month + 1, 1)), zone)
