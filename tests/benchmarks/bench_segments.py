"""Segments: the fused function against hand-written closures and json-logic, and what one change costs with many segments.

``run()`` measures everything in one process, on the same members, and answers rows of name, figure, unit, note. The members
are synthetic (a fixed seed): 0 to 60 purchases in 400 days, some with attributes, consents, points, coupons.

The closures are what one would write by hand for one segment after another: a function per leaf over the cells, short
circuits, no sharing between segments. They answer twice: the bare truth, and (truth, valid until), as ours does.
json-logic sums the cells with its own reduce and filter, and once is given the windows summed outside its time.
"""

from __future__ import annotations

import importlib
import importlib.util
import random
import time
from collections.abc import Callable
from typing import Any

from shared.kernel.instants import DAY, HOUR, NEVER, day_start, local_day, parse_rfc3339
from shared.member_state.model import Consent, MemberState
from shared.profile.model import Cell, Visit
from shared.profile.rules import add_visit, all_cells, spill
from shared.segments.compiler import compile_segments
from shared.segments.context import Context
from shared.segments.model import COMPARE, SegmentDefinition
from shared.segments.rules import evaluate_all

Row = dict[str, Any]
Answer = tuple[bool, int]
ZONE = "Europe/Berlin"
NOW = parse_rfc3339("2026-11-21T10:00:00Z")
TODAY = local_day(NOW, ZONE)
CITIES = ("Berlin", "Hamburg", "Leipzig", "Dresden")
CATEGORIES = ("coffee", "cake", "pizza", "wine", "salad")
LOCATIONS = ("mitte", "north", "south")


def row(name: str, figure: float | None, unit: str, note: str) -> Row:
    """One line of the result."""
    return {"name": f"segments: {name}", "figure": None if figure is None else round(figure, 2), "unit": unit, "note": note}


def members(number: int, seed: int = 7) -> list[MemberState]:
    """Synthetic members."""
    rng = random.Random(seed)
    made = []
    for index in range(number):
        state = MemberState("bench", f"m{index}", attributes={"city": rng.choice(CITIES), "visits_goal": rng.randint(1, 9)})
        if rng.random() < 0.7:
            state.consents["news:push"] = Consent(rng.random() < 0.8, 1, "1")
        for ago in sorted((rng.randint(0, 400 * DAY) for _ in range(min(60, int(rng.expovariate(1 / 12))))), reverse=True):
            value = rng.randint(300, 4000)
            by = {f"c:{rng.choice(CATEGORIES)}": value, f"l:{rng.choice(LOCATIONS)}": value, "h:till": value}
            add_visit(state.profile, Visit(NOW - ago, value, 1000, by), ZONE)
        spill(state.profile, TODAY)
        made.append(state)
    return made


def rules(number: int, seed: int = 3) -> list[dict[str, Any]]:
    """Rules as marketers write them: two to four leaves over consents, attributes, windows and the last purchase."""
    rng = random.Random(seed)

    def window(**more: Any) -> dict[str, Any]:
        days = rng.choice((7, 14, 30, 90, 180, 365))
        metric, value = rng.choice((("count", rng.randint(1, 8)), ("value", 1000 * rng.randint(1, 40))))
        return {"kind": "purchases", "metric": metric, "days": days, "op": rng.choice(("ge", "lt")), "value": value, **more}

    leaves: tuple[Callable[[], dict[str, Any]], ...] = (
        window,
        lambda: window(filter={"category": rng.choice(CATEGORIES)}),
        lambda: window(filter={"location": rng.choice(LOCATIONS)}),
        lambda: {"kind": "since_last_purchase", "op": rng.choice(("at_least", "less_than")), "days": rng.choice((7, 14, 30, 60))},
        lambda: {"kind": "attribute", "name": "city", "op": "eq", "value": rng.choice(CITIES)},
        lambda: {"kind": "consent", "purpose": "news", "channel": "push", "granted": True},
    )
    made: list[dict[str, Any]] = []
    for _ in range(number):
        parts = [rng.choice(leaves)() for _ in range(rng.randint(2, 4))]
        made.append({"kind": rng.choice(("all", "all", "any")), "rules": parts})
    return made


def definitions(trees: list[dict[str, Any]]) -> list[SegmentDefinition]:
    """The rules as definitions."""
    return [SegmentDefinition.model_validate({"id": f"s{index}", "name": "bench", "rule": rule}) for index, rule in enumerate(trees)]


def summed(state: MemberState, rule: dict[str, Any]) -> int:
    """The sum of a window, straight over the cells."""
    first, column = TODAY - rule["days"] + 1, 0 if rule["metric"] == "count" else 1
    key, total = dimension_of(rule), 0
    for cells in (state.profile.cells, state.profile.history):
        for day, cell in cells.items():
            if day >= first:
                total += amount(cell, key, column)
    return total


