"""A replay: events a second of one core, from lines of JSON to balances and a ledger, and the memory that an event leaves behind."""

from __future__ import annotations

import json
import random
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local.replay import Bad, feed, sales_that_come_back
from local.replay_definitions import read_definitions
from local.replay_files import Files
from shared.kernel.instants import DAY, MINUTE, format_rfc3339, parse_rfc3339
from shared.replay.engine import Replay
from tests.benchmarks.rows import Row, row

COFFEE = Path(__file__).parents[1] / "cases" / "replay" / "coffee.json"
START = parse_rfc3339("2026-01-05T12:00:00Z")
MEMBERS = 1000
EVENTS = 40_000


def lines(events: int, members: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Registrations, then sales of one or two lines in order of time: one in a hundred comes back, one in twenty is nobody's."""
    rng = random.Random(seed)
    for number in range(members):
        yield {"type": "registration", "at": format_rfc3339(START), "member": f"m{number}"}
    span = 180 * DAY // max(events - members, 1)
    for number in range(events - members):
        at = START + DAY + number * span + rng.randint(0, MINUTE)
        text = format_rfc3339(at)
        natural = {"source": "till", "location_id": "corner", "business_date": text[:10], "receipt_number": str(number)}
        if rng.random() < 0.01 and number:
            original = natural | {"receipt_number": str(number - 1), "business_date": format_rfc3339(at - span)[:10]}
            yield {"type": "return", **natural, "occurred_at": text, "original": original}
            continue
        sold: list[dict[str, Any]] = [{"id": "1", "item_id": "latte", "unit_price": 400}]
        if rng.random() < 0.5:
            sold.append({"id": "2", "item_id": rng.choice(("croissant", "beans")), "unit_price": 300})
        body = {"type": "purchase", **natural, "occurred_at": text, "currency": "USD", "lines": sold}
        yield body if rng.random() < 0.05 else body | {"member": {"id": f"m{rng.randrange(members)}"}}


def write(file: Path, events: int, members: int) -> None:
    """The events as a file."""
    file.write_text("".join(json.dumps(each) + "\n" for each in lines(events, members)))


def replayed(file: Path, out: Path) -> tuple[Replay, float]:
    """The command without its words, and the CPU seconds that it took, its reading of definitions left aside."""
    definitions, catalogue = read_definitions(COFFEE)
    started = time.process_time()
    with Files(out) as files:
        replay = Replay(definitions, catalogue, hear=files.hear, keeps=sales_that_come_back(file))
        feed(replay, file, Bad(keep_going=False))
        replay.finish()
        files.finish(replay, replay.last, {})
    return replay, time.process_time() - started


def _left_behind(folder: Path, events: int) -> int:
    """Bytes of Python's memory that are in use after so many events of the same members, who buy on every day of the half-year."""
    file = folder / f"memory-{events}.jsonl"
    write(file, events, 20)
    tracemalloc.start()
    kept = replayed(file, folder / "memory")
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del kept
    return used


def run() -> list[Row]:
    """All figures."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        file = folder / "events.jsonl"
        write(file, EVENTS, MEMBERS)
        runs = [replayed(file, folder / "out") for _ in range(3)]
        best, kept = min(seconds for _, seconds in runs), runs[0][0].kept_bytes / EVENTS
        few, many = 15_000, 30_000
        grown = (_left_behind(folder, many) - _left_behind(folder, few)) / (many - few)
    note = f"{EVENTS} lines of {MEMBERS} members over half a year, JSON in, CSV out; goal: 20000"
    return [
        row("replay: events a second of one core", EVENTS / best, "1/s", note),
        row("replay: an event", best / EVENTS * 1e6, "us", "read, decided, folded, written"),
        row("replay: keys and sales kept, an event", kept, "bytes", "one sale in a hundred comes back"),
        row("replay: memory that an event more of the same members leaves", grown, "bytes", "their states are full: every day has a cell"),
    ]
