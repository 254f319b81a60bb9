"""The port of push messages: what is sent to one device, and what may come of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from shared.kernel.instants import DAY, SECOND, Clock, format_rfc3339

MAX_TTL_SECONDS = 28 * DAY // SECOND
"""What FCM keeps a message for at most."""


@dataclass(frozen=True, slots=True)
class Message:
    """One push message. ``data`` goes to the app with it; ``origin`` stays here: whose it is and what sent it, ids only."""

    title: str
    body: str
    data: Mapping[str, str] = field(default_factory=dict)
    ttl_seconds: int = DAY // SECOND
    origin: Mapping[str, str] = field(default_factory=dict)
    """``tenant``, ``member``, ``delivery``, ``campaign``, ``step``."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took it."""

    id: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The provider will not take it, now or later; nothing went out. ``dead``: this device never gets anything again."""

    reason: str
    dead: bool = False


@dataclass(frozen=True, slots=True)
class Throttled:
    """The provider is too busy, or not reached at all: nothing went out, and the same call may be made again later."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """The connection broke on the way: it may have gone out."""


PushResult = Sent | Unreachable | Throttled | Unclear


class PushSender(Protocol):
    """Sends to one device (SNS; a list in tests). Never tries a second time by itself: a push cannot be taken back."""

    def send(self, endpoint: str, message: Message) -> PushResult:
        """Hand one message over."""


class Store(Protocol):
    """Where objects are put (S3; a dictionary in tests)."""

    def put(self, name: str, body: bytes) -> None:
        """Store an object."""


@dataclass(slots=True)
class OutboxPush:
    """For a local stage: what was delivered can be read at ``outbox/<tenant>/<member>/<delivery id>.json``."""

    inner: PushSender
    store: Store
    clock: Clock

    def send(self, endpoint: str, message: Message) -> PushResult:
        """Send, and store what the provider took."""
        result = self.inner.send(endpoint, message)
        if isinstance(result, Sent):
            origin = message.origin
            record = {
                "tenant": origin["tenant"],
                "member": origin["member"],
                "delivery": origin["delivery"],
                "campaign": origin["campaign"],
                "step": origin["step"],
                "channel": "push",
                "title": message.title,
                "body": message.body,
                "data": dict(message.data),
                "endpoint": endpoint,
                "sent_at": format_rfc3339(self.clock()),
            }
            self.store.put(outbox_name(origin), json.dumps(record, ensure_ascii=False).encode())
        return result


def outbox_name(origin: Mapping[str, str]) -> str:
    """Where a delivery is found in the outbox."""
    return f"outbox/{origin['tenant']}/{origin['member']}/{origin['delivery']}.json"
