"""Daily cells: adding a purchase, moving old cells to the history, and summing whole local days. Pure.

Everything here reads or changes one ``Profile``; days are day numbers (``shared.kernel.instants.local_day``) of one time
zone, the tenant's. A day is in ``cells`` or in ``history``, never in both. The functions that change a profile change the
one they are given; callers who need the old one copy it first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from shared.kernel.instants import day_start, local_day
from shared.kernel.money import divide
from shared.profile.model import HOT_DAYS, KEPT_DAYS, MAX_DIMENSIONS, OTHERS, SPILL_DAYS, Cell, Profile, Visit

Letter = Literal["c", "t", "l", "h"]
"""Category, tag, location, channel."""
_ORDER: Final = {"p": -2, "v": -1, "h": 0, "l": 1, "c": 2, "t": 3}
"""Who is named first when a cell is full: a purchase has one channel and location, but may have many tags."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Purchases, their value (minor units) and item quantity (thousandths; 0 for a dimension, which keeps none)."""

    count: int = 0
    value: int = 0
    quantity: int = 0


def add_visit(profile: Profile, visit: Visit, zone: str, sign: Literal[1, -1] = 1, *, recompute: bool = False) -> bool:
    """Book a purchase into its local day's cell, or take it out again. Answers whether the history changed.

    A purchase is taken out with the very amounts that it was booked with; what falls to nothing is removed. When its
    cell was dropped already (``KEPT_DAYS``), only the lifetime sums change. The first ``MAX_DIMENSIONS`` names of a day are
    kept apart and later ones are summed under ``~`` of their letter: a name's purchases of a day are all in one place.

    ``recompute`` is for a void (as if it never was): if this was the first or last purchase, that instant becomes the
    start of the first or last remaining day, exact to the day. A return leaves both: the guest was there.
    """
    day = local_day(visit.at, zone)
    in_history = day in profile.history
    cells = profile.history if in_history else profile.cells
    cell = cells.get(day)
    if cell is None and sign > 0:
        cell = cells[day] = Cell()
    if cell is not None:
        _book(cell, visit, sign)
        if not (cell.count or cell.value or cell.quantity):
            del cells[day]
    profile.count += sign * visit.count
    profile.value += sign * visit.value
    if sign > 0:
        profile.first_at = visit.at if profile.first_at is None else min(profile.first_at, visit.at)
        profile.last_at = visit.at if profile.last_at is None else max(profile.last_at, visit.at)
    elif recompute:
        _recompute_ends(profile, visit, zone)
    return in_history


def spill(profile: Profile, today: int) -> bool:
    """Move cells older than ``HOT_DAYS`` to the history and drop those older than ``KEPT_DAYS``.

    Nothing moves until the oldest hot cell is ``SPILL_DAYS`` too old (a late purchase may be that at once), so that the
    history, a stored item of its own, is rewritten at most once in ``SPILL_DAYS`` days. Answers whether it changed.
    """
    hot_overdue = bool(profile.cells) and today - min(profile.cells) >= HOT_DAYS + SPILL_DAYS
    history_overdue = bool(profile.history) and today - min(profile.history) >= KEPT_DAYS + SPILL_DAYS
    if not (hot_overdue or history_overdue):
        return False
    changed = False
    for day in [day for day in profile.cells if today - day >= HOT_DAYS]:
        cell = profile.cells.pop(day)
        if today - day < KEPT_DAYS:
            profile.history[day] = cell
            changed = True
    for day in [day for day in profile.history if today - day >= KEPT_DAYS]:
        del profile.history[day]
        changed = True
    return changed


def window(profile: Profile, first_day: int, last_day: int, dimension: str | None = None) -> Totals:
    """The sums of the whole local days ``first_day`` to ``last_day``, both included; of one dimension if named (``c:coffee``)."""
    count = value = quantity = 0
    for _, cell in _between(profile, first_day, last_day):
        if dimension is None:
            count += cell.count
            value += cell.value
            quantity += cell.quantity
        else:
            pair = cell.by.get(dimension, (0, 0))
            count += pair[0]
            value += pair[1]
    return Totals(count, value, quantity)


def tag_share(profile: Profile, tag: str, first_day: int, last_day: int) -> tuple[int, int]:
    """The value of lines with the tag, and of all lines, minor units."""
    return window(profile, first_day, last_day, f"t:{tag}").value, window(profile, first_day, last_day).value


