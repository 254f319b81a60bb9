"""A new segment over a tenant of 100,000: what its fan-out costs by the snapshot, and an exact preview of the draft before it.

``run()`` measures in one process, over the engine of the tests. The tenant has 20 segments, and every member is in what she should be in,
with her timer. The table holds only members who are looked at: were anybody else's item asked for, the run would fail. Members are those
of ``bench_snapshots``: ten thousand different ones under ten or twenty ids each.
"""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import dataclass, field
from typing import Any

from shared.audiences.api import PreviewRequest
from shared.audiences.preview import preview
from shared.kernel.instants import DAY, MINUTE, NEVER, SECOND
from shared.member_state.cells_codec import encode_cells
from shared.member_state.model import MemberState
from shared.member_state.repository import Stamp, StateRepository
from shared.segments.compiler import compile_segments
from shared.segments.rules import evaluate_all
from shared.segments.switching import affected
from shared.snapshots import fan_out
from shared.snapshots.building import columns_of
from shared.snapshots.files import Files
from shared.snapshots.model import ROWS_PER_SHARD, Manifest, Shard, mark_before
from shared.snapshots.reading import open_snapshot
from shared.snapshots.repository import SnapshotRepository
from shared.storage import keys
from shared.storage.items import HistoryItem
from shared.storage.packing import pack
from tests.benchmarks.bench_snapshots import CONTEXT, DRAFT, people, seconds
from tests.benchmarks.crowd import NOW, definitions, rules
from tests.benchmarks.rows import Row, row
from tests.builders.house import House
from tests.fakes import engine
from tests.fakes.queue import FakeQueue

MANY = 100_000
_MOST = 200_000
_BEFORE = NOW - 100 * DAY
NOBODY: dict[str, Any] = {"kind": "all", "rules": [{"kind": "attribute", "name": "city", "op": "eq", "value": "Atlantis"}, *DRAFT["rules"]]}


@dataclass
class Objects:
    """The object store in memory."""

    bodies: dict[str, bytes] = field(default_factory=dict)

    def put(self, name: str, body: bytes) -> None:
        self.bodies[name] = body

    def find(self, name: str) -> bytes | None:
        return self.bodies.get(name)

    def delete(self, name: str) -> None:
        self.bodies.pop(name, None)


@dataclass
class Tenant:
    """A house with its snapshot."""

    house: House
    store: Objects
    shards: list[Shard] = field(default_factory=list)
    states: dict[str, MemberState] = field(default_factory=dict)
    generation: int = 0
    rules_made: int = 0

    def open_with(self, shards: list[Shard]) -> None:
        """A generation of the snapshot of these shards."""
        repository = SnapshotRepository(self.house.scope())
        self.generation += 1
        watermark = mark_before(NOW - MINUTE)
        assert repository.swap(Manifest(self.generation, "b", watermark, NOW, tuple(shards)), repository.manifest())

    def publish(self, rule: dict[str, Any]) -> dict[str, Any]:
        """A segment from now on; the message of its fan-out."""
        self.rules_made += 1
        name, switch = f"new{self.rules_made}", self.house.now + SECOND
        self.house.publish("segment", name, {"name": name, "rule": rule}, since=switch, epoch=switch)
        self.house.now = switch + fan_out.SETTLE
        return {"kind": "fan_out", "tenant": "demo", "of": "segment", "id": name, "version": 1, "epoch": switch, "at": switch}

    def concerned(self, switch: int) -> list[str]:
        """Whom the columns say that it concerns, or may."""
        scope, found = self.house.scope(), []
        changes = affected(scope.definitions, switch)
        snapshot = open_snapshot(scope, self.store, self.house.now)
        assert snapshot is not None
        for shard in snapshot.shards:
            for piece in snapshot.pieces(shard):
                surely, perhaps = fan_out.choose(piece, changes, switch)
                found += piece.columns.ids[surely | perhaps].astype("U").tolist()
        return found

    def store_items(self, members: list[str]) -> None:
        """Put members into the table as they are."""
        repository, client = StateRepository("demo", self.house.table), self.house.table._client
        puts: list[dict[str, Any]] = []
        for state in map(self.states.__getitem__, members):
            puts.append(repository._state_item(state, None, 1, None, Stamp(NOW)))
            if state.profile.history:
                key = keys.history("demo", state.member)
                puts.append(HistoryItem.raw(key, history_version=1, body=pack(encode_cells(state.profile.history))))
        for start in range(0, len(puts), 25):
            requests = [{"PutRequest": {"Item": item}} for item in puts[start : start + 25]]
            assert not client.batch_write_item(RequestItems={self.house.table.name: requests})["UnprocessedItems"]

    def fan_out(self, message: dict[str, Any]) -> None:
        """To its end."""
        queue = FakeQueue()
        fan_out.work(self.house.scope(), self.store, message, queue, self.house.now, SECOND)
        assert not any(each["kind"] == "rebuild" or each == message for each in queue.messages)


