"""Shares of a limit sum to it, and none falls when it is raised."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.shards import MOST, shards_of, share_of

LIMITS = st.integers(1, 10**7)
SIZES = st.sampled_from([50, 10_000])


@given(LIMITS, SIZES)
def test_the_shares_of_all_shards_sum_to_the_limit(limit: int, size: int) -> None:
    shares = [share_of(limit, size, shard) for shard in range(MOST)]
    assert sum(shares) == sum(shares[: shards_of(limit, size)]) == limit
    assert min(shares[: shards_of(limit, size)]) > 0


@given(LIMITS, st.integers(0, 10**6), SIZES)
def test_no_share_falls_when_the_limit_is_raised(limit: int, more: int, size: int) -> None:
    assert all(share_of(limit, size, shard) <= share_of(limit + more, size, shard) for shard in range(MOST))
    assert shards_of(limit, size) <= shards_of(limit + more, size)


@pytest.mark.parametrize(
    ("limit", "shares"),
    [(1, [1]), (50, [50]), (51, [50, 1]), (149, [50, 50, 49]), (150, [50, 50, 50]), (1600, [50] * 32), (1633, [52] + [51] * 31)],
)
def test_worked_shares(limit: int, shares: list[int]) -> None:
    assert [share_of(limit, 50, shard) for shard in range(shards_of(limit, 50))] == shares
