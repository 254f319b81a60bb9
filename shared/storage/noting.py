"""What is noted of the call that is being answered rides along with its first write (docs/adr/0023).

The dispatcher opens a ``Note``; the table adds its entry to the very transaction of the change, so that neither can be there
without the other. Nobody else has to think of it, and where none is open, as on the path of sales and in workers, a write
costs one look-up of a variable more. The note is of this call only: it stands in a context variable, like that of the log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from shared.kernel.ids import new_ulid
from shared.kernel.instants import Clock, Instant

if TYPE_CHECKING:
    from shared.storage.errors import RawItem

Entry = Callable[[str, str, Sequence[tuple[str, str]]], "RawItem"]
"""Tenant whose item is written, the entry's ULID, keys of what is written -> the entry's item."""


COUNTS: Final = frozenset({"RATE", "LOOKUPS", "EXPORTS", "GUESS", "OTP", "OTPS", "COUNTER"})
"""Partitions that only count how often something was tried: a write to them comes before the change that is to be noted, or without one."""


class TakesNotes(Protocol):
    """The table that an entry of its own is put into."""

    def put_raw(self, item: RawItem) -> None: ...


def _wall() -> Instant:
    return int(time.time() * 1000)


@dataclass(slots=True)
class Note:
    """What is to be noted of one call: once, in the partition of the tenant whose items it changes."""

    entry: Entry
    clock: Clock
    written: bool = False
    aside: bool = False
    fields: tuple[str, ...] = ()
    """Names of the fields that the call sent."""
    wanted: bool = False
    """Whether an entry is due even if nothing is changed."""
    _ulid: str | None = None
    _tables: dict[str, TakesNotes] = field(default_factory=dict)

    def due(self, keys: Sequence[tuple[str, str]]) -> RawItem | None:
        """The entry for a transaction over those keys, the same one each time: a token takes only the same request again."""
        only_counts = all(pk.split("#")[2] in COUNTS for pk, _sk in keys)
        if self.written or self.aside or only_counts:
            return None
        return self.entry(keys[0][0].split("#", 2)[1], self._id(), keys)

    def put_alone(self, tenant: str) -> None:
        """Put the entry by itself: 1 write unit. ``LookupError`` if the call had no scope of the tenant."""
        self._tables[tenant].put_raw(self.entry(tenant, self._id(), ()))
        self.written = True

    def _id(self) -> str:
        if self._ulid is None:
            self._ulid = new_ulid(self.clock())
        return self._ulid

    def offer(self, tenant: str, table: TakesNotes) -> None:
        """The table under the tenant's session, which ``put_alone`` takes."""
        self._tables[tenant] = table


_note: ContextVar[Note | None] = ContextVar("note", default=None)
_clock: ContextVar[Clock] = ContextVar("clock", default=_wall)


def offer(tenant: str, table: TakesNotes) -> None:
    """The call that is being answered has a scope of the tenant, over that table."""
    note = _note.get()
    if note is not None:
        note.offer(tenant, table)


def set_clock(clock: Clock) -> None:
    """Whose time notes of this invocation carry."""
    _clock.set(clock)


@contextmanager
def noting(entry: Entry, *, wanted: bool = False, aside: bool = False) -> Iterator[Note]:
    """Note what is written inside, once. ``aside``: not with any of the writes, but by itself."""
    note = Note(entry, _clock.get(), aside=aside, wanted=wanted)
    token = _note.set(note)
    try:
        yield note
    finally:
        _note.reset(token)


def want() -> None:
    """An entry is due for what is shown now, whether or not anything is changed."""
    note = _note.get()
    if note is not None:
        note.wanted = True


def sent(fields: Iterable[str]) -> None:
    """Names of the fields that the call sent."""
    note = _note.get()
    if note is not None:
        note.fields = tuple(sorted(fields))


@contextmanager
def aside() -> Iterator[None]:
    """Writes that only prepare a change (a shard of a quota that has to be there first): the note waits for the change itself."""
    note = _note.get()
    if note is None or note.aside:
        yield
        return
    note.aside = True
    try:
        yield
    finally:
        note.aside = False


def with_entry(actions: list[dict[str, Any]], table: str) -> tuple[list[dict[str, Any]], Note | None]:
    """The actions of a transaction with the note's entry behind them, and the note if it is among them."""
    note = _note.get()
    entry = note.due([_key(action) for action in actions]) if note is not None else None
    if note is None or entry is None:
        return actions, None
    return [*actions, {"Put": {"TableName": table, "Item": entry}}], note


def _key(action: dict[str, Any]) -> tuple[str, str]:
    (request,) = action.values()
    key = request.get("Item") or request["Key"]
    return key["PK"]["S"], key["SK"]["S"]
