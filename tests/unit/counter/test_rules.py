"""Worked cases of the counter's rules (tests/cases/counter.json), and the rules against a slow oracle."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.counter.counting import cashier, too_many
from shared.counter.model import Spending
from shared.counter.rules import after_hours_flag, exceeds, limited, marks_of, purchases_flag, review_until, under_review
from shared.kernel.instants import DAY, HOUR, day_of, format_day, parse_rfc3339
from shared.member_state.codec import decode_state, encode_state
from shared.member_state.model import MAX_COUNTER_SALES, CounterSale, Journey, MemberState
from shared.member_state.reviews import forget, remember
from shared.tenants.counter import AfterHoursRule, CounterRules, CounterSettings, PurchaseRule
from shared.tenants.model import Location
from shared.wallet.model import Posting
from tests.builders.house import NOW

CASES = json.loads((Path(__file__).parents[2] / "cases" / "counter.json").read_text())["cases"]


def flagged(rule: PurchaseRule, sales: list[CounterSale]) -> list[int]:
    """Which of the sales stand out, in the order of arrival, by what the state remembers."""
    state, found = MemberState("demo", "mbr_1"), []
    for index, sale in enumerate(sales):
        if purchases_flag(rule, state.counter_sales, sale) is not None:
            found.append(index)
        remember(state, sale)
        state = decode_state("demo", "mbr_1", json.loads(json.dumps(encode_state(state))))
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_worked_case(case: dict[str, Any]) -> None:
    sales = [CounterSale(parse_rfc3339(at), day_of(day), location, who) for at, day, location, who in case["sales"]]
    assert flagged(PurchaseRule.model_validate(case["rule"]), sales) == case["flagged"]


SALES = st.lists(
    st.builds(
        lambda minute, shift, place, who: CounterSale(NOW + minute * 60_000, NOW // DAY + minute // 1440 - shift, place, who),
        st.integers(0, 2800), st.integers(0, 1), st.sampled_from(["mitte", "nord"]), st.sampled_from(["", "anna", "ben"]),
    ),
    max_size=MAX_COUNTER_SALES,
)  # fmt: skip
RULES = st.builds(
    PurchaseRule,
    more_than=st.integers(1, 6), per=st.sampled_from(["business_date", "hours"]), hours=st.integers(1, 48),
    at=st.sampled_from(["anywhere", "location", "cashier"]),
)  # fmt: skip


def oracle(rule: PurchaseRule, sales: list[CounterSale], index: int) -> bool:
    """Counted from all that ever arrived before it, by dates as texts."""
    sale, number = sales[index], 1
    for other in sales[:index]:
        place = {
            "anywhere": ("", ""), "location": (other.location, ""), "cashier": (other.location, other.cashier)
        }[rule.at]  # fmt: skip
        own = {"anywhere": ("", ""), "location": (sale.location, ""), "cashier": (sale.location, sale.cashier)}[rule.at]
        if place != own:
            continue
        if rule.per == "business_date":
            number += date.fromisoformat(format_day(other.day)) == date.fromisoformat(format_day(sale.day))
        else:
            number += 0 <= sale.at - other.at < rule.hours * HOUR
    return number > rule.more_than


@given(RULES, SALES)
def test_the_state_knows_enough_for_the_rule(rule: PurchaseRule, sales: list[CounterSale]) -> None:
    assert flagged(rule, sales) == [index for index in range(len(sales)) if oracle(rule, sales, index)]


def test_what_is_remembered_is_bounded_and_the_oldest_goes_first() -> None:
    state = MemberState("demo", "mbr_1")
    for number in range(MAX_COUNTER_SALES + 5):
        remember(state, CounterSale(NOW + number, NOW // DAY, "mitte", ""))
    assert [sale.at - NOW for sale in state.counter_sales] == list(range(MAX_COUNTER_SALES + 4, 4, -1))
    remember(state, CounterSale(NOW + 4 * DAY, NOW // DAY + 4, "mitte", ""))
    assert len(state.counter_sales) == 1


def test_one_that_never_was_is_forgotten_once() -> None:
    state = MemberState("demo", "mbr_1")
    twins = [CounterSale(NOW, NOW // DAY, "mitte", who) for who in ("anna", "ben")]
    for sale in twins:
        remember(state, sale)
    forget(state, NOW, "nord")
    assert len(state.counter_sales) == 2
    forget(state, NOW, "mitte")
    assert len(state.counter_sales) == 1


@pytest.mark.parametrize("journeys", [[], [Journey("c", 1, "o", "s", NOW, since=NOW - 5)]])
@pytest.mark.parametrize("zone", ["", "Asia/Tokyo"])
def test_the_state_keeps_them_beside_whatever_stands_at_its_end(journeys: list[Journey], zone: str) -> None:
    state = MemberState("demo", "mbr_1", journeys=journeys, zone=zone)
    without = decode_state("demo", "mbr_1", json.loads(json.dumps(encode_state(state))))
    assert (without.counter_sales, without.journeys, without.zone) == ([], journeys, zone)
    state.counter_sales = [CounterSale(NOW, NOW // DAY, "mitte", "anna"), CounterSale(NOW - 5, NOW // DAY - 1, "nord", "")]
    again = decode_state("demo", "mbr_1", json.loads(json.dumps(encode_state(state))))
    assert (again.counter_sales, again.journeys, again.zone) == (state.counter_sales, journeys, zone)


@pytest.mark.parametrize(
    ("settings", "spending", "asks"),
    [
        ({}, Spending(10**9, 10**9), False),
        ({"confirm_points": 100}, Spending(100, 10**9), False),
        ({"confirm_points": 100}, Spending(101, 0), True),
        ({"confirm_value": 500}, Spending(10**9, 500), False),
        ({"confirm_value": 500}, Spending(0, 501), True),
        ({"confirm_points": 0}, Spending(0, 0), False),
        ({"confirm_points": 0}, Spending(1, 0), True),
        ({"confirm_points": 100, "confirm_value": 500}, Spending(1, 501), True),
    ],
)
def test_what_needs_a_confirmation(settings: dict[str, int], spending: Spending, asks: bool) -> None:
    assert exceeds(CounterSettings(**settings), spending) is asks


def test_a_confirmation_has_to_cover_what_is_limited_alone() -> None:
    assert limited(CounterSettings(confirm_points=1), Spending(5, 7)) == Spending(5, 0)
    assert limited(CounterSettings(confirm_value=1), Spending(5, 7)) == Spending(0, 7)


@pytest.mark.parametrize(
    ("posting", "until", "waits"),
    [
        (Posting("points", "earn", 5), 0, 0),
        (Posting("points", "earn", 5), NOW, NOW),
        (Posting("points", "earn", 5, NOW + 9), NOW, NOW + 9),
        (Posting("points", "earn", 5, NOW - 9), NOW, NOW),
        (Posting("points", "earn", 5, 0, awaits="event.paid"), NOW, 0),
        (Posting("points", "earn", 5, NOW + 9, awaits="event.paid"), NOW, NOW + 9),
    ],
)
def test_what_is_under_review_waits_as_long_as_it_would_have_at_least(posting: Posting, until: int, waits: int) -> None:
    (found,) = under_review([posting], "txn_1", until)
    assert (found.available_at, found.awaits, found.points) == (waits, marks_of("txn_1", 1)[0], 5)


def test_marks_are_a_sales_and_an_awards_own() -> None:
    assert len({*marks_of("txn_1", 3), *marks_of("txn_2", 3)}) == 6
    assert marks_of("txn_1", 3)[:2] == marks_of("txn_1", 2)


def test_review_ends_by_the_tenants_days_or_never() -> None:
    assert review_until(CounterSettings(review_days=3), NOW) == NOW + 3 * DAY
    assert review_until(CounterSettings(), NOW) == 0


@pytest.mark.parametrize(
    ("rules", "rule", "number", "points", "expected"),
    [
        ({"claims": {"more_than": 2}}, "claims", 2, 0, False),
        ({"claims": {"more_than": 2}}, "claims", 3, 0, True),
        ({"claims": {"more_than": 2}}, "returns", 9, 0, False),
        ({"returns": {"more_than": 0}}, "returns", 1, 0, True),
        ({"adjustments": {"points": 100}}, "adjustments", 99, 100, False),
        ({"adjustments": {"points": 100}}, "adjustments", 1, 101, True),
        ({"adjustments": {"more_than": 1}}, "adjustments", 2, 0, True),
        ({}, "flagged", 99, 99, False),
        ({"after_hours": {}}, "after_hours", 1, 0, True),
        ({"after_hours": {"more_than": 2}}, "after_hours", 2, 0, False),
        ({}, "after_hours", 9, 0, False),
    ],
)
def test_what_is_too_many(rules: dict[str, Any], rule: Any, number: int, points: int, expected: bool) -> None:
    assert too_many(CounterRules.model_validate(rules), rule, number, points) is expected


def test_a_cashier_is_named_by_the_till_or_is_the_till() -> None:
    assert (cashier("anna", "t1"), cashier(None, "t1"), cashier(None, None)) == ("anna", "till:t1", "")


NIGHT = parse_rfc3339("2026-11-21T22:00:00Z")
"""A Saturday, eleven at night in Berlin."""


def place(zone: str | None = None, **hours: tuple[str, str]) -> Location:
    weekly = {day: [{"opens": opens, "closes": closes}] for day, (opens, closes) in hours.items()}
    return Location.model_validate({"id": "mitte", "name": "Mitte", "time_zone": zone, "hours": {"weekly": weekly}})


@pytest.mark.parametrize(
    ("where", "channel", "grace", "stands_out"),
    [
        (place(sat=("08:00", "20:00")), "pos", 30, True),
        (place(sat=("08:00", "20:00")), "kiosk", 30, True),
        (place(sat=("08:00", "20:00")), "app", 30, False),
        (place(sat=("08:00", "20:00")), "delivery", 30, False),
        (place(sat=("08:00", "22:31")), "pos", 30, False),
        (place(sat=("08:00", "22:30")), "pos", 30, True),
        (place(sat=("08:00", "22:31")), "pos", 0, True),
        (place(sat=("18:00", "02:00")), "pos", 0, False),
        (place(sun=("00:15", "10:00")), "pos", 75, False),
        (place(sun=("00:15", "10:00")), "pos", 74, True),
        (place("America/New_York", sat=("08:00", "20:00")), "pos", 0, False),
        (place(fri=("08:00", "20:00")), "pos", 30, True),
        (Location(id="mitte", name="Mitte"), "pos", 30, False),
        (None, "pos", 30, False),
    ],
)
def test_a_sale_over_the_counter_of_a_closed_location_stands_out(
    where: Location | None, channel: str, grace: int, stands_out: bool
) -> None:
    flag = after_hours_flag(AfterHoursRule(grace_minutes=grace), where, channel, NIGHT, "Europe/Berlin")
    assert (flag is not None) is stands_out
    assert after_hours_flag(None, where, channel, NIGHT, "Europe/Berlin") is None
