"""The limit of an offer's or promotion's uses in all: its shards, and the walk round them. ``exhausted`` is only said after all refused."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.coupons.repository import CouponRepository, first_shard
from shared.definitions.model import Definition
from shared.storage.commit import Stale
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope


@dataclass(slots=True)
class QuotaWalk:
    """The shards that one use case tries, kept over its attempts. ``start`` (a member's id) says where the walk begins."""

    repository: CouponRepository
    start: str
    shards: dict[str, int] = field(default_factory=dict)
    """Key (``offer:<id>``, ``promotion:<id>``) -> the shard to take one from."""

    def choose(self, key: str, limit: int | None, stale: Stale) -> bool:
        """Choose a shard: the first, or after that one refused, another that has room. ``False``: all are used up.

        What has no limit needs none. No read but after a refusal: then at most 32.
        """
        if limit is None:
            return True
        if f"quota:{key}" not in stale:
            self.shards.setdefault(key, first_shard(self.start, limit))
            return True
        shard = self.repository.shard_with_room(key, limit, self.start)
        if shard is None:
            self.shards.pop(key, None)
            return False
        self.shards[key] = shard
        return True

    def add(self, batch: WriteBatch, key: str) -> int | None:
        """Take one of the chosen shard; answers it. ``None``: there is no limit, or it is overdrawn."""
        shard = self.shards.get(key)
        if shard is not None:
            self.repository.add_quota(batch, key, shard)
        return shard


def prepare(scope: TenantScope, definition: Definition) -> None:
    """Make the shards of a limit before a version of its offer, promotion or reward is published. At most 32 writes; repeatable."""
    limit: int | None = definition.body.get("stock" if definition.kind == "reward" else "limit")
    if limit is not None:
        CouponRepository(scope.tenant, scope.table).create_quota(f"{definition.kind}:{definition.id}", limit)
