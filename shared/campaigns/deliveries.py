"""Deliveries and the counters of the report: items <-> model. Whatever changes a delivery's state counts it in the same write.

Counters are sharded like the gates, so that no item is written by every delivery of a campaign.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Literal
from urllib.parse import unquote

from shared.campaigns.model import CHANNELS, Delivery, DeliveryState
from shared.kernel.ids import natural_id, natural_parts
from shared.kernel.instants import Instant, format_rfc3339
from shared.storage import keys
from shared.storage.commit import Effort, Plan, Stale, commit
from shared.storage.errors import RawItem
from shared.storage.expressions import Action, Path
from shared.storage.items import CounterItem, DeliveryItem
from shared.storage.table import Table, WriteBatch

DELIVERY_LABEL: Final = "delivery"
Response = Literal["opened", "clicked", "redeemed", "submitted"]
COUNTED: Final = ("claimed", "held_out", "sent", "failed", "unknown", "opened", "clicked", "redeemed", "submitted")
_FOR_A_PERSON: Final = ("failed", "unknown")


def delivery_id(delivery: Delivery) -> str:
    """``dlv_``: campaign, step, occurrence and channel, readable back; with the member it is the delivery's key."""
    return natural_id("dlv", (delivery.campaign, delivery.step, delivery.occurrence, delivery.channel))


def key_of(tenant: str, member: str, id_: str) -> tuple[str, keys.Key] | None:
    """The campaign and the key of a member's delivery, or ``None`` for text that is no delivery's id."""
    try:
        campaign, step, occurrence, channel = natural_parts("dlv", id_)
        key = keys.delivery(tenant, member, campaign, step, occurrence, channel)
    except ValueError:
        return None
    return (campaign, key) if channel in CHANNELS else None


