"""The one function that commits: decide, write under conditions, decide again if the world moved. ARCHITECTURE section 4.

* A condition that failed (a newer STATE, a coupon taken meanwhile) -> decide again from the items that stood in the way,
  without another read.
* Conflict or throttling -> nothing was written: the same request with the same token.
* The outcome is unknown (time-out, broken connection) -> the same request with the same token; DynamoDB answers it once.
* The request's own record exists -> it answers, whatever else failed beside it.
* At most ``MAX_ATTEMPTS``, full jitter, never beyond the time left; then ``concurrent_update`` (409, Retry-After).
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar

from shared.kernel.errors import ConcurrentUpdate
from shared.storage.errors import (
    OutcomeUnknown,
    RawItem,
    StorageConflict,
    StorageThrottled,
    StorageUnavailable,
    TransactionCancelled,
)
from shared.storage.table import WriteBatch

T = TypeVar("T")
MAX_ATTEMPTS: Final = 5
_SHORTEST_MS: Final = 10
_LONGEST_MS: Final = 200
_ONE_CALL_MS: Final = 400
"""Not worth starting another attempt with less time left than this."""

Stale = Mapping[str, RawItem | None]
"""Label -> the item that a failed condition met (``None``: there is none, or it was not asked for)."""


class Transactor(Protocol):
    """What ``commit`` needs of a table."""

    def transact(self, batch: WriteBatch, token: str) -> None:
        """All writes or none."""


@dataclass(frozen=True, slots=True)
class Plan(Generic[T]):
    """A decision: what to write, and what to answer once it is written. ``request`` labels the request's own record."""

    writes: WriteBatch
    result: T
    request: str | None = None


class NotAnAnswer(Exception):
    """Raised by ``replay``: the record that stands there is not that of this request, but something to decide about."""


@dataclass(slots=True)
class Effort:
    """How a commit may try: injected time and randomness, and what it came to (reported in logs and tests)."""

    time_left_ms: Callable[[], int] = lambda: 5000
    sleep: Callable[[float], None] = lambda _seconds: None
    jitter: Callable[[float, float], float] = random.uniform
    token: Callable[[], str] = lambda: str(uuid.uuid4())
    attempts: int = field(default=0, init=False)


def commit(
    table: Transactor,
    decide: Callable[[Stale], Plan[T]],
    *,
    effort: Effort,
    replay: Callable[[RawItem], T] | None = None,
) -> T:
    """Carry out ``decide`` exactly once and answer its result.

    ``decide`` is called with an empty mapping first, then with what stood in the way; it may refuse by raising.
    ``replay`` answers from the stored request record; a plan that names one needs it. If it raises ``NotAnAnswer``, ``decide`` is
    called again with the record among what stood in the way.
    """
    stale: Stale = {}
    while True:
        plan = decide(stale)
        if not plan.writes.actions:
            return plan.result
        failed = _send(table, plan.writes, effort)
        if failed is None:
            return plan.result
        if plan.request is not None and plan.request in failed:
            record = failed[plan.request]
            if record is None or replay is None:
                raise StorageUnavailable("the request record exists but was not returned")
            with suppress(NotAnAnswer):
                return replay(record)
        stale = failed
        back_off(effort)


def _send(table: Transactor, writes: WriteBatch, effort: Effort) -> dict[str, RawItem | None] | None:
    """Send one request until it is known what became of it: ``None`` if written, else the failed conditions."""
    token = effort.token()
    unknown = False
    while True:
        effort.attempts += 1
        try:
            table.transact(writes, token)
        except TransactionCancelled as cancelled:
            return cancelled.failed
        except (StorageConflict, StorageThrottled):
            pass
        except OutcomeUnknown:
            unknown = True
        else:
            return None
        try:
            back_off(effort)
        except ConcurrentUpdate:
            if unknown:
                raise StorageUnavailable("it is not known whether the write happened; repeat the call") from None
            raise


def back_off(effort: Effort) -> None:
    """Wait with full jitter, or give up (``ConcurrentUpdate``) when attempts or time are used up."""
    if effort.attempts >= MAX_ATTEMPTS or effort.time_left_ms() < _ONE_CALL_MS:
        raise ConcurrentUpdate(f"still contended after {effort.attempts} attempts; repeat the call")
    ceiling = min(_LONGEST_MS, _SHORTEST_MS * 2**effort.attempts)
    effort.sleep(effort.jitter(_SHORTEST_MS, ceiling) / 1000)
