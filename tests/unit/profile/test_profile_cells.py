"""Daily cells: booking, taking out, the bound on names, moving to the history, sums of windows."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.instants import HOUR, day_of, day_start, parse_rfc3339
from shared.profile.model import HOT_DAYS, KEPT_DAYS, MAX_DIMENSIONS, SPILL_DAYS, Cell, Profile, Visit
from shared.profile.rules import Totals, add_visit, favourite, spill, window

BERLIN = "Europe/Berlin"
TODAY = day_of("2026-11-21")


def visit(day: int, value: int = 500, hour: int = 12, **by: int) -> Visit:
    return Visit(day_start(day, BERLIN) + hour * HOUR, value, 1000, {key.replace("_", ":"): amount for key, amount in by.items()})


def profile_of(*visits: Visit) -> Profile:
    profile = Profile()
    for each in visits:
        add_visit(profile, each, BERLIN)
    return profile


def test_a_purchase_belongs_to_the_local_day() -> None:
    profile = profile_of(Visit(parse_rfc3339("2026-06-30T22:30:00Z"), 500, 1000, {"c:coffee": 500}))
    assert profile.cells == {day_of("2026-07-01"): Cell(1, 500, 1000, {"c:coffee": [1, 500, 0]})}


def test_lifetime_facts_follow_purchases_in_any_order() -> None:
    early, late = visit(TODAY - 9), visit(TODAY)
    profile = profile_of(late, early)
    assert (profile.first_at, profile.last_at, profile.count, profile.value) == (early.at, late.at, 2, 1000)


def test_a_full_return_leaves_no_cell_but_the_visit() -> None:
    bought = visit(TODAY, c_coffee=500)
    profile = profile_of(bought)
    add_visit(profile, bought, BERLIN, -1)
    assert (profile.cells, profile.count, profile.value, profile.last_at) == ({}, 0, 0, bought.at)


def test_a_partial_return_keeps_the_visit_counted() -> None:
    profile = profile_of(visit(TODAY, 900, c_coffee=400, c_cake=500))
    add_visit(profile, Visit(visit(TODAY).at, 500, 0, {"c:cake": 500}, count=0), BERLIN, -1)
    assert profile.cells[TODAY] == Cell(1, 400, 1000, {"c:coffee": [1, 400, 0], "c:cake": [1, 0, 0]})


def test_a_void_moves_the_last_purchase_back_to_the_start_of_the_day_before_it() -> None:
    first, last = visit(TODAY - 3), visit(TODAY)
    profile = profile_of(first, last)
    add_visit(profile, last, BERLIN, -1, recompute=True)
    assert profile.last_at == first.at, "never before the first purchase"
    profile = profile_of(visit(TODAY - 9), first, last)
    add_visit(profile, last, BERLIN, -1, recompute=True)
    assert profile.last_at == day_start(TODAY - 3, BERLIN)


def test_a_void_moves_the_first_purchase_to_the_next_day_with_one() -> None:
    first = visit(TODAY - 9)
    profile = profile_of(first, visit(TODAY - 3), visit(TODAY))
    add_visit(profile, first, BERLIN, -1, recompute=True)
    assert profile.first_at == day_start(TODAY - 3, BERLIN)


def test_a_void_of_the_only_purchase_leaves_none() -> None:
    only = visit(TODAY)
    profile = profile_of(only)
    add_visit(profile, only, BERLIN, -1, recompute=True)
    assert profile == Profile()


def test_a_void_after_which_only_forgotten_purchases_remain_answers_the_first_of_them() -> None:
    old, last = visit(TODAY - KEPT_DAYS - SPILL_DAYS), visit(TODAY)
    profile = profile_of(old, last)
    spill(profile, TODAY)
    add_visit(profile, last, BERLIN, -1, recompute=True)
    assert (profile.first_at, profile.last_at, profile.count) == (old.at, old.at, 1)


def test_taking_out_a_forgotten_purchase_changes_lifetime_sums_only() -> None:
    old = visit(TODAY - KEPT_DAYS - SPILL_DAYS, c_coffee=500)
    profile = profile_of(old, visit(TODAY))
    spill(profile, TODAY)
    add_visit(profile, old, BERLIN, -1)
    assert (profile.count, list(profile.cells), profile.history) == (1, [TODAY], {})


def test_names_beyond_the_bound_are_summed_under_others_of_their_letter() -> None:
    names = {f"t:{index:02d}": 1 for index in range(MAX_DIMENSIONS + 5)}
    profile = profile_of(Visit(visit(TODAY).at, 500, 0, {**names, "l:mitte": 500, "h:app": 500}))
    by = profile.cells[TODAY].by
    assert len(by) == MAX_DIMENSIONS + 1
    assert by["t:~"] == [7, 7, 0]
    assert by["l:mitte"] == by["h:app"] == [1, 500, 0], "location and channel are named before tags"


def test_a_name_that_went_under_others_is_taken_out_of_there_even_if_a_place_is_free_again() -> None:
    crowd = Visit(visit(TODAY).at, 0, 0, {f"t:{index:02d}": 1 for index in range(MAX_DIMENSIONS)})
    profile = profile_of(crowd, visit(TODAY, t_late=7))
    add_visit(profile, crowd, BERLIN, -1)
    add_visit(profile, visit(TODAY, t_late=5), BERLIN)
    assert profile.cells[TODAY].by == {"t:~": [2, 12, 0]}
    add_visit(profile, visit(TODAY, t_late=7), BERLIN, -1)
    assert profile.cells[TODAY].by == {"t:~": [1, 5, 0]}


many_visits = st.lists(
    st.builds(
        lambda back, value, names: Visit(day_start(TODAY - back, BERLIN) + 9 * HOUR, value, value, dict.fromkeys(names, value)),
        st.integers(0, 3),
        st.integers(0, 99),
        st.sets(st.integers(0, 60).map(lambda index: f"{'ctlh'[index % 4]}:{index}"), max_size=30),
    ),
    max_size=12,
)


@given(many_visits, st.randoms(use_true_random=False))
def test_taking_everything_out_in_any_order_leaves_nothing_and_never_goes_below_zero(visits: list[Visit], rng: object) -> None:
    profile = profile_of(*visits)
    rng.shuffle(visits)  # type: ignore[attr-defined]
    while visits:
        gone = visits.pop()
        add_visit(profile, gone, BERLIN, -1)
        for letter in "ctlh":
            kept = [pair for cell in profile.cells.values() for key, pair in cell.by.items() if key[0] == letter]
            whole = letter in "lh"
            expected = [(1, value, each.quantity if whole else 0) for each in visits for key, value in each.by.items() if key[0] == letter]
            assert [sum(column) for column in zip(*kept, strict=True)] == [sum(column) for column in zip(*expected, strict=True)]
            assert all(pair[0] >= 0 and pair[1] >= 0 for pair in kept)
        assert all(sum(each[2:] != "~" for each in cell.by) <= MAX_DIMENSIONS for cell in profile.cells.values())
    assert profile.cells == {}


@pytest.mark.parametrize(("age", "moves"), [(HOT_DAYS + SPILL_DAYS - 1, False), (HOT_DAYS + SPILL_DAYS, True)])
def test_cells_move_when_the_oldest_is_overdue(age: int, moves: bool) -> None:
    profile = profile_of(visit(TODAY - age), visit(TODAY - HOT_DAYS), visit(TODAY - HOT_DAYS + 1))
    assert spill(profile, TODAY) is moves
    assert sorted(profile.history) == ([TODAY - age, TODAY - HOT_DAYS] if moves else [])


def test_moving_loses_nothing_that_a_window_can_ask_for() -> None:
    profile = profile_of(*(visit(TODAY - back, value=back, t_x=1) for back in range(450)))
    assert spill(profile, TODAY)
    assert window(profile, TODAY - KEPT_DAYS + 1, TODAY) == Totals(400, sum(range(400)), 400_000, visits=400)
    assert min(profile.history) == TODAY - KEPT_DAYS + 1
    assert len(profile.cells) == HOT_DAYS
    assert not spill(profile, TODAY), "a second time there is nothing to do"


def test_a_guest_who_comes_daily_rewrites_her_history_at_most_monthly() -> None:
    profile, rewrites = Profile(), []
    for day in range(TODAY, TODAY + 900):
        assert not add_visit(profile, visit(day), BERLIN)
        rewrites += [day] if spill(profile, day) else []
        assert len(profile.cells) <= HOT_DAYS + SPILL_DAYS
        assert len(profile.history) <= KEPT_DAYS + SPILL_DAYS
    assert min(after - before for before, after in pairwise(rewrites)) >= SPILL_DAYS


def test_a_late_purchase_changes_the_history_only_where_its_day_is_there() -> None:
    profile = profile_of(visit(TODAY - 80))
    spill(profile, TODAY)
    assert add_visit(profile, visit(TODAY - 80), BERLIN)
    assert profile.history[TODAY - 80].count == 2
    assert not add_visit(profile, visit(TODAY - 81), BERLIN)
    assert spill(profile, TODAY), "an overdue day moves at once"
    assert sorted(profile.history) == [TODAY - 81, TODAY - 80]


def test_the_clock_change_does_not_move_a_purchase_into_another_day() -> None:
    midnight = parse_rfc3339("2026-10-25T22:59:59Z")
    profile = profile_of(Visit(midnight, 1, 0, {}), Visit(midnight + 1000, 2, 0, {}))
    assert window(profile, day_of("2026-10-25"), day_of("2026-10-25")).value == 1
    assert window(profile, day_of("2026-10-26"), day_of("2026-10-26")).value == 2


def test_shares_favourites_and_averages_read_the_window() -> None:
    too_old = visit(TODAY - 7, 900, t_vegan=900, l_b=900)
    profile = profile_of(visit(TODAY, 301, t_vegan=100, l_a=301), visit(TODAY - 6, 500, l_b=500), too_old)
    assert window(profile, TODAY - 6, TODAY, "t:vegan").value == 100
    assert window(profile, TODAY - 6, TODAY).average == 401, "400.5 rounds away from zero"
    assert window(profile, TODAY + 1, TODAY + 9).average is None
    assert favourite(profile, "l", TODAY - 6, TODAY) == ("b", ("b",)), "one visit each; b took more"
    assert favourite(profile, "c", TODAY - 6, TODAY) == (None, ())


def test_a_tie_has_no_favourite_but_names_everyone() -> None:
    profile = profile_of(visit(TODAY, 5, h_app=5), visit(TODAY - 1, 5, h_web=5))
    assert favourite(profile, "h", TODAY - 9, TODAY) == (None, ("app", "web"))


def test_every_hour_of_two_days_falls_into_one_of_them_in_a_zone_of_half_hours() -> None:
    profile, zone = Profile(), "Australia/Lord_Howe"
    for hours in range(48):
        add_visit(profile, Visit(day_start(TODAY, zone) + hours * HOUR, 1, 0, {}), zone)
    assert [profile.cells[day].count for day in (TODAY, TODAY + 1)] == [24, 24]
