"""Statistics over columns against a straight computation over the states, number for number."""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction
from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kernel.instants import HOUR, local_day, parse_rfc3339
from shared.member_state.model import MemberState
from shared.profile import habits
from shared.profile.model import OTHERS, Cell
from shared.profile.rules import all_cells
from shared.profile.statistics import FIFTHS, Statistics, score
from shared.segments.context import Context
from shared.segments.leaves import Moment, signed
from shared.segments.parsing import rule_of
from shared.snapshots.building import columns_of
from shared.snapshots.reading import Piece
from shared.snapshots.vectors import Vectors
from shared.statistics import pairs, schedule
from shared.statistics.computing import Sums
from shared.statistics.pairs import Days

NOW = parse_rfc3339("2026-11-21T10:00:00Z")
ZONE = "Europe/Berlin"
CONTEXT = Context(ZONE)
ITEMS = ["bun", "burger", "cola", "fries", "salad", OTHERS]


def guests(seed: int, number: int = 25) -> list[MemberState]:
    """Members with purchases of up to 500 days, some of whom object to profiling, and some of whom never bought."""
    rng, today, found = random.Random(seed), local_day(NOW, ZONE), []
    for index in range(number):
        state = MemberState("demo", f"mbr_{index:026d}", as_of=NOW)
        state.version, state.profiled = 1, rng.random() > 0.1
        days = sorted({today - rng.randint(0, rng.choice([3, 40, 500])) for _ in range(rng.choice([0, 1, 2, 6, 20]))})
        for day in days:
            items = rng.sample(ITEMS, rng.randint(0, 3))
            value = rng.randint(1, 12) * 100
            by = {f"i:{item}": [rng.randint(0, 1) or 1, value, 1000] for item in items}
            cells = state.profile.history if rng.random() < 0.5 else state.profile.cells
            cells[day] = Cell(rng.randint(1, 2), value, 1000, by)
        if days:
            state.profile.first_at = state.profile.last_at = NOW - (today - days[-1]) * 24 * HOUR
        found.append(state)
    return found


def pieces(states: list[MemberState]) -> list[Piece]:
    """Two, as of two shards."""
    halves = (columns_of(states[::2]), columns_of(states[1::2]))
    return [Piece(columns, np.ones(len(columns), np.bool_)) for columns in halves]


def straight(states: list[MemberState]) -> Statistics:
    """The same numbers member by member."""
    guests_ = [state for state in states if state.profiled]
    values = [habits.rfm_values(state.profile, NOW, ZONE, CONTEXT.profile) for state in guests_]
    bought = [each for each in values if each is not None and each[1] > 0]
    found = (habits.usual_interval2(state.profile, local_day(NOW, ZONE)) for state in guests_)
    rhythms = sorted(each for each in found if each is not None)

    def boundaries(which: int) -> tuple[int, ...]:
        ordered = sorted(each[which] for each in bought)
        if len(ordered) < FIFTHS:
            return ()
        # The smallest value that so many per cent do not exceed.
        return tuple(
            next(value for value in ordered if 5 * sum(other <= value for other in ordered) >= rank * len(ordered)) for rank in range(1, 5)
        )

    median = rhythms[(len(rhythms) - 1) // 2] if rhythms else 60
    return Statistics(median, boundaries(0), boundaries(1), boundaries(2), len(bought), NOW)


def computed(states: list[MemberState]) -> tuple[Sums, Statistics]:
    sums = Sums()
    for piece in pieces(states):
        sums.add(piece, CONTEXT, NOW)
    return sums, sums.statistics(NOW)


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 10**9))
def test_quintiles_and_the_median_are_those_of_a_straight_computation(seed: int) -> None:
    states = guests(seed)
    sums, found = computed(states)
    assert found == straight(states)
    states_now = Counter(
        habits.lifecycle(state.profile, NOW, ZONE, CONTEXT.profile, found)[0]
        for state in states
        if state.profiled and state.profile.last_at is not None
    )
    assert sums.lifecycle(CONTEXT, found) == {name: states_now[name] for name in ("active", "sleeping", "lost")}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from(["recency", "frequency", "monetary"]), st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"]))
