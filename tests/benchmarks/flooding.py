"""A caller who asks as much as it can: ``python -m tests.benchmarks.flooding URL SECONDS THREADS PATIENT``, its key on standard input.

Prints how often it was answered with which status. It ends by itself. ``PATIENT`` is 1 for one that waits as Retry-After says.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from collections import Counter
from urllib.parse import urlsplit


def flood(url: str, key: str, seconds: float, threads: int, *, patient: bool) -> dict[int, int]:
    """Answers by status, of all threads together."""
    until, counts = time.monotonic() + seconds, Counter[int]()
    workers = [threading.Thread(target=_ask, args=(url, key, until, counts, patient)) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return dict(counts)


def _ask(url: str, key: str, until: float, counts: Counter[int], patient: bool) -> None:
    parts = urlsplit(url)
    headers = {"authorization": f"Bearer {key}", "connection": "keep-alive"}
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    while time.monotonic() < until:
        try:
            connection.request("GET", parts.path, None, headers)
            answer = connection.getresponse()
            answer.read()
        except (ConnectionError, http.client.HTTPException, TimeoutError):
            connection.close()
            counts[0] += 1
            continue
        counts[answer.status] += 1
        if patient and answer.status == 429:
            time.sleep(min(float(answer.getheader("retry-after") or "1"), max(0.0, until - time.monotonic())))


if __name__ == "__main__":
    _, address, given_seconds, given_threads, given_patient = sys.argv
    print(json.dumps(flood(address, sys.stdin.readline().strip(), float(given_seconds), int(given_threads), patient=given_patient == "1")))
