"""A till's journal: whatever happens to the file, everything that was acknowledged is in it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.till.disk import Busy, FileDisk
from local.till.journal import Entry, Journal, decode, encode
from shared.kernel.instants import DAY
from shared.tenants.allowances import Giving
from tests.fakes.till import FakeDisk, Plug, PowerCut

TODAY = "2026-11-21"


def entry(number: int, **more: object) -> Entry:
    body = {"receipt_number": str(number), "note": "é\n" * (number % 3)}
    values: dict[str, object] = {"body": body, "at": number, "business_date": TODAY}
    return Entry(f"txn_{number}", "sale", "/v1/transactions", **(values | more))  # type: ignore[arg-type]


def acts(journal: Journal, act: int, number: int) -> None:
    """Something that a till does."""
    if act == 0:
        journal.add(entry(number, points=number, value=2 * number, coupons=(f"c{number}",)))
    elif act == 1 and journal.waiting:
        journal.finish(journal.waiting[0].key, "done", {"transaction_id": "t"})
    elif act == 2 and journal.waiting:
        journal.fix(journal.waiting[0].key, {"fixed": number})
    elif act == 3:
        journal.compact(number)


def picture(journal: Journal) -> tuple[object, ...]:
    """All that a journal says."""
    return dict(journal.entries), dict(journal.taken), journal.number, journal.given(TODAY)


@given(st.lists(st.sampled_from([0, 0, 0, 1, 2]), max_size=12), st.data())
def test_a_cut_at_any_byte_gives_back_every_record_before_it(steps: list[int], data: st.DataObject) -> None:
    disk = FakeDisk()
    journal, stages = Journal(disk), [(0, picture(Journal(FakeDisk())))]
    for number, act in enumerate(steps):
        acts(journal, act, number)
        stages.append((len(disk.safe), picture(journal)))
    at = data.draw(st.integers(0, len(disk.safe)))
    cut = FakeDisk()
    cut.safe = disk.safe[:at]
    again = Journal(cut)
    expected = max(stage for stage in enumerate(stages) if stage[1][0] <= at)[1][1]
    assert picture(again) == expected
    # And it goes on from there: what is added next is not lost to the torn end.
    again.add(entry(99))
    assert picture(Journal(cut)) == picture(again)
    assert Journal(cut).damaged == 0


@given(st.lists(st.integers(0, 3), max_size=10), st.integers(1, 60), st.integers(0, 2**32))
def test_a_power_cut_at_any_step_loses_nothing_that_was_acknowledged(steps: list[int], at: int, seed: int) -> None:
    disk = FakeDisk(Plug(at), random.Random(seed))
    journal = Journal(disk)
    before = after = picture(journal)
    try:
        for number, act in enumerate(steps):
            before = after = picture(journal)
            twin = FakeDisk()
            twin.safe = disk.read()
            shadow = Journal(twin)
            acts(shadow, act, number)
            after = picture(shadow)
            acts(journal, act, number)
            before = picture(journal)
            assert before == after
    except PowerCut:
        pass
    disk.plug.at = None
    disk.cut()
    found = picture(Journal(disk))
    assert found in (before, after)


def test_a_damaged_line_takes_no_other_with_it() -> None:
    lines = [encode({"t": "kept", "number": n, "given": {}, "taken": {}}) for n in range(3)]
    broken = lines[1].replace(b'"number":1', b'"number":7')
    records, length, damaged = decode(lines[0] + broken + lines[2] + b"torn")
    assert [each["number"] for each in records] == [0, 2]
    assert (length, damaged) == (sum(map(len, lines)), 1)


def test_a_receipt_number_is_used_once() -> None:
    journal = Journal(FakeDisk())
    first = journal.add(entry(1, points=5))
    assert journal.add(entry(1, points=7)) is first
    assert (journal.number, journal.given(TODAY).points) == (1, 5)


def test_compaction_keeps_what_is_open_or_of_today_and_what_was_given() -> None:
    journal = Journal(disk := FakeDisk())
    for number in range(4):
        journal.add(entry(number, points=number, value=1, coupons=(f"c{number}",)))
    journal.finish("txn_0", "done", {})
    journal.finish("txn_1", "refused", {"code": "x"})
    journal.compact(DAY - 1)
    assert list(journal.entries) == ["txn_0", "txn_1", "txn_2", "txn_3"]
    size = len(disk.safe)
    journal.compact(2 * DAY)
    assert len(disk.safe) < size
    again = Journal(disk)
    assert picture(again) == picture(journal)
    assert list(again.entries) == ["txn_1", "txn_2", "txn_3"]
    assert (again.number, again.given(TODAY), set(again.taken)) == (4, Giving(6, 4), {"c0", "c1", "c2", "c3"})
    again.compact(40 * DAY)
    assert again.taken == {}


def test_a_full_disk_refuses_and_the_next_record_is_whole(tmp_path: Path) -> None:
    class Full(FileDisk):
        full = False

        def append(self, data: bytes) -> None:
            if self.full:
                super().append(data[:9])
                raise OSError("no space left")
            super().append(data)

    disk = Full(tmp_path / "journal")
    journal = Journal(disk)
    journal.add(entry(1))
    disk.full = True
    with pytest.raises(OSError, match="no space"):
        journal.add(entry(2))
    disk.full = False
    journal.add(entry(3))
    disk.close()
    assert list(Journal(FileDisk(tmp_path / "journal")).entries) == ["txn_1", "txn_3"]


def test_a_file_is_for_one_process_at_a_time_and_survives_its_replacement(tmp_path: Path) -> None:
    disk = FileDisk(tmp_path / "till" / "journal")
    with pytest.raises(Busy):
        FileDisk(tmp_path / "till" / "journal")
    journal = Journal(disk)
    journal.add(entry(1))
    journal.compact(0)
    journal.add(entry(2))
    disk.close()
    assert list(Journal(FileDisk(tmp_path / "till" / "journal")).entries) == ["txn_1", "txn_2"]
