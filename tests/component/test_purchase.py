"""A purchase happens exactly once: replays, races, crashes."""

from __future__ import annotations

import pytest

from shared.kernel.instants import DAY, HOUR
from shared.transactions.errors import RequestReused, SaleRefused
from shared.transactions.service import record
from shared.wallet.rules import available
from tests.builders.house import NOW, House, sale


def test_a_purchase_earns_and_fills_the_profile(house: House) -> None:
    member = house.join()
    recorded = record(house.scope(), sale(member, lines=(("burger", 900), ("fries", 350))))
    assert not recorded.replayed
    assert recorded.answer["points"] == {"earned": 12, "spent": 0, "balance": 12, "expires_at": "2027-11-21T23:00:00Z"}
    state = house.state(member)
    assert available(state.wallets["points"], state.holds, "points") == 12
    assert (state.profile.count, state.profile.value) == (1, 1250)
    (cell,) = state.profile.cells.values()
    assert cell.by["c:mains"] == cell.by["i:burger"] == [1, 900, 1000]
    assert cell.by["t:vegetarian"] == [1, 350, 1000]
    assert cell.by["l:mitte"] == cell.by["o:11"] == [1, 1250, 2000]


def test_a_replay_answers_the_stored_answer(house: House) -> None:
    member = house.join()
    request = sale(member)
    first = record(house.scope(), request)
    house.now += HOUR
    again = record(house.scope(), request)
    assert again.replayed
    assert again.answer == first.answer
    assert house.state(member).profile.count == 1


def test_the_same_receipt_with_another_body_is_refused(house: House) -> None:
    member = house.join()
    request = sale(member, receipt_number="77")
    record(house.scope(), request)
    with pytest.raises(RequestReused):
        record(house.scope(), sale(member, lines=(("burger", 901),), receipt_number="77"))
    assert house.state(member).profile.value == 900


def test_an_unknown_member_is_stored_with_a_warning(house: House) -> None:
    recorded = record(house.scope(), sale("mbr_00000000000000000000000000"))
    assert "member_id" not in recorded.answer
    assert [each["code"] for each in recorded.answer["warnings"]] == ["unknown_member"]


def test_points_expire_when_time_passes_without_a_sweep(house: House) -> None:
    member = house.join()
    record(house.scope(), sale(member))
    house.now = NOW + 400 * DAY
    late = record(house.scope(), sale(member, at=house.now))
    assert late.answer["points"]["balance"] == 9
    wallet = house.state(member).wallets["points"]
    assert (wallet.earned, wallet.expired) == (18, 9)


def test_points_pay_at_most_their_share_of_the_bill(house: House) -> None:
    member = house.join()
    record(house.scope(), sale(member, lines=(("burger", 90000),)))
    with pytest.raises(SaleRefused) as refused:
        record(house.scope(), sale(member, points_to_spend=200))
    assert refused.value.errors[0].code == "above_share_of_bill"
    paid = record(house.scope(), sale(member, points_to_spend=90)).answer
    assert paid["totals"] == {"amount": 900, "discount": 0, "paid_with_points": 450, "due": 450}
    assert paid["points"]["spent"] == 90
    assert paid["points"]["earned"] == 4
