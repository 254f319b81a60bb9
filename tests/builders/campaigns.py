"""A tenant with campaigns: from a member's commit to the message at a provider, in one process and in any order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from shared.campaigns import planning, responses, service
from shared.campaigns.deliveries import DeliveryRepository
from shared.campaigns.messages import Order, order_of, walk_of
from shared.campaigns.model import Delivery
from shared.campaigns.sending import Means, send
from shared.campaigns.writing import Keys
from shared.definitions.model import Definition
from shared.member_state.events import ConsentsChanged, DevicesChanged, MemberEvent, Purchased
from shared.member_state.model import Consent
from shared.member_state.service import Change, Mode, Occasion, change_member, tick_member
from shared.members.repository import Device, MemberRepository
from shared.profile.model import Visit
from shared.relay.envelope import Envelope, of_record
from shared.reports import counting
from shared.reports import service as reports
from shared.reports.api import ReportAnswer
from shared.storage import keys
from shared.storage.expressions import Path
from shared.storage.items import SettingsItem
from shared.storage.packing import pack
from shared.storage.table import WriteBatch
from shared.tenants.messaging import MessagingSettings
from shared.tenants.model import PushSettings
from shared.tenants.stopping import set_stops
from shared.tenants.stops import Stops
from tests.builders.house import FRIES, SETTINGS, House
from tests.builders.stream import BusOfTest, Stream
from tests.fakes.queue import FakeQueue
from tests.fakes.senders import FakeSender, only

PUSH_SETTINGS = SETTINGS.model_copy(update={"push": {"gcm": PushSettings(application_arn="arn:aws:sns:us-east-1:1:app/GCM/demo")}})
FORM_KEY = bytes(range(32))
KEYS = Keys(lambda: FORM_KEY, lambda name, version: f"{name}|{version}".encode(), lambda: FORM_KEY)
WELCOME: dict[str, Any] = {
    "name": "Welcome",
    "trigger": {"kind": "event", "types": ["member.registered"]},
    "steps": [{"id": "gift", "offer": "fries", "content": {"en": {"title": "Hello", "body": "{{ coupon.title }}, {{ coupon.code }}"}}}],
}
NEWS: dict[str, Any] = {
    "name": "News",
    "trigger": {"kind": "once"},
    "steps": [{"id": "tell", "content": {"en": {"title": "New", "body": "Have a look"}}}],
}
CONSENT = Consent(granted=True, at=0, version="v1")


def message(id_: str, **more: Any) -> dict[str, Any]:
    """A step that sends a text that says which it is."""
    return {"id": id_, "content": {"en": {"title": id_, "body": "x"}}, **more}


def called(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A campaign that calls trigger."""
    return {"name": "Called", "trigger": {"kind": "api", "data": ["table"]}, "steps": list(steps), **more}


