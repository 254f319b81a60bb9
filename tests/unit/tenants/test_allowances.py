"""What a till may give offline: each bound has its reason, and none can be passed in steps."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.coupons.effects import Effect
from shared.kernel.instants import HOUR
from shared.tenants.allowances import REASONS, Giving, allowed
from shared.tenants.model import EffectKind, Location, OfflineAllowance

NOW = 1_000_000 * HOUR
MOST = OfflineAllowance(
    points_per_sale=100, points_per_day=150, value_per_sale=500, value_per_day=800, coupon_kinds=("percent", "amount"), hours=48
)
PERCENT = frozenset({"percent"})


NONE = Giving()


def reason(
    wanted: Giving, used: Giving = NONE, at: int = NOW, since: int | None = NOW, most: OfflineAllowance | None = MOST
) -> str | None:
    found = allowed(most, used, wanted, at, since)
    assert found is None or found in REASONS
    return found


@pytest.mark.parametrize(
    ("wanted", "used", "expected"),
    [
        (Giving(100, 500, PERCENT), Giving(), None),
        (Giving(101), Giving(), "points_per_sale"),
        (Giving(50), Giving(100), None),
        (Giving(51), Giving(100), "points_per_day"),
        (Giving(0, 501, PERCENT), Giving(), "value_per_sale"),
        (Giving(0, 300, PERCENT), Giving(0, 500), None),
        (Giving(0, 301, PERCENT), Giving(0, 500), "value_per_day"),
        (Giving(0, 1, frozenset({"percent", "voucher"})), Giving(), "coupon_kind"),
        (Giving(0, 0, frozenset({"voucher"})), Giving(), "coupon_kind"),
        # What is used up of one thing does not stop the other.
        (Giving(1), Giving(0, 900), None),
        (Giving(0, 1, PERCENT), Giving(151), None),
    ],
)
def test_each_bound_has_its_reason(wanted: Giving, used: Giving, expected: str | None) -> None:
    assert reason(wanted, used) == expected


@pytest.mark.parametrize(
    ("at", "since", "expected"),
    [
        (NOW + 48 * HOUR, NOW, None),
        (NOW + 48 * HOUR + 1, NOW, "offline_too_long"),
        (NOW - 48 * HOUR - 1, NOW, "offline_too_long"),
        (NOW, None, "offline_too_long"),
    ],
)
def test_a_till_gives_for_so_many_hours_after_its_last_contact(at: int, since: int | None, expected: str | None) -> None:
    assert reason(Giving(1), at=at, since=since) == expected


def test_a_location_without_an_allowance_gives_nothing() -> None:
    assert reason(Giving(1), most=None) == "not_allowed"
    assert Location(id="mitte", name="Mitte").offline is None
    assert reason(Giving(1), most=OfflineAllowance()) == "points_per_sale"


def test_a_sale_that_gives_nothing_needs_no_allowance() -> None:
    assert reason(Giving(), most=None, since=None) is None


amounts = st.integers(0, 300)


@given(st.lists(st.builds(Giving, amounts, amounts, st.just(PERCENT)), max_size=12))
def test_no_order_of_sales_passes_the_allowance_of_a_day(wanted: list[Giving]) -> None:
    used = Giving()
    for each in wanted:
        if reason(each, used) is None:
            assert (each.points, each.value) <= (MOST.points_per_sale, 10**9)
            assert each.value <= MOST.value_per_sale
            used += each
    assert used.points <= MOST.points_per_day
    assert used.value <= MOST.value_per_day


def test_every_effect_of_an_offer_can_be_named() -> None:
    union: Any = get_args(Effect)[0]
    assert {model.model_fields["kind"].default for model in get_args(union)} == set(get_args(EffectKind))
