"""The interface as documents: docs/openapi.json with the copy that ``GET /v1/openapi.json`` answers, and the language of segments."""

from __future__ import annotations

import argparse
import json
import tomllib
from pathlib import Path
from typing import Any, Final

from local import console, tools
from shared.http.openapi import render
from shared.segments.model import schema

PAGE: Final = Path("docs/openapi.json")
SHIPPED: Final = Path("functions/administration/openapi.json")
"""What the function answers: the same document without white space."""
LANGUAGE: Final = Path("docs/segments.schema.json")


def documents(root: Path = tools.ROOT) -> dict[Path, str]:
    """Both texts of the interface, with the version of pyproject.toml, and the schema that ``GET /v1/segments/schema`` answers."""
    version: str = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    text = render(version)
    language = json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
    return {PAGE: text, SHIPPED: json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False) + "\n", LANGUAGE: language}


def add_parser(subparsers: Any) -> None:
    """``python -m local openapi``."""
    parser = subparsers.add_parser("openapi", help="write docs/openapi.json again, or --check it", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the committed document differs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write, or compare."""
    return write_or_check(documents(), check=options.check, again="make openapi")


def write_or_check(wanted: dict[Path, str], *, check: bool, again: str, root: Path = tools.ROOT) -> int:
    """Write the files, or say which differ from what is committed."""
    changed = [path for path, text in wanted.items() if not (root / path).exists() or (root / path).read_text(encoding="utf-8") != text]
    if check and changed:
        raise console.Failure(f"not up to date: {', '.join(str(path) for path in changed)}", f"Run `{again}` and commit the result.")
    for path in changed:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(wanted[path], encoding="utf-8")
    console.say(f"{len(changed)} of {len(wanted)} files written." if changed else f"All {len(wanted)} files are up to date.")
    return 0
