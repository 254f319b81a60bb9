"""Coupons and quotas: items <-> model, and the conditions that make double redemption impossible.

Timeline of a coupon's item (every arrow is one conditional write)::

    active --hold--> held --(hold_until passes: free again by the condition itself, no write)
       |              |  \\--release--> active
       |              \\--redeem (by the holding basket, or by anyone once the hold has run out)--> redeemed
       \\--redeem--> redeemed --return with re-issue--> active
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from shared.coupons.model import Choice, Coupon
from shared.kernel.ids import is_id
from shared.kernel.instants import Instant
from shared.kernel.shards import quota_shards, quota_share
from shared.storage import keys
from shared.storage.errors import RawItem
from shared.storage.expressions import Action, Condition, Path
from shared.storage.items import CodeItem, CouponItem, PoolItem, QuotaItem
from shared.storage.packing import pack, unpack
from shared.storage.table import Table, WriteBatch

POOL: Final = "pol"
"""The prefix of a pool's id; ``Coupon.issued_by`` of its coupons."""


def usable_by(basket: str | None, now: Instant) -> Condition:
    """The condition of holding and redeeming: active, or held by a hold that has run out, or held by this very basket."""
    state = Path("state")
    hold_has_run_out = (state == "held") & (Path("hold_until") <= now)
    usable = (state == "active") | hold_has_run_out
    if basket is not None:
        held_by_this_basket = (state == "held") & (Path("hold_basket") == basket)
        usable = usable | held_by_this_basket
    not_expired: Condition = Path("coupon_expires_at") > now
    condition: Condition = usable & not_expired
    return condition


