"""What runs, for people and scripts: address, tenant, keys."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from typing import Any, Final

from local import console, tools
from local.ministack import Instance

DEMO: Final[Path] = tools.HOME / "demo"
"""Folder of the instance that ``make up`` and ``make demo`` use."""
_FILE: Final = "env.json"


def read_env(home: Path = DEMO) -> dict[str, Any]:
    """What earlier commands noted about the instance: ``api_url``, ``operator_key``, and what the demo adds."""
    file = home / _FILE
    return dict(json.loads(file.read_text())) if file.exists() else {}


def write_env(home: Path = DEMO, **facts: Any) -> dict[str, Any]:
    """Note facts for later commands beside those that are there; None removes one."""
    known = {name: value for name, value in {**read_env(home), **facts}.items() if value is not None}
    home.mkdir(parents=True, exist_ok=True)
    (home / _FILE).write_text(json.dumps(known, indent=2) + "\n")
    (home / _FILE).chmod(0o600)
    return known


def forget_env(home: Path = DEMO) -> None:
    """Drop every fact: what they were about is gone."""
    (home / _FILE).unlink(missing_ok=True)


def running_instance() -> Instance:
    """The instance of ``make up``."""
    instance = Instance.running(DEMO)
    if instance is None:
        raise console.Failure("the local AWS does not run", "Run `make up` (or `make demo`).")
    return instance


def add_parser(subparsers: Any) -> None:
    """``python -m local env``."""
    parser = subparsers.add_parser("env", help="address, tenant and keys of what runs", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object, for scripts")
    parser.add_argument("--shell", action="store_true", help='variables for a shell: eval "$(python -m local env --shell)"')
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the facts."""
    running_instance()
    facts = read_env()
    if options.json:
        console.emit(json.dumps(facts, indent=2))
    elif options.shell:
        keys = facts.get("tenants", {}).get(facts.get("tenant"), {})
        variables = {"API": facts.get("api_url", ""), "OPERATOR": facts.get("operator_key", "")}
        variables |= {holder.upper(): key for holder, key in keys.items()}
        console.emit("\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items()))
    else:
        show(facts)
    return 0


def show(facts: dict[str, Any]) -> None:
    """The facts as lines ``name value``."""
    console.table(("", ""), [(name, json.dumps(value) if isinstance(value, (dict, list)) else value) for name, value in facts.items()])
