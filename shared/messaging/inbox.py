"""The inbox in the tenant's app: messages as items of the member, 90 days. Their texts are sealed with her key.

The id of a message follows from its delivery and the instant of its claim, so that handing it over again meets the one that is there.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from shared.kernel.errors import Gone, Unavailable
from shared.kernel.ids import derived_id
from shared.kernel.instants import DAY, SECOND, Instant
from shared.messaging.port import Message, Result, Sent, Throttled, Unclear, Unreachable
from shared.privacy.keyring import MemberCipher
from shared.storage import keys
from shared.storage.errors import ConditionFailed, OutcomeUnknown, RawItem
from shared.storage.expressions import Path
from shared.storage.items import InboxItem
from shared.storage.table import NOT_THERE_YET, Table, WriteBatch
from shared.tenants.scope import TenantScope

KEPT: Final = 90 * DAY
MAX_LISTED: Final = 200
"""An inbox shows no more than its newest messages."""
LABEL: Final = "inbox"
_GROUP: Final = "inbox"


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """A message in the inbox."""

    id: str
    delivery: str
    campaign: str
    step: str
    sent_at: Instant
    read_at: Instant | None
    title: str
    body: str
    data: dict[str, str]


def message_id(delivery: str, claimed_at: Instant) -> str:
    """``inb_`` and a ULID; they sort by the time of the claim."""
    return derived_id("inb", claimed_at, delivery)


class InboxRepository:
    """The inboxes of one tenant."""

    def __init__(self, tenant: str, table: Table) -> None:
        self.tenant, self.table = tenant, table

    def put(self, cipher: MemberCipher, member: str, message: Message) -> str:
        """Store a message, if it is not there already; its id. 1 write unit per KB."""
        origin = message.origin
        id_ = message_id(origin["delivery"], message.at)
        texts = {"title": message.title, "body": message.body, "data": dict(message.data)}
        item = InboxItem.at(
            keys.inbox(self.tenant, member, id_),
            delivery=origin["delivery"],
            campaign=origin["campaign"],
            step=origin["step"],
            sent_at=message.at,
            body=cipher.seal_json(_GROUP, texts),
            expires_at=(message.at + KEPT) // SECOND,
        )
        try:
            self.table.put(item, NOT_THERE_YET)
        except ConditionFailed:
            # The same message of the same claim: it is hers already.
            return id_
        return id_

    def page(self, member: str, limit: int, start: RawItem | None) -> tuple[list[RawItem], RawItem | None]:
        """Stored messages, newest first. 1 Query."""
        return self.table.query(keys.member(self.tenant, member), begins=keys.INBOX_PREFIX, limit=limit, start=start, forward=False)

    def get(self, member: str, id_: str) -> RawItem | None:
        """A stored message. 1 read unit."""
        return self.table.get(keys.inbox(self.tenant, member, id_))

    def add_read(self, batch: WriteBatch, member: str, id_: str, at: Instant) -> None:
        """Mark it as read, if it is there and was not. Label ``inbox``."""
        is_unread = Path("PK").exists() & Path("read_at").does_not_exist()
        batch.update(LABEL, keys.inbox(self.tenant, member, id_), [Path("read_at").set(at)], is_unread)


def opened(cipher: MemberCipher, raw: RawItem) -> InboxMessage:
    """A stored message with its texts."""
    item = InboxItem.read(raw)
    texts = cipher.open_json(_GROUP, item.body)
    return InboxMessage(
        id=item.SK.removeprefix(keys.INBOX_PREFIX),
        delivery=item.delivery,
        campaign=item.campaign,
        step=item.step,
        sent_at=int(item.sent_at),
        read_at=int(item.read_at) if item.read_at is not None else None,
        title=texts["title"],
        body=texts["body"],
        data=texts["data"],
    )


@dataclass(slots=True)
class InboxSender:
    """``Sender`` of the inbox; addresses are members. Tried twice, because the second try of the same claim is harmless."""

    scope_of: Callable[[str], TenantScope]

    def send(self, address: str, message: Message) -> Result:
        """Put it there: her key, and one write."""
        scope = self.scope_of(message.origin["tenant"])
        try:
            cipher, inbox = scope.cipher(address), InboxRepository(scope.tenant, scope.table)
            with suppress(OutcomeUnknown):
                return Sent(inbox.put(cipher, address, message))
            return Sent(inbox.put(cipher, address, message))
        except Gone:
            return Unreachable("erased", dead=True)
        except OutcomeUnknown:
            return Unclear()
        except Unavailable:
            return Throttled()
