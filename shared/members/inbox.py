"""A member's inbox: reading it, and noting that a message was read, which counts as opening it."""

from __future__ import annotations

from typing import Any

from shared.kernel.errors import NotFound
from shared.kernel.instants import format_rfc3339
from shared.kernel.pages import open_cursor, seal_cursor
from shared.member_state.effects import Effects
from shared.member_state.events import Responded
from shared.member_state.model import MemberState
from shared.member_state.repository import StateRepository
from shared.member_state.service import Change, Done, MemberSession, Occasion
from shared.messaging.inbox import LABEL, MAX_LISTED, InboxMessage, InboxRepository, opened
from shared.messaging.inbox_api import InboxMessageAnswer, InboxPage
from shared.storage.commit import Stale
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope


class UnknownMessage(NotFound):
    """No such message in this inbox."""

    code, title = "unknown_message", "Unknown message"


def list_inbox(scope: TenantScope, member: str, limit: int, cursor: str | None, cursor_key: bytes) -> InboxPage:
    """A page of her inbox, newest first. 2 Queries and her key."""
    member = StateRepository(scope.tenant, scope.table).load(member).state.member
    context = f"{scope.tenant}|{member}|inbox"
    position: dict[str, Any] = open_cursor(cursor_key, context, cursor) if cursor is not None else {"n": 0, "s": None}
    limit = min(limit, MAX_LISTED - position["n"])
    raws, last = InboxRepository(scope.tenant, scope.table).page(member, limit, position["s"])
    cipher = scope.cipher(member)
    shown = position["n"] + len(raws)
    has_more = last is not None and shown < MAX_LISTED
    return InboxPage(
        data=tuple(_answer(opened(cipher, raw)) for raw in raws),
        next_cursor=seal_cursor(cursor_key, context, {"n": shown, "s": last}) if has_more else None,
    )


def read_message(scope: TenantScope, member: str, message: str, correlation: str = "") -> InboxMessageAnswer:
    """Note that she read it; a second time changes nothing. 3 reads, and the first time a transaction.

    Tells ``message.opened``, so that the delivery counts as opened.
    """
    now, inbox = scope.clock(), InboxRepository(scope.tenant, scope.table)
    loaded = StateRepository(scope.tenant, scope.table).load(member)
    hers = loaded.state.member
    raw = inbox.get(hers, message)
    if raw is None:
        raise UnknownMessage
    found = opened(scope.cipher(hers), raw)
    if found.read_at is not None:
        return _answer(found)

    def decide(state: MemberState, stale: Stale) -> Change[InboxMessageAnswer] | Done[InboxMessageAnswer]:
        if LABEL in stale or state.member != hers:
            # Read on another device meanwhile, or gone with its time.
            return Done(_answer(found, now))

        def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> InboxMessageAnswer:
            inbox.add_read(batch, hers, message, now)
            return _answer(found, now)

        event = Responded(now, "message.opened", found.campaign, found.step, {"delivery_id": found.delivery})
        return Change([event], finish)

    return MemberSession(scope, hers, loaded).change(Occasion(now, correlation), decide)


def _answer(message: InboxMessage, read_at: int | None = None) -> InboxMessageAnswer:
    at = message.read_at if message.read_at is not None else read_at
    return InboxMessageAnswer(
        id=message.id,
        title=message.title,
        body=message.body,
        deep_link=message.data.get("deep_link") or None,
        data=message.data,
        campaign_id=message.campaign,
        sent_at=format_rfc3339(message.sent_at),
        read_at=format_rfc3339(at) if at is not None else None,
    )
