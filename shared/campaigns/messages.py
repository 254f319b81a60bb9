"""Messages between planning and sending. Ids only: who she is and what it says is found out when it is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from shared.kernel.errors import InvalidValue
from shared.kernel.ids import check_tenant
from shared.kernel.instants import Instant

MAX_MEMBERS: Final = 100
"""Of one order."""


class Queue(Protocol):
    """Where messages go (SQS; a list in tests)."""

    def send(self, body: Mapping[str, Any], delay_seconds: int = 0) -> None:
        """Send one message, not before the delay."""

    def send_all(self, bodies: Sequence[Mapping[str, Any]]) -> None:
        """Send many."""


@dataclass(frozen=True, slots=True)
class Order:
    """Send one step of a campaign for one occurrence to these members; then the next step."""

    tenant: str
    campaign: str
    version: int
    step: str
    occurrence: str
    members: tuple[str, ...]
    expires: Instant | None = None
    """Not after this: an event's age counts up to the moment of sending."""
    attempt: int = 0

    def message(self) -> dict[str, Any]:
        """As it travels."""
        body: dict[str, Any] = {
            "tenant": self.tenant,
            "campaign": self.campaign,
            "version": self.version,
            "step": self.step,
            "occurrence": self.occurrence,
            "members": list(self.members),
        }
        return body | {name: value for name, value in (("expires", self.expires), ("attempt", self.attempt)) if value}


@dataclass(frozen=True, slots=True)
class Walk:
    """Hand over a campaign's audience from a cursor on. ``revision`` is the campaign's: a walk of an earlier one ends."""

    tenant: str
    campaign: str
    revision: int
    segment_version: int | None = None
    """The version whose listing was begun with; it stays, also if another is served meanwhile."""
    shard: int = 0
    cursor: Mapping[str, Any] | None = None

    def message(self) -> dict[str, Any]:
        """As it travels."""
        return {
            "kind": "plan",
            "tenant": self.tenant,
            "campaign": self.campaign,
            "revision": self.revision,
            "segment_version": self.segment_version,
            "shard": self.shard,
            "cursor": dict(self.cursor) if self.cursor is not None else None,
        }


def order_of(message: Mapping[str, Any]) -> Order:
    """The order that a message is; ``InvalidValue`` for anything else."""
    texts = ("campaign", "step", "occurrence")
    members = message.get("members")
    fits = (
        all(isinstance(message.get(name), str) and message[name] for name in texts)
        and _whole(message.get("version"))
        and _whole(message.get("attempt", 0))
        and (message.get("expires") is None or _whole(message["expires"]))
        and isinstance(members, list)
        and 1 <= len(members) <= MAX_MEMBERS
        and all(isinstance(member, str) and member and "#" not in member for member in members)
    )
    if not fits:
        raise InvalidValue("no order to send")
    return Order(
        tenant=_tenant(message),
        members=tuple(members or ()),
        version=message["version"],
        expires=message.get("expires"),
        attempt=message.get("attempt", 0),
        **{name: message[name] for name in texts},
    )


def walk_of(message: Mapping[str, Any]) -> Walk:
    """The walk that a message is; ``InvalidValue`` for anything else."""
    cursor, version = message.get("cursor"), message.get("segment_version")
    fits = (
        isinstance(message.get("campaign"), str)
        and _whole(message.get("revision"))
        and _whole(message.get("shard", 0))
        and (version is None or _whole(version))
        and (cursor is None or (isinstance(cursor, dict) and isinstance((cursor.get("PK") or {}).get("S"), str)))
    )
    if not fits:
        raise InvalidValue("no walk over an audience")
    return Walk(_tenant(message), message["campaign"], message["revision"], version, message.get("shard", 0), cursor)


def _tenant(message: Mapping[str, Any]) -> str:
    tenant = message.get("tenant")
    if not isinstance(tenant, str):
        raise InvalidValue("no tenant")
    return check_tenant(tenant)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