@dataclass
class Post:
    """The queues, the provider, and the workers between them, over one house."""

    house: House
    sender: FakeSender = field(default_factory=FakeSender)
    planning: FakeQueue = field(default_factory=FakeQueue)
    sending: FakeQueue = field(default_factory=FakeQueue)
    _number: int = 0

    @classmethod
    def of(cls, house: House) -> Post:
        """Over a house that has nothing yet: a tenant with an offer and a push application."""
        house.create(PUSH_SETTINGS)
        house.publish("offer", "fries", FRIES)
        return cls(house)

    def messaging(self, **settings: Any) -> None:
        """How the tenant writes to its guests, from now on."""
        whole = PUSH_SETTINGS.model_copy(update={"messaging": MessagingSettings.model_validate(settings)})
        key = keys.settings(self.house.tenant)
        self.house.table.put(SettingsItem.at(key, version=1, body=pack(whole.model_dump(mode="json"))))
        self.house.cache.forget(self.house.tenant)

    def stop(self, **stops: Any) -> None:
        """The tenant's emergency stops, from now on."""
        set_stops(self.house.scope(), Stops(**stops), "demo-aaaaaaaaaaaa")

    # -- members and campaigns ----------------------------------------------------------------------------------------

    def guest(self, devices: int = 1, *, consent: bool = True) -> str:
        """A member with devices, who said yes to marketing by push."""
        member = self.house.join(consents={"marketing:push": CONSENT} if consent else {})
        if devices:
            self.give_devices(member, [f"dev_{member}_{number}" for number in range(devices)])
        return member

    def give_devices(self, member: str, ids: Sequence[str]) -> None:
        """Devices with endpoints of the same name."""
        repository = MemberRepository(self.house.tenant, self.house.table)

        def finish(_state: object, _effects: object, batch: WriteBatch) -> None:
            for id_ in ids:
                item = WriteBatch()
                repository.add_device(item, member, Device(id_, "gcm", f"endpoint/{id_}", self.house.now))
                for label, action in zip(item.labels, item.actions, strict=True):
                    batch.labels.append(f"{label}:{id_}")
                    batch.actions.append(action)

        change = Change([DevicesChanged(self.house.now, tuple(ids))], finish)
        change_member(self.house.scope(), member, Occasion(self.house.now), lambda *_: change)

    def happens(self, member: str, *events: MemberEvent, mode: Mode = "live") -> None:
        """Something happens to a member."""
        change_member(self.house.scope(), member, Occasion(self.house.now, mode=mode), lambda *_: Change(events, lambda *_: None))

    def purchase(self, member: str, *, mode: Mode = "live") -> None:
        """She buys something."""
        now = self.house.now
        self.happens(member, Purchased(now, f"txn_{now}", Visit(now, 900, 1000, {})), mode=mode)

    def registered(self) -> tuple[str, Envelope]:
        """A guest, with the envelope of her registration; her device came right after it."""
        member = self.house.join(consents={"marketing:push": CONSENT})
        told = self.told(member)
        self.give_devices(member, [f"dev_{member}"])
        return member, told

    def list_all(self, members: Sequence[str], fields: dict[str, str] | None = None) -> None:
        """Their profile rows, which list them."""
        scope = self.house.scope()
        for member in members:
            batch = WriteBatch()
            cipher = scope.new_cipher(member)
            MemberRepository(scope.tenant, scope.table).add_profile(batch, member, 0, fields or {"first_name": "Anna"}, cipher)
            scope.table.transact(batch, member)

    def close_gate(self, campaign: str, member: str) -> None:
        """As if the campaign was stopped this very moment."""
        self.house.table.update(keys.gate(self.house.tenant, campaign, keys.gate_of(member)), [Path("open").set(False)])

    def withdraw(self, member: str) -> None:
        """She says no."""
        self.happens(member, ConsentsChanged(self.house.now, {"marketing:push": Consent(granted=False, at=self.house.now, version="v1")}))

    def campaign(self, id_: str, body: dict[str, Any], *, launch: bool = True) -> None:
        """A published campaign, launched."""
        service.on_publish(self.house.scope(), Definition("campaign", id_, 1, "published", body, effective_from=0))
        self.house.publish("campaign", id_, body)
        if launch:
            service.launch(self.house.scope(), id_)

    # -- workers ------------------------------------------------------------------------------------------------------

    def envelope(self, key: keys.Key) -> Envelope:
        """What the relay tells of the last commit of an item."""
        raw = self.house.table.get(key)
        assert raw is not None
        envelope = of_record({"dynamodb": {"NewImage": raw}})
        assert envelope is not None
        return envelope

    def told(self, member: str) -> Envelope:
        """What the relay tells of a member's last commit."""
        return self.envelope(keys.state(self.house.tenant, member))

    def plan(self, envelope: Envelope) -> int:
        """Planning gets an envelope."""
        orders = planning.on_events(self.house.scope(), envelope, self.sending, self.planning)
        responses.on_events(self.house.scope(), envelope)
        return orders

    def walk(self) -> int:
        """Planning works its own messages off."""
        total = 0
        while self.planning.messages:
            for message in self.planning.take():
                total += planning.walk(self.house.scope(), walk_of(message), self.sending, self.planning)
        return total

    def tick(self, members: Sequence[str]) -> int:
        """Time passes for members, and planning hears of it; answers how many orders that made."""
        orders = 0
        for member in members:
            if tick_member(self.house.scope(), member, self.house.now):
                orders += self.plan(self.told(member))
        return orders

    def mail(self, campaign: str) -> int:
        """From a campaign's launch to the orders for its whole audience."""
        self.plan(self.envelope(keys.campaign(self.house.tenant, campaign)))
        return self.walk()

    def means(self) -> Means:
        """What sending works with."""
        return Means(only(self.sender), self.sending, KEYS)

    def deliver(self, message: dict[str, Any]) -> Counter[str]:
        """Sending gets one message."""
        return send(self.house.scope(), order_of(message), self.means())

    def deliver_all(self) -> Counter[str]:
        """Sending works its queue off, whatever the delays."""
        total: Counter[str] = Counter()
        while self.sending.messages:
            for message in self.sending.take():
                total += self.deliver(message)
        return total

    # -- what came of it ----------------------------------------------------------------------------------------------

    @cached_property
    def stream(self) -> Stream:
        """The table's stream."""
        return Stream(str(self.house.table.endpoint), self.house.table.name)

    def report(self, campaign: str) -> ReportAnswer:
        """The report, when everything that was written is counted."""
        bus = BusOfTest()
        bus.relay(self.stream)
        assert bus.failures == []
        for record in bus.reports.take():
            _, shard, counted = counting.counted(json.loads(record["body"]), record["attributes"]["SequenceNumber"])
            self._number += 1
            counting.count(self.house.scope(), shard, [replace(counted, number=f"{self._number:040d}")])
        return reports.report(self.house.scope(), campaign)

    def deliveries(self, member: str) -> list[Delivery]:
        """A member's deliveries."""
        repository = DeliveryRepository(self.house.tenant, self.house.table, self.house.scope().effort)
        raws = self.house.table.query_all(keys.member(self.house.tenant, member), begins=keys.DELIVERY_PREFIX, consistent=True)
        return [repository.decode(raw) for raw in raws]

    def order(self, campaign: str, step: str, members: Sequence[str], occurrence: str = "1") -> dict[str, Any]:
        """An order as planning makes it."""
        return Order(self.house.tenant, campaign, 1, step, occurrence, tuple(members)).message()
