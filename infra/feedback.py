"""What providers tell of messages: topics for push and SMS, a rule for SES on the account's default bus, all into one queue."""

from __future__ import annotations

from typing import Final

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.queues import FailureQueue
from infra.stage import Stage
from shared.aws.email_sending import STAGE_TAG

PUSH: Final = "sns.amazonaws.com"
SMS: Final = "sms-voice.amazonaws.com"
"""The services that publish: about devices, and about text messages."""


class Feedback(Construct):
    """Two encrypted topics and a rule, with a dead-letter queue for what does not reach the queue."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage, queue: sqs.Queue) -> None:
        super().__init__(scope, construct_id)
        self._stage, self._queue = stage, queue
        self.dead = FailureQueue(self, "feedback-target-dead", stage=stage).queue
        # Numbers of guests are in these messages. The key of SNS itself does not let other services publish.
        self._key = kms.Key(
            self,
            "Key",
            description="What providers tell of messages, on its way to the queue",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.push = self._topic("push-events", PUSH)
        self.sms = self._topic("sms-events", SMS)
        CfnOutput(self, "Sms", value=self.sms.topic_arn).override_logical_id("SmsEventsTopicArn")
        events.Rule(
            self,
            "FromSes",
            description="Events of e-mails of this stage; SES knows no bus but the default one",
            event_pattern=events.EventPattern(source=["aws.ses"], detail={"mail": {"tags": {STAGE_TAG: [stage.name]}}}),
            targets=[targets.SqsQueue(queue, dead_letter_queue=self.dead, retry_attempts=185, max_event_age=Duration.hours(24))],
        )

    def _topic(self, name: str, publisher: str) -> sns.Topic:
        """A topic that one service may publish to, and that only the queue hears."""
        ours = {"StringEquals": {"aws:SourceAccount": Stack.of(self).account}}
        principal = iam.ServicePrincipal(publisher)
        topic = sns.Topic(self, "".join(part.capitalize() for part in name.split("-")), topic_name=self._stage.named(name),
                          master_key=self._key, enforce_ssl=True)  # fmt: skip
        topic.add_to_resource_policy(
            iam.PolicyStatement(principals=[principal], actions=["sns:Publish"], resources=[topic.topic_arn], conditions=ours)
        )
        self._key.add_to_resource_policy(
            iam.PolicyStatement(principals=[principal], actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=["*"], conditions=ours)
        )
        heard = topic.add_subscription(subscriptions.SqsSubscription(self._queue, raw_message_delivery=True, dead_letter_queue=self.dead))
        made = heard.node.default_child
        assert isinstance(made, sns.CfnSubscription)
        # Its own name would hold a hash of the stage's.
        made.override_logical_id(f"{topic.node.id}Subscription")
        return topic
