"""Reading a tenant's audit log and its chain, the newest first."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from shared.audit.api import ActorShown, EntryPage, EntryShown, SealPage, SealShown, ShardShown, TargetShown
from shared.audit.model import KEPT, Entry, entry_of
from shared.audit.repository import AuditRepository, StoredEntry, StoredSeal
from shared.audit.seals import hash_of
from shared.kernel.errors import FieldError, InvalidValue, Unprocessable
from shared.kernel.instants import DAY, Instant, format_rfc3339, parse_rfc3339
from shared.kernel.pages import open_cursor, seal_cursor
from shared.storage import keys_audit

DEFAULT_DAYS: Final = 7
MOST_READ: Final = 1000
"""Entries that one page looks at, whatever its filters let through."""
MOST_DAYS: Final = 31
"""Days that one page looks at: 124 Queries of nothing, at worst."""
_CHUNK: Final = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """Which entries. ``until`` is not included; ``None`` filters nothing. ``members``: every id of one person."""

    since: Instant
    until: Instant
    actor: str | None = None
    members: frozenset[str] | None = None
    operation: str | None = None

    def fits(self, entry: Entry) -> bool:
        """Whether it is one of them."""
        pairs = ((self.actor, entry.actor.id), (self.operation, entry.operation))
        about_her = self.members is None or entry.member in self.members
        return about_her and all(wanted is None or wanted == found for wanted, found in pairs)


def asked(
    now: Instant, since: str | None, until: str | None, actor: str | None, members: frozenset[str] | None, operation: str | None
) -> Asked:
    """What a query asks for: the last seven days unless it says otherwise. ``Unprocessable`` with pointers."""
    end = _instant("until", until) if until is not None else now + 1
    begin = _instant("from", since) if since is not None else end - DEFAULT_DAYS * DAY
    if begin >= end:
        hint = FieldError("/from", "invalid_value", "before until")
        raise Unprocessable("The query does not fit; see errors.", errors=(hint,))
    # What is older has expired.
    return Asked(max(begin, now - KEPT - DAY), end, actor, members, operation)


def page(repository: AuditRepository, wanted: Asked, limit: int, cursor: str | None, key: bytes) -> EntryPage:
    """A page of entries. Cost: four Queries a day, at most 31 days and about 1,000 entries."""
    context = f"{repository.tenant}|audit"
    before = str(open_cursor(key, context, cursor)["before"]) if cursor else keys_audit.since(wanted.until)
    walk = _Walk(repository, wanted.since, before)
    found: list[Entry] = []
    for stored in walk.entries():
        entry = _read(stored)
        if entry is not None and wanted.fits(entry):
            found.append(entry)
        if len(found) == limit:
            break
    more = None if walk.ended else seal_cursor(key, context, {"before": walk.at})
    return EntryPage(data=tuple(_shown(each) for each in found), next_cursor=more)


@dataclass(slots=True)
class _Walk:
    """From a sort key back to an instant, over the shards of each day. ``at``: the sort key that it has come to."""

    repository: AuditRepository
    since: Instant
    at: str
    ended: bool = False

    def entries(self) -> Iterator[StoredEntry]:
        """Newest first, until all is seen or enough."""
        read, start = 0, min(int(self.at.partition("#")[0]), self.since + KEPT + 2 * DAY)
        days = keys_audit.days(self.since, max(start, self.since))[::-1]
        for day in days[:MOST_DAYS]:
            for stored in heapq.merge(*(self._shard(f"{day}#{shard}") for shard in range(keys_audit.SHARDS)), key=_newest, reverse=True):
                read, self.at = read + 1, stored.sk
                yield stored
                if read >= MOST_READ:
                    return
        self.ended = len(days) <= MOST_DAYS
        if not self.ended:
            self.at = keys_audit.since(_start_of(days[MOST_DAYS - 1]))

    def _shard(self, day_and_shard: str) -> Iterator[StoredEntry]:
        before = self.at
        while True:
            found = [each for each in self.repository.newest(day_and_shard, self.since, before, _CHUNK) if each.sk < before]
            yield from found
            if len(found) < _CHUNK - 1:
                return
            before = found[-1].sk


def seals(repository: AuditRepository, limit: int, cursor: str | None, key: bytes) -> SealPage:
    """A page of the chain. One Query a 25 seals."""
    context = f"{repository.tenant}|seals"
    before = int(open_cursor(key, context, cursor)["before"]) if cursor else None
    found: list[StoredSeal] = []
    for stored in repository.seals(forward=False, before=before):
        found.append(stored)
        if len(found) == limit + 1:
            break
    more = seal_cursor(key, context, {"before": found[limit - 1].seal.sequence}) if len(found) > limit else None
    return SealPage(data=tuple(_seal_shown(each) for each in found[:limit]), next_cursor=more)


def _read(stored: StoredEntry) -> Entry | None:
    """What we did not write is not shown here; verifying names it."""
    try:
        return entry_of(stored.text)
    except (ValueError, KeyError, TypeError):
        return None


def _newest(stored: StoredEntry) -> str:
    return stored.sk


def _start_of(day: str) -> Instant:
    return parse_rfc3339(f"{day[:4]}-{day[4:6]}-{day[6:]}T00:00:00Z")


def _instant(name: str, text: str) -> Instant:
    try:
        return parse_rfc3339(text)
    except InvalidValue as error:
        raise Unprocessable("The query does not fit; see errors.", errors=(FieldError(f"/{name}", "invalid_value", str(error)),)) from None


def _shown(entry: Entry) -> EntryShown:
    return EntryShown(
        id=entry.id,
        at=format_rfc3339(entry.at),
        actor=ActorShown(
            kind=entry.actor.kind, id=entry.actor.id, location_id=entry.actor.location, location_group=entry.actor.location_group
        ),
        operation=entry.operation,
        outcome=entry.outcome,
        target=TargetShown(kind=entry.target.kind, id=entry.target.id) if entry.target else None,
        member_id=entry.member,
        fields=entry.fields,
        correlation_id=entry.correlation_id or None,
    )


def _seal_shown(stored: StoredSeal) -> SealShown:
    seal = stored.seal
    return SealShown(
        sequence=seal.sequence,
        previous=seal.previous,
        hash=hash_of(stored.text),
        since=format_rfc3339(seal.since),
        until=format_rfc3339(seal.until),
        sealed_at=format_rfc3339(seal.sealed_at),
        entries=seal.entries,
        shards=tuple(ShardShown(shard=each.shard, count=each.count, root=each.root) for each in seal.shards),
    )
