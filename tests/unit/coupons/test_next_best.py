"""Next best offer: worked choices, a slow count beside the scores, and chance that is one and the same hash for ever."""

from __future__ import annotations

import json
from collections import Counter
from fractions import Fraction
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.coupons.model import Choice, OfferBody
from shared.coupons.next_best import Her, NextBest, choose, draws, is_held_out
from shared.coupons.repository import choice_of, choice_row
from shared.kernel.instants import DAY, Instant, parse_rfc3339
from shared.member_state.model import HeldCoupon, MemberState, RuleUsage
from shared.profile.model import Visit
from shared.profile.rules import add_visit
from shared.storage.packing import pack, unpack
from shared.tenants.model import CatalogueItem

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "cases" / "next_best.json").read_text())
ZONE = "Europe/Berlin"
NOW: Instant = parse_rfc3339("2026-11-21T10:00:00Z")
MEMBERS = 20_000


def member(purchases: list[list[Any]], id_: str = "mbr_1") -> MemberState:
    """``purchases``: [days ago, value, values by dimension]."""
    state = MemberState("demo", id_, joined_at=NOW - 500 * DAY)
    for days_ago, value, by in purchases:
        add_visit(state.profile, Visit(NOW - days_ago * DAY, value, 1000, by), ZONE)
    return state


PLAIN: dict[str, Any] = {"name": "Offer", "effect": {"kind": "amount", "amount": 100}}


def offers(bodies: dict[str, Any]) -> dict[str, OfferBody]:
    return {id_: OfferBody.model_validate(PLAIN | body) for id_, body in bodies.items()}


def alike(names: str) -> dict[str, OfferBody]:
    return offers({name: {} for name in names})


def chosen(plan: dict[str, Any], her: Her, decision: str = "d") -> Choice:
    return choose(NextBest.model_validate(plan), her, "demo", "test", decision)


@pytest.mark.parametrize("case", CASES, ids=[each["name"] for each in CASES])
def test_worked_choices(case: dict[str, Any]) -> None:
    state = member(case["purchases"])
    state.tags, state.segments = case.get("tags", []), dict.fromkeys(case.get("segments", []), 1)
    state.coupons = {id_: HeldCoupon(offer, "active", 0, NOW + DAY) for id_, offer in case.get("coupons", {}).items()}
    state.redeemed = dict.fromkeys(case.get("redeemed", []), 1)
    state.usage = {key: RuleUsage(0, times) for key, times in case.get("usage", {}).items()}
    catalogue = {id_: CatalogueItem(id=id_, name=id_, category=category) for id_, category in case.get("catalogue", {}).items()}
    her = Her(state, NOW, ZONE, offers(case["offers"]), catalogue, frozenset(case.get("used_up", [])))
    found = chosen(case["plan"], her)
    said = (found.kind, found.offer, [list(each) for each in found.scores], dict(found.dropped))
    assert said == (case["kind"], case["offer"], case["scores"], case["dropped"])


# -- scores -----------------------------------------------------------------------------------------------------------

NAMES = ("coffee", "mains", "sides", "cake")
_purchases = st.lists(
    st.tuples(st.integers(0, 100), st.dictionaries(st.sampled_from(NAMES), st.integers(-50, 3000), min_size=1, max_size=3)), max_size=10
)


@given(
    _purchases,
    st.dictionaries(st.sampled_from("abcdef"), st.sets(st.sampled_from(NAMES), min_size=1, max_size=3), min_size=1),
    st.data(),
)
def test_scores_are_those_of_a_slow_count(
    bought: list[tuple[int, dict[str, int]]], about: dict[str, set[str]], data: st.DataObject
) -> None:
    days = data.draw(st.integers(1, 100))
    margins = {id_: data.draw(st.integers(1, 10_000)) for id_ in about}
    state = member([[ago, sum(by.values()), {f"c:{name}": value for name, value in by.items()}] for ago, by in bought])
    her = Her(state, NOW, ZONE, offers({id_: {"scope": {"categories": sorted(names)}} for id_, names in about.items()}), {})
    expected = {}
    inside = [(days - ago, by) for ago, by in bought if ago < days]
    total = sum(weight * value for weight, by in inside for value in by.values())
    for id_, names in about.items():
        part = sum(weight * value for weight, by in inside for name, value in by.items() if name in names)
        share = min(max(Fraction(part, total), Fraction(0)), Fraction(1)) if total > 0 else Fraction(0)
        expected[id_] = (int(share * 10_000) + 100) * margins[id_] // 100
    found = chosen({"among": [{"offer": id_, "margin": margin} for id_, margin in margins.items()], "days": days}, her)
    best_first = sorted(expected.items(), key=lambda each: (-each[1], each[0]))
    assert found.scores == tuple(best_first[:3])
    assert (found.kind, found.offer) == ("best", best_first[0][0])


