"""Many writers on one member: everyone succeeds or is told to repeat, and the invariants hold."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from shared.coupons.model import Coupon
from shared.coupons.repository import CouponRepository
from shared.kernel.errors import AppError, ConcurrentUpdate
from shared.kernel.ids import new_id
from shared.kernel.instants import DAY
from shared.member_state.events import CouponIssued
from shared.member_state.model import MemberState
from shared.member_state.service import Change, Occasion, change_member, tick_member
from shared.storage.table import WriteBatch
from shared.transactions import holds, reversal
from shared.transactions.api import HoldRequest, MemberReference, TransactionRequest
from shared.transactions.claims import claim
from shared.transactions.errors import SaleRefused
from shared.transactions.gathering import natural_key
from shared.transactions.service import record
from tests.builders.house import FRIES, NOW, House, sale
from tests.builders.invariants import check_member

WRITERS = 32


def issue(house: House, member: str, offer: str = "fries") -> str:
    """Give the member a coupon of an offer."""
    coupon = Coupon(new_id("cpn", house.now), offer, 1, "active", member, house.now, house.now + 30 * DAY)

    def decide(_state: MemberState, _stale: object) -> Change[str]:
        def finish(_after: MemberState, _effects: object, batch: WriteBatch) -> str:
            CouponRepository(house.tenant, house.table).add_new(batch, coupon, None)
            return coupon.id

        return Change([CouponIssued(house.now, coupon.id, offer, coupon.active_from, coupon.expires_at)], finish)

    return change_member(house.scope(), member, Occasion(house.now), decide)


def together(works: list[Callable[[], object]]) -> list[object]:
    """Run all at the same moment; answers results and refusals alike."""
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return work()
        except AppError as refusal:
            return refusal

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def until_done(work: Callable[[], object]) -> object:
    """Repeat like a till does, while the answer is to repeat."""
    for _ in range(60):
        try:
            return work()
        except ConcurrentUpdate as again:
            last = again
    return last


def _record(house: House, request: TransactionRequest) -> object:
    return record(house.scope(), request)


def test_thirty_two_writers_of_every_kind_on_one_member(house: House) -> None:
    house.sleeps = []
    member = house.join()
    coupon = issue(house, member)
    record(house.scope(), sale(member, lines=(("burger", 100_000),)))
    claimed = [sale(None) for _ in range(4)]
    for request in claimed:
        record(house.scope(), request)
    works: list[Callable[[], object]] = []
    for index in range(WRITERS):
        kind = index % 8
        if kind < 4:
            works.append(partial(_record, house, sale(member)))
        elif kind == 4:
            works.append(partial(_record, house, sale(member, points_to_spend=20)))
        elif kind == 5:
            request = sale(member, lines=(("fries", 350),), coupons=[{"id": coupon}])
            works.append(partial(_record, house, request))
        elif kind == 6:
            works.append(lambda: tick_member(house.scope(), member, house.now))
        else:
            sold = natural_key(claimed[index // 8]).id("txn")
            works.append(lambda sold=sold: claim(house.scope(), sold, MemberReference(id=member)))
    results = together([lambda work=work: until_done(work) for work in works])
    refusals = Counter(result.code for result in results if isinstance(result, AppError))
    assert refusals == {"not_redeemable": 3}, "the one coupon is redeemed by one of four; nothing else is refused"
    state = house.state(member)
    assert state.profile.count == 1 + 16 + 4 + 1 + 4
    check_member(house, member)


def test_attempts_are_bounded_and_reported(house: House) -> None:
    member = house.join()
    results = together([partial(_record, house, sale(member)) for _ in range(WRITERS)])
    lost = [result for result in results if isinstance(result, AppError)]
    assert all(isinstance(refusal, ConcurrentUpdate) and refusal.retry_after for refusal in lost)
    assert max(effort.attempts for effort in house.efforts) <= 5
    assert house.state(member).profile.count == WRITERS - len(lost)
    check_member(house, member)


def test_one_receipt_sent_by_many_is_one_sale(house: House) -> None:
    member = house.join()
    request = sale(member)
    results = together([lambda: until_done(lambda: record(house.scope(), request)) for _ in range(16)])
    answers = [result.answer for result in results]  # type: ignore[attr-defined]
    assert all(answer == answers[0] for answer in answers)
    assert house.state(member).profile.count == 1
    check_member(house, member)


def test_one_coupon_presented_by_many_is_redeemed_once(house: House) -> None:
    member = house.join()
    coupon = issue(house, member)
    requests = [sale(member, lines=(("fries", 350),), coupons=[{"id": coupon}]) for _ in range(16)]
    results = together([lambda request=request: until_done(lambda: record(house.scope(), request)) for request in requests])
    assert sum(isinstance(result, SaleRefused) for result in results) == 15
    stored = CouponRepository(house.tenant, house.table).get(coupon)
    assert stored is not None
    assert stored.state == "redeemed"


@pytest.mark.parametrize("limit", [1, 7, 150])
def test_a_quota_is_never_overdrawn(house: House, limit: int) -> None:
    house.publish("offer", "few", FRIES | {"limit": limit, "per_member": 5})
    CouponRepository(house.tenant, house.table).create_quota("offer:few", limit)
    members = [house.join() for _ in range(12)]
    coupons = [issue(house, member, "few") for member in members]
    requests = [sale(member, lines=(("fries", 350),), coupons=[{"id": id_}]) for member, id_ in zip(members, coupons, strict=True)]
    results = together([lambda request=request: until_done(lambda: record(house.scope(), request)) for request in requests])
    refused = [result for result in results if isinstance(result, AppError)]
    assert len(refused) == max(0, 12 - limit)
    assert {refusal.errors[0].code for refusal in refused} <= {"exhausted"}


def test_returns_and_voids_of_one_sale_by_many_reverse_once(house: House) -> None:
    member = house.join()
    request = sale(member)
    sold = record(house.scope(), request).answer["transaction_id"]
    results = together([lambda: until_done(lambda: reversal.void(house.scope(), sold)) for _ in range(8)])
    answers = [result.answer for result in results if not isinstance(result, AppError)]  # type: ignore[attr-defined]
    assert len(answers) == 8
    assert all(answer == answers[0] for answer in answers)
    state = house.state(member)
    assert (state.profile.count, state.wallets["points"].reversed) == (0, 9)
    check_member(house, member)


def test_points_held_by_many_baskets_never_exceed_the_balance(house: House) -> None:
    member = house.join()
    record(house.scope(), sale(member, lines=(("burger", 10_000),)))
    only_of_sales = {"business_date", "receipt_number", "mode", "training", "offline", "tenders", "hold_id"}
    body = sale(member, points_to_spend=30).model_dump(exclude=only_of_sales)
    requests = [HoldRequest.model_validate(body | {"basket_id": f"b{index}"}) for index in range(8)]
    results = together([lambda request=request: until_done(lambda: holds.place(house.scope(), request)) for request in requests])
    assert sum(isinstance(result, SaleRefused) for result in results) == 5
    assert sum(hold.points for hold in house.state(member).holds.values()) == 90
    check_member(house, member)
    house.now = NOW + DAY
    assert tick_member(house.scope(), member, house.now)
    assert house.state(member).holds == {}
