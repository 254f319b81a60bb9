"""Habits: the usual interval, the state by it to the millisecond, tag strengths, fifths."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from statistics import median

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.kernel.instants import DAY, HOUR, MINUTE, NEVER, day_of, day_start, local_day
from shared.profile.habits import lifecycle, prefers, rfm, tag_strength, usual_interval2
from shared.profile.model import KEPT_DAYS, Cell, Profile
from shared.profile.statistics import Statistics, from_body, quintile_boundaries, score, to_body
from shared.tenants.model import ProfileSettings

ZONE = "Europe/Berlin"
TODAY = day_of("2026-11-21")
PLAIN = ProfileSettings()
NOBODY = Statistics()


def came(*days: int, at: int = 12 * HOUR) -> Profile:
    """A purchase on each day number; the last one at so many milliseconds of its day."""
    profile = Profile(cells={day: Cell(1, 100, 1000) for day in days})
    profile.count, profile.last_at = len(days), day_start(max(days), ZONE) + at if days else None
    return profile


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ((), None),
        ((0, 7), None),
        ((0, 7, 14), 14),
        ((0, 7, 17), 17),
        ((0, 1, 2, 90), 2),
        ((0, 100, 101, 108, 115, 122, 129, 136, 143, 150, 157, 164, 171, 178), 14),
    ],
)
def test_the_usual_interval_is_the_median_of_days_between_visits(days: tuple[int, ...], expected: int | None) -> None:
    assert usual_interval2(came(*(TODAY - 200 + day for day in days)), TODAY) == expected


def test_events_alone_are_no_visit_and_old_days_are_not_looked_at() -> None:
    profile = came(TODAY - 20, TODAY - 10, TODAY)
    profile.cells[TODAY - 5] = Cell(by={"e:game": [1, 0, 0]})
    assert usual_interval2(profile, TODAY) == 20
    assert usual_interval2(profile, TODAY - 20 + KEPT_DAYS) is None
    assert usual_interval2(profile, TODAY - 21 + KEPT_DAYS) == 20


def test_sleeping_after_twice_and_lost_after_four_times_the_interval_to_the_millisecond() -> None:
    profile = came(TODAY - 14, TODAY - 7, TODAY)
    last = profile.last_at or 0
    for now, expected in (
        (last, ("active", last + 14 * DAY + 1)),
        (last + 14 * DAY, ("active", last + 14 * DAY + 1)),
        (last + 14 * DAY + 1, ("sleeping", last + 28 * DAY + 1)),
        (last + 28 * DAY, ("sleeping", last + 28 * DAY + 1)),
    ):
        assert lifecycle(profile, now, ZONE, PLAIN, NOBODY) == expected
    state, until = lifecycle(profile, last + 28 * DAY + 1, ZONE, PLAIN, NOBODY)
    assert (state, until) == ("lost", NEVER)


def test_fewer_than_three_visits_are_measured_by_the_tenants_median() -> None:
    profile = came(TODAY - 1, TODAY)
    last = profile.last_at or 0
    assert lifecycle(profile, last, ZONE, PLAIN, NOBODY) == ("active", last + 60 * DAY + 1)
    assert lifecycle(profile, last, ZONE, PLAIN, Statistics(median_interval2=5)) == ("active", last + 5 * DAY + 1)
    assert lifecycle(Profile(), last, ZONE, PLAIN, NOBODY) == (None, NEVER)


def test_a_visit_that_leaves_changes_the_state_by_time_alone() -> None:
    """A guest of every 190 days sleeps after 380; with her first visit out of sight she has two, and is lost by the median at once."""
    profile = came(TODAY - 380, TODAY - 190, TODAY)
    last = profile.last_at or 0
    leaves = day_start(TODAY - 380 + KEPT_DAYS, ZONE)
    assert lifecycle(profile, last, ZONE, PLAIN, NOBODY) == ("active", last + 60 * DAY + 1)
    slow = ProfileSettings(sleeping_times_e1=10, lost_times_e1=200)
    assert lifecycle(profile, last, ZONE, slow, Statistics(median_interval2=1)) == ("active", leaves)


def by_brute_force(profile: Profile, now: int, settings: ProfileSettings, statistics: Statistics) -> str:
    """The definition, written down with fractions and the library's median."""
    today = local_day(now, ZONE)
    days = sorted(day for day, cell in profile.cells.items() if cell.count and today - KEPT_DAYS < day <= today)[-13:]
    gaps = [Fraction(after - before) for before, after in pairwise(days)]
    interval = median(gaps) if len(gaps) >= 2 else Fraction(statistics.median_interval2, 2)
    passed = Fraction(now - (profile.last_at or 0), DAY)
    if passed > Fraction(settings.lost_times_e1, 10) * interval:
        return "lost"
    return "sleeping" if passed > Fraction(settings.sleeping_times_e1, 10) * interval else "active"


visits = st.lists(st.integers(-2, 420) | st.sampled_from([0, 1, 198, 199, 396, 398, 399, 400]), min_size=1, max_size=16, unique=True)
settings = st.builds(
    lambda sleeping, more: ProfileSettings(sleeping_times_e1=sleeping, lost_times_e1=sleeping + more),
    st.integers(10, 100),
    st.integers(0, 100),
)


