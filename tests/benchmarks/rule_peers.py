"""The same rules in other hands: closures as one would write them, and two rule engines from the package index.

The closures are what one would write by hand for one segment after another: a function per leaf over the cells, short circuits, no
sharing between segments. They answer twice: the bare truth, and (truth, valid until), as ours does.
json-logic sums the cells with its own reduce and filter, and once is given the windows summed outside its time. business-rules has no
expressions: it is given the windows summed, or a method that sums one when it is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from business_rules.variables import BaseVariables, boolean_rule_variable, numeric_rule_variable, string_rule_variable

from shared.kernel.instants import DAY, NEVER, day_start
from shared.member_state.model import MemberState
from shared.profile.model import Cell
from shared.profile.rules import all_cells
from shared.segments.language.base import COMPARE
from tests.benchmarks.crowd import NOW, TODAY, ZONE

Answer = tuple[bool, int]


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


# -- json-logic (json-logic-qubit) --------------------------------------------------------------------------------------


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


# -- business-rules -----------------------------------------------------------------------------------------------------


class Asked(BaseVariables):  # type: ignore[misc]
    """What business-rules may ask of a member; windows are added by ``variables_of``."""

    def __init__(self, state: MemberState) -> None:
        self.state = state
        self.ready: dict[str, int] = {}

    @numeric_rule_variable
    def since(self) -> int:
        """Milliseconds since the last purchase; -1 without one."""
        last = self.state.profile.last_at
        return NOW - last if last is not None else -1

    @string_rule_variable
    def city(self) -> str:
        """An attribute."""
        return str(self.state.attributes["city"])

    @boolean_rule_variable
    def push(self) -> bool:
        """The consent."""
        consent = self.state.consents.get("news:push")
        return consent is not None and consent.granted


def variables_of(sums: dict[str, dict[str, Any]], *, ready: bool) -> type[Asked]:
    """With a method a window: it sums the cells, or answers what was summed before."""

    def method(name: str, rule: dict[str, Any]) -> Callable[[Asked], int]:
        def asked(self: Asked) -> int:
            return self.ready[name] if ready else summed(self.state, rule)

        asked.__name__ = name
        return numeric_rule_variable(asked)  # type: ignore[no-any-return]

    return type("Windows", (Asked,), {name: method(name, rule) for name, rule in sums.items()})


def as_business_rule(rule: dict[str, Any], sums: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The rule as conditions; ``sums`` collects its windows by a name."""
    if rule["kind"] in ("all", "any"):
        return {rule["kind"]: [as_business_rule(child, sums) for child in rule["rules"]]}
    if rule["kind"] == "purchases":
        name = f"w{len(sums)}"
        sums[name] = rule
        return {"name": name, "operator": {"ge": "greater_than_or_equal_to", "lt": "less_than"}[rule["op"]], "value": rule["value"]}
    if rule["kind"] == "since_last_purchase":
        operator = "greater_than_or_equal_to" if rule["op"] == "at_least" else "less_than"
        return {"name": "since", "operator": operator, "value": rule["days"] * DAY}
    if rule["kind"] == "attribute":
        return {"name": "city", "operator": "equal_to", "value": rule["value"]}
    return {"name": "push", "operator": "is_true", "value": True}
