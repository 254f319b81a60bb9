"""Items: any order of sales and returns leaves what a straight recount of what stays says, also where there are too many to name."""

from __future__ import annotations

from collections import defaultdict
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise, permutations
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kernel.instants import HOUR, day_of, day_start
from shared.profile import items
from shared.profile.model import HOT_DAYS, KEPT_DAYS, MAX_HOT_NAMES, MAX_ITEMS, SPILL_DAYS, Cell, Profile, Visit
from shared.profile.rules import add_visit, all_cells, spill

BERLIN = "Europe/Berlin"
TODAY = day_of("2026-11-21")
Amounts = list[int]


@dataclass
class Bought:
    """A purchase: lines of (item, value, pieces), and how it ends."""

    day: int
    lines: list[tuple[str, int, int]]
    end: Literal["stays", "part", "return", "void"] = "stays"

    def visit(self, lines: list[tuple[str, int, int]], count: int = 1) -> Visit:
        by: dict[str, int] = {"l:mitte": 0, "h:pos": 0, "o:12": 0}
        units: dict[str, int] = {}
        for item, value, pieces in lines:
            for key in (f"i:{item}", f"c:{item[0]}", "t:all"):
                by[key] = by.get(key, 0) + value
                units[key] = units.get(key, 0) + 1000 * pieces
        value, quantity = sum(line[1] for line in lines), 1000 * sum(line[2] for line in lines)
        by |= dict.fromkeys(("l:mitte", "h:pos", "o:12"), value)
        return Visit(day_start(self.day, BERLIN) + 12 * HOUR, value, quantity, by, count, units)

    @property
    def kept(self) -> list[tuple[str, int, int]]:
        return {"stays": self.lines, "part": self.lines[1:], "return": [], "void": []}[self.end]

    def come_back(self, profile: Profile) -> None:
        if self.end == "part" and len(self.lines) > 1:
            part = self.visit(self.lines[:1], 0)
            add_visit(profile, part, BERLIN, -1)
        elif self.end in ("return", "void") or self.end == "part":
            add_visit(profile, self.visit(self.lines), BERLIN, -1, recompute=self.end == "void")

    def recounted(self) -> Visit | None:
        gone = self.end in ("return", "void") or (self.end == "part" and len(self.lines) == 1)
        if gone:
            return None
        whole = self.visit(self.lines)
        back = self.visit(self.lines[:1], 0) if self.end == "part" else Visit(0, 0, 0, {}, 0)
        by = {key: value - back.by.get(key, 0) for key, value in whole.by.items()}
        units = {key: value - back.units.get(key, 0) for key, value in whole.units.items()}
        return Visit(whole.at, whole.value - back.value, whole.quantity - back.quantity, by, 1, units)


def recount(sales: list[Bought]) -> dict[int, Cell]:
    """What stays, summed by day without any bound."""
    cells: dict[int, Cell] = {}
    for sale in sales:
        visit = sale.recounted()
        if visit is None:
            continue
        cell = cells.setdefault(sale.day, Cell())
        cell.count, cell.value, cell.quantity = cell.count + 1, cell.value + visit.value, cell.quantity + visit.quantity
        for key, value in visit.by.items():
            row = cell.by.setdefault(key, [0, 0, 0])
            row[0], row[1] = row[0] + 1, row[1] + value
            row[2] += visit.quantity if key[0] in "lho" else visit.units[key]
    return cells


