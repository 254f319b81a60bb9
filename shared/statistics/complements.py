"""What goes with an item, as stored: one row an item beside the catalogue, half a read unit each."""

from __future__ import annotations

from collections.abc import Mapping

from shared.statistics.stored import Complement, from_body, to_body
from shared.storage import keys
from shared.storage.items import SettingsItem
from shared.storage.packing import pack, unpack
from shared.tenants.scope import TenantScope


def store(scope: TenantScope, found: Mapping[str, tuple[Complement, ...]]) -> int:
    """Make the rows say what was found; answers how many were written or deleted: those that differ."""
    before = every(scope)
    for item, complements in found.items():
        if before.get(item) != complements:
            scope.table.put(SettingsItem.at(keys.complements(scope.tenant, item), version=1, body=pack([item, to_body(complements)])))
    gone = before.keys() - found.keys()
    for item in sorted(gone):
        scope.table.delete(keys.complements(scope.tenant, item))
    return len(gone) + sum(before.get(item) != complements for item, complements in found.items())


def every(scope: TenantScope) -> dict[str, tuple[Complement, ...]]:
    """All of a tenant, by item: at most 500 rows, one Query."""
    raws = scope.table.query_all(keys.catalogue(scope.tenant), begins=keys.COMPLEMENTS)
    bodies = (unpack(SettingsItem.read(raw).body) for raw in raws)
    return {item: from_body(body) for item, body in bodies}


def of_item(scope: TenantScope, item: str) -> tuple[Complement, ...]:
    """What goes with an item; nothing, if it is not known. One read."""
    raw = scope.table.get(keys.complements(scope.tenant, item), consistent=False)
    return from_body(unpack(SettingsItem.read(raw).body)[1]) if raw is not None else ()
