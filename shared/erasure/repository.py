"""Erasures: items <-> model, for one tenant."""

from __future__ import annotations

from typing import Any, Final

from shared.erasure.model import Erasure, Traces
from shared.storage import keys_rights
from shared.storage.errors import RawItem
from shared.storage.items_rights import ErasureItem
from shared.storage.packing import pack, unpack
from shared.storage.revisions import put_next
from shared.storage.table import NOT_THERE_YET, Table, WriteBatch

LABEL: Final = "erasure"


class ErasureRepository:
    """The erasures of one tenant."""

    def __init__(self, tenant: str, table: Table) -> None:
        self.tenant = tenant
        self.table = table

    def get(self, member: str) -> Erasure | None:
        """A member's erasure, consistently. 1 read unit."""
        raw = self.table.get(keys_rights.erasure(self.tenant, member))
        return self._decode(raw) if raw is not None else None

    def add_new(self, batch: WriteBatch, erasure: Erasure) -> None:
        """Put it, if there is none. Label ``erasure``."""
        batch.put(LABEL, self._item(erasure), NOT_THERE_YET)

    def store(self, after: Erasure) -> bool:
        """The next revision, if it is the next; ``False`` if somebody else was faster. 1 write unit."""
        return put_next(self.table, self._item(after), after.revision)

    def _item(self, erasure: Erasure) -> ErasureItem:
        traces = erasure.traces
        body = {
            "id": erasure.id,
            "by": erasure.asked_by,
            "at": erasure.accepted_at,
            "c": erasure.correlation,
            "done": dict(erasure.done),
            "counts": dict(erasure.counts),
            "told": dict(erasure.told),
            "silent": list(erasure.silent),
            "rounds": erasure.rounds,
            "traces": [
                traces.version, list(traces.coupons), list(traces.segments), [list(each) for each in traces.identifiers],
                *([list(traces.former)] if traces.former else []),
            ],
        }
        key = keys_rights.erasure(self.tenant, erasure.member)
        return ErasureItem.at(key, status=erasure.status, revision=erasure.revision, body=pack(body))

    @staticmethod
    def _decode(raw: RawItem) -> Erasure:
        item = ErasureItem.read(raw)
        body: dict[str, Any] = unpack(item.body)
        version, coupons, segments, identifiers, *former = body["traces"]
        status: Any = item.status
        return Erasure(
            id=body["id"],
            member=raw["PK"]["S"].rpartition("#")[2],
            asked_by=body["by"],
            accepted_at=body["at"],
            correlation=body["c"],
            status=status,
            done=body["done"],
            counts=body["counts"],
            told=body.get("told", {}),
            silent=tuple(body.get("silent", ())),
            rounds=body.get("rounds", 0),
            traces=Traces(
                version, tuple(coupons), tuple(segments), tuple((kind, blind) for kind, blind in identifiers), tuple(*former)
            ),
            revision=int(item.revision),
        )
