"""Definitions, settings, locations and catalogue items: items <-> models, for one tenant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared.coupons.model import OfferBody
from shared.definitions.model import Definition, DefinitionSet, Kind
from shared.definitions.references import gifts
from shared.definitions.timeline import Timeline, head_actions, planned, timeline_of
from shared.kernel.errors import NotFound
from shared.kernel.instants import Instant
from shared.statistics.stored import from_body
from shared.storage import keys, keys_access
from shared.storage.errors import RawItem
from shared.storage.expressions import Path
from shared.storage.items import DefinitionItem, SettingsItem
from shared.storage.packing import pack, unpack
from shared.storage.table import Table, WriteBatch, raw_key
from shared.tenants.location_groups import LocationGroup, LocationGroups
from shared.tenants.model import CatalogueItem, Location, TenantSettings
from shared.tenants.stops import NO_STOPS, Stops

OfferVersion = tuple[str, int]


class NoSuchTenant(NotFound):
    """The tenant has no configuration."""

    code, title = "unknown_tenant", "Unknown tenant"


class DefinitionRepository:
    """One tenant's definitions."""

    def __init__(self, tenant: str, table: Table) -> None:
        self.tenant = tenant
        self.table = table

    def load(self, offers: Iterable[str] = ()) -> DefinitionSet:
        """Everything but offers, and of these the named ones and those that something gives by itself (``gifts``).

        One Query per MB, strongly consistent; two batch reads where there are such offers, and a Query more where one of these asks what
        is bought together.
        """
        settings: TenantSettings | None = None
        stops = NO_STOPS
        locations: dict[str, Location] = {}
        groups: dict[str, LocationGroup] = {}
        definitions: list[Definition] = []
        for raw in self.table.query_all(keys.definitions(self.tenant), consistent=True):
            kind = raw["SK"]["S"].partition("#")[0]
            if kind == "TENANT":
                settings = TenantSettings.model_validate(unpack(SettingsItem.read(raw).body))
            elif kind == keys.STOPS:
                stops = Stops.model_validate(unpack(SettingsItem.read(raw).body)["stops"])
            elif kind == keys_access.GROUPS:
                groups = _groups(raw)
            elif kind == "LOCATION":
                location = Location.model_validate(unpack(SettingsItem.read(raw).body))
                locations[location.id] = location
            else:
                definitions.append(definition_of(raw))
        if settings is None:
            raise NoSuchTenant
        definitions += self._versions_of(sorted({*gifts(definitions), *offers}))
        personal = (given.body.get("personal", {}) for given in definitions if given.kind == "offer")
        asked = any("complement" in each for places in personal for each in places.values())
        return DefinitionSet(self.tenant, settings, locations, tuple(definitions), self.goes_with() if asked else {}, stops, groups)

    def groups(self) -> dict[str, LocationGroup]:
        """The groups of locations, as they are stored now. 1 read."""
        raw = self.table.get(keys_access.location_groups(self.tenant), consistent=True)
        return {} if raw is None else _groups(raw)

    # -- offers -----------------------------------------------------------------------------------------------------

    def timelines(self, ids: Iterable[str], *, consistent: bool = False) -> dict[str, Timeline]:
        """Which versions these offers have, those of them that exist. Half a read unit each, a whole one if consistent."""
        found = self.table.get_many([keys.offer_head(self.tenant, id_) for id_ in ids], consistent=consistent)
        return {timeline.id: timeline for timeline in map(timeline_of, found.values())}

    def offers(self, versions: Iterable[OfferVersion]) -> dict[OfferVersion, OfferBody]:
        """Versions of offers, those of them that exist. Half a read unit each per 4 KB."""
        found = self.table.get_many([keys.definition(self.tenant, "offer", id_, version) for id_, version in versions])
        read = map(definition_of, found.values())
        return {(each.id, each.version): OfferBody.model_validate(each.body) for each in read}

    def page_of_offers(self, after: str, limit: int) -> tuple[list[Definition], bool]:
        """The newest versions of the offers behind an id, and whether there are more. One Query and a batch read."""
        start = raw_key(keys.offer_head(self.tenant, after)) if after else None
        raws, _ = self.table.query(keys.offers(self.tenant), begins=keys.OFFER_HEADS, limit=limit + 1, start=start, consistent=True)
        newest = [(timeline.id, timeline.newest) for timeline in map(timeline_of, raws[:limit])]
        where = [keys.definition(self.tenant, "offer", id_, version) for id_, version in newest]
        found = self.table.get_many(where, consistent=True)
        return [definition_of(found[key]) for key in where], len(raws) > limit

    def offers_from(self, at: Instant) -> list[Definition]:
        """The versions of all offers that hold at the instant, or will later. A Query of the heads and a batch read per 100 offers: for
        who keeps house, not for a till.
        """
        heads = map(timeline_of, self.table.query_all(keys.offers(self.tenant), begins=keys.OFFER_HEADS, consistent=True))
        named = [(each.id, version) for each in heads for version in sorted(planned(each.spans, at))]
        found = self.table.get_many([keys.definition(self.tenant, "offer", id_, version) for id_, version in named], consistent=True)
        return [definition_of(raw) for raw in found.values()]

    def _versions_of(self, ids: list[str]) -> list[Definition]:
        timelines = self.timelines(ids, consistent=True) if ids else {}
        where = [keys.definition(self.tenant, "offer", id_, span.version) for id_, each in timelines.items() for span in each.spans]
        return [definition_of(raw) for raw in self.table.get_many(where, consistent=True).values()]

    def goes_with(self) -> dict[str, tuple[str, ...]]:
        """What is often bought together with each item, best first. One Query of at most 500 rows."""
        raws = self.table.query_all(keys.catalogue(self.tenant), begins=keys.COMPLEMENTS)
        bodies = (unpack(SettingsItem.read(raw).body) for raw in raws)
        return {item: tuple(each.item for each in from_body(body)) for item, body in bodies}

    # -- definitions, one by one ------------------------------------------------------------------------------------

    def newest(self, kind: Kind, id_: str) -> Definition | None:
        """The newest version, strongly consistent. 1 read unit per 4 KB."""
        any_version = keys.definition(self.tenant, kind, id_, 0)
        versions = any_version.sk.rpartition("#")[0] + "#"
        raws, _ = self.table.query(any_version.pk, begins=versions, limit=1, forward=False, consistent=True)
        return definition_of(raws[0]) if raws else None

    def add_new(self, batch: WriteBatch, definition: Definition, label: str = "new") -> None:
        """A version that is not there yet."""
        batch.put(label, item_of(self.tenant, definition), Path("PK").does_not_exist())
        self._add_head(batch, definition)

    def add_rewrites(self, batch: WriteBatch, versions: Sequence[tuple[Definition, Definition]], out: str | None = None) -> None:
        """Versions of one definition, each as read and as it becomes. Labels ``<kind>:<id>@<version>``."""
        for before, after in versions:
            unchanged = Path("revision") == before.revision
            batch.put(_label(before), item_of(self.tenant, after, out), unchanged)
        self._add_head(batch, *(after for _, after in versions))

    def _add_head(self, batch: WriteBatch, *versions: Definition) -> None:
        """An offer's head says what its versions say. Label ``head``."""
        if versions[0].kind == "offer":
            batch.update("head", keys.offer_head(self.tenant, versions[0].id), head_actions(versions))

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
        published_by=item.published_by or "",
        approved_by=item.approved_by or "",
        wanted_from=_instant(item.wanted_from),
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
        published_by=definition.published_by or None,
        approved_by=definition.approved_by or None,
        wanted_from=definition.wanted_from,
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


def _groups(raw: RawItem) -> dict[str, LocationGroup]:
    stored = LocationGroups.model_validate(unpack(SettingsItem.read(raw).body))
    return {each.id: each for each in stored.groups}
