"""Cells of a report: any order of any parts gives the same sums, and what is stored comes back."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from shared.reports.cells import COUNTERS, Cells, Place, add, by, decode, encode, merged, total

parts = (("a", "b"), ("", "x"), ("push", "sms"), ("de", ""))
places = st.builds(Place, *(st.sampled_from(part) for part in parts))
counts = st.dictionaries(st.sampled_from((*COUNTERS, "suppressed:no_consent")), st.integers(-5, 5), max_size=4)
changes = st.lists(st.tuples(places, counts), max_size=12)


def of(changes: list[tuple[Place, dict[str, int]]]) -> Cells:
    cells: Cells = {}
    for place, numbers in changes:
        add(cells, place, numbers)
    return cells


@given(changes, st.integers())
def test_the_order_does_not_matter_and_shards_add_up(changes: list[tuple[Place, dict[str, int]]], seed: int) -> None:
    shuffled = random.Random(seed).sample(changes, len(changes))
    middle = len(changes) // 2
    assert of(changes) == of(shuffled) == merged([of(changes[:middle]), of(changes[middle:])])


@given(changes)
def test_what_is_stored_comes_back(changes: list[tuple[Place, dict[str, int]]]) -> None:
    assert decode(encode(of(changes))) == of(changes)


@given(changes)
def test_every_cut_adds_up_to_the_whole(changes: list[tuple[Place, dict[str, int]]]) -> None:
    cells = of(changes)
    for part in (lambda place: place.step, lambda place: place.variant, lambda place: place.channel, lambda place: place.language):
        cut = by(cells, part)
        for name, number in total(cells).items():
            assert sum(group.get(name, 0) for group in cut.values()) == number


def test_a_change_and_its_opposite_leave_nothing() -> None:
    place = Place("a", "", "push", "en")
    cells: Cells = {}
    add(cells, place, {"sent": 2})
    add(cells, place, {"sent": -2})
    assert cells == {}
    assert total(cells) == dict.fromkeys(COUNTERS, 0)
