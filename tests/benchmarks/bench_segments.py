"""Segments: the fused function against hand-written closures, rule engines and columns, and what one change costs with many segments.

``run()`` measures everything in one process, on the same members, and answers rows of name, figure, unit, note. All sides agree on whom
each rule is true of before anything is measured. What the others are is in ``rule_peers``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from business_rules.engine import check_conditions_recursively
from json_logic import jsonLogic

from shared.kernel.instants import DAY, HOUR
from shared.member_state.model import Consent, MemberState
from shared.profile.model import Visit
from shared.profile.rules import add_visit, spill
from shared.segments.compiler import compile_segments
from shared.segments.context import Context
from shared.segments.parsing import rule_of
from shared.segments.rules import evaluate_all
from shared.snapshots.building import columns_of
from shared.snapshots.vectors import Vectors
from tests.benchmarks.bench_snapshots import peers
from tests.benchmarks.crowd import CATEGORIES, LOCATIONS, NOW, TODAY, ZONE, best, definitions, each_of, members, rules
from tests.benchmarks.rule_peers import as_business_rule, as_json_logic, bare, json_logic_data, summed, timed, variables_of

Row = dict[str, Any]
Work = Callable[[MemberState], object]


def row(name: str, figure: float | None, unit: str, note: str) -> Row:
    """One line of the result."""
    return {"name": f"segments: {name}", "figure": None if figure is None else round(figure, 2), "unit": unit, "note": note}


def against_others(number: int = 10_000, segments: int = 20) -> list[Row]:
    """The same rules over the same members, by each."""
    people, trees = members(number), rules(segments)
    compiled = compile_segments(definitions(trees), Context(ZONE))
    bares, timeds = [bare(rule) for rule in trees], [timed(rule) for rule in trees]
    for state in people[:500]:
        ours = compiled.membership(state, None, NOW)
        assert [code > 0 for code in ours] == [closure(state) for closure in bares] == [closure(state)[0] for closure in timeds]
    per_member = 1_000_000 / number
    works: dict[str, Work] = {
        "fused": lambda state: evaluate_all(state, compiled, None, NOW),
        "answers": lambda state: compiled.evaluate(state, None, NOW),
        "closures": lambda state: [closure(state) for closure in bares],
    }
    spent = {name: per_member * each for name, each in in_turns(people, works).items()}
    fused, answers, truth_only = spent.values()
    with_until = each_of(people, lambda state: [closure(state) for closure in timeds], 1) * per_member
    rows = [
        row("fused", fused, "us", f"{segments} segments x {number} members, per member, with flips and next change"),
        row("fused, three-valued answers", answers, "us", "truth and valid until of each"),
        row("closures, truth only", truth_only, "us", "no instant"),
        row("closures with valid until", with_until, "us", "the same answer as fused"),
        row("fused / closures, truth only", fused / truth_only, "x", "goal <= 1.0, aim 0.5"),
        row("fused / closures with valid until", fused / with_until, "x", "like for like"),
    ]
    return rows + rule_engines(people, trees, fused) + columnar(people, trees, fused)


def in_turns(people: list[MemberState], works: dict[str, Work], rounds: int = 4) -> dict[str, float]:
    """Seconds of each over all members, in turns: what disturbs the machine disturbs them all. The best round of each."""
    spent = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        for name, work in works.items():
            spent[name] = min(spent[name], each_of(people, work, 1))
    return spent


def rule_engines(people: list[MemberState], trees: list[dict[str, Any]], fused: float) -> list[Row]:
    """json-logic and business-rules: summing the cells, and given every window summed. Fewer members: they are slow."""
    sums: dict[str, dict[str, Any]] = {}
    some, closures = people[: len(people) // 20], [bare(rule) for rule in trees]
    itself, given = [as_json_logic(rule, None) for rule in trees], [as_json_logic(rule, sums) for rule in trees]
    windows: dict[str, dict[str, Any]] = {}
    conditions = [as_business_rule(rule, windows) for rule in trees]
    summing, knowing = variables_of(windows, ready=False), variables_of(windows, ready=True)
    data = [json_logic_data(state, sums) for state in some]
    known = [knowing(state) for state in some]
    for each in known:
        each.ready = {name: summed(each.state, rule) for name, rule in windows.items()}
    for state, facts, variables in zip(some, data, known, strict=True):
        # A member who never bought has an unknown last purchase, which neither can say.
        if state.profile.last_at is not None:
            expected = [closure(state) for closure in closures]
            assert [bool(jsonLogic(each, facts)) for each in given] == [bool(jsonLogic(each, facts)) for each in itself] == expected
            assert [check_conditions_recursively(each, variables) for each in conditions] == expected
            assert [check_conditions_recursively(each, summing(state)) for each in conditions] == expected
    per_member, rows = 1_000_000 / len(some), []
    for name, goal, whole, ready in (
        ("json-logic", "goal >= 10",
         lambda: [jsonLogic(each, facts) for facts in data for each in itself],
         lambda: [jsonLogic(each, facts) for facts in data for each in given]),
        ("business-rules", "a method sums; only comparisons are its own",
         lambda: [check_conditions_recursively(each, summing(state)) for state in some for each in conditions],
         lambda: [check_conditions_recursively(each, variables) for variables in known for each in conditions]),
    ):  # fmt: skip
        all_of_it, ready_made = best(whole, 1) * per_member, best(ready, 2) * per_member
        rows += [
            row(name, all_of_it, "us", "truth only, sums the cells itself"),
            row(f"{name}, windows given", ready_made, "us", f"truth only, {len(sums)} windows summed outside its time"),
            row(f"{name} / fused", all_of_it / fused, "x", goal),
            row(f"{name}, windows given / fused", ready_made / fused, "x", "its windows for nothing"),
        ]
    return rows


def columnar(people: list[MemberState], trees: list[dict[str, Any]], fused: float) -> list[Row]:
    """The same over columns: a snapshot's, loaded already or from its object, and polars and duckdb from Parquet."""
    columns, parsed = columns_of(people), [rule_of(rule) for rule in trees]

    def loaded() -> list[Any]:
        vectors = Vectors(columns, Context(ZONE), NOW)
        return [vectors.members(rule) for rule in parsed]

    expected = [{state.member for state in people if closure(state)} for closure in map(bare, trees)]
    assert [set(columns.ids[each.inside].astype("U").tolist()) for each in loaded()] == expected
    assert not any(each.undecided.any() for each in loaded())
    per_member = 1_000_000 / len(people)
    vector = best(loaded) * per_member
    beside = [row(each["name"], each["figure"] * 1000 / len(people), "us", each["note"]) for each in peers(people, trees, "with load")]
    loaded_rows = [row("columns of a snapshot, loaded", vector, "us", "truth and valid until")]
    return [*loaded_rows, row("columns / fused", vector / fused, "x", "loaded"), *beside]