def test_fifths_over_columns_are_those_of_each_member(seed: int, of: str, op: str) -> None:
    states = guests(seed)
    context = Context(ZONE, statistics=computed(states)[1])
    rule = rule_of({"kind": "rfm", "of": of, "op": op, "value": random.Random(seed).randint(1, 5)})
    columns = columns_of(states)
    low, high = Vectors(columns, context, NOW).membership(rule)
    for row, state in enumerate(states):
        if state.profiled:
            expected = signed(rule, Moment(state, None, NOW, context)).surely
            assert low[row] <= expected <= high[row]
            # No later than it is, and mostly exact.
            assert (low[row] == high[row] == expected) or high[row] - low[row] > 0


def test_a_boundary_belongs_to_the_lower_fifth() -> None:
    assert [score(value, (10, 20, 30, 40)) for value in (10, 11, 40, 41)] == [1, 2, 4, 5]


def bought_together(states: list[MemberState]) -> tuple[int, Counter[str], Counter[tuple[str, str]]]:
    """Members' days, plainly."""
    today, days = local_day(NOW, ZONE), 0
    of: Counter[str] = Counter()
    both: Counter[tuple[str, str]] = Counter()
    for state in (each for each in states if each.profiled):
        for day, cell in all_cells(state.profile):
            if today - 365 < day <= today:
                days += 1
                names = sorted(key[2:] for key in cell.by if key != f"i:{OTHERS}")
                of.update(names)
                both.update(combinations(names, 2))
    return days, of, both


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_pairs_are_counted_as_plainly_counted(seed: int) -> None:
    states, today = guests(seed, 40), local_day(NOW, ZONE)
    found = Days()
    for piece in pieces(states):
        found.add_items(piece, today - 364, today)
    for piece in pieces(states):
        found.add_pairs(piece, today - 364, today, found.most_bought())
    days, of, both = bought_together(states)
    assert (found.days, found.of, found.both) == (days, of, both)
    for item, each in found.complements().items():
        lifts = [Fraction(one.together * days, of[item] * of[one.item]) for one in each]
        assert all(lift > 1 for lift in lifts)
        assert all(one.together >= pairs.LEAST_TOGETHER for one in each)
        assert [one.lift_e2 for one in each] == [int(100 * lift) for lift in lifts]
        assert sorted(zip((-lift for lift in lifts), (-one.together for one in each), (one.item for one in each), strict=True)) == list(
            zip((-lift for lift in lifts), (-one.together for one in each), (one.item for one in each), strict=True)
        )


def test_too_few_days_together_say_nothing_and_ties_go_by_name() -> None:
    days = Days(days=100, of=Counter(a=10, b=10, c=10, d=10), both=Counter({("a", "c"): 6, ("a", "b"): 6, ("a", "d"): 4}))
    assert [each.item for each in days.complements()["a"]] == ["b", "c"]
    assert "d" not in days.complements()
    assert days.complements()["b"][0].lift_e2 == 600


def test_a_tenant_has_one_quiet_hour_a_day_also_when_the_clocks_change() -> None:
    for start in ("2026-03-28T00:00:00Z", "2026-10-24T00:00:00Z", "2026-07-01T00:00:00Z"):
        hours = [parse_rfc3339(start) + hour * HOUR for hour in range(72)]
        for tenant in ("demo", "cafe", "a", "b", "c"):
            due = [now for now in hours if schedule.is_hour(tenant, now, ZONE)]
            assert len(due) in (2, 3, 4)
            assert len({local_day(now, ZONE) for now in due}) == len(due)
    assert len({tuple(schedule.is_hour(f"t{number}", NOW + hour * HOUR, ZONE) for hour in range(24)) for number in range(40)}) == 5
