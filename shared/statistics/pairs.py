"""What is bought together: items that one member bought on the same local day. Pure.

Of two items a and b with n members' days in all, n_a with a and n_b with b, and n_ab with both: lift = n_ab * n / (n_a * n_b), how many
times as often they come together as chance would have it (Brin, Motwani, Ullman, Tsur, Dynamic Itemset Counting and Implication Rules for
Market Basket Data, 1997, as "interest"). Whole numbers only: it is kept in hundredths, rounded down, and ordered as a fraction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

import numpy as np

from shared.profile.model import OTHERS
from shared.snapshots.reading import Piece
from shared.statistics.stored import Complement

MOST_ITEMS: Final = 500
"""Items bought on most days; only among these are pairs counted."""
MOST_COMPLEMENTS: Final = 5
LEAST_TOGETHER: Final = 5
"""Days on which two items must have been bought together. Fewer say nothing, and would show what single guests do."""


@dataclass(slots=True)
class Days:
    """Members' days by item, and by pair of the most bought items. Two passes: first the items, then the pairs among the most bought."""

    days: int = 0
    of: Counter[str] = field(default_factory=Counter)
    both: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add_items(self, piece: Piece, first: int, last: int) -> None:
        """First pass: count the days of each item."""
        columns, cells = piece.columns, _cells(piece, first, last)
        self.days += int((cells & (columns["cell/count"] > 0)).sum())
        for name, owners in _bought(piece, cells):
            self.of[name] += len(owners)

    def most_bought(self) -> frozenset[str]:
        """The items among which pairs are counted."""
        ranked = sorted(self.of, key=lambda name: (-self.of[name], name))
        return frozenset(ranked[:MOST_ITEMS])

    def add_pairs(self, piece: Piece, first: int, last: int, among: frozenset[str]) -> None:
        """Second pass: count the pairs."""
        names: list[str] = []
        rows: list[Any] = []
        for name, owners in _bought(piece, _cells(piece, first, last)):
            if name in among:
                rows.append(np.stack([owners, np.full(len(owners), len(names), np.int64)]))
                names.append(name)
        if not rows:
            return
        cells, items = np.concatenate(rows, axis=1)
        order = np.lexsort((items, cells))
        cells, items = cells[order], items[order]
        # Pairs of a day: each item with the ones that come a step, two steps, ... after it.
        step = 1
        while True:
            same = np.flatnonzero(cells[step:] == cells[:-step]) if step < len(cells) else np.zeros(0, np.int64)
            if not len(same):
                return
            codes, times = np.unique(items[same] * len(names) + items[same + step], return_counts=True)
            for code, count in zip(codes.tolist(), times.tolist(), strict=True):
                pair = sorted((names[code // len(names)], names[code % len(names)]))
                self.both[pair[0], pair[1]] += count
            step += 1

    def complements(self) -> dict[str, tuple[Complement, ...]]:
        """Item -> what goes with it: best lift first, then more days together, then by name; nothing that chance alone would bring."""
        found: dict[str, list[tuple[Fraction, int, str]]] = {}
        for (one, other), together in self.both.items():
            lift = Fraction(together * self.days, self.of[one] * self.of[other])
            if together >= LEAST_TOGETHER and lift > 1:
                found.setdefault(one, []).append((lift, together, other))
                found.setdefault(other, []).append((lift, together, one))
        best = {item: sorted(each, key=lambda entry: (-entry[0], -entry[1], entry[2]))[:MOST_COMPLEMENTS] for item, each in found.items()}
        return {item: tuple(Complement(name, count, int(100 * lift)) for lift, count, name in each) for item, each in best.items()}


def _cells(piece: Piece, first: int, last: int) -> Any:
    """The days that count: of members who may be profiled, within the window."""
    columns = piece.columns
    guests = piece.live & (columns["member/profiled"] > 0)
    days = columns["cell/day"]
    return guests[columns.cell_owner] & (days >= first) & (days <= last)


def _bought(piece: Piece, cells: Any) -> Iterator[tuple[str, Any]]:
    """Each named item with the cells on which it was bought."""
    columns = piece.columns
    starts, owners = columns["by:i/starts"], columns["by:i/owner"]
    counts = columns["by:i/count"] + columns["cell/count"][owners]
    for number, word in enumerate(columns["by:i/names"].tolist()):
        rows = slice(int(starts[number]), int(starts[number + 1]))
        mine = owners[rows][cells[owners[rows]] & (counts[rows] > 0)]
        name = columns.words[word]
        if name != OTHERS and len(mine):
            yield name, mine
