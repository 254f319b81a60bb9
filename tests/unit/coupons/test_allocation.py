"""An amount over lines of several tax rates: sums match, nothing costs less than nothing, and each rate bears its share."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.money import allocate, allocate_by_group

rows = st.lists(st.tuples(st.integers(0, 3000), st.sampled_from([None, 0, 70_000, 190_000])), min_size=1, max_size=30)


@given(rows, st.integers(0, 100))
def test_the_parts_are_the_whole_and_each_group_is_within_one_of_its_share(drawn: list[tuple[int, int | None]], percent: int) -> None:
    weights, groups = [weight for weight, _ in drawn], [group for _, group in drawn]
    whole = sum(weights)
    total = whole * percent // 100
    parts = allocate_by_group(total, weights, groups)
    assert sum(parts) == total
    assert all(0 <= part <= weight for part, weight in zip(parts, weights, strict=True))
    for group in set(groups):
        share = sum(part for part, each in zip(parts, groups, strict=True) if each == group)
        weight = sum(weight for weight, each in zip(weights, groups, strict=True) if each == group)
        assert abs(share * whole - total * weight) < max(whole, 1)


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=30), st.integers(0, 100))
def test_one_group_is_what_it_was_before_there_were_groups(weights: list[int], percent: int) -> None:
    total = sum(weights) * percent // 100
    assert allocate_by_group(total, weights, [19] * len(weights)) == allocate(total, weights)


def test_many_small_lines_do_not_bear_less_than_their_rate() -> None:
    """The first four cost more than the others together, and would bear one of four units: remainders are the others'."""
    assert allocate(4, [7, 7, 7, 7, 9, 9, 9]) == [1, 0, 0, 0, 1, 1, 1]
    assert allocate_by_group(4, [7, 7, 7, 7, 9, 9, 9], [7, 7, 7, 7, 19, 19, 19]) == [1, 1, 0, 0, 1, 1, 0]