@given(st.sets(st.sampled_from("abcdefgh"), min_size=1), st.sets(st.sampled_from("abcdefgh")), st.integers(0, 10_000), st.text(max_size=9))
def test_what_is_not_available_is_never_given(named: set[str], used_up: set[str], explore: int, decision: str) -> None:
    her = Her(member([]), NOW, ZONE, alike("abcdefgh"), {}, frozenset(used_up))
    plan = {"among": [{"offer": id_, "margin": 5} for id_ in sorted(named)], "explore_e2": explore}
    found = chosen(plan, her, decision)
    assert found == chosen(plan, her, decision), "the same decision, the same choice"
    assert found.offer in named - used_up if named - used_up else found.offer is None
    assert dict(found.dropped) == dict.fromkeys(named & used_up, "exhausted")


def test_the_order_in_which_they_are_named_changes_nothing() -> None:
    her = Her(member([]), NOW, ZONE, alike("abc"), {})
    among = [{"offer": id_, "margin": 5} for id_ in "abc"]
    for number in range(200):
        there, back = (chosen({"among": each, "explore_e2": 5000}, her, f"d{number}") for each in (among, among[::-1]))
        assert there == back


# -- chance -----------------------------------------------------------------------------------------------------------


def within(count: int, share: float, of: int) -> bool:
    """Five standard deviations of the binomial: once in two million times by chance, and the hash is always the same."""
    return abs(count - share * of) <= 5 * sqrt(share * (1 - share) * of)


@pytest.mark.parametrize(("explore", "members"), [(0, 500), (500, MEMBERS), (2500, MEMBERS), (10_000, 500)])
def test_as_many_decisions_explore_as_are_to_and_all_offers_alike(explore: int, members: int) -> None:
    bodies, among = alike("abcd"), [{"offer": id_, "margin": 9 if id_ == "c" else 1} for id_ in "abcd"]
    plan = NextBest.model_validate({"among": among, "explore_e2": explore})
    states = (MemberState("demo", f"mbr_{number}") for number in range(members))
    choices = [choose(plan, Her(each, NOW, ZONE, bodies, {}), "demo", "x", "occasion") for each in states]
    explored = Counter(each.offer for each in choices if each.kind == "explored")
    share = explore / 10_000
    assert within(explored.total(), share, members)
    assert all(within(explored[id_], share / 4, members) for id_ in "abcd")
    assert {each.offer for each in choices if each.kind == "best"} <= {"c"}


def test_a_holdout_is_always_the_same_members_and_another_for_another_experiment() -> None:
    members = [f"mbr_{number}" for number in range(MEMBERS)]
    ten, twenty = ({each for each in members if is_held_out("demo", "x", each, percent)} for percent in (10, 20))
    assert within(len(ten), 0.1, MEMBERS)
    assert ten < twenty, "more percent adds members and lets none go"
    other, elsewhere = ({each for each in members if is_held_out(*of, each, 10)} for of in (("demo", "y"), ("corner", "x")))
    assert within(len(ten & other), 0.01, MEMBERS)
    assert within(len(ten & elsewhere), 0.01, MEMBERS)
    assert not any(is_held_out("demo", "x", each, 0) for each in members)


def test_the_holdout_gets_nothing_whatever_the_occasion_and_says_what_it_missed() -> None:
    held = next(f"mbr_{number}" for number in range(99) if is_held_out("demo", "test", f"mbr_{number}", 50))
    her = Her(member([], held), NOW, ZONE, offers({"a": {}, "b": {}}), {})
    plan = {"among": [{"offer": "a", "margin": 5}], "fallback": "b", "holdout_percent": 50, "explore_e2": 10_000}
    for number in range(50):
        found = chosen(plan, her, f"d{number}")
        assert (found.kind, found.offer, found.scores) == ("holdout", None, (("a", 5),))


def test_holdout_and_exploration_do_not_go_together() -> None:
    """Of those held out as many would explore as of all."""
    members = [f"mbr_{number}" for number in range(MEMBERS)]
    held = [each for each in members if is_held_out("demo", "x", each, 50)]
    assert within(sum(draws("demo", "x", each, "d", 4)[0] < 2000 for each in held), 0.2, len(held))


# -- the definition, and what is kept ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"among": []},
        {"among": [{"offer": "a", "margin": 0}]},
        {"among": [{"offer": "a", "margin": 1.5}]},
        {"among": [{"offer": "a", "margin": 5}] * 2},
        {"among": [{"offer": f"a{number}", "margin": 5} for number in range(21)]},
        {"fallback": "a"},
        {"explore_e2": 10_001},
        {"holdout_percent": 51},
        {"days": 401},
    ],
)
def test_wrong_choices_are_refused(change: dict[str, Any]) -> None:
    plan = {"among": [{"offer": "a", "margin": 5}]}
    NextBest.model_validate(plan)
    with pytest.raises(ValidationError):
        NextBest.model_validate(plan | change)


@pytest.mark.parametrize("choice", [
    Choice("best", "a", "x", (("a", 7), ("b", 5)), (("c", "exhausted"), ("d", "wrong_tier"))),
    Choice("none", None, "x"),
])  # fmt: skip
def test_a_choice_is_kept_whole(choice: Choice) -> None:
    assert choice_of(unpack(pack(choice_row(choice))), choice.offer) == choice
