"""What counts for a campaign, and for which of its messages: windows, returns, repeats, hard before soft."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.campaigns.conversions import Happened, choose, convert, credit, happened, take_credit, within
from shared.campaigns.model import Credit, Delivery, Goal
from shared.campaigns.tally import counted, counts_of, difference, place_of
from shared.kernel.instants import DAY, HOUR

NOON = 1_800_000_000_000
GOAL = Goal(of="purchase", days=7)
ROW = Delivery("summer", 1, "gift", "o1", "mbr_1", "push", "sent", NOON, exposure=True, variant="a", language="de")


def bought(number: int, at: int, value: int = 1000) -> Happened:
    return Happened(f"member:mbr_1:{number}:0", "transaction.recorded", at, f"txn_{number}", value)


def returned(number: int, at: int, value: int, whole: bool = False) -> Happened:
    return Happened(f"member:mbr_1:{number}0:0", "transaction.returned", at, f"txn_{number}", value, whole)


def test_what_is_bought_within_the_days_converts_and_is_revenue_once() -> None:
    first = convert(ROW, GOAL, bought(1, NOON + HOUR))
    assert (first.converted_by, first.revenue) == ("txn_1", 1000)
    assert convert(first, GOAL, bought(1, NOON + HOUR)) == first
    second = convert(first, GOAL, bought(2, NOON + 2 * HOUR, 500))
    assert (second.converted_by, second.revenue) == ("txn_1", 1500)
    for at in (NOON - 1, NOON + 7 * DAY):
        assert convert(ROW, GOAL, bought(1, at)) == ROW


def test_who_was_held_out_counts_the_same_and_a_second_message_does_not() -> None:
    held = replace(ROW, state="held_out")
    assert convert(held, GOAL, bought(1, NOON)).revenue == 1000
    later = replace(ROW, exposure=False)
    assert convert(later, GOAL, bought(1, NOON)) == later


def test_what_comes_back_is_taken_off() -> None:
    row = convert(ROW, GOAL, bought(1, NOON))
    part = convert(row, GOAL, returned(1, NOON + 9 * DAY, 300))
    assert (part.revenue, part.converted_by) == (700, "txn_1")
    assert convert(part, GOAL, returned(1, NOON + 9 * DAY, 300)) == part, "told again"
    whole = convert(part, GOAL, replace(returned(1, NOON + 9 * DAY, 700, whole=True), id="member:mbr_1:11:0"))
    assert (whole.revenue, whole.converted_by) == (0, None)
    assert convert(ROW, GOAL, returned(5, NOON, 100)) == ROW


def test_a_form_or_an_event_of_the_tenant_converts_without_revenue() -> None:
    event = Happened("member:mbr_1:3:0", "form.submitted", NOON)
    assert convert(ROW, Goal(of="form_submitted"), event).converted_by == "member:mbr_1:3:0"
    assert convert(ROW, GOAL, event).converted_by is None
    custom = replace(event, type="event.rated")
    assert convert(ROW, Goal(of="event.rated"), custom).converted_by == custom.id
    row = convert(ROW, Goal(of="form_submitted"), bought(1, NOON))
    assert (row.converted_by, row.revenue) == (None, 1000), "what she spends counts whatever the goal"


def test_the_credit_goes_by_proof_before_order_in_time() -> None:
    opened = replace(ROW, occurrence="o1", responses={"opened": NOON + 1})
    clicked = replace(ROW, occurrence="o2", responses={"opened": NOON + 2, "clicked": NOON + 3})
    silent = replace(ROW, occurrence="o3")
    rows = [(row, GOAL) for row in (opened, clicked, silent)]
    assert choose(rows, bought(1, NOON + 5), None) == (clicked, False)
    assert choose(rows, bought(1, NOON + 2), None) == (clicked, False)
    assert choose(rows, bought(1, NOON + 1), None) == (opened, False), "what is answered later has no part in it"
    assert choose(rows, bought(1, NOON + 5), silent) == (silent, True)
    assert choose([(silent, GOAL)], bought(1, NOON + 5), None) is None
    assert choose([(clicked, GOAL)], bought(1, NOON + 7 * DAY), None) is None
    assert choose(rows, Happened("e", "form.submitted", NOON + 5), None) is None


def test_credit_is_given_once_and_taken_with_the_return() -> None:
    row = credit(ROW, bought(1, NOON), hard=True)
    assert row.attributed == {"txn_1": Credit(True, 1000)}
    assert credit(row, bought(1, NOON), hard=False) == row
    part = take_credit(row, returned(1, NOON, 400))
    assert part.attributed == {"txn_1": Credit(True, 600)}
    assert take_credit(part, returned(1, NOON, 400)) == part
    assert take_credit(row, returned(1, NOON, 1000, whole=True)).attributed == {}


def test_an_event_of_the_bus_is_read() -> None:
    event = {"id": "member:m:3:1", "type": "transaction.recorded", "occurred_at": 5, "data": {"transaction": "txn_1", "value": 900}}
    assert happened(event) == Happened("3:1", "transaction.recorded", 5, "txn_1", 900)
    assert happened({**event, "type": "tier.changed"}) is None
    assert within(ROW, GOAL, NOON)


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({"state": "suppressed", "reason": "over_cap", "exposure": False}, {"planned": 1, "suppressed": 1, "suppressed:over_cap": 1}),
        ({"state": "deferred", "exposure": False}, {"planned": 1, "deferred": 1}),
        ({"state": "claimed"}, {"planned": 1, "claimed": 1, "exposed": 1}),
        ({"state": "waiting"}, {"planned": 1, "claimed": 1, "exposed": 1}),
        ({"state": "unknown", "cost_e6": 7}, {"planned": 1, "claimed": 1, "unknown": 1, "exposed": 1, "cost_e6": 7}),
        ({"was_deferred": True}, {"claimed": 1, "sent": 1, "exposed": 1}),
        ({"state": "held_out"}, {"planned": 1, "held_out": 1, "held_exposed": 1}),
        ({"state": "held_out", "exposure": False}, {"planned": 1, "held_out": 1}),
        ({"responses": {"opened": 1, "clicked": 2}}, {"planned": 1, "claimed": 1, "sent": 1, "exposed": 1, "opened": 1, "clicked": 1}),
        ({"state": "done", "channel": "-", "exposure": False}, {}),
        ({"state": "given", "channel": "-", "exposure": False}, {"planned": 1, "given": 1}),
        (
            {"state": "given", "converted_by": "txn_1", "credited": {"txn_1": 900}, "responses": {"redeemed": 1}, "discount": 5},
            {
                "planned": 1, "given": 1, "redeemed": 1, "discount": 5,
                "exposed": 1, "converted": 1, "revenue": 900, "revenue_squared": 810_000,
            },
        ),
        ({"state": "held_out", "channel": "-"}, {"planned": 1, "held_out": 1, "held_exposed": 1}),
    ],
)
def test_what_a_row_counts(change: dict[str, object], counts: dict[str, int]) -> None:
    assert counts_of(replace(ROW, **change)) == counts  # type: ignore[arg-type]


EVENTS = st.lists(
    st.one_of(
        st.builds(bought, st.integers(1, 4), st.integers(NOON - DAY, NOON + 8 * DAY), st.integers(1, 900)),
        st.builds(returned, st.integers(1, 4), st.integers(NOON, NOON + 30 * DAY), st.integers(1, 100), st.booleans()),
    ),
    max_size=12,
)


@given(EVENTS, st.booleans())
def test_the_differences_add_up_to_what_the_row_counts(events: list[Happened], held: bool) -> None:
    row, sums = replace(ROW, state="held_out" if held else "sent"), dict[str, int]()
    before: Delivery | None = None
    for event in [None, *events]:
        after = row if event is None else take_credit(credit(convert(row, GOAL, event), event, hard=False), event)
        for name, number in difference(before, after).items():
            sums[name] = sums.get(name, 0) + number
        said = counted(before, after)
        assert (said is None) == (difference(before, after) == {})
        assert said is None or (said["campaign"], said["variant"]) == ("summer", place_of(row).variant)
        before = row = after
    assert {name: number for name, number in sums.items() if number} == counts_of(row)


@given(EVENTS, st.integers())
def test_events_that_are_told_again_change_nothing(events: list[Happened], seed: int) -> None:
    row = ROW
    for event in events:
        row = convert(row, GOAL, event)
    again = row
    for event in random.Random(seed).sample(events, len(events)):
        again = convert(again, GOAL, event)
    late = [each for each in events if each.type == "transaction.returned" and each.id not in row.seen]
    assert again == row or late, "a return that came before its sale is taken off when it is told again"
