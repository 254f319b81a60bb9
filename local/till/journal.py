"""What a till has done and what became of it: an append-only file of lines, each with a checksum.

A record is acknowledged when it is on the medium (``fsync``), and only then is a receipt printed. A process may die at any byte: what
stands behind the last whole line was never acknowledged and is cut off. Everything else that a till must remember (what it gave today,
which coupons it took) is counted from the same lines, so that there are no two files that could disagree.

    crc32 of the rest, 8 hex digits, space, JSON, newline
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from local.till.disk import Disk
from shared.kernel.instants import DAY, Instant
from shared.tenants.allowances import Giving

EntryKind = Literal["sale", "return", "void"]
Outcome = Literal["waiting", "done", "refused"]
REMEMBERED: Final = 31 * DAY
"""How long what was given, and which coupons were taken, is remembered: longer than any allowance."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that is to be sent. ``body`` is what is sent, the same each time; ``fixed``: its time is final."""

    key: str
    kind: EntryKind
    path: str
    body: dict[str, Any]
    at: Instant
    """By the till's own clock."""
    fixed: bool = True
    business_date: str = ""
    points: int = 0
    value: int = 0
    """Given without asking: points, and discount in minor units."""
    coupons: tuple[str, ...] = ()
    outcome: Outcome = "waiting"
    answer: dict[str, Any] | None = None


def encode(record: dict[str, Any]) -> bytes:
    """One line."""
    text = json.dumps(record, separators=(",", ":"), sort_keys=True).encode()
    return f"{zlib.crc32(text):08x} ".encode() + text + b"\n"


def decode(data: bytes) -> tuple[list[dict[str, Any]], int, int]:
    """The whole records of a file, how many bytes of it hold, and how many lines in between are damaged (and left out)."""
    records: list[dict[str, Any]] = []
    whole = data.rfind(b"\n") + 1
    lines = data[:whole].split(b"\n")[:-1]
    for line in lines:
        record = _record(line)
        if record is not None:
            records.append(record)
    return records, whole, len(lines) - len(records)


def _record(line: bytes) -> dict[str, Any] | None:
    checksum, _, text = line.partition(b" ")
    if checksum != f"{zlib.crc32(text):08x}".encode():
        return None
    found: dict[str, Any] = json.loads(text)
    return found


class Journal:
    """A till's journal, read once and kept in memory."""

    def __init__(self, disk: Disk) -> None:
        """Read it; a torn end is cut off."""
        self._disk = disk
        self.entries: dict[str, Entry] = {}
        self.taken: dict[str, Instant] = {}
        """Coupon -> when it was taken, by the till's clock."""
        self.number = 0
        """Entries so far."""
        self._given: dict[str, Giving] = {}
        data = disk.read()
        records, self._length, self.damaged = decode(data)
        self._torn = self._length < len(data)
        for record in records:
            self._apply(record)

    # -- what is known ----------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> list[Entry]:
        """What is still to be sent, oldest first."""
        return [each for each in self.entries.values() if each.outcome == "waiting"]

    @property
    def refused(self) -> list[Entry]:
        """What was refused for good, and needs a person."""
        return [each for each in self.entries.values() if each.outcome == "refused"]

    def given(self, business_date: str) -> Giving:
        """What this till gave without asking on a business date."""
        return self._given.get(business_date, Giving())

    # -- what happens -----------------------------------------------------------------------------------------------

    def add(self, entry: Entry) -> Entry:
        """Acknowledge an entry. One that is there already stays as it is: a receipt number is used once."""
        known = self.entries.get(entry.key)
        if known is not None:
            return known
        fields = {name: getattr(entry, name) for name in ("key", "kind", "path", "body", "at", "fixed", "business_date", "points", "value")}
        self._write({"t": "entry", **fields, "coupons": list(entry.coupons)})
        return self.entries[entry.key]

    def fix(self, key: str, body: dict[str, Any]) -> Entry:
        """What is sent from now on. Only while we know that what was sent before is stored nowhere."""
        self._write({"t": "fix", "key": key, "body": body})
        return self.entries[key]

    def finish(self, key: str, outcome: Outcome, answer: dict[str, Any]) -> None:
        """What became of an entry."""
        self._write({"t": "end", "key": key, "outcome": outcome, "answer": answer})

    def compact(self, now: Instant) -> None:
        """Drop what has been done for a day: a new file takes the place of the old."""
        kept = [each for each in self.entries.values() if each.outcome != "done" or now - each.at < DAY]
        taken = {coupon: at for coupon, at in self.taken.items() if now - at < REMEMBERED}
        dates = sorted(self._given)[-(REMEMBERED // DAY) :]
        given = {date: [self._given[date].points, self._given[date].value] for date in dates}
        records: list[dict[str, Any]] = [{"t": "kept", "number": self.number, "given": given, "taken": taken}]
        records += [{"t": "again", **_fields(each)} for each in kept]
        data = b"".join(encode(record) for record in records)
        self._disk.write_new(data)
        self._disk.sync_new()
        self._disk.rename()
        self._length, self._torn = len(data), False
        self._disk.sync_folder()
        self.entries, self.taken, self._given = {}, {}, {}
        self._replay(records)

    # -- the file ---------------------------------------------------------------------------------------------------

    def _write(self, record: dict[str, Any]) -> None:
        line = encode(record)
        if self._torn:
            self._disk.truncate(self._length)
        self._torn = True  # until the whole line is on the medium
        self._disk.append(line)
        self._disk.sync()
        self._length, self._torn = self._length + len(line), False
        self._apply(record)

    def _replay(self, records: Iterable[dict[str, Any]]) -> None:
        for record in records:
            self._apply(record)

    def _apply(self, record: dict[str, Any]) -> None:
        fields = dict(record)
        kind = fields.pop("t")
        if kind == "entry":
            self._count(_entry(fields))
        elif kind == "again":
            self.entries[fields["key"]] = _entry(fields)
        elif kind == "kept":
            self.number, self.taken = fields["number"], dict(fields["taken"])
            self._given = {date: Giving(points, value) for date, (points, value) in fields["given"].items()}
        elif fields["key"] in self.entries:
            before = self.entries[fields["key"]]
            changed = {"body": fields["body"], "fixed": True} if kind == "fix" else {name: fields[name] for name in ("outcome", "answer")}
            self.entries[before.key] = replace(before, **changed)

    def _count(self, entry: Entry) -> None:
        self.entries[entry.key] = entry
        self.number += 1
        self.taken.update(dict.fromkeys(entry.coupons, entry.at))
        if entry.points or entry.value:
            self._given[entry.business_date] = self.given(entry.business_date) + Giving(entry.points, entry.value)


def _entry(fields: dict[str, Any]) -> Entry:
    return Entry(**{**fields, "coupons": tuple(fields["coupons"])})


def _fields(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in Entry.__slots__} | {"coupons": list(entry.coupons)}
