"""From an identifier to its member: one read of the ID item. Only proven identifiers have one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.members.errors import IdentifierBlocked
from shared.members.identifiers import IdentifierKind, InvalidIdentifier, normalise
from shared.storage import keys
from shared.storage.errors import RawItem
from shared.storage.items import IdentifierItem
from shared.tenants.scope import TenantScope


@dataclass(frozen=True, slots=True)
class Found:
    """Whose an identifier is, and whether it is blocked."""

    member: str
    blocked: bool = False


def identifier_key(scope: TenantScope, kind: IdentifierKind, value: str) -> keys.Key:
    """Where an identifier's item is; ``InvalidIdentifier`` if it is not one of its kind."""
    normalised = normalise(kind, value, scope.definitions.settings.country)
    return keys.identifier(scope.tenant, kind, scope.blind(kind, normalised))


def look_up(scope: TenantScope, kind: IdentifierKind, value: str) -> Found | None:
    """Whose identifier it is, blocked or not. 1 read unit."""
    raw = scope.table.get(identifier_key(scope, kind, value))
    return _found(raw) if raw is not None else None


def find(scope: TenantScope, kind: IdentifierKind, value: str) -> str | None:
    """The member with that identifier, blocked or not, or ``None``. 1 read unit."""
    found = look_up(scope, kind, value)
    return found.member if found is not None else None


def find_usable(scope: TenantScope, kind: IdentifierKind, value: str) -> str | None:
    """The member with that identifier, or ``None``; ``IdentifierBlocked``. 1 read unit."""
    found = look_up(scope, kind, value)
    if found is not None and found.blocked:
        raise IdentifierBlocked
    return found.member if found is not None else None


def find_many(scope: TenantScope, identifiers: Iterable[tuple[IdentifierKind, str]]) -> dict[tuple[IdentifierKind, str], Found]:
    """Members of many identifiers; those without a member are absent. Invalid identifiers are absent too."""
    where: dict[keys.Key, tuple[IdentifierKind, str]] = {}
    for kind, value in dict.fromkeys(identifiers):
        try:
            where[identifier_key(scope, kind, value)] = (kind, value)
        except InvalidIdentifier:
            continue
    found = scope.table.get_many(where, consistent=True)
    return {where[key]: _found(raw) for key, raw in found.items()}


def _found(raw: RawItem) -> Found:
    item = IdentifierItem.values(raw)
    return Found(item["member"], item.get("blocked") is not None)
