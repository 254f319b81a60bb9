"""Pools of codes: codes a second made and stored, and the memory of it, whatever the pool's size.

``python -m tests.benchmarks.bench_pools`` prints the figures.
"""

from __future__ import annotations

import time
import tracemalloc
from collections import deque
from typing import Any

from shared.coupons.code_space import CodeSpace
from shared.coupons.pool_jobs import make_part
from shared.coupons.pools import PART, order
from shared.coupons.pools_api import PoolRequest
from tests.benchmarks.rows import Row, row
from tests.builders.house import FRIES, House
from tests.fakes import engine

PATTERN = "SUMMER-####-######"
GENERATED = 1_000_000
STORED = 10_000


class _Queue:
    def __init__(self) -> None:
        self.sent: deque[dict[str, Any]] = deque()

    def send_all(self, bodies: Any) -> None:
        self.sent.extend(bodies)


class _Bytes:
    """A bucket that only counts."""

    def __init__(self) -> None:
        self.size = 0

    def put(self, _name: str, body: bytes) -> None:
        self.size += len(body)

    def link(self, name: str, _seconds: int) -> str:
        return name


def run() -> list[Row]:
    """Generation alone, one core; then whole parts against the engine, one worker."""
    return [*generated(), *stored()]


def generated() -> list[Row]:
    """A million codes, part by part as workers make them."""
    space, key = CodeSpace(PATTERN), bytes(range(32))
    started = time.process_time()
    made = sum(sum(1 for _ in space.codes(key, start, start + PART)) for start in range(0, GENERATED, PART))
    seconds = time.process_time() - started
    tracemalloc.start()
    for start in range(0, 20 * PART, PART):
        _ = list(space.codes(key, start, start + PART))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return [
        row("codes generated", made / seconds, "codes/s of one core", f"{made:,} codes in {seconds:.1f} s, no set of those made before"),
        row("memory of generating", peak / 2**20, "MiB at its peak", f"a part of {PART:,} codes at a time; the same for any pool"),
    ]


def stored() -> list[Row]:
    """Parts as the worker makes them: codes, file, outcome."""
    with engine.running_engine() as address:
        engine.create_tables(engine.client(address), "main", "keys")
        house = House(engine.table(address, "main"), engine.table(address, "keys")).create()
        house.publish("offer", "fries", FRIES)
        queue, files = _Queue(), _Bytes()
        order(house.scope(), "fries", PoolRequest(count=STORED, pattern=PATTERN, request_id="bench"), None, queue)
        make_part(house.scope(), queue.sent.popleft(), files)
        tracemalloc.start()
        make_part(house.scope(), queue.sent.popleft(), files)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        wall, cpu, parts = time.perf_counter(), time.process_time(), len(queue.sent)
        while queue.sent:
            make_part(house.scope(), queue.sent.popleft(), files)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    codes = parts * PART
    note = f"{STORED:,} codes in {STORED // PART} parts; 25 conditional writes a request, engine on the same two cores"
    return [
        row("codes stored", codes / wall, "codes/s of one worker", note),
        row("a code stored", 1e6 * cpu / codes, "us of the worker's CPU", "its blind index, its item, its share of the request"),
        row("memory of a worker's part", peak / 2**20, "MiB at its peak", f"{PART:,} codes with their file"),
    ]


if __name__ == "__main__":
    for each in run():
        print(f"{each['name']:28} {each['figure']:>12} {each['unit']:24} {each['note']}")
