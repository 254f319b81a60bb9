"""Seals what is noted of calls: a consumer of the queue ``audit``. Translate, call, answer."""

from __future__ import annotations

from functools import cache
from typing import Any

from functions.audit_sealing.settings import SealingSettings, sealing_settings
from shared.audit import sealing
from shared.audit.repository import AuditRepository
from shared.aws.objects import S3Store
from shared.aws.queues import Poison, SqsQueue, consume, named_tenant
from shared.aws.runtime import RemainingTime, Runtime
from shared.observability.logs import log_context, logger
from shared.storage import keys


@cache
def settings() -> SealingSettings:
    """This function's settings."""
    return sealing_settings()


@cache
def runtime() -> Runtime:
    """The wiring of this execution environment."""
    return Runtime(settings().common)


def lambda_handler(event: dict[str, Any], context: RemainingTime | None = None) -> dict[str, Any]:
    """A batch of messages: the schedule's, and our own of one tenant each."""
    runtime().begin(context)
    return consume(event, work, client=runtime().client("sqs"), dead_letters=settings().dead_letter_url)


def work(message: dict[str, Any]) -> None:
    """One message."""
    kind = message.get("kind")
    if kind == "seal":
        sealing.sweep(runtime().table, SqsQueue(runtime().client("sqs"), settings().queue_url))
        return
    if kind != "seal_tenant":
        raise Poison("no message of this queue")
    tenant = named_tenant(message)
    with log_context(tenant=tenant, operation=kind):
        sealed = sealer_of(tenant).work()
        if sealed:
            logger().info("sealed", extra={"entries": sealed})


def sealer_of(tenant: str) -> sealing.Sealer:
    """The sealer of one tenant, under the function's own role: it may write seals, and no entry."""
    home = runtime()
    return sealing.Sealer(
        repository=AuditRepository(tenant, home.table),
        locks=S3Store(home.client("s3"), settings().bucket),
        now=home.now(),
        exists=lambda: tenant == keys.OPERATOR or home.table.get(keys.tenant_entry(tenant)) is not None,
        time_left_ms=lambda: home.effort().time_left_ms(),
    )
