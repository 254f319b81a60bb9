"""Merges: items <-> model, for one tenant."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any, Final

from shared.merging.model import Merge, Outcome
from shared.storage import keys_merging
from shared.storage.errors import RawItem
from shared.storage.items_merging import MergeItem
from shared.storage.packing import pack, unpack
from shared.storage.revisions import put_next
from shared.storage.table import NOT_THERE_YET, Table, WriteBatch

LABEL: Final = "merge"


class MergeRepository:
    """The merges of one tenant, each by the id of the member who went."""

    def __init__(self, tenant: str, table: Table) -> None:
        self.tenant = tenant
        self.table = table

    def get(self, duplicate: str) -> Merge | None:
        """The merge of a member, consistently. 1 read unit."""
        raw = self.table.get(keys_merging.merge(self.tenant, duplicate))
        return self._decode(raw) if raw is not None else None

    def add_new(self, batch: WriteBatch, merge: Merge) -> None:
        """Put it, if there is none. Label ``merge``."""
        batch.put(LABEL, self._item(merge), NOT_THERE_YET)

    def store(self, after: Merge) -> bool:
        """The next revision, if it is the next; ``False`` if somebody else was faster. 1 write unit."""
        return put_next(self.table, self._item(after), after.revision)

    def _item(self, merge: Merge) -> MergeItem:
        body = {
            "id": merge.id,
            "into": merge.survivor,
            "why": merge.reason,
            "by": merge.actor,
            "at": merge.at,
            "c": merge.correlation,
            "done": dict(merge.done),
            "outcome": astuple(merge.outcome),
        }
        key = keys_merging.merge(self.tenant, merge.duplicate)
        return MergeItem.at(key, status=merge.status, revision=merge.revision, body=pack(body))

    @staticmethod
    def _decode(raw: RawItem) -> Merge:
        item = MergeItem.read(raw)
        body: dict[str, Any] = unpack(item.body)
        wallets, filled, conflicts, withdrawn, coupons, segments, former, version = body["outcome"]
        status: Any = item.status
        return Merge(
            id=body["id"],
            duplicate=raw["PK"]["S"].rpartition("#")[2],
            survivor=body["into"],
            reason=body["why"],
            actor=body["by"],
            at=body["at"],
            correlation=body["c"],
            outcome=Outcome(
                tuple((name, points, debt) for name, points, debt in wallets), tuple(filled), tuple(conflicts), tuple(withdrawn),
                tuple(coupons), tuple(segments), tuple(former), version,
            ),
            status=status,
            done=body["done"],
            revision=int(item.revision),
        )  # fmt: skip
