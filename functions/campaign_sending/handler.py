"""Claim, then send: a consumer of the queue ``sending``. Translate, call, answer."""

from __future__ import annotations

from functools import cache
from typing import Any

from functions.campaign_sending.settings import SendingSettings, sending_settings
from shared.aws.objects import S3Store
from shared.aws.queues import Poison, SqsQueue, consume
from shared.aws.runtime import NamedTenant, RemainingTime, Runtime
from shared.aws.senders import senders
from shared.campaigns.messages import order_of
from shared.campaigns.sending import Means, send
from shared.campaigns.writing import Keys
from shared.kernel.errors import InvalidValue
from shared.members.form_links import KEY_PURPOSE
from shared.messaging.links import KEY_PURPOSE as LINK_PURPOSE
from shared.messaging.port import Senders, webhook_secret_purpose
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
def providers() -> Senders:
    """Every channel's; on a local stage what they took can be read in the outbox."""
    common = settings().common
    outbox = S3Store(runtime().client("s3"), settings().bucket) if settings().outbox else None
    return senders(
        common.region, common.endpoint, runtime().now, lambda tenant: runtime().scope(NamedTenant(tenant)), outbox, common.stage
    )


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
    keys_ = Keys(_form_key, lambda name, version: _webhook_secret(order.tenant, name, version), _link_key, settings().common.public_url)
    means = Means(providers(), SqsQueue(runtime().client("sqs"), settings().queue_url), keys_)
    with log_context(tenant=scope.tenant, operation="send"):
        send(scope, order, means)


@cache
def _form_key() -> bytes:
    return derive(runtime().master_secret, KEY_PURPOSE)


@cache
def _link_key() -> bytes:
    return derive(runtime().master_secret, LINK_PURPOSE)


def _webhook_secret(tenant: str, name: str, version: int) -> bytes:
    return derive(runtime().master_secret, webhook_secret_purpose(tenant, name, version))
