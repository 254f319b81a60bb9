"""Snapshots: what they weigh, what asking one costs, and the same rules over the same members in polars and duckdb.

``run()`` measures everything in one process. The members are those of ``crowd``; a hundred thousand are ten thousand under ten
ids each. polars and duckdb read Parquet (zstd) of the same rows and answer the bare truth; the columns answer until when, too.
"""

from __future__ import annotations

import copy
import io
import random
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.kernel.ids import encode_ulid
from shared.kernel.instants import DAY
from shared.member_state.model import MemberState
from shared.profile.rules import all_cells
from shared.segments.context import Context
from shared.segments.parsing import rule_of
from shared.snapshots.building import columns_of
from shared.snapshots.columns import Columns
from shared.snapshots.container import Container
from shared.snapshots.model import ROWS_PER_SHARD
from shared.snapshots.vectors import Vectors
from tests.benchmarks.crowd import CITIES, NOW, TODAY, ZONE, best, members, rules
from tests.benchmarks.rows import Row, row
from tests.benchmarks.rule_peers import bare, dimension_of

CONTEXT = Context(ZONE)
MANY = 100_000
DRAFT: dict[str, Any] = {
    "kind": "all",
    "rules": [
        {"kind": "purchases", "metric": "value", "days": 90, "op": "ge", "value": 5000, "filter": {"category": "coffee"}},
        {"kind": "since_last_purchase", "op": "at_least", "days": 14},
        {"kind": "attribute", "name": "city", "op": "eq", "value": CITIES[0]},
        {"kind": "consent", "purpose": "news", "channel": "push", "granted": True},
    ],
}


