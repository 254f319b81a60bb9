"""Definition fan-out: after a segment's switch, let time pass for every member whose epoch is lower, then swap the listing.

A programme whose tiers, birthdays or conversions begin by time alone has a fan-out too: who sleeps gets her timer by it.

Resumable: progress is one item a version (cursor per shard of members, members to try again, how many are done), written
after each page, so that a worker killed between any two steps repeats a page at most, and repeating one changes nothing.

    definition.published | retired -> wait for the switch -> walk all members -> complete: ``served_at`` and
    ``segment.backfilled`` in one transaction
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from shared.definitions.model import Definition, Kind
from shared.kernel.errors import AppError, Gone, NotFound
from shared.kernel.instants import SECOND
from shared.member_state.events import DomainEvent
from shared.member_state.repository import Stamp, envelope
from shared.member_state.service import tick_member
from shared.observability.logs import logger
from shared.segments.ticks import TIME_TO_STOP_MS, Queue
from shared.storage import keys
from shared.storage.commit import Plan, Stale, commit
from shared.storage.errors import ConditionFailed, RawItem, StorageError
from shared.storage.expressions import Path
from shared.storage.items import FanOutItem
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope

MEMBER_SHARDS: Final = 1
"""GSI2 partitions of a tenant's list of members (the profile rows)."""
PAGE: Final = 50
MAX_AGAIN: Final = 500
"""Members that may wait for another try; more failing than that is no matter of single members."""
_SETTLE: Final = 2 * SECOND
"""After the switch, until whoever registered just before it is in the index."""
_LONGEST_DELAY: Final = 900
_END: Final = "end"


class StillBehind(Exception):
    """Some members could not be evaluated, again. The message is repeated, and ends in the dead-letter queue with this reason."""


@dataclass(slots=True)
class Progress:
    """How far a fan-out is. ``cursors``: shard -> last member done, or ``end``."""

    epoch: int
    status: str = "running"
    done: int = 0
    cursors: dict[str, str] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)

    @property
    def exhausted(self) -> bool:
        """Whether the list of members has been walked to its end."""
        return all(self.cursors.get(str(shard)) == _END for shard in range(MEMBER_SHARDS))


def begin(scope: TenantScope, data: dict[str, Any], own: Queue) -> None:
    """On ``definition.published`` or ``definition.retired``: start the fan-out of what has an epoch of its own. Others need none."""
    if data["kind"] not in ("segment", "programme") or not data["epoch"]:
        return
    at = data.get("effective_from", data.get("retired_from"))
    named = {"of": data["kind"], "id": data["id"], "version": data["version"], "epoch": data["epoch"]}
    work(scope, {"kind": "fan_out", "tenant": scope.tenant, **named, "at": at}, own)


