"""Catalogue items and locations: bulk PUT and lists. What is stored already is not written again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from pydantic import BaseModel

from shared.definitions.api import (
    ItemPage,
    ItemsAnswer,
    ItemsRequest,
    ListedLocation,
    LocationPage,
    LocationsAnswer,
    LocationsRequest,
    PutResult,
)
from shared.definitions.characters import refuse_control_characters
from shared.definitions.group_uses import refuse_taking_away
from shared.definitions.sizes import check_locations
from shared.kernel.errors import FieldError, InvalidValue, Unprocessable
from shared.kernel.pages import open_cursor, seal_cursor
from shared.storage import keys, keys_access
from shared.storage.errors import RawItem
from shared.storage.items import SettingsItem
from shared.storage.keys import Key
from shared.storage.packing import pack, unpack
from shared.tenants.hours import is_open
from shared.tenants.location_groups import LocationGroups, check_groups
from shared.tenants.model import CatalogueItem, Location
from shared.tenants.scope import TenantScope
from shared.tenants.stopping import get_stops
from shared.tenants.stops import Stops

KeyOf = Callable[[str, str], Key]


def put_items(scope: TenantScope, request: ItemsRequest) -> ItemsAnswer:
    """Create or replace items: a batch read per 100, and one write for each that is new or differs.

    The entries are independent; a call that breaks off may simply be repeated.
    """
    return ItemsAnswer(items=_put(scope, [(each.id, each) for each in request.items], keys.catalogue_item, "/items"))


def put_locations(scope: TenantScope, request: LocationsRequest) -> LocationsAnswer:
    """Create or replace locations. ``PlanLimit`` for more than the tenant's plan allows."""
    entries = [(each.id, each) for each in request.locations]
    _checked(scope, entries, keys.location, "/locations")
    check_locations(scope, [each.id for each in request.locations])
    answer = LocationsAnswer(locations=_put(scope, entries, keys.location, "/locations"))
    scope.cache.forget(scope.tenant)
    return answer


def put_groups(scope: TenantScope, request: LocationGroups) -> LocationGroups:
    """All groups of locations at once: what is not named is gone. ``Unprocessable`` for cycles and the like, ``LocationGroupInUse`` where
    a definition names what would be gone. 2 reads, and 1 write if it changes anything; more where a group goes (``group_uses``).
    """
    check_groups(request.groups)
    refuse_taking_away(scope, request)
    _put(scope, [(keys_access.GROUPS, request)], lambda tenant, _: keys_access.location_groups(tenant), "/groups")
    scope.cache.forget(scope.tenant)
    return request


def get_groups(scope: TenantScope) -> LocationGroups:
    """All groups of locations, as they are stored now. 1 read."""
    return LocationGroups(groups=tuple(scope.repository.groups().values()))


def list_items(scope: TenantScope, limit: int, cursor: str | None, key: bytes) -> ItemPage:
    """A page of items by id. One Query."""
    raws, more = _page(scope, keys.catalogue(scope.tenant), "ITEM#", limit, cursor, key)
    data = tuple(CatalogueItem.model_validate(unpack(SettingsItem.read(raw).body)) for raw in raws)
    return ItemPage(data=data, next_cursor=more)


def list_locations(scope: TenantScope, limit: int, cursor: str | None, key: bytes) -> LocationPage:
    """A page of locations by id, and what is stopped. One Query and a read."""
    raws, more = _page(scope, keys.definitions(scope.tenant), "LOCATION#", limit, cursor, key)
    data = tuple(_listed(scope, unpack(SettingsItem.read(raw).body)) for raw in raws)
    return LocationPage(data=data, next_cursor=more, stops=Stops.model_validate(get_stops(scope).model_dump(exclude={"changed_at"})))


def _listed(scope: TenantScope, body: dict[str, Any]) -> ListedLocation:
    stored = Location.model_validate(body)
    zone = stored.time_zone or scope.definitions.settings.time_zone
    open_now = is_open(stored.hours, scope.clock(), zone) if stored.hours is not None else None
    return ListedLocation.model_validate(body | {"open_now": open_now})


def categories(scope: TenantScope) -> frozenset[str]:
    """Every category of the catalogue. One Query per MB of items: for those who write definitions, not for a till."""
    raws = scope.table.query_all(keys.catalogue(scope.tenant), begins="ITEM#", consistent=True)
    items = (CatalogueItem.model_validate(unpack(SettingsItem.read(raw).body)) for raw in raws)
    return frozenset(item.category for item in items if item.category is not None)


def _put(scope: TenantScope, entries: Sequence[tuple[str, BaseModel]], key_of: KeyOf, pointer: str) -> tuple[PutResult, ...]:
    where = _checked(scope, entries, key_of, pointer)
    found = scope.table.get_many(where, consistent=True)
    return tuple(_put_one(scope, id_, entry, key, found.get(key)) for (id_, entry), key in zip(entries, where, strict=True))


def _checked(scope: TenantScope, entries: Sequence[tuple[str, BaseModel]], key_of: KeyOf, pointer: str) -> list[Key]:
    """The keys of all entries; refused whole if one id is too long for a key or stands twice, or a text has control characters."""
    refuse_control_characters([entry.model_dump(mode="json") for _, entry in entries], pointer)
    where: list[Key] = []
    errors: list[FieldError] = []
    for index, (id_, _) in enumerate(entries):
        try:
            key = key_of(scope.tenant, id_)
        except InvalidValue:
            errors.append(FieldError(f"{pointer}/{index}/id", "invalid_value", "too long: at most 128 bytes after percent-encoding"))
            continue
        if key in where:
            errors.append(FieldError(f"{pointer}/{index}/id", "duplicate", "this id stands twice in the request"))
        where.append(key)
    if errors:
        raise Unprocessable("The request does not fit; see errors.", errors=tuple(errors))
    return where


def _put_one(scope: TenantScope, id_: str, entry: BaseModel, key: Key, stored: RawItem | None) -> PutResult:
    body = entry.model_dump(mode="json")
    before = SettingsItem.read(stored) if stored is not None else None
    status: Literal["created", "replaced"] = "created" if before is None else "replaced"
    if before is not None and unpack(before.body) == body:
        return PutResult(id=id_, status="unchanged")
    version = int(before.version) + 1 if before is not None else 1
    scope.table.put(SettingsItem.at(key, version=version, body=pack(body)))
    return PutResult(id=id_, status=status)


def _page(scope: TenantScope, pk: str, prefix: str, limit: int, cursor: str | None, key: bytes) -> tuple[list[RawItem], str | None]:
    context = f"{scope.tenant}|{prefix}"
    after = open_cursor(key, context, cursor)["sk"] if cursor else None
    start: RawItem | None = {"PK": {"S": pk}, "SK": {"S": after}} if after else None
    raws, last = scope.table.query(pk, begins=prefix, limit=limit, start=start, consistent=True)
    return raws, seal_cursor(key, context, {"sk": last["SK"]["S"]}) if last else None
