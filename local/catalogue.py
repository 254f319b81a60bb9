"""A tenant's catalogue from a CSV file, over the public API.

``import FILE`` checks every line first, and stores nothing if one does not fit; ``--dry-run`` checks alone. The columns are in
docs/tenants.md. What is stored already is left alone, so that a run that broke off is simply repeated.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from local import console
from local.client import Client, Refused
from local.definitions import client_of

AT_ONCE: Final = 500
_SHOWN: Final = 20
_MOST: Final = 100
_LINES: Final = 8
"""Lines that are named of one kind of mistake."""


class Part(NamedTuple):
    """Some lines of a file, with the line of columns. ``lines``: where each of its records ends in the file."""

    text: str
    lines: tuple[int, ...]


def parts_of(text: str, size: int = AT_ONCE) -> Iterator[Part]:
    """A file in parts of at most so many records; empty lines are left out."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        columns = next(reader, [])
        records = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise console.Failure(f"line {reader.line_num}: not CSV: {error}") from None
    for start in range(0, max(len(records), 1), size):
        some = records[start : start + size]
        written = io.StringIO(newline="")
        # One line a record, so that the lines that are answered lead back to those of the file.
        csv.writer(written).writerows([columns, *([" ".join(cell.splitlines()) for cell in cells] for _, cells in some)])
        yield Part(written.getvalue(), (1, *(line for line, _ in some)))


def import_file(client: Client, text: str, *, dry_run: bool) -> dict[str, int]:
    """Check every part, then store them. ``Failure`` with what is wrong, by the lines of the file; nothing is stored then."""
    parts, problems = list(parts_of(text)), list[str]()
    for part in parts:
        try:
            client.post("/v1/catalogue/items/import", {"csv": part.text, "dry_run": True})
        except Refused as refusal:
            problems += _problems(refusal, part)
    problems += _twice(text)
    if problems:
        raise console.Failure(told(problems), "Mend the file, then run it again.")
    counts = {"items": sum(len(part.lines) - 1 for part in parts), "created": 0, "replaced": 0, "unchanged": 0}
    for part in parts if not dry_run else ():
        answer = client.post("/v1/catalogue/items/import", {"csv": part.text, "dry_run": False})
        for name in ("created", "replaced", "unchanged"):
            counts[name] += answer[name]
    return counts


def told(problems: list[str]) -> str:
    """The mistakes for a person: what is wrong in the same way stands once, with the first of its lines."""
    alike: dict[tuple[str, str], list[str]] = {}
    for each in problems:
        where, _, what = each.partition(": ")
        line, _, column = where.partition(", ")
        alike.setdefault((column, what), []).append(line.removeprefix("line "))
    shown = []
    for (column, what), lines in list(alike.items())[:_SHOWN]:
        more = f" and {len(lines) - _LINES} more" if len(lines) > _LINES else ""
        word = "line" if len(lines) == 1 else "lines"
        shown.append(f"{word} {', '.join(lines[:_LINES])}{more}{', ' + column if column else ''}: {what}")
    # The interface names so many of a part and stops there.
    number = "1 mistake" if len(problems) == 1 else f"{'at least ' if len(problems) >= _MOST else ''}{len(problems)} mistakes"
    return f"{number}, nothing was stored:\n" + "\n".join(shown)


def _problems(refusal: Refused, part: Part) -> list[str]:
    found = []
    for each in refusal.problem.get("errors", []):
        # What is wrong with the file as such has no line: its first says so.
        line, *column = each["pointer"].split("/")[2:] or ["1"]
        where = part.lines[int(line) - 1] if line.isdigit() and 0 < int(line) <= len(part.lines) else line
        found.append(f"line {where}{', ' + column[0] if column else ''}: {each.get('detail') or each['code']}")
    return found or [str(refusal)]


def _twice(text: str) -> list[str]:
    """Ids that stand in two parts, which no part by itself can see."""
    seen: dict[str, int] = {}
    found = []
    for number, part in enumerate(parts_of(text)):
        rows = csv.DictReader(io.StringIO(part.text, newline=""))
        for line, row in zip(part.lines[1:], rows, strict=False):
            id_ = (row.get("id") or "").strip()
            if seen.setdefault(id_, number) != number:
                found.append(f"line {line}, id: this id stands twice in the file")
    return found


def add_parser(subparsers: Any) -> None:
    """``python -m local catalogue``."""
    parser = subparsers.add_parser("catalogue", help="a tenant's catalogue from a CSV file", description=__doc__)
    parser.add_argument("what", choices=("import",))
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--tenant", required=True, help="whose it is; a key of another tenant is refused before anything is sent")
    parser.add_argument("--url", help="address of the API; the local instance's unless given")
    parser.add_argument("--dry-run", action="store_true", help="check alone")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check or import."""
    try:
        text = options.file.read_text(encoding="utf-8")
    except OSError as error:
        raise console.Failure(f"{options.file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise console.Failure(f"{options.file} is not UTF-8 (byte {error.start + 1})", "Save it as UTF-8, then run it again.") from None
    counts = import_file(client_of(options.tenant, options.url), text, dry_run=options.dry_run)
    became = ", ".join(f"{counts[name]} {name}" for name in ("created", "replaced", "unchanged"))
    done = "checked, nothing was stored" if options.dry_run else became
    console.say(f"{counts['items']} items: {done}.")
    return 0
