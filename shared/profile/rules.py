"""Daily cells: adding a purchase, moving old cells to the history, and summing whole local days. Pure.

Everything here reads or changes one ``Profile``; days are day numbers (``shared.kernel.instants.local_day``) of one time
zone, the tenant's. A day is in ``cells`` or in ``history``, never in both. The functions that change a profile change the
one they are given; callers who need the old one copy it first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from shared.kernel.instants import Instant, day_start, local_datetime, local_day
from shared.kernel.money import divide
from shared.profile import items
from shared.profile.model import (
    CROWDED_SPILL_DAYS,
    HOT_DAYS,
    KEPT_DAYS,
    MAX_DIMENSIONS,
    MAX_HOT_NAMES,
    OTHERS,
    SPILL_DAYS,
    Cell,
    Profile,
    Visit,
)

Letter = Literal["c", "t", "i", "l", "h", "o"]
"""Category, tag, item, location, channel, hour."""
WHOLE: Final = frozenset("lho")
"""Letters of which a purchase has one name each, with all of its quantity."""
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NOTHING: Final = (0, 0, 0)
"""Of a dimension that a cell does not have."""
_ORDER: Final = {"p": -2, "v": -1, "h": 0, "l": 1, "o": 2, "c": 3, "t": 4, "i": 5}
_UNBOUNDED: Final = frozenset("ie")
"""Letters with bounds of their own."""
"""Who is named first when a cell is full: a purchase has one channel and location, but may have many tags."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Purchases, their value (minor units), item quantity (thousandths), and visits: local days with a purchase."""

    count: int = 0
    value: int = 0
    quantity: int = 0
    visits: int = 0

    @property
    def average(self) -> int | None:
        """The mean value of a purchase in minor units, halves rounded away from zero; None without a purchase."""
        return divide(self.value, self.count, "half_up") if self.count > 0 else None


def add_visit(profile: Profile, visit: Visit, zone: str, sign: Literal[1, -1] = 1, *, recompute: bool = False) -> bool:
    """Book a purchase into its local day's cell, or take it out again. Answers whether the history changed.

    A purchase is taken out with the very amounts that it was booked with; what falls to nothing is removed. When its
    cell was dropped already (``KEPT_DAYS``), only the lifetime sums change. The first ``MAX_DIMENSIONS`` names of a day are
    kept apart and later ones are summed under ``~`` of their letter: a name's purchases of a day are all in one place. Items are
    bounded over all days instead (``shared.profile.items``).

    ``recompute`` is for a void (as if it never was): if this was the first or last purchase, that instant becomes the
    start of the first or last remaining day, exact to the day, and the last location and channel those of that day if it had one. A
    return leaves them: the guest was there.
    """
    day = local_day(visit.at, zone)
    in_history = day in profile.history
    cells = profile.history if in_history else profile.cells
    cell = cells.get(day)
    if cell is None and sign > 0:
        cell = cells[day] = Cell()
    if cell is not None:
        _book(cell, visit, sign)
        _clear(cells, day, cell)
        if sign > 0 and _may_be_new(profile, visit):
            items.bound(profile, history_too=in_history)
    profile.count += sign * visit.count
    profile.value += sign * visit.value
    if sign > 0:
        if profile.last_at is None or visit.at >= profile.last_at:
            profile.last_location, profile.last_channel = _only(visit.by, "l"), _only(visit.by, "h")
        profile.first_at = visit.at if profile.first_at is None else min(profile.first_at, visit.at)
        profile.last_at = visit.at if profile.last_at is None else max(profile.last_at, visit.at)
    elif recompute:
        _recompute_ends(profile, visit, zone)
    return in_history


def quantity_of(visit: Visit, dimension: str) -> int:
    """The quantity (thousandths) that a purchase adds to a dimension: its own to its location, channel and hour."""
    return visit.units.get(dimension, visit.quantity if dimension[0] in WHOLE else 0)


