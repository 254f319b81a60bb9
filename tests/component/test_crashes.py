"""Every write path killed between any two I/Os, or its answer lost, and repeated: the same as if nothing had happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.kernel.errors import AppError
from shared.transactions import activity, claims, holds, reversal
from shared.transactions.api import EventRequest, HoldRequest, MemberReference, ReturnRequest
from shared.transactions.gathering import natural_key
from shared.transactions.service import record
from tests.builders.house import FRIES, PROGRAMME, House, sale
from tests.builders.invariants import check_member
from tests.component.test_races import issue
from tests.fakes import engine
from tests.fakes.faulty import FaultyTable, Killed

Work = Callable[[House], Any]


@pytest.fixture
def faulty(dynamodb: str, bare_house: House) -> House:
    """A tenant over a table that can fail."""
    table = FaultyTable(dynamodb, bare_house.table.name)
    key_table = engine.table(dynamodb, bare_house.key_table.name)
    house = House(table, key_table).create()
    house.publish("programme", "points", PROGRAMME)
    house.publish("offer", "fries", FRIES)
    return house


def _sale(house: House) -> tuple[str, Work]:
    member = house.join()
    coupon = issue(house, member)
    request = sale(member, lines=(("fries", 350), ("burger", 900)), coupons=[{"id": coupon}])
    return member, lambda house: record(house.scope(), request).answer


def _anonymous(house: House) -> tuple[str, Work]:
    request = sale(None)
    return house.join(), lambda house: record(house.scope(), request).answer


def _return(house: House) -> tuple[str, Work]:
    member = house.join()
    coupon = issue(house, member)
    sold = record(house.scope(), sale(member, lines=(("fries", 350),), coupons=[{"id": coupon}])).answer["transaction_id"]
    original = sale(None)
    request = ReturnRequest(
        source="till",
        location_id="mitte",
        business_date=original.business_date,
        receipt_number=f"back-{original.receipt_number}",
        occurred_at=original.occurred_at,
        transaction_id=sold,
    )
    return member, lambda house: reversal.record_return(house.scope(), request).answer


def _void(house: House) -> tuple[str, Work]:
    member = house.join()
    sold = record(house.scope(), sale(member)).answer["transaction_id"]
    return member, lambda house: reversal.void(house.scope(), sold).answer


def _claim(house: House) -> tuple[str, Work]:
    member, request = house.join(), sale(None)
    record(house.scope(), request)
    sold = natural_key(request).id("txn")
    return member, lambda house: claims.claim(house.scope(), sold, MemberReference(id=member)).answer


def _hold(house: House) -> tuple[str, Work]:
    member = house.join()
    coupon = issue(house, member)
    record(house.scope(), sale(member, lines=(("burger", 10_000),)))
    basket = sale(member, lines=(("fries", 350), ("burger", 900)), coupons=[{"id": coupon}], points_to_spend=10)
    left_out = {"business_date", "receipt_number", "mode", "training", "offline", "tenders", "hold_id"}
    request = HoldRequest.model_validate(basket.model_dump(exclude=left_out) | {"basket_id": f"b-{basket.receipt_number}"})
    return member, lambda house: holds.place(house.scope(), request)[0].model_dump()


def _event(house: House) -> tuple[str, Work]:
    member = house.join()
    request = EventRequest(event_id="e1", member_id=member, type="app_opened", occurred_at=sale(None).occurred_at)
    return member, lambda house: activity.record_event(house.scope(), request).event_id


PATHS = {"sale": _sale, "anonymous": _anonymous, "return": _return, "void": _void, "claim": _claim, "hold": _hold, "event": _event}


@pytest.mark.parametrize("how", ["kill", "lose"])
@pytest.mark.parametrize("path", PATHS)
def test_killed_anywhere_and_repeated_it_happened_once(faulty: House, path: str, how: Any) -> None:
    table = faulty.table
    assert isinstance(table, FaultyTable)
    expected: Any = None
    for at in range(1, 12):
        for when in ("before", "after"):
            member, work = PATHS[path](faulty)
            table.arm(at, when, how)  # type: ignore[arg-type]
            try:
                answer = work(faulty)
            except (Killed, AppError):
                answer = None
            reached = table.calls >= at
            table.disarm()
            again = work(faulty)
            assert answer is None or answer == again
            _compare(expected, again)
            expected = expected or again
            check_member(faulty, member)
            if path == "sale":
                assert faulty.state(member).profile.count == 1
        if not reached:
            assert at > 1
            return
    pytest.fail("the path makes more calls than the test kills")


def _compare(expected: Any, answer: Any) -> None:
    """Answers of different members agree in every number."""
    if isinstance(expected, dict):
        numbers = ("points", "totals", "points_reversed", "points_given_back", "balance")
        assert {name: expected.get(name) for name in numbers} == {name: answer.get(name) for name in numbers}
