"""Every five minutes: what is new in the shards of a tenant's days becomes the next link of its chain (docs/audit.md).

An entry may become visible after later ones: its transaction was under way, or a clock was slow. So a run stops short of the
present, looks back behind where the last one stopped, and leaves out what the seals of that time have. Where it dies does not
matter: a seal and the head are one transaction, and what the bucket lacks is put there by the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from shared.audit.model import SEALS_KEPT, canonical
from shared.audit.repository import AuditRepository, Head, StoredSeal
from shared.audit.seals import FIRST, Leaf, hash_of, seal_over, text_of
from shared.kernel.ids import ulid_millis
from shared.kernel.instants import DAY, HOUR, MINUTE, SECOND, Instant
from shared.observability.logs import logger
from shared.storage import keys
from shared.storage.errors import TransactionCancelled
from shared.storage.items import TenantEntryItem
from shared.storage.table import Table

LAG: Final = 2 * MINUTE
"""How far behind the present a run stays: four times the longest call."""
LOOK_BACK: Final = 30 * MINUTE
"""How late an entry may become visible and still be sealed."""
IDLE: Final = 6 * HOUR
"""How often it is noted that there is nothing new: so far back the next run looks, a Query a shard and day."""
MOST: Final = 4000
"""Leaves of a seal: 192 KB, half of what an item may have."""
SPAN: Final = 31 * DAY
"""What one look goes over: 124 Queries after a long rest, else 4."""
_TIME_TO_STOP_MS: Final = 8_000
_REMOVING: Final = "removing"


class Locks(Protocol):
    """The bucket whose objects nobody changes or deletes before their time (S3 Object Lock)."""

    def put(self, name: str, body: bytes) -> None: ...


class Queue(Protocol):
    """The function's own queue."""

    def send_all(self, bodies: Sequence[Mapping[str, Any]]) -> None: ...


def sweep(table: Table, queue: Queue) -> int:
    """One message per tenant, suspended ones too, and one for the operator's own chain; answers how many. One Query per MB of tenants."""
    entries = [TenantEntryItem.read(raw) for raw in table.query_all(keys.tenants(), begins="TENANT#")]
    tenants = [keys.OPERATOR, *(each.tenant for each in entries if each.status != _REMOVING)]
    queue.send_all([{"kind": "seal_tenant", "tenant": tenant} for tenant in tenants])
    return len(tenants)


@dataclass(slots=True)
class Sealer:
    """Seals one tenant's entries.

    Cost where nothing is new: 1 read of the head and 4 Queries, 3 read units. With news: a Query more, 4 write units (one more a 20
    entries), 1 for the note that the bucket has it, and a PUT.
    """

    repository: AuditRepository
    locks: Locks
    now: Instant
    exists: Callable[[], bool] = lambda: True
    """Whether there is such a tenant; asked before the first note about one."""
    time_left_ms: Callable[[], int] = lambda: 60_000

    def work(self) -> int:
        """Seal all that is new; answers how many entries. It stops where another sealer was faster, or time is short."""
        sealed, until = 0, self.now - LAG
        head = self.repository.head()
        self._lock(head)
        looked = head.looked if head is not None else until - SPAN
        while looked < until and self.time_left_ms() > _TIME_TO_STOP_MS:
            to = min(until, looked + SPAN)
            fresh = self._fresh(looked, to)
            if not fresh:
                self._note_nothing(head, looked, to)
                looked = to
                continue
            chosen = fresh[:MOST]
            if len(fresh) > MOST:
                # The rest is found again: it is not older than what was taken last, or within what is looked back.
                to = max(looked, ulid_millis(chosen[-1].id))
            head = self._seal(chosen, head, looked, to)
            if head is None:
                return sealed
            self._lock(head)
            sealed, looked = sealed + len(chosen), head.looked
        return sealed

    def _note_nothing(self, head: Head | None, looked: Instant, to: Instant) -> None:
        """So that the next run need not look as far back. A message of a tenant that was removed meanwhile leaves nothing."""
        if head is None:
            if self.exists():
                self.repository.begin(to)
        elif to - looked >= IDLE:
            self.repository.looked(to, head.sequence)

    def _fresh(self, looked: Instant, to: Instant) -> list[Leaf]:
        """Entries that no seal has yet, oldest first."""
        since = looked - LOOK_BACK
        found = []
        for each in self.repository.entries(since, to):
            if each.in_place(self.repository.tenant):
                found.append(Leaf.of(each.id, each.text))
            else:
                logger().error("entry out of place", extra={"tenant": self.repository.tenant, "key": each.sk[:64]})
        if not found:
            return []
        known: set[str] = set()
        for stored in self.repository.seals(forward=False):
            known.update(each.id for each in stored.leaves)
            if stored.seal.until < since:
                break
        return sorted(each for each in found if each.id not in known)

    def _seal(self, leaves: list[Leaf], before: Head | None, since: Instant, until: Instant) -> Head | None:
        """The next link; ``None`` if another sealer made one meanwhile."""
        sequence, previous = (before.sequence + 1, before.hash) if before is not None else (1, FIRST)
        tenant = self.repository.tenant
        seal = seal_over(tenant, leaves, sequence=sequence, previous=previous, since=since, until=until, sealed_at=self.now)
        text = text_of(seal)
        after = Head(sequence, hash_of(text), before.locked if before is not None else 0, until)
        try:
            self.repository.add(text, leaves, after, before, (self.now + SEALS_KEPT) // SECOND)
        except TransactionCancelled:
            return None
        return after

    def _lock(self, head: Head | None) -> None:
        """Put into the bucket what it lacks. Putting twice makes two versions of the same."""
        if head is None or head.locked >= head.sequence:
            return
        for sequence in range(head.locked + 1, head.sequence + 1):
            stored = self.repository.seal(sequence)
            if stored is not None:
                self.locks.put(name_of(self.repository.tenant, sequence), locked_text(stored).encode())
        self.repository.locked(head.sequence)


def prefix_of(tenant: str) -> str:
    """What the names of a tenant's locked heads begin with."""
    return f"seals/{tenant}/"


def name_of(tenant: str, sequence: int) -> str:
    """The name of a locked head."""
    return f"{prefix_of(tenant)}{sequence:010d}.json"


def locked_text(stored: StoredSeal) -> str:
    """What the bucket keeps of a seal: enough to know it again, and no entry."""
    seal = stored.seal
    return canonical(
        {"tenant": seal.tenant, "sequence": seal.sequence, "hash": hash_of(stored.text), "until": seal.until, "entries": seal.entries}
    )
