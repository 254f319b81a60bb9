"""How much of what a tenant defines its plan has room for. For those who write definitions, never on a till's path."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from shared.definitions.model import Kind
from shared.limits.plans import Allowed, check_size
from shared.storage import keys
from shared.tenants.scope import TenantScope

_LOCATION: Final = "LOCATION#"


def check_room(scope: TenantScope, kind: Kind) -> None:
    """``PlanLimit`` if there is no room for another definition of a kind: retired ones do not count. One Query; none for offers.

    Offers are not counted: they are stored one by one, and sales read only those that are in play.
    """
    if kind == "offer":
        return
    newest: dict[str, tuple[int, str]] = {}
    for each in scope.repository.load().definitions:
        if each.kind == kind:
            newest[each.id] = max(newest.get(each.id, (0, "")), (each.version, each.status))
    standing = sum(status != "retired" for _, status in newest.values())
    check_size(_allowed(scope).definitions, standing + 1, "", f"definitions of a kind, and there are {standing}")


def check_locations(scope: TenantScope, ids: Iterable[str]) -> None:
    """``PlanLimit`` if the tenant would have more locations than its plan allows. One Query."""
    raws = scope.table.query_all(keys.definitions(scope.tenant), begins=_LOCATION, consistent=True)
    there = {raw["SK"]["S"] for raw in raws}
    wanted = {keys.location(scope.tenant, id_).sk for id_ in ids}
    if not wanted <= there:
        check_size(_allowed(scope).locations, len(there | wanted), "/locations", "locations in all")


def _allowed(scope: TenantScope) -> Allowed:
    return Allowed.of(scope.definitions.settings.plan)
