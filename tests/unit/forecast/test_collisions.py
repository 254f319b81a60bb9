"""Which campaigns meet at the same members."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from shared.campaigns.eligibility import CapRule
from shared.forecast.collisions import Collision, meetings, together, window_of
from shared.forecast.planned import Planned
from shared.kernel.instants import DAY, HOUR


def at(campaign: str, hours: int) -> Planned:
    return Planned(hours * HOUR, -50, campaign, "s", "push")


def test_the_tightest_cap_lets_through_the_fewest_in_its_time() -> None:
    assert window_of([CapRule(4, 7 * DAY), CapRule(1, 2 * DAY), CapRule(2, 3 * DAY)]) == 2 * DAY
    assert window_of([CapRule(2, 14 * DAY), CapRule(1, 7 * DAY)]) == 7 * DAY
    assert window_of([]) == DAY


def test_the_closest_messages_of_a_pair_are_told_whatever_lies_between() -> None:
    hers = [at("a", 0), at("c", 1), at("b", 20), at("a", 40), at("b", 49)]
    assert meetings(hers, DAY)["a", "b"] == (9 * HOUR, 40 * HOUR)


def test_messages_a_whole_window_apart_do_not_collide() -> None:
    assert meetings([at("a", 0), at("b", 24)], DAY) == {}
    assert meetings([at("b", 0), at("a", 23)], DAY) == {("a", "b"): (23 * HOUR, 0)}


def test_each_member_counts_once_for_a_pair() -> None:
    often = [at("a", 0), at("b", 1), at("a", 2), at("b", 3)]
    others = [[at("a", 0), at("b", 30)], [at("b", 5), at("a", 5)]]
    assert together([often, *others], DAY) == {("a", "b"): Collision(2, (0, 5 * HOUR))}


@given(st.lists(st.builds(at, st.sampled_from("abcd"), st.integers(0, 100)), max_size=12), st.integers(1, 48))
def test_a_pair_collides_if_any_two_of_their_messages_do(hers: list[Planned], hours: int) -> None:
    window = hours * HOUR
    apart: dict[tuple[str, str], int] = {}
    for one, other in product(hers, hers):
        gap = abs(one.at - other.at)
        if one.campaign < other.campaign and gap < window:
            apart[one.campaign, other.campaign] = min(gap, apart.get((one.campaign, other.campaign), gap))
    assert {pair: gap for pair, (gap, _) in meetings(hers, window).items()} == apart
