"""Slots that are leased: never more than the rate, whoever leases, and in whatever blocks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.campaigns.throttle import lease, slot
from shared.kernel.instants import SECOND

leases = st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 40)), min_size=1, max_size=20)


@given(leases, st.integers(1, 1000))
def test_no_second_has_more_slots_than_the_rate(asked: list[tuple[int, int]], per_second: int) -> None:
    now, next_at, slots = 0, 0, []
    for pause, wanted in asked:
        now += pause
        granted_from, next_at = lease(next_at, now, per_second, wanted)
        assert granted_from >= now
        slots += [slot(granted_from, per_second, number) for number in range(wanted)]
    assert slots == sorted(slots)
    for first, last in zip(slots, slots[per_second:], strict=False):
        assert last - first >= SECOND


@given(st.integers(1, 1000), st.integers(1, 1000))
def test_without_a_pause_nothing_is_lost_but_rounding(per_second: int, wanted: int) -> None:
    granted_from, next_at = lease(5_000, 1_000, per_second, wanted)
    assert granted_from == 5_000
    exact = wanted * SECOND / per_second
    assert exact <= next_at - granted_from < exact + 1


def test_a_pause_makes_no_burst() -> None:
    assert lease(1_000, 60_000, 2, 4) == (60_000, 62_000)
