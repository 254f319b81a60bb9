"""Exact in time on the deployed system: a window ends and its members leave in that minute, told once, however often it is delivered."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from local import clock, outbox, snapshots, tick
from local.client import Client
from local.setting import publish, wait_until_in_force
from local.store import Store
from shared.aws.objects import S3Store
from shared.kernel.instants import DAY, MINUTE, format_rfc3339
from shared.snapshots.checking import differences
from shared.snapshots.reading import open_snapshot
from shared.snapshots.repository import SnapshotRepository
from shared.storage import keys
from shared.storage.items import SegmentRowItem
from tests.flow.conftest import DeployedStack

TENANT, RECENT, SEGMENT = "windows", "recent", "visited"
VISITED = {"kind": "since_last_purchase", "op": "less_than", "days": 30}
TEXT = {"en": {"title": "We miss you", "body": "Come back"}}
CAMPAIGN = {
    "name": "Come back",
    "message_class": "service",
    "trigger": {"kind": "event", "types": ["segment.left"], "segment": SEGMENT},
    "steps": [{"id": "hello", "content": TEXT}],
}
QUEUES = ("Segments", "Planning", "Sending", "Snapshots")
Envelope = dict[str, Any]


def eventually(true: Callable[[], object], seconds: float = 40) -> None:
    """Look until it is so."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it never came to be so"
        time.sleep(0.1)


def _is_left(event: dict[str, Any]) -> bool:
    return bool(event["type"] == "segment.left" and event["data"]["segment"] == SEGMENT)


@dataclass
class Bus:
    """What the bus delivers, as one more consumer hears it; and the same put on the bus again."""

    stack: DeployedStack
    queue: str
    heard: list[Envelope] = field(default_factory=list)

    @classmethod
    def of(cls, stack: DeployedStack) -> Bus:
        """With a queue and a rule of its own."""
        sqs, events = stack.client("sqs"), stack.client("events")
        queue = sqs.create_queue(QueueName="heard")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        name = stack.outputs["BusName"]
        pattern = {"source": ["regulars"], "detail": {"tenant": [TENANT]}}
        events.put_rule(Name="heard", EventBusName=name, EventPattern=json.dumps(pattern))
        events.put_targets(Rule="heard", EventBusName=name, Targets=[{"Id": "1", "Arn": arn}])
        return cls(stack, queue)

    def envelopes(self, type_: str, member: str) -> list[Envelope]:
        """All commits about a member with an event of a type, heard so far."""
        sqs = self.stack.client("sqs")
        while messages := sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", []):
            self.heard += [json.loads(each["Body"])["detail"] for each in messages]
            for each in messages:
                sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=each["ReceiptHandle"])
        return [each for each in self.heard if each.get("member") == member and type_ in each["types"]]

    def left(self, member: str) -> list[Envelope]:
        """Those in which she leaves the segment that the campaign listens to."""
        return [each for each in self.envelopes("segment.left", member) if any(_is_left(event) for event in each["events"])]

    def again(self, envelopes: list[Envelope]) -> None:
        """Deliver them once more, in that order."""
        entry = {"Source": "regulars", "DetailType": "commit", "EventBusName": self.stack.outputs["BusName"]}
        answer = self.stack.client("events").put_events(Entries=[{**entry, "Detail": json.dumps(each)} for each in envelopes])
        assert answer["FailedEntryCount"] == 0

    def is_idle(self) -> bool:
        """Whether every consumer has worked off what it got."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        sqs, left = self.stack.client("sqs"), 0
        for queue in QUEUES:
            url = self.stack.outputs[f"{queue}QueueUrl"]
            answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))["Attributes"]
            left += sum(int(answer[name]) for name in names)
        return left == 0


@dataclass
class Shop:
    """A tenant with the segment, the campaign and a till."""

    store: Store
    bus: Bus
    client: Client

    def guest(self, number: int) -> tuple[str, int]:
        """Registers a guest who buys at once; her id, and when she bought."""
        device = {"platform": "gcm", "token": f"device-token-{number}"}
        card = {"kind": "card", "value": f"CARD-{number}"}
        member = self.client.post("/v1/members", {"identifiers": [card], "source": "app", "device": device})["member_id"]
        bought = clock.now(self.store) // 1000 * 1000
        sale = {
            "source": "pos", "location_id": "main", "channel": "pos", "occurred_at": format_rfc3339(bought), "currency": "EUR",
            "business_date": format_rfc3339(bought)[:10], "receipt_number": f"r{number}", "member": {"id": member},
            "lines": [{"id": "1", "category": "coffee", "unit_price": 300}],
        }  # fmt: skip
        self.client.post("/v1/transactions", sale)
        return member, bought

    def listed(self) -> list[str]:
        """Who is listed."""
        return [each["member_id"] for each in self.client.get(f"/v1/segments/{SEGMENT}/members")["data"]]

    def messages(self, member: str) -> int:
        """How many messages reached her device."""
        return len(outbox.delivered(self.store, TENANT, member))

    def generation(self) -> int:
        """Of the snapshot; 0: there is none."""
        manifest = SnapshotRepository(snapshots.scope_of(self.store, TENANT)).manifest()
        return 0 if manifest is None else manifest.generation

    def ask_snapshots(self, kind: str) -> None:
        """Rebuild or merge now; wait until it is done."""
        before, body = self.generation(), json.dumps({"kind": kind, "tenant": TENANT})
        self.store.client("sqs").send_message(QueueUrl=self.store.outputs["SnapshotsQueueUrl"], MessageBody=body)
        eventually(lambda: self.generation() > before)

    def differences(self) -> list[str]:
        """Of snapshot and table."""
        files = S3Store(self.store.client("s3"), self.store.outputs["DataBucket"])
        return list(differences(snapshots.scope_of(self.store, TENANT), files, int(time.time() * 1000)))


@pytest.fixture(scope="module")
def shop(stack: DeployedStack) -> Iterator[Shop]:
    """Open for business; the clock is the wall's again when it closes."""
    store = Store.at(stack.instance.endpoint, stack.outputs)
    operator = Client(stack.api_url, stack.operator_key)
    settings = {"name": "Windows", "currency": "EUR", "time_zone": "Europe/Berlin"}
    operator.post("/v1/tenants", {"id": TENANT, "settings": settings})
    scopes = [
        "definitions:read", "definitions:write", "campaigns:run", "members:read", "members:register", "members:write",
        "transactions:write", "members:identify",
    ]  # fmt: skip
    client = operator.as_(operator.post(f"/v1/tenants/{TENANT}/keys", {"scopes": scopes, "label": "all"})["key"])
    operator.put(f"/v1/tenants/{TENANT}/push/gcm", {"credential": "{}"})
    client.put("/v1/locations", {"locations": [{"id": "main", "name": "Main"}]})
    wait_until_in_force(store, [publish(client, "segments", RECENT, {"name": "Visited in 30 days", "rule": VISITED})])
    # By name, so that an edit of the other makes members leave the very version that is served, which campaigns listen to.
    published = [publish(client, "segments", SEGMENT, {"name": "Visited", "rule": {"kind": "segment", "segment": RECENT}})]
    published.append(publish(client, "campaigns", "come-back", CAMPAIGN))
    wait_until_in_force(store, published)
    client.post("/v1/campaigns/come-back/launch")
    before = clock.offset(store)
    yield Shop(store, Bus.of(stack), client)
    clock.move(store, before - clock.offset(store))