def one_change() -> list[Row]:
    """One member with a purchase a week, evaluated after a change against ever more segments; and what compiling them costs."""
    state = MemberState("bench", "m", attributes={"city": "Berlin", "visits_goal": 3}, consents={"news:push": Consent(True, 1, "1")})
    for week in range(52):
        category, location = CATEGORIES[week % 5], LOCATIONS[week % 3]
        by = {f"c:{category}": 900, f"l:{location}": 900, "h:till": 900}
        add_visit(state.profile, Visit(NOW - week * 7 * DAY - HOUR, 900, 1000, by), ZONE)
    spill(state.profile, TODAY)
    rows = []
    for number in (1, 20, 100, 1000):
        made = definitions(rules(number))
        compiling = best(lambda made=made: compile_segments(made, Context(ZONE)), 2)  # type: ignore[misc]
        compiled = compile_segments(made, Context(ZONE))
        repeats = 2000 if number <= 100 else 400
        spent = best(lambda c=compiled, n=repeats: [evaluate_all(state, c, None, NOW) for _ in range(n)])  # type: ignore[misc]
        note = f"52 purchases; compiling took {compiling * 1000:.1f} ms"
        rows.append(row(f"one change against {number}", spent * 1e6 / repeats, "us", note))
    return rows


def run() -> list[Row]:
    """Every row, some 40 seconds."""
    return against_others() + one_change()


if __name__ == "__main__":
    for each in run():
        print(f"{each['name']:<48} {each['figure']!s:>10} {each['unit']:<4} {each['note']}")
