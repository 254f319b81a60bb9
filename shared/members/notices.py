"""What a member is written about her rights, by a worker that hears of the commit: mails that ask for a confirmation, and notices.

Notices of one commit are handed over at least once: the inbox keeps each under a name of its own and is written last, so that a worker who
died before writes once more, and one who comes again writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.kernel.instants import DAY, SECOND, Instant
from shared.member_state.model import MemberState
from shared.member_state.service import view_member
from shared.members import double_opt_in
from shared.members.double_opt_in import Confirmation
from shared.members.repository import read_fields
from shared.messaging.inbox import InboxRepository, message_id
from shared.messaging.look import letter, look_of
from shared.messaging.port import Message, Senders, Sent, Throttled, Unclear, configured, provider_settings
from shared.messaging.rights_texts import RightsText, rights_text
from shared.observability.logs import logger
from shared.storage import keys_rights
from shared.storage.errors import ConditionFailed
from shared.storage.expressions import Condition, Path
from shared.tenants.messaging import Channel
from shared.tenants.scope import TenantScope

TYPES: Final = frozenset({"consent.confirmation_asked", "member.restriction_changed"})
"""Events that somebody is written because of."""
PER_ADDRESS: Final = 5
"""Mails a UTC day that ask one address for a confirmation, whoever gave it."""
_STEP: Final = "rights"


class NotHandedOver(Exception):
    """The provider is too busy: the message of the queue comes again."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What notices are written with. ``key``: of the links that confirm; ``base``: where they lead to us."""

    senders: Senders
    key: bytes
    base: str


def tell(scope: TenantScope, member: str, event: Mapping[str, Any], desk: Desk) -> None:
    """Write what an event asks for. ``ErasedMember``, ``UnknownMember``; ``NotHandedOver``."""
    data, at = event["data"], event["occurred_at"]
    if event["type"] == "consent.confirmation_asked":
        _ask(scope, member, data["consent"], desk)
    elif event["type"] == "member.restriction_changed" and not data["by_herself"] and data["restricted"] != data["stood"]:
        # That it ends the law wants told (Art. 18(3)); that it begins is courtesy, as she hears no more. Another case is no news.
        name: RightsText = "restriction_set" if data["restricted"] else "restriction_lifted"
        state = view_member(scope, member, scope.clock())
        still_so = data["restricted"] == (state.restriction is not None)
        if still_so:
            notify(scope, state, name, at, {}, desk)


def _ask(scope: TenantScope, member: str, consent: str, desk: Desk) -> None:
    """The mail with the link, if it is still waited for. 4 reads, 1 write, a call of the provider."""
    now, settings = scope.clock(), scope.definitions.settings
    state = view_member(scope, member, now)
    waits, fields = state.pending.get(consent), read_fields(scope, state.member)
    email = fields.get("email")
    asks = waits is not None and email is not None and "email" not in state.suppressed and settings.status == "active"
    if not asks or not configured("email", settings.messaging):
        logger().info("no confirmation asked for", extra={"reason": "not_configured" if asks else "not_waited_for"})
        return
    assert waits is not None
    assert email is not None
    if not _count(scope, email, now):
        logger().warning("no confirmation asked for", extra={"reason": "too_many"})
        return
    version, address = state.consents[consent].version, double_opt_in.address_of(scope, email)
    token = double_opt_in.seal(desk.key, scope.tenant, Confirmation(state.member, consent, version, waits.since, address), waits.asked_at)
    link = f"{settings.messaging.link_base or desk.base}/c/{scope.tenant}/{token}"
    name = settings.branding.name or settings.name
    title, body = rights_text("confirm_consent", _languages(scope, fields), {"tenant": name, "link": link})
    # Nobody's: what a provider tells of this mail is about an address that is not known to be hers.
    _hand_over(scope, "email", email, title, body, double_opt_in.delivery_of(waits.asked_at), "", waits.asked_at, desk)


def _count(scope: TenantScope, email: str, now: Instant) -> bool:
    """One more mail to this address today, if there may be one."""
    key = keys_rights.confirmation_mails(scope.tenant, scope.blind("email", email), now // DAY)
    room: Condition = Path("sends").does_not_exist() | (Path("sends") < PER_ADDRESS)
    try:
        scope.table.update(key, [Path("sends").add(1), Path("expires_at").set((now + 2 * DAY) // SECOND)], room)
    except ConditionFailed:
        return False
    return True


def notify(scope: TenantScope, state: MemberState, name: RightsText, at: Instant, values: Mapping[str, str], desk: Desk) -> bool:
    """A service message by e-mail, or SMS where there is no address, and into the inbox. Whether it went beyond the inbox."""
    settings, delivery = scope.definitions.settings, f"{name}-{at}"
    inbox = InboxRepository(scope.tenant, scope.table)
    if inbox.get(state.member, message_id(delivery, at)) is not None:
        return False
    fields = read_fields(scope, state.member)
    title, body = rights_text(name, _languages(scope, fields), {"tenant": settings.branding.name or settings.name, **values})
    ways: tuple[tuple[Channel, str], ...] = (("email", "email"), ("sms", "phone"))
    open_ways = ((channel, fields[field]) for channel, field in ways
                 if field in fields and channel not in state.suppressed and configured(channel, settings.messaging))  # fmt: skip
    channel, address = next(open_ways, ("inbox", ""))
    if address:
        _hand_over(scope, channel, address, title, body, delivery, state.member, at, desk)
    origin = {"tenant": scope.tenant, "member": state.member, "delivery": delivery, "campaign": "", "step": _STEP}
    inbox.put(scope.cipher(state.member), state.member, Message(title, body, origin=origin, service=True, at=at))
    return bool(address)


def _hand_over(
    scope: TenantScope, channel: Channel, address: str, title: str, body: str, delivery: str, member: str, at: Instant, desk: Desk
) -> None:
    origin = {"tenant": scope.tenant, "member": member, "delivery": delivery, "campaign": "", "step": _STEP}
    how = provider_settings(channel, scope.definitions.settings.messaging, address, lambda *_: b"")
    look = look_of(scope.definitions.settings, scope.tenant, scope.media_url)
    page = letter(title, body, look) if channel == "email" else ""
    result = desk.senders[channel].send(address, Message(title, body, origin=origin, html=page, service=True, settings=how, at=at))
    if isinstance(result, (Throttled, Unclear)):
        raise NotHandedOver(f"{channel}: {type(result).__name__}")
    if not isinstance(result, Sent):
        logger().warning("notice not taken", extra={"channel": channel, "result": result.reason})


def _languages(scope: TenantScope, fields: Mapping[str, str]) -> tuple[str, ...]:
    settings = scope.definitions.settings
    return (fields["language"], *settings.languages) if "language" in fields else settings.languages
