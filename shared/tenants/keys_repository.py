"""API keys: items <-> model, for one tenant. Only the digest of a secret is stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from shared.kernel.instants import Instant
from shared.storage import keys
from shared.storage.errors import ConditionFailed
from shared.storage.expressions import Path
from shared.storage.items import ApiKeyItem
from shared.storage.table import Table
from shared.tenants.credentials import NewKey

PEPPER_PURPOSE: Final = "api-key-pepper"
"""The purpose under which the digests' pepper is derived from the master secret (``shared.privacy.crypto.derive``)."""
ACTIVE: Final = "active"
REVOKED: Final = "revoked"


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as stored. ``digest`` is ``credentials.digest`` of its secret, in hexadecimal."""

    key_id: str
    digest: str = field(repr=False)
    scopes: frozenset[str]
    status: str
    label: str | None
    location: str | None
    created_at: Instant


class KeyRepository:
    """The API keys of one tenant. A key is found from its id alone: nothing lists them but whoever keeps their ids."""

    def __init__(self, tenant: str, table: Table) -> None:
        self.tenant = tenant
        self.table = table

    def put(
        self, key: NewKey, digest: str, scopes: Iterable[str], label: str | None = None, location: str | None = None, now: Instant = 0
    ) -> ApiKeyItem:
        """Store a new key and answer its item. 1 write unit."""
        item = ApiKeyItem.at(
            keys.api_key(self.tenant, key.key_id),
            digest=bytes.fromhex(digest),
            scopes=" ".join(sorted(set(scopes))),
            status=ACTIVE,
            location=location,
            label=label,
            created_at=now,
        )
        self.table.put(item, Path("PK").does_not_exist())
        return item

    def get(self, key_id: str) -> StoredKey | None:
        """A key by id, revoked ones too. 1 read unit."""
        raw = self.table.get(keys.api_key(self.tenant, key_id))
        if raw is None:
            return None
        item = ApiKeyItem.read(raw)
        return StoredKey(
            key_id=key_id,
            digest=item.digest.hex(),
            scopes=frozenset(item.scopes.split()),
            status=item.status,
            label=item.label,
            location=item.location,
            created_at=int(item.created_at),
        )

    def revoke(self, key_id: str) -> bool:
        """Switch a key off for good; ``False`` if there is none. Revoking again changes nothing. 1 write unit."""
        it_is_there = Path("PK").exists()
        try:
            self.table.update(keys.api_key(self.tenant, key_id), [Path("status").set(REVOKED)], it_is_there)
        except ConditionFailed:
            return False
        return True