def test_who_visited_in_30_days_leaves_in_the_minute_and_every_consumer_acts_once(shop: Shop) -> None:
    member, bought = shop.guest(1)
    eventually(lambda: member in shop.listed())
    eventually(lambda: shop.bus.envelopes("segment.entered", member))
    shop.ask_snapshots("rebuild")
    assert shop.messages(member) == 0
    clock.move(shop.store, 30 * DAY + MINUTE - (clock.now(shop.store) - bought))
    tick.sweep(shop.store)
    eventually(lambda: shop.bus.left(member))
    (left,) = shop.bus.left(member)
    (event,) = (each for each in left["events"] if _is_left(each))
    assert (event["occurred_at"], event["cause"]) == (bought + 30 * DAY, "time")
    assert 0 <= left["committed_at"] - event["occurred_at"] <= 2 * MINUTE
    outbox.wait_for(shop.store, TENANT, member, "come-back")
    told = [*shop.bus.envelopes("segment.entered", member), left]
    for seed in range(3):
        shuffled = told * 2
        random.Random(seed).shuffle(shuffled)
        shop.bus.again(shuffled)
    eventually(lambda: len(shop.bus.left(member)) == 7)
    eventually(lambda: shop.listed() == [])
    shop.ask_snapshots("merge")
    eventually(shop.bus.is_idle)
    assert shop.messages(member) == 1
    raw = shop.store.main.get(keys.segment_row(TENANT, member, SEGMENT, 1))
    assert raw is not None
    row = SegmentRowItem.read(raw)
    assert (row.inside, row.member_version, "GSI2PK" in raw) == (False, left["seq"], False)
    assert shop.listed() == []
    assert shop.differences() == []
    claims = shop.bus.envelopes("message.claimed", member)
    assert len({each["id"] for each in claims}) == 1


def test_a_snapshot_holds_each_member_once_however_often_she_is_told_of(shop: Shop) -> None:
    scope = snapshots.scope_of(shop.store, TENANT)
    files = S3Store(shop.store.client("s3"), shop.store.outputs["DataBucket"])
    snapshot = open_snapshot(scope, files, int(time.time() * 1000))
    assert snapshot is not None
    found = [
        id_ for shard in snapshot.shards for piece in snapshot.pieces(shard) for id_ in piece.columns.without(~piece.live).ids.tolist()
    ]
    known = {*map(bytes.decode, found), *snapshot.changed}
    assert len(found) == len(set(found))
    assert len(known) == 1


def test_who_leaves_because_the_segment_was_edited_is_told_why_and_gets_no_message(shop: Shop) -> None:
    member, _ = shop.guest(2)
    eventually(lambda: member in shop.listed())
    rule = {"kind": "all", "rules": [VISITED, {"kind": "purchases", "metric": "count", "days": 30, "op": "ge", "value": 2}]}
    draft = {"id": RECENT, "definition": {"name": "Visited twice", "rule": rule}}
    shop.client.put(f"/v1/segments/{RECENT}", draft, shop.client.call("GET", f"/v1/segments/{RECENT}").headers["etag"])
    shop.client.post(f"/v1/segments/{RECENT}/publish", {})
    eventually(lambda: shop.bus.left(member), 60)
    (left,) = shop.bus.left(member)
    assert [each["cause"] for each in left["events"] if _is_left(each)] == ["definition"]
    eventually(lambda: shop.listed() == [])
    eventually(lambda: shop.client.get(f"/v1/segments/{RECENT}/count")["state"] == "exact")
    shop.bus.again([left, left])
    eventually(lambda: len(shop.bus.left(member)) == 3)
    eventually(shop.bus.is_idle)
    assert shop.messages(member) == 0