def spill(profile: Profile, today: int) -> bool:
    """Move cells older than ``HOT_DAYS`` to the history and drop those older than ``KEPT_DAYS``.

    Nothing moves until the oldest hot cell is ``SPILL_DAYS`` too old (a late purchase may be that at once), so that the
    history, a stored item of its own, is rewritten at most once in ``SPILL_DAYS`` days; in ``CROWDED_SPILL_DAYS`` where the hot cells
    hold more than ``MAX_HOT_NAMES`` names. Answers whether the history changed.
    """
    crowded = sum(len(cell.by) for cell in profile.cells.values()) > MAX_HOT_NAMES
    wait = CROWDED_SPILL_DAYS if crowded else SPILL_DAYS
    hot_overdue = bool(profile.cells) and today - min(profile.cells) >= HOT_DAYS + wait
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
    if changed:
        items.make_room_in_history(profile)
    return changed


def window(profile: Profile, first_day: int, last_day: int, dimension: str | None = None) -> Totals:
    """The sums of the whole local days ``first_day`` to ``last_day``, both included; of one dimension if named (``c:coffee``)."""
    count = value = quantity = visits = 0
    for _, cell in _between(profile, first_day, last_day):
        mine = (cell.count, cell.value, cell.quantity) if dimension is None else cell.by.get(dimension, NOTHING)
        count += mine[0]
        value += mine[1]
        quantity += mine[2]
        visits += mine[0] > 0
    return Totals(count, value, quantity, visits)


def totals_by(profile: Profile, letter: Letter, first_day: int, last_day: int) -> dict[str, Totals]:
    """The same by name of a letter; what was summed together stands under ``~``. Only names with anything in the window."""
    sums: dict[str, list[int]] = {}
    for _, cell in _between(profile, first_day, last_day):
        for key, mine in cell.by.items():
            if key[0] == letter:
                _sum(sums.setdefault(key[2:], [0, 0, 0, 0]), mine)
    return {name: Totals(*row) for name, row in sums.items()}


def totals_by_weekday(profile: Profile, first_day: int, last_day: int) -> dict[str, Totals]:
    """The same by weekday of the local day (``mon`` to ``sun``)."""
    sums: dict[str, list[int]] = {}
    for day, cell in _between(profile, first_day, last_day):
        if cell.count or cell.value or cell.quantity:
            _sum(sums.setdefault(weekday(day), [0, 0, 0, 0]), (cell.count, cell.value, cell.quantity))
    return {name: Totals(*row) for name, row in sums.items()}


def hour_of(at: Instant, zone: str) -> str:
    """The hour of the local day, ``00`` to ``23``. One that the clocks repeat is one, and one that they skip never comes."""
    return f"{local_datetime(at, zone).hour:02d}"


def weekday(day: int) -> str:
    """The weekday of a day number: 1970-01-01, day 0, was a Thursday."""
    return WEEKDAYS[(day + 3) % 7]


def favourite(profile: Profile, letter: Letter, first_day: int, last_day: int) -> tuple[str | None, tuple[str, ...]]:
    """The name with most purchases (then most value), and all names that tie for it, sorted.

    The name is None when nobody or more than one leads. What is summed under ``~`` has no name and cannot lead.
    """
    tied = leaders({name: (each.count, each.value) for name, each in totals_by(profile, letter, first_day, last_day).items()})
    return (tied[0] if len(tied) == 1 else None), tied


def leaders(sums: dict[str, tuple[int, int]]) -> tuple[str, ...]:
    """The names with most purchases, then most value, sorted. Names without a purchase, and ``~``, never lead."""
    running = {name: pair for name, pair in sums.items() if pair[0] > 0 and name != OTHERS}
    best = max(running.values(), default=(0, 0))
    return tuple(sorted(name for name, pair in running.items() if pair == best))


def all_cells(profile: Profile) -> Iterator[tuple[int, Cell]]:
    """Every cell with its day, in no order."""
    yield from profile.cells.items()
    yield from profile.history.items()


