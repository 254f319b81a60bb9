"""What holds for every programme and every basket."""

from __future__ import annotations

import random
from fractions import Fraction
from math import ceil, floor

from hypothesis import given
from hypothesis import strategies as st

from shared.programmes.base import Payment, earning_base
from shared.programmes.compiled import Programme
from shared.programmes.conditions import MemberFacts, Usage
from shared.programmes.earning import earn
from shared.programmes.lines import Line, selected
from shared.programmes.model import Limits, ProgrammeBody
from shared.programmes.outcome import Earned
from shared.tenants.model import WalletSettings
from tests.unit.programmes import worlds
from tests.unit.programmes.builders import scene

SCENE = scene({})
UNPAID = Payment()
PLAIN = MemberFacts()
WALLETS = st.fixed_dictionaries({"points": st.builds(WalletSettings, points=st.integers(1, 9), value=st.integers(0, 9))})


@given(worlds.programmes("p"), worlds.programmes("q"), worlds.lines(), worlds.payments, worlds.facts, WALLETS, worlds.budgets)
def test_every_point_is_in_a_step_on_a_line_and_positive(
    one: Programme,
    other: Programme,
    lines: list[Line],
    payment: Payment,
    facts: MemberFacts,
    wallets: dict[str, WalletSettings],
    exhausted: frozenset[str],
) -> None:
    earned = earn((one, other), lines, payment, facts, SCENE, wallets, exhausted)
    order = [line.id for line in lines]
    for award in earned.awards:
        assert award.posting.points > 0
        assert sum(points for _, points in award.parts) == award.posting.points
        assert all(points > 0 for _, points in award.parts)
        places = [order.index(id_) for id_, _ in award.parts]
        assert places == sorted(set(places))
    given = {award.programme: award.posting.points for award in earned.awards}
    for programme in (one, other):
        steps = [step for step in earned.steps if step.programme == programme.id]
        assert sum(step.points for step in steps) == given.get(programme.id, 0)
        assert all(step.points >= 0 for step in steps if step.rule != "limit")
        assert all((step.points == 0) == (step.reason is not None) for step in steps if step.rule != "limit")


@given(worlds.programmes("p"), worlds.lines(1), worlds.facts, worlds.budgets)
def test_a_limit_is_never_passed(programme: Programme, lines: list[Line], facts: MemberFacts, exhausted: frozenset[str]) -> None:
    earned = earn((programme,), lines, UNPAID, facts, SCENE, {}, exhausted)
    given = {award.programme: award.posting.points for award in earned.awards}
    by_key = {f"p/{step.rule}": step.points for step in earned.steps} | {"p": given.get("p", 0)}
    for key, limits in [("p", programme.body.limits), *((f"p/{rule.id}", rule.limits) for rule in programme.body.earning)]:
        points = by_key.get(key, 0)
        if points > 0:
            check_limits(points, limits, facts.usage.get(key, Usage()))
            assert limits.budget is None or (key not in exhausted and points <= limits.budget)
    for key, points in (*earned.budgets.items(), *(used for award in earned.awards for used in award.usage)):
        assert 0 < points <= by_key[key]


def check_limits(points: int, limits: Limits, usage: Usage) -> None:
    """So many points may be given, after that usage."""
    assert limits.per_transaction is None or points <= limits.per_transaction
    assert limits.per_day is None or usage.points_today + points <= limits.per_day
    assert limits.per_member is None or usage.points + points <= limits.per_member
    assert limits.times_per_day is None or usage.times_today < limits.times_per_day
    assert limits.times_per_member is None or usage.times < limits.times_per_member


@given(worlds.programmes("p"), worlds.lines(1))
def test_each_rule_has_one_step_or_no_line(programme: Programme, lines: list[Line]) -> None:
    """The index finds for each rule the very lines that its selector selects, and rules without a line are all counted."""
    earned = earn((programme,), lines, UNPAID, PLAIN, SCENE, {})
    if programme.body.applies.tiers or programme.body.applies.first_purchase is False:
        return
    base = earning_base(programme.body, lines, UNPAID)
    earning = [line for line in lines if line.id in base]
    without = [rule.id for rule in programme.body.earning if not selected(rule.on, earning)]
    steps = {step.rule: step for step in earned.steps}
    assert steps.keys() - {"*", "limit"} == {rule.id for rule in programme.body.earning} - set(without)
    assert ("*" in steps) == bool(without)
    assert not without or steps["*"].formula == f"{len(without)} rule{'s' if len(without) > 1 else ''}"
    for index in (programme.givers, programme.multipliers):
        for entry, found in index.matched(earning):
            assert found == selected(entry.rule.on, earning)


