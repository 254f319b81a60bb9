"""Definitions are read once per tenant and cache time in each execution environment, catalogue items one by one.

Bounds: at most ``MAX_TENANTS`` tenants and ``MAX_ITEMS`` catalogue items are kept; the ones unused longest go first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from shared.definitions.model import DefinitionSet
from shared.definitions.repository import DefinitionRepository
from shared.tenants.model import CatalogueItem

MAX_TENANTS: Final = 200
MAX_ITEMS: Final = 20_000
Seconds = Callable[[], float]
"""A monotonic clock: the age of a cache entry is not the business of the (movable) clock."""


class DefinitionCache:
    """Shared by all scopes of a function. ``ttl`` in seconds."""

    def __init__(self, ttl: float, monotonic: Seconds) -> None:
        self._ttl = ttl
        self._monotonic = monotonic
        self._sets: OrderedDict[str, tuple[float, DefinitionSet]] = OrderedDict()
        self._items: OrderedDict[tuple[str, str], tuple[float, CatalogueItem | None]] = OrderedDict()

    def definitions(self, repository: DefinitionRepository) -> DefinitionSet:
        """The tenant's definitions, at most ``ttl`` old. No request when cached."""
        now = self._monotonic()
        cached = self._sets.get(repository.tenant)
        if cached is None or now - cached[0] >= self._ttl:
            cached = (now, repository.load())
            self._sets[repository.tenant] = cached
            if len(self._sets) > MAX_TENANTS:
                self._sets.popitem(last=False)
        self._sets.move_to_end(repository.tenant)
        return cached[1]

    def items(self, repository: DefinitionRepository, ids: Iterable[str]) -> Mapping[str, CatalogueItem]:
        """Those of the items that exist; misses are remembered too, so that an unknown item costs one read per cache time."""
        now, tenant = self._monotonic(), repository.tenant
        wanted = set(ids)
        fresh = {id_ for id_ in wanted if (found := self._items.get((tenant, id_))) is not None and now - found[0] < self._ttl}
        if wanted - fresh:
            read = repository.items(sorted(wanted - fresh))
            for id_ in wanted - fresh:
                self._items[tenant, id_] = (now, read.get(id_))
        result: dict[str, CatalogueItem] = {}
        for id_ in wanted:
            self._items.move_to_end((tenant, id_))
            item = self._items[tenant, id_][1]
            if item is not None:
                result[id_] = item
        while len(self._items) > MAX_ITEMS:
            self._items.popitem(last=False)
        return result

    def forget(self, tenant: str) -> None:
        """Read anew next time (after a change of the tenant's own settings in this very environment)."""
        self._sets.pop(tenant, None)
