"""A campaign's running state and its gates: items <-> model, for one tenant."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from shared.campaigns.model import Run
from shared.kernel.errors import ConcurrentUpdate
from shared.kernel.instants import Instant
from shared.storage import keys
from shared.storage.commit import Effort, Plan, Stale, commit
from shared.storage.errors import ConditionFailed, RawItem
from shared.storage.expressions import Condition, Path
from shared.storage.items import CampaignItem
from shared.storage.packing import pack, unpack
from shared.storage.table import Table, WriteBatch

RUN_LABEL: Final = "campaign"
GATE_LABEL: Final = "gate"
FOR_GOOD: Final = 10**12
"""The revision that cancelling gives a gate: nothing later opens it."""
_TIMER_SHARD: Final = 0
_GATES_AT_ONCE: Final = 25


class CampaignRepository:
    """The campaigns of one tenant."""

    def __init__(self, tenant: str, table: Table) -> None:
        self.tenant = tenant
        self.table = table

    def run(self, campaign: str) -> Run | None:
        """A campaign's running state, consistently. 1 read unit."""
        raw = self.table.get(keys.campaign(self.tenant, campaign))
        return self._decode(campaign, raw) if raw is not None else None

    def runs(self, campaigns: Iterable[str]) -> dict[str, Run]:
        """Those that there are. 1 read unit each."""
        wanted = {keys.campaign(self.tenant, each): each for each in campaigns}
        found = self.table.get_many(wanted, consistent=True)
        return {wanted[key]: self._decode(wanted[key], raw) for key, raw in found.items()}

    def create(self, campaign: str, now: Instant, effort: Callable[[], Effort]) -> None:
        """The running state, as a draft behind closed gates; one that is there stays as it is. 3 requests the first time."""
        if self.run(campaign) is not None:
            return
        for start in range(0, keys.GATES, _GATES_AT_ONCE):
            commit(self.table, self._closed(campaign, start), effort=effort())
        try:
            self.table.put(self._item(Run(campaign, created_at=now), None), Path("PK").does_not_exist())
        except ConditionFailed:
            return

    def _closed(self, campaign: str, start: int) -> Callable[[Stale], Plan[None]]:
        """Gates from a number on, closed, unless they are there."""

        def plan(_stale: Stale) -> Plan[None]:
            batch = WriteBatch()
            for number in range(start, min(start + _GATES_AT_ONCE, keys.GATES)):
                as_it_is_or_closed = Path("open") | False
                batch.update(f"gate:{number}", keys.gate(self.tenant, campaign, number), [Path("open").set(as_it_is_or_closed)])
            return Plan(batch, None)

        return plan

    def add_run(self, batch: WriteBatch, run: Run, expected: int, out: str | None) -> None:
        """The next running state, if the revision is still ``expected``. Label ``campaign``."""
        batch.put(RUN_LABEL, self._item(run, out), Path("revision") == expected)

    def set_gates(self, campaign: str, *, is_open: bool, revision: int, effort: Callable[[], Effort]) -> None:
        """Open or close all gates. One by one: a transaction over many would lose against the claims that it is to stop.

        A gate keeps the revision of the change that moved it last, and an older change does not move it any more; so of two
        people who press at the same time the later wins on every gate, and what was cancelled stays closed for good.
        ``ConcurrentUpdate`` for the one who lost. 2 write units a gate.
        """
        for number in range(keys.GATES):
            commit(self.table, self._move(campaign, number, is_open, revision), effort=effort())

    def _move(self, campaign: str, number: int, is_open: bool, revision: int) -> Callable[[Stale], Plan[None]]:
        not_moved_later: Condition = Path("revision").does_not_exist() | (Path("revision") <= revision)

        def plan(stale: Stale) -> Plan[None]:
            if stale:
                raise ConcurrentUpdate("The campaign was changed at the same moment.")
            batch = WriteBatch()
            changes = [Path("open").set(is_open), Path("revision").set(revision)]
            batch.update(GATE_LABEL, keys.gate(self.tenant, campaign, number), changes, not_moved_later)
            return Plan(batch, None)

        return plan

    def add_gate_check(self, batch: WriteBatch, campaign: str, member: str) -> None:
        """Let the transaction happen only while the member's gate is open. Label ``gate``."""
        gate_is_open: Condition = Path("open") == True  # noqa: E712 an expression, not a comparison
        batch.check(GATE_LABEL, keys.gate(self.tenant, campaign, keys.gate_of(member)), gate_is_open)

    def _item(self, run: Run, out: str | None) -> CampaignItem:
        times = (run.created_at, run.scheduled_for, run.launched_at, run.ended_at, run.next_at, run.alerted)
        item = CampaignItem.at(
            keys.campaign(self.tenant, run.campaign),
            state=run.state,
            version=run.version,
            revision=run.revision,
            body=pack(times),
            out=out,
        )
        due = run.scheduled_for if run.state == "scheduled" else run.next_at if run.state == "active" else None
        if due is not None:
            item.GSI1PK = keys.due(self.tenant, _TIMER_SHARD)
            item.GSI1SK = keys.due_at(due, f"CAMP#{run.campaign}")
        return item

    def _decode(self, campaign: str, raw: RawItem) -> Run:
        item = CampaignItem.read(raw)
        state: Any = item.state
        return Run(campaign, state, int(item.version), int(item.revision), *unpack(item.body))
