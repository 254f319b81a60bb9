"""Members' rights carried out: a consumer of the queue ``rights``. Translate, call, answer."""

from __future__ import annotations

from functools import cache
from typing import Any

from functions.member_rights.settings import RightsSettings, rights_settings
from shared.access import working as access
from shared.access.errors import UnknownAccess
from shared.access.service import KIND as ACCESS
from shared.aws.objects import S3Store
from shared.aws.push import SnsPush
from shared.aws.queues import Poison, SqsQueue, consume, message_scope
from shared.aws.runtime import RemainingTime, Runtime
from shared.erasure import working
from shared.erasure.errors import UnknownErasure
from shared.kernel.ids import is_id
from shared.observability.logs import log_context
from shared.relay.envelope import Unreadable, received
from shared.storage import keys

ERASED = "member.erased"


@cache
def settings() -> RightsSettings:
    """This function's settings."""
    return rights_settings()


@cache
def runtime() -> Runtime:
    """The wiring of this execution environment."""
    return Runtime(settings().common)


@cache
def push() -> SnsPush:
    """The push service, which has the endpoints."""
    return SnsPush(runtime().client("sns"))


def lambda_handler(event: dict[str, Any], context: RemainingTime | None = None) -> dict[str, Any]:
    """A batch of messages: commits that erased a member, and our own."""
    runtime().begin(context)
    dead_letters = settings().dead_letter_url
    return consume(event, work, client=runtime().client("sqs"), dead_letters=dead_letters, hopeless=(UnknownErasure, UnknownAccess))


def work(message: dict[str, Any]) -> None:
    """One message. ``Poison`` for what is not ours, or of another tenant than it says."""
    if "detail" in message:
        try:
            envelope = received(message["detail"])
        except Unreadable as error:
            raise Poison(str(error)) from None
        if ERASED in envelope.types and envelope.member is not None:
            _erase(envelope.tenant, envelope.member, envelope.key, envelope.correlation_id)
    elif message.get("kind") == working.KIND and isinstance(message.get("tenant"), str) and isinstance(message.get("member"), str):
        _erase(message["tenant"], message["member"])
    elif message.get("kind") == ACCESS and all(isinstance(message.get(name), str) for name in ("tenant", "member", "access")):
        _collect(message["tenant"], message["member"], message["access"])
    else:
        raise Poison("no message of this queue")


def _collect(tenant: str, member: str, access_id: str) -> None:
    if not is_id("mbr", member):
        raise Poison("not a member")
    scope = message_scope(runtime(), tenant)
    with log_context(tenant=scope.tenant, member=member, operation="collect"):
        access.work(scope, member, access_id, S3Store(runtime().client("s3"), settings().bucket))


def _erase(tenant: str, member: str, key: str = "", correlation: str = "") -> None:
    if not is_id("mbr", member):
        raise Poison("not a member")
    if key and keys.member_of(key) != member:
        raise Poison("the envelope names another member than its key")
    scope = message_scope(runtime(), tenant, *([key] if key else []))
    with log_context(tenant=scope.tenant, member=member, operation="erase", correlation_id=correlation):
        working.work(scope, member, push(), SqsQueue(runtime().client("sqs"), settings().queue_url))
