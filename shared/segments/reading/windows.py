"""Windows of whole local days over the cells, and the first day on which passing days change what they say."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping

from shared.kernel.instants import NEVER, Instant, day_start
from shared.profile.model import Cell, Profile
from shared.profile.rules import all_cells
from shared.segments.leaves import Moment, Truth

Amounts = Mapping[Hashable, int]


def look_ahead(
    profile: Profile, days: int, moment: Moment, amounts: Callable[[int, Cell], Amounts], judge: Callable[[Amounts], Truth]
) -> tuple[Truth, Instant, Amounts]:
    """The truth over the window's sums today, the first instant at which passing days change it, and the sums today.

    Linear in the cells: cells enter and leave in order of day and their amounts are added and taken away.
    """
    today, sums = moment.today, dict[Hashable, int]()
    changes: dict[int, list[tuple[int, Amounts]]] = {}
    for day, cell in all_cells(profile):
        if day <= today - days:
            continue
        found = amounts(day, cell)
        if day > today:
            changes.setdefault(day, []).append((1, found))
        else:
            _add(sums, found, 1)
        changes.setdefault(day + days, []).append((-1, found))
    truth, now = judge(sums), dict(sums)
    for day in sorted(changes):
        for sign, found in changes[day]:
            _add(sums, found, sign)
        if judge(sums) is not truth:
            return truth, day_start(day, moment.zone), now
    return truth, NEVER, now


def _add(sums: dict[Hashable, int], amounts: Amounts, sign: int) -> None:
    for key, amount in amounts.items():
        sums[key] = sums.get(key, 0) + sign * amount


def first_difference(judge: Callable[[int], Truth], today: int, days: Iterable[int], zone: str) -> tuple[Truth, Instant]:
    """``judge(today)``, and the start of the first of the days (each on which it may change) that is judged otherwise."""
    truth = judge(today)
    for day in sorted({day for day in days if day > today}):
        if judge(day) is not truth:
            return truth, day_start(day, zone)
    return truth, NEVER
