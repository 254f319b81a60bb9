"""The cells of one member laid out for many window leaves at once: newest first, with running sums.

Where no cell lies ahead and no amount is negative, a window's sum only shrinks while days pass. Then "the sum of ``days``
days is at least n" needs no summing: with the running sums from the newest cell backwards, the first that reaches n names
the cell that must still be inside, and the answer is false from the day on which that cell leaves. One binary search
answers for every window length, and says until when. Any other profile is irregular: the layout is None, and the plain
reading (``shared.segments.leaves``) decides.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate
from operator import neg
from typing import Final

from shared.kernel.instants import NEVER, Instant, day_start
from shared.profile.model import OTHERS, Cell, Profile

LONG_AGO: Final = -(10**9)
"""The day of no cell: behind the last one, so that a sum never reached looks like one that left long ago."""
Days = list[int]
Sums = list[int]
COUNT: Final = 0
VALUE: Final = 1
QUANTITY: Final = 2


_NOTHING: Final[tuple[Days, Sums, Sums]] = ([LONG_AGO], [], [])


class DayStarts(dict[int, Instant]):
    """Day number -> first instant in one zone, filled as it is asked. A look-up costs a third of a cached call."""

    def __init__(self, zone: str) -> None:
        super().__init__()
        self._zone = zone

    def __missing__(self, day: int) -> Instant:
        self[day] = start = day_start(day, self._zone)
        return start


@lru_cache(maxsize=64)
def day_starts(zone: str) -> DayStarts:
    """The table of a zone, kept for the life of the process: at most a few thousand days are ever asked."""
    return DayStarts(zone)


class Series:
    """The layouts of one profile on one day, made as they are asked for. All answers are None if the profile is irregular.

    ``wanted`` are the dimensions that may be asked for: one pass over the cells lays out all of them.
    """

    __slots__ = ("_cells", "_days", "_irregular", "_parts", "_profile", "_today", "_wanted")

    def __init__(self, profile: Profile, today: int, wanted: frozenset[str]) -> None:
        self._profile = profile
        self._today = today
        self._wanted = wanted
        self._days: Days | None = None
        self._cells: list[Cell] = []
        self._parts: dict[str, tuple[Days, Sums, Sums]] | None = None
        self._irregular = False

    def _order(self) -> Days:
        days = self._days
        if days is None:
            profile = self._profile
            merged = {**profile.history, **profile.cells} if profile.history else profile.cells
            self._days = days = sorted(merged, reverse=True)
            self._cells = [merged[day] for day in days]
        return days

    def whole(self, column: int) -> tuple[Days, Sums] | None:
        """The days of the cells, newest first and ended by ``LONG_AGO``, and the running sums of a column."""
        days = self._order()
        amounts = _column(self._cells, column)
        if days and (days[0] > self._today or min(amounts) < 0):
            return None
        return [*days, LONG_AGO], list(accumulate(amounts))

    def part(self, dimension: str) -> tuple[Days, Sums, Sums] | None:
        """The same of one dimension, over the cells that have it: days, running purchases, running value."""
        if self._parts is None:
            self._parts = self._lay_out()
        return None if self._irregular else self._parts.get(dimension, _NOTHING)

    def _lay_out(self) -> dict[str, tuple[Days, Sums, Sums]]:
        days, wanted = self._order(), self._wanted
        found: dict[str, tuple[Days, Sums, Sums]] = {}
        self._irregular = bool(days) and days[0] > self._today
        for day, cell in zip(days, self._cells, strict=True):
            for dimension, (count, value) in cell.by.items():
                if dimension not in wanted:
                    continue
                if count < 0 or value < 0:
                    self._irregular = True
                if dimension in found:
                    its_days, counts, values = found[dimension]
                    its_days.append(day)
                    counts.append(counts[-1] + count)
                    values.append(values[-1] + value)
                else:
                    found[dimension] = [day], [count], [value]
        for its_days, _, _ in found.values():
            its_days.append(LONG_AGO)
        return found

    def share(self, dimension: str) -> tuple[Days, Sums, Sums] | None:
        """The days of all cells, and the running values of a dimension and of everything."""
        whole = self.whole(VALUE)
        if whole is None:
            return None
        nothing = (0, 0)
        parts = [cell.by.get(dimension, nothing)[VALUE] for cell in self._cells]
        return None if parts and min(parts) < 0 else (whole[0], list(accumulate(parts)), whole[1])

    def leads(self, letter: str) -> tuple[Days, list[frozenset[str]]] | None:
        """The days of all cells, and who leads over the newest 0, 1, 2, ... of them: scores only grow, so one pass tells."""
        days = self._order()
        if days and days[0] > self._today:
            return None
        scores: dict[str, tuple[int, int]] = {}
        best, tied = (0, 0), frozenset[str]()
        leading = [tied]
        others = f"{letter}:{OTHERS}"
        for cell in self._cells:
            for name, (count, value) in cell.by.items():
                if name[0] != letter or name == others:
                    continue
                if count < 0 or value < 0:
                    return None
                before = scores.get(name, (0, 0))
                score = scores[name] = (before[0] + count, before[1] + value)
                if score[0] and score > best:
                    best, tied = score, frozenset((name[2:],))
                elif score[0] and score == best:
                    tied |= {name[2:]}
            leading.append(tied)
        return [*days, LONG_AGO], leading


def _column(cells: list[Cell], column: int) -> list[int]:
    if column == COUNT:
        return [cell.count for cell in cells]
    return [cell.value for cell in cells] if column == VALUE else [cell.quantity for cell in cells]


Truth = bool | None


def judge_ratio(
    days: Days, parts: Sums, wholes: Sums, length: int, today: int, judge: Callable[[int, int], bool], starts: DayStarts
) -> tuple[Truth, Instant]:
    """``judge(part, whole)`` over the window of ``length`` days, unknown while the whole is nothing; and until when it stays."""
    inside = _inside(days, length, today)
    truth = judge(parts[inside - 1], wholes[inside - 1]) if inside and wholes[inside - 1] > 0 else None
    for left in range(inside - 1, -1, -1):
        then = judge(parts[left - 1], wholes[left - 1]) if left and wholes[left - 1] > 0 else None
        if then is not truth:
            return truth, starts[days[left] + length]
    return truth, NEVER


def judge_lead(
    days: Days, leading: list[frozenset[str]], length: int, today: int, names: frozenset[str], starts: DayStarts
) -> tuple[Truth, Instant]:
    """Whether one of the names leads the window of ``length`` days, unknown while nobody does; and until when it stays."""
    inside = _inside(days, length, today)
    truth = not names.isdisjoint(leading[inside]) if leading[inside] else None
    for left in range(inside - 1, -1, -1):
        then = not names.isdisjoint(leading[left]) if leading[left] else None
        if then is not truth:
            return truth, starts[days[left] + length]
    return truth, NEVER


def _inside(days: Days, length: int, today: int) -> int:
    """How many of the newest cells lie in the window."""
    return bisect_left(days, length - today, key=neg)
