"""Does what is stored of a tenant's audit log agree with its seals, and do they agree with the locked heads? Pure: finds and names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.audit.model import KEPT, SEALS_KEPT
from shared.audit.repository import StoredEntry, StoredSeal
from shared.audit.sealing import LAG, LOOK_BACK
from shared.audit.seals import FIRST, Leaf, Seal, hash_of, shards_of
from shared.kernel.errors import InvalidValue
from shared.kernel.ids import ulid_millis
from shared.kernel.instants import DAY, MINUTE, Instant, format_rfc3339

SEALED_BY: Final = LAG + 15 * MINUTE
"""After so long an entry is in a seal, unless the sealer stands still."""
_EXPIRY_SLACK: Final = 3 * DAY
"""DynamoDB deletes what has expired within a few days."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was sealed. ``kind`` is stable, ``what`` names it, ``why`` says what disagrees."""

    kind: str
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Locked:
    """What the bucket has of one seal: its oldest version, and whether a later one says something else."""

    hash: str
    until: Instant
    overwritten: bool = False


@dataclass(slots=True)
class Report:
    """What was compared, and what disagrees."""

    entries: int = 0
    seals: int = 0
    locked: int = 0
    expired: int = 0
    waiting: int = 0
    """Entries that are too new to be sealed."""
    findings: list[Finding] = field(default_factory=list)

    def find(self, kind: str, what: str, why: str) -> None:
        """Note a finding."""
        self.findings.append(Finding(kind, what, why))


def verify(
    tenant: str,
    entries: Iterable[StoredEntry],
    seals: Sequence[StoredSeal],
    locked: Mapping[int, Locked],
    now: Instant,
    say: Callable[[str], None] = lambda _line: None,
) -> Report:
    """Compare all of it. ``seals`` in the order of their keys; ``entries`` in any."""
    report = Report(locked=len(locked))
    say(f"{len(seals)} seals, {len(locked)} locked heads")
    leaves = _chain(report, tenant, seals, locked, now)
    _locked(report, seals, locked, now)
    say(f"{len(leaves)} sealed entries")
    _entries(report, tenant, entries, leaves, now)
    return report


def _chain(report: Report, tenant: str, seals: Sequence[StoredSeal], locked: Mapping[int, Locked], now: Instant) -> dict[str, Leaf]:
    """Each seal by itself, and in its place; answers all leaves by id."""
    leaves: dict[str, Leaf] = {}
    sequence, previous = 0, FIRST
    for stored in seals:
        report.seals += 1
        try:
            seal = stored.seal
        except (ValueError, KeyError, TypeError):
            report.find("seal_changed", stored.sk, "its text is no seal")
            continue
        named = f"seal {seal.sequence}"
        if seal.tenant != tenant or not stored.sk.endswith(f"{seal.sequence:010d}"):
            report.find("seal_changed", stored.sk, f"its text is that of {seal.tenant}'s {named}")
        _gap(report, range(sequence + 1, seal.sequence), locked, now)
        follows = seal.sequence == sequence + 1
        expected = previous if follows else _hash_of_locked(locked, seal.sequence - 1)
        if expected is not None and seal.previous != expected:
            report.find("chain_broken", named, f"it names another seal before it than {seal.sequence - 1} is")
        _one(report, named, seal, stored, leaves)
        sequence, previous = seal.sequence, hash_of(stored.text)
    return leaves


def _one(report: Report, named: str, seal: Seal, stored: StoredSeal, leaves: dict[str, Leaf]) -> None:
    """A seal's roots over its own leaves."""
    if shards_of(stored.leaves) != seal.shards:
        report.find("leaves_changed", named, "the roots are not those of the leaves beside it")
    for leaf in stored.leaves:
        if leaf.id in leaves:
            report.find("sealed_twice", leaf.id, f"{named} has it again")
        leaves[leaf.id] = leaf


def _gap(report: Report, missing: Iterable[int], locked: Mapping[int, Locked], now: Instant) -> None:
    """Seals that are not there, unless they are old enough to have expired."""
    for sequence in missing:
        known = locked.get(sequence)
        if known is not None and known.until < now - SEALS_KEPT + _EXPIRY_SLACK:
            report.expired += 1
        else:
            report.find("seal_removed", f"seal {sequence}", "a later one is there")


def _locked(report: Report, seals: Sequence[StoredSeal], locked: Mapping[int, Locked], now: Instant) -> None:
    """The chain against what nobody can change."""
    there = {_sequence(stored): stored for stored in seals}
    last = max(there, default=0)
    for sequence, head in sorted(locked.items()):
        if head.overwritten:
            report.find("lock_overwritten", f"seal {sequence}", "the bucket has two different heads of it; the older one counts")
        stored = there.get(sequence)
        if stored is not None and hash_of(stored.text) != head.hash:
            report.find("seal_forged", f"seal {sequence}", "it is not the one whose hash is locked in the bucket")
        is_cut = stored is None and sequence > last and head.until >= now - SEALS_KEPT + _EXPIRY_SLACK
        if is_cut:
            report.find("chain_cut", f"seal {sequence}", f"the bucket knows it, the chain ends at {last}")
    for sequence, stored in there.items():
        if sequence not in locked and _sealed_at(stored) < now - SEALED_BY:
            report.find("not_locked", f"seal {sequence}", "the bucket has no head of it")


def _entries(report: Report, tenant: str, entries: Iterable[StoredEntry], leaves: dict[str, Leaf], now: Instant) -> None:
    """Each entry against its leaf, and each leaf against what is there."""
    seen: set[str] = set()
    for stored in entries:
        report.entries += 1
        if not stored.in_place(tenant):
            report.find("entry_added", f"{stored.pk} {stored.sk}", "no entry that we wrote has such a key")
            continue
        leaf = leaves.get(stored.id)
        seen.add(stored.id)
        if leaf is None:
            if ulid_millis(stored.id) < now - SEALED_BY:
                report.find("entry_added", stored.id, f"of {_when(stored.id)}, is in no seal")
            else:
                report.waiting += 1
        elif Leaf.of(stored.id, stored.text) != leaf:
            report.find("entry_changed", stored.id, f"of {_when(stored.id)}, does not read as it was sealed")
    for id_ in sorted(leaves.keys() - seen):
        if ulid_millis(id_) < now - KEPT + LOOK_BACK:
            report.expired += 1
        else:
            report.find("entry_removed", id_, f"of {_when(id_)}, was sealed and is gone")


def _hash_of_locked(locked: Mapping[int, Locked], sequence: int) -> str | None:
    known = locked.get(sequence)
    return known.hash if known is not None else None


def _sequence(stored: StoredSeal) -> int:
    return int(stored.sk.rpartition("#")[2])


def _sealed_at(stored: StoredSeal) -> Instant:
    try:
        return stored.seal.sealed_at
    except (ValueError, KeyError, TypeError):
        return 0


def _when(id_: str) -> str:
    try:
        return format_rfc3339(ulid_millis(id_))
    except InvalidValue:
        return "no instant"
