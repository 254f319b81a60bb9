"""Timers, listing rows, fan-out of programmes: a consumer of the queue ``segments``. Translate, call, answer."""

from __future__ import annotations

from functools import cache
from typing import Any

from functions.segment_evaluation.settings import EvaluationSettings, evaluation_settings
from shared.aws.queues import Poison, SqsQueue, consume, message_scope
from shared.aws.runtime import RemainingTime, Runtime
from shared.observability.logs import log_context
from shared.relay.envelope import Unreadable, received
from shared.segments import arming, fan_out, listing, ticks
from shared.tenants.scope import ForeignKey

_FIELDS: dict[str, dict[str, type]] = {
    "sweep": {},
    "sweep_tenant": {"tenant": str, "shard": int},
    "fan_out": fan_out.FIELDS,
}
"""Our own messages, and what each must have."""


@cache
def settings() -> EvaluationSettings:
    """This function's settings."""
    return evaluation_settings()


@cache
def runtime() -> Runtime:
    """The wiring of this execution environment."""
    return Runtime(settings().common)


def lambda_handler(event: dict[str, Any], context: RemainingTime | None = None) -> dict[str, Any]:
    """A batch of messages: the schedule's, our own, and events of the bus."""
    runtime().begin(context)
    return consume(event, work, client=runtime().client("sqs"), dead_letters=settings().dead_letter_url)


def work(message: dict[str, Any]) -> None:
    """One message. ``Poison`` for what is not ours, or of another tenant than it says."""
    try:
        if "detail" in message:
            _event(message["detail"])
        else:
            _own(message)
    except (Unreadable, ForeignKey) as error:
        raise Poison(str(error)) from None


def _own(message: dict[str, Any]) -> None:
    kind = message.get("kind")
    fields = _FIELDS.get(kind) if isinstance(kind, str) else None
    if fields is None or not all(isinstance(message.get(name), type_) for name, type_ in fields.items()):
        raise Poison("no message of this queue")
    if kind == "sweep":
        ticks.sweep(runtime().table, _queue())
        return
    scope = message_scope(runtime(), message["tenant"])
    with log_context(tenant=scope.tenant, operation=kind):
        if kind == "sweep_tenant":
            ticks.sweep_tenant(scope, message["shard"], message.get("after"), _queue(), _planning())
            arming.go_on(scope)
        else:
            fan_out.work(scope, message, _queue())


def _event(detail: Any) -> None:
    envelope = received(detail)
    scope = message_scope(runtime(), envelope.tenant, envelope.key)
    with log_context(tenant=scope.tenant, member=envelope.member, operation="event", correlation_id=envelope.correlation_id):
        listing.record_flips(scope, envelope)
        for event in envelope.events:
            if event["type"] in ("definition.published", "definition.retired"):
                fan_out.begin(scope, event["data"], _queue(), _snapshots())


def _queue() -> SqsQueue:
    return SqsQueue(runtime().client("sqs"), settings().queue_url)


def _snapshots() -> SqsQueue:
    return SqsQueue(runtime().client("sqs"), settings().snapshots_queue_url)


def _planning() -> SqsQueue:
    return SqsQueue(runtime().client("sqs"), settings().planning_queue_url)
