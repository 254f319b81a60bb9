"""Files of columns, and columns joined and parted: nothing is lost, nothing foreign is read, nothing of the dropped stays."""

from __future__ import annotations

import copy
import random
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.member_state.model import MemberState
from shared.snapshots.building import Builder, columns_of
from shared.snapshots.columns import Columns, _stored
from shared.snapshots.container import Container, Damaged, write
from tests.unit.snapshots.crowds import Crowd

INTS = st.lists(st.integers(-(1 << 62), 1 << 62) | st.integers(-3, 300), max_size=40)


def same(one: Columns, other: Columns) -> bool:
    """Whether both say the same of the same members; words may be numbered otherwise."""
    return said(one) == said(other)


def said(columns: Columns) -> object:
    """Everything, with words instead of their numbers and rows by owner."""
    from shared.snapshots.columns import CELL, MEMBER, MEMBER_WORDS, WORDS, owners, sections

    words, ids = columns.words, columns.ids.tolist()
    found: dict[str, object] = {"ids": ids}
    for name in MEMBER:
        found[name] = columns[f"member/{name}"].tolist()
    for name in MEMBER_WORDS:
        found[name] = [words[number] for number in columns[f"member/{name}"]]
    cells = list(zip([ids[row] for row in columns.cell_owner], *(columns[f"cell/{name}"].tolist() for name in CELL), strict=True))
    found["cells"] = cells
    for section, names in sections().items():
        owner = columns[f"{section}/owner"]
        who = [cells[row] for row in owner] if section.startswith("by:") else [ids[row] for row in owner]
        key = [words[number] for number in columns[f"{section}/names"][owners(columns[f"{section}/starts"])]]
        values = [
            [words[number] for number in columns[path]] if path in WORDS else columns[path].tolist()
            for path in (f"{section}/{name}" for name in names)
        ]
        found[section] = sorted(zip(key, who, *values, strict=True))
    return found


@settings(max_examples=300)
@given(INTS, INTS, st.lists(st.text(max_size=5), max_size=5), st.lists(st.binary(min_size=1, max_size=9), max_size=9))
def test_a_file_gives_back_every_column(one: list[int], two: list[int], words: list[str], texts: list[bytes]) -> None:
    stored = np.array(texts, dtype="S")
    ints = {"one": np.array(one, np.int64), "two": np.array(sorted(two), np.int64)}
    body = write({"tenant": "t"}, ints, {"ids": stored}, {"words": words})
    container = Container(body)
    assert container.meta == {"tenant": "t"}
    assert container.ints("one").tolist() == one
    assert container.ints("two").tolist() == sorted(two)
    assert container.texts("ids").tolist() == stored.tolist()
    assert container.words("words") == words
    assert sum(map(container.size, container.names)) < len(body)


def test_what_is_cut_changed_or_foreign_is_not_read() -> None:
    body = columns_of(Crowd(1).states).encode({"tenant": "t"})
    Container(body)
    rng = random.Random(3)
    for _ in range(50):
        at = rng.randrange(len(body))
        with pytest.raises(Damaged):
            Container(body[:at])
        with pytest.raises(Damaged):
            Container(body[:at] + bytes([body[at] ^ (1 << rng.randrange(8))]) + body[at + 1 :])
    for head in (b"PAR1" + body[4:-4], body[:4] + b"\x02" + body[5:-4]):
        with pytest.raises(Damaged):
            Container(head + struct.pack("<I", zlib.crc32(head)))


def test_columns_survive_their_file_and_the_order_of_members_does_not_matter() -> None:
    states = Crowd(2, 40).states
    columns = columns_of(states)
    read = Columns.decode(Container(columns.encode({})))
    assert all(read[name].tolist() == columns[name].tolist() for name in _stored())
    shuffled = states[:]
    random.Random(1).shuffle(shuffled)
    assert same(read, columns_of(shuffled))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_joining_is_as_if_the_newest_states_had_been_laid_out_together(seed: int) -> None:
    rng, crowd, others = random.Random(seed), Crowd(seed, 12), Crowd(seed + 1, 12)
    newest: dict[str, MemberState] = {state.member: state for state in crowd.states}
    builder = Builder()
    for state in rng.sample(others.states, rng.randint(0, 12)):
        state.member = rng.choice((state.member, state.member + "b"))
        builder.add(state)
        if state.member not in newest or state.version >= newest[state.member].version:
            newest[state.member] = state
    assert same(columns_of(crowd.states).joined(builder.columns()), columns_of(newest.values()))


def test_of_a_member_in_both_the_newer_version_counts_and_tombstones_hide_her() -> None:
    states = [MemberState("t", f"m{number}", version=3, attributes={"x": number}) for number in range(4)]
    base = columns_of(states)
    older, newer = copy.copy(states[1]), copy.copy(states[2])
    older.version, older.attributes = 2, {"x": 100}
    newer.version, newer.attributes = 4, {"x": 200}
    young = Builder()
    young.add(older)
    young.add(newer)
    young.add_gone("m3", 9)
    joined = base.joined(young.columns())
    assert joined["number/value"].tolist() == [0, 1, 200]
    assert joined["member/gone"].tolist() == [0, 0, 0, 1]
    assert joined.alive().ids.tolist() == [b"m0", b"m1", b"m2"]


def test_no_word_of_a_dropped_member_stays_behind() -> None:
    kept, dropped = MemberState("t", "m1", version=1), MemberState("t", "m2", version=1)
    kept.attributes, dropped.attributes = {"city": "Berlin"}, {"secret": "whisper"}
    columns = columns_of([kept, dropped])
    assert "whisper" in columns.words
    left = columns.without(columns.mask_of(["m2"]))
    assert not {"whisper", "secret"} & set(left.words)
    assert [left.words[number] for number in left["text/value"]] == ["Berlin"]


def test_no_personal_fact_is_in_a_file() -> None:
    """What is sealed beside the state has no column; that it is known has."""
    names = {name.rpartition("/")[2] for name in _stored()}
    assert not names & {"birth_date", "gender", "language", "home"}


def test_who_is_not_active_is_a_tombstone() -> None:
    builder = Builder()
    builder.add(MemberState("t", "m1", version=5, status="erased", attributes={"x": "y"}))
    columns = builder.columns()
    assert (columns["member/gone"].tolist(), columns["member/version"].tolist()) == ([1], [5])
    assert "y" not in columns.words


def test_nobody_makes_empty_columns() -> None:
    empty = Columns.decode(Container(columns_of([]).encode({})))
    some = columns_of([MemberState("t", "m1", version=1)])
    assert len(empty) == 0
    assert empty.rows_of(["m1"]).tolist() == []
    assert same(empty.joined(some), some)
    assert same(some.joined(empty), some)
    assert len(some.without(np.array([True]))) == 0