class CouponRepository:
    """The coupons of one tenant."""

    def __init__(self, tenant: str, table: Table) -> None:
        self.tenant = tenant
        self.table = table

    def get(self, coupon_id: str) -> Coupon | None:
        """A coupon by id; 1 read unit, and 1 for the pool of one that comes from a pool."""
        raw = self.table.get(keys.coupon(self.tenant, coupon_id))
        return self._standing([raw])[0] if raw is not None and _is_coupon(raw) else None

    def get_many(self, ids: list[str]) -> dict[str, Coupon]:
        """Coupons by id, consistently."""
        found = self.table.get_many([keys.coupon(self.tenant, id_) for id_ in ids], consistent=True)
        return {coupon.id: coupon for coupon in self._standing([raw for raw in found.values() if _is_coupon(raw)])}

    def id_of_code(self, blind: str) -> str | None:
        """The coupon of a printable code, by its blind index; 1 read unit."""
        raw = self.table.get(keys.code(self.tenant, blind))
        if raw is None:
            return None
        return f"{keys.CODED}{blind}" if _is_coupon(raw) else CodeItem.read(raw).coupon

    def _standing(self, raws: list[RawItem]) -> list[Coupon]:
        """The coupons as they stand: an unused one is void with its pool. One read more a pool, none without."""
        coupons = [self.decode(raw) for raw in raws]
        of_pools = {each.issued_by for each in coupons if each.issued_by is not None and is_id(POOL, each.issued_by)}
        if not of_pools:
            return coupons
        found = self.table.get_many([keys.pool(self.tenant, pool) for pool in of_pools], consistent=True)
        void = {key.pk.rpartition("#")[2] for key, raw in found.items() if PoolItem.read(raw).status == "void"}
        return [replace(each, state="void") if each.issued_by in void and each.state in ("active", "held") else each for each in coupons]

    def decode(self, raw: RawItem) -> Coupon:
        """Stored item -> coupon."""
        item = CouponItem.read(raw)
        body: dict[str, Any] = unpack(item.body)
        return Coupon(
            id=coupon_id(raw),
            offer=item.offer,
            offer_version=int(item.offer_version),
            state=item.state,  # type: ignore[arg-type]
            member=item.member,
            active_from=int(item.active_from),
            expires_at=int(item.coupon_expires_at),
            version=int(item.version),
            hold_until=int(item.hold_until) if item.hold_until is not None else None,
            hold_basket=item.hold_basket,
            redeemed_basket=item.redeemed_basket,
            quota_shard=body.get("shard"),
            left=int(item.left) if item.left is not None else None,
            issued_by=body.get("by"),
            parameters=tuple(sorted(body.get("fix", {}).items())),
            choice=choice_of(body["why"], item.offer) if "why" in body else None,
        )

    def add_new(self, batch: WriteBatch, coupon: Coupon, blind_code: str | None, out: str | None = None) -> None:
        """Put a new coupon, its code, and its place in the member's list. Labels ``coupon:<id>`` and ``code:<id>``."""
        item = CouponItem.at(
            keys.coupon(self.tenant, coupon.id),
            offer=coupon.offer,
            offer_version=coupon.offer_version,
            state=coupon.state,
            member=coupon.member,
            active_from=coupon.active_from,
            coupon_expires_at=coupon.expires_at,
            version=1,
            body=pack(_body(coupon)),
            out=out,
        )
        if coupon.member is not None:
            item.GSI2PK, item.GSI2SK = keys.coupons_of(self.tenant, coupon.member), coupon.id
        not_there_yet = Path("PK").does_not_exist()
        batch.put(f"coupon:{coupon.id}", item, not_there_yet)
        if blind_code is not None:
            batch.put(f"code:{coupon.id}", CodeItem.at(keys.code(self.tenant, blind_code), coupon=coupon.id), not_there_yet)

    def add_hold(self, batch: WriteBatch, coupon: Coupon, basket: str, until: Instant, now: Instant, out: str | None = None) -> None:
        """Hold for a basket."""
        actions = [Path("state").set("held"), Path("hold_basket").set(basket), Path("hold_until").set(until)]
        self._update(batch, coupon, actions, usable_by(basket, now), out)

    def add_redeem(
        self,
        batch: WriteBatch,
        coupon: Coupon,
        basket: str,
        hold: str | None,
        now: Instant,
        out: str | None = None,
        quota_shard: int | None = None,
    ) -> None:
        """Redeem for a basket; ``hold`` is the hold that may use it while held."""
        actions: list[Action] = [Path("state").set("redeemed"), Path("redeemed_basket").set(basket)]
        actions += [Path("hold_until").remove(), Path("hold_basket").remove()]
        if quota_shard is not None:
            actions.append(Path("d").set(pack(_body(coupon) | {"shard": quota_shard})))
        self._update(batch, coupon, actions, usable_by(hold, now), out)

    def add_use_in_part(self, batch: WriteBatch, coupon: Coupon, hold: str | None, now: Instant, left: int) -> None:
        """Use a voucher whose remainder stays on its code: nobody may have used it since it was read."""
        actions: list[Action] = [Path("state").set("active"), Path("left").set(left)]
        actions += [Path("hold_until").remove(), Path("hold_basket").remove()]
        usable_as_read = usable_by(hold, now) & (Path("version") == coupon.version)
        self._update(batch, coupon, actions, usable_as_read, None)

    def add_value_back(self, batch: WriteBatch, coupon: Coupon, amount: int, value: int) -> None:
        """Give back to a voucher what a sale took from it, as it was read: what was used up is to be used again."""
        left = (0 if coupon.state == "redeemed" else coupon.left or 0) + amount
        actions: list[Action] = [Path("state").set("active"), Path("redeemed_basket").remove()]
        actions.append(Path("left").set(left) if left < value else Path("left").remove())
        self._update(batch, coupon, actions, Path("version") == coupon.version, None)

    def add_release(self, batch: WriteBatch, coupon: Coupon, basket: str, out: str | None = None) -> None:
        """Give a hold up."""
        held_by_this_basket = (Path("state") == "held") & (Path("hold_basket") == basket)
        actions = [Path("state").set("active"), Path("hold_until").remove(), Path("hold_basket").remove()]
        self._update(batch, coupon, actions, held_by_this_basket, out)

    def add_reissue(self, batch: WriteBatch, coupon: Coupon, basket: str) -> None:
        """Make a coupon active again that this basket redeemed and that came back."""
        redeemed_by_this_basket = (Path("state") == "redeemed") & (Path("redeemed_basket") == basket)
        self._update(batch, coupon, [Path("state").set("active"), Path("redeemed_basket").remove()], redeemed_by_this_basket, None)

    def add_void(self, batch: WriteBatch, coupon: Coupon) -> None:
        """Withdraw a coupon that nobody has used, as it was read (a hold that has run out is none)."""
        unused_as_read = (Path("state") == coupon.state) & (Path("version") == coupon.version)
        self._update(batch, coupon, [Path("state").set("void")], unused_as_read, None)

    def _update(self, batch: WriteBatch, coupon: Coupon, changes: Sequence[Action], when: Condition, out: str | None) -> None:
        actions = [*changes, Path("version").set(Path("version") + 1)]
        # An old envelope must not be told again by an update that has nothing to tell.
        actions.append(Path("out").set(out) if out is not None else Path("out").remove())
        batch.update(f"coupon:{coupon.id}", keys.coupon(self.tenant, coupon.id), actions, when, old=True)

    # -- quotas -----------------------------------------------------------------------------------------------------

    def create_quota(self, key: str, limit: int) -> None:
        """The shards of a limit (``offer:<id>``, ``promotion:<id>``), each with its share; existing ones stay as they are."""
        shards = quota_shards(limit)
        for shard in range(shards):
            where = keys.quota(self.tenant, key, shard)
            self.table.update(where, [Path("share").set(quota_share(limit, shard)), Path("used").set(Path("used") | 0)])

    def add_quota(self, batch: WriteBatch, key: str, shard: int) -> None:
        """Use one of a shard. Label ``quota:<key>``."""
        some_left = Path("used") < Path("share")
        batch.update(f"quota:{key}", keys.quota(self.tenant, key, shard), [Path("used").add(1)], some_left)

    def add_quota_return(self, batch: WriteBatch, key: str, shard: int) -> None:
        """Give one back to the shard that it was taken from."""
        batch.update(f"quota:{key}", keys.quota(self.tenant, key, shard), [Path("used").add(-1)], Path("used") > 0)

    def shard_with_room(self, key: str, limit: int, start: str) -> int | None:
        """A shard that has some left, from the one of ``start`` round the ring; ``None``: all are used up. At most 32 reads."""
        shards = quota_shards(limit)
        found = self.table.get_many([keys.quota(self.tenant, key, shard) for shard in range(shards)], consistent=True)
        room = {int(where.pk[-2:]) for where, raw in found.items() if _has_room(QuotaItem.read(raw))}
        first = first_shard(start, limit)
        return next(((first + step) % shards for step in range(shards) if (first + step) % shards in room), None)

    def used_up(self, limits: Mapping[str, int]) -> set[str]:
        """Which of the limits have nothing left. Half a read unit a shard."""
        shards = {keys.quota(self.tenant, key, shard): key for key, limit in limits.items() for shard in range(quota_shards(limit))}
        found = self.table.get_many(shards)
        return set(limits) - {shards[where] for where, raw in found.items() if _has_room(QuotaItem.read(raw))}


