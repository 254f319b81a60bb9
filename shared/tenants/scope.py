"""The first fence: repositories exist only inside a ``TenantScope``, and a scope is made from a verified principal, never
from a body or a path. Workers make one from an event whose keys they have compared with its tenant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from shared.coupons.model import OfferBody
from shared.coupons.personal import asks_what_goes_with
from shared.definitions.cache import DefinitionCache
from shared.definitions.model import DefinitionSet
from shared.definitions.repository import DefinitionRepository, OfferVersion
from shared.kernel.errors import Gone, InvalidValue
from shared.kernel.instants import Clock, Instant
from shared.privacy.keyring import MemberCipher, TenantKeys
from shared.storage import keys, noting
from shared.storage.commit import Effort
from shared.storage.items import KeyringItem, WrappedKeyItem
from shared.storage.table import Table
from shared.tenants.content import Reader
from shared.tenants.model import CatalogueItem

Unwrap = Callable[[str, bytes], bytes]
"""Tenant, wrapped key -> key (KMS with the tenant as encryption context)."""


class ForeignKey(InvalidValue):
    """The third fence: an event's tenant and the key of its item disagree."""


@dataclass(slots=True)
class TenantScope:
    """One tenant's part of the house for one invocation."""

    tenant: str
    table: Table
    key_table: Table
    clock: Clock
    cache: DefinitionCache
    unwrap: Unwrap
    effort: Callable[[], Effort]
    keyrings: dict[str, TenantKeys] = field(default_factory=dict)
    """Shared by all scopes of an execution environment: a tenant's keys are unwrapped once."""
    media_url: str = ""
    """Where guests find images; empty in functions that link none."""

    def __post_init__(self) -> None:
        # What is only read is noted in the tenant's own partition, under the session that it was read with.
        noting.offer(self.tenant, self.table)

    @property
    def definitions(self) -> DefinitionSet:
        """The tenant's definitions, cached."""
        return self.cache.definitions(self.repository)

    def groups_of(self, location: str) -> frozenset[str]:
        """Every group that a location is in, those above included. No request where the definitions are cached."""
        return self.definitions.groups_of(location)

    @property
    def repository(self) -> DefinitionRepository:
        """Definitions as stored."""
        return DefinitionRepository(self.tenant, self.table)

    def reader(self, language: str | None) -> Reader:
        """Whoever reads that language, or else the tenant's first: for what guests read of definitions."""
        own, tenants = (language,) if language else (), self.definitions.settings.languages
        return Reader((*own, *tenants), self.tenant, self.media_url)

    def items(self, ids: Iterable[str]) -> Mapping[str, CatalogueItem]:
        """Catalogue items by id, cached."""
        return self.cache.items(self.repository, ids)

    def offers(self, versions: Iterable[OfferVersion]) -> Mapping[OfferVersion, OfferBody]:
        """Versions of offers, cached; a coupon keeps the version that it was issued with. No request where there are none."""
        return self.cache.offers(self.repository, versions)

    def goes_with(self, offers: Iterable[OfferBody]) -> Mapping[str, tuple[str, ...]]:
        """What is often bought together, cached, if one of the offers asks for it: one Query of at most 500 rows a cache time."""
        return self.cache.goes_with(self.repository) if any(asks_what_goes_with(each.personal) for each in offers) else {}

    def offer(self, id_: str, version: int) -> OfferBody | None:
        """One version of an offer, in force or not, cached."""
        return self.offers([(id_, version)]).get((id_, version))

    def offers_in_force(self, ids: Iterable[str], at: Instant) -> Mapping[str, tuple[OfferBody, int]]:
        """The offers that hold at the instant, with their versions, cached: at most two batch reads a cache time."""
        timelines = self.cache.timelines(self.repository, ids)
        versions = {id_: version for id_, each in timelines.items() if (version := each.in_force(at)) is not None}
        bodies = self.offers(versions.items())
        return {id_: (bodies[id_, version], version) for id_, version in versions.items() if (id_, version) in bodies}

    def offers_shown(self, ids: Iterable[str], at: Instant) -> Mapping[str, OfferBody]:
        """What people read of offers: the version that holds at the instant, or else the newest. Cost as ``offers_in_force``."""
        timelines = self.cache.timelines(self.repository, ids)
        versions = {id_: each.in_force(at) or each.newest for id_, each in timelines.items()}
        bodies = self.offers(versions.items())
        return {id_: bodies[id_, version] for id_, version in versions.items() if (id_, version) in bodies}

    @property
    def tenant_keys(self) -> TenantKeys:
        """The tenant's keys: one read and two KMS calls per execution environment."""
        if self.tenant not in self.keyrings:
            raw = self.key_table.get(keys.tenant_keyring(self.tenant))
            if raw is None:
                raise InvalidValue(f"tenant {self.tenant} has no keyring")
            ring = KeyringItem.read(raw)
            self.keyrings[self.tenant] = TenantKeys(self.unwrap(self.tenant, ring.kek), self.unwrap(self.tenant, ring.index_key))
        return self.keyrings[self.tenant]

    def cipher(self, member: str) -> MemberCipher:
        """The member's cipher; ``Gone`` if her key was destroyed. One read of the keys table."""
        raw = self.key_table.get(keys.member_key(self.tenant, member))
        if raw is None:
            raise Gone("The member was erased.")
        return self.tenant_keys.member(self.tenant, member, WrappedKeyItem.read(raw).wrapped)

    def new_cipher(self, member: str) -> MemberCipher:
        """A new member's cipher; her wrapped key is stored before anything else is (an orphan key is harmless)."""
        cipher, wrapped = self.tenant_keys.new_member(self.tenant, member)
        self.key_table.put(WrappedKeyItem.at(keys.member_key(self.tenant, member), wrapped=wrapped))
        return cipher

    def blind(self, kind: str, normalised: str) -> str:
        """The blind index of an identifier or code."""
        return self.tenant_keys.index(kind, normalised)

    def own(self, pk: str) -> None:
        """Refuse a partition key of another tenant."""
        if keys.tenant_of(pk) != self.tenant:
            raise ForeignKey(f"a key of another tenant in an event of {self.tenant}")
