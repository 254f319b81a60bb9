"""Removing tenants: the only function that may read a table from end to end (docs/adr/0022)."""

from __future__ import annotations

from functools import cache
from typing import Any

from functions.tenant_removal.settings import RemovalSettings, removal_settings
from shared.aws.objects import S3Store
from shared.aws.queues import Poison, SqsQueue, consume, named_tenant
from shared.aws.runtime import RemainingTime, Runtime
from shared.aws.staff_pool import CognitoPool
from shared.observability.logs import log_context
from shared.tenants import removal


@cache
def settings() -> RemovalSettings:
    """This function's settings."""
    return removal_settings()


@cache
def runtime() -> Runtime:
    """The wiring of this execution environment."""
    return Runtime(settings().common)


def lambda_handler(event: dict[str, Any], context: RemainingTime | None = None) -> dict[str, Any]:
    """A batch of messages, each of which names a tenant that the operator has ordered to be removed."""
    runtime().begin(context)
    return consume(event, work, client=runtime().client("sqs"), dead_letters=settings().dead_letter_url)


def work(message: dict[str, Any]) -> None:
    """One message. What is not ordered in the operator's own list is not removed, whatever a message says."""
    if message.get("kind") != "remove_tenant":
        raise Poison("no message of this queue")
    tenant = named_tenant(message)
    with log_context(tenant=tenant, operation="remove_tenant"):
        removal.work(tools(), tenant)


def tools() -> removal.Tools:
    """What the job works with."""
    home, found = runtime(), settings()
    s3 = home.client("s3")
    return removal.Tools(
        table=home.table,
        key_table=home.key_table,
        buckets=(
            (S3Store(s3, found.data_bucket), removal.DATA_PREFIXES),
            (S3Store(s3, found.media_bucket), removal.MEDIA_PREFIXES),
        ),
        delete_application=lambda arn: home.client("sns").delete_platform_application(PlatformApplicationArn=arn),
        staff=CognitoPool(home.client("cognito-idp"), found.staff_pool_id),
        queue=SqsQueue(home.client("sqs"), found.queue_url),
        clock=home.now,
        time_left_ms=lambda: home.effort().time_left_ms(),
    )
