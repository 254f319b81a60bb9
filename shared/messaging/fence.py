"""The fence round test environments: nothing that a test environment writes reaches anybody but those whom its settings name.

It stands in front of every sender of a stage (``shared.aws.senders``), behind everything that writes: campaigns, one-time codes,
confirmations, notices, tests. Whether a tenant is to be fenced stands in its id, so that no setting opens it. A channel that is not
decided here is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

from shared.kernel.errors import AppError, Unavailable
from shared.kernel.modes import mode_of
from shared.members.identifiers import IdentifierKind, normalise
from shared.messaging.port import Message, Result, Sender, Throttled, Withheld
from shared.observability.logs import logger
from shared.tenants.messaging import Channel

TEST_MODE: Final = "test_mode"
"""Why a message was withheld."""
_STAYS: Final[frozenset[Channel]] = frozenset({"inbox", "webhook"})
_SPELLINGS: Final[Mapping[Channel, IdentifierKind]] = {"email": "email", "sms": "phone"}
MARK: Final = "[TEST] "
"""What the subjects of a test environment's e-mails begin with."""


def may_go_out(channel: Channel, address: str, member: str, allowed: Collection[str]) -> bool:
    """Whether a test environment's message may leave the house. ``allowed``: ``settings.messaging.test_recipients``. Pure.

    The inbox is part of the house: it is read with a token of the environment's own member. Webhooks go to what the environment itself has
    set up. Push is allowed by member, because devices have no name that a person knows.
    """
    if channel in _STAYS:
        return True
    if channel == "push":
        return member in allowed
    kind = _SPELLINGS.get(channel)
    return kind is not None and _spelt(kind, address) in allowed


def marked(channel: Channel, message: Message) -> Message:
    """The message as a test environment sends it: whoever gets the e-mail sees what it is. Pure."""
    return replace(message, title=MARK + message.title) if channel == "email" else message


@dataclass(slots=True)
class Fence:
    """A sender that lets a test environment's messages through to whom it names.

    ``allowed_of``: its list, by tenant; asked for test environments alone. ``aside``: where a local stage keeps what was withheld (address,
    message, reason).
    """

    channel: Channel
    inner: Sender
    allowed_of: Callable[[str], Collection[str]]
    aside: Callable[[str, Message, str], None] | None = None

    def send(self, address: str, message: Message) -> Result:
        """Hand it on, or answer ``Withheld``; ``Throttled`` while the list cannot be read. A live tenant's goes on as it is."""
        tenant = message.origin["tenant"]
        if mode_of(tenant) == "live":
            return self.inner.send(address, message)
        try:
            allowed = self.allowed_of(tenant)
        except Unavailable:
            return Throttled()
        if may_go_out(self.channel, address, message.origin.get("member", ""), allowed):
            return self.inner.send(address, marked(self.channel, message))
        logger().info("withheld", extra={"tenant": tenant, "channel": self.channel, "reason": TEST_MODE})
        if self.aside is not None:
            self.aside(address, message, TEST_MODE)
        return Withheld(TEST_MODE)


def _spelt(kind: IdentifierKind, address: str) -> str:
    """In the spelling that the list is kept in; what is none stays, and is in no list."""
    try:
        return normalise(kind, address)
    except AppError:
        return address
