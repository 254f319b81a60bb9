"""What providers tell of messages: the consumer of the queue ``feedback``. Translate, call, answer."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from functions.delivery_feedback.settings import FeedbackSettings, feedback_settings
from shared.aws.push import SnsPush
from shared.aws.queues import Poison, consume, message_scope
from shared.aws.runtime import RemainingTime, Runtime
from shared.campaigns.provider_feedback import of_tenants, take
from shared.kernel.errors import Gone, InvalidValue, NotFound
from shared.messaging.feedback import feedback_of
from shared.observability.logs import log_context, logger
from shared.observability.measures import count_late
from shared.storage import keys
from shared.storage.items import TenantEntryItem
from shared.tenants.scope import TenantScope


@cache
def settings() -> FeedbackSettings:
    """This function's settings."""
    return feedback_settings()


@cache
def runtime() -> Runtime:
    """The wiring of this execution environment."""
    return Runtime(settings().common)


@cache
def push() -> SnsPush:
    """The push service, which knows an endpoint's token."""
    return SnsPush(runtime().client("sns"))


def lambda_handler(event: dict[str, Any], context: RemainingTime | None = None) -> dict[str, Any]:
    """A batch of what providers told."""
    runtime().begin(context)
    return consume(event, work, client=runtime().client("sqs"), dead_letters=settings().dead_letter_url)


def work(message: dict[str, Any]) -> None:
    """One message. ``Poison`` for what is not of our providers, or of no member here."""
    try:
        feedback = feedback_of(message, settings().common.stage)
        if feedback is None:
            return
        if not feedback.tenant:
            logger().info("feedback", extra={"kind": feedback.kind, "members": of_tenants(_tenants(), feedback, push())})
            return
        pks = [keys.member(feedback.tenant, feedback.member)] if feedback.member else []
        scope = message_scope(runtime(), feedback.tenant, *pks)
        with log_context(tenant=scope.tenant, operation="feedback"):
            came_to = take(scope, feedback, push())
            logger().info("feedback", extra={"kind": feedback.kind, "channel": feedback.channel, "outcome": came_to})
    except Gone:
        # She is forgotten: there is nothing left to note.
        count_late("feedback")
    except InvalidValue as error:
        raise Poison(str(error)) from None
    except NotFound as error:
        raise Poison(error.code) from None


def _tenants() -> Iterator[TenantScope]:
    """Every active tenant: a guest's message names only our number. One Query and, once a cache time, each one's settings."""
    for raw in runtime().table.query_all(keys.tenants(), begins="TENANT#"):
        entry = TenantEntryItem.read(raw)
        if entry.status == "active":
            yield runtime().worker_scope(entry.tenant)
