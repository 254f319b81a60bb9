"""The counters of a campaign, by where they belong: step, variant, channel, language. Pure.

Everything a report shows is a sum of cells; a cell is a sum over deliveries. So the parts always add up to the whole, whichever way it
is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

SUPPRESSED: Final = "suppressed:"
"""Before the reason: ``suppressed:no_consent``."""
COUNTERS: Final = (
    "planned", "held_out", "suppressed", "deferred", "given", "claimed", "sent", "failed", "unknown", "delivered", "bounced", "complained",
    "opened", "clicked", "submitted", "redeemed", "unsubscribed", "cost_e6", "discount",
    "exposed", "converted", "revenue", "revenue_squared",
    "held_exposed", "held_converted", "held_revenue", "held_revenue_squared",
    "attributed", "attributed_hard", "attributed_revenue",
)  # fmt: skip
"""Deliveries, but for: ``cost_e6`` (millionths of a minor unit); ``discount``, ``revenue``, ``held_revenue`` and ``attributed_revenue``
(minor units); and the sums of squares. ``exposed`` up to ``held_revenue_squared`` count an occurrence of a member once, at its first
message or gift.
"""
Counts = Mapping[str, int]


class Place(NamedTuple):
    """Where a delivery counts. ``variant`` is empty without a split, ``language`` where nothing was written."""

    step: str
    variant: str
    channel: str
    language: str


Cells = dict[Place, dict[str, int]]


def add(cells: Cells, place: Place, counts: Counts) -> None:
    """Add to a cell, in place. A counter that is zero is not kept."""
    cell = cells.setdefault(place, {})
    for name, number in counts.items():
        total = cell.get(name, 0) + number
        if total:
            cell[name] = total
        else:
            cell.pop(name, None)
    if not cell:
        del cells[place]


def total(cells: Cells) -> dict[str, int]:
    """Everything, with every counter there is."""
    sums = dict.fromkeys(COUNTERS, 0)
    for cell in cells.values():
        for name, number in cell.items():
            sums[name] = sums.get(name, 0) + number
    return sums


def by(cells: Cells, part: Callable[[Place], str]) -> dict[str, dict[str, int]]:
    """The sums by one part of the place, in its order."""
    groups: dict[str, Cells] = {}
    for place, cell in cells.items():
        groups.setdefault(part(place), {})[place] = cell
    return {name: total(groups[name]) for name in sorted(groups)}


def merged(shards: Iterable[Cells]) -> Cells:
    """The sum of several."""
    cells: Cells = {}
    for shard in shards:
        for place, cell in shard.items():
            add(cells, place, cell)
    return cells


def encode(cells: Cells) -> list[Any]:
    """As it is stored: ``[[step, variant, channel, language, {counter: number}], ...]``, in order."""
    return [[*place, dict(sorted(cells[place].items()))] for place in sorted(cells)]


def decode(rows: list[Any]) -> Cells:
    """Back again."""
    return {Place(*row[:4]): dict(row[4]) for row in rows}
