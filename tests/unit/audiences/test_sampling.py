"""A sample is everybody's alike, and its interval holds the truth."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shared.audiences.sampling import Sample, interval, ranks_of, seed_of, texts
from shared.kernel.ids import new_id

POPULATION = 3000
IDS = texts([new_id("mbr", 1_790_000_000_000 + 1000 * number, random.Random(number).randbytes) for number in range(POPULATION)])


def drawn(seed: int, size: int, codes: np.ndarray) -> Sample:
    sample = Sample(size, seed)
    for start in range(0, POPULATION, 700):
        sample.offer(IDS[start : start + 700], codes[start : start + 700])
    return sample


def test_the_interval_covers_the_truth_of_a_thousand_drafts() -> None:
    rng = random.Random(7)
    covered = 0
    for draft in range(1000):
        share = rng.choice((0.002, 0.01, 0.05, 0.2, 0.5, 0.8, 0.97))
        # Members who joined late are likelier to be in: a sample of neighbours would be far off.
        chance = np.random.default_rng(draft).random(POPULATION) * np.linspace(1.5, 0.5, POPULATION)
        codes = (chance < share).astype(np.int64)
        sample = drawn(seed_of("draft", str(draft)), 400, codes)
        found = interval(int(sample.codes.sum()), 400, POPULATION)
        covered += found.low <= int(codes.sum()) <= found.high
    assert covered >= 930


def test_the_interval_is_no_wider_than_it_must_be() -> None:
    found = interval(200, 400, 3000)
    assert found == (1500, 1353, 1647)
    assert interval(0, 400, 3000) == (0, 0, 29)


@given(st.integers(0, 500), st.integers(1, 500), st.integers(0, 5000))
def test_an_interval_never_says_less_than_was_seen(hits: int, looked_at: int, more: int) -> None:
    hits = min(hits, looked_at)
    found = interval(hits, looked_at, looked_at + more)
    assert hits <= found.low <= found.estimate <= found.high <= looked_at + more - (looked_at - hits)
    if more == 0:
        assert found == (hits, hits, hits)


def test_nobody_looked_at_says_nothing() -> None:
    assert interval(0, 0, 70) == (0, 0, 70)


def test_the_same_seed_draws_the_same_members_however_they_come() -> None:
    codes = np.arange(POPULATION)
    order = np.random.default_rng(3).permutation(POPULATION)
    shuffled = Sample(50, 9)
    for each in order:
        shuffled.offer(IDS[each : each + 1], codes[each : each + 1])
    sample, another = drawn(9, 50, codes), drawn(10, 50, codes)
    assert shuffled.ids.tolist() == sample.ids.tolist()
    assert shuffled.codes.tolist() == sample.codes.tolist()
    assert [IDS[code] for code in sample.codes] == sample.ids.tolist()
    assert set(another.ids) != set(sample.ids)


def test_every_member_is_as_likely_to_be_drawn() -> None:
    times = np.zeros(POPULATION)
    for seed in range(400):
        times[np.argsort(ranks_of(IDS, seed_of(str(seed))))[:300]] += 1
    # Of 400 samples with a tenth each: 40 times, give or take six.
    assert 38.5 < times[:1500].mean() < 41.5
    assert 5.0 < times.std() < 7.0


def test_the_width_of_the_columns_does_not_matter() -> None:
    narrow = np.array(IDS[:20].tolist(), dtype="S")
    assert ranks_of(narrow, 5).tolist() == ranks_of(IDS[:20], 5).tolist()


def test_a_sample_of_none_takes_none() -> None:
    sample = Sample(0, 1)
    sample.offer(IDS, np.zeros(POPULATION, np.int64))
    assert len(sample.ids) == 0
