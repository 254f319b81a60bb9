"""Every function as it is deployed, over tables of a test: its own settings and wiring, its tenant sessions, its authorizer in front.

What each of them asks of the tables and of other services is recorded, with the session under which it asks.
"""

from __future__ import annotations

import base64
import importlib
import itertools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from shared.aws import runtime as wiring
from shared.http.routes import ROUTES, Route
from shared.kernel.instants import SECOND, Instant
from shared.messaging.inbox import InboxSender
from shared.storage.errors import RawItem
from shared.storage.table import Credentials, Table
from tests.builders.house import NOW
from tests.fakes import engine
from tests.fakes.senders import FakeSender, fake_senders
from tests.isolation.cloud import Cloud, Watched

FUNCTIONS = tuple(sorted(path.parent.name for path in (Path(__file__).parents[2] / "functions").glob("*/handler.py")))
BY_OPERATION: dict[str, Route] = {route.operation: route for route in ROUTES}
ACCOUNT, REGION = "000000000000", engine.REGION
BASE = "https://api.example"
OWN = ""
"""The session of a request that a function makes under its own role."""


@dataclass(frozen=True)
class Asked:
    """One request to a table or a service: by which function, under whose session."""

    function: str
    session: str
    service: str
    operation: str
    request: Mapping[str, Any]


@dataclass(frozen=True)
class Said:
    """An answer, and what it took."""

    status: int
    text: str
    headers: Mapping[str, str]
    asked: Sequence[Asked]

    @property
    def body(self) -> Any:
        try:
            return json.loads(self.text)
        except ValueError:
            return None

    @property
    def code(self) -> str | None:
        """Of a refusal."""
        return self.body.get("code") if isinstance(self.body, dict) and self.status >= 400 else None

    @property
    def reads(self) -> list[str]:
        """Which requests storage got, in their order."""
        return [each.operation for each in self.asked if each.service == "dynamodb"]


Image = dict[tuple[str, str, str], RawItem]
"""(table, PK, SK) -> item."""


