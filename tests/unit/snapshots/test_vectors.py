"""Vector answers against the plain reading of each member: truth and instant, of every decided one."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kernel.instants import NEVER
from shared.member_state.model import Facts, MemberState
from shared.segments.context import Context
from shared.segments.expanding import expanded, is_behavioural
from shared.segments.leaves import OUT_FOR_EVER, Moment, Signed, signed
from shared.segments.parsing import Rule, rule_of
from shared.snapshots import frame
from shared.snapshots.building import columns_of
from shared.snapshots.columns import Columns
from shared.snapshots.container import Container
from shared.snapshots.vectors import FORMS, Vectors
from tests.unit.snapshots.crowds import Crowd, context

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
FACTS = Facts(birth_date=4000, gender="f")
LEFT_TO_THE_TABLE = frozenset(("birthday", "fact"))
"""Personal facts are not in the columns."""


@pytest.fixture(scope="module", autouse=True)
def _days_looked_up_once() -> Iterator[None]:
    """Who never bought was last seen in 1970: all the days since then, for every crowd, are most of the work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frame, "day_start", cache(frame.day_start))
        yield


def plain(rule: Rule, state: MemberState, context_: Context, now: int) -> Signed:
    if not state.profiled and is_behavioural(rule, context_):
        return OUT_FOR_EVER
    return signed(expanded(rule, context_), Moment(state, FACTS, now, context_))


def check(crowd: Crowd, vectors: Vectors, rows: list[MemberState], raw: dict[str, object]) -> np.ndarray:
    """Compare every row with the plain reading; answers who is decided."""
    rule, context_ = rule_of(raw), context(crowd.zone)
    found, members = vectors.evaluate(rule), vectors.members(rule)
    decided = found.decided
    for row, state in enumerate(rows):
        expected = plain(rule, state, context_, crowd.now)
        settled = state.timer is not None and state.timer <= crowd.now
        for bounds, its in zip(found, expected, strict=True):
            assert bounds.low[row] <= its <= bounds.high[row], (raw, state, settled)
        assert members.inside[row] <= (expected.surely > 0) <= (members.inside[row] | members.undecided[row]), (raw, state)
    return decided


@settings(max_examples=20_000 if NIGHTLY else 100, deadline=None)
@given(st.integers(0, 10**9))
def test_vectors_are_the_plain_reading_or_leave_it_undecided(seed: int) -> None:
    crowd = Crowd(seed)
    columns = Columns.decode(Container(columns_of(crowd.states).encode({})))
    vectors = Vectors(columns, context(crowd.zone), crowd.now)
    rows = sorted(crowd.states, key=lambda state: state.member)
    for _ in range(12):
        check(crowd, vectors, rows, crowd.rule())


def test_nearly_everybody_is_decided_by_every_leaf_that_has_a_form() -> None:
    asked, decided = Counter[str](), Counter[str]()
    for seed in range(150):
        crowd = Crowd(seed)
        vectors = Vectors(columns_of(crowd.states), context(crowd.zone), crowd.now)
        for _ in range(12):
            leaf = crowd.leaf()
            asked[leaf["kind"]] += len(crowd.states)
            decided[leaf["kind"]] += int(vectors.evaluate(rule_of(leaf)).decided.sum())
    assert set(FORMS) <= set(asked)
    for kind in FORMS:
        assert decided[kind] > 0.5 * asked[kind], (kind, decided[kind], asked[kind])
    for kind in LEFT_TO_THE_TABLE:
        assert decided[kind] == 0


def test_who_objects_to_profiling_is_surely_out_of_what_looks_at_behaviour_also_below_not() -> None:
    state = MemberState("t", "m1", version=1, profiled=False)
    state.attributes["x"] = 1
    vectors = Vectors(columns_of([state]), context("UTC"), 1_800_000_000_000)
    nothing_bought = {"kind": "purchases", "metric": "count", "days": 30, "op": "eq", "value": 0}
    known = {"kind": "attribute", "name": "x", "op": "eq", "value": 1}
    twice_not = {"kind": "not", "rule": {"kind": "not", "rule": nothing_bought}}
    for rule in (nothing_bought, twice_not, {"kind": "any", "rules": [known, nothing_bought]}):
        assert vectors.evaluate(rule_of(rule)).surely.low.tolist() == [-NEVER]
    assert vectors.members(rule_of(known)).inside.tolist() == [True]


def test_a_leaf_without_a_form_leaves_only_those_undecided_whose_membership_depends_on_it() -> None:
    states = [MemberState("t", f"m{number}", version=1, attributes={"x": number}) for number in range(3)]
    vectors = Vectors(columns_of(states), context("UTC"), 1_800_000_000_000)
    over_zero = {"kind": "attribute", "name": "x", "op": "gt", "value": 0}
    birthday = {"kind": "birthday", "today": True}
    found = vectors.members(rule_of({"kind": "all", "rules": [over_zero, birthday]}))
    assert (found.inside.tolist(), found.undecided.tolist()) == ([False] * 3, [False, True, True])
    found = vectors.members(rule_of({"kind": "any", "rules": [over_zero, birthday]}))
    assert (found.inside.tolist(), found.undecided.tolist()) == ([False, True, True], [True, False, False])
    found = vectors.members(rule_of({"kind": "all", "rules": [over_zero, {"kind": "not", "rule": birthday}]}))
    assert (found.inside.tolist(), found.undecided.tolist()) == ([False] * 3, [False, True, True])


@pytest.mark.parametrize("kind", ["balance", "coupon"])
def test_what_may_have_fallen_due_unsettled_is_not_decided(kind: str) -> None:
    now = 1_800_000_000_000
    settled = MemberState("t", "m1", version=1, timer=now + 1)
    due = MemberState("t", "m2", version=1, timer=now)
    asked = {
        "balance": {"kind": "balance", "wallet": "points", "op": "ge", "value": 1},
        "coupon": {"kind": "coupon", "offer": "a", "state": "active"},
    }
    found = Vectors(columns_of([settled, due]), context("UTC"), now).members(rule_of(asked[kind]))
    assert found.undecided.tolist() == [False, True]
