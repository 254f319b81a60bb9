"""Statistics from columns: what ``shared.profile.habits`` says of one member, over all of some columns at once. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from shared.kernel.instants import DAY, Instant
from shared.profile.habits import MIN_VISITS, VISITS_ASKED
from shared.profile.model import KEPT_DAYS
from shared.profile.statistics import Statistics, quintile_boundaries
from shared.segments.context import Context
from shared.snapshots.columns import Mask
from shared.snapshots.container import Ints
from shared.snapshots.frame import Frame
from shared.snapshots.reading import Piece


@dataclass(slots=True)
class Sums:
    """What is collected piece by piece: how many guests have which value."""

    recency: Counter[int] = field(default_factory=Counter)
    frequency: Counter[int] = field(default_factory=Counter)
    monetary: Counter[int] = field(default_factory=Counter)
    intervals2: Counter[int] = field(default_factory=Counter)
    members: int = 0
    rhythms: list[tuple[Ints, Ints]] = field(default_factory=list)
    """(since the last purchase, half days of the own interval or 0) of everybody who bought, for the states."""

    def add(self, piece: Piece, context: Context, now: Instant) -> None:
        """Take in a piece. Who objects to profiling, or is not active, is left out."""
        columns, frame = piece.columns, Frame(piece.columns, context, now)
        guests = piece.live & (columns["member/profiled"] > 0) & (columns["member/last_at"] >= 0)
        today, first = frame.today, frame.today - context.profile.rfm_days + 1
        days, owner = columns["cell/day"], columns.cell_owner
        inside = (days >= first) & (days <= today)
        counts, values = (_summed(owner[inside], columns[f"cell/{name}"][inside], len(columns)) for name in ("count", "value"))
        bought = guests & (counts > 0)
        recency = np.maximum(today - frame.local_days(columns["member/last_at"][bought], context.zone), 0)
        _count(self.recency, recency)
        _count(self.frequency, counts[bought])
        _count(self.monetary, values[bought])
        self.members += int(bought.sum())
        intervals2 = usual_intervals2(frame)
        _count(self.intervals2, intervals2[guests & (intervals2 > 0)])
        self.rhythms.append((now - columns["member/last_at"][guests], intervals2[guests]))

    def statistics(self, now: Instant) -> Statistics:
        """The numbers. The median is the lower one, by nearest rank, as the boundaries are; 30 days while nobody has a rhythm."""
        sorted_intervals = _sorted(self.intervals2)
        return Statistics(
            median_interval2=sorted_intervals[(len(sorted_intervals) - 1) // 2] if sorted_intervals else Statistics().median_interval2,
            recency=quintile_boundaries(_sorted(self.recency)),
            frequency=quintile_boundaries(_sorted(self.frequency)),
            monetary=quintile_boundaries(_sorted(self.monetary)),
            members=self.members,
            computed_at=now,
        )

    def lifecycle(self, context: Context, statistics: Statistics) -> dict[str, int]:
        """Guests by state, measured by these statistics."""
        found = {"active": 0, "sleeping": 0, "lost": 0}
        settings = context.profile
        for since, own in self.rhythms:
            interval2 = np.where(own > 0, own, statistics.median_interval2)
            sleeping, lost = (since > times * interval2 * DAY // 20 for times in (settings.sleeping_times_e1, settings.lost_times_e1))
            found["active"] += int((~sleeping & ~lost).sum())
            found["sleeping"] += int((sleeping & ~lost).sum())
            found["lost"] += int(lost.sum())
        return found


def usual_intervals2(frame: Frame) -> Ints:
    """Half days between visits of each row's member, 0 with fewer than three; as ``habits.usual_interval2``."""
    columns = frame.columns
    days, owner = columns["cell/day"], columns.cell_owner
    visits: Mask = (columns["cell/count"] > 0) & (days <= frame.today) & (days > frame.today - KEPT_DAYS)
    rows, its_days = owner[visits], days[visits]
    starts = np.searchsorted(rows, np.arange(len(columns) + 1))
    number = np.arange(len(rows)) - starts[:-1][rows]
    newest = number < VISITS_ASKED
    rows, its_days = rows[newest], its_days[newest]
    follows = rows[1:] == rows[:-1]
    gaps, of = (its_days[:-1] - its_days[1:])[follows], rows[1:][follows]
    order = np.lexsort((gaps, of))
    gaps, of = gaps[order], of[order]
    begins = np.searchsorted(of, np.arange(len(columns) + 1))
    many = np.diff(begins)
    known = np.flatnonzero(many >= MIN_VISITS - 1)
    found = np.zeros(len(columns), np.int64)
    low, high = begins[:-1][known] + (many[known] - 1) // 2, begins[:-1][known] + many[known] // 2
    found[known] = gaps[low] + gaps[high]
    return found


def _summed(owner: Ints, amounts: Ints, rows: int) -> Ints:
    sums = np.zeros(rows, np.int64)
    np.add.at(sums, owner, amounts)
    return sums


def _count(counter: Counter[int], values: Ints) -> None:
    each, times = np.unique(values, return_counts=True)
    counter.update(dict(zip(each.tolist(), times.tolist(), strict=True)))


def _sorted(counter: Counter[int]) -> list[int]:
    return [value for value in sorted(counter) for _ in range(counter[value])]