@dataclass
class Building:
    """All functions in one process. ``now`` is their clock, those of caches and leases included."""

    address: str
    main: str
    keys: str
    cloud: Cloud = field(default_factory=Cloud)
    now: Instant = NOW
    asked: list[Asked] = field(default_factory=list)
    senders: dict[str, FakeSender] = field(default_factory=fake_senders)
    current: str = ""
    modules: dict[str, ModuleType] = field(default_factory=dict)
    delivered: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    """Every message that a consumer got, with its function."""
    _contexts: dict[str, dict[str, str]] = field(default_factory=dict)

    # -- calls --------------------------------------------------------------------------------------------------------

    def call(
        self, operation: str, credential: str | None = None, body: Any = None, *, path: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None,
    ) -> Said:  # fmt: skip
        """Call an operation with a credential, as the gateway hands it over. ``body`` may be text."""
        route, path = BY_OPERATION[operation], dict(path or {})
        request: dict[str, Any] = {"requestId": "request-of-a-test", "http": {"method": route.method, "sourceIp": "192.0.2.1"}}
        if not route.public:
            request["authorizer"] = {"lambda": self.context_of(credential)}
        filled = route.path
        for name, value in path.items():
            filled = filled.replace("{" + name + "}", quote(value, safe=""))
        sent = {"idempotency-key": f"call-of-{operation}"} | ({"if-match": '"1"'} if route.needs_if_match else {}) | dict(headers or {})
        event = {
            "version": "2.0",
            "routeKey": route.key,
            "rawPath": filled,
            "headers": sent,
            "pathParameters": path,
            "queryStringParameters": dict(query or {}),
            "requestContext": request,
            "body": body if isinstance(body, str) or body is None else json.dumps(body),
            "isBase64Encoded": False,
        }
        asked, answer = self.run(route.function, event)
        text = answer.get("body") or ""
        if answer["isBase64Encoded"]:
            text = base64.b64decode(text).decode("latin-1")
        return Said(answer["statusCode"], text, answer["headers"], asked)

    def context_of(self, credential: str | None) -> dict[str, str]:
        """What the authorizer finds; kept, as the gateway keeps it."""
        key = credential or ""
        if key not in self._contexts:
            headers = {"authorization": f"Bearer {credential}"} if credential else {}
            self._contexts[key] = self.run("authorizer", {"headers": headers})[1]["context"]
        return self._contexts[key]

    def run(self, function: str, event: dict[str, Any]) -> tuple[list[Asked], dict[str, Any]]:
        """Invoke a function; answers what it asked for, and its answer."""
        start, before, self.current = len(self.asked), self.current, function
        try:
            answer = self.modules[function].lambda_handler(event, Plenty())
        finally:
            self.current = before
        return self.asked[start:], answer

    def deliver(self, function: str, bodies: Sequence[Mapping[str, Any]], *, may_fail: bool = False, **attributes: str) -> list[Asked]:
        """Hand messages to a queue's consumer. What it refuses is in ``refused``; what it would be given again fails the test,
        unless it ``may_fail``.
        """
        given = {"ApproximateReceiveCount": "1", "SequenceNumber": str(18_870_000_000_000_000_000 + len(self.asked)), **attributes}
        records = [{"messageId": str(i), "body": json.dumps(each), "attributes": given} for i, each in enumerate(bodies)]
        self.delivered += [(function, each) for each in bodies]
        asked, answer = self.run(function, {"Records": records})
        assert may_fail or answer["batchItemFailures"] == [], f"{function} failed"
        return asked

    def refused(self) -> list[dict[str, Any]]:
        """What consumers put aside since the last call."""
        return self.cloud.sqs.take("dead_letter_url")

    def keep_definitions(self, seconds: float) -> None:
        """How long functions keep definitions; 0, as otherwise, makes every call the same to storage."""
        for module in self.modules.values():
            module.runtime()._cache._ttl = seconds

    # -- what is stored -----------------------------------------------------------------------------------------------

    def image(self) -> Image:
        """Everything in both tables."""
        client, found = engine.client(self.address), {}
        for table in (self.main, self.keys):
            for page in client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
                found |= {(table, item["PK"]["S"], item["SK"]["S"]): item for item in page["Items"]}
        return found

    def restore(self, image: Image) -> None:
        """Put both tables back to what they were."""
        client, now = engine.client(self.address), self.image()
        for table, pk, sk in now.keys() - image.keys():
            client.delete_item(TableName=table, Key={"PK": {"S": pk}, "SK": {"S": sk}})
        for key, item in image.items():
            if now.get(key) != item:
                client.put_item(TableName=key[0], Item=item)

    # -- wiring -------------------------------------------------------------------------------------------------------

    def tell(self, service: str, operation: str, request: Mapping[str, Any], session: str = OWN) -> None:
        """Note a request."""
        self.asked.append(Asked(self.current, session, service, operation, request))

    def clients(self) -> dict[str, Watched]:
        """A client of every service."""
        found = {name.replace("_", "-"): client for name, client in vars(self.cloud).items()}
        return {name: Watched(name, client, self.tell) for name, client in found.items()}

    def kms_of(self, session: str) -> Watched:
        """KMS under a tenant's session."""
        return Watched("kms", self.cloud.kms, lambda service, operation, request: self.tell(service, operation, request, session))

    def wire(self, patch: pytest.MonkeyPatch) -> None:
        """Make every function's wiring anew, over these tables and services."""
        for name, value in self._environment().items():
            patch.setenv(name, value)
        for name in ("LOCAL_CLOCK", "PUSH_OUTBOX", "PUSH_EVENTS_TOPIC_ARN"):
            patch.delenv(name, raising=False)
        patch.setattr(wiring, "Table", self._table)
        # Each call comes a second after the one before, as far as rates go: nobody here is to be told to wait.
        seconds = itertools.count(NOW, SECOND)
        patch.setattr(wiring.Runtime, "real_now", lambda _runtime: next(seconds))
        patch.setattr(wiring.Runtime, "_kms", lambda _runtime, credentials: self.kms_of(credentials.token))
        for name in FUNCTIONS:
            settings = importlib.import_module(f"functions.{name}.settings")
            if hasattr(settings, "variable"):
                # Every variable of a function has its own name as its value, so that one that is added needs nothing here.
                patch.setattr(settings, "variable", lambda variable, _given=None: variable.lower())
            module = self.modules[name] = importlib.import_module(f"functions.{name}.handler")
            forget(module)
            runtime = module.runtime()
            runtime._wall = lambda: self.now / 1000
            runtime.__dict__["_clients"] = self.clients()
            if hasattr(module, "time"):
                # What is kept for a minute of real time would be read again between two calls that are compared.
                patch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now / 1000, sleep=lambda _s: None, time=time.time))
            if hasattr(module, "wall"):
                patch.setattr(module, "wall", lambda: self.now)
        # Providers are fakes; the inbox is a part of the table.
        inbox = InboxSender(lambda tenant: self.modules["campaign_sending"].runtime().scope(wiring.NamedTenant(tenant)))
        patch.setattr(self.modules["campaign_sending"], "providers", lambda: {**self.senders, "inbox": inbox})
        for module in self.modules.values():
            if hasattr(module, "_senders"):
                patch.setattr(module, "_senders", lambda: self.senders)

    def _environment(self) -> dict[str, str]:
        return {
            "STAGE": "test", "AWS_REGION": REGION, "TABLE_NAME": self.main, "KEYS_TABLE_NAME": self.keys, "AWS_ENDPOINT_URL": self.address,
            "MASTER_SECRET_ARN": "master_secret_arn", "TENANT_KEY_ID": "key", "DEFINITION_CACHE_SECONDS": "0", "PUBLIC_URL": BASE,
            "TENANT_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/tenant", "MEDIA_URL": "https://media.example",
        }  # fmt: skip

    def _table(
        self, name: str, region: str, endpoint: str | None = None, credentials: Credentials | None = None, *, noted: bool = True
    ) -> Table:
        table = WatchedTable(name, region, endpoint, credentials, noted=noted)
        table.building, table.session = self, credentials.token if credentials else OWN
        engine.share_client(table, self.address)
        return table


