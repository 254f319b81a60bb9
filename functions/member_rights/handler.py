"""Members' rights carried out: a consumer of the queue ``rights``. Translate, call, answer."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import Any

from functions.member_rights.settings import RightsSettings, rights_settings
from shared.access import working as access
from shared.access.errors import UnknownAccess
from shared.access.service import KIND as ACCESS
from shared.aws.apple import Apple
from shared.aws.objects import S3Store
from shared.aws.push import SnsPush
from shared.aws.queues import Poison, SqsQueue, consume, message_scope
from shared.aws.runtime import NamedTenant, RemainingTime, Runtime
from shared.aws.senders import senders
from shared.erasure import inactivity, working
from shared.erasure.errors import UnknownErasure
from shared.erasure.steps import Hands, Recipients
from shared.kernel.ids import is_id
from shared.member_state.errors import ErasedMember, UnknownMember
from shared.members import double_opt_in, notices, unlinking
from shared.merging.errors import UnknownMerge
from shared.merging.working import KIND as MERGE
from shared.merging.working import work as merge
from shared.messaging.port import Senders, webhook_secret_purpose
from shared.observability.logs import log_context
from shared.privacy.crypto import derive
from shared.relay.envelope import Envelope, Unreadable, received
from shared.storage import keys
from shared.tenants.apple_client import AppleSide
from shared.tenants.scope import TenantScope

ERASED = "member.erased"
_NOTICED = notices.TYPES | inactivity.TYPES | unlinking.TYPES
MERGED = "member.merged"


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


def apple() -> AppleSide:
    """The way to Apple."""
    return Apple()


def recipients() -> Recipients:
    """The way to tenants' webhooks."""
    return Recipients(_senders()["webhook"], _webhook_secret)


def lambda_handler(event: dict[str, Any], context: RemainingTime | None = None) -> dict[str, Any]:
    """A batch of messages: commits that erased a member or that she is to be written about, and our own."""
    runtime().begin(context)
    dead_letters = settings().dead_letter_url
    hopeless = (UnknownErasure, UnknownAccess, UnknownMerge)
    return consume(event, work, client=runtime().client("sqs"), dead_letters=dead_letters, hopeless=hopeless)


def work(message: dict[str, Any]) -> None:
    """One message. ``Poison`` for what is not ours, or of another tenant than it says."""
    if "detail" in message:
        try:
            envelope = received(message["detail"])
        except Unreadable as error:
            raise Poison(str(error)) from None
        if MERGED in envelope.types and envelope.member is not None:
            _merge(envelope.tenant, envelope.member, envelope.key, envelope.correlation_id)
        if ERASED in envelope.types and envelope.member is not None:
            _erase(envelope.tenant, envelope.member, envelope.key, envelope.correlation_id)
        elif envelope.member is not None and envelope.mode == "live" and _NOTICED & set(envelope.types):
            # What an import brings asks nobody for anything.
            _notify(envelope, envelope.member)
    elif message.get("kind") == working.KIND and isinstance(message.get("tenant"), str) and isinstance(message.get("member"), str):
        _erase(message["tenant"], message["member"])
    elif message.get("kind") == MERGE and all(isinstance(message.get(name), str) for name in ("tenant", "member")):
        _merge(message["tenant"], message["member"])
    elif message.get("kind") == ACCESS and all(isinstance(message.get(name), str) for name in ("tenant", "member", "access")):
        _collect(message["tenant"], message["member"], message["access"])
    else:
        raise Poison("no message of this queue")


def desk() -> notices.Desk:
    """What members are written with."""
    return notices.Desk(_senders(), derive(runtime().master_secret, double_opt_in.KEY_PURPOSE), settings().common.public_url)


@cache
def _senders() -> Senders:
    """Made with the first message; on a local stage what they took can be read in the outbox."""
    common = settings().common
    outbox = S3Store(runtime().client("s3"), settings().bucket) if settings().outbox else None
    return senders(common.region, common.endpoint, runtime().now, lambda tenant: runtime().scope(NamedTenant(tenant)), outbox, common.stage)


def _notify(envelope: Envelope, member: str) -> None:
    if keys.member_of(envelope.key) != member:
        raise Poison("the envelope names another member than its key")
    scope = message_scope(runtime(), envelope.tenant, envelope.key)
    with log_context(tenant=scope.tenant, member=member, operation="notify", correlation_id=envelope.correlation_id):
        for event in envelope.events:
            # Who is forgotten meanwhile is written nothing.
            with suppress(ErasedMember, UnknownMember):
                if event["type"] in inactivity.TYPES:
                    inactivity.carry_out(scope, member, event, desk(), envelope.correlation_id)
                elif event["type"] in unlinking.TYPES:
                    unlinking.unlink(scope, member, event, apple())
                else:
                    notices.tell(scope, member, event, desk())


def _collect(tenant: str, member: str, access_id: str) -> None:
    if not is_id("mbr", member):
        raise Poison("not a member")
    scope = message_scope(runtime(), tenant)
    with log_context(tenant=scope.tenant, member=member, operation="collect"):
        access.work(scope, member, access_id, S3Store(runtime().client("s3"), settings().bucket))


def _scope_of(tenant: str, member: str, key: str) -> TenantScope:
    """The tenant of a message about a member. ``key``: of the item whose commit it tells of, where it is one."""
    if not is_id("mbr", member):
        raise Poison("not a member")
    if key and keys.member_of(key) != member:
        raise Poison("the envelope names another member than its key")
    return message_scope(runtime(), tenant, *([key] if key else []))


def _merge(tenant: str, member: str, key: str = "", correlation: str = "") -> None:
    scope = _scope_of(tenant, member, key)
    with log_context(tenant=scope.tenant, member=member, operation="merge", correlation_id=correlation):
        merge(scope, member, SqsQueue(runtime().client("sqs"), settings().queue_url))


def _erase(tenant: str, member: str, key: str = "", correlation: str = "") -> None:
    scope = _scope_of(tenant, member, key)
    with log_context(tenant=scope.tenant, member=member, operation="erase", correlation_id=correlation):
        working.work(Hands(scope, push(), apple(), recipients()), member, SqsQueue(runtime().client("sqs"), settings().queue_url))


def _webhook_secret(tenant: str, name: str, version: int) -> bytes:
    return derive(runtime().master_secret, webhook_secret_purpose(tenant, name, version))
