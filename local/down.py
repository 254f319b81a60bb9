"""Stop the local AWS. What it stored is kept for the next start."""

from __future__ import annotations

import argparse
from typing import Any

from local import console
from local.console import step
from local.env import DEMO
from local.ministack import Instance


def add_parser(subparsers: Any) -> None:
    """``python -m local down``."""
    parser = subparsers.add_parser("down", help="stop the local AWS; what it stored is kept", description=__doc__)
    parser.set_defaults(run=run)


def run(_options: argparse.Namespace) -> int:
    """Stop it if it runs."""
    instance = Instance.running(DEMO)
    if instance is None:
        console.say("Nothing runs.")
        return 0
    with step("stop the local AWS"):
        instance.stop()
    return 0
