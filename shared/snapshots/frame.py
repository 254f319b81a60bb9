"""The arithmetic of windows over all members of some columns at once: what ``shared.segments.series`` does for one member. Pure.

Answers are signed instants (``shared.segments.leaves.Signed``). Days are summed as amounts per cell, cells newest first: with the
running sums over all cells, "the sum reaches n" is one binary search a member, as there. Where an amount is negative or a cell lies
ahead of today, a member is irregular: nothing is claimed about her (``unsure``), and whoever asks reads her from the table.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np

from shared.kernel.instants import NEVER, Instant, day_start, local_day
from shared.profile.model import KEPT_DAYS
from shared.segments.bounds import others_of
from shared.segments.context import Context
from shared.snapshots.columns import SHARES_CELL, Columns, Mask
from shared.snapshots.container import Ints

LONG_AGO: Final = -(10**9)


class Signs(NamedTuple):
    """A leaf's answers: is it true, is it true or unknown; and of whom nothing is known here (``None``: of nobody)."""

    surely: Ints
    perhaps: Ints
    unsure: Mask | None = None


class Window(NamedTuple):
    """Amounts of some cells: their running sums (one more than cells, from 0), and of whom they are not to be believed."""

    sums: Ints
    irregular: Mask


class Frame:
    """Columns at an instant, with what several leaves need of them kept."""

    def __init__(self, columns: Columns, context: Context, now: Instant) -> None:
        self.columns = columns
        self.context = context
        self.now = now
        self.today = local_day(now, context.zone)
        self._kept: dict[Hashable, Window] = {}

    def __len__(self) -> int:
        return len(self.columns)

    # -- days -------------------------------------------------------------------------------------------------------

    @cached_property
    def _starts(self) -> Ints:
        """The first instants of today and of each of the days after it on which a window may change."""
        days = range(self.today, self.today + KEPT_DAYS + 1)
        return np.array([day_start(day, self.context.zone) for day in days], np.int64)

    def start_of(self, days: Ints) -> Ints:
        """The first instants of days that are not before today, nor more than ``KEPT_DAYS`` after it, as those of a window never are."""
        # Cells ahead reach further; nobody believes what is said of their members.
        return self._starts[np.minimum(days - self.today, KEPT_DAYS)]

    def starts_of(self, days: Ints, zone: str) -> Ints:
        """The first instants of any days."""
        each, place = np.unique(days, return_inverse=True)
        return np.array([day_start(int(day), zone) for day in each], np.int64)[place]

    def local_days(self, instants: Ints, zone: str) -> Ints:
        """The local days of instants. One look-up a day between the earliest and the latest."""
        if not len(instants):
            return instants
        first, last = local_day(int(instants.min()), zone), local_day(int(instants.max()), zone)
        starts = np.array([day_start(day, zone) for day in range(first, last + 1)], np.int64)
        return first + np.searchsorted(starts, instants, "right") - 1

    @cached_property
    def ahead(self) -> Mask:
        """Who has a cell after today: a till's clock is ahead."""
        starts, days = self.columns["cell/starts"], self.columns["cell/day"]
        found = np.zeros(len(self), np.bool_)
        some = starts[:-1] < starts[1:]
        found[some] = days[starts[:-1][some]] > self.today
        return found

    @cached_property
    def due(self) -> Mask:
        """For whom something may have fallen due that nobody has settled yet: tier, points, coupons and challenges are not believed."""
        return self.columns["member/timer"] <= self.now

    # -- amounts ----------------------------------------------------------------------------------------------------

    def rows(self, key: str) -> slice:
        """The rows of a dimension (``c:coffee``)."""
        return self.columns.part(f"by:{key[0]}", key[2:])

    def of_cells(self, keys: tuple[str, ...], column: str) -> Ints:
        """The amount of each cell: of all purchases, or of some dimensions together. ``column`` also ``visits``: 1 where any."""
        if not keys:
            return self.columns[f"cell/{'count' if column == 'visits' else column}"]
        amounts = np.zeros(len(self.columns["cell/day"]), np.int64)
        for key in keys:
            rows, section = self.rows(key), f"by:{key[0]}"
            owner, stored = self.columns[f"{section}/owner"][rows], "count" if column == "visits" else column
            own = self.columns[f"cell/{stored}"][owner] if key[0] in SHARES_CELL else 0
            amounts[owner] += self.columns[f"{section}/{stored}"][rows] + own
        return amounts

    def with_others(self, keys: tuple[str, ...]) -> Mask | None:
        """Who has something summed under "others" that might be of these names."""
        found: Mask | None = None
        for others in dict.fromkeys(others_of(key) for key in keys):
            rows = self.rows(others) if others is not None else slice(0, 0)
            if others is not None and rows.stop > rows.start:
                found = np.zeros(len(self), np.bool_) if found is None else found
                found[self.columns.cell_owner[self.columns[f"by:{others[0]}/owner"][rows]]] = True
        return found

    def window(self, keys: tuple[str, ...], column: str, weekdays: frozenset[int] | None = None) -> Window:
        """The running sums of amounts, on some weekdays only (Monday is 0) or on all."""
        identity = (keys, column, weekdays)
        if identity not in self._kept:
            amounts = self.of_cells(keys, column)
            irregular = self._negative(amounts)
            if column == "visits":
                amounts = (amounts > 0).astype(np.int64)
            if weekdays is not None and len(weekdays) < 7:
                # 1 January 1970 was a Thursday.
                amounts = np.where(np.isin((self.columns["cell/day"] + 3) % 7, list(weekdays)), amounts, 0)
            self._kept[identity] = Window(_running(np.maximum(amounts, 0)), irregular)
        return self._kept[identity]

    def _negative(self, amounts: Ints) -> Mask:
        irregular = self.ahead
        if len(amounts) and amounts.min() < 0:
            irregular = irregular.copy()
            irregular[self.columns.cell_owner[amounts < 0]] = True
        return irregular

    # -- windows ----------------------------------------------------------------------------------------------------

    def end_day(self, window: Window, wanted: int, length: int) -> Ints:
        """The first day on which the window's sum is less than ``wanted`` (>= 1); long ago, where it never was."""
        starts, days = self.columns["cell/starts"], self.columns["cell/day"]
        if not len(days):
            return np.full(len(self), LONG_AGO, np.int64)
        at = np.searchsorted(window.sums[1:], window.sums[starts[:-1]] + wanted)
        return np.where(at < starts[1:], days[np.minimum(at, len(days) - 1)] + length, LONG_AGO)

    def until(self, ends: Ints, inside: Mask, otherwise: int) -> Ints:
        """The first instants of the days ``ends`` for those inside; for the others a number."""
        made = np.full(len(ends), otherwise, np.int64)
        made[inside] = self.start_of(ends[inside])
        return made

    def at_least(self, window: Window, wanted: int, length: int) -> Ints:
        """Is the sum of the window at least so much?"""
        if wanted <= 0:
            return np.full(len(self), NEVER, np.int64)
        ends = self.end_day(window, wanted, length)
        return self.until(ends, ends > self.today, -NEVER)

    def exactly(self, window: Window, wanted: int, length: int) -> Ints:
        """Is it exactly so much? At least so much until one day, and too much until one that is not after it."""
        if wanted <= 0:
            return -self.at_least(window, 1, length)
        enough, too_much = self.end_day(window, wanted, length), self.end_day(window, wanted + 1, length)
        found = self.until(enough, enough > self.today, -NEVER)
        over = too_much > self.today
        found[over] = np.where(enough > too_much, -self.until(too_much, over, NEVER), -NEVER)[over]
        return found

    def judged(self, truths: Ints, length: int, of: Ints | None = None) -> tuple[Ints, Ints]:
        """(1 true, 0 false, -1 unknown; until when) of the window, from the truth of the newest 1, 2, ... cells of each member.

        ``of`` names the cells that ``truths`` speaks of, in order; all of them if it is not given. An empty window is unknown.
        """
        starts, days = self.columns["cell/starts"], self.columns["cell/day"]
        if of is not None:
            starts, days = np.searchsorted(of, starts), days[of]
        newest = starts[:-1]
        inside = _running((days > self.today - length).astype(np.int64))
        number = inside[starts[1:]] - inside[newest]
        truth, until = np.full(len(self), -1, np.int64), np.full(len(self), NEVER, np.int64)
        some = np.flatnonzero(number)
        if not len(some):
            return truth, until
        # Where the truth was last another, going back from the oldest cell of the window: the one after it makes the change by leaving.
        places = np.arange(len(truths))
        changes = np.ones(len(truths), np.bool_)
        changes[1:] = truths[1:] != truths[:-1]
        changes[newest[newest < starts[1:]]] = True
        run = np.maximum.accumulate(np.where(changes, places, 0))
        oldest = newest[some] + number[some] - 1
        truth[some] = truths[oldest]
        change = run[oldest]
        ends = (truth[some] >= 0) | (change > newest[some])
        until[some[ends]] = self.start_of(days[change[ends]] + length)
        return truth, until


def three_valued(truth: Ints, until: Ints, unsure: Mask | None = None) -> Signs:
    """From 1, 0, -1 and an instant."""
    return Signs(np.where(truth == 1, until, -until), np.where(truth == 0, -until, until), unsure)


def certain(signs: Ints, unsure: Mask | None = None) -> Signs:
    """Never unknown."""
    return Signs(signs, signs, unsure)


def compared(op: str, low: Callable[[int], Ints], equal: Callable[[int], Ints], value: int) -> Ints:
    """A comparison of whole numbers by "at least n" and "exactly n"."""
    if op == "ge":
        return low(value)
    if op == "gt":
        return low(value + 1)
    if op == "lt":
        return -low(value)
    if op == "le":
        return -low(value + 1)
    return equal(value) if op == "eq" else -equal(value)


def either(masks: Iterable[Mask | None]) -> Mask | None:
    """Who is in any of the masks."""
    found: Mask | None = None
    for mask in masks:
        if mask is not None and mask.any():
            found = mask if found is None else found | mask
    return found


def _running(amounts: Ints) -> Ints:
    sums = np.zeros(len(amounts) + 1, np.int64)
    np.cumsum(amounts, out=sums[1:])
    return sums