def coupon_id(raw: RawItem) -> str:
    """The id of a coupon, from its item: one that lies at its code's key is named after it."""
    tail: str = raw["PK"]["S"].rpartition("#")[2]
    return f"{keys.CODED}{tail}" if raw["SK"]["S"] == "CODE" else tail


def _body(coupon: Coupon) -> dict[str, Any]:
    """What never changes of it and no condition asks for."""
    body: dict[str, Any] = {} if coupon.issued_by is None else {"by": coupon.issued_by}
    if coupon.parameters:
        body["fix"] = dict(coupon.parameters)
    if coupon.choice is not None:
        body["why"] = choice_row(coupon.choice)
    return body


def choice_row(choice: Choice) -> list[Any]:
    """A choice as stored; its offer is stored beside it."""
    return [choice.kind, choice.experiment, choice.scores, dict(choice.dropped)]


def choice_of(row: list[Any], offer: str | None) -> Choice:
    """What ``choice_row`` took."""
    kind, experiment, scores, dropped = row
    return Choice(kind, offer, experiment, tuple((id_, score) for id_, score in scores), tuple(sorted(dropped.items())))


def _is_coupon(raw: RawItem) -> bool:
    """Whether the item at a code's key is a coupon, and no pointer to one."""
    return "offer" in raw


def first_shard(start: str, limit: int) -> int:
    """Where the walk round a limit's shards starts."""
    return zlib.crc32(start.encode()) % quota_shards(limit)


def _has_room(item: QuotaItem) -> bool:
    return int(item.used) < int(item.share)
