"""Budgets of points: shards of a limit, and the walk round them. A budget is never exceeded, and may be used to the last point.

A shard is made by its first use. Where no shard has room for what a purchase takes, it is taken from several, at most
``MAX_PARTS``; a budget so scattered that these do not suffice counts as used up.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.programmes.compiled import Programme
from shared.storage import keys
from shared.storage.commit import Stale
from shared.storage.errors import RawItem
from shared.storage.expressions import Path
from shared.storage.items import QuotaItem
from shared.storage.table import Table, WriteBatch
from shared.transactions.model import Circumstances, Decided

MAX_PARTS: Final = 6
_LABEL: Final = "budget:"
Taken = tuple[str, int, int]
"""Budget, shard, points."""
Decide = Callable[[frozenset[str]], tuple[Circumstances, Decided]]
"""A decision, given the budgets that have nothing left."""


@dataclass(slots=True)
class BudgetWalk:
    """The shards that one use case tries, kept over its attempts. ``start`` (a sale's id) says where the walk begins."""

    tenant: str
    table: Table
    start: str
    exhausted: set[str] = field(default_factory=set)
    """Budgets that have no room for what this purchase takes."""
    _taken: dict[str, list[Taken]] = field(default_factory=dict)

    def within(self, decide: Decide, stale: Stale) -> tuple[Circumstances, Decided]:
        """The decision within what budgets have left: made again without each that is found to be used up."""
        while True:
            given, decided = decide(frozenset(self.exhausted))
            if self.choose(decided.budgets, given.programmes, stale):
                return given, decided

    def choose(self, wanted: Mapping[str, int], programmes: tuple[Programme, ...], stale: Stale) -> bool:
        """Choose the shards of every budget: the first alone or, after that one refused, those that have room.

        ``False``: a budget is used up (``exhausted``), and the purchase is to be decided again without it. No read but after a
        refusal: then at most 32.
        """
        self._taken = {key: taken for key, taken in self._taken.items() if key in wanted}
        enough = True
        for key, points in wanted.items():
            limit = limit_of(programmes, key)
            if limit is None:
                continue
            refused = any(label.startswith(f"{_LABEL}{key}#") for label in stale)
            same_as_before = sum(each[2] for each in self._taken.get(key, ())) == points
            if same_as_before and not refused:
                continue
            first = zlib.crc32(self.start.encode()) % budget_shards(limit)
            taken = [(key, first, points)] if not refused and share_of(limit, first) >= points else self._with_room(key, limit, points)
            if taken is None:
                self.exhausted.add(key)
                enough = False
            else:
                self._taken[key] = taken
        return enough

    def add(self, batch: WriteBatch, programmes: tuple[Programme, ...]) -> tuple[Taken, ...]:
        """Take the points in the purchase's transaction. Labels ``budget:<key>#<shard>``."""
        for key, shard, points in (each for taken in self._taken.values() for each in taken):
            most_before = share_of(limit_of(programmes, key) or 0, shard) - points
            room_for_them = Path("used").does_not_exist() | (Path("used") <= most_before)
            batch.update(f"{_LABEL}{key}#{shard}", keys.budget(self.tenant, key, shard), [Path("used").add(points)], room_for_them)
        return tuple(each for taken in self._taken.values() for each in taken)

    def _with_room(self, key: str, limit: int, points: int) -> list[Taken] | None:
        """The shard that can give all, from the first round the ring; else the few that have most."""
        shards = budget_shards(limit)
        found = self.table.get_many([keys.budget(self.tenant, key, shard) for shard in range(shards)], consistent=True)
        used = {int(where.pk[-2:]): _used(raw) for where, raw in found.items()}
        first = zlib.crc32(self.start.encode()) % shards
        ring = [(first + step) % shards for step in range(shards)]
        room = {shard: share_of(limit, shard) - used.get(shard, 0) for shard in ring}
        alone = next((shard for shard in ring if room[shard] >= points), None)
        if alone is not None:
            return [(key, alone, points)]
        parts: list[Taken] = []
        for shard in sorted(ring, key=lambda each: -room[each])[:MAX_PARTS]:
            part = min(room[shard], points - sum(each[2] for each in parts))
            if part > 0:
                parts.append((key, shard, part))
        return parts if sum(each[2] for each in parts) == points else None


def budget_shards(limit: int) -> int:
    """How many shards a budget is spread over: one per 10,000 points, between 1 and 32."""
    return max(1, min(32, limit // 10_000))


def add_budget_return(batch: WriteBatch, tenant: str, taken: tuple[Taken, ...]) -> None:
    """Give back what a purchase took, when nothing of it is left."""
    for key, shard, points in taken:
        batch.update(f"{_LABEL}{key}#{shard}", keys.budget(tenant, key, shard), [Path("used").add(-points)], Path("used") >= points)


def limit_of(programmes: tuple[Programme, ...], key: str) -> int | None:
    """The budget of a rule (``programme/rule``) or of a programme."""
    id_, _, rule_id = key.partition("/")
    programme = next((each for each in programmes if each.id == id_), None)
    if programme is None or not rule_id:
        return programme.body.limits.budget if programme is not None else None
    return next((rule.limits.budget for rule in programme.body.earning if rule.id == rule_id), None)


def share_of(limit: int, shard: int) -> int:
    """The part of a limit that a shard has."""
    shards = budget_shards(limit)
    return limit // shards + (1 if shard < limit % shards else 0)


def _used(raw: RawItem) -> int:
    return int(QuotaItem.values(raw).get("used", 0))