def check(profile: Profile, sales: list[Bought]) -> None:
    expected, cells = recount(sales), dict(all_cells(profile))
    assert cells.keys() == expected.keys()
    for day, cell in cells.items():
        true = expected[day]
        assert (cell.count, cell.value, cell.quantity) == (true.count, true.value, true.quantity)
        others = {key: row for key, row in cell.by.items() if key[0] != "i"}
        assert others == {key: row for key, row in true.by.items() if key[0] != "i"}
        rest = cell.by.get("i:~", [0, 0, 0])
        held: Amounts = list(rest)
        for key, row in true.by.items():
            if key[0] == "i":
                mine = cell.by.get(key, [0, 0, 0])
                missing = [wanted - has for wanted, has in zip(row, mine, strict=True)]
                assert all(0 <= gap <= there for gap, there in zip(missing, rest, strict=True)), (key, row, mine, rest)
                held = [a + b for a, b in zip(held, mine, strict=True)]
        assert {key for key in cell.by if key[0] == "i"} - {"i:~"} <= true.by.keys()
        assert held == [sum(row[column] for key, row in true.by.items() if key[0] == "i") for column in range(3)]
    named = {key for cell in cells.values() for key in cell.by if key[0] == "i"} - {"i:~"}
    assert len(named) <= MAX_ITEMS


line = st.tuples(st.integers(0, 70).map(lambda number: f"{'abc'[number % 3]}{number}"), st.integers(0, 900), st.integers(1, 3))
few = st.tuples(st.sampled_from(["a1", "b2", "c3"]), st.integers(0, 900), st.integers(1, 3))
ends = st.sampled_from(["stays", "stays", "stays", "part", "return", "void"])
days = st.integers(0, 70).map(lambda back: TODAY - back)


def bought(lines: st.SearchStrategy[list[tuple[str, int, int]]]) -> st.SearchStrategy[Bought]:
    return st.builds(Bought, days, lines, ends)


crowds = st.lists(bought(st.lists(line, min_size=1, max_size=25, unique_by=lambda each: each[0])), max_size=14)
calm = st.lists(bought(st.lists(few, min_size=1, max_size=3, unique_by=lambda each: each[0])), max_size=14)


@given(crowds | calm, st.randoms(use_true_random=False), st.booleans())
def test_any_order_leaves_what_a_straight_recount_says(sales: list[Bought], rng: object, spilled: bool) -> None:
    profile, back = Profile(), []
    for sale in sales:
        add_visit(profile, sale.visit(sale.lines), BERLIN)
        if spilled:
            spill(profile, TODAY)
        back.append(sale)
        rng.shuffle(back)  # type: ignore[attr-defined]
        if len(back) > 2:
            back.pop().come_back(profile)
    for sale in back:
        sale.come_back(profile)
    check(profile, sales)


@given(calm)
def test_few_items_are_all_named_and_exact(sales: list[Bought]) -> None:
    profile = Profile()
    for sale in sales:
        add_visit(profile, sale.visit(sale.lines), BERLIN)
    for sale in reversed(sales):
        sale.come_back(profile)
    assert dict(all_cells(profile)) == recount(sales)


def test_the_one_bought_least_is_folded_then_the_longest_ago_then_by_name() -> None:
    profile = Profile()
    for number in range(MAX_ITEMS):
        times = 1 if number in (7, 8, 9) else 2
        for _ in range(times):
            lines = [(f"n{number:02d}", 100, 1)]
            add_visit(profile, Bought(TODAY - (5 if number in (8, 9) else 1), lines).visit(lines), BERLIN)
    add_visit(profile, Bought(TODAY, []).visit([("new", 50, 1)]), BERLIN)
    assert "i:new" in profile.cells[TODAY].by
    assert profile.cells[TODAY - 5].by["i:~"] == [1, 100, 1000]
    assert "i:n08" not in profile.cells[TODAY - 5].by
    assert "i:n09" in profile.cells[TODAY - 5].by


def test_an_item_that_is_bought_often_stays_exact_among_hundreds() -> None:
    profile, times = Profile(), 0
    for number in range(300):
        day = TODAY - 300 + number
        coffee = [("coffee", 300, 1)] if number % 3 == 0 else []
        times += len(coffee)
        add_visit(profile, Bought(day, []).visit([*coffee, (f"n{number}", 100, 1), (f"m{number}", 100, 1)]), BERLIN)
        spill(profile, day)
    rows = [cell.by.get("i:coffee", [0, 0, 0]) for _, cell in all_cells(profile)]
    assert [sum(column) for column in zip(*rows, strict=True)] == [times, 300 * times, 1000 * times]


