"""The numbers of campaigns: the consumer of the FIFO queue ``reports``. Translate, call, answer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from functions.campaign_reports.settings import ReportSettings, report_settings
from shared.aws.queues import Poison, consume_groups, message_scope
from shared.aws.runtime import RemainingTime, Runtime
from shared.kernel.errors import InvalidValue
from shared.observability.logs import log_context
from shared.reports import budgets
from shared.reports.counting import Counted, count, counted

Group = tuple[str, int]
"""Tenant and shard."""


@cache
def settings() -> ReportSettings:
    """This function's settings."""
    return report_settings()


@cache
def runtime() -> Runtime:
    """The wiring of this execution environment."""
    return Runtime(settings().common)


def lambda_handler(event: dict[str, Any], context: RemainingTime | None = None) -> dict[str, Any]:
    """A batch of transitions, counted shard by shard."""
    runtime().begin(context)
    return consume_groups(event, read, work, client=runtime().client("sqs"), dead_letters=settings().dead_letter_url)


def read(message: dict[str, Any], attributes: Mapping[str, str]) -> tuple[Group, Counted]:
    """Tenant and shard of a message, and what it counts. ``Poison`` for anything else."""
    try:
        tenant, shard, content = counted(message, attributes.get("SequenceNumber", ""))
    except InvalidValue as error:
        raise Poison(str(error)) from None
    return (tenant, shard), content


def work(group: Group, messages: list[Counted]) -> None:
    """Count the messages of a shard; then look whether a budget is used up."""
    tenant, shard = group
    scope = message_scope(runtime(), tenant, *{message.key for message in messages})
    with log_context(tenant=tenant, operation="count"):
        for campaign in count(scope, shard, messages):
            budgets.watch(scope, campaign)
