"""What ended in a dead-letter queue, with its reason; and back into work with ``--redrive``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from local import console
from local.env import read_env, running_instance
from local.store import Store

_WORK = ("MembersBulk", "TransactionsBulk", "CouponsBulk", "Exports", "Segments", "Snapshots", "Planning", "Sending", "Reports", "Removals")
_SHOWN = 160


def messages(store: Store, url: str) -> Iterator[dict[str, Any]]:
    """Every message of a queue once; they stay hidden for a minute, then are there again unless deleted."""
    sqs, seen = store.client("sqs"), set[str]()
    while True:
        found = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60, WaitTimeSeconds=0,
            MessageAttributeNames=["All"], AttributeNames=["MessageGroupId"],
        ).get("Messages", [])
        fresh = [each for each in found if each["MessageId"] not in seen]
        if not fresh:
            return
        seen.update(each["MessageId"] for each in fresh)
        yield from fresh


def reason(message: dict[str, Any]) -> str:
    """Why it is there. A queue's own redrive knows no reason: then it failed on every attempt."""
    return str(message.get("MessageAttributes", {}).get("reason", {}).get("StringValue", "failed on every attempt; see the log"))


def queues(store: Store) -> dict[str, str]:
    """Name -> address of every queue that nobody consumes."""
    return {name: url for name, url in store.outputs.items() if name.endswith(("DeadQueueUrl", "FailuresQueueUrl"))}


def redrive(store: Store, name: str) -> int:
    """Send every message of a work queue's dead-letter queue back to it; answers how many."""
    sqs, dead, work = store.client("sqs"), store.outputs[f"{name}DeadQueueUrl"], store.outputs[f"{name}QueueUrl"]
    moved = 0
    for message in messages(store, dead):
        group = message.get("Attributes", {}).get("MessageGroupId")
        order = {"MessageGroupId": group, "MessageDeduplicationId": message["MessageId"]} if group else {}
        sqs.send_message(QueueUrl=work, MessageBody=message["Body"], **order)
        sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])
        moved += 1
    return moved


def add_parser(subparsers: Any) -> None:
    """``python -m local dlq``."""
    parser = subparsers.add_parser("dlq", help="show dead letters with their reasons; --redrive sends them back", description=__doc__)
    parser.add_argument("--redrive", choices=_WORK, help="send the dead letters of this queue back to work")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Show, or send back."""
    running_instance()
    store = Store.of(read_env())
    if options.redrive:
        console.say(f"{redrive(store, options.redrive)} messages sent back to {options.redrive}.")
        return 0
    rows = [
        (name.removesuffix("QueueUrl"), reason(message), message["Body"][:_SHOWN])
        for name, url in sorted(queues(store).items())
        for message in messages(store, url)
    ]
    if not rows:
        console.say("No dead letters.")
        return 0
    console.table(("queue", "reason", "message"), rows)
    console.say("\nMend the cause, then: python -m local dlq --redrive QUEUE   (the name without Dead)")
    return 0
