"""Definitions, settings, locations and catalogue items: items <-> models, for one tenant."""

from __future__ import annotations

from collections.abc import Iterable

from shared.definitions.model import Definition, DefinitionSet, Kind
from shared.kernel.errors import NotFound
from shared.kernel.instants import Instant
from shared.storage import keys
from shared.storage.errors import RawItem
from shared.storage.expressions import Path
from shared.storage.items import DefinitionItem, SettingsItem
from shared.storage.packing import pack, unpack
from shared.storage.table import Table, WriteBatch
from shared.tenants.model import CatalogueItem, Location, TenantSettings


class NoSuchTenant(NotFound):
    """The tenant has no configuration."""

    code, title = "unknown_tenant", "Unknown tenant"


class DefinitionRepository:
    """One tenant's definitions."""

    def __init__(self, tenant: str, table: Table) -> None:
        self.tenant = tenant
        self.table = table

    def load(self) -> DefinitionSet:
        """Everything of the definitions partition: one Query per MB, strongly consistent."""
        settings: TenantSettings | None = None
        locations: dict[str, Location] = {}
        definitions: list[Definition] = []
        for raw in self.table.query_all(keys.definitions(self.tenant), consistent=True):
            kind = raw["SK"]["S"].partition("#")[0]
            if kind == "TENANT":
                settings = TenantSettings.model_validate(unpack(SettingsItem.read(raw).body))
            elif kind == "LOCATION":
                location = Location.model_validate(unpack(SettingsItem.read(raw).body))
                locations[location.id] = location
            else:
                definitions.append(definition_of(raw))
        if settings is None:
            raise NoSuchTenant
        return DefinitionSet(self.tenant, settings, locations, tuple(definitions))

    # -- definitions, one by one ------------------------------------------------------------------------------------

    def newest(self, kind: Kind, id_: str) -> Definition | None:
        """The newest version, strongly consistent. 1 read unit per 4 KB."""
        any_version = keys.definition(self.tenant, kind, id_, 0)
        versions = any_version.sk.rpartition("#")[0] + "#"
        raws, _ = self.table.query(any_version.pk, begins=versions, limit=1, forward=False, consistent=True)
        return definition_of(raws[0]) if raws else None

    def add_new(self, batch: WriteBatch, definition: Definition) -> None:
        """A version that is not there yet. Label ``new``."""
        batch.put("new", item_of(self.tenant, definition), Path("PK").does_not_exist())

    def add_rewrite(self, batch: WriteBatch, before: Definition, after: Definition, out: str | None = None) -> None:
        """A version over the revision that was read. Label ``<kind>:<id>@<version>``."""
        unchanged = Path("revision") == before.revision
        batch.put(_label(before), item_of(self.tenant, after, out), unchanged)

    def add_check(self, batch: WriteBatch, read: Definition) -> None:
        """Nothing is written, but only while the version is as it was read."""
        key = keys.definition(self.tenant, read.kind, read.id, read.version)
        batch.check(_label(read), key, Path("revision") == read.revision)

    # -- catalogue --------------------------------------------------------------------------------------------------

    def items(self, ids: Iterable[str]) -> dict[str, CatalogueItem]:
        """Catalogue items by id; half a read unit each."""
        wanted = [keys.catalogue_item(self.tenant, id_) for id_ in ids]
        found = self.table.get_many(wanted)
        items = (CatalogueItem.model_validate(unpack(SettingsItem.read(raw).body)) for raw in found.values())
        return {item.id: item for item in items}


def definition_of(raw: RawItem) -> Definition:
    """A stored version."""
    item = DefinitionItem.read(raw)
    return Definition(
        kind=kind_of(item.kind),
        id=item.definition_id,
        version=int(item.version),
        status=item.status,  # type: ignore[arg-type]
        body=unpack(item.body),
        revision=int(item.revision),
        changed_at=int(item.changed_at),
        effective_from=_instant(item.effective_from),
        retired_from=_instant(item.retired_from),
        epoch=int(item.epoch or 0),
        retired_epoch=int(item.retired_epoch or 0),
        served_at=_instant(item.served_at),
    )


def item_of(tenant: str, definition: Definition, out: str | None = None) -> DefinitionItem:
    """A version as an item; ``out`` is the envelope of its commit, if it has events."""
    return DefinitionItem.at(
        keys.definition(tenant, definition.kind, definition.id, definition.version),
        kind=definition.kind,
        definition_id=definition.id,
        version=definition.version,
        status=definition.status,
        effective_from=definition.effective_from,
        retired_from=definition.retired_from,
        revision=definition.revision,
        changed_at=definition.changed_at,
        epoch=definition.epoch,
        retired_epoch=definition.retired_epoch,
        served_at=definition.served_at,
        body=pack(dict(definition.body)),
        out=out,
    )


def kind_of(text: str) -> Kind:
    """The kind as its type."""
    return text  # type: ignore[return-value]


def _instant(value: float | None) -> Instant | None:
    return None if value is None else int(value)


def _label(definition: Definition) -> str:
    return f"{definition.kind}:{definition.id}@{definition.version}"
