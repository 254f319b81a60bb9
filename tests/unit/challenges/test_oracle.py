"""Random purchases and returns: what is complete is what a naive count over the purchases that stay says, however they arrive."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from shared.challenges.model import CountGoal
from shared.challenges.rules import MAX_PARTS
from shared.kernel.instants import DAY, HOUR, Instant
from shared.member_state.events import TimePassed
from shared.member_state.rules import apply
from shared.wallet.rules import available
from tests.unit.challenges.corner import Corner, at, body_of

BEGIN = at("2026-03-02 00:00")


@dataclass(frozen=True)
class Sale:
    """A purchase some hours after the beginning: (category, units, cents) a line."""

    hour: int
    lines: tuple[tuple[str, int, int], ...]


LINES = st.tuples(st.sampled_from(["coffee", "cake"]), st.integers(1, 7), st.integers(0, 900))
SALES = st.lists(st.builds(Sale, st.integers(0, 24 * 9), st.lists(LINES, min_size=1, max_size=3).map(tuple)), max_size=12)
GOALS = st.builds(
    lambda of, on, threshold, compare, how: CountGoal.model_validate(
        {"of": of, "threshold": threshold * (300 if of == "spend" else 1), "compare": compare, **how}
        | ({"on": {"categories": ["coffee"]}} if on else {})
    ),
    st.sampled_from(["spend", "items"]),
    st.booleans(),
    st.integers(1, 8),
    st.sampled_from([">=", ">"]),
    st.sampled_from([{}, {"counted": "single_purchase"}, {"roll_over": True}]),
)


def naive(goal: CountGoal, most: int, amounts: list[int]) -> int:
    """Completions, one after the other, by hand. Amounts in the order of their purchases, in units of the threshold."""

    def reached(value: int) -> bool:
        return value > goal.threshold if goal.compare == ">" else value >= goal.threshold

    if goal.counted == "single_purchase":
        return min(sum(map(reached, amounts)), most)
    found = total = 0
    for amount in amounts:
        total += amount
        while reached(total) and found < most:
            found += 1
            total = total - goal.threshold if goal.roll_over else 0
    return found


def amount_of(goal: CountGoal, lines: list[list[int | str]]) -> int:
    """What is left of a purchase, as the goal counts it."""
    counted = [line for line in lines if line[0] == "coffee" or goal.on.everything]
    return sum(int(line[2 if goal.of == "spend" else 1]) for line in counted)


@given(GOALS, st.sampled_from([1, 2, 3, None]), SALES, st.data())
def test_completions_are_those_of_a_naive_count(goal: CountGoal, repeat: int | None, sales: list[Sale], data: st.DataObject) -> None:
    body = body_of(goal=goal.model_dump(), window={"days": 7}, repeat=repeat)
    corner = Corner({"c": body}, BEGIN)
    receipts = [corner.give("c", BEGIN + hours * HOUR) for hours in (0, 0, 30)]
    left: dict[str, list[list[int | str]]] = {}
    order = data.draw(st.permutations(range(len(sales))))
    for number in order:
        sale = sales[number]
        corner.buy(f"r{number:02}", BEGIN + sale.hour * HOUR, sale.lines)
        left[f"r{number:02}"] = [list(line) for line in sale.lines]
        for receipt in data.draw(st.lists(st.sampled_from(sorted(left)), max_size=1)):
            _some_comes_back(corner, receipt, left, data)
        _agree(corner, goal, body.times, receipts, sales, left)


def _some_comes_back(corner: Corner, receipt: str, left: dict[str, list[list[int | str]]], data: st.DataObject) -> None:
    lines = left[receipt]
    there = [index for index, line in enumerate(lines) if line[1]]
    if not there:
        return
    if data.draw(st.booleans()):
        corner.bring_back(receipt, corner.state.as_of, void=data.draw(st.booleans()))
        for line in lines:
            line[1] = line[2] = 0
        return
    index = data.draw(st.sampled_from(there))
    units = data.draw(st.integers(1, int(lines[index][1])))
    corner.bring_back(receipt, corner.state.as_of, [(index, units)])
    sold = corner.sold[receipt].lines[index]
    back = corner.returned[receipt][str(index)] // 1000
    lines[index][1] = sold.units // 1000 - back
    lines[index][2] = 0 if lines[index][1] == 0 else sold.net - sold.net * back * 1000 // sold.units


def _agree(
    corner: Corner, goal: CountGoal, most: int, receipts: list[str], sales: list[Sale], left: dict[str, list[list[int | str]]]
) -> None:
    total = 0
    for instance, hours in zip(receipts, (0, 0, 30), strict=True):
        inside = sorted(
            (sales[int(receipt[1:])].hour, receipt) for receipt in left if hours <= sales[int(receipt[1:])].hour <= hours + 24 * 7
        )
        # Two purchases of one hour stand in the order of their fingerprints: how they follow one another is not known.
        if not goal.roll_over and goal.counted == "cumulative" and most > 1 and len({hour for hour, _ in inside}) < len(inside):
            return
        wanted = naive(goal, most, [amount_of(goal, left[receipt]) for _, receipt in inside])
        hers = next((each for each in corner.state.challenges if each.id == instance), None)
        assert (hers.times if hers is not None else 0) == wanted
        total += wanted
    assert available(corner.state.wallet("points"), {}, "points") == 10 * total
    told = sum(number if what == "completed" else -number for _, what, number in corner.events("completed", "reversed"))
    assert told == total


@given(st.integers(1, 9), st.lists(st.integers(1, 25), min_size=1, max_size=60))
def test_a_stamp_card_counts_on_beyond_what_it_remembers(threshold: int, cups: list[int]) -> None:
    body = body_of(goal={"of": "items", "threshold": threshold, "roll_over": True}, automatic=True)
    corner = Corner({"card": body}, BEGIN)
    for number, units in enumerate(cups):
        corner.buy(f"r{number}", BEGIN + number * DAY, [("coffee", units, 300 * units)])
    (card,) = corner.state.challenges
    assert card.times == sum(cups) // threshold
    assert len(card.parts) <= MAX_PARTS
    assert corner.points == 10 * card.times


@given(SALES, st.lists(st.integers(0, 24 * 30), max_size=20), st.sampled_from(["streak", "spend"]))
def test_one_late_sweep_leaves_what_daily_sweeps_leave(sales: list[Sale], sweeps: list[int], kind: str) -> None:
    goal = {"of": "streak", "per": "day", "periods": 3, "what": "purchases"} if kind == "streak" else {"of": "spend", "threshold": 900}
    bodies = {"given": body_of(goal=goal, window={"days": 5}), "auto": body_of(goal=goal, automatic=True)}
    told = []
    for swept in (False, True):
        corner = Corner(bodies, BEGIN)
        corner.give("given", BEGIN)
        steps = [(sale.hour, 1, index) for index, sale in enumerate(sorted(sales, key=lambda each: each.hour))]
        steps += [(hour, 0, 0) for hour in sweeps] if swept else []
        ordered = sorted(sales, key=lambda each: each.hour)
        for hour, is_sale, index in sorted(steps):
            if is_sale:
                corner.buy(f"r{index}", BEGIN + hour * HOUR, ordered[index].lines)
            else:
                corner.wait(BEGIN + hour * HOUR)
        corner.wait(BEGIN + 60 * DAY)
        told.append((corner.events(), [(each.at, each.kind) for each in corner.told.entries], corner.points))
    assert told[0] == told[1]


@given(SALES)
def test_the_timer_wakes_for_whatever_falls_due(sales: list[Sale]) -> None:
    goal = {"of": "streak", "per": "day", "periods": 4, "what": "purchases"}
    bodies = {"given": body_of(goal=goal, window={"days": 5}), "auto": body_of(goal=goal, automatic=True)}
    woken, late = Corner(bodies, BEGIN), Corner(bodies, BEGIN)
    for corner in (woken, late):
        corner.give("given", BEGIN)
        for index, sale in enumerate(sorted(sales, key=lambda each: each.hour)):
            corner.buy(f"r{index}", BEGIN + sale.hour * HOUR, sale.lines)
    while (timer := woken.state.timer) is not None:
        assert _is_ahead(woken, timer)
        view = woken.view
        apply(woken.state, TimePassed(timer), lambda _at, view=view: view, None, woken.told)  # type: ignore[misc]
    late.wait(BEGIN + 60 * DAY)
    assert woken.events() == late.events()


def _is_ahead(corner: Corner, timer: Instant) -> bool:
    return timer > corner.state.as_of
