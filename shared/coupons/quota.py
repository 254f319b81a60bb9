"""The limit of an offer's redemptions: its shards, and the walk round them. ``exhausted`` is only said after all refused."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.coupons.model import OfferBody
from shared.coupons.repository import CouponRepository, first_shard
from shared.definitions.model import Definition
from shared.storage.commit import Stale
from shared.tenants.scope import TenantScope


@dataclass(slots=True)
class QuotaWalk:
    """The shards that one use case tries, kept over its attempts. ``start`` (a member's id) says where the walk begins."""

    repository: CouponRepository
    start: str
    shards: dict[str, int] = field(default_factory=dict)
    """Offer -> the shard to take one from."""

    def choose(self, offer: str, limit: int | None, stale: Stale) -> bool:
        """Choose the offer's shard: the first, or after that one refused, another that has room. ``False``: all are used up.

        An offer without a limit needs none. No read but after a refusal: then at most 32.
        """
        if limit is None:
            return True
        if f"quota:{offer}" not in stale:
            self.shards.setdefault(offer, first_shard(self.start, limit))
            return True
        shard = self.repository.shard_with_room(offer, limit, self.start)
        if shard is None:
            return False
        self.shards[offer] = shard
        return True


def prepare(scope: TenantScope, definition: Definition) -> None:
    """Make the shards of an offer's limit before a version of it is published. At most 32 writes; repeatable."""
    limit = OfferBody.model_validate(definition.body).limit
    if limit is not None:
        CouponRepository(scope.tenant, scope.table).create_quota(definition.id, limit)
