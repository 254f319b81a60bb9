"""A tenant on an engine, without AWS: scopes, definitions, members, baskets."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from shared.definitions.cache import DefinitionCache
from shared.definitions.model import Definition, Kind
from shared.definitions.repository import item_of
from shared.definitions.timeline import head_actions
from shared.kernel.ids import new_id
from shared.kernel.instants import Instant, format_rfc3339, parse_rfc3339
from shared.member_state.events import Registered
from shared.member_state.model import MemberState
from shared.member_state.repository import Loaded, StateRepository
from shared.member_state.service import Change, Occasion, change_member
from shared.segments.progress import ProgressStore
from shared.storage import keys
from shared.storage.commit import Effort
from shared.storage.items import KeyringItem, SettingsItem
from shared.storage.packing import pack
from shared.storage.table import Table
from shared.tenants.model import CatalogueItem, Location, TenantSettings
from shared.tenants.scope import TenantScope
from shared.transactions.api import TransactionRequest

NOW: Instant = parse_rfc3339("2026-11-21T10:00:00Z")
SETTINGS = TenantSettings(name="Fries & More", currency="EUR", time_zone="Europe/Berlin", country="DE")
PROGRAMME: dict[str, Any] = {
    "name": "Points",
    "earning": [{"kind": "per_amount", "id": "base", "points": 1, "per": 100}],
    "expiry": {"kind": "after_days", "days": 365},
    "spending": {"points": 1, "value": 5, "max_share_percent": 50},
}
FRIES: dict[str, Any] = {
    "name": "Welcome fries",
    "effect": {"kind": "unit_price", "price": 100},
    "scope": {"items": ["fries"]},
    "content": {"en": {"title": "Fries for 1 euro"}},
}
_serial = itertools.count(1)


@dataclass
class House:
    """One tenant over two tables; ``now`` is its clock."""

    table: Table
    key_table: Table
    tenant: str = "demo"
    now: Instant = NOW
    sleeps: list[float] = field(default_factory=list)
    time_left: Callable[[], int] = lambda: 60_000
    definition_seconds: float = 60.0
    media_url: str = ""

    def __post_init__(self) -> None:
        self.cache = DefinitionCache(self.definition_seconds, time.monotonic)
        self.efforts: list[Effort] = []

    def scope(self) -> TenantScope:
        """A fresh scope, as an invocation has."""
        tables = (self.table, self.key_table)
        return TenantScope(self.tenant, *tables, lambda: self.now, self.cache, _unwrap, self._effort, media_url=self.media_url)

    def _effort(self) -> Effort:
        effort = Effort(time_left_ms=self.time_left, sleep=self.sleeps.append)
        self.efforts.append(effort)
        return effort

    # -- definitions ------------------------------------------------------------------------------------------------

    def create(self, settings: TenantSettings = SETTINGS) -> House:
        """The tenant with its keys, a location and three items."""
        self.table.put(SettingsItem.at(keys.settings(self.tenant), version=1, body=pack(settings.model_dump(mode="json"))))
        ring = KeyringItem.at(keys.tenant_keyring(self.tenant), kek=bytes(range(32)), index_key=bytes(range(32, 64)))
        self.key_table.put(ring)
        self.add_location(Location(id="mitte", name="Mitte"))
        self.add_item(CatalogueItem(id="fries", name="Fries", category="sides", tags=("vegetarian",), price=350))
        self.add_item(CatalogueItem(id="burger", name="Burger", category="mains", price=900))
        self.add_item(CatalogueItem(id="salad", name="Salad", category="mains", tags=("vegetarian",), price=700))
        return self

    def add_location(self, location: Location) -> None:
        """A location."""
        key = keys.location(self.tenant, location.id)
        self.table.put(SettingsItem.at(key, version=1, body=pack(location.model_dump(mode="json"))))

    def add_item(self, item: CatalogueItem) -> None:
        """A catalogue item."""
        key = keys.catalogue_item(self.tenant, item.id)
        self.table.put(SettingsItem.at(key, version=1, body=pack(item.model_dump(mode="json"))))

    def listed(self, segment: str, version: int = 1) -> None:
        """Everybody who is in the segment is in its listing: its fan-out is over."""
        store = ProgressStore(self.scope(), "segment", segment, version, epoch=0)
        progress = store.read()
        assert progress is not None
        store.complete(progress, [], None, 0)

    def publish(self, kind: Kind, id_: str, body: dict[str, Any], version: int = 1, since: Instant = 0, epoch: int = 0) -> None:
        """A published definition in force since an instant."""
        definition = Definition(kind, id_, version, "published", body, effective_from=since, epoch=epoch, served_at=since)
        self.table.put(item_of(self.tenant, definition))
        if kind == "offer":
            self.table.update(keys.offer_head(self.tenant, id_), head_actions([definition]))
        self.cache.forget(self.tenant)

    # -- members ----------------------------------------------------------------------------------------------------

    def join(self, at: Instant | None = None, **event: Any) -> str:
        """A member without personal data."""
        at = self.now if at is None else at
        member = new_id("mbr", at)
        loaded = Loaded(MemberState(self.tenant, member, as_of=at))

        def decide(_state: MemberState, _stale: object) -> Change[str]:
            return Change([Registered(at, "app", "", **event)], lambda *_: member)

        return change_member(self.scope(), member, Occasion(at), decide, loaded=loaded)

    def state(self, member: str) -> MemberState:
        """The member as stored."""
        return StateRepository(self.tenant, self.table).load(member).state


def _unwrap(_tenant: str, wrapped: bytes) -> bytes:
    return wrapped


def sale(member: str | None, at: Instant = NOW, lines: Any = (("burger", 900),), **more: Any) -> TransactionRequest:
    """A finished sale with a receipt number of its own."""
    body: dict[str, Any] = {
        "source": "till",
        "location_id": "mitte",
        "business_date": format_rfc3339(at)[:10],
        "receipt_number": f"r{next(_serial)}",
        "occurred_at": format_rfc3339(at),
        "currency": "EUR",
        "lines": [{"id": str(i), "item_id": item, "unit_price": price} for i, (item, price) in enumerate(lines, 1)],
    }
    if member is not None:
        body["member"] = {"id": member}
    return TransactionRequest.model_validate(body | more)
