"""Campaigns: planning an audience of 100,000, sending against the bare calls that it must make, texts, and what a million deliveries cost.

``run()`` measures in one process over the engine of the tests, with a provider that takes everything at once. "Bare" is botocore's client
with default settings making the very same requests, recorded beforehand, against another table with the same members. The tables have no
stream: the engine's makes each write dearer the more were made before; what it would tell is taken from the writes.
"""

from __future__ import annotations

import json
import time
import tracemalloc
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from shared.campaigns import planning, service
from shared.campaigns.content import Values, write
from shared.campaigns.messages import Order, Walk
from shared.campaigns.model import CampaignBody, SendStep
from shared.campaigns.sending import Means, send
from shared.definitions.model import Definition
from shared.reports import counting
from tests.benchmarks.bench_cost import PRICES
from tests.benchmarks.rows import Row, cpu_each, row
from tests.builders.campaigns import KEYS, PUSH_SETTINGS, message
from tests.builders.house import House
from tests.builders.mailing import SEGMENT, Person, fill, list_only, people
from tests.builders.storm import Storm, StormyTable
from tests.builders.stream import BusOfTest
from tests.fakes import engine
from tests.fakes.senders import FakeSender, only

SIZES = (10_000, 50_000, 100_000)
DELIVERIES = 400
ROUNDS = 3
CAMPAIGN = "news"
BODY: dict[str, Any] = {
    "name": "News",
    "trigger": {"kind": "once"},
    "audience": {"segment": SEGMENT},
    "holdout_percent": 0,
    "steps": [message("tell")],
}
_CALL_MS, _PROVIDER_MS = 5, 30
"""Of a call of DynamoDB and of a push provider on Lambda: estimates, as in the cost of a sale."""
_MEMORY_GB = 0.5
_FIFO_REQUEST = 0.50
_RELAY_BATCH, _COUNTED_TOGETHER = 10, 10
_ORDER = 100
_LOG_BYTES = 500
"""Of one order's line."""


class Swallows:
    """A queue that makes every message as it would travel, and forgets it."""

    def __init__(self) -> None:
        self.sent, self.size = 0, 0

    def send(self, body: Mapping[str, Any], delay_seconds: int = 0) -> None:
        self.sent, self.size = self.sent + 1, self.size + len(json.dumps(body))

    def send_all(self, bodies: Sequence[Mapping[str, Any]]) -> None:
        for body in bodies:
            self.send(body)


class NotedTable(StormyTable):
    """Keeps the requests, and which units each kind of call took."""

    def __init__(self, endpoint: str, name: str) -> None:
        super().__init__(endpoint, name, Storm(0))
        self.noted: list[tuple[str, dict[str, Any]]] | None = None

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        if self.noted is not None:
            self.noted.append((operation, dict(request)))
        return super()._call(operation, **request)


@contextmanager
def _office(
    address: str, name: str, crowd: Sequence[Person], campaigns: Sequence[str] = (CAMPAIGN,), *, noted: bool = False
) -> Iterator[House]:
    """A tenant in tables of its own with its members and campaigns launched."""
    client = engine.client(address)
    engine.create_tables(client, f"{name}-main", f"{name}-keys", stream=False)
    main = NotedTable(address, f"{name}-main") if noted else engine.table(address, f"{name}-main")
    house = House(main, engine.table(address, f"{name}-keys")).create(PUSH_SETTINGS)
    fill(house, crowd)
    for campaign in campaigns:
        service.on_publish(house.scope(), Definition("campaign", campaign, 1, "published", BODY, effective_from=0))
        house.publish("campaign", campaign, BODY)
        service.launch(house.scope(), campaign)
    yield house
    for part in ("main", "keys"):
        client.delete_table(TableName=f"{name}-{part}")


# -- planning ---------------------------------------------------------------------------------------------------------


class Walked(NamedTuple):
    """A walk over a whole audience."""

    cpu: float
    peak: int
    units: float
    messages: int


def planning_rows() -> list[Row]:
    """Walks over listings that grow."""
    found: dict[int, Walked] = {}
    names = [f"{kind}{size}" for size in SIZES for kind in ("timed", "traced")]
    with engine.running_engine() as address, _office(address, "planning", people(1), names) as house:
        there = 0
        for size in SIZES:
            list_only(house, people(size)[there:])
            there = size
            found[size] = _walk(house, size)
    biggest = found[SIZES[-1]]
    memory = ", ".join(f"{size:,}: {found[size].peak / 1e6:.2f} MB" for size in SIZES)
    return [
        row("planning, one core", SIZES[-1] / biggest.cpu, "recipients/s", f"{SIZES[-1]:,} recipients, orders made as they travel"),
        row("planning: read units", biggest.units / SIZES[-1], "RU/recipient", "half a unit for 4 KB of the index"),
        row("planning: peak memory", biggest.peak / 1e6, "MB", f"{memory}; does not grow with the audience"),
        row("planning: orders", biggest.messages, "messages", f"of {_ORDER} recipients at most"),
    ]