class DeliveryRepository:
    """The deliveries of one tenant."""

    def __init__(self, tenant: str, table: Table, effort: Callable[[], Effort]) -> None:
        self.tenant = tenant
        self.table = table
        self._effort = effort

    def decode(self, raw: RawItem) -> Delivery:
        """Stored item -> delivery."""
        item = DeliveryItem.read(raw)
        _, _, _, occurrence, _ = raw["SK"]["S"].split("#")
        state: Any = item.state
        channel: Any = item.channel
        return Delivery(
            campaign=item.campaign,
            campaign_version=int(item.campaign_version),
            step=item.step,
            occurrence=unquote(occurrence),
            member=item.member,
            channel=channel,
            state=state,
            claimed_at=int(item.claimed_at),
            coupon=item.coupon,
            reason=item.reason,
            settled_at=int(item.settled_at) if item.settled_at is not None else None,
        )

    def get(self, key: keys.Key) -> Delivery | None:
        """A delivery, consistently. 1 read unit."""
        raw = self.table.get(key)
        return self.decode(raw) if raw is not None else None

    def get_many(self, wanted: Iterable[keys.Key]) -> list[Delivery]:
        """Those that there are, consistently. 1 read unit each."""
        return [self.decode(raw) for raw in self.table.get_many(wanted, consistent=True).values()]

    def newest(self, member: str, campaign: str, step: str | None) -> keys.Key | None:
        """The key of the member's newest delivery of a step, or of any step. One Query."""
        begins = f"{keys.DELIVERY_PREFIX}{keys.text(campaign)}#" + (f"{keys.text(step)}#" if step is not None else "")
        raws = self.table.query_all(keys.member(self.tenant, member), begins=begins)
        newest = max(raws, key=lambda raw: int(raw["claimed_at"]["N"]), default=None)
        return DeliveryItem.read(newest).key if newest is not None else None

    def key(self, delivery: Delivery) -> keys.Key:
        """The delivery's key."""
        parts = (delivery.campaign, delivery.step, delivery.occurrence, delivery.channel)
        return keys.delivery(self.tenant, delivery.member, *parts)

    # -- claims -----------------------------------------------------------------------------------------------------

    def add_new(self, batch: WriteBatch, delivery: Delivery) -> None:
        """Put a delivery, if there is none by its key, and count it. Labels ``delivery``, which returns the one there, and ``counter``."""
        item = DeliveryItem.at(
            self.key(delivery),
            campaign=delivery.campaign,
            campaign_version=delivery.campaign_version,
            step=delivery.step,
            channel=delivery.channel,
            member=delivery.member,
            state=delivery.state,
            claimed_at=delivery.claimed_at,
            coupon=delivery.coupon,
            reason=delivery.reason,
        )
        batch.put(DELIVERY_LABEL, item, Path("PK").does_not_exist(), old=True)
        self._count(batch, delivery, delivery.state)

    def add_claim_again(self, batch: WriteBatch, delivery: Delivery, now: Instant) -> None:
        """Claim a waiting delivery, if it still waits as it was read. Label ``delivery``."""
        still_waits = (Path("state") == "waiting") & (Path("claimed_at") == delivery.claimed_at)
        changes = [Path("state").set("claimed"), Path("claimed_at").set(now)]
        batch.update(DELIVERY_LABEL, self.key(delivery), changes, still_waits)

    def move(self, delivery: Delivery, to: DeliveryState, now: Instant, reason: str | None = None) -> bool:
        """What became of a delivery, if it is still in the state that it was read in; ``False`` if it is not.

        Written with its counter in one transaction, so that each delivery counts once. What a person must look at is listed.
        """
        as_it_was = (Path("state") == delivery.state) & (Path("claimed_at") == delivery.claimed_at)
        changes: list[Action] = [Path("state").set(to), Path("settled_at").set(now)]
        if reason is not None:
            changes.append(Path("reason").set(reason))
        if to in _FOR_A_PERSON:
            listed_as = f"{format_rfc3339(delivery.claimed_at)}#{delivery.member}#{delivery_id(delivery)}"
            partition = keys.deliveries_to_check(self.tenant, delivery.campaign)
            changes += [Path("GSI2PK").set(partition), Path("GSI2SK").set(listed_as)]

        def plan(stale: Stale) -> Plan[bool]:
            batch = WriteBatch()
            if stale:
                return Plan(batch, False)
            batch.update(DELIVERY_LABEL, self.key(delivery), changes, as_it_was)
            if to in COUNTED:
                self._count(batch, delivery, to)
            return Plan(batch, True)

        return commit(self.table, plan, effort=self._effort())

    # -- the report -------------------------------------------------------------------------------------------------

    def respond(self, key: keys.Key, campaign: str, member: str, response: Response, at: Instant) -> bool:
        """The first response of this kind to a delivery, counted once however often it is told; ``False`` if it was not the first."""
        mark = Path(f"{response}_at")
        first_to_a_message = mark.does_not_exist() & Path("PK").exists() & (Path("state") != "held_out")

        def plan(stale: Stale) -> Plan[bool]:
            batch = WriteBatch()
            if stale:
                return Plan(batch, False)
            batch.update(DELIVERY_LABEL, key, [mark.set(at)], first_to_a_message)
            batch.update("counter", keys.counter(self.tenant, campaign, keys.gate_of(member)), [Path(response).add(1)])
            return Plan(batch, True)

        return commit(self.table, plan, effort=self._effort())

    def counts(self, campaign: str) -> dict[str, int]:
        """The sums over all shards. One Query."""
        totals = dict.fromkeys(COUNTED, 0)
        for raw in self.table.query_all(keys.campaign(self.tenant, campaign).pk, begins="COUNT#"):
            item = CounterItem.read(raw)
            for name in COUNTED:
                totals[name] += int(getattr(item, name) or 0)
        return totals

    def to_check(self, campaign: str, limit: int, start: RawItem | None) -> tuple[list[Delivery], RawItem | None]:
        """A page of the deliveries that a person must look at, newest claim first. One Query and one read of the items."""
        partition = keys.deliveries_to_check(self.tenant, campaign)
        rows, last = self.table.query(partition, index="GSI2", limit=limit, start=start, forward=False)
        wanted = [keys.Key(row["PK"]["S"], row["SK"]["S"]) for row in rows]
        found = self.table.get_many(wanted)
        return [self.decode(found[key]) for key in wanted if key in found], last

    def _count(self, batch: WriteBatch, delivery: Delivery, what: str) -> None:
        key = keys.counter(self.tenant, delivery.campaign, keys.gate_of(delivery.member))
        batch.update("counter", key, [Path(what).add(1)])
