"""The bucket that environments share: what it lets through, whom it refuses, what it writes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kernel.instants import SECOND
from shared.limits import rules
from shared.limits.rules import LATE, SKEW, WINDOW, Count, Rate
from tests.unit.limits.simulation import World, worst_excess

NOW = 1_800_000_000_000
rates = st.builds(Rate, st.integers(1, 60), st.integers(1, 150))
skews = st.lists(st.integers(-SKEW, SKEW), min_size=1, max_size=6)


@settings(max_examples=20, deadline=None)
@given(rate=rates, clocks=skews, seed=st.integers(0, 2**32), times=st.integers(2, 20))
def test_a_flood_gets_its_rate_and_the_bound_and_no_more(rate: Rate, clocks: list[int], seed: int, times: int) -> None:
    """Every environment is called all the time, so nothing is forgiven: the strict form of the bound."""
    world, chance = World(rate, clocks), random.Random(seed)
    gap = max(1, SECOND // (rate.per_second * times))
    for _ in range(1200):
        world.now += chance.randrange(2 * gap + 1)
        for environment in range(len(clocks)):
            world.call(environment, finishes=chance.random() < 0.2)
    assert worst_excess(world, forgiving=False) <= 0


@settings(max_examples=30, deadline=None)
@given(rate=rates, clocks=skews, seed=st.integers(0, 2**32), data=st.data())
def test_calls_that_come_in_waves_stay_within_the_wider_bound(rate: Rate, clocks: list[int], seed: int, data: st.DataObject) -> None:
    world, chance = World(rate, clocks), random.Random(seed)
    for wave in data.draw(st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 400)), min_size=1, max_size=12)):
        world.now += wave[0]
        for _ in range(wave[1]):
            world.now += chance.randrange(3)
            world.call(chance.randrange(len(clocks)), finishes=chance.random() < 0.3)
    assert worst_excess(world, forgiving=True) <= 0


@settings(max_examples=40, deadline=None)
@given(rate=rates, clocks=skews, seed=st.integers(0, 2**32), even=st.booleans(), pause=st.integers(0, 20_000))
def test_who_keeps_to_the_rate_is_never_refused(rate: Rate, clocks: list[int], seed: int, even: bool, pause: int) -> None:
    """Calls as fast as the rate and burst allow, by a bucket of the test's own; among them pauses."""
    world, chance = World(rate, clocks), random.Random(seed)
    full = rate.burst * SECOND
    left, before = full, world.now
    for number in range(1500):
        world.now += 0 if chance.random() < 0.5 else chance.randrange(1, 2 * SECOND // rate.per_second + 2)
        world.now += pause if number % 400 == 399 else 0
        left = min(full, left + (world.now - before) * rate.per_second)
        before = world.now
        if left >= SECOND:
            left -= SECOND
            assert world.call(number if even else chance.randrange(len(clocks)))
    assert world.refused == []


@pytest.mark.parametrize(("per_second", "environments"), [(200, 4), (100, 2), (150, 3), (1000, 10)])
def test_a_steady_flow_costs_a_fiftieth_of_a_write_a_call_at_most(per_second: int, environments: int) -> None:
    world = World(Rate(per_second, 2 * per_second), [0] * environments)
    calls = 20 * per_second
    for number in range(calls):
        world.now = NOW + number * SECOND // per_second
        assert world.call(number)
    assert world.memory.writes / calls <= 0.02


def test_a_slow_tenant_writes_nothing_at_all() -> None:
    world = World(Rate(200, 400), [0, 0])
    for number in range(6000):
        world.now = NOW + number * 50
        assert world.call(number)
    assert world.memory.writes == 0


def test_a_flood_costs_a_write_each_half_second_and_environment_at_most() -> None:
    world = World(Rate(20, 40), [0] * 5)
    for number in range(30_000):
        world.now = NOW + number * 2
        world.call(number)
    seconds = 60
    blocks = seconds * 20 / Rate(20, 40).block
    assert len(world.refused) > 20_000
    assert world.memory.writes <= 5 * seconds * SECOND / rules.PAUSE + blocks + 10


def test_an_idle_bucket_is_full_again_and_no_fuller() -> None:
    rate = Rate(10, 20)
    world = World(rate, [0])
    for _ in range(2):
        while world.call(0):
            pass
        burst = len(world.answered)
        world.answered.clear()
        world.now += 600 * SECOND
        assert burst <= world.bound(NOW, NOW, forgiving=False)
        assert burst >= rate.burst


def test_a_closed_environment_still_finishes_what_tills_began() -> None:
    rate = Rate(10, 10)
    world = World(rate, [0])
    while world.call(0):
        world.now += 1
    finished = 0
    while world.call(0, finishes=True):
        finished += 1
    assert rate.block - 1 <= finished <= rate.block
    assert not world.call(0)


def test_a_refusal_ends_when_the_payment_fits() -> None:
    rate = Rate(10, 10)
    world = World(rate, [0])
    while world.call(0):
        world.now += 1
    world.now += 30 * SECOND
    assert world.call(0)


def test_an_absurd_level_of_a_wrong_clock_closes_nothing() -> None:
    ahead = (NOW + 24 * 3600 * SECOND) * 1000
    wanted = rules.payment(Count(NOW, 5, level=ahead), Rate(10, 10), NOW)
    fitting = rules.fitting(wanted, ahead)
    assert fitting is not None
    assert fitting.lift


@pytest.mark.parametrize(
    ("level", "verdict"),
    [(None, True), (-20_000_000, True), (-1_000_000, False), (-500_000, False), (-499_999, None), (0, None)],
)
def test_a_payment_fits_up_to_the_present(level: int | None, verdict: bool | None) -> None:
    """Ten calls a second, five to pay for: half a second. The bucket is 11 seconds deep."""
    rate = Rate(10, 10)
    wanted = rules.payment(Count(NOW, 5), rate, NOW)
    fitting = rules.fitting(wanted, None if level is None else NOW * 1000 + level)
    assert (fitting.lift if fitting is not None else None) == verdict


def test_a_clock_that_went_back_starts_anew() -> None:
    count = Count(NOW, 3, NOW + 1000)
    assert rules.outlook(count, Rate(10, 10), NOW - 3_600_000) == ("open", Count(NOW - 3_600_000))


@pytest.mark.parametrize(
    ("age", "calls", "expected"),
    [(0, 49, "open"), (0, 250, "pay"), (WINDOW - 1, 249, "open"), (WINDOW, 51, "pay"), (WINDOW, 50, "open"), (WINDOW + LATE, 249, "open")],
)
def test_what_is_paid_when(age: int, calls: int, expected: str) -> None:
    outlook, count = rules.outlook(Count(NOW, calls), Rate(200, 400), NOW + age)
    assert outlook == expected
    forgotten = expected == "open" and age >= WINDOW
    assert count.calls == (0 if forgotten else calls)


@pytest.mark.parametrize(
    ("rate", "block", "free"), [(Rate(1, 1), 1, 0), (Rate(10, 50), 12, 2), (Rate(200, 400), 250, 50), (Rate(2000, 1), 256, 50)]
)
def test_blocks_follow_the_rate(rate: Rate, block: int, free: int) -> None:
    assert (rate.block, rate.free) == (block, free)
    assert 2 * rate.free <= rate.block


@pytest.mark.parametrize(("ahead", "seconds"), [(-5, 1), (0, 1), (1, 1), (1000, 1), (1001, 2)])
def test_retry_after_is_whole_seconds_and_at_least_one(ahead: int, seconds: int) -> None:
    assert rules.seconds_until(NOW + ahead, NOW) == seconds


def test_an_address_gets_its_burst_and_then_its_rate() -> None:
    rate, level, given = Rate(10, 60), 0, 0
    for millisecond in range(10_000):
        after = rules.local_level(level, rate, NOW + millisecond)
        if after is not None:
            level, given = after, given + 1
    assert given == 60 + 99
