"""How many calls: a token bucket shared by environments that pay for calls in blocks, after they answered them. Pure.

An environment counts what it answers and pays for a block at a time, by one update of the policy's item. The item holds one instant,
``level`` (microseconds): the generic cell rate algorithm (ITU-T I.371, annex A). Paying ``n`` calls moves it on by ``n / rate``, but never
beyond the present; an instant that lies further back than ``depth`` counts as ``depth`` back, which is the full bucket. A payment that does
not fit is refused: the environment is closed until it fits, and answers nothing but what finishes a sale.

What is true of it (docs/limits.md; tests/unit/limits): with ``E`` environments whose clocks are off by at most ``SKEW``,
``answered in T seconds <= rate * (T + 2 SKEW) + rate * depth + E * 2 * block + forgiven``, where ``depth = burst / rate + WINDOW + LATE +
2 SKEW`` and ``forgiven <= E * 2 * block * ceil(T / WINDOW)`` comes of environments alone that answer at most ``free`` calls a window, or
are asked nothing for ``LATE`` after it; and a tenant that keeps to ``rate * T + burst`` in every span ``T`` is never refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from shared.kernel.instants import HOUR, SECOND, Instant

WINDOW: Final = 5 * SECOND
"""Calls are paid this long after the first of them, at the next call, if they did not fill a block before."""
LATE: Final = SECOND
"""What nobody paid so long after the window is forgotten: it would come too late to be told from a burst."""
SKEW: Final = 2 * SECOND
"""How far the clock of an environment may be off, either way."""
PAUSE: Final = SECOND // 2
"""A refused payment is tried again after so long at the earliest: what a flood may cost in writes."""
MAX_BLOCK: Final = 256
MAX_FREE: Final = 50
_US: Final = 1000
"""Microseconds of a millisecond."""
_TOO_FAR: Final = HOUR * _US
"""A level so far ahead was written by a clock that was wrong."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Calls a second, and how many more may come at once. Both at least 1."""

    per_second: int
    burst: int

    @property
    def block(self) -> int:
        """Calls that an environment may have answered without having paid for them: what comes in a quarter of a window."""
        return max(1, min(self.per_second * WINDOW // (4 * SECOND), MAX_BLOCK))

    @property
    def free(self) -> int:
        """Calls of a window that are not paid for at all: so few cost more to count than to answer."""
        return min(self.per_second * WINDOW // (20 * SECOND), MAX_FREE)

    @property
    def depth(self) -> int:
        """Microseconds that the bucket holds: the burst, what is paid late, and clocks that disagree."""
        return self.burst * SECOND * _US // self.per_second + (WINDOW + LATE + 2 * SKEW) * _US

    def cost(self, calls: int) -> int:
        """Microseconds by which the level moves, rounded up."""
        return -(-calls * SECOND * _US // self.per_second)


@dataclass(frozen=True, slots=True)
class Count:
    """What one environment knows of one policy: calls it has not paid for, since when, the level it saw last, and how that was reached:
    by lifting it to the floor, as where calls come slower than the rate, or by adding. The next payment is tried in the same way first.
    """

    started: Instant = 0
    calls: int = 0
    closed_until: Instant = 0
    level: int = 0
    lifted: bool = True


Outlook = Literal["open", "pay", "closed"]


def outlook(count: Count, rate: Rate, now: Instant) -> tuple[Outlook, Count]:
    """Whether the next call can be answered at once, needs a payment first, or comes while the policy is closed."""
    if now < count.closed_until <= now + WINDOW + rate.depth // _US:
        return "closed", count
    age = now - max(count.started, count.closed_until)
    stale = not 0 <= age < WINDOW + LATE
    refused_before = count.closed_until > 0
    forgiven = age >= WINDOW and count.calls <= rate.free and not refused_before
    if stale or forgiven:
        return "open", Count(now, level=count.level, lifted=count.lifted)
    due = refused_before or count.calls >= rate.block or age >= WINDOW
    return "pay" if due else "open", count


def taken(count: Count, now: Instant) -> Count:
    """One more call is answered."""
    return replace(count, calls=count.calls + 1, started=count.started if count.calls or count.closed_until else now)


def has_reserve(count: Count, rate: Rate) -> bool:
    """Whether a call that finishes a sale is answered though the policy is closed: a second block of the environment."""
    return count.calls < 2 * rate.block


def paid(level: int, now: Instant, *, lifted: bool = True) -> Count:
    """After a payment that went through."""
    return Count(now, level=level, lifted=lifted)


def refused(count: Count, rate: Rate, level: int, now: Instant) -> Count:
    """After a payment that did not fit: closed until it would, if nobody else pays before."""
    wait = -(-(level + rate.cost(count.calls) - now * _US) // _US)
    return Count(count.started, count.calls, now + max(PAUSE, wait), level, lifted=False)


@dataclass(frozen=True, slots=True)
class Payment:
    """One update of the item. ``lift``: set the level to ``floor + cost`` if it lies below the floor (or is absurd); else add
    ``cost`` if it lies between ``floor`` and ``ceiling``.
    """

    lift: bool
    floor: int
    ceiling: int
    cost: int
    absurd: int


def payment(count: Count, rate: Rate, now: Instant) -> Payment:
    """What to write for the calls of an environment, as far as this environment knows the level."""
    floor, cost = now * _US - rate.depth, rate.cost(count.calls)
    return Payment(count.lifted, floor, now * _US - cost, cost, now * _US + _TOO_FAR)


def fitting(wanted: Payment, level: int | None) -> Payment | None:
    """The payment for a level that was found; ``None`` if it does not fit now."""
    if level is None or level < wanted.floor or level > wanted.absurd:
        return replace(wanted, lift=True)
    return replace(wanted, lift=False) if level <= wanted.ceiling else None


def remaining(count: Count, rate: Rate, now: Instant) -> int:
    """Calls that are left of the burst, as far as this environment knows: 0 to ``burst``."""
    kept_back = (WINDOW + LATE + 2 * SKEW) * _US
    worked_off = now * _US - kept_back - max(count.level, now * _US - rate.depth)
    return max(0, min(worked_off * rate.per_second // (SECOND * _US) - count.calls, rate.burst))


def seconds_until(instant: Instant, now: Instant) -> int:
    """Whole seconds, at least 1: what Retry-After says."""
    return max(1, -(-(instant - now) // SECOND))


def local_level(level: int, rate: Rate, now: Instant) -> int | None:
    """The plain bucket of one environment for itself: the level after one more call, or ``None`` if it is empty."""
    floor = now * _US - rate.burst * SECOND * _US // rate.per_second
    after = max(level, floor) + rate.cost(1)
    return after if after <= now * _US else None