@settings(max_examples=settings().max_examples // 4)
@given(st.lists(st.integers(0, 120), min_size=60, max_size=160))
def test_between_spills_the_history_is_not_rewritten_for_an_item(bought_items: list[int]) -> None:
    profile = Profile()
    for number, item in enumerate(bought_items):
        day = TODAY - len(bought_items) + number
        before = deepcopy(profile.history)
        lines = [(f"n{item}", 100, 1), (f"n{item % 17}", 50, 1)] if item % 17 != item else [(f"n{item}", 100, 1)]
        in_history = add_visit(profile, Bought(day, []).visit(lines), BERLIN)
        assert not in_history
        assert profile.history == before
        if spill(profile, day):
            old = {key for cell in profile.history.values() for key in cell.by if key[0] == "i" and key != "i:~"}
            crowded = any("i:~" in cell.by for _, cell in all_cells(profile))
            assert not crowded or len(old) <= items.MAX_OLD_ITEMS


def test_a_crowded_state_spills_sooner_and_at_most_weekly() -> None:
    profile, spills, most = Profile(), [], 0
    for day in range(TODAY, TODAY + 300):
        for hour in range(4):
            lines = [(f"n{(day * 7 + hour * 5 + place * 3) % 38}", 100, 1) for place in range(3)]
            add_visit(profile, Bought(day, []).visit(lines), BERLIN)
        if spill(profile, day):
            spills.append(day)
        most = max(most, sum(len(cell.by) for cell in profile.cells.values()))
        assert len(profile.history) < KEPT_DAYS + SPILL_DAYS
    assert min(after - before for before, after in pairwise(spills)) >= 7
    assert max(after - before for before, after in pairwise(spills)) < SPILL_DAYS
    names_of_a_day = 20
    assert most <= MAX_HOT_NAMES + names_of_a_day
    assert len(profile.cells) >= HOT_DAYS


@pytest.mark.parametrize("sign", [1, -1])
def test_a_purchase_without_items_leaves_items_alone(sign: Literal[1, -1]) -> None:
    profile = Profile()
    plain = Visit(day_start(TODAY, BERLIN), 100, 1000, {"c:x": 100})
    add_visit(profile, Bought(TODAY, []).visit([("a1", 5, 1)]), BERLIN)
    add_visit(profile, plain, BERLIN)
    add_visit(profile, plain, BERLIN, sign)
    assert profile.cells[TODAY].by["i:a1"] == [1, 5, 1000]


def test_recounting_is_a_fold_of_its_own() -> None:
    """The recount that the others are measured by, on a case worked by hand."""
    sales = [Bought(TODAY, [("a1", 300, 1), ("b2", 200, 2)], "part"), Bought(TODAY, [("a1", 300, 1)])]
    rows: defaultdict[str, Amounts] = defaultdict(list, recount(sales)[TODAY].by)
    assert (rows["i:a1"], rows["i:b2"], rows["h:pos"]) == ([2, 300, 1000], [1, 200, 2000], [2, 500, 3000])


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_what_was_folded_is_taken_out_of_there_even_if_the_item_is_named_again(order: tuple[int, ...]) -> None:
    """Of three purchases of a day the first was folded and cost more than the other two, which are named."""
    purchases = [[1, 500, 9000], [1, 100, 1000], [1, 200, 1000]]
    cell = Cell(by={"i:~": [1, 500, 9000], "i:a": [2, 300, 2000]})
    for done, place in enumerate(order, 1):
        items.take_out(cell, "i:a", list(purchases[place]))
        assert all(amount >= 0 for row in cell.by.values() for amount in row)
        left = [purchases[other] for other in order[done:]]
        rows = [*cell.by.values(), [0, 0, 0]]
        assert [sum(column) for column in zip(*rows, strict=True)] == [sum(column) for column in zip(*left, [0, 0, 0], strict=True)]
    assert cell.by == {}