def tenant(address: str) -> Tenant:
    """Twenty segments, and shards of members who are in what they should be in."""
    engine.create_tables(engine.client(address), "main", "keys")
    house = House(engine.table(address, "main"), engine.table(address, "keys")).create()
    trees = rules(20)
    for index, tree in enumerate(trees):
        house.publish("segment", f"s{index}", {"name": "bench", "rule": tree}, since=_BEFORE, epoch=_BEFORE)
    house.now = NOW
    made, compiled, states = Tenant(house, Objects()), compile_segments(definitions(trees), CONTEXT), people(_MOST)
    for state in states[:10_000]:
        flips = evaluate_all(state, compiled, None, NOW)
        state.segments = dict.fromkeys(flips.entered, NOW - DAY)
        state.timer = None if flips.next_change == NEVER else flips.next_change
    for index, state in enumerate(states):
        same = states[index % 10_000]
        state.tenant, state.version, state.epoch, state.as_of = "demo", 1, _BEFORE, NOW - DAY
        state.segments, state.timer = dict(same.segments), same.timer
    states.sort(key=lambda state: state.member)
    made.states = {state.member: state for state in states[:MANY]}
    files = Files("demo", made.store)
    for start in range(0, _MOST, ROWS_PER_SHARD):
        part = states[start : start + ROWS_PER_SHARD]
        made.shards.append(Shard(part[0].member if start else "", files.write(columns_of(part), NOW + start), len(part), NOW))
    few = files.write(columns_of(states[:20_000]), NOW - 1)
    made.shards.append(Shard("", few, 20_000, NOW))
    return made


def backfill(made: Tenant) -> list[Row]:
    """A new segment over everybody."""
    made.open_with(made.shards[:2])
    message = made.publish(DRAFT)
    inside = made.concerned(message["epoch"])
    made.store_items(inside)
    made.house.table.consumed = []
    spent = seconds(lambda: made.fan_out(message))
    used, made.house.table.consumed = made.house.table.consumed, None
    written = sum(each["CapacityUnits"] for each in used if each.get("WriteCapacityUnits"))
    read = sum(each["CapacityUnits"] for each in used) - written
    choosing = seconds(lambda: made.concerned(message["epoch"]))
    note = f"{MANY} members; it concerns {len(inside)}, who are read and written; {len(used)} requests"
    return [
        row("backfill: members per second and core", MANY / spent, "1/s", note),
        row("backfill: CPU", spent, "s CPU", f"with load; the columns alone take {choosing:.2f} s"),
        row("backfill: CPU of a member concerned", (spent - choosing) / len(inside) * 1000, "ms CPU", "read, advanced, written"),
        row("backfill: read units a member", read / MANY, "RU", f"{read:.0f} in all; reading everybody takes {MANY / 2:.0f} at least"),
        row("backfill: write units a member", written / MANY, "WU", f"{written:.0f} in all, {written / len(inside):.1f} of each concerned"),
    ]


def changed(made: Tenant) -> list[Row]:
    """A new segment that concerns nobody, with ten members changed since the snapshot; and its memory by the size of the tenant."""
    rows = []
    marked = sorted(made.states)[::2_000][:10]
    made.store_items(marked)
    for number, shards in ((20_000, made.shards[-1:]), (MANY, made.shards[:2]), (_MOST, made.shards[:4])):
        made.open_with(shards)
        message = made.publish(NOBODY)
        SnapshotRepository(made.house.scope()).mark(marked, made.house.now)
        extra = [member for member in made.concerned(message["epoch"]) if member in made.states]
        made.store_items(extra)
        made.house.table.consumed = []
        tracemalloc.start()
        started = time.process_time()
        made.fan_out(message)
        traced = time.process_time() - started
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        used, made.house.table.consumed = made.house.table.consumed, None
        units = sum(each["CapacityUnits"] for each in used)
        note = f"{len(shards)} shards, one at a time; {len(used)} requests, {units:.0f} units; {traced:.2f} s CPU while memory is traced"
        rows.append(row(f"backfill of {number}, 10 changed: peak memory", peak / 1e6, "MB", note))
    return rows


def previewed(made: Tenant) -> list[Row]:
    """The draft, counted exactly: the whole of it, load included."""
    made.open_with(made.shards[:2])
    scope = made.house.scope()
    found = []

    def ask() -> None:
        request = PreviewRequest.model_validate({"rule": DRAFT, "mode": "exact"})
        found.append(preview(scope, request, made.store, lambda: None, lambda: made.house.now))

    spent = min(seconds(ask) for _ in range(3))
    note = f"goal <= 1.0, aim 0.2; {found[0].count} of {found[0].population}, {found[0].undecided_read} read from the table"
    return [row(f"exact preview over {MANY}", spent, "s CPU", note)]


def run() -> list[Row]:
    """Every row, some two minutes."""
    with engine.running_engine() as address:
        made = tenant(address)
        return [*previewed(made), *backfill(made), *changed(made)]


if __name__ == "__main__":
    for each in run():
        print(f"{each['name']:<52} {each['figure']!s:>10} {each['unit']:<7} {each['note']}")
