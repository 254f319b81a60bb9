"""From an identifier to its member: one read of the ID item. Only proven identifiers have one."""

from __future__ import annotations

from collections.abc import Iterable

from shared.members.identifiers import IdentifierKind, InvalidIdentifier, normalise
from shared.storage import keys
from shared.storage.items import IdentifierItem
from shared.tenants.scope import TenantScope


def identifier_key(scope: TenantScope, kind: IdentifierKind, value: str) -> keys.Key:
    """Where an identifier's item is; ``InvalidIdentifier`` if it is not one of its kind."""
    normalised = normalise(kind, value, scope.definitions.settings.country)
    return keys.identifier(scope.tenant, kind, scope.blind(kind, normalised))


def find(scope: TenantScope, kind: IdentifierKind, value: str) -> str | None:
    """The member with that identifier, or ``None``. 1 read unit."""
    raw = scope.table.get(identifier_key(scope, kind, value))
    return IdentifierItem.read(raw).member if raw is not None else None


def find_many(scope: TenantScope, identifiers: Iterable[tuple[IdentifierKind, str]]) -> dict[tuple[IdentifierKind, str], str]:
    """Members of many identifiers; those without a member are absent. Invalid identifiers are absent too."""
    where: dict[keys.Key, tuple[IdentifierKind, str]] = {}
    for kind, value in dict.fromkeys(identifiers):
        try:
            where[identifier_key(scope, kind, value)] = (kind, value)
        except InvalidIdentifier:
            continue
    found = scope.table.get_many(where, consistent=True)
    return {where[key]: IdentifierItem.read(raw).member for key, raw in found.items()}