def _between(profile: Profile, first_day: int, last_day: int | None) -> Iterator[tuple[int, Cell]]:
    for day, cell in all_cells(profile):
        if first_day <= day and (last_day is None or day <= last_day):
            yield day, cell


def _sum(row: list[int], mine: Sequence[int]) -> None:
    row[0] += mine[0]
    row[1] += mine[1]
    row[2] += mine[2]
    row[3] += mine[0] > 0


def _book(cell: Cell, visit: Visit, sign: int) -> None:
    cell.count += sign * visit.count
    cell.value += sign * visit.value
    cell.quantity += sign * visit.quantity
    for name in sorted(visit.by, key=lambda key: (_ORDER[key[0]], key)):
        amounts = [visit.count, visit.by[name], quantity_of(visit, name)]
        if items.is_item(name):
            (items.add if sign > 0 else items.take_out)(cell, name, amounts)
            continue
        key = _place(cell, name, sign)
        if key is None:
            continue
        held = cell.by.setdefault(key, [0, 0, 0])
        for column, amount in enumerate(amounts):
            held[column] += sign * amount
        if held == [0, 0, 0]:
            del cell.by[key]


def _clear(cells: dict[int, Cell], day: int, cell: Cell) -> None:
    """A day without a purchase keeps its events alone, and without these it is no cell."""
    if cell.count or cell.value or cell.quantity:
        return
    cell.by = {key: amounts for key, amounts in cell.by.items() if key[0] == "e"}
    if not cell.by:
        del cells[day]


def _may_be_new(profile: Profile, visit: Visit) -> bool:
    """Whether an item may have no place of its own on another hot day: then the number of names must be looked at."""
    bought = {key for key in visit.by if items.is_item(key)}
    day_counts = dict.fromkeys(bought, 0)
    for cell in profile.cells.values():
        for key in bought & cell.by.keys():
            day_counts[key] += 1
    return any(days <= 1 for days in day_counts.values())


def _only(by: Mapping[str, object], letter: str) -> str:
    """The one name of a letter; empty if there is none, or more than one."""
    names = [key[2:] for key in by if key[0] == letter]
    return names[0] if len(names) == 1 and names[0] != OTHERS else ""


def add_cell(cell: Cell, other: Cell) -> None:
    """Add what another cell of the same day has, within the bound of names."""
    cell.count += other.count
    cell.value += other.value
    cell.quantity += other.quantity
    for name in sorted(other.by, key=lambda key: (_ORDER.get(key[0], len(_ORDER)), key)):
        place = name if name[0] in _UNBOUNDED else _place(cell, name, 1) or name
        held = cell.by.setdefault(place, [0, 0, 0])
        for column, amount in enumerate(other.by[name]):
            held[column] += amount


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
    named = sum(1 for each in cell.by if each[2:] != OTHERS and each[0] not in _UNBOUNDED)
    return key if named < MAX_DIMENSIONS else others


def _recompute_ends(profile: Profile, voided: Visit, zone: str) -> None:
    """First and last purchase after one was voided. Purchases whose cells were dropped are known by ``first_at`` only."""
    if profile.count <= 0:
        profile.first_at = profile.last_at = None
        profile.last_location = profile.last_channel = ""
        return
    visits = {day: cell for day, cell in all_cells(profile) if cell.count > 0}
    all_kept = sum(cell.count for cell in visits.values()) == profile.count
    if visits and all_kept and profile.first_at == voided.at:
        profile.first_at = day_start(min(visits), zone)
    if profile.last_at == voided.at:
        last = visits[max(visits)] if visits else Cell()
        profile.last_at = day_start(max(visits), zone) if visits else profile.first_at
        profile.last_location, profile.last_channel = _only(last.by, "l"), _only(last.by, "h")
    if profile.first_at is not None and profile.last_at is not None:
        profile.last_at = max(profile.first_at, profile.last_at)