def dimension_of(rule: dict[str, Any]) -> str | None:
    """The key of a filtered window's dimension in a cell."""
    return next((f"{dimension[0]}:{name}" for dimension, name in rule.get("filter", {}).items()), None)


def amount(cell: Cell, key: str | None, column: int) -> int:
    """What a cell adds."""
    if key is None:
        return cell.value if column else cell.count
    return cell.by[key][column] if key in cell.by else 0


def bare(rule: dict[str, Any]) -> Callable[[MemberState], bool]:
    """A closure that answers the truth."""
    kind = rule["kind"]
    if kind in ("all", "any"):
        children, decisive = [bare(child) for child in rule["rules"]], kind == "any"

        def combined(state: MemberState) -> bool:
            for child in children:
                if child(state) is decisive:
                    return decisive
            return not decisive

        return combined
    if kind == "purchases":
        compare, value = COMPARE[rule["op"]], rule["value"]
        return lambda state: compare(summed(state, rule), value)
    if kind == "since_last_purchase":
        far, at_least = rule["days"] * DAY, rule["op"] == "at_least"
        return lambda state: state.profile.last_at is not None and (NOW - state.profile.last_at >= far) == at_least
    if kind == "attribute":
        name, wanted = rule["name"], rule["value"]
        return lambda state: state.attributes.get(name) == wanted
    return lambda state: "news:push" in state.consents and state.consents["news:push"].granted


def timed(rule: dict[str, Any]) -> Callable[[MemberState], Answer]:
    """A closure that answers (true or not, valid until)."""
    kind = rule["kind"]
    if kind in ("all", "any"):
        children, decisive = [timed(child) for child in rule["rules"]], kind == "any"

        def combined(state: MemberState) -> Answer:
            answers = [child(state) for child in children]
            deciding = [until for truth, until in answers if truth is decisive]
            return (decisive, max(deciding)) if deciding else (not decisive, min(until for _, until in answers))

        return combined
    if kind == "purchases":
        return lambda state: window_until(state, rule)
    if kind == "since_last_purchase":
        far, at_least = rule["days"] * DAY, rule["op"] == "at_least"

        def since(state: MemberState) -> Answer:
            last = state.profile.last_at
            if last is None:
                return False, NEVER
            passed = last + far <= NOW
            return passed == at_least, NEVER if passed else last + far

        return since
    truth = bare(rule)
    return lambda state: (truth(state), NEVER)


def window_until(state: MemberState, rule: dict[str, Any]) -> Answer:
    """The truth of a window and the day on which it ends, by letting the cells leave one by one."""
    first, column, compare, value = TODAY - rule["days"] + 1, int(rule["metric"] != "count"), COMPARE[rule["op"]], rule["value"]
    key = dimension_of(rule)
    inside = [(day, amount(cell, key, column)) for day, cell in all_cells(state.profile) if day >= first]
    total = sum(each for _, each in inside)
    truth = compare(total, value)
    for day, each in sorted(inside):
        total -= each
        if compare(total, value) is not truth:
            return truth, day_start(day + rule["days"], ZONE)
    return truth, NEVER


def as_json_logic(rule: dict[str, Any], sums: dict[str, dict[str, Any]] | None) -> dict[str, Any]:
    """The rule for json-logic, which sums the cells itself; or ``sums`` collects the windows that its data must hold, by a name."""
    if rule["kind"] in ("all", "any"):
        return {"and" if rule["kind"] == "all" else "or": [as_json_logic(child, sums) for child in rule["rules"]]}
    if rule["kind"] == "purchases":
        operator = {"ge": ">=", "lt": "<"}[rule["op"]]
        if sums is None:
            return {operator: [_json_logic_sum(rule), rule["value"]]}
        name = f"w{len(sums)}"
        sums[name] = rule
        return {operator: [{"var": name}, rule["value"]]}
    if rule["kind"] == "since_last_purchase":
        return {">=" if rule["op"] == "at_least" else "<": [{"var": "since"}, rule["days"] * DAY]}
    if rule["kind"] == "attribute":
        return {"==": [{"var": rule["name"]}, rule["value"]]}
    return {"==": [{"var": "push"}, True]}


def _json_logic_sum(rule: dict[str, Any]) -> dict[str, Any]:
    inside = {"filter": [{"var": "cells"}, {">=": [{"var": "day"}, TODAY - rule["days"] + 1]}]}
    field = f"{dimension_of(rule) or ''}/{0 if rule['metric'] == 'count' else 1}"
    return {"reduce": [inside, {"+": [{"var": [f"current.{field}", 0]}, {"var": "accumulator"}]}, 0]}


