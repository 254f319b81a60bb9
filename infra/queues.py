"""Queues: each encrypted, over TLS only, and with a dead-letter queue that keeps for 14 days what could not be done."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, Duration, RemovalPolicy
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.nag import acknowledge
from infra.stage import Stage

MAX_RECEIVES = 5
KEPT = Duration.days(14)


class WorkQueue(Construct):
    """A queue that one function consumes, with its dead-letter queue. ``fifo``: in order within a group, each message once."""

    def __init__(self, scope: Construct, name: str, *, stage: Stage, consumer_timeout: Duration, fifo: bool = False) -> None:
        super().__init__(scope, _pascal(name))
        suffix = ".fifo" if fifo else ""
        self.dead = dead_letters(self, "Dead", f"{stage.named(f'{name}-dead')}{suffix}", fifo=fifo)
        self.queue = sqs.Queue(
            self,
            "Queue",
            queue_name=f"{stage.named(name)}{suffix}",
            **_fifo(fifo),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=KEPT,
            visibility_timeout=Duration.seconds(6 * consumer_timeout.to_seconds()),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead, max_receive_count=MAX_RECEIVES),
            removal_policy=RemovalPolicy.DESTROY,
        )
        _output(self, f"{_pascal(name)}QueueUrl", self.queue)
        _output(self, f"{_pascal(name)}DeadQueueUrl", self.dead)


class FailureQueue(Construct):
    """A queue for what could not be passed on. Nobody consumes it but a person with ``python -m local dlq``."""

    def __init__(self, scope: Construct, name: str, *, stage: Stage) -> None:
        super().__init__(scope, _pascal(name))
        self.queue = dead_letters(self, "Queue", stage.named(name))
        _output(self, f"{_pascal(name)}QueueUrl", self.queue)


def dead_letters(scope: Construct, construct_id: str, name: str, *, fifo: bool = False) -> sqs.Queue:
    """A queue at the end of the line: it has no dead-letter queue of its own."""
    queue = sqs.Queue(
        scope,
        construct_id,
        queue_name=name,
        **_fifo(fifo),
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=KEPT,
        removal_policy=RemovalPolicy.DESTROY,
    )
    acknowledge(queue, "AwsSolutions-SQS3", "Is itself the dead-letter queue")
    return queue


def _fifo(fifo: bool) -> dict[str, Any]:
    """Throughput by group: 3,000 messages a second and group with batches, however many groups there are."""
    if not fifo:
        return {}
    limits = sqs.FifoThroughputLimit.PER_MESSAGE_GROUP_ID
    return {"fifo": True, "deduplication_scope": sqs.DeduplicationScope.MESSAGE_GROUP, "fifo_throughput_limit": limits}


def _output(scope: Construct, name: str, queue: sqs.Queue) -> None:
    CfnOutput(scope, "Url" + name, value=queue.queue_url).override_logical_id(name)


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))
