"""Sums of which a part has no name: what is asked for is at least what has the name, and at most that and all that has none.

A profile names so many items, and so many names of a day; the rest is summed under ``~`` of its letter (``shared.profile``). Of
categories, tags, locations, channels and hours all purchases of one name and day are in one place (``shared.profile.rules``): where the
day names it the sum is exact, where it does not the name may be under that day's ``~``. An item may be in both places of one day, and
so may a value of an event's property.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.profile.model import OTHERS, Cell
from shared.segments.language.base import COMPARE

COUNT, VALUE, QUANTITY, VISITS = range(4)
"""Columns: as in a cell, and days with a purchase."""
_IN_BOTH_PLACES = frozenset("ie")
_NOTHING = (0, 0, 0)


def others_of(key: str) -> str | None:
    """Where a name may be summed as well; None for the type of an event, which is always named."""
    letter, _, name = key.partition(":")
    if letter != "e":
        return f"{letter}:{OTHERS}"
    type_, colon, _ = name.partition(":")
    return f"e:{type_}:{OTHERS}" if colon else None


def least(cell: Cell, keys: Sequence[str], column: int) -> int:
    """What surely is of one of the names."""
    by = cell.by
    if column == VISITS:
        return int(any(by.get(key, _NOTHING)[COUNT] > 0 for key in keys))
    return sum(by.get(key, _NOTHING)[column] for key in keys)


def most(cell: Cell, keys: Sequence[str], column: int) -> int:
    """What may be of one of the names."""
    surely, unnamed = least(cell, keys, column), unnamed_part(cell, keys)
    if column == VISITS:
        return int(surely or unnamed[COUNT] > 0)
    return surely + unnamed[column]


def unnamed_part(cell: Cell, keys: Sequence[str]) -> Sequence[int]:
    """What has no name in the cell and may be of one of these."""
    others = others_of(keys[0])
    if others is None or others not in cell.by:
        return _NOTHING
    exact = keys[0][0] not in _IN_BOTH_PLACES and all(key in cell.by for key in keys)
    return _NOTHING if exact else cell.by[others]


def whole(cell: Cell, column: int) -> int:
    """All purchases of the day."""
    return (cell.count, cell.value, cell.quantity, int(cell.count > 0))[column]


def between(op: str, low: int, high: int, target: int) -> bool | None:
    """How every number between the two compares; None where they differ."""
    low, high = min(low, high), max(low, high)
    if op in ("eq", "ne"):
        if low == high == target:
            return op == "eq"
        return None if low <= target <= high else op == "ne"
    first, last = COMPARE[op](low, target), COMPARE[op](high, target)
    return first if first is last else None


def ratio_between(op: str, part: tuple[int, int], whole_: tuple[int, int], target: int) -> bool | None:
    """How part / whole compares with the target, each known within bounds; None where the whole may be nothing, or they differ.

    Exact, without a division: p / w op t if and only if p - t * w op 0, for w > 0.
    """
    if whole_[0] <= 0:
        return None
    return between(op, part[0] - target * whole_[1], part[1] - target * whole_[0], 0)
