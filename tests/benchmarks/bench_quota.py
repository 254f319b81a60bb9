"""A limit of 1,000 under 64 redeemers: who writes which item, in shards and, in the same run, in one item for all.

``python -m tests.benchmarks.bench_quota`` prints the figures.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shared.kernel import shards
from shared.kernel.shards import quota_shards
from shared.storage import keys
from tests.benchmarks.rows import Row, row
from tests.builders.house import PROGRAMME, House
from tests.builders.redeemers import KEY, Crowd, RandomlyFailing, shares
from tests.fakes import engine

LIMIT = 1_000
COUPONS = 1_050
OF_ONE_ITEM = 300
"""Enough for the counter for all, whose share needs no measuring."""
REDEEMERS = 64


def run() -> list[Row]:
    """Direct redemptions until the limit is used up: sharded as we do, then some with one counter."""
    with engine.running_engine() as address:
        sharded = _crowd(address, "sharded", COUPONS)
        with _one_item_for_all():
            single = _crowd(address, "single", OF_ONE_ITEM)
    note = f"{COUPONS:,} bearers' coupons, {REDEEMERS} redeemers; one counter for all: {single['share']:.0%}"
    return [
        row("writes of a limit of 1,000 that its hottest item takes", 100 * sharded["share"], "%", note),
        row("requests to that item", sharded["hottest"], "", f"for {sharded['redeemed']:,} redemptions; one counter for all: every one"),
        row("of these in flight at once, at most", sharded["peak"], "", f"one counter for all: {single['peak']}"),
        row("writes that met another in flight, a redemption", sharded["met"], "", f"conflicts; one counter for all: {single['met']:.2f}"),
        row("redemptions", sharded["rate"], "1/s", f"this process and engine on 2 cores; one counter for all: {single['rate']:.0f}"),
    ]


def _crowd(address: str, name: str, coupons: int) -> dict[str, Any]:
    engine.create_tables(engine.client(address), name, f"{name}keys")
    table = RandomlyFailing(address, name)
    house = House(table, engine.table(address, f"{name}keys")).create()
    house.publish("programme", "points", PROGRAMME)
    crowd = Crowd(house, LIMIT).prepare(coupons, owned=False)
    started = time.perf_counter()
    tried = crowd.redeem_all(REDEEMERS, each_by=1, only=1)
    seconds = time.perf_counter() - started
    redeemed = sum(each.redeemed for each in tried)
    if redeemed != min(LIMIT, coupons):
        raise AssertionError(f"{redeemed} of {LIMIT} were redeemed")
    items = [keys.quota(house.tenant, KEY, shard).pk for shard in range(quota_shards(LIMIT))]
    return {
        "share": shares(table.tries, items),
        "hottest": max(table.tries[item] for item in items),
        "met": sum(table.met[item] for item in items) / redeemed,
        "peak": max(table.peak[item] for item in items),
        "rate": redeemed / seconds,
        "redeemed": redeemed,
    }


@contextmanager
def _one_item_for_all() -> Iterator[None]:
    """What a limit without shards would be."""
    block: int = shards.QUOTA_BLOCK
    vars(shards)["QUOTA_BLOCK"] = LIMIT
    try:
        yield
    finally:
        vars(shards)["QUOTA_BLOCK"] = block


if __name__ == "__main__":
    for each in run():
        print(f"{each['name']:50} {each['figure']:>8} {each['unit']:4} {each['note']}")
