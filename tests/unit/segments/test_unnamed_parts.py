"""Profiles that cannot name everything: an answer is the oracle's, or unknown, and holds as long as it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kernel.instants import DAY, NEVER, day_of, day_start, parse_rfc3339
from shared.member_state.model import MemberState
from shared.profile import happenings, items, rules
from shared.profile.model import Cell, Visit
from shared.profile.rules import add_visit
from shared.segments.bounds import COUNT, between, least, most
from shared.segments.compiler import compile_segments
from shared.segments.context import Context
from shared.segments.leaves import Moment, from_signed, signed
from shared.segments.model import COMPARE, SegmentDefinition
from tests.unit.segments.oracle import World, moments, truth
from tests.unit.segments.worlds import COMPARISONS, NIGHTLY, OF_HABITS, OF_PURCHASES, OF_RESPONSES, context_of, state_of, worlds

NOW = parse_rfc3339("2026-11-21T10:00:00Z")


@pytest.fixture(scope="module", autouse=True)
def _little_room() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(items, "MAX_ITEMS", 1)
        patch.setattr(rules, "MAX_DIMENSIONS", 4)
        patch.setattr(happenings, "MAX_EVENT_VALUES", 1)
        yield


def segment(rule: dict[str, Any]) -> SegmentDefinition:
    return SegmentDefinition.model_validate({"id": "s", "name": "s", "rule": rule})


@settings(max_examples=2_000 if NIGHTLY else 100, deadline=None)
@given(worlds(), OF_PURCHASES | OF_HABITS | OF_RESPONSES, st.booleans())
def test_what_is_answered_is_so_until_it_ends(case: tuple[World, int], rule: dict[str, Any], spilled: bool) -> None:
    world, now = case
    world.profiled = True
    state, facts = state_of(world, list(range(len(world.sales))), spilled, now)
    context = context_of(world)
    [(found, until)] = compile_segments([segment(rule)], context).evaluate(state, facts, now)
    assert found in (truth(rule, world, now), None)
    plain = from_signed(*signed(segment(rule).rule, Moment(state, facts, now, context)))
    assert plain[0] is found
    # Of an unknown the compiled sides may each hold longer than the three-valued answer does.
    assert plain[1] <= until
    if found is not None:
        assert all(truth(rule, world, each) is found for each in moments(world, [rule], now)[::7] if each < until)


def buying(*names: str) -> MemberState:
    """A purchase of each item a day, the first today; only one is named."""
    state = MemberState("t", "m")
    for ago, name in enumerate(names):
        by = {f"i:{name}": 500}
        add_visit(state.profile, Visit(NOW - ago * DAY, 500, 1000, by, units={f"i:{name}": 1000}), "UTC")
    return state


def asked(state: MemberState, op: str, value: int, **more: Any) -> tuple[bool | None, int]:
    rule = {"kind": "purchases", "metric": "count", "days": 7, "op": op, "value": value, "filter": {"item": "pizza"}, **more}
    return compile_segments([segment(rule)], Context("UTC")).evaluate(state, None, NOW)[0]


def test_what_is_named_surely_and_what_is_not_perhaps() -> None:
    state = buying("pizza", "pizza", "cola")
    assert state.profile.cells[max(state.profile.cells) - 2].by["i:~"] == [1, 500, 1000]
    leaves = [day_start(day_of(day), "UTC") for day in ("2026-11-26", "2026-11-27", "2026-11-28")]
    assert asked(state, "ge", 2) == (True, leaves[1])
    assert asked(state, "ge", 3) == (None, leaves[0])
    assert asked(state, "ge", 4) == (False, NEVER)
    assert asked(state, "eq", 2) == (None, leaves[0])
    assert asked(state, "lt", 4) == (True, NEVER)
    assert asked(state, "ge", 3, metric="visits") == (None, leaves[0])
    assert asked(buying("pizza"), "eq", 1) == (True, leaves[2])


def test_who_leads_must_lead_against_all_that_has_no_name() -> None:
    leading = {"kind": "favourite", "of": "item", "days": 7, "is": "pizza"}
    for names, expected in ((("pizza",) * 3 + ("cola",) * 2, True), (("pizza",) * 2 + ("cola", "tea", "pie"), None)):
        state = buying(*names)
        assert [answer for answer, _ in compile_segments([segment(leading)], Context("UTC")).evaluate(state, None, NOW)] == [expected]


@given(st.sampled_from(COMPARISONS), st.integers(-3, 3), st.integers(-3, 3), st.integers(-3, 3))
def test_between_is_what_all_numbers_say(op: str, one: int, other: int, target: int) -> None:
    answers = {COMPARE[op](number, target) for number in range(min(one, other), max(one, other) + 1)}
    assert between(op, one, other, target) is (answers.pop() if len(answers) == 1 else None)


def test_the_bounds_are_those_of_a_cell() -> None:
    crowded = Cell(2, 0, 0, {"c:tea": [1, 5, 0], "c:~": [1, 7, 0], "i:tea": [1, 5, 0], "i:~": [2, 7, 0], "e:pay:~": [3, 0, 0]})
    found = [(least(crowded, (key,), COUNT), most(crowded, (key,), COUNT)) for key in ("c:tea", "c:pie", "i:tea", "e:pay", "e:pay:card")]
    assert found == [(1, 1), (0, 1), (1, 3), (0, 0), (0, 3)]
