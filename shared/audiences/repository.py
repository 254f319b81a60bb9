"""Exports: items <-> model, for one tenant."""

from __future__ import annotations

from shared.audiences.errors import UnknownExport
from shared.audiences.model import REMEMBERED, Export, export_of
from shared.kernel.ids import is_id
from shared.kernel.instants import SECOND
from shared.storage import keys
from shared.storage.items import ExportItem
from shared.storage.packing import pack, unpack
from shared.storage.revisions import put_next
from shared.storage.table import NOT_THERE_YET
from shared.tenants.scope import TenantScope


class ExportRepository:
    """One tenant's exports."""

    def __init__(self, scope: TenantScope) -> None:
        self._tenant = scope.tenant
        self._table = scope.table

    def get(self, export_id: str) -> Export:
        """An export, consistently read; ``UnknownExport`` if there is none. 1 read unit."""
        raw = self._table.get(keys.export(self._tenant, export_id)) if is_id("exp", export_id) else None
        if raw is None:
            raise UnknownExport
        values = ExportItem.values(raw)
        return export_of(values["revision"], unpack(values["body"]))

    def add(self, export: Export) -> None:
        """A new one."""
        self._table.put(self._item(export, None), NOT_THERE_YET)

    def save(self, export: Export, out: str | None = None) -> bool:
        """Write it over the revision that was read; ``False`` if somebody else has. ``out``: the events of this write."""
        export.revision += 1
        return put_next(self._table, self._item(export, out), export.revision)

    def _item(self, export: Export, out: str | None) -> ExportItem:
        expires_at = (export.touched_at + REMEMBERED) // SECOND
        key = keys.export(self._tenant, export.id)
        return ExportItem.at(key, revision=export.revision, body=pack(export.body()), out=out, expires_at=expires_at)