def people(number: int) -> list[MemberState]:
    """So many members with ids as they are, from ten thousand different ones; each day also has items, an hour and a tag."""
    some, rng, made = members(min(number, 10_000)), random.Random(5), []
    for state in some:
        for _, cell in all_cells(state.profile):
            for item in rng.sample(range(40), 2):
                cell.by[f"i:item-{item}"] = [cell.count, cell.value // 2, 1000]
            cell.by[f"o:{rng.randint(8, 22):02d}"] = [cell.count, cell.value, cell.quantity]
            cell.by["t:vegetarian" if rng.random() < 0.3 else "t:hot"] = [cell.count, cell.value // 2, 1000]
    for index in range(number):
        state = copy.copy(some[index % len(some)])
        state.member = f"mbr_{encode_ulid(NOW - index * 60_000, rng.randbytes(10))}"
        made.append(state)
    return made


def seconds(work: Callable[[], object]) -> float:
    """CPU of one run."""
    start = time.process_time()
    work()
    return time.process_time() - start


def ask(bodies: list[bytes], trees: list[dict[str, Any]]) -> int:
    """Load shards one after another, and name who is in."""
    found = 0
    for body in bodies:
        columns = Columns.decode(Container(body))
        vectors = Vectors(columns, CONTEXT, NOW)
        for tree in trees:
            inside = vectors.members(rule_of(tree)).inside
            found += len(columns.ids[inside].astype("U").tolist())
    return found


def weighed(states: list[MemberState]) -> tuple[list[Row], list[bytes]]:
    """Size, making, reading."""
    shards = [states[start : start + ROWS_PER_SHARD] for start in range(0, len(states), ROWS_PER_SHARD)]
    made: list[Columns] = []
    building = seconds(lambda: made.extend(columns_of(shard) for shard in shards))
    bodies: list[bytes] = []
    encoding = seconds(lambda: bodies.extend(columns.encode({}) for columns in made))
    containers = [Container(body) for body in bodies]

    def read_all() -> None:
        for container in containers:
            for name in container.names:
                if name not in ("ids", "words"):
                    container.ints(name)

    note = f"{len(states)} members, on average 11 days with purchases"
    rows = [
        row("snapshots: bytes per member", sum(map(len, bodies)) / len(states), "B", note),
        row("snapshots: states to columns", building, "s CPU", f"{len(states)} members; only a rebuild does it"),
        row("snapshots: columns to objects", encoding, "s CPU", f"{len(states)} members"),
        row("snapshots: objects to all columns", best(read_all), "s CPU", "a rule reads only the columns that it asks"),
    ]
    return rows, bodies


def asked(bodies: list[bytes]) -> list[Row]:
    """A draft over everybody, and the memory that it takes."""
    trees = rules(20)
    one, twenty = best(lambda: ask(bodies, [DRAFT])), best(lambda: ask(bodies, trees), 2)
    tracemalloc.start()
    ask(bodies, [DRAFT])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return [
        row(f"snapshots: one draft x {MANY}, with load", one, "s CPU", "goal <= 1.0, aim 0.2; four leaves, exact"),
        row(f"snapshots: 20 segments x {MANY}, with load", twenty, "s CPU", "what several ask alike is computed once"),
        row("snapshots: peak memory of one draft", peak / 1e6, "MB", f"a shard of {ROWS_PER_SHARD} members at a time, beside the objects"),
    ]


def merged(states: list[MemberState], bodies: list[bytes]) -> list[Row]:
    """What a merge computes, without the requests: of the changed members' states, beside the base or folded into it."""
    rows = []
    shard = states[:ROWS_PER_SHARD]
    for number in (10, 1000):
        changed = [copy.copy(state) for state in shard[:: len(shard) // number]][:number]
        for state in changed:
            state.version = 2
        spent = best(lambda c=changed: columns_of(c).encode({}))  # type: ignore[misc]
        rows.append(row(f"snapshots: merge of {number}", spent * 1000, "ms CPU", "beside the base"))
        folding = best(lambda c=changed: Columns.decode(Container(bodies[0])).joined(columns_of(c)).alive().encode({}), 1)  # type: ignore[misc]
        rows.append(row(f"snapshots: merge of {number} into the base", folding * 1000, "ms CPU", f"{len(shard)} members"))
    return rows


# -- polars and duckdb --------------------------------------------------------------------------------------------------


def tables(states: list[MemberState]) -> dict[str, dict[str, list[Any]]]:
    """The rows that the rules ask, as one would lay them out."""
    who: dict[str, list[Any]] = {"member": [], "last_at": [], "city": [], "push": []}
    cells: dict[str, list[Any]] = {"member": [], "day": [], "key": [], "count": [], "value": []}
    for number, state in enumerate(states):
        consent = state.consents.get("news:push")
        for name, value in (("member", number), ("last_at", state.profile.last_at), ("city", state.attributes["city"])):
            who[name].append(value)
        who["push"].append(None if consent is None else consent.granted)
        for day, cell in all_cells(state.profile):
            for key, sums in {"": [cell.count, cell.value], **cell.by}.items():
                for name, value in (("member", number), ("day", day), ("key", key), ("count", sums[0]), ("value", sums[1])):
                    cells[name].append(value)
    return {"who": who, "cells": cells}


def leaf_sql(leaf: dict[str, Any], windows: dict[str, str]) -> str:
    """A leaf as SQL over ``who`` joined with its windows."""
    if leaf["kind"] == "purchases":
        column, key = ("count" if leaf["metric"] == "count" else "value"), dimension_of(leaf) or ""
        where = f"key = '{key}' AND day >= {TODAY - leaf['days'] + 1}"
        name = windows.setdefault(f"SELECT member, sum({column}) AS s FROM cells WHERE {where} GROUP BY member", f"w{len(windows)}")
        return f"coalesce({name}.s, 0) {'>=' if leaf['op'] == 'ge' else '<'} {leaf['value']}"
    if leaf["kind"] == "since_last_purchase":
        return f"{NOW} - last_at {'>=' if leaf['op'] == 'at_least' else '<'} {leaf['days'] * DAY}"
    return f"city = '{leaf['value']}'" if leaf["kind"] == "attribute" else "push"


def query(trees: list[dict[str, Any]]) -> str:
    """One statement that counts the members of every rule."""
    windows: dict[str, str] = {}
    parts = [f" {'AND' if tree['kind'] == 'all' else 'OR'} ".join(leaf_sql(leaf, windows) for leaf in tree["rules"]) for tree in trees]
    counts = ", ".join(f"sum(CASE WHEN {part} THEN 1 ELSE 0 END) AS c{index}" for index, part in enumerate(parts))
    joins = " ".join(f"LEFT JOIN ({sql}) AS {name} ON {name}.member = who.member" for sql, name in windows.items())
    return f"SELECT {counts} FROM who {joins}"


def peers(states: list[MemberState], trees: list[dict[str, Any]], what: str) -> list[Row]:
    """The same counts by each, in turns; each on one core, with load."""
    import duckdb
    import polars as pl

    body, given, sql = columns_of(states).encode({}), tables(states), query(trees)
    expected = sum(bare(tree)(state) for state in states[:: len(states) // 500] for tree in trees)
    with tempfile.TemporaryDirectory() as folder:
        files: dict[str, str] = {}
        for name, table in given.items():
            files[name] = str(Path(folder) / f"{name}.parquet")
            pl.DataFrame(table).write_parquet(files[name])
        buffers = {name: Path(file).read_bytes() for name, file in files.items()}

        def by_columns() -> int:
            return ask([body], trees)

        def by_polars() -> int:
            frames = {name: pl.read_parquet(io.BytesIO(buffer)) for name, buffer in buffers.items()}
            return sum(pl.SQLContext(frames).execute(sql, eager=True).row(0))

        def by_duckdb() -> int:
            with duckdb.connect(config={"threads": 1}) as connection:
                for name, file in files.items():
                    connection.execute(f"CREATE TABLE {name} AS SELECT * FROM read_parquet('{file}')")
                return int(sum(connection.execute(sql).fetchall()[0]))

        assert by_columns() == by_polars() == by_duckdb() >= expected
        sizes = sum(map(len, buffers.values()))
        rows = [row(f"{what}: numpy", best(by_columns) * 1000, "ms CPU", f"with load of {len(body) / 1e6:.2f} MB; with instants")]
        rows.append(row(f"{what}: polars", best(by_polars) * 1000, "ms CPU", f"with load of {sizes / 1e6:.2f} MB Parquet"))
        rows.append(row(f"{what}: duckdb", best(by_duckdb) * 1000, "ms CPU", "with load of the same Parquet, one thread"))
    return rows


def libraries() -> list[Row]:
    """What each library costs a function: the time to import it, and its files."""
    rows = []
    parts_of = {"numpy": ("numpy", "numpy.libs"), "polars": ("polars", "_polars_runtime_32"), "duckdb": ("duckdb", "_duckdb*")}
    for name, parts in parts_of.items():
        code = f"import time; s = time.process_time(); import {name}; print(time.process_time() - s)"
        took = min(float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout) for _ in range(3))
        site = Path(sys.prefix, "lib", f"python{sys.version_info[0]}.{sys.version_info[1]}", "site-packages")
        found = [file for part in parts for place in site.glob(part) for file in ([place] if place.is_file() else place.rglob("*"))]
        size = sum(file.stat().st_size for file in found if file.is_file() and "tests" not in file.parts and file.suffix != ".pyc")
        rows.append(row(f"import {name}", took * 1000, "ms CPU", f"{size / 1e6:.0f} MB unpacked, without its tests"))
    return rows


def run() -> list[Row]:
    """Every row, some two minutes."""
    states = people(MANY)
    rows, bodies = weighed(states)
    rows += asked(bodies) + merged(states, bodies)
    rows += peers(states, [DRAFT], f"one draft x {MANY}")
    return rows + libraries()


if __name__ == "__main__":
    for each in run():
        print(f"{each['name']:<52} {each['figure']!s:>10} {each['unit']:<7} {each['note']}")
