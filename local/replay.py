"""Replay a file of events through the engine, in this process, without AWS: who would have what, had these definitions held.

DEFINITIONS is a JSON file, or a folder of them: settings, locations, catalogue, programmes, offers, segments, challenges, as the API
takes them.
EVENTS has one event a line: registration, purchase, return, void, event, coupon, challenge, adjustment, transfer, conversion.
OUT gets balances.csv, ledger.csv, tiers.csv, segments.csv, challenges.csv, coupons.csv and summary.json; the same input gives the same
bytes.

docs/replay.md explains every field. A first try:

  python -m local replay tests/cases/replay/coffee.json tests/cases/replay/coffee.jsonl --out .local/replay
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from local import console
from local.replay_definitions import read_definitions
from local.replay_files import Files
from shared.http.body import refusal_of
from shared.kernel.errors import InvalidValue
from shared.kernel.instants import Instant, parse_rfc3339
from shared.replay.engine import Replay, original_of
from shared.replay.events import EVENT, ReplayEvent, Return, Void
from shared.replay.seen import Fingerprint, fingerprint

WRONG = 2
_SHOWN = 20
_COLLECT_EVERY = 200_000
"""Objects between two searches for garbage; Python's own choice is 700."""
_EVERY = 2000
"""Lines between two looks at the progress."""


@dataclass
class Bad:
    """Lines that are no events."""

    keep_going: bool
    count: int = 0
    shown: list[str] = field(default_factory=list)

    def add(self, number: int, raw: bytes, error: ValidationError) -> None:
        """Count it, or stop at it."""
        what = "; ".join(f"{each.pointer or '/'}: {each.code}: {each.detail}" for each in refusal_of(error, raw).errors)
        text = f"line {number}: {what}"
        if not self.keep_going:
            raise BadInput(text, "Nothing after it was replayed. Correct the line, or leave such lines out with --keep-going.")
        self.count += 1
        if len(self.shown) < _SHOWN:
            self.shown.append(text)


class BadInput(console.Failure):
    """The input cannot be used: exit status 2."""


def add_parser(subparsers: Any) -> None:
    """``python -m local replay``."""
    parser = subparsers.add_parser("replay", help="run a file of events through the engine, without AWS", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("definitions", type=Path, metavar="DEFINITIONS", help="JSON file, or folder of JSON files")
    parser.add_argument("events", type=Path, metavar="EVENTS", help="JSON lines")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results, made if it is not there")
    parser.add_argument("--until", metavar="TIME", help="let time pass up to this instant (RFC 3339; default: the last event's)")
    parser.add_argument("--keep-going", action="store_true", help="skip lines that are no events, and report them")
    settled = "purchases have happened: coupons and points that cannot be used are left aside, nothing is refused"
    parser.add_argument("--settled", action="store_true", help=settled)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Replay. 0, or 2 with an explanation where the input cannot be used."""
    try:
        _replay(options)
    except console.Failure as failure:
        console.failed(failure)
        return WRONG
    return 0


def _replay(options: argparse.Namespace) -> None:
    until, bad = _until(options.until), Bad(options.keep_going)
    if not options.events.is_file():
        raise BadInput(f"there is no file {options.events}", "It holds one JSON event a line; docs/replay.md shows them.")
    with console.step("definitions") as notes:
        definitions, catalogue = read_definitions(options.definitions)
        notes.append(f"{len(definitions.definitions)} definitions, {len(catalogue)} items")
    with console.step("looking for returns") as notes:
        wanted = sales_that_come_back(options.events)
        notes.append(f"{len(wanted)} sales come back")
    with Files(options.out) as files:
        replay = Replay(definitions, catalogue, hear=files.hear, keeps=wanted, settled=options.settled)
        started, cpu = time.monotonic(), time.process_time()
        with console.step("events", spinner=False) as notes:
            # States live to the end and hold no cycles: looking for garbage among them again and again costs an eighth of the time.
            gc.freeze()
            gc.set_threshold(_COLLECT_EVERY)
            lines = feed(replay, options.events, bad)
            seconds, worked = time.monotonic() - started, time.process_time() - cpu
            notes.append(f"{lines} lines, {lines / max(seconds, 1e-9):,.0f}/s ({lines / max(worked, 1e-9):,.0f} a second of CPU)")
        with console.step("time passes to the end"):
            replay.finish(until)
        end = replay.last if until is None else until
        summary = files.finish(replay, end, {"lines": lines, "bad_lines": bad.count, "returns_waiting": replay.waiting})
    _show(summary, options.out, bad)


def feed(replay: Replay, events: Path, bad: Bad) -> int:
    """Feed every line; answers how many there were. Blank lines are none."""
    read, count, size = EVENT.validate_json, 0, events.stat().st_size
    rate = TextColumn("{task.fields[rate]}")
    columns = (TextColumn("    {task.description}"), BarColumn(), TaskProgressColumn(), rate, TimeRemainingColumn())
    started = time.monotonic()
    with Progress(*columns, transient=True, disable=not console.is_terminal()) as progress, events.open("rb") as opened:
        bar = progress.add_task("events", total=size, rate="")
        done = 0
        for number, raw in enumerate(opened, 1):
            done += len(raw)
            if number % _EVERY == 0:
                progress.update(bar, completed=done, rate=f"{number / (time.monotonic() - started):,.0f}/s")
            if raw.isspace():
                continue
            count += 1
            try:
                event = read(raw, strict=True)
            except ValidationError as error:
                bad.add(number, raw, error)
                continue
            replay.feed(event)
    return count


def sales_that_come_back(events: Path) -> set[Fingerprint]:
    """The sales that returns and voids of the file name: only these are kept in memory.

    Reads the whole file once, and parses only the lines that may be returns or voids.
    """
    with events.open("rb") as opened:
        return {fingerprint(original_of(each)) for each in _reversals(opened)}


def _reversals(lines: Any) -> Iterator[Return | Void]:
    for raw in lines:
        if b'"return"' not in raw and b'"void"' not in raw:
            continue
        try:
            event: ReplayEvent = EVENT.validate_json(raw, strict=True)
        except ValidationError:
            continue  # reported when it is fed
        if isinstance(event, Return | Void):
            yield event


def _until(text: str | None) -> Instant | None:
    try:
        return parse_rfc3339(text) if text is not None else None
    except InvalidValue as error:
        raise BadInput(f"--until: {error}", "For example --until 2026-12-31T23:59:59Z.") from None


def _show(summary: dict[str, Any], out: Path, bad: Bad) -> None:
    columns = ("earned", "spent", "expired", "reversed", "outstanding", "liability")
    rows = [(name, *(sums[each] for each in columns)) for name, sums in summary["wallets"].items()]
    if rows:
        console.table(("wallet", *columns[:-1], f"liability ({summary['currency']}, minor units)"), rows)
    for what, number in summary["refusals"].items():
        console.say(f"    refused: {number} x {what}")
    for text in bad.shown:
        console.say(f"    skipped {text}")
    if bad.count > len(bad.shown):
        console.say(f"    skipped {bad.count - len(bad.shown)} lines more")
    console.say(f"    {out}: balances.csv ledger.csv tiers.csv segments.csv coupons.csv challenges.csv summary.json")
