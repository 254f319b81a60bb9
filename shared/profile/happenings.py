"""Declared custom events in daily cells: ``e:<type>`` and, where the tenant splits it by a property, ``e:<type>:<value>``. Pure.

An event counts in the local day that it happened on, however late it arrives. It is no purchase: a cell's own count, value and
quantity stay as they are, and a day with events alone is no visit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.kernel.instants import Instant, local_day
from shared.profile.model import MAX_EVENT_TYPES, MAX_EVENT_VALUES, OTHERS, Cell, EventTrack, Profile

LETTER: Final = "e"
MAX_PARTS: Final = 40
"""Values of properties named in one cell, of all types together."""
MAX_VALUE: Final = 64
"""Characters of a value that is kept apart; a longer one is summed under ``~``."""


def add_event(profile: Profile, type_: str, at: Instant, zone: str, amount: int = 0, part: str | None = None) -> bool:
    """Book an event of a declared type; ``amount`` is summed, ``part`` splits. Answers whether the history changed."""
    day = local_day(at, zone)
    in_history = day in profile.history
    cells = profile.history if in_history else profile.cells
    cell = cells.setdefault(day, Cell())
    _add(cell, f"{LETTER}:{type_}", amount)
    if part is not None:
        _add(cell, f"{LETTER}:{type_}:{_name_of(profile, cell, type_, part)}", amount)
    _track(profile, type_, at)
    return in_history


def measured(value: str | None, by: str | None, properties: Mapping[str, str | int | bool]) -> tuple[int, str | None]:
    """What an event's properties add to the sum of ``value``, and the value of ``by`` that splits it. Another type of value adds none."""
    amount = properties.get(value) if value is not None else None
    part = properties.get(by) if by is not None else None
    is_number = isinstance(amount, int) and not isinstance(amount, bool)
    return (int(amount) if is_number and amount is not None else 0), (part if isinstance(part, str) and part else None)


def _add(cell: Cell, key: str, amount: int) -> None:
    held = cell.by.setdefault(key, [0, 0, 0])
    held[0] += 1
    held[1] += amount


def _name_of(profile: Profile, cell: Cell, type_: str, part: str) -> str:
    """The value itself while there is room for it: in the cell, and among the member's values of the type."""
    prefix = f"{LETTER}:{type_}:"
    key = prefix + part
    if key in cell.by:
        return part
    in_cell = sum(1 for each in cell.by if each[0] == LETTER and each.count(":") > 1)
    if len(part) > MAX_VALUE or in_cell >= MAX_PARTS:
        return OTHERS
    keys = set[str]().union(*(each.by for cells in (profile.cells, profile.history) for each in cells.values()))
    named = {each for each in keys if each.startswith(prefix) and each != prefix + OTHERS}
    return part if key in named or len(named) < MAX_EVENT_VALUES else OTHERS


def _track(profile: Profile, type_: str, at: Instant) -> None:
    """How often, first and last. Beyond the bound the type that happened longest ago is forgotten: it is declared no more."""
    track = profile.events.get(type_)
    if track is not None:
        track.count += 1
        track.first_at, track.last_at = min(track.first_at, at), max(track.last_at, at)
        return
    if len(profile.events) >= MAX_EVENT_TYPES:
        del profile.events[min(profile.events, key=lambda each: (profile.events[each].last_at, each))]
    profile.events[type_] = EventTrack(1, at, at)