@given(visits, st.integers(0, 430 * 24 * 60), settings, st.integers(1, 200))
@example([0, 190, 380], 0, ProfileSettings(sleeping_times_e1=10, lost_times_e1=100), 1)
@example([-2, 0, 10], 0, PLAIN, 60)
def test_the_state_holds_until_the_instant_said_and_changes_then(
    ago: list[int], minutes: int, chosen: ProfileSettings, median_interval2: int
) -> None:
    profile, statistics = came(*(TODAY - back for back in ago)), Statistics(median_interval2=median_interval2)
    now = day_start(TODAY, ZONE) + minutes * MINUTE
    state, until = lifecycle(profile, now, ZONE, chosen, statistics)
    assert state == by_brute_force(profile, now, chosen, statistics)
    assert until > now
    if until < NEVER:
        assert by_brute_force(profile, until, chosen, statistics) != state
        assert by_brute_force(profile, until - 1, chosen, statistics) == state
    end = min(until, now + 900 * DAY)
    first, last = local_day(now, ZONE) + 1, local_day(end, ZONE)
    for day in range(first, last + 1):
        start = day_start(day, ZONE)
        for moment in (start, start - 1):
            if now <= moment < end:
                assert by_brute_force(profile, moment, chosen, statistics) == state


sales = st.dictionaries(st.integers(0, 399), st.tuples(st.integers(0, 900), st.integers(0, 900)), min_size=1, max_size=12)


def tagged(spent: dict[int, tuple[int, int]]) -> Profile:
    return Profile(cells={TODAY - ago: Cell(1, vegan + other, 1000, {"t:vegan": [1, vegan, 0]}) for ago, (vegan, other) in spent.items()})


@given(sales, st.integers(1, 400), st.integers(1, 300))
def test_the_strength_stays_the_same_while_days_pass_until_one_leaves(
    spent: dict[int, tuple[int, int]], half_life: int, later: int
) -> None:
    profile, chosen = tagged(spent), ProfileSettings(tag_days=400, tag_half_life_days=half_life)
    some, whole = tag_strength(profile, "vegan", TODAY, chosen)
    inside = tagged({ago: values for ago, values in spent.items() if ago + later < 400})
    then, all_then = tag_strength(profile, "vegan", TODAY + later, chosen)
    assert (then, all_then) == tag_strength(inside, "vegan", TODAY, chosen)
    if len(inside.cells) == len(profile.cells):
        assert some * all_then == then * whole


@given(sales, st.integers(1, 400))
def test_the_strength_is_the_decayed_share(spent: dict[int, tuple[int, int]], half_life: int) -> None:
    some, whole = tag_strength(tagged(spent), "vegan", TODAY, ProfileSettings(tag_days=400, tag_half_life_days=half_life))
    weighed = [(2.0 ** (-ago / half_life), vegan, vegan + other) for ago, (vegan, other) in spent.items()]
    expected = sum(weight * each for weight, _, each in weighed)
    if expected > 0 and whole > 0:
        assert some / whole == pytest.approx(sum(weight * vegan for weight, vegan, _ in weighed) / expected, rel=1e-6, abs=1e-9)


def test_a_purchase_one_half_life_older_weighs_half() -> None:
    profile = tagged({0: (0, 100), 90: (100, 0)})
    some, whole = tag_strength(profile, "vegan", TODAY, PLAIN)
    assert 3 * some == whole


@pytest.mark.parametrize(
    ("spent", "expected"),
    [
        ({0: (50, 50), 1: (50, 50), 2: (50, 50)}, False),
        ({0: (50, 50), 0 + 90: (50, 50), 180: (50, 50)}, True),
        ({0: (99, 0), 1: (99, 0)}, False),
        ({0: (0, 100), 90: (100, 0), 180: (100, 0)}, False),
    ],
)
def test_prefers_asks_for_strength_and_number(spent: dict[int, tuple[int, int]], expected: bool) -> None:
    chosen = ProfileSettings(tag_percent=50 if expected else 51)
    assert prefers(tagged(spent), "vegan", TODAY, chosen) is expected


@given(st.lists(st.integers(0, 1000), max_size=200).map(sorted))
def test_a_fifth_of_the_guests_lies_below_each_boundary(values: list[int]) -> None:
    boundaries = quintile_boundaries(values)
    assert len(boundaries) == (4 if len(values) >= 5 else 0)
    assert list(boundaries) == sorted(boundaries)
    for rank, boundary in enumerate(boundaries, 1):
        assert 5 * sum(value <= boundary for value in values) >= rank * len(values)
        assert 5 * sum(value < boundary for value in values) < rank * len(values)


def test_scores_count_fifths_and_ties_share_one() -> None:
    boundaries = quintile_boundaries(list(range(1, 101)))
    assert boundaries == (20, 40, 60, 80)
    assert [score(value, boundaries) for value in (1, 20, 21, 40, 80, 81, 500)] == [1, 1, 2, 2, 4, 5, 5]
    assert score(3, quintile_boundaries([3] * 9)) == 1


def test_rfm_is_five_for_the_most_recent_most_frequent_and_most_spending() -> None:
    found = Statistics(60, (10, 20, 30, 40), (1, 2, 3, 4), (100, 200, 300, 400), 99, 1)
    now = day_start(TODAY, ZONE) + 15 * HOUR
    assert rfm(came(TODAY - 4, TODAY - 3, TODAY - 2, TODAY - 1, TODAY), now, ZONE, PLAIN, found) == (5, 5, 5)
    assert rfm(came(TODAY - 300), now, ZONE, PLAIN, found) == (1, 1, 1)
    assert rfm(came(TODAY), now, ZONE, PLAIN, NOBODY) is None
    assert rfm(Profile(), now, ZONE, PLAIN, found) is None
    assert from_body(to_body(found)) == found
