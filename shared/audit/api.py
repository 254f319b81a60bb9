"""Bodies of the routes of the audit log."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.tenants.base import Answer


class ActorShown(Answer):
    """Who called."""

    kind: str = Field(description="key, operator, member or staff")
    id: str
    location_id: str | None = Field(default=None, description="the one location that it is bound to")
    location_group: str | None = Field(default=None, description="the group of locations that it is bound to")


class TargetShown(Answer):
    """What it was done to."""

    kind: str
    id: str | None = None


class EntryShown(Answer):
    """One entry: ids and names of fields. Values that were sent, reasons too, stand in the record that was changed."""

    id: str
    at: str
    actor: ActorShown
    operation: str = Field(description="the operationId of the call")
    outcome: Literal["changed", "ordered", "read"]
    target: TargetShown | None = None
    member_id: str | None = Field(default=None, description="whom it is about; still there after her erasure, as an id without a person")
    fields: tuple[str, ...] = Field(default=(), description="which fields the call sent")
    correlation_id: str | None = None


class EntryPage(Answer):
    """Entries, the newest first. A page may have fewer than asked for, and still a next one."""

    data: tuple[EntryShown, ...]
    next_cursor: str | None = None


class ShardShown(Answer):
    """The tree over one shard of a day."""

    shard: str = Field(description="UTC day and number of the shard: 20261122#2")
    count: int
    root: str = Field(description="of the Merkle tree (RFC 6962), in hexadecimal")


class SealShown(Answer):
    """One link of the chain."""

    sequence: int
    previous: str = Field(description="the hash of the seal before")
    hash: str
    since: str
    until: str
    sealed_at: str
    entries: int
    shards: tuple[ShardShown, ...]


class SealPage(Answer):
    """Seals, the newest first."""

    data: tuple[SealShown, ...]
    next_cursor: str | None = None
