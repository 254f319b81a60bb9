"""The cells of one member laid out for many window leaves at once: newest first, with running sums.

Where no cell lies ahead and no amount is negative, a window's sum only shrinks while days pass. Then "the sum of ``days``
days is at least n" needs no summing: with the running sums from the newest cell backwards, the first that reaches n names
the cell that must still be inside, and the answer is false from the day on which that cell leaves. One binary search
answers for every window length, and says until when. Any other profile is irregular: the layout is None, and the plain
reading (``shared.segments.leaves``) decides.

What has no name of its own (see ``shared.segments.bounds``) makes two sums of one: ``sums`` is what a name has surely, ``at_most`` what
it may have. Of a profile without unnamed parts they are one object.
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
from shared.segments.bounds import COUNT, QUANTITY, VALUE, VISITS, least, most, others_of, whole
from shared.segments.language.base import WEEKDAYS

LONG_AGO: Final = -(10**9)
"""The day of no cell: behind the last one, so that a sum never reached looks like one that left long ago."""
Days = list[int]
Sums = list[int]
Layout = tuple[Days, Sums]
_NOTHING: Final[Layout] = ([LONG_AGO], [])


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

    ``wanted`` are the dimensions that may be asked for, and where their names may be summed as well: one pass over the cells lays out
    all of them.
    """

    __slots__ = ("_cells", "_days", "_profile", "_rows", "_today", "_wanted")

    def __init__(self, profile: Profile, today: int, wanted: frozenset[str]) -> None:
        self._profile = profile
        self._today = today
        self._wanted = wanted
        self._days: Days | None = None
        self._cells: list[Cell] = []
        self._rows: dict[str, tuple[Days, list[list[int]]]] | None = None

    def _order(self) -> Days:
        days = self._days
        if days is None:
            profile = self._profile
            merged = {**profile.history, **profile.cells} if profile.history else profile.cells
            self._days = days = sorted(merged, reverse=True)
            self._cells = [merged[day] for day in days]
        return days

    def whole(self, column: int) -> Layout | None:
        """The days of the cells, newest first and ended by ``LONG_AGO``, and the running sums of a column."""
        days = self._order()
        amounts = _column(self._cells, column)
        if days and (days[0] > self._today or min(amounts) < 0):
            return None
        return [*days, LONG_AGO], list(accumulate(amounts))

    def _lay_out(self) -> dict[str, tuple[Days, list[list[int]]]]:
        days, wanted = self._order(), self._wanted
        found: dict[str, tuple[Days, list[list[int]]]] = {}
        for day, cell in zip(days, self._cells, strict=True):
            for key, row in cell.by.items():
                if key not in wanted:
                    continue
                if key in found:
                    its_days, rows = found[key]
                    its_days.append(day)
                    rows.append(row)
                else:
                    found[key] = [day], [row]
        for its_days, _ in found.values():
            its_days.append(LONG_AGO)
        self._rows = found
        return found

    def sums(self, key: str, column: int) -> Layout | None:
        """The same of one name, over the cells that have it."""
        found = self._rows
        if found is None:
            found = self._lay_out()
        if key not in found:
            return _NOTHING
        days, rows = found[key]
        amounts = [row[column] for row in rows] if column != VISITS else [int(row[COUNT] > 0) for row in rows]
        if days[0] > self._today or min(amounts) < 0:
            return None
        return days, list(accumulate(amounts))

    def at_most(self, key: str, others: str, column: int, surely: Layout) -> Layout | None:
        """What the name has at most; ``surely`` is what ``sums`` answered, and is answered where nothing is under ``others``."""
        rows = self._rows
        return surely if rows is not None and others not in rows else self.group((key,), column, None, upper=True)

    def is_crowded(self, key: str) -> bool:
        """Whether some purchases that may be of the name have none."""
        others = others_of(key)
        return others is not None and others in (self._rows if self._rows is not None else self._lay_out())

    def group(self, keys: tuple[str, ...], column: int, weekdays: frozenset[int] | None, *, upper: bool = False) -> Layout | None:
        """The same of several names together (none: all purchases), and of some weekdays only (Monday is 0)."""
        order, today = self._order(), self._today
        days: Days = []
        amounts: Sums = []
        for day, cell in zip(order, self._cells, strict=True):
            if weekdays is not None and (day + 3) % 7 not in weekdays:
                continue
            amount = whole(cell, column) if not keys else (most if upper else least)(cell, keys, column)
            if amount:
                days.append(day)
                amounts.append(amount)
        if days and (days[0] > today or min(amounts) < 0):
            return None
        return [*days, LONG_AGO], list(accumulate(amounts))

    def average(self, key: str | None) -> tuple[Days, Sums, Sums] | None:
        """The days, and the running values and counts; None also where some parts have no name."""
        if key is not None and self.is_crowded(key):
            return None
        values, counts = (self.whole(column) if key is None else self.sums(key, column) for column in (VALUE, COUNT))
        return (*values, counts[1]) if values is not None and counts is not None else None

    def share(self, key: str) -> tuple[Days, Sums, Sums] | None:
        """The days of all cells, and the running values of a name and of everything; None also where some parts have no name."""
        all_of_it = self.whole(VALUE)
        if all_of_it is None or self.is_crowded(key):
            return None
        nothing = (0, 0, 0)
        parts = [cell.by.get(key, nothing)[VALUE] for cell in self._cells]
        return None if parts and min(parts) < 0 else (all_of_it[0], list(accumulate(parts)), all_of_it[1])

    def leads(self, letter: str) -> tuple[Days, list[frozenset[str]]] | None:
        """The days of all cells, and who leads over the newest 0, 1, 2, ... of them: scores only grow, so one pass tells.

        ``w`` are weekdays. None also where some parts have no name.
        """
        days = self._order()
        if days and days[0] > self._today:
            return None
        scores: dict[str, tuple[int, int]] = {}
        best, tied = (0, 0), frozenset[str]()
        leading = [tied]
        others = f"{letter}:{OTHERS}"
        for day, cell in zip(days, self._cells, strict=True):
            by = cell.by
            if letter == "w":
                by = {f"w:{WEEKDAYS[(day + 3) % 7]}": [cell.count, cell.value]}
            for name, row in by.items():
                if name[0] != letter:
                    continue
                count, value = row[0], row[1]
                if count < 0 or value < 0 or name == others:
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
    if column == VALUE:
        return [cell.value for cell in cells]
    return [cell.quantity for cell in cells] if column == QUANTITY else [int(cell.count > 0) for cell in cells]


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
