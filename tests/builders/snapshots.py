"""Snapshots of a tenant's members as their function keeps them, beside what the table itself says."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from functions.segment_snapshots import handler
from shared.aws.objects import S3Store
from shared.erasure.service import ask
from shared.erasure.steps import Hands
from shared.erasure.working import work
from shared.kernel.instants import SECOND
from shared.member_state.repository import StateRepository
from shared.member_state.service import peek
from shared.segments.context import Context
from shared.segments.expanding import expanded
from shared.segments.leaves import Moment, signed
from shared.segments.parsing import rule_of
from shared.snapshots import merging
from shared.snapshots.marking import MergesAsked
from shared.snapshots.repository import SnapshotRepository
from shared.storage import keys
from shared.storage.items import ProfileItem
from shared.storage.packing import pack
from shared.transactions.service import record
from tests.builders.asking import members_in
from tests.builders.house import House, sale
from tests.builders.stream import BusOfTest, ListQueue, Stream
from tests.fakes.objects import FakeS3
from tests.fakes.push import FakePush
from tests.fakes.queue import FakeQueue

CONTEXT = Context("Europe/Berlin")
MAINS = {"kind": "purchases", "metric": "value", "days": 7, "op": "ge", "value": 1000, "filter": {"category": "mains"}}
RULES = [
    rule_of(each)
    for each in (
        {"kind": "purchases", "metric": "count", "days": 30, "op": "ge", "value": 1},
        {"kind": "balance", "wallet": "points", "op": "ge", "value": 10},
        {"kind": "not", "rule": MAINS},
        {"kind": "any", "rules": [{"kind": "birthday", "today": True}, {"kind": "favourite", "of": "category", "days": 30, "is": "sides"}]},
    )
]


class Sqs:
    """The handler's SQS client."""

    def __init__(self) -> None:
        self.own = ListQueue()
        self.reasons: list[str] = []

    def send_message(self, **request: Any) -> None:
        if request["QueueUrl"] == "dead":
            self.reasons.append(request["MessageAttributes"]["reason"]["StringValue"])
        else:
            self.own.send(json.loads(request["MessageBody"]), request.get("DelaySeconds", 0))


class Snapshots:
    """The function over one tenant's house; messages as SQS brings them. The wall clock is the house's."""

    def __init__(self, house: House, stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
        self.house, self.stream, self.bus, self.sqs, self.s3 = house, stream, BusOfTest(), Sqs(), FakeS3()
        self.asked = MergesAsked()
        self.members: list[str] = []
        clients = {"sqs": self.sqs, "s3": self.s3}
        home = SimpleNamespace(begin=lambda _context: None, client=clients.__getitem__, worker_scope=self._scope)
        monkeypatch.setattr(handler, "runtime", lambda: home)
        monkeypatch.setattr(handler, "settings", lambda: SimpleNamespace(queue_url="own", bucket="data", dead_letter_url="dead"))
        monkeypatch.setattr(handler, "merges_asked", lambda: self.asked)
        monkeypatch.setattr(handler, "wall", lambda: self.house.now)

    def _scope(self, tenant: str, *pks: str) -> Any:
        scope = self.house.scope()
        scope.tenant = tenant
        for pk in pks:
            scope.own(pk)
        return scope

    @property
    def store(self) -> S3Store:
        return S3Store(self.s3, "data")

    @property
    def repository(self) -> SnapshotRepository:
        return SnapshotRepository(self.house.scope())

    def join(self, **event: Any) -> str:
        """A member who is in the list of all members too."""
        member = self.house.join(**event)
        row = ProfileItem.at(keys.profile(self.house.tenant, member), version=1, body=pack({}))
        row.GSI2PK, row.GSI2SK = keys.members_listing(self.house.tenant, 0), member
        self.house.table.put(row)
        self.members.append(member)
        return member

    def buy(self, member: str, *lines: tuple[str, int]) -> None:
        """A purchase now."""
        record(self.house.scope(), sale(member, self.house.now, lines or (("burger", 900),)))

    def deliver(self, *bodies: Any, receives: int = 1) -> list[str]:
        """Hand messages to the function; answers those that come again."""
        attributes = {"ApproximateReceiveCount": str(receives)}
        texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
        records = [{"messageId": str(index), "body": text, "attributes": attributes} for index, text in enumerate(texts)]
        return [each["itemIdentifier"] for each in handler.lambda_handler({"Records": records})["batchItemFailures"]]

    def events(self) -> list[dict[str, Any]]:
        """Everything committed about members since the last call, as the bus's rule delivers it."""
        relayed = self.bus.relay(self.stream)
        return [{"detail-type": "commit", "detail": each} for each in relayed if each["aggregate"].startswith("member:")]

    def mark(self) -> None:
        """Deliver what was committed."""
        bodies = self.events()
        assert not bodies or self.deliver(*bodies) == []

    def settle(self) -> None:
        """Deliver commits and own messages until nothing is left; delays pass."""
        for _ in range(30):
            self.mark()
            messages, self.sqs.own.sent = self.sqs.own.sent, []
            if not messages:
                return
            self.house.now += max(delay for _, delay in messages) * SECOND
            assert self.deliver(*(body for body, _ in messages)) == []
        raise AssertionError("it does not settle")

    def merge(self) -> bool:
        """Merge now."""
        return merging.merge(self.house.scope(), self.store, self.sqs.own, lambda: self.house.now)

    def ask(self, rebuild: Any = lambda: None) -> list[set[str]]:
        """What the snapshot says."""
        return members_in(self.house.scope(), self.store, RULES, self.house.now, CONTEXT, rebuild)

    def truth(self) -> list[set[str]]:
        """What the table says, read plainly."""
        found: list[set[str]] = [set() for _ in RULES]
        scope, repository = self.house.scope(), StateRepository(self.house.tenant, self.house.table)
        for member in self.members:
            raw = self.house.table.get(keys.state(self.house.tenant, member))
            if raw is None or raw["status"]["S"] != "active":
                continue
            state = peek(scope, repository.load(member), self.house.now)
            for rule, its in zip(RULES, found, strict=True):
                if signed(expanded(rule, CONTEXT), Moment(state, None, self.house.now, CONTEXT)).surely > 0:
                    its.add(member)
        return found

    def erase(self, member: str) -> None:
        """She is erased, to the end; her last event is delivered."""
        ask(self.house.scope(), member, "key_1")
        work(Hands(self.house.scope(), FakePush()), member, FakeQueue())
        self.repository.mark([member], self.house.now)


def crowd(snapshots: Snapshots, number: int = 5) -> list[str]:
    members = [snapshots.join() for _ in range(number)]
    for index, member in enumerate(members[1:]):
        snapshots.buy(member, *((("fries", 350),) if index % 2 else (("burger", 900), ("salad", 700))))
    return members
