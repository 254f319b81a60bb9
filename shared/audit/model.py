"""One entry of the audit log, and its canonical text: the bytes that are hashed (docs/audit.md)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Literal

from shared.kernel.ids import ulid_millis
from shared.kernel.instants import DAY, Instant

Outcome = Literal["changed", "ordered", "read"]
FORMAT: Final = 1
KEPT: Final = 400 * DAY
"""How long entries stay. A constant: what is kept as proof is not for those to shorten whom it is about."""
SEALS_KEPT: Final = KEPT + 30 * DAY
"""Seals outlast what they seal, so that an entry is never there without its seal."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who called: an API key, the operator, a member or one of the staff, and the location, or group of them, that it may work for."""

    kind: str
    id: str
    location: str | None = None
    location_group: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What it was done to, where that has a name: ``offer`` ``summer``."""

    kind: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """Who did what. Ids and names of fields, never a value that was sent: reasons stand in the record that was changed."""

    id: str
    """A ULID: it carries the instant, and tells the partition."""
    tenant: str
    actor: Actor
    operation: str
    outcome: Outcome
    target: Target | None = None
    member: str | None = None
    fields: tuple[str, ...] = ()
    correlation_id: str = ""

    @property
    def at(self) -> Instant:
        """When the call began to write."""
        return ulid_millis(self.id)


def canonical(document: dict[str, Any]) -> str:
    """JSON with sorted names, without spaces and without nulls, in ASCII: one spelling for one content."""
    return json.dumps({name: value for name, value in document.items() if value is not None}, sort_keys=True, separators=(",", ":"))


def text_of(entry: Entry) -> str:
    """The canonical text of an entry."""
    actor, target = entry.actor, entry.target
    bound = {"location": actor.location, "location_group": actor.location_group}
    document = {
        "format": FORMAT,
        "id": entry.id,
        "tenant": entry.tenant,
        "actor": _named(actor.kind, actor.id) | {name: value for name, value in bound.items() if value},
        "operation": entry.operation,
        "outcome": entry.outcome,
        "target": _named(target.kind, target.id) if target else None,
        "member": entry.member,
        "fields": list(entry.fields) or None,
        "correlation_id": entry.correlation_id or None,
    }
    return canonical(document)


def entry_of(text: str) -> Entry:
    """The entry that a canonical text tells of."""
    found = json.loads(text)
    actor, target = found["actor"], found.get("target")
    return Entry(
        id=found["id"],
        tenant=found["tenant"],
        actor=Actor(actor["kind"], actor["id"], actor.get("location"), actor.get("location_group")),
        operation=found["operation"],
        outcome=found["outcome"],
        target=Target(target["kind"], target.get("id")) if target else None,
        member=found.get("member"),
        fields=tuple(found.get("fields", ())),
        correlation_id=found.get("correlation_id", ""),
    )


def _named(kind: str, id_: str | None) -> dict[str, str]:
    return {"kind": kind, "id": id_} if id_ is not None else {"kind": kind}
