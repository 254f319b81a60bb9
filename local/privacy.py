"""The record of processing (Art. 30 GDPR) as a document: docs/processing.md, from the registry of personal data."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from local.openapi import write_or_check
from shared.privacy.registry import ENTRIES, MEASURES, PURPOSES, Ending, Entry

PAGE: Final = Path("docs/processing.md")
_INTRODUCTION: Final = """\
# Record of processing activities

For Art. 30(1) and (2) GDPR. Generated from `shared/privacy/registry.py` by `python -m local privacy`; change the registry, not this page.
The tenant (the restaurant or shop) is the controller, whoever runs the stage its processor. What a controller adds: names and
contacts, its own legal grounds where they differ, its periods for books, sub-processors of its contract. How rights are answered
stands in [privacy.md](privacy.md).

Data subjects: guests who are members, and those whom an import brings; where an entry says so, the tenant's staff and people who try
things out for it. Transfers to third countries: none by the product; all data stays in the region of the stage.
"""
_ENDINGS: Final[dict[Ending, str]] = {
    "deleted": "deleted",
    "key destroyed": "destroyed last",
    "stripped": "personal part deleted, the rest kept under an id that leads to nobody",
    "kept": "kept under an id that leads to nobody",
    "of no guest": "not a guest's: left as it is, for as long as said above",
    "runs out": "goes with its period",
}


def documents() -> dict[Path, str]:
    """The page."""
    parts = [_INTRODUCTION]
    for name, purpose in PURPOSES.items():
        entries = [each for each in ENTRIES if name in each.purposes]
        parts.append(f"## {name.capitalize()}\n\n{purpose.summary}.\n")
        parts.append(f"* Legal ground: {purpose.basis}\n* Recipients: {purpose.recipients}\n")
        parts.append(_table(("Category", "What", "Kept for"), [(each.name, each.what, each.retention) for each in entries]))
    parts.append("## Where it lies, and what becomes of it at erasure\n")
    parts.append(_table(("Category", "Where", "Protected by", "At erasure"), [_place(each) for each in ENTRIES]))
    parts.append("## Technical and organisational measures (Art. 32)\n\n" + "\n".join(f"* {each}" for each in MEASURES) + "\n")
    return {PAGE: "\n".join(parts)}


def _place(entry: Entry) -> tuple[str, ...]:
    return entry.name, entry.place, entry.protection, _ENDINGS[entry.ending]


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def add_parser(subparsers: Any) -> None:
    """``python -m local privacy``."""
    parser = subparsers.add_parser("privacy", help="write docs/processing.md again, or --check it", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the committed document differs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write, or compare."""
    return write_or_check(documents(), check=options.check, again="python -m local privacy")