class Plenty:
    """Lambda's context, early in an invocation."""

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


class WatchedTable(Table):
    """A table that notes each request to it."""

    building: Building
    session: str

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        self.building.tell("dynamodb", operation, request, self.session)
        return super()._call(operation, **request)


_READS = frozenset({"get_item", "batch_get_item", "query"})


def wrote(asked: Sequence[Asked]) -> bool:
    """Whether anything was asked that may change something: no read of a table, and no look at keys and secrets."""
    return any(each.service not in ("kms", "secretsmanager", "sts") and each.operation not in _READS for each in asked)


def forget(module: ModuleType) -> None:
    """Whatever a handler's module has kept of its wiring."""
    for value in list(vars(module).values()):
        if hasattr(value, "cache_clear") and getattr(value, "__module__", None) == module.__name__:
            value.cache_clear()
    app = getattr(module, "app", None)
    if app is not None and app._gate is not None:
        # What it has counted of callers, too: their clock begins anew with each building.
        app.limit(lambda: module.runtime())  # noqa: PLW0108 - tests replace it


@contextmanager
def open_building(address: str, name: str) -> Iterator[Building]:
    """All functions over two new tables, which are gone afterwards."""
    client = engine.client(address)
    main, keys = f"{name}-main", f"{name}-keys"
    engine.create_tables(client, main, keys, stream=False)
    building = Building(address, main, keys)
    with pytest.MonkeyPatch.context() as patch:
        building.wire(patch)
        yield building
    for module in building.modules.values():
        forget(module)
    for table in (main, keys):
        client.delete_table(TableName=table)
