"""A campaign's counters: items <-> cells, a shard at a time."""

from __future__ import annotations

from shared.reports.cells import Cells, decode, encode, merged
from shared.storage import keys
from shared.storage.errors import ConditionFailed
from shared.storage.expressions import Path
from shared.storage.items import ReportItem
from shared.storage.packing import pack, unpack
from shared.storage.table import Table


class ReportRepository:
    """The reports of one tenant."""

    def __init__(self, tenant: str, table: Table) -> None:
        self.tenant = tenant
        self.table = table

    def shard(self, campaign: str, shard: int) -> tuple[Cells, str]:
        """The cells of a shard and the number of the last message in them (empty: none), consistently. 1 read unit for 4 KB."""
        raw = self.table.get(keys.report(self.tenant, campaign, shard))
        if raw is None:
            return {}, ""
        item = ReportItem.read(raw)
        return decode(unpack(item.body)), item.applied

    def store(self, campaign: str, shard: int, cells: Cells, applied: str, before: str) -> bool:
        """Cells and the number of their last message, in one write, if the last is still ``before``; ``False`` if it is not."""
        item = ReportItem.at(keys.report(self.tenant, campaign, shard), applied=applied, body=pack(encode(cells)))
        as_it_was = Path("applied") == before if before else Path("applied").does_not_exist()
        try:
            self.table.put(item, as_it_was)
        except ConditionFailed:
            return False
        return True

    def cells(self, campaign: str) -> Cells:
        """All shards together. One Query."""
        rows = self.table.query_all(keys.campaign(self.tenant, campaign).pk, begins=keys.REPORT_PREFIX)
        return merged(decode(unpack(ReportItem.read(raw).body)) for raw in rows)
