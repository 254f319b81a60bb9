"""Limits: what counting calls costs, and one normal tenant beside one that floods, on the deployed local AWS.

The flood comes from a process of its own and ends by itself; client, flood, gateway, functions and table engine share the machine's cores,
so that a refusal, too, takes from the normal tenant what it costs to make. On AWS it would not: each function has its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local import deploy
from local.client import Client
from local.ministack import Instance
from shared.limits.buckets import TableBuckets
from shared.limits.leases import Limits, Policy, pay
from shared.limits.plans import PLANS
from shared.limits.rates import Rates
from shared.limits.rules import Count, Payment
from shared.storage import keys_limits
from shared.storage.keys import Key
from tests.benchmarks.rows import Row, row
from tests.fakes import engine

ROOT = Path(__file__).parents[2]
SALES_A_SECOND = 5
SECONDS = 12
THREADS = 2
WARM_SECONDS = 8
SCOPES = ["members:register", "transactions:write", "transactions:read"]
SLOW = {"per_second": 5, "burst": 5}
WIDE = {"per_second": 20_000, "burst": 100_000}


class _Memory:
    """Buckets in memory, which count what would be written."""

    def __init__(self) -> None:
        self.levels: dict[Key, int] = {}
        self.writes = 0

    def move(self, key: Key, wanted: Payment, now: int) -> tuple[bool, int | None]:
        level = self.levels.get(key)
        self.writes += 1
        low = level is None or level < wanted.floor
        if low != wanted.lift or (not low and (level or 0) > wanted.ceiling):
            return False, level
        self.levels[key] = (wanted.floor if wanted.lift else level or 0) + wanted.cost
        return True, self.levels[key]


def run() -> list[Row]:
    """About two minutes."""
    return [*_counting(), *_leasing(), *_noisy()]


def _counting() -> list[Row]:
    """A tenant on the standard plan at half its rate, over four environments; and what deciding costs in CPU."""
    rows = []
    rates = Rates(PLANS["standard"].tenant_rate, PLANS["standard"].key_rate)
    for per_second, environments in ((100, 4), (150, 2), (5, 4)):
        clock, memory = [0], _Memory()
        fleet = [Limits.fresh(lambda clock=clock: clock[0]) for _ in range(environments)]  # type: ignore[misc]
        calls = 120 * per_second
        started = time.process_time()
        for number in range(calls):
            clock[0] = 1_800_000_000_000 + number * 1000 // per_second
            fleet[number % environments].admit("demo", "key", rates, lambda memory=memory: memory, finishes=False)  # type: ignore[misc]
        spent = (time.process_time() - started) * 1e6 / calls
        what = f"{per_second} calls/s over {environments} environments"
        rows.append(row(f"{what}: writes per call", memory.writes / calls, "", "tenant and credential together; aim <= 0.02"))
        rows.append(row(f"{what}: CPU per call", spent, "us", "deciding, headers, and what of paying is ours"))
    return rows


def _leasing() -> list[Row]:
    """One payment on the table engine: what the one call in hundreds waits for."""
    with engine.running_engine() as address:
        client = engine.client(address)
        engine.create_tables(client, "main", "keys", stream=False)
        buckets, times = TableBuckets(engine.table(address, "main")), []
        policy = Policy("tenant", keys_limits.rate("demo", "tenant"), PLANS["standard"].tenant_rate)
        for number in range(300):
            started = time.perf_counter()
            pay(buckets, policy, Count(calls=1), 1_800_000_000_000 + number * 1000)
            times.append((time.perf_counter() - started) * 1000)
    times.sort()
    return [
        row("a payment: 50 %", times[150], "ms", "one conditional UpdateItem; all other calls wait for nothing"),
        row("a payment: 99 %", times[297], "ms", "given up after 300 ms, and the call is let through"),
    ]


class _Tenant:
    """A tenant with a key and a member."""

    def __init__(self, facts: dict[str, str], name: str, rate: dict[str, int]) -> None:
        operator = Client(facts["api_url"], facts["operator_key"])
        plan = {"name": "standard", "tenant_rate": rate, "key_rate": rate}
        settings = {"name": name, "currency": "EUR", "time_zone": "Europe/Berlin", "plan": plan}
        operator.post("/v1/tenants", {"id": name, "settings": settings})
        self.key = operator.post(f"/v1/tenants/{name}/keys", {"scopes": SCOPES, "label": "till"})["key"]
        self.client = Client(facts["api_url"], self.key)
        self.number = 0

    def sale(self) -> float:
        """Milliseconds of an anonymous sale."""
        self.number += 1
        now = datetime.now(UTC)
        line = {"id": "1", "item_id": "x", "unit_price": 500}
        body = {"source": "bench", "location_id": "mitte", "currency": "EUR", "lines": [line], "receipt_number": str(self.number)}
        body |= {"business_date": now.date().isoformat(), "occurred_at": now.strftime("%Y-%m-%dT%H:%M:%SZ")}
        started = time.perf_counter()
        self.client.post("/v1/transactions", body)
        return (time.perf_counter() - started) * 1000


def _noisy() -> list[Row]:
    home = Path(tempfile.mkdtemp())
    instance = Instance.start(home / "aws")
    try:
        outputs = deploy.deploy(instance)
        facts = {"api_url": outputs["ApiUrl"], "operator_key": deploy.operator_key(instance, outputs)}
        return noisy(facts)
    finally:
        instance.stop()


def noisy(facts: dict[str, str], seconds: float = SECONDS) -> list[Row]:
    """The normal tenant alone, and beside a flood without limits, with limits, and of one who heeds them; in turns in one run."""
    normal, free, bound = (_Tenant(facts, name, rate) for name, rate in (("normal", WIDE), ("freeflood", WIDE), ("slowflood", SLOW)))
    for _ in range(20):
        normal.sale()
    # As many environments as the flood has threads: their cold starts are not what is measured.
    _ended(_flooding(facts, free, WARM_SECONDS, patient=False))
    rows = _figures("alone", _sold(normal, seconds), {})
    for what, flooder, patient in (
        ("beside a flood, no limits", free, False),
        ("beside a flood, limited to 5/s", bound, False),
        ("beside a flood that heeds its 429", bound, True),
    ):
        flood = _flooding(facts, flooder, seconds + 2, patient=patient)
        try:
            time.sleep(1)
            times = _sold(normal, seconds)
        finally:
            answers = _ended(flood)
        rows += _figures(what, times, answers)
    return rows


def _flooding(facts: dict[str, str], flooder: _Tenant, seconds: float, *, patient: bool) -> subprocess.Popen[str]:
    """A flood that is under way."""
    command = [sys.executable, "-m", "tests.benchmarks.flooding", f"{facts['api_url']}/v1/jobs/job_01ARZ3NDEKTSV4RRFFQ69G5FAV"]
    command += [str(seconds), str(THREADS), str(int(patient))]
    flood = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert flood.stdin is not None
    flood.stdin.write(flooder.key + "\n")
    flood.stdin.close()
    return flood


def _ended(flood: subprocess.Popen[str]) -> dict[str, int]:
    """Its answers by status, once its time is over."""
    assert flood.stdout is not None
    with flood.stdout:
        answers: dict[str, int] = json.loads(flood.stdout.read())
    flood.wait()
    return answers


def _sold(tenant: _Tenant, seconds: float) -> list[float]:
    """Latencies of paced sales. One that is late delays the next, as at a till."""
    times, begun = [], time.monotonic()
    for number in range(int(seconds * SALES_A_SECOND)):
        time.sleep(max(0.0, begun + number / SALES_A_SECOND - time.monotonic()))
        times.append(tenant.sale())
    return sorted(times)


def _figures(what: str, times: list[float], answers: dict[str, Any]) -> list[Row]:
    answered, refused = sum(count for status, count in answers.items() if status != "429"), answers.get("429", 0)
    note = f"the flood: {answered} answered, {refused} refused" if answers else f"{SALES_A_SECOND} sales a second"
    shares = ((50, times[len(times) // 2]), (95, times[int(0.95 * len(times))]), (99, times[int(0.99 * len(times))]))
    return [row(f"normal tenant {what}: {share} %", value, "ms", note) for share, value in shares]
