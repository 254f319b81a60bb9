"""Claim, then send: a consumer of the queue ``sending``. Translate, call, answer."""

from __future__ import annotations

from functools import cache
from typing import Any

from functions.campaign_sending.settings import SendingSettings, sending_settings
from shared.aws.objects import S3Store
from shared.aws.push_sending import SnsSender, publishing_client
from shared.aws.queues import Poison, SqsQueue, consume
from shared.aws.runtime import RemainingTime, Runtime
from shared.campaigns.messages import order_of
from shared.campaigns.sending import Means, send
from shared.kernel.errors import InvalidValue
from shared.members.form_links import KEY_PURPOSE
from shared.messaging.push import OutboxPush, PushSender
from shared.observability.logs import log_context
from shared.privacy.crypto import derive
from shared.storage import keys


@cache
def settings() -> SendingSettings:
    """This function's settings."""
    return sending_settings()


@cache
def runtime() -> Runtime:
    """The wiring of this execution environment."""
    return Runtime(settings().common)


@cache
def push() -> PushSender:
    """SNS; on a local stage what it took can be read in the outbox."""
    common = settings().common
    sender = SnsSender(publishing_client(common.region, common.endpoint))
    if not settings().outbox:
        return sender
    return OutboxPush(sender, S3Store(runtime().client("s3"), settings().bucket), runtime().now)


def lambda_handler(event: dict[str, Any], context: RemainingTime | None = None) -> dict[str, Any]:
    """A batch of orders."""
    runtime().begin(context)
    return consume(event, work, client=runtime().client("sqs"), dead_letters=settings().dead_letter_url)


def work(message: dict[str, Any]) -> None:
    """One order. ``Poison`` for what is none."""
    try:
        order = order_of(message)
        # The third fence: what the order leads to is the tenant's that it names.
        pks = [keys.campaign(order.tenant, order.campaign).pk, *(keys.member(order.tenant, member) for member in order.members)]
        scope = runtime().worker_scope(order.tenant, *pks)
    except InvalidValue as error:
        raise Poison(str(error)) from None
    means = Means(push(), SqsQueue(runtime().client("sqs"), settings().queue_url), _form_key)
    with log_context(tenant=scope.tenant, operation="send"):
        send(scope, order, means)


@cache
def _form_key() -> bytes:
    return derive(runtime().master_secret, KEY_PURPOSE)
