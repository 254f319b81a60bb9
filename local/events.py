"""The catalogue of domain events as files: a JSON Schema per type and for the envelope, and a sample of each."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Final

from local import console, tools
from local.openapi import write_or_check
from shared.relay.catalogue import CATALOGUE, envelope_schema, schema_of
from shared.relay.samples import sample_of

FOLDER: Final = Path("events")


def documents() -> dict[Path, str]:
    """Every generated file under ``events/``."""
    found: dict[Path, Any] = {FOLDER / "envelope.json": envelope_schema()}
    for event in CATALOGUE.values():
        name = event.type.replace("*", "any")
        found[FOLDER / f"{name}.json"] = schema_of(event)
        found[FOLDER / "samples" / f"{name}.json"] = sample_of(event)
    return {path: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for path, document in found.items()}


def strays(root: Path = tools.ROOT) -> list[Path]:
    """Files of types that are in the catalogue no longer."""
    generated = documents()
    there = [*(root / FOLDER).glob("*.json"), *(root / FOLDER / "samples").glob("*.json")]
    return sorted(file for file in there if file.relative_to(root) not in generated and "." in file.stem)


def add_parser(subparsers: Any) -> None:
    """``python -m local events``."""
    parser = subparsers.add_parser("events", help="write the schemas under events/ again, or --check them", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the committed files differ")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write, or compare."""
    left_over = strays()
    if options.check and left_over:
        names = ", ".join(str(file.relative_to(tools.ROOT)) for file in left_over)
        raise console.Failure(f"not in the catalogue: {names}", "Run `make events` and commit the result.")
    for file in left_over:
        file.unlink()
    return write_or_check(documents(), check=options.check, again="make events")
