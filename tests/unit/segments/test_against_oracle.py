"""The compiled evaluation against an independent, slow reading of raw purchases: the truth now, and at every instant that
it says it stays, and when it says that it ends."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kernel.instants import NEVER
from shared.segments.compiler import compile_segments
from shared.segments.expanding import expanded, is_behavioural
from shared.segments.leaves import OUT_FOR_EVER, Moment, from_signed, signed
from shared.segments.model import SegmentDefinition
from shared.segments.rules import evaluate_all, explain
from tests.unit.segments.oracle import World, member, moments
from tests.unit.segments.worlds import NIGHTLY, RULES, SUBJECTS, context_of, state_of, worlds

EXAMPLES = 2_000 if NIGHTLY else 80
CHECKED = 60


def definitions(rules: list[dict[str, Any]]) -> list[SegmentDefinition]:
    return [SegmentDefinition.model_validate({"id": f"s{index}", "name": "s", "rule": rule}) for index, rule in enumerate(rules)]


def some(instants: list[int], seed: int) -> list[int]:
    """The first, the last and some between."""
    if len(instants) <= CHECKED:
        return instants
    return instants[:20] + random.Random(seed).sample(instants[20:-20], CHECKED - 40) + instants[-20:]


def stays_true_to(rule: dict[str, Any], world: World, now: int, answer: tuple[bool | None, int]) -> None:
    found, until = answer
    assert until > now
    assert member(rule, world, now) is found
    for instant in some([each for each in moments(world, [rule], now) if each < until], now):
        assert member(rule, world, instant) is found, (instant, until)


@settings(max_examples=EXAMPLES, deadline=None)
@given(worlds(), st.lists(RULES, min_size=1, max_size=3), st.randoms(use_true_random=False), st.booleans())
def test_every_answer_is_the_oracles_now_and_until_it_ends(
    case: tuple[World, int], rules: list[dict[str, Any]], rng: random.Random, spilled: bool
) -> None:
    world, now = case
    order = list(range(len(world.sales)))
    rng.shuffle(order)
    state, facts = state_of(world, order, spilled, now)
    # The first rule twice: what is shared is computed once, and must answer the same.
    compiled = compile_segments(definitions([*rules, rules[0]]), context_of(world))
    answers = compiled.evaluate(state, facts, now)
    assert answers[0] == answers[-1]
    for rule, answer in zip(rules, answers, strict=False):
        stays_true_to(rule, world, now, answer)
        if answer[1] < NEVER:
            assert compiled.evaluate(state, facts, answer[1])[rules.index(rule)][0] is member(rule, world, answer[1])


@pytest.mark.parametrize("subject", SUBJECTS)
@settings(max_examples=EXAMPLES, deadline=None)
@given(worlds(), st.data(), st.booleans())
def test_a_leaf_ends_exactly_when_its_truth_changes(subject: str, case: tuple[World, int], data: st.DataObject, spilled: bool) -> None:
    (world, now), rule = case, data.draw(SUBJECTS[subject])
    state, facts = state_of(world, list(range(len(world.sales))), spilled, now)
    [(found, until)] = compile_segments(definitions([rule]), context_of(world)).evaluate(state, facts, now)
    stays_true_to(rule, world, now, (found, until))
    if until < NEVER:
        assert member(rule, world, until) is not found


@settings(max_examples=EXAMPLES, deadline=None)
@given(worlds(), st.lists(RULES, min_size=1, max_size=4))
def test_the_fused_function_and_the_plain_reading_agree(case: tuple[World, int], rules: list[dict[str, Any]]) -> None:
    world, now = case
    state, facts = state_of(world, list(range(len(world.sales))), True, now)
    made = definitions(rules)
    context = context_of(world)
    compiled, moment = compile_segments(made, context), Moment(state, facts, now, context)
    objects = [not state.profiled and is_behavioural(each.rule, context) for each in made]
    plain = [
        OUT_FOR_EVER if out else signed(expanded(each.rule, context), moment) for each, out in zip(made, objects, strict=True)
    ]
    answers = [from_signed(*each) for each in plain]
    assert compiled.evaluate(state, facts, now) == answers
    assert compiled.membership(state, facts, now) == [each.surely for each in plain]
    whys = [explain(each, state, facts, now, context) for each in made]
    assert [(why.truth, why.valid_until) for why in whys] == answers


@settings(max_examples=EXAMPLES, deadline=None)
@given(worlds(), st.lists(RULES, min_size=1, max_size=3))
def test_no_membership_changes_before_the_next_change(case: tuple[World, int], rules: list[dict[str, Any]]) -> None:
    world, now = case
    state, facts = state_of(world, list(range(len(world.sales))), False, now)
    flips = evaluate_all(state, compile_segments(definitions(rules), context_of(world)), facts, now)
    inside = {f"s{index}@1" for index, rule in enumerate(rules) if member(rule, world, now)}
    assert set(flips.entered) == inside
    for instant in some([each for each in moments(world, rules, now) if each < flips.next_change], now):
        assert {f"s{index}@1" for index, rule in enumerate(rules) if member(rule, world, instant)} == inside
