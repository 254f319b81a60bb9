"""Segments: the fused function against hand-written closures and json-logic, and what one change costs with many segments.

``run()`` measures everything in one process, on the same members, and answers rows of name, figure, unit, note. The members
are synthetic (a fixed seed): 0 to 60 purchases in 400 days, some with attributes, consents, points, coupons.

The closures are what one would write by hand for one segment after another: a function per leaf over the cells, short
circuits, no sharing between segments. They answer twice: the bare truth, and (truth, valid until), as ours does.
json-logic cannot sum windows: it is given them summed by hand, and that time is told apart.
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
from shared.profile.rules import add_visit, spill
from shared.segments.compiler import compile_segments
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
        if rng.random() < 0.5:
            return {"kind": "purchases", "metric": "count", "days": days, "op": rng.choice(("ge", "lt")), "value": rng.randint(1, 8), **more}
        return {"kind": "purchases", "metric": "value", "days": days, "op": rng.choice(("ge", "lt")), "value": 1000 * rng.randint(1, 40), **more}

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
    key = next((f"{dimension[0]}:{name}" for dimension, name in rule.get("filter", {}).items()), None)
    total = 0
    for cells in (state.profile.cells, state.profile.history):
        for day, cell in cells.items():
            if day >= first:
                total += amount(cell, key, column)
    return total


def amount(cell: Cell, key: str | None, column: int) -> int:
    """What a cell adds."""
    if key is None:
        return cell.value if column else cell.count
    return cell.by[key][column] if key in cell.by else 0


def bare(rule: dict[str, Any]) -> Callable[[MemberState], bool]:
    """A closure that answers the truth."""
    kind = rule["kind"]
    if kind in ("all", "any"):
        children = [bare(child) for child in rule["rules"]]
        if kind == "all":
            return lambda state: all([child(state) for child in children]) if len(children) == 1 else _all(children, state)
        return lambda state: _any(children, state)
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


def _all(children: list[Callable[[MemberState], bool]], state: MemberState) -> bool:
    for child in children:
        if not child(state):
            return False
    return True


def _any(children: list[Callable[[MemberState], bool]], state: MemberState) -> bool:
    for child in children:
        if child(state):
            return True
    return False


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
    first, column, compare, value = TODAY - rule["days"] + 1, 0 if rule["metric"] == "count" else 1, COMPARE[rule["op"]], rule["value"]
    key = next((f"{dimension[0]}:{name}" for dimension, name in rule.get("filter", {}).items()), None)
    inside = [(day, amount(cell, key, column)) for cells in (state.profile.cells, state.profile.history) for day, cell in cells.items() if day >= first]
    total = sum(each for _, each in inside)
    truth = compare(total, value)
    for day, each in sorted(inside):
        total -= each
        if compare(total, value) is not truth:
            return truth, day_start(day + rule["days"], ZONE)
    return truth, NEVER


def as_json_logic(rule: dict[str, Any], sums: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The rule for json-logic; ``sums`` collects the windows that the data must hold, by a name."""
    if rule["kind"] in ("all", "any"):
        return {"and" if rule["kind"] == "all" else "or": [as_json_logic(child, sums) for child in rule["rules"]]}
    if rule["kind"] == "purchases":
        name = f"w{len(sums)}"
        sums[name] = rule
        return {{"ge": ">=", "lt": "<"}[rule["op"]]: [{"var": name}, rule["value"]]}
    if rule["kind"] == "since_last_purchase":
        return {">=" if rule["op"] == "at_least" else "<": [{"var": "since"}, rule["days"] * DAY]}
    if rule["kind"] == "attribute":
        return {"==": [{"var": rule["name"]}, rule["value"]]}
    return {"==": [{"var": "push"}, True]}


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
    compiled = compile_segments(definitions(trees), ZONE)
    bares, timeds = [bare(rule) for rule in trees], [timed(rule) for rule in trees]
    for state in people[:500]:
        ours = compiled.membership(state, None, NOW)
        assert [code > 0 for code in ours] == [closure(state) for closure in bares] == [closure(state)[0] for closure in timeds]
    per_member = 1_000_000 / number
    fused = each_of(people, lambda state: evaluate_all(state, compiled, None, NOW)) * per_member
    answers = each_of(people, lambda state: compiled.evaluate(state, None, NOW)) * per_member
    truth_only = each_of(people, lambda state: [closure(state) for closure in bares]) * per_member
    with_until = each_of(people, lambda state: [closure(state) for closure in timeds], 1) * per_member
    what = f"{segments} segments x {number} members, per member, with flips and next change"
    rows = [
        {"name": "segments: fused", "figure": round(fused, 1), "unit": "us", "note": what},
        {"name": "segments: fused, three-valued answers", "figure": round(answers, 1), "unit": "us", "note": "truth and valid until of each"},
        {"name": "segments: closures, truth only", "figure": round(truth_only, 1), "unit": "us", "note": "no instant"},
        {"name": "segments: closures with valid until", "figure": round(with_until, 1), "unit": "us", "note": "the same answer as fused"},
        {"name": "segments: fused / closures, truth only", "figure": round(fused / truth_only, 2), "unit": "x", "note": "goal <= 1.0, aim 0.5"},
        {"name": "segments: fused / closures with valid until", "figure": round(fused / with_until, 2), "unit": "x", "note": "like for like"},
    ]
    return rows + json_logic_rows(people, trees, fused)


