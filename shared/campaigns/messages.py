"""Messages between planning and sending. Ids only: who she is and what it says is found out when it is sent. What a call gave for a
member travels sealed with her key.
"""

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


_NUMBERS: Final = ("attempt", "rung", "since")
_TEXTS: Final = ("outcome", "data")


@dataclass(frozen=True, slots=True)
class Order:
    """These members stand at a step of a campaign, for one occurrence: go through it from there, until it has to wait or ends."""

    tenant: str
    campaign: str
    version: int
    step: str
    occurrence: str
    members: tuple[str, ...]
    expires: Instant | None = None
    """Not after this: an event's age counts up to the moment of sending."""
    attempt: int = 0
    rung: int = 0
    """Of a ladder: which is next. Of a wait: 1, it is over."""
    since: Instant = 0
    """When the message of this step was first deferred, by which its patience is counted; 0: it was not, or a pause came between."""
    outcome: str = ""
    """What ended the waiting that led here, ``time`` or ``event``; empty: nothing was waited for."""
    data: str = ""
    """What a call gave with it, sealed with the key of the one member, base64."""

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
        return body | {name: getattr(self, name) for name in ("expires", *_NUMBERS, *_TEXTS) if getattr(self, name)}


@dataclass(frozen=True, slots=True)
class Walk:
    """Hand over a campaign's audience from a cursor on. ``revision`` is the campaign's: a walk of an earlier one ends."""

    tenant: str
    campaign: str
    revision: int
    segment_version: int | None = None
    """The version whose listing was begun with; it stays, also if another is served meanwhile. ``None``: not begun yet."""
    shard: int = 0
    cursor: Mapping[str, Any] | None = None
    occurrence: str = ""
    """Of a recurring campaign; its walks are not bound to a revision: it is active for many of them."""
    version: int = 0
    """Of the recurring campaign when this occurrence came."""
    expires: Instant | None = None
    listed_by: Instant | None = None
    """Until when it waits for the listing of its segment to be whole; ``None``: it did not have to wait yet."""

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
            "occurrence": self.occurrence,
            "version": self.version,
            "expires": self.expires,
            "listed_by": self.listed_by,
        }


def order_of(message: Mapping[str, Any]) -> Order:
    """The order that a message is; ``InvalidValue`` for anything else."""
    texts = ("campaign", "step", "occurrence")
    members = message.get("members")
    fits = (
        all(isinstance(message.get(name), str) and message[name] for name in texts)
        and _whole(message.get("version"))
        and all(_whole(message.get(name, 0)) for name in _NUMBERS)
        and all(isinstance(message.get(name, ""), str) for name in _TEXTS)
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
        **{name: message.get(name, 0) for name in _NUMBERS},
        **{name: message.get(name, "") for name in _TEXTS},
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
        and isinstance(message.get("occurrence", ""), str)
        and _whole(message.get("version", 0))
        and all(message.get(name) is None or _whole(message[name]) for name in ("expires", "listed_by"))
        and (cursor is None or (isinstance(cursor, dict) and isinstance((cursor.get("PK") or {}).get("S"), str)))
    )
    if not fits:
        raise InvalidValue("no walk over an audience")
    return Walk(
        tenant=_tenant(message),
        campaign=message["campaign"],
        revision=message["revision"],
        segment_version=version,
        shard=message.get("shard", 0),
        cursor=cursor,
        occurrence=message.get("occurrence", ""),
        version=message.get("version", 0),
        expires=message.get("expires"),
        listed_by=message.get("listed_by"),
    )


def _tenant(message: Mapping[str, Any]) -> str:
    tenant = message.get("tenant")
    if not isinstance(tenant, str):
        raise InvalidValue("no tenant")
    return check_tenant(tenant)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
