"""From when until when a coupon is good, by a till's clock that may be behind."""

from __future__ import annotations

import pytest

from shared.coupons.model import Coupon
from shared.coupons.rules import CLOCKS_BEHIND, Use, state_reason
from shared.kernel.instants import MINUTE
from shared.programmes.conditions import MemberFacts, Scene

FROM, UNTIL = 10_000_000, 20_000_000


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        (FROM - CLOCKS_BEHIND - 1, "not_yet_active"),
        (FROM - CLOCKS_BEHIND, None),
        (FROM, None),
        (UNTIL - 1, None),
        (UNTIL, "expired"),
    ],
)
def test_a_clock_that_is_behind_may_use_a_coupon_that_was_just_given(at: int, reason: str | None) -> None:
    coupon = Coupon("cpn_1", "fries", 1, "active", None, FROM, UNTIL)
    use = Use(at, Scene(at, "UTC", "UTC", "mitte", "pos", "EUR"), None, MemberFacts())
    assert state_reason(coupon, use) == reason


def test_it_is_ten_minutes() -> None:
    assert CLOCKS_BEHIND == 10 * MINUTE