def favourite(profile: Profile, letter: Letter, first_day: int, last_day: int) -> tuple[str | None, tuple[str, ...]]:
    """The name with most purchases (then most value), and all names that tie for it, sorted.

    The name is None when nobody or more than one leads. What is summed under ``~`` has no name and cannot lead.
    """
    sums: dict[str, list[int]] = {}
    for _, cell in _between(profile, first_day, last_day):
        for key, (count, value) in cell.by.items():
            pair = sums.setdefault(key, [0, 0])
            pair[0] += count
            pair[1] += value
    tied = leaders({key[2:]: (pair[0], pair[1]) for key, pair in sums.items() if key[0] == letter})
    return (tied[0] if len(tied) == 1 else None), tied


def leaders(sums: dict[str, tuple[int, int]]) -> tuple[str, ...]:
    """The names with most purchases, then most value, sorted. Names without a purchase, and ``~``, never lead."""
    running = {name: pair for name, pair in sums.items() if pair[0] > 0 and name != OTHERS}
    best = max(running.values(), default=(0, 0))
    return tuple(sorted(name for name, pair in running.items() if pair == best))


def average_basket(profile: Profile, first_day: int, last_day: int) -> int | None:
    """The mean value of a purchase in minor units, halves rounded away from zero; None without a purchase."""
    totals = window(profile, first_day, last_day)
    return divide(totals.value, totals.count, "half_up") if totals.count > 0 else None


def next_cell_exit(profile: Profile, days: int, today: int, dimension: str | None = None) -> int | None:
    """The first day after ``today`` on which a window of ``days`` days, today included, changes by itself.

    A cell leaves ``days`` days after its own day. A cell dated after today (a till's clock is ahead) enters on its day.
    """
    changes = [
        day if day > today else day + days
        for day, cell in _between(profile, today - days + 1, None)
        if dimension is None or dimension in cell.by
    ]
    return min(changes, default=None)


def all_cells(profile: Profile) -> Iterator[tuple[int, Cell]]:
    """Every cell with its day, in no order."""
    yield from profile.cells.items()
    yield from profile.history.items()


def _between(profile: Profile, first_day: int, last_day: int | None) -> Iterator[tuple[int, Cell]]:
    for day, cell in all_cells(profile):
        if first_day <= day and (last_day is None or day <= last_day):
            yield day, cell


def _book(cell: Cell, visit: Visit, sign: int) -> None:
    cell.count += sign * visit.count
    cell.value += sign * visit.value
    cell.quantity += sign * visit.quantity
    for name in sorted(visit.by, key=lambda key: (_ORDER[key[0]], key)):
        key = _place(cell, name, sign)
        if key is None:
            continue
        pair = cell.by.setdefault(key, [0, 0])
        pair[0] += sign * visit.count
        pair[1] += sign * visit.by[name]
        if pair == [0, 0]:
            del cell.by[key]


def _place(cell: Cell, key: str, sign: int) -> str | None:
    """Where a name is summed: under itself or, once its letter has overflowed that day, under ``~``.

    While ``~`` of a letter holds anything, no new name of the letter gets a place of its own, even if one has become
    free: else a purchase booked under ``~`` would be taken out of the wrong place.
    """
    if key in cell.by:
        return key
    others = f"{key[0]}:{OTHERS}"
    if others in cell.by:
        return others
    if sign < 0:
        return None
    named = sum(1 for each in cell.by if each[2:] != OTHERS)
    return key if named < MAX_DIMENSIONS else others


def _recompute_ends(profile: Profile, voided: Visit, zone: str) -> None:
    """First and last purchase after one was voided. Purchases whose cells were dropped are known by ``first_at`` only."""
    if profile.count <= 0:
        profile.first_at = profile.last_at = None
        return
    days = [day for day, _ in all_cells(profile)]
    all_kept = sum(cell.count for _, cell in all_cells(profile)) == profile.count
    if days and all_kept and profile.first_at == voided.at:
        profile.first_at = day_start(min(days), zone)
    if profile.last_at == voided.at:
        profile.last_at = day_start(max(days), zone) if days else profile.first_at
    if profile.first_at is not None and profile.last_at is not None:
        profile.last_at = max(profile.first_at, profile.last_at)
