"""Definitions are read once per tenant and cache time in each execution environment, catalogue items and offers one by one.

Bounds: at most ``MAX_TENANTS`` tenants, ``MAX_ITEMS`` catalogue items and ``MAX_OFFERS`` offers are kept; the ones unused
longest go first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Final, Generic, TypeVar

from shared.coupons.model import OfferBody
from shared.definitions.model import DefinitionSet
from shared.definitions.repository import DefinitionRepository, OfferVersion
from shared.definitions.timeline import Timeline
from shared.tenants.model import CatalogueItem

MAX_TENANTS: Final = 200
MAX_ITEMS: Final = 20_000
MAX_OFFERS: Final = 5_000
Seconds = Callable[[], float]
"""A monotonic clock: the age of a cache entry is not the business of the (movable) clock."""
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class DefinitionCache:
    """Shared by all scopes of a function. ``ttl`` in seconds."""

    def __init__(self, ttl: float, monotonic: Seconds) -> None:
        self._ttl = ttl
        self._monotonic = monotonic
        self._sets: OrderedDict[str, tuple[float, DefinitionSet]] = OrderedDict()
        self._items: _OneByOne[str, CatalogueItem] = _OneByOne(MAX_ITEMS)
        self._timelines: _OneByOne[str, Timeline] = _OneByOne(MAX_OFFERS)
        self._offers: _OneByOne[OfferVersion, OfferBody] = _OneByOne(MAX_OFFERS)
        self._goes_with: _OneByOne[str, Mapping[str, tuple[str, ...]]] = _OneByOne(MAX_TENANTS)

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
        """Those of the items that exist."""
        now = self._monotonic()
        return self._items.get(repository.tenant, ids, now, now - self._ttl, repository.items)

    def timelines(self, repository: DefinitionRepository, ids: Iterable[str]) -> Mapping[str, Timeline]:
        """Which versions these offers have."""
        now = self._monotonic()
        return self._timelines.get(repository.tenant, ids, now, now - self._ttl, repository.timelines)

    def offers(self, repository: DefinitionRepository, versions: Iterable[OfferVersion]) -> Mapping[OfferVersion, OfferBody]:
        """Versions of offers, those of them that exist."""
        now = self._monotonic()
        return self._offers.get(repository.tenant, versions, now, now - self._ttl, repository.offers)

    def goes_with(self, repository: DefinitionRepository) -> Mapping[str, tuple[str, ...]]:
        """What is often bought together with each item."""
        now = self._monotonic()
        return self._goes_with.get(repository.tenant, [""], now, now - self._ttl, lambda _all: {"": repository.goes_with()})[""]

    def forget(self, tenant: str) -> None:
        """Read anew next time (after a change of the tenant's own settings in this very environment)."""
        self._sets.pop(tenant, None)
        self._timelines.forget(tenant)
        self._offers.forget(tenant)
        self._goes_with.forget(tenant)


class _OneByOne(Generic[K, V]):
    """What is read by key and kept for a while. Misses are kept too, so that an unknown key costs one read per cache time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[str, K], tuple[float, V | None]] = OrderedDict()

    def get(
        self, tenant: str, keys: Iterable[K], now: float, stale: float, read: Callable[[list[K]], Mapping[K, V]]
    ) -> dict[K, V]:
        """What there is of the keys; those that were read at ``stale`` or before are read again, all together."""
        wanted = set(keys)
        missing = [key for key in wanted if (kept := self._kept.get((tenant, key))) is None or kept[0] <= stale]
        if missing:
            found = read(sorted(missing))  # type: ignore[type-var]
            for key in missing:
                self._kept[tenant, key] = (now, found.get(key))
        result: dict[K, V] = {}
        for key in wanted:
            self._kept.move_to_end((tenant, key))
            value = self._kept[tenant, key][1]
            if value is not None:
                result[key] = value
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return result

    def forget(self, tenant: str) -> None:
        """Keep nothing of a tenant's."""
        for each in [each for each in self._kept if each[0] == tenant]:
            del self._kept[each]
