"""An order by columns is the order by states."""

from __future__ import annotations

import pytest

from shared.audiences.ranking import MISSING, Order, rank_columns, rank_state
from shared.member_state.model import MemberState
from shared.snapshots.building import columns_of
from tests.unit.snapshots.crowds import Crowd

ORDERS = [Order("id"), Order("lifetime_value"), Order("last_purchase_at"), Order("balance", "points")]


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_columns_rank_as_states_do_wherever_they_are_believed(order: Order) -> None:
    believed = different = 0
    for seed in range(40):
        crowd = Crowd(seed)
        ranks, unsure = rank_columns(order, columns_of(crowd.states), crowd.now)
        for state, rank, doubt in zip(crowd.states, ranks.tolist(), unsure.tolist(), strict=True):
            if not doubt:
                assert rank == rank_state(order, state, crowd.now), (seed, state.member)
                believed += 1
                different += rank != 0
    assert believed > 500
    assert different > 100 or order.by == "id"


def test_who_objects_or_never_bought_comes_last_in_either_direction() -> None:
    objecting = MemberState("t", "mbr_1", profiled=False)
    objecting.profile.count, objecting.profile.value, objecting.profile.last_at = 1, 900, 5
    assert rank_state(Order("lifetime_value"), objecting, 9) == MISSING
    assert rank_state(Order("last_purchase_at"), MemberState("t", "mbr_2"), 9) == MISSING
    for order in (Order("lifetime_value"), Order("lifetime_value", descending=True)):
        assert order.key(MISSING, "mbr_0") > order.key(10**9, "mbr_9")


def test_equals_are_in_the_order_of_their_ids() -> None:
    falling = Order("lifetime_value", descending=True)
    assert falling.key(5, "mbr_2") < falling.key(5, "mbr_3") < falling.key(4, "mbr_1")
