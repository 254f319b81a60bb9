"""The function audiences as the gateway and the queue call it: S3 and SQS by fakes, members by chance."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from functions.audiences import handler
from shared.aws.objects import S3Store
from shared.http.routes import ROUTES, Route
from shared.kernel.ids import new_id
from shared.kernel.instants import DAY, HOUR, SECOND, local_day
from shared.member_state.model import Facts, MemberState
from shared.member_state.repository import Stamp, StateRepository, seal_facts
from shared.members.repository import MemberRepository
from shared.profile.model import Cell
from shared.segments.parsing import rule_of
from shared.snapshots import rebuilding
from shared.storage import keys
from shared.storage.expressions import Path
from shared.storage.items import ProfileItem
from shared.storage.table import WriteBatch
from shared.tenants.principal import Principal
from shared.tenants.scope import TenantScope
from shared.wallet.model import Hold, Lot, Wallet
from tests.builders.asking import members_in
from tests.builders.house import House
from tests.builders.stream import ListQueue
from tests.fakes.faulty import Killed
from tests.fakes.uploads import UploadingS3
from tests.unit.http.events import event_for

BY_OPERATION: dict[str, Route] = {route.operation: route for route in ROUTES if route.function == "audiences"}
READ = frozenset({"members:read"})
FULL = READ | {"members:personal"}
ZONE = "Europe/Berlin"
RICH: dict[str, Any] = {"kind": "balance", "wallet": "points", "op": "ge", "value": 50}
BUYERS: dict[str, Any] = {"kind": "purchases", "metric": "value", "days": 30, "op": "ge", "value": 500}
EVERYBODY: dict[str, Any] = {"kind": "bucket", "salt": "all", "from": 0, "until": 100}


class Said:
    """An answer."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.status, self.headers = answer["statusCode"], answer["headers"]
        self.body: Any = json.loads(answer["body"]) if answer.get("body") else None

    @property
    def errors(self) -> list[tuple[str, str]]:
        return [(each["pointer"], each["code"]) for each in self.body.get("errors", [])]


class Queues:
    """SQS by address."""

    def __init__(self) -> None:
        self.of = {"own": ListQueue(), "snapshots": ListQueue(), "dead": ListQueue()}
        self.fail_in: int | None = None
        self.when = "before"

    def arm(self, at: int, when: str) -> None:
        """Fail at the ``at``-th message from now."""
        self.fail_in, self.when = at, when

    def send_message(self, **request: Any) -> None:
        if self.fail_in is not None:
            self.fail_in -= 1
        hit = self.fail_in == 0
        if hit and self.when == "before":
            raise Killed
        self._sent(request)
        if hit:
            raise Killed

    def _sent(self, request: dict[str, Any]) -> None:
        self.of[request["QueueUrl"]].send(json.loads(request["MessageBody"]), request.get("DelaySeconds", 0))


