"""Deliveries: items <-> model. What a change adds to the campaign's report goes out with the change (``shared.campaigns.tally``).

A row is changed as a whole, under the number of its last change, so that each change is told once and with the right difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final, Literal
from urllib.parse import unquote

from shared.campaigns.model import ACTION, CHANNELS, Credit, Delivery, DeliveryState
from shared.campaigns.tally import counted
from shared.kernel.ids import natural_id, natural_parts
from shared.kernel.instants import Instant, format_rfc3339
from shared.member_state.effects import DomainEvent
from shared.member_state.repository import Stamp, envelope
from shared.storage import keys
from shared.storage.commit import Effort, back_off
from shared.storage.errors import ConditionFailed, OutcomeUnknown, RawItem, StorageConflict, StorageThrottled
from shared.storage.expressions import Condition, Path
from shared.storage.items import DeliveryItem
from shared.storage.packing import pack, unpack
from shared.storage.table import Table, WriteBatch

DELIVERY_LABEL: Final = "delivery"
DEFERRAL_LABEL: Final = "deferral"
COUNTED: Final = "delivery.counted"
Response = Literal["delivered", "bounced", "complained", "opened", "clicked", "submitted", "redeemed", "unsubscribed"]
RESPONSES: Final[tuple[Response, ...]] = (
    "delivered", "bounced", "complained", "opened", "clicked", "submitted", "redeemed", "unsubscribed",
)  # fmt: skip
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
    return (campaign, key) if channel in (*CHANNELS, ACTION) else None


class DeliveryRepository:
    """The deliveries of one tenant."""

    def __init__(self, tenant: str, table: Table, effort: Callable[[], Effort]) -> None:
        self.tenant = tenant
        self.table = table
        self._effort = effort

    # -- reading ------------------------------------------------------------------------------------------------------

    @staticmethod
    def decode(raw: RawItem) -> Delivery:
        """Stored item -> delivery."""
        item = DeliveryItem.read(raw)
        _, _, _, occurrence, _ = raw["SK"]["S"].split("#")
        state: Any = item.state
        delivery = Delivery(
            campaign=item.campaign,
            campaign_version=int(item.campaign_version),
            step=item.step,
            occurrence=unquote(occurrence),
            member=item.member,
            channel=item.channel,
            state=state,
            claimed_at=int(item.claimed_at),
            coupon=item.coupon,
            reason=item.reason,
            settled_at=int(item.settled_at) if item.settled_at is not None else None,
            variant=item.variant,
            language=item.language,
            rung=int(item.rung or 0),
            data=item.data,
            seq=int(item.seq),
        )
        return _with_results(delivery, unpack(item.results)) if item.results is not None else delivery

    def get(self, key: keys.Key) -> Delivery | None:
        """A delivery, consistently. 1 read unit."""
        raw = self.table.get(key)
        return self.decode(raw) if raw is not None else None

    def get_many(self, wanted: Iterable[keys.Key]) -> list[Delivery]:
        """Those that there are, consistently. 1 read unit each."""
        return [self.decode(raw) for raw in self.table.get_many(wanted, consistent=True).values()]

    def of_member(self, member: str, campaign: str, step: str | None = None) -> list[Delivery]:
        """Her messages of a campaign, or of one of its steps, consistently: not what was done without one. One Query."""
        begins = f"{keys.DELIVERY_PREFIX}{keys.text(campaign)}#" + (f"{keys.text(step)}#" if step is not None else "")
        raws = self.table.query_all(keys.member(self.tenant, member), begins=begins, consistent=True)
        return [self.decode(raw) for raw in raws if raw["channel"]["S"] in CHANNELS]

    def with_results(self, member: str, campaign: str) -> list[Delivery]:
        """Her rows of a campaign that results are counted on, consistently: messages, and what was given without one. One Query."""
        begins = f"{keys.DELIVERY_PREFIX}{keys.text(campaign)}#"
        raws = self.table.query_all(keys.member(self.tenant, member), begins=begins, consistent=True)
        rows = (self.decode(raw) for raw in raws)
        return [row for row in rows if row.channel in CHANNELS or row.exposure or row.state == "given"]

    def begun(self, member: str, campaign: str) -> list[Delivery]:
        """The rows of the beginnings of a campaign for a member, consistently. One Query."""
        partition = keys.member(self.tenant, member)
        return [self.decode(raw) for raw in self.table.query_all(partition, begins=keys.begun(campaign), consistent=True)]

    def was_deferred(self, delivery: Delivery) -> bool:
        """Whether the message of this step and occurrence was deferred before. One read."""
        return self.get(self.key(replace(delivery, channel=ACTION))) is not None

    def key(self, delivery: Delivery) -> keys.Key:
        """The delivery's key."""
        parts = (delivery.campaign, delivery.step, delivery.occurrence, delivery.channel)
        return keys.delivery(self.tenant, delivery.member, *parts)

    def to_check(self, campaign: str, limit: int, start: RawItem | None) -> tuple[list[Delivery], RawItem | None]:
        """A page of the deliveries that a person must look at, newest claim first. One Query and one read of the items."""
        partition = keys.deliveries_to_check(self.tenant, campaign)
        rows, last = self.table.query(partition, index="GSI2", limit=limit, start=start, forward=False)
        wanted = [keys.Key(row["PK"]["S"], row["SK"]["S"]) for row in rows]
        found = self.table.get_many(wanted)
        return [self.decode(found[key]) for key in wanted if key in found], last

    # -- within a commit about the member -----------------------------------------------------------------------------

    def add_new(self, batch: WriteBatch, delivery: Delivery) -> None:
        """Put a delivery, if there is none by its key. Label ``delivery``, which returns the one there."""
        batch.put(DELIVERY_LABEL, self.item(None, delivery, delivery.claimed_at), Path("PK").does_not_exist(), old=True)

    def add_deferred(self, batch: WriteBatch, delivery: Delivery) -> None:
        """Record that the message of a step waits for its time: once an occurrence, on a row beside the channels. Label ``deferral``."""
        record = replace(delivery, channel=ACTION, state="deferred", exposure=False)
        batch.put(DEFERRAL_LABEL, self.item(None, record, delivery.claimed_at), Path("PK").does_not_exist())

    def add_claim_again(self, batch: WriteBatch, delivery: Delivery, now: Instant) -> None:
        """Claim a waiting delivery, if it still waits as it was read. Label ``delivery``."""
        again = replace(delivery, state="claimed", claimed_at=now)
        batch.put(DELIVERY_LABEL, self.item(delivery, again, now), self._as_read(delivery))

    # -- alone --------------------------------------------------------------------------------------------------------

    def move(self, delivery: Delivery, to: DeliveryState, now: Instant, reason: str | None = None) -> bool:
        """What became of a delivery, if it is still in the state that it was read in; ``False`` if it is not. 1 write unit, seldom more.

        What a person must look at is listed.
        """
        as_claimed = (delivery.state, delivery.claimed_at)

        def decide(row: Delivery) -> Delivery:
            is_as_read = (row.state, row.claimed_at) == as_claimed
            return replace(row, state=to, settled_at=now, reason=reason or row.reason) if is_as_read else row

        try:
            self._store(delivery, decide(delivery), now)
        except (ConditionFailed, StorageConflict, StorageThrottled):
            return self.change(self.key(delivery), decide, now)
        except OutcomeUnknown:
            self.change(self.key(delivery), decide, now)
        return True

    def put_suppressed(self, delivery: Delivery, reason: str) -> bool:
        """Record that she was not to get it, if there is no delivery by its key; ``False`` if there is. 1 write unit."""
        row = replace(delivery, state="suppressed", reason=reason, settled_at=delivery.claimed_at, exposure=False)
        try:
            self.table.put(self.item(None, row, delivery.claimed_at), Path("PK").does_not_exist())
        except ConditionFailed:
            return False
        return True

    def respond(self, key: keys.Key, response: Response, at: Instant, *, discount: int = 0) -> bool:
        """The first response of this kind to a message, counted once however often it is told; ``False`` if it was not the first.

        ``discount``: what a coupon redeemed took off, minor units. A read and a write.
        """

        def decide(row: Delivery) -> Delivery:
            if response in row.responses or row.state in ("held_out", "suppressed"):
                return row
            return replace(row, responses={**row.responses, response: at}, discount=row.discount + discount)

        return self.change(key, decide, at)

    def change(self, key: keys.Key, decide: Callable[[Delivery], Delivery], at: Instant) -> bool:
        """Read a row, decide, and store it if it is different; ``False`` if nothing changed or there is no such row.

        Decided again when somebody else was faster, or the answer got lost. ``ConcurrentUpdate`` if that goes on.
        """
        effort, sent = self._effort(), False
        while True:
            effort.attempts += 1
            try:
                row = self.get(key)
                after = decide(row) if row is not None else None
                if row is None or after is None or after == row:
                    # Nothing to change any more: after an answer that got lost, because it was written.
                    return sent
                sent = True
                self._store(row, after, at)
            except ConditionFailed:
                sent = False
                back_off(effort)
            except (StorageConflict, StorageThrottled, OutcomeUnknown):
                back_off(effort)
            else:
                return True

    def _store(self, before: Delivery, after: Delivery, at: Instant) -> None:
        self.table.put(self.item(before, after, at), self._as_read(before))

    @staticmethod
    def _as_read(delivery: Delivery) -> Condition:
        unchanged: Condition = Path("seq") == delivery.seq
        return unchanged

    def item(self, before: Delivery | None, after: Delivery, at: Instant) -> DeliveryItem:
        """A row as it is stored after a change at an instant, with what the change adds to the report."""
        item = DeliveryItem.at(
            self.key(after),
            campaign=after.campaign,
            campaign_version=after.campaign_version,
            step=after.step,
            channel=after.channel,
            member=after.member,
            state=after.state,
            claimed_at=after.claimed_at,
            coupon=after.coupon,
            reason=after.reason,
            settled_at=after.settled_at,
            variant=after.variant,
            language=after.language,
            rung=after.rung or None,
            data=after.data,
            seq=before.seq + 1 if before is not None else after.seq,
            results=_results(after),
        )
        change = counted(before, after)
        if change is not None:
            item.out = envelope([DomainEvent(COUNTED, at, dict(change))], Stamp(at))
        if after.state in _FOR_A_PERSON:
            item.GSI2PK = keys.deliveries_to_check(self.tenant, after.campaign)
            item.GSI2SK = f"{format_rfc3339(after.claimed_at)}#{after.member}#{delivery_id(after)}"
        return item


def _results(row: Delivery) -> bytes | None:
    """What came of it, packed: ``None`` where there is nothing, as for a webhook on its way."""
    values = (row.exposure, row.was_deferred, row.cost_e6, row.discount, row.converted_by, row.seen)
    maps = (row.responses, row.credited, {key: [each.hard, each.value] for key, each in row.attributed.items()})
    return pack([*values, *maps]) if any(values) or any(maps) else None


def _with_results(delivery: Delivery, packed: list[Any]) -> Delivery:
    exposure, was_deferred, cost_e6, discount, converted_by, seen, responses, credited, attributed = packed
    return replace(
        delivery,
        exposure=exposure,
        was_deferred=was_deferred,
        cost_e6=cost_e6,
        discount=discount,
        converted_by=converted_by,
        seen=tuple(seen),
        responses=responses,
        credited=credited,
        attributed={key: Credit(hard, value) for key, (hard, value) in attributed.items()},
    )
