"""Vector forms of leaves about habits: the place among the tenant's members. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from shared.kernel.instants import NEVER
from shared.snapshots.container import Ints
from shared.snapshots.frame import Frame, Signs, compared

_FIFTHS: Final = 5


def _rfm(leaf: Any, frame: Frame) -> Signs:
    """A fifth is a comparison with its lower boundary: at least the third fifth is more than the second boundary."""
    statistics, last = frame.context.statistics, frame.columns["member/last_at"]
    if not (statistics.recency and statistics.frequency and statistics.monetary):
        return _unknown(len(frame))
    if leaf.of == "recency":
        at_least, unsure = _recency(frame, statistics.recency), frame.ahead
    else:
        column, edges = ("count", statistics.frequency) if leaf.of == "frequency" else ("value", statistics.monetary)
        window = frame.window((), column)
        unsure = window.irregular

        def at_least(fifth: int) -> Ints:
            return frame.at_least(window, edges[fifth - 2] + 1, frame.context.profile.rfm_days)

    def low(fifth: int) -> Ints:
        if 1 < fifth <= _FIFTHS:
            return at_least(fifth)
        return np.full(len(frame), NEVER if fifth <= 1 else -NEVER, np.int64)

    def equal(fifth: int) -> Ints:
        enough, more = low(fifth), low(fifth + 1)
        # Both end at once where boundaries are equal: the fifth between them is passed over.
        exactly: Ints = np.where(enough == more, -NEVER, np.minimum(enough, -more))
        return exactly

    signs, known = compared(leaf.op, low, equal, leaf.value), last >= 0
    return Signs(np.where(known, signs, -NEVER), np.where(known, signs, NEVER), unsure)


def _recency(frame: Frame, edges: tuple[int, ...]) -> Callable[[int], Ints]:
    """At least the fifth, 5 for the newest: no more days ago than the boundary says, until the day after it."""
    last = frame.columns["member/last_at"]
    # Who never bought is unknown whatever is said here: a day near the others spares reckoning every day since 1970.
    days = frame.local_days(np.where(last >= 0, last, frame.now), frame.context.zone)

    def at_least(fifth: int) -> Ints:
        over = frame.starts_of(days + edges[_FIFTHS - fifth] + 1, frame.context.zone)
        signs: Ints = np.where(frame.now >= over, -NEVER, over)
        return signs

    return at_least


def _unknown(rows: int) -> Signs:
    return Signs(np.full(rows, -NEVER, np.int64), np.full(rows, NEVER, np.int64))


FORMS: Final[Mapping[str, Callable[[Any, Frame], Signs | None]]] = {"rfm": _rfm}
