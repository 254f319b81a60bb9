"""The deployed system on the local AWS: a till's latency cold and warm, purchases per second, bulk receipts per second.

Everything - client, gateway, functions, table engine - shares the machine's cores, so the figures are lower bounds and only
compare with each other.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from local import console, deploy, load
from local.client import Client
from local.mapping import Mapping
from local.ministack import Instance
from local.setting import define_programme, define_segments, ensure_tenant, wait_until_in_force
from local.shop import Shop
from local.store import Store
from tests.benchmarks.rows import Row, row

SAMPLE = Path(__file__).parents[2] / "events" / "samples" / "coffee_day"
_WARM = 150
_SECONDS = 8
_CLIENTS = 4
_BULK = 1000


class Till:
    """A till with its own connection and receipt numbers."""

    def __init__(self, client: Client, name: str, item: str, price: int) -> None:
        self.client = client
        self.name = name
        self.item = item
        self.price = price
        self.number = 0

    def basket(self, member: str) -> dict[str, Any]:
        """One item."""
        line = {"id": "1", "item_id": self.item, "unit_price": self.price}
        body = {"source": self.name, "location_id": "1", "currency": "USD", "member": {"id": member}, "lines": [line]}
        return {**body, "occurred_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}

    def sale(self, member: str) -> dict[str, Any]:
        """A finished sale with a number of its own."""
        self.number += 1
        return {**self.basket(member), "business_date": datetime.now(UTC).date().isoformat(), "receipt_number": str(self.number)}

    def whole(self, member: str) -> float:
        """Identify, quote and record; milliseconds."""
        started = time.perf_counter()
        self.client.post("/v1/members/identify", {"id": member})
        self.client.post("/v1/quotes", self.basket(member))
        self.client.post("/v1/transactions", self.sale(member))
        return (time.perf_counter() - started) * 1000


def run() -> list[Row]:
    """Deploy afresh, measure, stop. About a minute."""
    home = Path(tempfile.mkdtemp())
    instance = Instance.start(home / "aws")
    try:
        outputs = deploy.deploy(instance)
        facts = {"api_url": outputs["ApiUrl"], "operator_key": deploy.operator_key(instance, outputs)}
        return _measure(Store.at(instance.endpoint, outputs), facts, home)
    finally:
        instance.stop()


def _measure(store: Store, facts: dict[str, Any], home: Path) -> list[Row]:
    mapping = Mapping.for_folder(SAMPLE)
    assert mapping.story is not None
    keys = ensure_tenant(facts, mapping, home)
    clients = {holder: Client(facts["api_url"], key) for holder, key in keys.items()}
    shop = Shop(SAMPLE, mapping)
    load.define(clients["data_team"], shop)
    define_programme(clients["marketer"])
    define_segments(clients["marketer"], mapping.story)
    wait_until_in_force(store, clients["marketer"].get("/v1/segments")["data"])
    item = shop.items()[0]
    joined = [{"identifiers": [{"kind": "card", "value": f"B{number:05d}"}], "source": "bench"} for number in range(64)]
    members = [clients["app"].post("/v1/members", body)["member_id"] for body in joined]
    till = Till(clients["till"], "bench", item["id"], item["price"])
    cold = till.whole(members[0])
    for number in range(20):
        till.whole(members[number])
    warm = sorted(till.whole(members[number % 64]) for number in range(_WARM))
    rows = [
        row("till: identify + quote + record, cold", cold, "ms", "the first calls after the deployment: every function starts"),
        row("till: the same, warm, mean", statistics.mean(warm), "ms", "tills require <= 500, aim <= 150"),
        row("till: the same, warm, 95 %", warm[int(0.95 * len(warm))], "ms"),
    ]
    tills = [Till(clients["till"].as_(keys["till"]), f"bench{number}", item["id"], item["price"]) for number in range(_CLIENTS)]
    works: list[Callable[[], object]] = [partial(_sell, each, members) for each in tills]
    _hammer(works)  # Every till gets a worker of its own first: their cold starts are not what is measured.
    rate = _hammer(works) / _SECONDS
    note = "client, gateway, function, table and relay on the same 2 cores"
    rows.append(row(f"purchases per second, {_CLIENTS} tills", rate, "1/s", note))
    rows.append(row("purchases per second and core", rate / 2, "1/s"))
    bodies = [Till(clients["till"], f"bulk{number}", item["id"], item["price"]).sale(members[number % 64]) for number in range(_BULK)]
    loaded = load.load_receipts(clients["data_team"], bodies, "historical")
    rows.append(row("receipts per second through the bulk route", loaded.records / loaded.seconds, "1/s", f"{loaded.accepted} accepted"))
    return rows


def _sell(till: Till, members: list[str]) -> None:
    till.client.post("/v1/transactions", till.sale(members[till.number % len(members)]))


def _hammer(works: list[Callable[[], object]]) -> int:
    """How often all clients together got their work done; bounded in time."""
    counts = [0] * len(works)
    until = time.monotonic() + _SECONDS

    def client(number: int) -> None:
        while time.monotonic() < until:
            works[number]()
            counts[number] += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


if __name__ == "__main__":
    console.title("Benchmark of the local deployment")
    for each in run():
        print(each)