def best(work: Callable[[], object], rounds: int = 3) -> float:
    """Seconds of CPU of the fastest of some rounds."""
    spent = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return min(spent)


def each_of(things: list[Any], work: Callable[[Any], object], rounds: int = 3) -> float:
    """The same for a piece of work on each thing, its result thrown away."""

    def once() -> None:
        for thing in things:
            work(thing)

    return best(once, rounds)


def against_others(number: int = 10_000, segments: int = 20) -> list[Row]:
    """The same rules over the same members, by each."""
    people, trees = members(number), rules(segments)
    compiled = compile_segments(definitions(trees), Context(ZONE))
    bares, timeds = [bare(rule) for rule in trees], [timed(rule) for rule in trees]
    for state in people[:500]:
        ours = compiled.membership(state, None, NOW)
        assert [code > 0 for code in ours] == [closure(state) for closure in bares] == [closure(state)[0] for closure in timeds]
    per_member = 1_000_000 / number
    fused = each_of(people, lambda state: evaluate_all(state, compiled, None, NOW)) * per_member
    answers = each_of(people, lambda state: compiled.evaluate(state, None, NOW)) * per_member
    truth_only = each_of(people, lambda state: [closure(state) for closure in bares]) * per_member
    with_until = each_of(people, lambda state: [closure(state) for closure in timeds], 1) * per_member
    rows = [
        row("fused", fused, "us", f"{segments} segments x {number} members, per member, with flips and next change"),
        row("fused, three-valued answers", answers, "us", "truth and valid until of each"),
        row("closures, truth only", truth_only, "us", "no instant"),
        row("closures with valid until", with_until, "us", "the same answer as fused"),
        row("fused / closures, truth only", fused / truth_only, "x", "goal <= 1.0, aim 0.5"),
        row("fused / closures with valid until", fused / with_until, "x", "like for like"),
    ]
    return rows + json_logic_rows(people, trees, fused)


def json_logic_rows(people: list[MemberState], trees: list[dict[str, Any]], fused: float) -> list[Row]:
    """json-logic (json-logic-qubit): summing the cells itself, and given every window summed. Fewer members: it is slow."""
    if importlib.util.find_spec("json_logic") is None:
        return [row("json-logic / fused", None, "x", "json-logic-qubit is not installed")]
    json_logic = importlib.import_module("json_logic").jsonLogic
    sums: dict[str, dict[str, Any]] = {}
    some, closures = people[: len(people) // 20], [bare(rule) for rule in trees]
    given, itself = [as_json_logic(rule, sums) for rule in trees], [as_json_logic(rule, None) for rule in trees]
    data = [json_logic_data(state, sums) for state in some]
    for state, facts in zip(some[:100], data, strict=False):
        # An unknown last purchase is the one thing that json-logic cannot say.
        if state.profile.last_at is not None:
            expected = [closure(state) for closure in closures]
            assert [bool(json_logic(each, facts)) for each in given] == [bool(json_logic(each, facts)) for each in itself] == expected
    per_member = 1_000_000 / len(some)
    whole = each_of(data, lambda facts: [json_logic(each, facts) for each in itself], 1) * per_member
    ready = each_of(data, lambda facts: [json_logic(each, facts) for each in given], 2) * per_member
    return [
        row("json-logic", whole, "us", "truth only, sums the cells itself"),
        row("json-logic, windows given", ready, "us", f"truth only, {len(sums)} windows summed outside its time"),
        row("json-logic / fused", whole / fused, "x", "goal >= 10"),
        row("json-logic, windows given / fused", ready / fused, "x", "its windows for nothing"),
    ]


def json_logic_data(state: MemberState, sums: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What json-logic is given of a member."""
    last = state.profile.last_at
    consent = state.consents.get("news:push")
    facts = {"city": state.attributes["city"], "push": consent is not None and consent.granted, "since": NOW - last if last else -1}
    cells = []
    for day, cell in all_cells(state.profile):
        sums_of_day = {"": [cell.count, cell.value], **cell.by}
        cells.append({"day": day} | {f"{key}/{column}": pair[column] for key, pair in sums_of_day.items() for column in (0, 1)})
    return facts | {"cells": cells} | {name: summed(state, rule) for name, rule in sums.items()}


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
    """Every row, some 15 seconds."""
    return against_others() + one_change()


if __name__ == "__main__":
    for each in run():
        print(f"{each['name']:<48} {each['figure']!s:>10} {each['unit']:<4} {each['note']}")
