"""From the table to the workers: stream to relay, relay to bus, bus to queues; and the schedules."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.functions import Function
from infra.queues import FailureQueue, WorkQueue
from infra.stage import Stage
from infra.subscriptions import DETAIL_TYPE, SEALING_INPUT, SOURCE, STATISTICS_INPUT, SWEEP_INPUT, detail_of

STREAM_BATCH: Final = 100
OUTBOX_WRITTEN: Final = {"eventName": ["INSERT", "MODIFY"], "dynamodb": {"NewImage": {"out": {"S": [{"exists": True}]}}}}
"""Only items that carry events reach the relay; it compares with the old image whether they are new."""

FAIR_GROUP: Final = "$.detail.tenant"
"""The group of a message on a standard queue: SQS lets no group's backlog delay the others (fair queues). The local AWS ignores it."""


class Bus(Construct):
    """The bus, with a rule per subscribed queue. A target that cannot be reached has its own dead-letter queue."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        self._stage = stage
        self.bus = events.EventBus(self, "Bus", event_bus_name=f"regulars-{stage.name}")
        self.dead: dict[str, sqs.Queue] = {}
        CfnOutput(self, "Name", value=self.bus.event_bus_name).override_logical_id("BusName")

    def subscribe(self, name: str, queue: sqs.Queue) -> None:
        """Deliver every commit with an event that the queue ``name`` subscribes to."""
        self.dead[name] = FailureQueue(self, f"{name}-target-dead", stage=self._stage).queue
        events.Rule(
            self,
            f"To{name.capitalize()}",
            event_bus=self.bus,
            description=f"Commits that {name} works on",
            event_pattern=events.EventPattern(source=[SOURCE], detail_type=[DETAIL_TYPE], detail=detail_of(name)),
            targets=[
                targets.SqsQueue(
                    queue,
                    dead_letter_queue=self.dead[name],
                    retry_attempts=185,
                    max_event_age=Duration.hours(24),
                    message_group_id=FAIR_GROUP,
                ),
            ],
        )


@dataclass(frozen=True, slots=True)
class Timing:
    """What is sent how often. Lateness heals itself, so that what was lost for so many seconds needs no retry."""

    expression: str
    message: Mapping[str, str]
    summary: str
    seconds: int


MINUTE: Final = Timing("rate(1 minute)", SWEEP_INPUT, "Timers that are due", 60)
FIVE_MINUTES: Final = Timing("rate(5 minutes)", SEALING_INPUT, "What was noted of calls is sealed", 300)
HOUR: Final = Timing("rate(1 hour)", STATISTICS_INPUT, "Tenants whose statistics are due", 1800)


class Schedule(Construct):
    """Again and again the same message to a queue."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage, name: str, timing: Timing, queue: sqs.Queue) -> None:
        super().__init__(scope, construct_id)
        self.dead = FailureQueue(self, f"{name}-target-dead", stage=stage).queue
        ours = {"StringEquals": {"aws:SourceAccount": Stack.of(self).account}}
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com", conditions=ours),
            inline_policies={
                "send": iam.PolicyDocument(
                    statements=[iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[queue.queue_arn, self.dead.queue_arn])]
                )
            },
        )
        scheduler.CfnSchedule(
            self,
            "Schedule",
            name=stage.named(name),
            description=timing.summary,
            schedule_expression=timing.expression,
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=queue.queue_arn,
                role_arn=role.role_arn,
                input=json.dumps(timing.message),
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=self.dead.queue_arn),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=timing.seconds, maximum_retry_attempts=3
                ),
            ),
        )


def consume_queues(functions: Mapping[str, Function], queues: Mapping[str, WorkQueue]) -> None:
    """Give each worker its queue: so many messages at most, and a message that failed comes back alone."""
    for function in functions.values():
        if function.spec.queue is None:
            continue
        lambda_.EventSourceMapping(
            function,
            "Queue",
            target=function.function,
            event_source_arn=queues[function.spec.queue].queue.queue_arn,
            batch_size=function.spec.batch,
            max_batching_window=Duration.seconds(function.spec.window) if function.spec.window else None,
            report_batch_item_failures=True,
        )


def relay_stream(relay: Function, table: dynamodb.Table, failures: sqs.Queue) -> None:
    """Let the relay read the table's stream. What it cannot relay in an hour goes to its failure queue.

    A poison record is cut out by bisection and retried five times; the relay itself puts it aside before that.
    """
    lambda_.EventSourceMapping(
        relay,
        "Stream",
        target=relay.function,
        event_source_arn=table.table_stream_arn,
        starting_position=lambda_.StartingPosition.TRIM_HORIZON,
        batch_size=STREAM_BATCH,
        bisect_batch_on_error=True,
        report_batch_item_failures=True,
        retry_attempts=5,
        max_record_age=Duration.hours(1),
        filters=[{"pattern": json.dumps(OUTBOX_WRITTEN, separators=(",", ":"))}],
        on_failure=sources.SqsDlq(failures),
    )