@given(worlds.programmes("p"), worlds.lines(1), st.randoms(use_true_random=False))
def test_a_decision_is_the_same_every_time(programme: Programme, lines: list[Line], rng: random.Random) -> None:
    first, again = (earn((programme,), lines, UNPAID, PLAIN, SCENE, {}) for _ in range(2))
    assert first == again
    copies = [Programme(programme.id, 1, programme.body), Programme("z", 1, programme.body)]
    rng.shuffle(copies)
    assert [step for step in earn(copies, lines, UNPAID, PLAIN, SCENE, {}).steps if step.programme == "p"] == first.steps


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=8), st.integers(1, 20), st.integers(1, 300), worlds.ROUNDINGS, st.data())
def test_the_order_of_lines_does_not_change_a_sum_rounded_once(
    amounts: list[int], points: int, per: int, rounding: str, data: st.DataObject
) -> None:
    body = {"name": "x", "earning": [{"kind": "per_amount", "id": "r", "points": points, "per": per, "rounding": rounding}]}
    programme = Programme("p", 1, ProgrammeBody.model_validate(body))
    shuffled = data.draw(st.permutations(amounts))
    assert plain(programme, amounts).points == plain(programme, shuffled).points


@given(worlds.lines(1), st.integers(1, 20), st.integers(1, 300), worlds.ROUNDINGS, worlds.WHERE, st.booleans())
def test_points_per_amount_as_fractions_say(
    lines: list[Line], points: int, per: int, rounding: str, where: str, whole_steps: bool
) -> None:
    rule = {"kind": "per_amount", "id": "r", "points": points, "per": per, "whole_steps": whole_steps}
    rule |= {"rounding": rounding, "round_per": where}
    programme = Programme("p", 1, ProgrammeBody.model_validate({"name": "x", "earning": [rule]}))
    counted = [(line.net + on_top(line), line.units) for line in lines if line.kind != "tip"]
    factor = (per, points) if whole_steps else None
    if where == "order":
        expected = rounded(Fraction(sum(value for value, _ in counted) * points, per), rounding, factor)
    else:
        pieces = [abs(units // 1000) if where == "unit" and units % 1000 == 0 and units else 1 for _, units in counted]
        expected = sum(
            (1 if value > 0 else -1) * count * rounded(Fraction(abs(value) * points, per * count), rounding, factor)
            for (value, _), count in zip(counted, pieces, strict=True)
        )
    assert earn((programme,), lines, UNPAID, PLAIN, SCENE, {}).points == max(expected, 0)


def on_top(line: Line) -> int:
    """The tax that a gross base adds."""
    return halves_away(Fraction(line.tax * line.net, line.amount)) if line.tax_on_top and line.amount else 0


def rounded(value: Fraction, rounding: str, steps: tuple[int, int] | None) -> int:
    """``steps`` are (per, points): whole steps instead of a rounding."""
    if steps is not None:
        per, points = steps
        return floor(value * per / points / per) * points
    if rounding == "floor":
        return floor(value)
    return round(value) if rounding == "half_even" else halves_away(value)


def halves_away(value: Fraction) -> int:
    """Half up, away from zero."""
    return floor(value + Fraction(1, 2)) if value >= 0 else ceil(value - Fraction(1, 2))


@given(
    st.lists(st.integers(0, 300), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(101, 500), worlds.ROUNDINGS), min_size=1, max_size=4),
    st.sampled_from(("add", "multiply", "best")),
)
def test_multipliers_as_fractions_say(amounts: list[int], factors: list[tuple[int, str]], how: str) -> None:
    multipliers = [{"kind": "multiplier", "id": f"m{n}", "percent": percent, "rounding": r} for n, (percent, r) in enumerate(factors)]
    earning = [{"kind": "per_amount", "id": "r", "points": 1, "per": 1}, *multipliers]
    programme = Programme("p", 1, ProgrammeBody.model_validate({"name": "x", "multipliers": how, "earning": earning}))
    base = total = sum(amounts)
    extras = [rounded(Fraction(base * (percent - 100), 100), rounding, None) for percent, rounding in factors]
    if how == "multiply":
        for percent, rounding in factors:
            total += rounded(Fraction(total * (percent - 100), 100), rounding, None)
    else:
        total += sum(extras) if how == "add" else max(extras)
    assert plain(programme, amounts).points == total


def plain(programme: Programme, amounts: list[int]) -> Earned:
    """What lines of these amounts earn."""
    lines = [Line(str(n), "item", "a", None, frozenset(), 1000, amount, amount) for n, amount in enumerate(amounts)]
    return earn((programme,), lines, UNPAID, PLAIN, SCENE, {})
