"""Buckets in the table: one conditional update for each payment, under the session that the table was opened with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.kernel.instants import SECOND, Instant
from shared.limits.rules import Payment
from shared.storage.errors import ConditionFailed, RawItem
from shared.storage.expressions import Condition, Path
from shared.storage.keys import Key
from shared.storage.table import Table

_KEPT: Final = 86_400
"""Seconds that an idle bucket stays in the table; a missing one is full."""


@dataclass(frozen=True, slots=True)
class TableBuckets:
    """Buckets in the table, under the session that the table was opened with."""

    table: Table

    def move(self, key: Key, wanted: Payment, now: Instant) -> tuple[bool, int | None]:
        """One conditional update."""
        level, kept = Path("level"), Path("expires_at").set(now // SECOND + _KEPT)
        moved = level.set(wanted.floor + wanted.cost) if wanted.lift else level.add(wanted.cost)
        low: Condition = level.does_not_exist() | (level < wanted.floor) | (level > wanted.absurd)
        when = low if wanted.lift else level.between(wanted.floor, wanted.ceiling)
        try:
            return True, _level(self.table.update(key, [moved, kept], when, old=True))
        except ConditionFailed as failed:
            return False, _level(failed.old)


def _level(raw: RawItem | None) -> int | None:
    return int(raw["level"]["N"]) if raw else None
