"""A tenant's keys and the cipher of one member. Pure: who unwraps the tenant's key, and how long it is kept, is not known here.

Erasing a member destroys her wrapped key; what was sealed under it is then noise, in every copy and backup.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any

from shared.privacy.crypto import Entropy, blind_index, derive, new_key, open_sealed, row_aad, seal, unwrap, wrap


@dataclass(frozen=True, slots=True)
class MemberCipher:
    """Seals and opens a member's field groups (``identity``, ``contact``, ...), each bound to tenant, member and group."""

    tenant: str
    member: str
    dek: bytes = field(repr=False)
    entropy: Entropy = field(default=os.urandom, repr=False, compare=False)

    def seal_json(self, group: str, value: Any) -> bytes:
        """The value as sealed JSON, 29 bytes longer than the JSON. Two calls never give the same bytes."""
        text = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False, allow_nan=False)
        return seal(self.dek, text.encode(), row_aad(self.tenant, self.member, group), self.entropy(12))

    def open_json(self, group: str, sealed: bytes) -> Any:
        """The value that was sealed for this member and group; ``Undecipherable`` otherwise."""
        return json.loads(open_sealed(self.dek, sealed, row_aad(self.tenant, self.member, group)))


@dataclass(frozen=True, slots=True)
class TenantKeys:
    """The key that wraps members' keys, and the key of blind indexes. Separate, so that an index can be kept after a rotation."""

    kek: bytes = field(repr=False)
    index_key: bytes = field(repr=False)

    @classmethod
    def from_tenant_key(cls, tenant_key: bytes) -> TenantKeys:
        """Both keys derived from the one key that is stored for a tenant."""
        return cls(derive(tenant_key, "member-key-wrapping"), derive(tenant_key, "blind-index"))

    def new_member(self, tenant: str, member: str, entropy: Entropy = os.urandom) -> tuple[MemberCipher, bytes]:
        """The cipher of a new member, and her wrapped key (40 bytes) to store."""
        dek = new_key(entropy)
        return MemberCipher(tenant, member, dek, entropy), wrap(self.kek, dek)

    def member(self, tenant: str, member: str, wrapped: bytes, entropy: Entropy = os.urandom) -> MemberCipher:
        """The cipher of a member from her stored wrapped key; ``Undecipherable`` if another tenant's key wrapped it."""
        return MemberCipher(tenant, member, unwrap(self.kek, wrapped), entropy)

    def index(self, kind: str, normalised_value: str) -> str:
        """The blind index of an identifier."""
        return blind_index(self.index_key, kind, normalised_value)
