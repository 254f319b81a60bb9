"""The fan-out of a switch: whom it concerns is evaluated, then a new version's listing is swapped in.

A segment's (and the statistics') asks the snapshot whom the switch concerns: ``shared.snapshots.fan_out``, in the function that has the
columns. Here is what starts it, and the fan-out of a programme whose tiers, birthdays or conversions begin by time alone, or of a
campaign that begins on dates of members: it walks all members, since who sleeps gets her timer by it.

    definition.published | retired -> wait for the switch -> whom it concerns -> complete: ``served_at`` and ``segment.backfilled`` in
    one transaction -> where a version was replaced, its end is a switch of its own, two cache times later

Resumable: progress is one item a version, so that a worker killed between any two steps repeats a page at most, and repeating one
changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from shared.kernel.errors import AppError, Gone, NotFound
from shared.kernel.instants import SECOND
from shared.member_state.service import tick_member
from shared.observability.logs import logger
from shared.segments.progress import MAX_AGAIN, Progress, ProgressStore, StillBehind
from shared.segments.ticks import TIME_TO_STOP_MS
from shared.storage import keys
from shared.storage.errors import RawItem, StorageError
from shared.tenants.scope import TenantScope

MEMBER_SHARDS: Final = 1
"""GSI2 partitions of a tenant's list of members (the profile rows)."""
PAGE: Final = 50
_SETTLE: Final = 2 * SECOND
"""After the switch, until whoever registered just before it is in the index."""
LONGEST_DELAY: Final = 900
_END: Final = "end"
FIELDS: Final[dict[str, type]] = {"tenant": str, "of": str, "id": str, "version": int, "epoch": int, "at": int}
"""What a message ``fan_out`` must have."""


class Queue(Protocol):
    """Where messages go (SQS; a list in tests)."""

    def send(self, body: Mapping[str, Any], delay_seconds: int = 0) -> None:
        """Send one message."""


def begin(scope: TenantScope, data: dict[str, Any], own: Queue, snapshots: Queue) -> None:
    """On ``definition.published`` or ``definition.retired``: start the fan-out of what has an epoch of its own. Others need none."""
    if not data["epoch"]:
        return
    at = data.get("effective_from", data.get("retired_from"))
    named = {"of": data["kind"], "id": data["id"], "version": data["version"], "epoch": data["epoch"]}
    message = {"kind": "fan_out", "tenant": scope.tenant, **named, "at": at}
    if data["kind"] in ("programme", "campaign"):
        work(scope, message, own)
    elif data["kind"] in ("segment", "statistics"):
        snapshots.send(message)


def wait(scope: TenantScope, message: dict[str, Any], own: Queue, settle: int) -> bool:
    """Whether the message's instant, and what must settle after it, has not come: then it is sent again."""
    left: int = message["at"] + settle - scope.clock()
    if left > 0:
        own.send(message, min(LONGEST_DELAY, -(-left // SECOND)))
    return left > 0


def work(scope: TenantScope, message: dict[str, Any], own: Queue) -> None:
    """Go on with the walk of a definition until it is complete, time is short, or its instant has not come: then it sends itself again."""
    if wait(scope, message, own, _SETTLE):
        return
    if not Walk(scope, message["of"], message["id"], message["version"], message["epoch"]).run():
        own.send(message)


Look = Callable[[TenantScope, str], bool]
"""What a walk does with each member; ``False`` if that was not possible."""


def evaluate(scope: TenantScope, member: str) -> bool:
    """Let a member meet the switches that she has missed: a read, and a write if there are any. ``False`` if she cannot be evaluated."""
    try:
        tick_member(scope, member, scope.clock())
    except (NotFound, Gone):
        return True  # Erased, or never finished registering: nobody to evaluate.
    except (AppError, StorageError) as error:
        logger().warning("not evaluated", extra={"tenant": scope.tenant, "member": member, "reason": type(error).__name__})
        return False
    return True


def know(scope: TenantScope, epoch: int) -> None:
    """A worker that has run since before the publication may hold definitions without it."""
    if epoch not in scope.definitions.epochs_until(scope.clock()):
        scope.cache.forget(scope.tenant)


def try_again(scope: TenantScope, progress: Progress, store: ProgressStore, look: Look = evaluate) -> None:
    """The members that could not be evaluated, once more; ``StillBehind`` if there are some left."""
    left = [member for member in progress.again if not look(scope, member)]
    progress.done += len(progress.again) - len(left)
    progress.again = left
    store.save(progress)
    if left:
        raise StillBehind(f"{len(left)} members could not be evaluated")


def note(progress: Progress, member: str, *, done: bool) -> None:
    """Put down what became of a member; ``StillBehind`` where too many fail."""
    if done:
        progress.done += 1
        return
    if member not in progress.again:
        progress.again.append(member)
    if len(progress.again) > MAX_AGAIN:
        raise StillBehind(f"{len(progress.again)} members could not be evaluated")


class Walk:
    """All members, page by page. Cost: for each of them a read and a write."""

    def __init__(self, scope: TenantScope, kind: str, id_: str, version: int, epoch: int, look: Look = evaluate) -> None:
        self._scope, self._epoch, self._look = scope, epoch, look
        self._store = ProgressStore(scope, kind, id_, version, epoch)

    def run(self) -> bool:
        """Evaluate members page by page. ``False`` if there was no time for all; ``True`` also if a later switch took over."""
        progress = self._store.read()
        if progress is None or progress.status == "complete":
            return True
        know(self._scope, self._epoch)
        while (shard := next((each for each in range(MEMBER_SHARDS) if progress.cursors.get(str(each)) != _END), None)) is not None:
            if self._scope.effort().time_left_ms() < TIME_TO_STOP_MS:
                return False
            self._page(progress, shard)
            if not self._store.save(progress):
                return True
        if progress.again:
            try_again(self._scope, progress, self._store, self._look)
        self._store.complete(progress, [], None, 0)
        return True

    def _page(self, progress: Progress, shard: int) -> None:
        """The next page of a shard."""
        partition, after = keys.members_listing(self._scope.tenant, shard), progress.cursors.get(str(shard))
        start: RawItem | None = None
        if after is not None:
            row = keys.profile(self._scope.tenant, after)
            start = {"GSI2PK": {"S": partition}, "GSI2SK": {"S": after}, "PK": {"S": row.pk}, "SK": {"S": row.sk}}
        rows, last = self._scope.table.query(partition, index="GSI2", limit=PAGE, start=start)
        for row_of in rows:
            self._scope.own(row_of["PK"]["S"])
            member = row_of["GSI2SK"]["S"]
            note(progress, member, done=self._look(self._scope, member))
        progress.cursors[str(shard)] = last["GSI2SK"]["S"] if last else _END
