"""Access jobs: items <-> model. They lie in the member's partition, and end with her."""

from __future__ import annotations

from dataclasses import asdict

from shared.access.model import REMEMBERED, Access
from shared.kernel.ids import is_id
from shared.kernel.instants import SECOND
from shared.storage import keys_rights
from shared.storage.errors import ConditionFailed
from shared.storage.expressions import Path
from shared.storage.items_rights import AccessItem
from shared.storage.packing import pack, unpack
from shared.storage.table import NOT_THERE_YET
from shared.tenants.scope import TenantScope


class AccessRepository:
    """The access jobs of one tenant's members."""

    def __init__(self, scope: TenantScope) -> None:
        self._tenant = scope.tenant
        self._table = scope.table

    def get(self, member: str, access_id: str) -> Access | None:
        """A job about a member. 1 read unit."""
        raw = self._table.get(keys_rights.access(self._tenant, member, access_id)) if is_id("acc", access_id) else None
        return Access(**unpack(AccessItem.read(raw).body)) if raw is not None else None

    def add(self, access: Access) -> None:
        """A new one. 1 write unit."""
        self._table.put(self._item(access), NOT_THERE_YET)

    def end(self, access: Access) -> None:
        """How it ended, if it is still there: she may have been erased meanwhile. 1 write unit."""
        try:
            self._table.put(self._item(access), Path("PK").exists())
        except ConditionFailed:
            return

    def _item(self, access: Access) -> AccessItem:
        key = keys_rights.access(self._tenant, access.member, access.id)
        return AccessItem.at(key, body=pack(asdict(access)), expires_at=(access.asked_at + REMEMBERED) // SECOND)
