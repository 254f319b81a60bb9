"""Both functions that keep segments, over one tenant's house: timers and listings, and fan-outs by snapshot."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from functions.segment_evaluation import handler
from functions.segment_snapshots import handler as snapshots_handler
from shared.definitions.api import SegmentRequest
from shared.definitions.service import create, publish, replace
from shared.kernel.ids import shard_of
from shared.kernel.instants import SECOND
from shared.member_state.model import segment_key
from shared.segments import fan_out, listing
from shared.snapshots.marking import MergesAsked
from shared.storage import keys
from shared.storage.items import ProfileItem, TenantEntryItem
from tests.builders.house import House
from tests.builders.stream import BusOfTest, ListQueue, Stream
from tests.fakes.objects import FakeS3

RECENT: dict[str, Any] = {"name": "R", "rule": {"kind": "purchases", "metric": "count", "days": 2, "op": "ge", "value": 1}}
BIG: dict[str, Any] = {"name": "B", "rule": {"kind": "purchases", "metric": "value", "days": 30, "op": "ge", "value": 2000}}
CACHE = 1.0


class Sqs:
    """The SQS client of the handler: messages by queue."""

    def __init__(self) -> None:
        self.queues: dict[str, ListQueue] = {name: ListQueue() for name in ("segments", "planning", "snapshots")}
        self.reasons: list[str] = []

    def send_message(self, **request: Any) -> None:
        if request["QueueUrl"] == "dead":
            self.reasons.append(request["MessageAttributes"]["reason"]["StringValue"])
        else:
            self.queues[request["QueueUrl"]].send(json.loads(request["MessageBody"]), request.get("DelaySeconds", 0))

    def send_message_batch(self, **request: Any) -> dict[str, Any]:
        for entry in request["Entries"]:
            self.queues[request["QueueUrl"]].send(json.loads(entry["MessageBody"]))
        return {}


class Evaluator:
    """The function over one tenant's house; messages as SQS brings them."""

    def __init__(self, house: House, stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
        self.house, self.stream, self.bus, self.sqs, self.s3 = house, stream, BusOfTest(), Sqs(), FakeS3()
        self.told: list[dict[str, Any]] = []
        self.marks = True
        entry = TenantEntryItem.at(keys.tenant_entry(house.tenant), tenant=house.tenant, status="active", due_shards=1)
        house.table.put(entry)
        home = SimpleNamespace(begin=lambda _context: None, client=lambda _name: self.sqs, table=house.table, worker_scope=self._scope)
        urls = SimpleNamespace(
            queue_url="segments", planning_queue_url="planning", snapshots_queue_url="snapshots", dead_letter_url="dead"
        )
        monkeypatch.setattr(handler, "runtime", lambda: home)
        monkeypatch.setattr(handler, "settings", lambda: urls)
        clients = {"sqs": self.sqs, "s3": self.s3}
        its_home = SimpleNamespace(begin=lambda _context: None, client=clients.__getitem__, table=house.table, worker_scope=self._scope)
        common = SimpleNamespace(definition_seconds=CACHE)
        its_urls = SimpleNamespace(queue_url="snapshots", bucket="data", dead_letter_url="dead", common=common)
        asked = MergesAsked()
        monkeypatch.setattr(snapshots_handler, "runtime", lambda: its_home)
        monkeypatch.setattr(snapshots_handler, "settings", lambda: its_urls)
        monkeypatch.setattr(snapshots_handler, "merges_asked", lambda: asked)
        monkeypatch.setattr(snapshots_handler, "wall", lambda: self.house.now)

    def _scope(self, tenant: str, *pks: str) -> Any:
        scope = self.house.scope()
        scope.tenant = tenant
        for pk in pks:
            scope.own(pk)
        return scope

    def deliver(self, *bodies: Any, receives: int = 1) -> dict[str, Any]:
        """Hand messages to the function."""
        return handler.lambda_handler({"Records": records(bodies, receives)})

    def deliver_to_snapshots(self, *bodies: Any, receives: int = 1) -> dict[str, Any]:
        """Hand messages to the function that has the snapshots."""
        return snapshots_handler.lambda_handler({"Records": records(bodies, receives)})

    def events(self) -> list[dict[str, Any]]:
        """Everything committed since the last call, as the bus's rule delivers it. What concerns members is marked for their snapshot."""
        wanted = {"segment.entered", "segment.left", "definition.published", "definition.retired"}
        relayed = self.bus.relay(self.stream)
        self.told += relayed
        about_members = [{"detail-type": "commit", "detail": each} for each in relayed if each["aggregate"].startswith("member:")]
        if about_members and self.marks:
            assert self.deliver_to_snapshots(*about_members) == {"batchItemFailures": []}
        return [{"detail-type": "commit", "detail": each} for each in relayed if wanted & set(each["types"])]

    def settle(self) -> None:
        """Deliver events and both functions' own messages until there is nothing left; delays pass."""
        for _ in range(60):
            events, (own, its) = self.events(), (self.sqs.queues[name] for name in ("segments", "snapshots"))
            if not events and not own.sent and not its.sent:
                return
            self.house.now += max((delay for _, delay in (*own.sent, *its.sent)), default=0) * SECOND
            bodies, for_snapshots = [*events, *own.take()], its.take()
            assert not bodies or self.deliver(*bodies) == {"batchItemFailures": []}
            assert not for_snapshots or self.deliver_to_snapshots(*for_snapshots) == {"batchItemFailures": []}
        raise AssertionError("it does not settle")

    def listed(self, segment: str) -> list[str]:
        """Members in the listing of the served version."""
        return [each.member_id for each in listing.members_page(self.house.scope(), segment, 200, None, b"k" * 32).data]


def records(bodies: Any, receives: int) -> list[dict[str, Any]]:
    attributes = {"ApproximateReceiveCount": str(receives)}
    texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
    return [{"messageId": str(index), "body": text, "attributes": attributes} for index, text in enumerate(texts)]


def join(house: House) -> str:
    """A member who is in the list of all members too."""
    member = house.join()
    row = ProfileItem.at(keys.profile(house.tenant, member), version=1, body=b"-")
    row.GSI2PK = keys.members_listing(house.tenant, shard_of(member, fan_out.MEMBER_SHARDS))
    row.GSI2SK = member
    house.table.put(row)
    return member


def define(house: House, id_: str, body: dict[str, Any]) -> None:
    """Create or replace, and publish, as the API does."""
    scope, request = house.scope(), SegmentRequest.model_validate({"id": id_, "definition": body})
    newest = scope.repository.newest("segment", id_)
    if newest is None:
        create(scope, "segment", request)
    else:
        replace(scope, "segment", id_, request, newest.etag)
    publish(scope, "segment", id_, None, CACHE, hooks={})


def inside(house: House, member: str, segment: str, version: int = 1) -> bool:
    return segment_key(segment, version) in house.state(member).segments
