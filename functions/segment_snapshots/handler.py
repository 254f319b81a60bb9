"""Keeps the columnar snapshots of profiles fresh: a consumer of the queue ``snapshots``. Translate, call, answer.

Every commit about a member comes here, a hundred at a time. What a batch says is noted with one item a tenant; the columns themselves,
and the library that reads them, are touched by our own messages alone: ``merge``, ``rebuild``, the fan-out of a switch, statistics.
"""

from __future__ import annotations

import json
import time
from functools import cache
from typing import Any

from functions.segment_snapshots.settings import SnapshotSettings, snapshot_settings
from shared.aws.objects import S3Store
from shared.aws.queues import Poison, SqsQueue, consume, message_scope
from shared.aws.runtime import RemainingTime, Runtime
from shared.definitions.service import lead
from shared.observability.logs import log_context, logger
from shared.relay.envelope import Unreadable, received
from shared.segments import fan_out
from shared.snapshots.marking import Batch, MergesAsked
from shared.statistics import schedule
from shared.tenants.scope import ForeignKey

_KINDS = ("merge", "rebuild")
_TENANT_KINDS: dict[str, dict[str, type]] = {"fan_out": fan_out.FIELDS, "statistics_tenant": {"tenant": str, "forced": bool}}
"""Our own messages beside these, and what each must have."""


@cache
def settings() -> SnapshotSettings:
    """This function's settings."""
    return snapshot_settings()


@cache
def runtime() -> Runtime:
    """The wiring of this execution environment."""
    return Runtime(settings().common)


@cache
def merges_asked() -> MergesAsked:
    """What this execution environment has asked for lately."""
    return MergesAsked()


def wall() -> int:
    """The clock on the wall: marks must sort by it, also while a local stage's clock is moved."""
    return int(time.time() * 1000)


def lambda_handler(event: dict[str, Any], context: RemainingTime | None = None) -> dict[str, Any]:
    """A batch of messages: commits about members, and our own."""
    runtime().begin(context)
    batch = Batch()
    answer = consume(event, lambda message: work(message, batch), client=runtime().client("sqs"), dead_letters=settings().dead_letter_url)
    for tenant in batch.tenants:
        try:
            with log_context(tenant=tenant, operation="mark"):
                batch.mark(message_scope(runtime(), tenant), _queue(), merges_asked(), wall())
        except Exception as error:  # one tenant's messages come again, the others' are done
            logger().warning("not marked", extra={"tenant": tenant, "reason": type(error).__name__})
            again = [record["messageId"] for record in event["Records"] if _is_of(record, tenant)]
            answer["batchItemFailures"] += [{"itemIdentifier": message_id} for message_id in again]
    return answer


def work(message: dict[str, Any], batch: Batch) -> None:
    """One message. ``Poison`` for what is not ours, or of another tenant than it says."""
    try:
        if "detail" in message:
            envelope = received(message["detail"])
            if envelope.member is not None and envelope.aggregate == f"member:{envelope.member}":
                batch.add(message_scope(runtime(), envelope.tenant, envelope.key).tenant, envelope.member)
        elif message.get("kind") == "statistics":
            schedule.spread(runtime().table, _queue())
        elif message.get("kind") in _TENANT_KINDS:
            _of_tenant(message)
        else:
            _own(message)
    except (Unreadable, ForeignKey) as error:
        raise Poison(str(error)) from None


def _of_tenant(message: dict[str, Any]) -> None:
    """The fan-out of a switch, and the statistics."""
    from shared.snapshots import fan_out as by_snapshot
    from shared.statistics import job

    fields = _TENANT_KINDS[message["kind"]]
    if not all(isinstance(message.get(name), type_) for name, type_ in fields.items()):
        raise Poison("no message of this queue")
    scope, files = message_scope(runtime(), message["tenant"]), S3Store(runtime().client("s3"), settings().bucket)
    lead_ms = lead(settings().common.definition_seconds)
    with log_context(tenant=scope.tenant, operation=message["kind"]):
        if message["kind"] == "fan_out":
            by_snapshot.work(scope, files, message, _queue(), wall(), lead_ms)
        elif message["forced"] or schedule.is_due(scope):
            job.run(scope, files, _queue(), wall(), lead_ms, forced=message["forced"])


def _own(message: dict[str, Any]) -> None:
    # Imported here: the library of columns takes a tenth of a second to load, and marking does without it.
    from shared.snapshots import merging, rebuilding

    kind, tenant, build = message.get("kind"), message.get("tenant"), message.get("build")
    if kind not in _KINDS or not isinstance(tenant, str) or not isinstance(build, str | None):
        raise Poison("no message of this queue")
    scope, files = message_scope(runtime(), tenant), S3Store(runtime().client("s3"), settings().bucket)
    with log_context(tenant=scope.tenant, operation=kind):
        if kind == "merge":
            merging.merge(scope, files, _queue(), wall)
        else:
            rebuilding.rebuild(scope, files, _queue(), wall, build)


def _is_of(record: dict[str, Any], tenant: str) -> bool:
    """Whether a message is a commit of the tenant. Those that could not be read were answered for before."""
    try:
        return bool(json.loads(record["body"])["detail"]["tenant"] == tenant)
    except (ValueError, KeyError, TypeError):
        return False


def _queue() -> SqsQueue:
    return SqsQueue(runtime().client("sqs"), settings().queue_url)
