"""What a benchmark says: rows of name, figure, unit and note; and how time is taken."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

Row = dict[str, Any]


def row(name: str, figure: float | None, unit: str, note: str = "") -> Row:
    """One line of the table."""
    return {"name": name, "figure": None if figure is None else round(figure, 3 if abs(figure) < 10 else 1), "unit": unit, "note": note}


def cpu_side_by_side(works: dict[str, Callable[[int], object]], times: int, rounds: int = 8) -> dict[str, float]:
    """CPU seconds per call of several works, in turns: what disturbs the machine disturbs them all. The best round of each."""
    best = dict.fromkeys(works, float("inf"))
    for number in range(rounds):
        for name, work in works.items():
            started = time.process_time()
            for index in range(times):
                work(number * times + index)
            best[name] = min(best[name], (time.process_time() - started) / times)
    return best


def cpu_each(work: Callable[[int], object], times: int, rounds: int = 3) -> float:
    """CPU seconds of this process per call: the best of some rounds, because the machine is shared."""
    best = float("inf")
    for number in range(rounds):
        started = time.process_time()
        for index in range(times):
            work(number * times + index)
        best = min(best, (time.process_time() - started) / times)
    return best
