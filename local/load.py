"""Load a shop's files through the public interface: locations, catalogue, members and receipts, as a data team would.

The mapping (DIR/mapping.toml, or --mapping) says which column is which field. Members and receipts go through the bulk
routes: a job each 500 records, its counts and every refused record shown. Days are shifted so that the last one is today.
Receipts of earlier days are history and send no message; those of the last day may be live.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from local import clock, console
from local.client import Client
from local.env import read_env, running_instance
from local.mapping import Mapping
from local.shop import Shop
from local.store import Store

BATCH = 250
_JOBS_AT_ONCE = 4
_JOB_SECONDS = 300


@dataclass(slots=True)
class Loaded:
    """What a load came to."""

    accepted: int = 0
    replayed: int = 0
    warned: int = 0
    refused: list[dict[str, Any]] = field(default_factory=list)
    refused_count: int = 0
    records: int = 0
    seconds: float = 0.0

    def add(self, job: dict[str, Any]) -> None:
        """Count a finished job."""
        self.accepted += job.get("accepted", 0)
        self.replayed += job.get("replayed", 0)
        self.warned += job.get("warned", 0)
        self.refused_count += job.get("refused_count", 0)
        self.refused += job.get("refused", [])

    def text(self) -> str:
        """In words."""
        rate = f", {self.records / self.seconds:.0f}/s" if self.seconds > 0.5 and not self.replayed else ""
        warned = f", {self.warned} with warnings" if self.warned else ""
        return f"{self.accepted} accepted, {self.replayed} known before, {self.refused_count} refused{warned}{rate}"


def define(client: Client, shop: Shop) -> None:
    """Locations and catalogue."""
    client.put("/v1/locations", {"locations": shop.locations()})
    for chunk in _chunks(shop.items(), 200):
        client.put("/v1/catalogue/items", {"items": chunk})


def load_members(client: Client, bodies: Iterable[dict[str, Any]]) -> Loaded:
    """Members through the bulk route."""
    return _load(client, "/v1/members/bulk", "members", list(bodies), {})


def load_receipts(client: Client, bodies: Sequence[dict[str, Any]], mode: str) -> Loaded:
    """Receipts through the bulk route, in one mode."""
    return _load(client, "/v1/transactions/bulk", "transactions", bodies, {"mode": mode})


def _load(client: Client, path: str, name: str, bodies: Sequence[dict[str, Any]], extra: dict[str, Any]) -> Loaded:
    loaded, started = Loaded(records=len(bodies)), time.monotonic()
    with _progress() as progress:
        bar = progress.add_task(name, total=len(bodies))
        waiting: list[tuple[str, int]] = []
        for chunk in _chunks(bodies, BATCH):
            job = client.post(path, {name: chunk, **extra})
            waiting.append((job["job_id"], len(chunk)))
            if len(waiting) >= _JOBS_AT_ONCE:
                _finish(client, *waiting.pop(0), loaded, progress, bar)
        for job_id, records in waiting:
            _finish(client, job_id, records, loaded, progress, bar)
    loaded.seconds = time.monotonic() - started
    return loaded


def _finish(client: Client, job_id: str, records: int, loaded: Loaded, progress: Progress, bar: Any) -> None:
    until = time.monotonic() + _JOB_SECONDS
    while (job := client.get(f"/v1/jobs/{job_id}"))["status"] != "done":
        if time.monotonic() > until:
            raise console.Failure(f"job {job_id} does not end", "See `python -m local dlq` for its message and the reason.")
        time.sleep(0.1)
    loaded.add(job)
    progress.advance(bar, records)


def _progress() -> Progress:
    columns = (TextColumn("    {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, transient=True, disable=not console.is_terminal())


def _chunks(bodies: Sequence[dict[str, Any]], size: int) -> Iterable[list[dict[str, Any]]]:
    for start in range(0, len(bodies), size):
        yield list(bodies[start : start + size])


def today(store: Store, time_zone: str) -> date:
    """The shop's calendar day by the local stage's clock."""
    return datetime.fromtimestamp(clock.now(store) / 1000, UTC).astimezone(ZoneInfo(time_zone)).date()


def before_the_first(store: Store, receipts: Sequence[dict[str, Any]]) -> None:
    """Move the local clock to an hour before the first receipt: what is defined now holds when the shop opens.

    A sale is decided with what was in force at its time; without this, the whole week would lie before the programme.
    """
    first = min((datetime.fromisoformat(each["occurred_at"]) for each in receipts), default=None)
    if first is not None:
        clock.move(store, int(first.timestamp() * 1000) - 3_600_000 - clock.now(store))


def end_the_day(store: Store, receipts: Sequence[dict[str, Any]]) -> bool:
    """The present again or, where today's last receipt lies ahead, a minute behind it: the whole day has happened.

    Answers whether the clock is ahead of the wall's.
    """
    clock.reset(store)
    last = max((datetime.fromisoformat(each["occurred_at"]) for each in receipts), default=None)
    if last is None:
        return False
    ahead = int(last.timestamp() * 1000) + 60_000 - clock.now(store)
    if ahead > 0:
        clock.move(store, ahead)
    return ahead > 0


def show_refused(loaded: Loaded) -> None:
    """The first refused records, with their reasons."""
    for each in loaded.refused[:5]:
        console.say(f"      record {each['index']}: {each['code']} {each['detail']} {each.get('errors', '')}")


def add_parser(subparsers: Any) -> None:
    """``python -m local load``."""
    parser = subparsers.add_parser("load", help="load a shop's files through the public interface", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("folder", type=Path, help="folder of CSV files")
    parser.add_argument("--mapping", help="mapping file (default: mapping.toml in the folder, or ours of the folder's name)")
    parser.add_argument("--location", help="only this location's receipts")
    parser.add_argument("--live", action="store_true", help="the last day as live sales: campaigns may react")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Load everything into the tenant of the mapping, which is made if it is not there."""
    from local.setting import tenant_client

    running_instance()
    facts = read_env()
    store = Store.of(facts)
    mapping = Mapping.for_folder(options.folder, options.mapping)
    shop = Shop(options.folder, mapping, today(store, mapping.shop.time_zone))
    client = tenant_client(facts, mapping)
    with console.step("locations and catalogue") as notes:
        define(client, shop)
        notes.append(f"{len(shop.items())} items")
    with console.step("members", spinner=False) as notes:
        members = load_members(client, shop.members())
        notes.append(members.text())
    show_refused(members)
    receipts = shop.receipts(options.location)
    if end_the_day(store, receipts):
        console.say("    the local clock was moved to the end of the last day")
    last = shop.days()[-1].isoformat()
    parts = [("history", [each for each in receipts if each["business_date"] != last], "historical")]
    parts.append(("last day", [each for each in receipts if each["business_date"] == last], "live" if options.live else "historical"))
    for name, bodies, mode in parts:
        with console.step(f"receipts, {name} ({mode})", spinner=False) as notes:
            sales = load_receipts(client, bodies, mode)
            notes.append(sales.text())
        show_refused(sales)
    for why, count in sorted(shop.skipped.items()):
        console.say(f"    left out: {count} x {why}")
    return 0
