"""Start the local AWS, with what it stored before, and deploy the system to it."""

from __future__ import annotations

import argparse
import shutil
from typing import Any

from local import console, deploy
from local.console import step
from local.env import DEMO, forget_env, read_env, show, write_env
from local.ministack import DEFAULT_PORT, Instance


def bring_up(*, fresh: bool = False, port: int | None = None) -> tuple[Instance, dict[str, Any]]:
    """The running, deployed instance of the demo and its facts. ``fresh`` forgets what was stored."""
    instance = Instance.running(DEMO)
    if fresh:
        if instance is not None:
            instance.stop()
            instance = None
        shutil.rmtree(DEMO, ignore_errors=True)
    if instance is None:
        with step("start the local AWS") as notes:
            instance = Instance.start(DEMO, port=port or DEFAULT_PORT, keep_state=True)
            notes.append(instance.endpoint)
    outputs = deploy.deploy(instance)
    key = deploy.operator_key(instance, outputs)
    if read_env().get("operator_key") != key:
        forget_env()  # A deployment from nothing: the tenant that was noted is not in it.
    return instance, write_env(api_url=outputs["ApiUrl"], endpoint=instance.endpoint, operator_key=key)


def add_parser(subparsers: Any) -> None:
    """``python -m local up``."""
    parser = subparsers.add_parser("up", help="start the local AWS and deploy everything to it", description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="forget everything that was stored")
    parser.add_argument("--port", type=int, help=f"port to listen on (default {DEFAULT_PORT}, or a free one where it is taken)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Bring it up and print how it is reached."""
    console.title("Regulars on this machine")
    _, facts = bring_up(fresh=options.fresh, port=options.port)
    console.say()
    show(facts)
    console.say("\nIt keeps running: `make down` stops it.")
    return 0
