"""How many messages a second: the generic cell rate algorithm (GCRA, ITU-T I.371, annex A), leased in blocks. Pure.

One number is stored, the instant from which the next message may go. Who wants to send ``wanted`` messages takes the next free slots:
theirs are ``wanted`` slots of ``1 / per_second`` from ``granted_from`` on, and nobody else gets them.
"""

from __future__ import annotations

from shared.kernel.instants import SECOND, Instant


def lease(next_at: Instant, now: Instant, per_second: int, wanted: int) -> tuple[Instant, Instant]:
    """From when the ``wanted`` slots are, and the next free instant after them (rounded up to a millisecond, so never too fast).

    A past that nobody used is lost: after a pause there is no burst.
    """
    granted_from = max(next_at, now)
    return granted_from, granted_from - (-wanted * SECOND // per_second)


def slot(granted_from: Instant, per_second: int, number: int) -> Instant:
    """When the message of that number (from 0) of a lease may go."""
    return granted_from - (-number * SECOND // per_second)
