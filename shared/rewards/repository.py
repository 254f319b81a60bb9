"""Claims of rewards: items <-> models, for one tenant."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from shared.member_state.model import CountedUse
from shared.rewards.model import Claim, ClaimState
from shared.storage import keys
from shared.storage.errors import RawItem
from shared.storage.expressions import Path
from shared.storage.items import ClaimItem
from shared.storage.packing import pack, unpack
from shared.storage.table import Table, WriteBatch
from shared.wallet.model import Posting

LABEL: Final = "claim"


class ClaimRepository:
    """The claims of one tenant."""

    def __init__(self, tenant: str, table: Table) -> None:
        self.tenant = tenant
        self.table = table

    def get(self, member: str, claim_id: str) -> Claim | None:
        """One claim of hers; 1 read unit."""
        raw = self.table.get(keys.claim(self.tenant, member, claim_id))
        return self.decode(raw) if raw is not None else None

    def newest(self, member: str, limit: int) -> list[Claim]:
        """Her claims, newest first. 1 Query."""
        partition = keys.member(self.tenant, member)
        raws, _ = self.table.query(partition, begins=keys.CLAIM_PREFIX, limit=limit, forward=False, consistent=True)
        return [self.decode(raw) for raw in raws]

    def add_new(self, batch: WriteBatch, claim: Claim) -> None:
        """A new claim. Label ``claim``."""
        batch.put(LABEL, self._item(claim), Path("PK").does_not_exist())

    def add_end(self, batch: WriteBatch, claim: Claim, state: ClaimState, now: int, actor: str) -> Claim:
        """End a claim as it was read; answers it as it is then. Label ``claim``."""
        after = replace(claim, state=state, closed_at=now, actor=actor, version=claim.version + 1)
        as_read = Path("version") == claim.version
        batch.put(LABEL, self._item(after), as_read, old=True)
        return after

    def decode(self, raw: RawItem) -> Claim:
        """Stored item -> claim."""
        item = ClaimItem.read(raw)
        body: dict[str, Any] = unpack(item.body)
        use = body.get("use")
        return Claim(
            id=item.SK.removeprefix(keys.CLAIM_PREFIX),
            member=keys.member_of(item.PK) or "",
            reward=body["reward"],
            reward_version=body["of"],
            state=item.state,  # type: ignore[arg-type]
            at=body["at"],
            wallet=body["wallet"],
            postings=tuple(Posting(body["wallet"], "convert", points, 0, expires_at) for points, expires_at in body["postings"]),
            version=int(item.version),
            coupon=body.get("coupon"),
            item=body.get("item"),
            units=body.get("units", 0),
            shard=body.get("shard"),
            use=CountedUse(use[0], bool(use[1]), bool(use[2])) if use else None,
            day=body.get("day", 0),
            closed_at=body.get("closed"),
            actor=body.get("actor", ""),
        )

    def _item(self, claim: Claim) -> ClaimItem:
        use = claim.use
        optional = {
            "coupon": claim.coupon,
            "item": claim.item,
            "units": claim.units or None,
            "shard": claim.shard,
            "use": [use.key, int(use.weekly), int(use.monthly)] if use else None,
            "day": claim.day or None,
            "closed": claim.closed_at,
            "actor": claim.actor or None,
        }
        body: dict[str, Any] = {
            "reward": claim.reward,
            "of": claim.reward_version,
            "at": claim.at,
            "wallet": claim.wallet,
            "postings": [[posting.points, posting.expires_at] for posting in claim.postings],
        } | {name: value for name, value in optional.items() if value is not None}
        key = keys.claim(self.tenant, claim.member, claim.id)
        return ClaimItem.at(key, state=claim.state, version=claim.version, body=pack(body))
