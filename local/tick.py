"""Sweep now instead of at the next minute: the very message that the schedule sends."""

from __future__ import annotations

import argparse
import json
from typing import Any

from infra.subscriptions import SWEEP_INPUT
from local import console
from local.env import read_env, running_instance
from local.store import Store


def sweep(store: Store) -> None:
    """Send the schedule's message."""
    store.client("sqs").send_message(QueueUrl=store.outputs["SegmentsQueueUrl"], MessageBody=json.dumps(SWEEP_INPUT))


def add_parser(subparsers: Any) -> None:
    """``python -m local tick``."""
    parser = subparsers.add_parser("tick", help="settle what fell due now, instead of at the next minute", description=__doc__)
    parser.set_defaults(run=run)


def run(_options: argparse.Namespace) -> int:
    """Send it."""
    running_instance()
    sweep(Store.of(read_env()))
    console.say("Sent. What fell due is settled within seconds.")
    return 0
