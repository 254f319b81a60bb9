"""How far a fan-out is: one item a version, written after each page, so that whoever goes on repeats a page at most."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from shared.definitions.model import Definition
from shared.kernel.instants import Instant
from shared.member_state.effects import DomainEvent
from shared.member_state.repository import Stamp, envelope
from shared.storage import keys
from shared.storage.commit import Plan, Stale, commit
from shared.storage.errors import ConditionFailed, RawItem
from shared.storage.expressions import Path
from shared.storage.items import FanOutItem
from shared.storage.keys import Key
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope

MAX_AGAIN: Final = 500
"""Members that may wait for another try; more failing than that is no matter of single members."""


class StillBehind(Exception):
    """Some members could not be evaluated, again. The message is repeated, and ends in the dead-letter queue with this reason."""


@dataclass(slots=True)
class Progress:
    """How far a fan-out is. ``cursors``: part of the members -> the last one done."""

    epoch: int
    status: str = "running"
    done: int = 0
    needed: int | None = None
    """How many members must be looked at, where that was counted first."""
    cursors: dict[str, str] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)


class ProgressStore:
    """The item of one version's fan-out. A later switch of the same version takes it over."""

    def __init__(self, scope: TenantScope, kind: str, id_: str, version: int, epoch: int) -> None:
        self._scope = scope
        self._epoch = epoch
        # No name has a colon, so that a programme is never taken for a segment.
        self._key: Key = keys.fan_out(scope.tenant, id_ if kind == "segment" else f"{kind}:{id_}", version)

    def read(self) -> Progress | None:
        """The stored progress, made when there is none of this epoch yet; ``None`` if a later switch has taken over."""
        raw = self._scope.table.get(self._key)
        if raw is not None:
            stored = _decode(raw)
            if stored.epoch >= self._epoch:
                return stored if stored.epoch == self._epoch else None
        fresh = Progress(self._epoch)
        none_or_earlier = Path("PK").does_not_exist() | (Path("epoch") < self._epoch)
        try:
            self._scope.table.put(self._item(fresh), none_or_earlier)
        except ConditionFailed:
            return self.read()
        return fresh

    def save(self, progress: Progress) -> bool:
        """Write the progress down; ``False`` if it is complete by now, or a later switch has taken over."""
        still_ours = (Path("epoch") == self._epoch) & (Path("status") == "running")
        try:
            self._scope.table.put(self._item(progress), still_ours)
        except ConditionFailed:
            return False
        return True

    def complete(self, progress: Progress, told: list[DomainEvent], served: Definition | None, served_at: Instant) -> None:
        """It is done: one transaction with what is told of it and, if a version is to be served, from when on. Done before, it changes
        nothing.
        """
        progress.status = "complete"
        out = envelope(told, Stamp(self._scope.clock()))

        def plan(stale: Stale) -> Plan[None]:
            batch = WriteBatch()
            if "progress" in stale:
                return Plan(batch, None)
            still_ours = (Path("epoch") == self._epoch) & (Path("status") == "running")
            batch.put("progress", self._item(progress, out), still_ours)
            if served is not None and "served" not in stale:
                where = keys.definition(self._scope.tenant, "segment", served.id, served.version)
                not_served_yet = Path("served_at").does_not_exist() & Path("PK").exists()
                batch.update("served", where, [Path("served_at").set(served_at)], not_served_yet)
            return Plan(batch, None)

        commit(self._scope.table, plan, effort=self._scope.effort())
        self._scope.cache.forget(self._scope.tenant)

    def _item(self, progress: Progress, out: str | None = None) -> FanOutItem:
        cursors = json.dumps({"at": progress.cursors, "again": progress.again}, separators=(",", ":"))
        numbers = {"done": progress.done, "needed": progress.needed, "epoch": progress.epoch}
        return FanOutItem.at(self._key, cursors=cursors, status=progress.status, out=out, **numbers)


def _decode(raw: RawItem) -> Progress:
    item = FanOutItem.read(raw)
    cursors = json.loads(item.cursors)
    needed = None if item.needed is None else int(item.needed)
    return Progress(int(item.epoch), item.status, int(item.done), needed, cursors["at"], cursors["again"])
