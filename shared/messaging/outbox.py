"""The outbox of a local stage: what was delivered, over whichever channel, as a person can read it.

An object a message, ``outbox/<tenant>/<member>/<delivery id>.json``. Around a provider it keeps what the provider took; where the local AWS
has no such provider it is the provider itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from shared.kernel.instants import Clock, format_rfc3339
from shared.messaging.port import Message, Result, Sender, Sent
from shared.tenants.messaging import Channel


class Store(Protocol):
    """Where objects are put (S3; a dictionary in tests)."""

    def put(self, name: str, body: bytes) -> None:
        """Store an object."""


@dataclass(slots=True)
class Outbox:
    """A sender whose deliveries can be read."""

    channel: Channel
    inner: Sender
    store: Store
    clock: Clock

    def send(self, address: str, message: Message) -> Result:
        """Send, and store what the provider took."""
        result = self.inner.send(address, message)
        if isinstance(result, Sent):
            self._keep(self._record(address, message), message)
        return result

    def withhold(self, address: str, message: Message, reason: str) -> None:
        """Store what was not handed over, marked with why."""
        self._keep(self._record(address, message) | {"withheld": reason}, message)

    def _record(self, address: str, message: Message) -> dict[str, Any]:
        return as_record(self.channel, address, message, format_rfc3339(self.clock()))

    def _keep(self, record: Mapping[str, Any], message: Message) -> None:
        self.store.put(outbox_name(message.origin), json.dumps(record, ensure_ascii=False).encode())


def as_record(channel: Channel, address: str, message: Message, sent_at: str) -> dict[str, Any]:
    """What is kept of a message."""
    origin = message.origin
    record: dict[str, Any] = {name: origin[name] for name in ("tenant", "member", "delivery", "campaign", "step")}
    record |= {"channel": channel, "title": message.title, "body": message.body, "data": dict(message.data)}
    record |= {"endpoint" if channel == "push" else "address": address, "sent_at": sent_at}
    optional = {"html": message.html, "headers": dict(message.headers), "service": message.service}
    return record | {name: value for name, value in optional.items() if value}


def outbox_name(origin: Mapping[str, str]) -> str:
    """Where a delivery is found in the outbox."""
    return f"outbox/{origin['tenant']}/{origin['member']}/{origin['delivery']}.json"
