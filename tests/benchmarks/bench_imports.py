"""Cold start: what importing each handler costs, against boto3 with a DynamoDB client, in fresh interpreters in turns."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.rows import Row, row

ROOT = Path(__file__).parents[2]
BASELINE = 'import boto3; boto3.client("dynamodb", region_name="us-east-1")'
FUNCTIONS = (
    "authorizer",
    "registration",
    "transaction_ingestion",
    "coupon_redemption",
    "sign_in",
    "tenancy",
    "tenant_removal",
    "administration",
    "media",
    "audiences",
    "segment_evaluation",
    "campaign_planning",
    "campaign_sending",
    "event_relay",
)
_ROUNDS = 5


def cpu_of(code: str) -> float:
    """CPU seconds of a fresh interpreter running the code, its own start included."""
    script = f"import time\n{code}\nprint(time.process_time())"
    # Byte code is there, as it is in a deployed asset: the first of the rounds writes it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env={**environment, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def run() -> list[Row]:
    """The best of some rounds each, in turns."""
    codes = {"baseline": BASELINE, "empty": ""}
    codes |= {name: f"import functions.{name}.handler" for name in FUNCTIONS}
    codes["with client"] = (
        "import functions.transaction_ingestion.handler\nfrom shared.storage.table import Table\n"
        'Table("t", "us-east-1", "http://127.0.0.1:1")._client'
    )
    best = dict.fromkeys(codes, float("inf"))
    for _ in range(_ROUNDS):
        for name, code in codes.items():
            best[name] = min(best[name], cpu_of(code))
    baseline = best["baseline"]
    rows = [row("import boto3 + DynamoDB client", baseline * 1000, "ms CPU", "the yardstick, fresh interpreter")]
    rows += [row(f"import {name}", best[name] * 1000, "ms CPU", f"{best[name] / baseline:.2f} x the yardstick") for name in FUNCTIONS]
    first = best["with client"]
    rows.append(row("import transaction_ingestion + its client", first * 1000, "ms CPU", "what a first sale waits for"))
    rows.append(row("the same / yardstick", first / baseline, "x", "must <= 1.25, aim <= 1.0"))
    return rows


if __name__ == "__main__":
    for each in run():
        print(each)
