"""The chain of seals: every entry in exactly one, whatever dies and whoever is faster; and what is changed afterwards is named."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.audit import notes
from shared.audit.model import KEPT, Actor, Entry, Target
from shared.audit.repository import AuditRepository
from shared.audit.sealing import LAG, LOOK_BACK, MOST, Sealer, name_of
from shared.audit.seals import hash_of
from shared.audit.verifying import Locked, Report, verify
from shared.kernel.errors import AppError
from shared.kernel.ids import new_ulid
from shared.kernel.instants import DAY, HOUR, MINUTE, Instant
from shared.storage import keys_audit
from shared.storage.table import Table
from tests.builders.house import NOW, House
from tests.fakes.faulty import FaultyTable, Killed

TENANT = "demo"
ENTRY = Entry("", TENANT, Actor("key", "demo-1", "mitte"), "adjust_points", "changed", Target("member", "mbr_1"), "mbr_1", ("points",))


@dataclass
class Bucket:
    """Objects that keep all their versions, and a process that may die at a PUT."""

    versions: dict[str, list[bytes]] = field(default_factory=dict)
    dies: Callable[[], str | None] = lambda: None

    def put(self, name: str, body: bytes) -> None:
        how = self.dies()
        if how == "before":
            raise Killed
        self.versions.setdefault(name, []).append(body)
        if how == "after":
            raise Killed


@dataclass
class Archive:
    """A tenant's entries, chain and bucket."""

    table: Table
    bucket: Bucket = field(default_factory=Bucket)
    written: list[str] = field(default_factory=list)

    def write(self, at: Instant) -> str:
        entry = Entry(new_ulid(at), *[getattr(ENTRY, name) for name in Entry.__slots__[1:]])
        self.table.put_raw(notes.item_of(entry))
        self.written.append(entry.id)
        return entry.id

    def seal(self, now: Instant, table: Table | None = None, bucket: Bucket | None = None) -> int:
        return Sealer(AuditRepository(TENANT, table or self.table), bucket or self.bucket, now).work()

    def sealed(self) -> Counter[str]:
        """The slow oracle: every leaf of every seal."""
        return Counter(leaf.id for stored in AuditRepository(TENANT, self.table).seals() for leaf in stored.leaves)

    def locked(self) -> dict[int, Locked]:
        found = {}
        for name, versions in self.bucket.versions.items():


            texts = [json.loads(each) for each in versions]
            changed = any(each != texts[0] for each in texts)
            found[int(name.rpartition("/")[2].removesuffix(".json"))] = Locked(texts[0]["hash"], texts[0]["until"], changed)
        return found

    def verify(self, now: Instant) -> Report:
        repository = AuditRepository(TENANT, self.table)
        entries = repository.entries(NOW - 3 * DAY, now)
        return verify(TENANT, entries, list(repository.seals()), self.locked(), now)


@pytest.fixture
def archive(bare_house: House) -> Archive:
    return Archive(bare_house.table)


def test_what_is_new_becomes_the_next_link(archive: Archive) -> None:
    for minute in range(7):
        archive.write(NOW + minute * MINUTE)
    assert archive.seal(NOW + 8 * MINUTE) == 7
    assert archive.seal(NOW + 13 * MINUTE) == 0
    archive.write(NOW + 14 * MINUTE)
    assert archive.seal(NOW + 18 * MINUTE) == 1
    first, second = AuditRepository(TENANT, archive.table).seals()
    assert second.seal.previous == hash_of(first.text)
    assert archive.sealed() == Counter(archive.written)
    assert set(archive.bucket.versions) == {name_of(TENANT, 1), name_of(TENANT, 2)}
    report = archive.verify(NOW + 20 * MINUTE)
    assert (report.findings, report.entries, report.seals) == ([], 8, 2)


def test_the_newest_minutes_wait(archive: Archive) -> None:
    archive.write(NOW - LAG + MINUTE)
    assert archive.seal(NOW) == 0
    assert archive.seal(NOW + 5 * MINUTE) == 1


def test_an_entry_that_became_visible_late_is_in_a_later_seal(archive: Archive) -> None:
    archive.write(NOW)
    assert archive.seal(NOW + 10 * MINUTE) == 1
    archive.write(NOW - LOOK_BACK + LAG + 11 * MINUTE)
    assert archive.seal(NOW + 15 * MINUTE) == 1
    assert archive.sealed() == Counter(archive.written)