def _walk(house: House, size: int) -> Walked:
    """Once for the time and once for the memory, which costs time to watch."""
    scope, queue = house.scope(), Swallows()
    begun = {kind: service.known_run(scope, f"{kind}{size}") for kind in ("timed", "traced")}
    walks = {kind: Walk("demo", run.campaign, run.revision, segment_version=1, version=1) for kind, run in begun.items()}
    house.table.consumed = []
    started = time.process_time()
    assert planning.walk(scope, walks["timed"], queue, queue) == size
    cpu = time.process_time() - started
    used, house.table.consumed = house.table.consumed, None
    tracemalloc.start()
    assert planning.walk(scope, walks["traced"], Swallows(), queue) == size
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return Walked(cpu, peak, sum(each["CapacityUnits"] for each in used), queue.sent)


# -- sending ----------------------------------------------------------------------------------------------------------


def _reachable(number: int) -> list[Person]:
    return [person for person in people(number * 5) if person.kind == "push_only"][:number]


def _orders(crowd: Sequence[Person]) -> list[Order]:
    chunks = [crowd[start : start + _ORDER] for start in range(0, len(crowd), _ORDER)]
    return [Order("demo", CAMPAIGN, 1, "tell", "1", tuple(person.member for person in chunk)) for chunk in chunks]


def _send_all(house: House, crowd: Sequence[Person]) -> None:
    sender, queue = FakeSender(), Swallows()
    for order in _orders(crowd):
        send(house.scope(), order, Means(only(sender), queue, KEYS))
    assert (len(sender.taken), queue.sent) == (len(crowd), 0)


def sending_rows() -> tuple[list[Row], dict[str, float]]:
    """Ours and the bare calls in turns, each round on tables of its own; and what the deliveries used."""
    crowd = _reachable(DELIVERIES)
    ours, wall, bare = float("inf"), float("inf"), float("inf")
    with engine.running_engine() as address:
        with _office(address, "noted", crowd, noted=True) as house:
            used, requests = _used(house, crowd)
        for number in range(ROUNDS):
            with _office(address, f"ours{number}", crowd) as house:
                clock, cpu = time.perf_counter(), time.process_time()
                _send_all(house, crowd)
                ours, wall = min(ours, time.process_time() - cpu), min(wall, time.perf_counter() - clock)
            with _office(address, f"bare{number}", crowd):
                bare = min(bare, _replay(engine.client(address), requests, f"bare{number}"))
    each = len(crowd)
    return [
        row("sending, one worker", each / wall, "deliveries/s", "one after another, over the local engine, a provider that takes no time"),
        row("a delivery, CPU", ours / each * 1e6, "us CPU", "claim, text, provider's port, settlement"),
        row("bare botocore, the same requests", bare / each * 1e6, "us CPU", f"{used['requests']:.1f} requests a delivery"),
        row("a delivery / bare", ours / bare, "x", "the same requests with botocore's defaults"),
        row("write units of a delivery", used["writes"], "WU", "claim with state, delivery and gate; settlement"),
        row("read units of a delivery", used["reads"], "RU", "state, device, and two an order"),
        row("write units of its numbers", used["count_writes"], "WU", f"counted {_COUNTED_TOGETHER} at a time"),
        row("events of a delivery", used["events"], "commits", "to the bus"),
    ], used


def _used(house: House, crowd: Sequence[Person]) -> tuple[dict[str, float], list[tuple[str, dict[str, Any]]]]:
    """Requests and units a delivery, from sending to the counted number."""
    table = house.table
    assert isinstance(table, NotedTable)
    table.records()
    table.noted, table.consumed = [], []
    _send_all(house, crowd)
    requests, table.noted = table.noted, None
    units = Counter[str]()
    for (operation, _), capacity in zip(requests, table.consumed or (), strict=True):
        units["writes" if operation in ("transact_write_items", "put_item", "update_item") else "reads"] += capacity["CapacityUnits"]
    bus = BusOfTest()
    units["events"] = len(bus.relay(table))
    records = bus.reports.take()
    units["messages"] = len(records)
    table.consumed = []
    _count(house, records)
    used, table.consumed = table.consumed, None
    units["count_reads"] = sum(each["CapacityUnits"] for each in used[::2])
    units["count_writes"] = sum(each["CapacityUnits"] for each in used[1::2])
    units["counts"] = len(used) / 2
    units["requests"] = len(requests)
    return {name: value / len(crowd) for name, value in units.items()}, requests


def _count(house: House, records: Sequence[dict[str, Any]]) -> None:
    """Shard by shard, as many at a time as the queue brings."""
    shards: dict[int, list[counting.Counted]] = {}
    for record in records:
        _, shard, counted = counting.counted(json.loads(record["body"]), record["attributes"]["SequenceNumber"])
        shards.setdefault(shard, []).append(replace(counted, number=counted.number.zfill(40)))
    for shard, messages in shards.items():
        for start in range(0, len(messages), _COUNTED_TOGETHER):
            assert counting.count(house.scope(), shard, messages[start : start + _COUNTED_TOGETHER])