def json_logic_rows(people: list[MemberState], trees: list[dict[str, Any]], fused: float) -> list[Row]:
    """json-logic (json-logic-qubit) on data with every window summed beforehand; a tenth of the members."""
    if importlib.util.find_spec("json_logic") is None:
        return [{"name": "segments: json-logic / fused", "figure": None, "unit": "x", "note": "json-logic-qubit is not installed"}]
    json_logic = importlib.import_module("json_logic").jsonLogic
    sums: dict[str, dict[str, Any]] = {}
    logic = [as_json_logic(rule, sums) for rule in trees]
    some = people[: len(people) // 10]
    data = [json_logic_data(state, sums) for state in some]
    bares = [bare(rule) for rule in trees]
    for state, facts in zip(some[:200], data, strict=False):
        # An unknown last purchase is the one thing that json-logic cannot say.
        if state.profile.last_at is not None:
            assert [bool(json_logic(each, facts)) for each in logic] == [closure(state) for closure in bares]
    per_member = 1_000_000 / len(some)
    spent = each_of(data, lambda facts: [json_logic(each, facts) for each in logic], 2) * per_member
    summing = each_of(some, lambda state: json_logic_data(state, sums), 2) * per_member
    whole = spent + summing
    return [
        {"name": "segments: json-logic", "figure": round(spent, 1), "unit": "us", "note": "truth only, windows summed beforehand"},
        {"name": "segments: summing for json-logic", "figure": round(summing, 1), "unit": "us", "note": f"{len(sums)} windows"},
        {"name": "segments: json-logic / fused", "figure": round(whole / fused, 1), "unit": "x", "note": "with summing; goal >= 10"},
        {"name": "segments: json-logic / fused, summed", "figure": round(spent / fused, 1), "unit": "x", "note": "its windows for nothing"},
    ]


def json_logic_data(state: MemberState, sums: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What json-logic is given of a member."""
    last = state.profile.last_at
    consent = state.consents.get("news:push")
    facts = {"city": state.attributes["city"], "push": consent is not None and consent.granted, "since": NOW - last if last else -1}
    return facts | {name: summed(state, rule) for name, rule in sums.items()}


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
        compiling = best(lambda made=made: compile_segments(made, ZONE), 2)  # type: ignore[misc]
        compiled = compile_segments(made, ZONE)
        repeats = 2000 if number <= 100 else 400
        spent = best(lambda c=compiled, n=repeats: [evaluate_all(state, c, None, NOW) for _ in range(n)])  # type: ignore[misc]
        note = f"52 purchases; compiling took {compiling * 1000:.1f} ms"
        rows.append({"name": f"segments: one change against {number}", "figure": round(spent * 1e6 / repeats, 1), "unit": "us", "note": note})
    return rows


def run() -> list[Row]:
    """Every row, some 15 seconds."""
    return against_others() + one_change()


if __name__ == "__main__":
    for row in run():
        print(f"{row['name']:<48} {row['figure']!s:>10} {row['unit']:<4} {row['note']}")  # noqa: T201
