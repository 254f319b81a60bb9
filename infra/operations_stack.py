"""What watches: alarms, a dashboard, an archive of the bus. The local AWS refuses an archive, so it leaves this stack out."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.service_stack import ServiceStack
from infra.stage import Stage
from infra.subscriptions import SOURCE

_MINUTES = Duration.minutes(5)
_RELAY_LATE = Duration.minutes(1)
_UNPAID = 10
"""Lines in five minutes. A slow answer of the table now and then is none: each is a block of calls, or a few, that nobody missed."""


class OperationsStack(Stack):
    """Each alarm says what is wrong and where the runbook continues."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage, service: ServiceStack, **more: Any) -> None:
        super().__init__(scope, construct_id, **more)
        self._stage = stage
        arn = stage.alarm_topic_arn
        self._topic = sns.Topic.from_topic_arn(self, "AlarmTopic", arn) if arn else None
        self._dead_letters(service)
        self._functions(service)
        server_errors = self._api(service)
        self._limits()
        events.Archive(
            self,
            "Archive",
            source_event_bus=service.bus.bus,
            archive_name=stage.named("commits"),
            description="Every commit's envelope, to be replayed into a new consumer",
            event_pattern=events.EventPattern(source=[SOURCE]),
            retention=Duration.days(30),
        )
        self._dashboard(service, server_errors)

    def _alarm(self, name: str, metric: cloudwatch.IMetric, threshold: float, text: str, *, periods: int = 1) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=self._stage.named(name),
            alarm_description=f"{text} See docs/runbook.md.",
            metric=metric,
            threshold=threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=periods,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        if self._topic is not None:
            alarm.add_alarm_action(actions.SnsAction(self._topic))

    def _dead_letters(self, service: ServiceStack) -> None:
        dead: dict[str, sqs.Queue] = {f"{name}-dead": work.dead for name, work in service.queues.items()}
        dead |= {f"{name}-target-dead": queue for name, queue in service.bus.dead.items()}
        dead |= {"relay-failures": service.failures.queue, "sweep-target-dead": service.sweep.dead}
        dead |= {"statistics-target-dead": service.statistics.dead, "feedback-target-dead": service.feedback.dead}
        dead |= {"sealing-target-dead": service.sealing.dead}
        for name, queue in sorted(dead.items()):
            depth = queue.metric_approximate_number_of_messages_visible(period=_MINUTES, statistic="Maximum")
            self._alarm(name, depth, 0, f"Something could not be done and waits in {name}: python -m local dlq shows it.")

    def _functions(self, service: ServiceStack) -> None:
        for name, function in service.functions.items():
            label = name.replace("_", "-")
            self._alarm(f"{label}-errors", function.function.metric_errors(period=_MINUTES), 0, f"{name} raised or timed out.", periods=2)
            self._alarm(f"{label}-throttles", function.function.metric_throttles(period=_MINUTES), 0, f"{name} was throttled.")
        relay = service.functions["event_relay"].function
        age = relay.metric("IteratorAge", period=_MINUTES, statistic="Maximum")
        self._alarm("relay-late", age, _RELAY_LATE.to_milliseconds(), "Events leave the table more than a minute late.", periods=2)

    def _api(self, service: ServiceStack) -> cloudwatch.Metric:
        errors = cloudwatch.Metric(
            namespace="AWS/ApiGateway", metric_name="5xx", dimensions_map={"ApiId": service.api.api.ref}, period=_MINUTES, statistic="Sum"
        )
        self._alarm("api-server-errors", errors, 0, "The interface answered 5xx.")
        return errors

    def _limits(self) -> None:
        """Calls that went through unlimited, of whichever policy and function: a query, as an alarm's formula takes ten metrics at most."""
        unpaid = cloudwatch.MathExpression(
            expression="SELECT SUM(limits_unavailable) FROM SCHEMA(Regulars, policy, service)", using_metrics={}, period=_MINUTES
        )
        text = "Calls were let through without their limits being counted: the table did not take that in time."
        self._alarm("limits-unavailable", unpaid, _UNPAID, text, periods=2)

    def _dashboard(self, service: ServiceStack, server_errors: cloudwatch.Metric) -> None:
        functions = [function.function for function in service.functions.values()]
        dashboard = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=self._stage.named("overview"))
        dashboard.add_widgets(
            _graph("Invocations", [function.metric_invocations(period=_MINUTES) for function in functions]),
            _graph("Duration, p99", [function.metric_duration(period=_MINUTES, statistic="p99") for function in functions]),
            _graph("Errors", [server_errors, *(function.metric_errors(period=_MINUTES) for function in functions)]),
        )
        works = list(service.queues.values())
        dashboard.add_widgets(
            _graph("Waiting", [work.queue.metric_approximate_number_of_messages_visible(period=_MINUTES) for work in works]),
            _graph("Dead letters", [work.dead.metric_approximate_number_of_messages_visible(period=_MINUTES) for work in works]),
            _graph("Relay: age of the stream", [service.functions["event_relay"].function.metric("IteratorAge", statistic="Maximum")]),
        )


def _graph(title: str, metrics: list[Any]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=metrics, width=8)
