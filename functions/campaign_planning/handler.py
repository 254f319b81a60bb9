"""Who is to get a campaign: a consumer of the queue ``planning``. Translate, call, answer."""

from __future__ import annotations

from functools import cache
from typing import Any

from functions.campaign_planning.settings import PlanningSettings, planning_settings
from shared.aws.queues import Poison, SqsQueue, consume, message_scope
from shared.aws.runtime import RemainingTime, Runtime
from shared.campaigns import planning, responses
from shared.campaigns.errors import UnknownCampaign
from shared.campaigns.messages import walk_of
from shared.campaigns.service import start_due
from shared.kernel.errors import InvalidValue
from shared.observability.logs import log_context
from shared.relay.envelope import Unreadable, received
from shared.storage import keys


@cache
def settings() -> PlanningSettings:
    """This function's settings."""
    return planning_settings()


@cache
def runtime() -> Runtime:
    """The wiring of this execution environment."""
    return Runtime(settings().common)


def lambda_handler(event: dict[str, Any], context: RemainingTime | None = None) -> dict[str, Any]:
    """A batch of messages: events of the bus, campaigns that fall due, and walks of our own."""
    runtime().begin(context)
    return consume(event, work, client=runtime().client("sqs"), dead_letters=settings().dead_letter_url)


def work(message: dict[str, Any]) -> None:
    """One message. ``Poison`` for what is not ours, or of another tenant than it says."""
    if "detail" in message:
        _events(message["detail"])
    elif message.get("kind") == "plan":
        _walk(message)
    elif message.get("kind") == "campaign_due":
        _due(message)
    else:
        raise Poison("no message of this queue")


def _events(detail: Any) -> None:
    try:
        envelope = received(detail)
    except Unreadable as error:
        raise Poison(str(error)) from None
    scope = message_scope(runtime(), envelope.tenant, envelope.key)
    with log_context(tenant=scope.tenant, member=envelope.member, operation="plan", correlation_id=envelope.correlation_id):
        planning.on_events(scope, envelope, _sending(), _own())
        responses.on_events(scope, envelope)


def _walk(message: dict[str, Any]) -> None:
    try:
        position = walk_of(message)
    except InvalidValue as error:
        raise Poison(str(error)) from None
    start = [position.cursor["PK"]["S"]] if position.cursor is not None else []
    scope = message_scope(runtime(), position.tenant, *start)
    with log_context(tenant=scope.tenant, operation="walk"):
        planning.walk(scope, position, _sending(), _own())


def _due(message: dict[str, Any]) -> None:
    tenant, campaign = message.get("tenant"), message.get("campaign")
    if not isinstance(tenant, str) or not isinstance(campaign, str):
        raise Poison("no campaign that is due")
    scope = message_scope(runtime(), tenant)
    scope.own(keys.campaign(scope.tenant, campaign).pk)
    with log_context(tenant=scope.tenant, operation="campaign_due"):
        try:
            start_due(scope, campaign)
        except UnknownCampaign:
            raise Poison("no such campaign") from None


def _own() -> SqsQueue:
    return SqsQueue(runtime().client("sqs"), settings().queue_url)


def _sending() -> SqsQueue:
    return SqsQueue(runtime().client("sqs"), settings().sending_queue_url)
