"""What a till gives without asking, what it makes of an answer, and how long it waits: the pure parts."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.till.giving import REASONS, Coupon, Given, Order, decide, kind_of, total_of
from local.till.network import Reply, delay, skew_of, verdict
from shared.kernel.instants import HOUR, MINUTE, SECOND, Instant
from shared.tenants.allowances import Giving
from shared.tenants.model import EffectKind
from tests.builders.tills import CARD, MOST, NOW, coupon, order

# -- what an answer means -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "means"),
    [
        (201, "", "done"), (200, "", "done"), (401, "unauthenticated", "credential"), (403, "other_location", "credential"),
        (409, "concurrent_update", "again"), (409, "sale_arrived", "again"), (429, "too_many_requests", "again"),
        (500, "", "again"), (502, "", "again"), (503, "", "again"), (504, "", "again"),
        (409, "not_redeemable", "as_offline"), (409, "hold_not_usable", "as_offline"), (404, "unknown_hold", "as_offline"),
        (422, "occurred_in_future", "clock"), (422, "request_reused", "refused"), (400, "malformed", "refused"),
        (409, "already_reversed", "refused"), (404, "unknown_transaction", "refused"),
    ],
)  # fmt: skip
def test_every_answer_has_a_meaning(status: int, code: str, means: str) -> None:
    assert verdict(Reply(status, {"code": code} if code else {})) == means


@given(st.integers(0, 100), st.floats(0, 1, exclude_max=True))
def test_a_wait_is_spread_from_nothing_to_a_bound_that_doubles(failures: int, chance: float) -> None:
    bound = delay(failures, 1)
    assert 0 <= delay(failures, chance) <= bound <= 5 * MINUTE
    assert bound == min(5 * MINUTE, 500 * 2 ** min(failures, 20))
    assert delay(failures, 0) == 0


def test_the_clock_is_measured_by_the_date_of_an_answer() -> None:
    assert skew_of(NOW + 10 * MINUTE, NOW + 10 * MINUTE, "Sat, 21 Nov 2026 10:00:00 GMT") == SECOND // 2 - 10 * MINUTE
    assert skew_of(NOW - 4000, NOW, "Sat, 21 Nov 2026 10:00:00 GMT") == 2500
    for date in (None, "yesterday", ""):
        assert skew_of(NOW, NOW, date) is None
    assert skew_of(NOW, NOW + 11 * SECOND, "Sat, 21 Nov 2026 10:00:00 GMT") is None
    assert skew_of(NOW, NOW - 1, "Sat, 21 Nov 2026 10:00:00 GMT") is None


# -- what is given ----------------------------------------------------------------------------------------------------


def offline(wanted: Order, used: Giving | None = None, taken: Any = (), at: Instant = NOW) -> Given:
    found = decide(wanted, MOST, used or Giving(), taken, at, NOW)
    assert found.reason is None or found.reason in REASONS
    return found


@pytest.mark.parametrize(
    ("wanted", "reason", "subject"),
    [
        (order("1", Coupon(id="cpn_1")), "not_verified", "coupons/0"),
        (order("1", Coupon(shown=CARD)), "not_verified", "coupons/0"),
        (order("1", Coupon(shown=coupon()), card=None), "card_needed", "coupons/0"),
        (order("1", Coupon(shown=coupon()), Coupon(shown=coupon())), "taken_before", "coupons/1"),
        (order("1", Coupon(shown=coupon("unit_price"))), "amount_needed", "coupons/0"),
        (order("1", Coupon(shown=coupon(), amount=901)), "nothing_left", "coupons/0"),
        (order("1", Coupon(shown=coupon("unit_price"), amount=100)), "coupon_kind", None),
        (order("1", Coupon(shown=coupon("amount 501"))), "value_per_sale", None),
        (order("1", points=20, points_value=100, card=None, member={"id": "mbr_1"}), "not_verified", "points"),
        (order("1", points=20), "points_value_needed", "points"),
        (order("1", points=20, points_value=901), "nothing_left", "points"),
        (order("1", points=101, points_value=100), "points_per_sale", "points"),
    ],
)
def test_what_may_not_be_given_has_a_reason(wanted: Order, reason: str, subject: str | None) -> None:
    found = offline(wanted)
    assert (found.reason, found.subject) == (reason, subject)
    assert found.giving.nothing


def test_what_is_given_is_worked_out_on_what_is_left() -> None:
    shown = (Coupon(shown=coupon("amount 200", "a")), Coupon(shown=coupon("percent 10", "b")))
    found = offline(order("1", *shown, points=20, points_value=100))
    assert (found.amounts, found.points_value) == ((200, 70), 100)
    assert found.giving == Giving(20, 270, frozenset({"amount", "percent"}))
    assert offline(order("1", Coupon(shown=coupon())), taken=["cpn_1"]).reason == "taken_before"
    assert offline(order("1", Coupon(shown=coupon())), at=NOW + 73 * HOUR).reason == "offline_too_long"
    assert offline(order("1", Coupon(shown=coupon())), used=Giving(0, 711)).reason == "value_per_day"


def test_a_code_names_its_kind_as_far_as_it_fits() -> None:
    assert [kind_of(f"{kind} 5" if len(kind) < 12 else kind[:13]) for kind in get_args(EffectKind)] == list(get_args(EffectKind))
    assert kind_of("") == ""


def test_a_line_costs_what_is_printed_or_its_price_by_its_quantity() -> None:
    lines: list[dict[str, Any]] = [{"unit_price": 333, "quantity": "1.5"}, {"unit_price": 100, "amount": 90}, {"unit_price": 5}]
    assert total_of(lines) == 500 + 90 + 5
