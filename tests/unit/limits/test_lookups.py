"""Look-ups of members: what is counted, when it is added, when it is over."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.instants import HOUR
from shared.limits.lookups import FOUND, MISSED, Hour, hour_of, seconds_left


def walk(environments: int, lookups: list[tuple[str, bool]], seed: int, most_missed: int, most_found: int) -> tuple[int, int, int]:
    """Look-ups that were answered (misses, different members) and writes, over environments that share the sums."""
    chance, hours = random.Random(seed), [Hour(1) for _ in range(environments)]
    missed = found = writes = 0
    answered: list[tuple[str, bool]] = []
    for subject, known in lookups:
        hour = chance.choice(hours)
        if hour.closed:
            continue
        answered.append((subject, known))
        if hour.note(subject, known=known):
            missed, found, writes = missed + hour.missed, found + hour.found, writes + 1
            hour.added(missed, found, most_missed=most_missed, most_found=most_found)
    members = {subject for subject, known in answered if known}
    return sum(not known for _, known in answered), len(members), writes


@given(st.integers(1, 6), st.integers(0, 2**32), st.integers(1, 200), st.integers(1, 200), st.integers(0, 100))
def test_an_hour_has_its_bound_and_a_block_for_each_environment(
    environments: int, seed: int, most_missed: int, most_found: int, share: int
) -> None:
    chance = random.Random(seed)
    lookups = [(str(number), chance.randrange(100) < share) for number in range(600)]
    missed, found, writes = walk(environments, lookups, seed, most_missed, most_found)
    assert missed < most_missed + environments * MISSED + MISSED
    assert found < most_found + environments * FOUND + FOUND
    assert writes <= missed / MISSED + found / FOUND + 1


@given(st.integers(1, 6), st.integers(0, 2**32))
def test_guests_who_come_again_count_once_an_environment(environments: int, seed: int) -> None:
    chance = random.Random(seed)
    lookups = [(str(chance.randrange(40)), True) for _ in range(2000)]
    missed, found, writes = walk(environments, lookups, seed, 600, 3000)
    assert (missed, found) == (0, 40)
    assert writes <= environments * 40 / FOUND


def test_a_busy_till_is_not_stopped_by_the_defaults() -> None:
    """A thousand guests a day, 200 of them in the busiest hour, a third of them no members yet."""
    lookups = [(str(number), number % 3 != 0) for number in range(200)]
    missed, found, writes = walk(8, lookups, 1, 600, 3000)
    assert missed + found == 200
    assert writes <= 200 / MISSED


def test_the_next_hour_is_another() -> None:
    assert hour_of(3 * HOUR - 1) + 1 == hour_of(3 * HOUR)
    assert (seconds_left(3 * HOUR - 1), seconds_left(3 * HOUR)) == (1, 3600)