def test_a_rest_costs_no_seal_and_is_remembered(archive: Archive) -> None:
    archive.write(NOW)
    archive.seal(NOW + 5 * MINUTE)
    for hour in range(1, 30):
        assert archive.seal(NOW + hour * HOUR) == 0
    head = AuditRepository(TENANT, archive.table).head()
    assert head is not None
    assert (head.sequence, head.looked > NOW + 20 * HOUR) == (1, True)


def test_what_a_rest_costs(archive: Archive) -> None:
    archive.write(NOW)
    archive.seal(NOW + 5 * MINUTE)
    archive.table.consumed = []
    archive.seal(NOW + 10 * MINUTE)
    looked_back = sum(each["CapacityUnits"] for each in archive.table.consumed)
    archive.seal(NOW + 7 * HOUR)
    archive.table.consumed = []
    archive.seal(NOW + 7 * HOUR + 5 * MINUTE)
    assert (looked_back, sum(each["CapacityUnits"] for each in archive.table.consumed)) == (4, 3)


def test_more_than_a_seal_takes_goes_into_several(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST * 48 < 200_000
    monkeypatch.setattr("shared.audit.sealing.MOST", 10)
    for second in range(45):
        archive.write(NOW + second // 3)
    assert archive.seal(NOW + 10 * MINUTE) == 45
    assert archive.sealed() == Counter(archive.written)
    assert archive.verify(NOW + 11 * MINUTE).findings == []


def test_a_message_of_a_tenant_that_is_gone_leaves_nothing(archive: Archive) -> None:
    Sealer(AuditRepository(TENANT, archive.table), archive.bucket, NOW, exists=lambda: False).work()
    assert AuditRepository(TENANT, archive.table).head() is None


class Racing(FaultyTable):
    """Somebody else is faster, right before each transaction."""

    before: Callable[[], Any]

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        if operation == "transact_write_items":
            self.before()
        return super()._call(operation, **request)


def test_of_two_sealers_one_wins(archive: Archive, dynamodb: str) -> None:
    archive.write(NOW)
    slow = Racing(dynamodb, archive.table.name)
    slow.before = lambda: archive.seal(NOW + 5 * MINUTE)
    assert archive.seal(NOW + 5 * MINUTE + 1, slow) == 0
    archive.write(NOW + 6 * MINUTE)
    archive.seal(NOW + 10 * MINUTE)
    assert archive.sealed() == Counter(archive.written)
    assert archive.verify(NOW + 11 * MINUTE).findings == []


@pytest.mark.parametrize("seed", range(12))
def test_every_entry_is_in_exactly_one_seal_in_the_end(archive: Archive, dynamodb: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries that become visible in any order up to the time that is looked back, deaths at any I/O, and a second sealer."""
    chance, now = random.Random(seed), NOW
    monkeypatch.setattr("shared.audit.sealing.MOST", chance.choice((3, 1000)))
    table, deaths = FaultyTable(dynamodb, archive.table.name), 0
    late: list[tuple[Instant, Instant]] = []
    for _ in range(14):
        now += chance.choice((MINUTE, 5 * MINUTE, 5 * MINUTE, 9 * MINUTE, 7 * HOUR))
        # A call notes its instant first, and is seen some minutes later.
        late += [(now + chance.randrange(20 * MINUTE), now) for _ in range(chance.randrange(4))]
        for each in [each for each in late if each[0] <= now]:
            late.remove(each)
            archive.write(each[1])
        table.arm(chance.randrange(1, 24), chance.choice(("before", "after")), chance.choice(("kill", "lose")))
        bucket = Bucket(archive.bucket.versions, lambda: chance.choice((None, None, "before", "after")))
        try:
            archive.seal(now, table, bucket)
        except (Killed, AppError):
            deaths += 1
        if chance.random() < 0.3:
            racing = Racing(dynamodb, archive.table.name)
            racing.before = lambda at=now: archive.seal(at)  # type: ignore[misc]
            archive.seal(now + 1, racing)
    for seen, at in late:
        archive.write(at)
        now = max(now, seen)
    for _ in range(2):
        now += 10 * MINUTE
        archive.seal(now)
    assert deaths > 0
    assert archive.sealed() == Counter(archive.written)
    assert archive.verify(now + MINUTE).findings == []


# -- changes that somebody plants -----------------------------------------------------------------------------------------


@pytest.fixture
def three(archive: Archive) -> Archive:
    """Three seals over nine entries."""
    for number in range(9):
        archive.write(NOW + number * MINUTE)
        if number % 3 == 2:
            archive.seal(NOW + number * MINUTE + LAG)
    assert archive.seal(NOW + 12 * MINUTE) + len(list(AuditRepository(TENANT, archive.table).seals())) >= 3
    return archive


LATER = NOW + HOUR


def _found(archive: Archive) -> list[tuple[str, str]]:
    return [(each.kind, each.what) for each in archive.verify(LATER).findings]


def _item(archive: Archive, key: Any) -> dict[str, Any]:
    raw = archive.table.get(key)
    assert raw is not None
    return raw


def test_nothing_is_found_where_nothing_was_changed(three: Archive) -> None:
    assert _found(three) == []


def test_a_changed_entry_is_named(three: Archive) -> None:
    item = _item(three, keys_audit.entry(TENANT, three.written[4]))
    item["body"] = {"S": item["body"]["S"].replace("demo-1", "demo-2")}
    three.table.put_raw(item)
    assert _found(three) == [("entry_changed", three.written[4])]


def test_a_removed_entry_is_named(three: Archive) -> None:
    three.table.delete(keys_audit.entry(TENANT, three.written[2]))
    assert _found(three) == [("entry_removed", three.written[2])]


def test_an_added_entry_is_named(three: Archive) -> None:
    added = three.write(NOW - 40 * MINUTE)
    assert _found(three) == [("entry_added", added)]


def test_an_entry_under_another_key_is_named(three: Archive) -> None:
    item = _item(three, keys_audit.entry(TENANT, three.written[0]))
    item["SK"] = {"S": item["SK"]["S"] + "x"}
    three.table.put_raw(item)
    assert [kind for kind, _ in _found(three)] == ["entry_added"]


def test_a_changed_seal_is_named(three: Archive) -> None:
    item = _item(three, keys_audit.seal(TENANT, 2))
    item["body"] = {"S": item["body"]["S"].replace('"sealed_at":1', '"sealed_at":2')}
    three.table.put_raw(item)
    assert set(_found(three)) == {("chain_broken", "seal 3"), ("seal_forged", "seal 2")}


def test_leaves_that_do_not_fit_their_seal_are_named(three: Archive) -> None:
    item = _item(three, keys_audit.seal(TENANT, 1))
    item["leaves"] = {"B": item["leaves"]["B"][:-48]}
    three.table.put_raw(item)
    kinds = {kind for kind, _ in _found(three)}
    assert kinds == {"leaves_changed", "entry_added"}


def test_a_removed_seal_is_named(three: Archive) -> None:
    three.table.delete(keys_audit.seal(TENANT, 2))
    assert ("seal_removed", "seal 2") in _found(three)


def test_a_chain_without_its_end_is_named(three: Archive) -> None:
    repository = AuditRepository(TENANT, three.table)
    last = max(stored.seal.sequence for stored in repository.seals())
    gone = [leaf.id for stored in repository.seals() if stored.seal.sequence == last for leaf in stored.leaves]
    three.table.delete(keys_audit.seal(TENANT, last))
    for each in gone:
        three.table.delete(keys_audit.entry(TENANT, each))
    assert _found(three) == [("chain_cut", f"seal {last}")]


def test_a_chain_that_was_forged_as_a_whole_differs_from_what_is_locked(three: Archive) -> None:
    count = len(three.bucket.versions)
    item = _item(three, keys_audit.entry(TENANT, three.written[0]))
    item["body"] = {"S": item["body"]["S"].replace("demo-1", "demo-2")}
    three.table.put_raw(item)
    for key in [keys_audit.head(TENANT), *(keys_audit.seal(TENANT, number) for number in range(1, count + 1))]:
        three.table.delete(key)
    forged = Bucket()
    three.seal(NOW + 12 * MINUTE, bucket=forged)
    kinds = {kind for kind, _ in _found(three)}
    assert kinds >= {"seal_forged", "chain_cut"}
    # Also one who may write into the bucket only adds a version.
    for name, versions in forged.versions.items():
        three.bucket.versions[name] += versions
    assert {kind for kind, _ in _found(three)} >= {"seal_forged", "lock_overwritten"}


def test_entries_that_expired_are_not_missed(archive: Archive) -> None:
    archive.write(NOW)
    archive.seal(NOW + 5 * MINUTE)
    archive.table.delete(keys_audit.entry(TENANT, archive.written[0]))
    report = archive.verify(NOW + KEPT + HOUR)
    assert (report.findings, report.expired) == ([], 1)
