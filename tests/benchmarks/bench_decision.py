"""A decision of the earning engine, beside a function written by hand for the very same rules, and its growth with the rules.

The function by hand knows its rules: no conditions, no limits, no trace. It answers twice: the points alone, and the points with their
parts per line, which a return needs. The engine answers points, parts and the trace.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from shared.kernel.instants import parse_rfc3339
from shared.kernel.money import allocate
from shared.programmes.base import Payment
from shared.programmes.compiled import Programme
from shared.programmes.conditions import MemberFacts, Scene
from shared.programmes.earning import earn
from shared.programmes.lines import Line
from shared.programmes.model import ProgrammeBody
from tests.benchmarks.rows import Row, cpu_side_by_side, row

CATEGORIES = ("coffee", "cake", "pizza", "salad")
FACTS = MemberFacts(tier="gold")
SCENE = Scene(parse_rfc3339("2026-11-21T10:00:00Z"), "Europe/Berlin", "Europe/Berlin", "mitte", "pos", "EUR")
UNPAID = Payment()


def basket(number: int) -> list[Line]:
    """Lines of different items in four categories; one in five has the tag ``new``."""
    rng = random.Random(number)
    made = []
    for index in range(number):
        units, price = 1000 * rng.randint(1, 3), rng.randint(150, 1500)
        tags = frozenset({"new"}) if index % 5 == 0 else frozenset[str]()
        amount = units * price // 1000
        made.append(Line(str(index), "item", f"item-{index}", CATEGORIES[index % 4], tags, units, amount, amount, unit_price=price))
    return made


def programme(per_category: int, items: int) -> Programme:
    """``per_category`` rules for each category and ``items`` for single items, one for all, one for a visit, a cashback, a multiplier."""
    rules: list[dict[str, Any]] = [{"kind": "per_amount", "id": "all", "points": 1, "per": 100}]
    for category in CATEGORIES:
        rules += [
            {"kind": "per_amount", "id": f"{category}-{n}", "points": n + 2, "per": 100, "on": {"categories": [category]}}
            for n in range(per_category)
        ]
    rules += [{"kind": "per_item", "id": f"each-{n}", "points": 5, "on": {"items": [f"item-{n}"]}} for n in range(items)]
    rules += [
        {"kind": "fixed", "id": "visit", "points": 50, "minimum": 1000},
        {"kind": "cashback", "id": "back", "percent_e2": 100, "by_tier": {"gold": 250}},
        {"kind": "multiplier", "id": "double", "percent": 200, "on": {"tags": ["new"]}},
    ]
    return Programme("points", 1, ProgrammeBody.model_validate({"name": "Points", "earning": rules}))


def by_hand(lines: list[Line], per_category: int, items: int) -> int:
    """The points of ``programme(per_category, items)``, less the multiplier's, which needs the parts."""
    total, by_category, points = 0, dict.fromkeys(CATEGORIES, 0), 0
    names = {f"item-{n}" for n in range(items)}
    for line in lines:
        total += line.net
        if line.category in by_category:
            by_category[line.category] += line.net
        if line.item in names:
            points += 5 * (line.units // 1000)
    points += total // 100 + (50 if total >= 1000 else 0) + total * 250 // 10_000
    for amount in by_category.values():
        points += sum(amount * (n + 2) // 100 for n in range(per_category))
    return points


def by_hand_with_parts(lines: list[Line], per_category: int, items: int) -> tuple[int, dict[str, int]]:
    """The points of ``programme(per_category, items)`` and what each line has of them."""
    names = {f"item-{n}" for n in range(items)}
    nets = [line.net for line in lines]
    total = sum(nets)
    parts = [5 * (line.units // 1000) if line.item in names else 0 for line in lines]
    for points in (total // 100, 50 if total >= 1000 else 0, total * 250 // 10_000):
        parts = [a + b for a, b in zip(parts, allocate(points, nets), strict=True)]
    for category in CATEGORIES:
        places = [index for index, line in enumerate(lines) if line.category == category]
        amounts = [nets[index] for index in places]
        for n in range(per_category):
            for index, part in zip(places, allocate(sum(amounts) * (n + 2) // 100, amounts), strict=True):
                parts[index] += part
    # Doubled: a whole factor needs no rounding.
    parts = [2 * part if "new" in line.tags else part for part, line in zip(parts, lines, strict=True)]
    return sum(parts), {line.id: part for line, part in zip(lines, parts, strict=True) if part}


def single_item_rules(number: int) -> Programme:
    """Rules that are each about another item; ten of the items are in the basket."""
    rules = [{"kind": "per_amount", "id": f"rule-{n}", "points": 1, "per": 100, "on": {"items": [f"item-{n}"]}} for n in range(number)]
    return Programme("points", 1, ProgrammeBody.model_validate({"name": "Points", "earning": rules}))


def deciding(rules: Programme, lines: list[Line]) -> Callable[[int], object]:
    """One decision."""
    return lambda _: earn((rules,), lines, UNPAID, FACTS, SCENE, {})


def calling(work: Callable[[list[Line], int, int], object], lines: list[Line], per_category: int, items: int) -> Callable[[int], object]:
    """One call of a function written by hand."""
    return lambda _: work(lines, per_category, items)


def run() -> list[Row]:
    """All figures, in one process; each comparison in turns."""
    made: list[Row] = []
    for lines_number, per_category, items, times in ((10, 1, 2, 400), (50, 30, 76, 20)):
        lines, rules = basket(lines_number), programme(per_category, items)
        case = f"{lines_number} lines x {len(rules.body.earning)} rules"
        answer = earn((rules,), lines, UNPAID, FACTS, SCENE, {})
        assert (answer.points, dict(answer.awards[0].parts)) == by_hand_with_parts(lines, per_category, items), case
        best = cpu_side_by_side(
            {
                "engine": deciding(rules, lines),
                "parts": calling(by_hand_with_parts, lines, per_category, items),
                "points": calling(by_hand, lines, per_category, items),
            },
            times,
        )
        made += [
            row(f"{case}: a decision", best["engine"] * 1e6, "us", "points, parts per line, trace of every rule"),
            row(f"{case}: by hand, with parts", best["parts"] * 1e6, "us", "the same points and parts, no trace"),
            row(f"{case}: ratio to by hand, with parts", best["engine"] / best["parts"], "x", "goal: 4"),
            row(f"{case}: ratio to by hand, points alone", best["engine"] / best["points"], "x", "without the multiplier: no parts"),
        ]
    lines = basket(10)
    growth = cpu_side_by_side({str(n): deciding(single_item_rules(n), lines) for n in (1, 10, 100, 1000)}, 200)
    made += [row(f"10 lines x {n} rules over distinct items", took * 1e6, "us") for n, took in growth.items()]
    note = "rules about what is not in the basket cost nothing"
    made += [
        row("growth from 1 to 1000 rules", growth["1000"] / growth["1"], "x", f"{note}; 1 line earns with 1 rule, 10 with 10"),
        row("growth from 10 to 1000 rules", growth["1000"] / growth["10"], "x", note),
    ]
    return made