class Desk:
    """The function over one house; the wall clock is the house's."""

    def __init__(self, house: House, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.house, self.s3, self.sqs, self.address = house, UploadingS3(), Queues(), address
        clients = {"sqs": self.sqs, "s3": self.s3}
        home = SimpleNamespace(
            begin=lambda _context: None, client=clients.__getitem__, scope=lambda who: self.scope(who.tenant), master_secret=b"m" * 32
        )
        settings = SimpleNamespace(queue_url="own", snapshots_url="snapshots", bucket="data", dead_letter_url="dead")
        monkeypatch.setattr(handler, "runtime", lambda: home)
        monkeypatch.setattr(handler, "settings", lambda: settings)
        monkeypatch.setattr(handler, "wall", lambda: self.house.now)

    def scope(self, tenant: str = "demo") -> TenantScope:
        scope = self.house.scope()
        scope.tenant = tenant
        return scope

    @property
    def store(self) -> S3Store:
        return S3Store(self.s3, "data")

    # -- calls --------------------------------------------------------------------------------------------------------

    def call(
        self, operation: str, body: Any = None, *, scopes: frozenset[str] = READ, tenant: str = "demo",
        query: dict[str, str] | None = None, **path: str,
    ) -> Said:  # fmt: skip
        caller = Principal(kind="key", tenant=tenant, id=f"{tenant}-aaaaaaaaaaaa", scopes=scopes)
        sent = body if isinstance(body, str) or body is None else json.dumps(body)
        event = event_for(BY_OPERATION[operation], caller, pathParameters=path, queryStringParameters=query or {}, body=sent)
        return Said(handler.lambda_handler(event))

    def deliver(self, *bodies: Any, receives: int = 1) -> list[str]:
        attributes = {"ApproximateReceiveCount": str(receives)}
        records = [{"messageId": str(at), "body": json.dumps(body), "attributes": attributes} for at, body in enumerate(bodies)]
        return [each["itemIdentifier"] for each in handler.lambda_handler({"Records": records})["batchItemFailures"]]

    def settle(self) -> None:
        """Work on exports until no message is left; delays pass."""
        for _ in range(50):
            messages, self.sqs.of["own"].sent = self.sqs.of["own"].sent, []
            if not messages:
                return
            self.house.now += max(delay for _, delay in messages) * SECOND
            assert self.deliver(*(body for body, _ in messages)) == []
        raise AssertionError("it does not settle")

    def exported(self, body: dict[str, Any], *, scopes: frozenset[str] = READ, **path: str) -> tuple[dict[str, Any], str]:
        """Ask for an export, work on it; the answer then, and the file."""
        said = self.call("export_segment" if path else "export_members", body, scopes=scopes, **path)
        assert said.status == 202, said.body
        self.settle()
        done = self.call("get_export", scopes=scopes, export_id=said.body["export_id"]).body
        assert done["status"] == "done", done
        return done, self.s3.objects[f"exports/demo/{done['export_id']}.{body.get('format', 'csv')}"].decode()

    def pages(self, body: dict[str, Any], **more: Any) -> Iterator[dict[str, Any]]:
        """Every page of a search."""
        cursor = None
        while True:
            said = self.call("search_members", body | ({"cursor": cursor} if cursor else {}), **more)
            assert said.status == 200, said.body
            yield said.body
            cursor = said.body.get("next_cursor")
            if cursor is None:
                return

    def found(self, body: dict[str, Any]) -> list[str]:
        """Every member of a search, in order."""
        return [row["member_id"] for page in self.pages(body) for row in page["data"]]

    # -- members ------------------------------------------------------------------------------------------------------

    def snapshot(self) -> None:
        """Make one now."""
        assert rebuilding.rebuild(self.scope(), self.store, ListQueue(), lambda: self.house.now)

    def truth(self, rule: dict[str, Any]) -> set[str]:
        """Whom the exact evaluation of snapshots finds."""
        (found,) = members_in(self.scope(), self.store, [rule_of(rule)], self.house.now)
        return found

    def crowd(
        self, number: int, seed: int = 1, segments: dict[str, int] | None = None, wallets: list[Wallet] | None = None
    ) -> list[MemberState]:
        """Members with points, purchases and attributes by chance, written as they are stored."""
        rng = random.Random(seed)
        states = sorted((self.person(rng) for _ in range(number)), key=lambda state: state.member)
        for state, wallet in zip(states, wallets or (), strict=False):
            state.wallets, state.holds, state.timer = {"points": wallet}, {}, self.house.now - 1
        repository, requests = StateRepository("demo", self.house.table), []
        for state in states:
            state.version, state.segments = 1, segments or {}
            item = repository._state_item(state, None, 0, None, Stamp(self.house.now))
            row = ProfileItem.at(keys.profile("demo", state.member), version=1, body=b"-")
            row.GSI2PK, row.GSI2SK = keys.members_listing("demo", 0), state.member
            requests += [{"PutRequest": {"Item": each}} for each in (item, row.serialize())]
        table = self.house.table
        for start in range(0, len(requests), 24):
            table._client.batch_write_item(RequestItems={table.name: requests[start : start + 24]})
        return states

    def person(self, rng: random.Random) -> MemberState:
        now, today = self.house.now, local_day(self.house.now, ZONE)
        state = MemberState("demo", new_id("mbr", now - rng.randrange(400 * DAY)), joined_at=now - 400 * DAY, join_source="app", as_of=now)
        state.attributes = {"city": rng.choice(("Köln", "Bonn", '=SUM("x")', "a,b\nc"))}
        state.tags = rng.sample(["staff", "press"], rng.randint(0, 2))
        state.wallets = {"points": Wallet([Lot(rng.randrange(120), expires_at=now + rng.randint(1, 60) * DAY)])}
        if rng.random() < 0.1:
            state.holds = {"b": Hold("points", 10, now + rng.choice((-1, 1)) * HOUR)}
        if rng.random() < 0.7:
            days = rng.sample(range(today - 60, today), 3)
            value = [rng.randint(0, 900) for _ in days]
            state.profile.cells = {day: Cell(1, each, 1000, {"c:mains": [1, each, 1000]}) for day, each in zip(days, value, strict=True)}
            state.profile.count, state.profile.value = 3, sum(value)
            state.profile.first_at, state.profile.last_at = (format_day(day) for day in (min(days), max(days)))
        state.profiled = rng.random() < 0.95
        return state

    def give_profile(self, member: str, fields: dict[str, str], facts: Facts | None = None) -> None:
        """Personal fields, sealed under her key."""
        cipher, batch = self.scope().new_cipher(member), WriteBatch()
        MemberRepository("demo", self.house.table).add_profile(batch, member, 1, fields, cipher)
        self.house.table.transact(batch, new_id("tok", self.house.now)[-26:])
        if facts is not None:
            self.house.table.update(keys.state("demo", member), [Path("f").set(seal_facts(facts, cipher))])


def format_day(day: int) -> int:
    return day * DAY + 12 * HOUR