def work(scope: TenantScope, message: dict[str, Any], own: Queue) -> None:
    """Go on with a fan-out until it is complete, time is short, or its instant has not come: then it sends itself again."""
    wait = message["at"] + _SETTLE - scope.clock()
    if wait > 0:
        own.send(message, min(_LONGEST_DELAY, -(-wait // SECOND)))
        return
    run = FanOut(scope, message["of"], message["id"], message["version"], message["epoch"])
    if not run.walk():
        own.send(message)


class FanOut:
    """One run over a version's progress."""

    def __init__(self, scope: TenantScope, kind: Kind, id_: str, version: int, epoch: int) -> None:
        self._scope = scope
        self._kind: Kind = kind
        self._id, self._version = id_, version
        self._epoch = epoch
        # No name has a colon, so that a programme is never taken for a segment.
        self._key = keys.fan_out(scope.tenant, id_ if kind == "segment" else f"{kind}:{id_}", version)

    def walk(self) -> bool:
        """Evaluate members page by page. ``False`` if there was no time for all; ``True`` also if a later switch took over."""
        progress = self._progress()
        if progress is None or progress.status == "complete":
            return True
        # A worker that has run since before the publication may hold definitions without it.
        if self._scope.definitions.epoch_at(self._scope.clock()) < self._epoch:
            self._scope.cache.forget(self._scope.tenant)
        while not progress.exhausted:
            if self._time_is_short():
                return False
            self._page(progress)
            if not self._save(progress):
                return True
        if progress.again:
            self._try_again(progress)
        return self._complete(progress)

    def _page(self, progress: Progress) -> None:
        """The next page of the first shard that is not at its end."""
        shard = next(each for each in range(MEMBER_SHARDS) if progress.cursors.get(str(each)) != _END)
        partition, after = keys.members_listing(self._scope.tenant, shard), progress.cursors.get(str(shard))
        start: RawItem | None = None
        if after is not None:
            row = keys.profile(self._scope.tenant, after)
            start = {"GSI2PK": {"S": partition}, "GSI2SK": {"S": after}, "PK": {"S": row.pk}, "SK": {"S": row.sk}}
        rows, last = self._scope.table.query(partition, index="GSI2", limit=PAGE, start=start)
        for row_of in rows:
            self._scope.own(row_of["PK"]["S"])
            member = row_of["GSI2SK"]["S"]
            if self._evaluate(member):
                progress.done += 1
            else:
                progress.again.append(member)
        if len(progress.again) > MAX_AGAIN:
            raise StillBehind(f"{len(progress.again)} members could not be evaluated")
        progress.cursors[str(shard)] = last["GSI2SK"]["S"] if last else _END

    def _evaluate(self, member: str) -> bool:
        try:
            tick_member(self._scope, member, self._scope.clock())
        except (NotFound, Gone):
            return True  # Erased, or never finished registering: nobody to evaluate.
        except (AppError, StorageError) as error:
            logger().warning("not evaluated", extra={"tenant": self._scope.tenant, "member": member, "reason": type(error).__name__})
            return False
        return True

    def _try_again(self, progress: Progress) -> None:
        left = [member for member in progress.again if not self._evaluate(member)]
        progress.done += len(progress.again) - len(left)
        progress.again = left
        self._save(progress)
        if left:
            raise StillBehind(f"{len(left)} members could not be evaluated")

    def _time_is_short(self) -> bool:
        return self._scope.effort().time_left_ms() < TIME_TO_STOP_MS

    # -- progress ---------------------------------------------------------------------------------------------------

    def _progress(self) -> Progress | None:
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
            return self._progress()
        return fresh

    def _save(self, progress: Progress) -> bool:
        """Write the progress down; ``False`` if it is complete by now, or a later switch has taken over."""
        still_ours = (Path("epoch") == self._epoch) & (Path("status") == "running")
        try:
            self._scope.table.put(self._item(progress), still_ours)
        except ConditionFailed:
            return False
        return True

    def _complete(self, progress: Progress) -> bool:
        """The swap: listings are served from this version, and the event says so. One transaction; done before, it changes nothing."""
        now = self._scope.clock()
        progress.status = "complete"
        data: dict[str, object] = {"segment": self._id, "segment_version": self._version, "members": progress.done}
        told = [DomainEvent("segment.backfilled", now, data)] if self._kind == "segment" else []
        out = envelope(told, Stamp(now))
        definition = self._swapped()

        def plan(stale: Stale) -> Plan[bool]:
            batch = WriteBatch()
            if "progress" in stale:
                return Plan(batch, True)
            still_ours = (Path("epoch") == self._epoch) & (Path("status") == "running")
            batch.put("progress", self._item(progress, out), still_ours)
            if definition is not None and "served" not in stale:
                where = keys.definition(self._scope.tenant, "segment", self._id, self._version)
                not_served_yet = Path("served_at").does_not_exist() & Path("PK").exists()
                batch.update("served", where, [Path("served_at").set(now)], not_served_yet)
            return Plan(batch, True)

        done = commit(self._scope.table, plan, effort=self._scope.effort())
        self._scope.cache.forget(self._scope.tenant)
        return done

    def _swapped(self) -> Definition | None:
        """The version that is to be served from now on, if it is not yet."""
        if self._kind != "segment":
            return None
        versions = [each for each in self._scope.definitions.definitions if (each.kind, each.id) == ("segment", self._id)]
        return next((each for each in versions if each.version == self._version and each.served_at is None), None)

    def _item(self, progress: Progress, out: str | None = None) -> FanOutItem:
        cursors = json.dumps({"at": progress.cursors, "again": progress.again}, separators=(",", ":"))
        return FanOutItem.at(self._key, cursors=cursors, status=progress.status, done=progress.done, epoch=progress.epoch, out=out)


def _decode(raw: RawItem) -> Progress:
    item = FanOutItem.read(raw)
    stored = json.loads(item.cursors)
    return Progress(int(item.epoch), item.status, int(item.done), stored["at"], stored["again"])
