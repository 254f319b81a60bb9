"""What a million purchases cost: units measured in this run, list prices of us-east-1 (check them before you rely on them)."""

from __future__ import annotations

from tests.benchmarks.rows import Row, row

PRICES = {
    "write unit": 0.625,
    "read unit": 0.125,
    "HTTP API request": 1.00,
    "Lambda request": 0.20,
    "Lambda GB-second, arm64": 13.3334,
    "event": 1.00,
    "queue request": 0.40,
    "GB of logs": 0.50,
}
"""Per million, but for the last, which is per GB."""
_LOG_BYTES = 1100
"""The log line and the metrics of one sale, as measured (shared/http/app.py)."""
_HANDLER_MS = 15
"""Duration of the handler on Lambda: an estimate, two calls of DynamoDB of 4 to 7 ms each and 3 ms of its own CPU."""
_MEMORY_GB = 1.0
_RELAY_BATCH = 10
"""Commits that the relay finds together at a steady load: an assumption."""
_QUEUES = 2
"""``planning`` and ``snapshots`` take every sale; ``segments`` takes those that flip a membership."""
_QUEUE_REQUESTS = 1.2
"""Of a message: it is sent alone by the bus, received and deleted with nine others."""
_MARKED = 20
"""Commits that one mark of the snapshot's keeper names, five seconds' worth at a steady load: an assumption."""
_MARK_SECONDS = 0.05


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _snapshot(reads: float) -> float:
    """A mark shared by some sales, and each member read once more when the marks are merged."""
    marking = PRICES["write unit"] + PRICES["Lambda request"] + _MARK_SECONDS * _MEMORY_GB * PRICES["Lambda GB-second, arm64"]
    return marking / _MARKED + reads * PRICES["read unit"]


def run(measured: list[Row]) -> list[Row]:
    """Rows from the rows of the purchase benchmark."""
    units = {each["name"]: each["figure"] for each in measured}
    writes, reads = (_mean([value for name, value in units.items() if name.startswith(kind)]) for kind in ("write units", "read units"))
    parts = {
        "gateway": PRICES["HTTP API request"],
        "handler": PRICES["Lambda request"] + _HANDLER_MS / 1000 * _MEMORY_GB * PRICES["Lambda GB-second, arm64"],
        "table": writes * PRICES["write unit"] + reads * PRICES["read unit"],
        "relay": (PRICES["Lambda request"] + 0.03 * 0.5 * PRICES["Lambda GB-second, arm64"]) / _RELAY_BATCH,
        "bus": PRICES["event"],
        "queues": _QUEUES * _QUEUE_REQUESTS * PRICES["queue request"],
        "snapshot": _snapshot(reads),
        "logs": _LOG_BYTES / 1000 * PRICES["GB of logs"],
    }
    rows = [row(f"USD per million purchases: {name}", cost, "USD") for name, cost in parts.items()]
    note = f"{writes:.1f} write units and {reads:.1f} read units on average; must <= 10, aim <= 8"
    return [*rows, row("USD per million purchases, whole path", sum(parts.values()), "USD", note)]