def _replay(client: Any, requests: Sequence[tuple[str, dict[str, Any]]], name: str) -> float:
    """CPU seconds of the same requests against another office's table. Making them is not counted."""
    calls = [(getattr(client, operation), _renamed(request, f"{name}-main")) for operation, request in requests]
    started = time.process_time()
    for call, request in calls:
        call(**request)
    return time.process_time() - started


def _renamed(request: dict[str, Any], table: str) -> dict[str, Any]:
    if "TableName" in request:
        return {**request, "TableName": table}
    if "RequestItems" in request:
        return {**request, "RequestItems": {table: next(iter(request["RequestItems"].values()))}}
    actions = [{verb: {**action, "TableName": table} for verb, action in entry.items()} for entry in request["TransactItems"]]
    return {**request, "TransactItems": actions, "ClientRequestToken": str(uuid.uuid4())}


# -- texts ------------------------------------------------------------------------------------------------------------


def text_rows() -> list[Row]:
    """A push message, and an e-mail of 20 KB with a few values in it."""
    paragraph = "<p>{{ member.first_name }}, have a look at what is new at {{ tenant.name }}: <a href='{{ link }}'>here</a>.</p>\n"
    page = (paragraph + "<p>" + "Lorem ipsum dolor sit amet. " * 60 + "</p>\n") * 12
    push = _step({"title": "Hello {{ member.first_name }}", "body": "There is something new at {{ tenant.name }} for you."})
    letter = _step({"title": "Hello {{ member.first_name }}", "body": "Something new.", "html": page[:20_000]}, channel="email")
    values = Values(member="mbr_1", person={"first_name": "Anna", "language": "en"})
    assert len(write(letter, "email", values, PUSH_SETTINGS).html) > 19_000
    return [
        row("a push text", cpu_each(lambda _: write(push, "push", values, PUSH_SETTINGS), 2000) * 1e6, "us CPU", "two templates"),
        row("an e-mail of 20 KB", cpu_each(lambda _: write(letter, "email", values, PUSH_SETTINGS), 200) * 1e6, "us CPU", "HTML, escaped"),
    ]


def _step(content: dict[str, str], **more: str) -> SendStep:
    body = CampaignBody.model_validate({**BODY, "steps": [{"id": "tell", "content": {"en": content}, **more}]})
    step = body.message("tell")
    assert step is not None
    return step


# -- cost -------------------------------------------------------------------------------------------------------------


def cost_rows(used: Mapping[str, float], cpu_us: float, planned_units: float) -> list[Row]:
    """List prices of us-east-1 times what was measured; without the provider's own price."""
    second = PRICES["Lambda GB-second, arm64"] * _MEMORY_GB
    milliseconds = used["requests"] * _CALL_MS + _PROVIDER_MS + cpu_us / 1000
    records = used["messages"] + used["events"]
    parts = {
        "planning": planned_units * PRICES["read unit"] + PRICES["queue request"] * 0.1 / _ORDER,
        "sending: queue": 2 * PRICES["queue request"] / _ORDER,
        "sending: Lambda": PRICES["Lambda request"] / _ORDER + milliseconds / 1000 * second,
        "sending: table": used["writes"] * PRICES["write unit"] + used["reads"] * PRICES["read unit"],
        "relay": records * (PRICES["Lambda request"] + 0.03 * second) / _RELAY_BATCH,
        "bus": used["events"] * PRICES["event"],
        "reports: queue": 3 * used["messages"] / _COUNTED_TOGETHER * _FIFO_REQUEST,
        "reports: table": used["count_writes"] * PRICES["write unit"] + used["count_reads"] * PRICES["read unit"],
        "reports: Lambda": used["counts"] * (PRICES["Lambda request"] + 3 * _CALL_MS / 1000 * second),
        "logs": _LOG_BYTES / 1000 / _ORDER * PRICES["GB of logs"],
    }
    rows = [row(f"USD per million deliveries: {name}", cost, "USD") for name, cost in parts.items()]
    note = f"without the provider; {milliseconds:.0f} ms a delivery on Lambda, of which {_PROVIDER_MS} ms the provider: an estimate"
    return [*rows, row("USD per million deliveries, whole path", sum(parts.values()), "USD", note)]


def run() -> list[Row]:
    """Every row, some two minutes."""
    planned, (sent, used) = planning_rows(), sending_rows()
    figures = {each["name"]: each["figure"] for each in (*planned, *sent)}
    costs = cost_rows(used, figures["a delivery, CPU"], figures["planning: read units"])
    return [*planned, *sent, *text_rows(), *costs]


if __name__ == "__main__":
    for each in run():
        print(json.dumps(each))
