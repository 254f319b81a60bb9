"""Points that move without a purchase: by hand, between members, into vouchers; and tiers given by hand."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from shared.coupons.repository import CouponRepository
from shared.kernel.errors import AppError
from shared.kernel.instants import DAY, HOUR, format_rfc3339
from shared.members import points, points_api
from shared.members.points_api import AdjustmentRequest, ConversionRequest, TransferRequest
from shared.members.service import Actor
from shared.tenants.model import WalletSettings
from shared.transactions import holds, reversal
from shared.transactions.api import HoldRequest, MemberReference, ReturnRequest, TransactionRequest
from shared.transactions.service import record
from tests.builders.front import ALL, Front
from tests.builders.gateway import return_of
from tests.builders.house import NOW, PROGRAMME, SETTINGS, House, sale
from tests.builders.invariants import check_member, ledger_of
from tests.component.test_races import together, until_done
from tests.fakes import engine
from tests.fakes.faulty import FaultyTable, Killed

STAFF = Actor("key_of_staff", may_write=True)
SCOPES = ALL | {"points:write"}
WITHOUT = ALL - {"points:write"}
VOUCHER: dict[str, Any] = {"name": "5 euros", "effect": {"kind": "amount", "amount": 500}, "per_member": 6}
BODY: dict[str, Any] = {
    **PROGRAMME,
    "conversions": [{"id": "five", "points": 100, "offer": "voucher", "most_at_once": 3}],
    "tiers": {"levels": [{"id": "silver", "name": "Silver", "threshold": 500}, {"id": "gold", "name": "Gold", "threshold": 900}]},
}
WALLETS = {"points": WalletSettings(overdraft=50, transfers=True), "stars": WalletSettings()}


def furnished(house: House) -> House:
    """A tenant whose points may be given away, overdrawn and converted."""
    house.create(SETTINGS.model_copy(update={"wallets": WALLETS}))
    house.publish("programme", "points", BODY)
    house.publish("offer", "voucher", VOUCHER)
    return house


@pytest.fixture
def house(bare_house: House) -> House:
    return furnished(bare_house)


@pytest.fixture
def faulty(dynamodb: str, bare_house: House) -> House:
    """The same over a table that can fail."""
    table = FaultyTable(dynamodb, bare_house.table.name)
    return furnished(House(table, engine.table(dynamodb, bare_house.key_table.name)))


@pytest.fixture
def front(house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    return Front(house, monkeypatch)


def adjust(house: House, member: str, amount: int, call: str | None = None, **more: Any) -> points_api.PointsAnswer:
    request = AdjustmentRequest(points=amount, reason="a reason", **more)
    return points.adjust(house.scope(), member, request, STAFF, call or f"call-{amount}-{house.now}")[0]


def transfer(house: House, giver: str, to: str, amount: int, call: str) -> points.Moved:
    request = TransferRequest(to=MemberReference(id=to), points=amount)
    return points.transfer(house.scope(), giver, request, Actor(giver), call)


def convert(house: House, member: str, times: int, call: str) -> points.Moved:
    request = ConversionRequest(programme="points", conversion="five", times=times)
    return points.convert(house.scope(), member, request, Actor(member), call)


def basket_of(request: TransactionRequest) -> dict[str, Any]:
    """A sale as a basket to hold."""
    only_of_sales = {"business_date", "receipt_number", "mode", "training", "offline", "tenders", "hold_id"}
    return request.model_dump(exclude=only_of_sales)


def balance_of(house: House, member: str) -> int:
    wallet = house.state(member).wallets.get("points")
    return sum(lot.points for lot in wallet.lots) - wallet.debt if wallet is not None else 0


# -- by hand ---------------------------------------------------------------------------------------------------------


def test_an_adjustment_says_who_and_why_in_the_ledger(front: Front) -> None:
    member = front.house.join()
    headers = {"idempotency-key": "a1"}
    body = {"points": 120, "reason": "a cold meal"}
    said = front.call("adjust_points", body, member_id=member, headers=headers, scopes=SCOPES)
    assert (said.status, said.body["points"], said.body["balance"]) == (201, 120, 120)
    again = front.call("adjust_points", body, member_id=member, headers=headers, scopes=SCOPES)
    assert (again.status, again.body, again.headers["idempotent-replayed"]) == (200, said.body, "true")
    changed = front.call("adjust_points", body | {"points": 121}, member_id=member, headers=headers, scopes=SCOPES)
    assert (changed.status, changed.body["code"]) == (422, "request_reused")
    (entry,) = ledger_of(front.house, member)
    assert (entry.kind, entry.reason, entry.actor) == ("adjust", "a cold meal", "demo-aaaaaaaaaaaa")
    assert entry.reference == said.body["reference"]
    (listed,) = front.call("list_ledger", member_id=member).body["data"]
    assert (listed["kind"], listed.get("reason")) == ("adjust", "a cold meal")
    check_member(front.house, member)


def test_an_adjustment_without_a_key_a_reason_or_points_is_refused(front: Front) -> None:
    member = front.house.join()
    call = partial(front.call, "adjust_points", member_id=member, scopes=SCOPES)
    missing = call({"points": 1, "reason": "a reason"})
    assert missing.status in (422, 428), missing.body
    for body in ({"points": 1}, {"points": 0, "reason": "a reason"}, {"points": 1, "reason": "  "}, {"points": 1.0, "reason": "a reason"}):
        assert call(body, headers={"idempotency-key": "b"}).status == 422
    for wallet in ("unheard-of",):
        said = call({"points": 1, "reason": "a reason", "wallet": wallet}, headers={"idempotency-key": "c"})
        assert [each["code"] for each in said.body["errors"]] == ["unknown_wallet"]
    assert call({"points": 1, "reason": "a reason"}, headers={"idempotency-key": "d"}, scopes=WITHOUT).status == 403
    assert ledger_of(front.house, member) == []


def test_points_are_taken_down_to_the_overdraft_and_no_further(house: House) -> None:
    member = house.join()
    adjust(house, member, 30)
    with pytest.raises(AppError) as refused:
        adjust(house, member, -81)
    assert refused.value.code == points.NotEnough("insufficient_points").code
    assert adjust(house, member, -80).balance == -50
    assert house.state(member).wallets["points"].debt == 50
    assert adjust(house, member, 70).balance == 20
    check_member(house, member)


def test_points_given_live_as_the_programme_says_or_the_request(house: House) -> None:
    member = house.join()
    adjust(house, member, 10)
    adjust(house, member, 5, expires_at=format_rfc3339(NOW + 3 * DAY))
    adjust(house, member, 7, wallet="stars")
    wallets = house.state(member).wallets
    assert [(lot.points, (lot.expires_at - NOW) // DAY) for lot in wallets["points"].lots] == [(5, 3), (10, 365)]
    assert wallets["stars"].lots[0].points == 7
    with pytest.raises(AppError):
        adjust(house, member, 5, "past", expires_at=format_rfc3339(NOW))
    house.now += 4 * DAY
    assert adjust(house, member, 1).balance == 11
    check_member(house, member)


# -- between members -------------------------------------------------------------------------------------------------


def test_a_transfer_stands_in_both_ledgers_and_keeps_its_expiry(house: House) -> None:
    giver, receiver = house.join(), house.join()
    adjust(house, giver, 40, expires_at=format_rfc3339(NOW + 5 * DAY))
    adjust(house, giver, 41, expires_at=format_rfc3339(NOW + 9 * DAY))
    answer, replayed = transfer(house, giver, receiver, 50, "t1")
    assert (answer.points, answer.balance, replayed) == (-50, 31, False)
    assert transfer(house, giver, receiver, 50, "t1") == (answer, True)
    lots = [(lot.points, (lot.expires_at - NOW) // DAY) for lot in house.state(receiver).wallets["points"].lots]
    assert lots == [(40, 5), (10, 9)]
    entries = [next(each for each in ledger_of(house, who) if each.reference == answer.reference) for who in (giver, receiver)]
    assert [(each.kind, sum(posting.points for posting in each.postings), each.actor) for each in entries] == [
        ("transfer_out", -50, giver),
        ("transfer_in", 50, giver),
    ]
    with pytest.raises(AppError) as reused:
        transfer(house, giver, receiver, 51, "t1")
    assert reused.value.code == "request_reused"
    house.now += 6 * DAY
    record(house.scope(), sale(receiver, at=house.now))
    assert house.state(receiver).wallets["points"].expired == 40
    for member in (giver, receiver):
        check_member(house, member)


def test_a_transfer_pays_what_the_receiver_owes(house: House) -> None:
    giver, receiver = house.join(), house.join()
    adjust(house, giver, 40)
    adjust(house, receiver, -30)
    transfer(house, giver, receiver, 35, "t1")
    assert (balance_of(house, receiver), house.state(receiver).wallets["points"].debt) == (5, 0)
    for member in (giver, receiver):
        check_member(house, member)


@pytest.mark.parametrize("why", ["insufficient", "overdraft", "self", "unknown", "wallet", "not_allowed", "held"])
def test_a_transfer_that_cannot_be_made_changes_nothing(house: House, why: str) -> None:
    giver, receiver = house.join(), house.join()
    adjust(house, giver, 40)
    adjust(house, giver, 40, "stars", wallet="stars")
    to, amount, wallet = MemberReference(id=receiver), 30, "points"
    if why in ("insufficient", "overdraft"):
        amount = 41 if why == "overdraft" else 1000
    elif why == "self":
        to = MemberReference(id=giver)
    elif why == "unknown":
        to = MemberReference(kind="phone", value="+4915100000000")
    elif why == "held":
        basket = basket_of(sale(giver, points_to_spend=15))
        holds.place(house.scope(), HoldRequest.model_validate(basket | {"basket_id": "b1"}))
    else:
        wallet = "stars" if why == "not_allowed" else "unheard-of"
    before = [ledger_of(house, giver), ledger_of(house, receiver), house.state(giver).version]
    with pytest.raises(AppError) as refused:
        points.transfer(house.scope(), giver, TransferRequest(to=to, points=amount, wallet=wallet), Actor(giver), "t")
    assert refused.value.status in (404, 409, 422)
    assert [ledger_of(house, giver), ledger_of(house, receiver), house.state(giver).version] == before
    assert "points" not in house.state(receiver).wallets


def test_a_member_gives_her_own_points_by_her_own_token(front: Front) -> None:
    house = front.house
    giver, receiver = house.join(), house.join()
    adjust(house, giver, 40)
    body = {"to": {"id": receiver}, "points": 15}
    said = front.call("transfer_points_of_me", body, me=giver, headers={"idempotency-key": "t"})
    assert (said.status, said.body["balance"]) == (201, 25)
    assert front.call("transfer_points_of_me", body, me=giver).status in (422, 428)
    assert (balance_of(house, giver), balance_of(house, receiver)) == (25, 15)


def test_eight_transfers_back_and_forth_at_once_keep_the_sum(house: House) -> None:
    first, second = house.join(), house.join()
    for member in (first, second):
        adjust(house, member, 100)
    works = [
        partial(transfer, house, giver, to, 10 + number, f"t{number}")
        for number, (giver, to) in enumerate([(first, second), (second, first)] * 4)
    ]
    results = together([partial(until_done, work) for work in works])
    assert not [each for each in results if isinstance(each, AppError)]
    assert (balance_of(house, first), balance_of(house, second)) == (100 + 4, 100 - 4)
    for member in (first, second):
        check_member(house, member)


@pytest.mark.parametrize("path", ["transfer", "adjust", "convert"])
def test_one_call_sent_by_many_at_once_moves_points_once(house: House, path: str) -> None:
    giver, receiver = house.join(), house.join()
    adjust(house, giver, 300, "start")
    work = {
        "transfer": partial(transfer, house, giver, receiver, 100, "t"),
        "adjust": partial(adjust, house, giver, -100, "t"),
        "convert": partial(convert, house, giver, 1, "t"),
    }[path]
    results = together([partial(until_done, work)] * 6)
    answers = [each[0] if isinstance(each, tuple) else each for each in results]
    assert all(each == answers[0] for each in answers)
    assert balance_of(house, giver) == 200
    check_member(house, giver)


@pytest.mark.parametrize("how", ["kill", "lose"])
@pytest.mark.parametrize("path", ["transfer", "adjust", "convert"])
def test_killed_anywhere_and_repeated_points_have_moved_once(faulty: House, path: str, how: Any) -> None:
    table = faulty.table
    assert isinstance(table, FaultyTable)
    for at in range(1, 12):
        reached = False
        for when in ("before", "after"):
            giver, receiver = faulty.join(), faulty.join()
            adjust(faulty, giver, 300, f"start-{giver}")
            work = {
                "transfer": partial(transfer, faulty, giver, receiver, 100, "t"),
                "adjust": partial(adjust, faulty, giver, -100, "t"),
                "convert": partial(convert, faulty, giver, 1, "t"),
            }[path]
            table.arm(at, when, how)  # type: ignore[arg-type]
            with suppress(Killed, AppError):
                work()
            reached = table.calls >= at
            table.disarm()
            both = balance_of(faulty, giver) + balance_of(faulty, receiver)
            assert both in ((300,) if path == "transfer" else (300, 200)), "both or none"
            work()
            assert balance_of(faulty, giver) == 200
            assert balance_of(faulty, receiver) == (100 if path == "transfer" else 0)
            for member in (giver, receiver):
                check_member(faulty, member)
        if not reached:
            assert at > 2
            return
    pytest.fail("the path makes more calls than the test kills")


# -- into vouchers ---------------------------------------------------------------------------------------------------


def test_vouchers_for_points_are_usable_at_the_till(house: House) -> None:
    member = house.join()
    adjust(house, member, 350)
    answer, _ = convert(house, member, 2, "c1")
    assert (answer.points, answer.balance) == (-200, 150)
    assert answer.coupons is not None
    assert convert(house, member, 2, "c1") == (answer, True)
    assert sorted(house.state(member).coupons) == sorted(answer.coupons)
    paid = record(house.scope(), sale(member, lines=(("burger", 900),), coupons=[{"id": answer.coupons[0]}])).answer
    assert (paid["totals"]["discount"], paid["totals"]["due"]) == (500, 400)
    entry = next(each for each in ledger_of(house, member) if each.reference == answer.coupons[0])
    assert (entry.kind, sum(posting.points for posting in entry.postings)) == ("convert", -100)
    check_member(house, member)


def test_a_conversion_is_refused_for_its_reason(house: House) -> None:
    member = house.join()
    adjust(house, member, 250)
    for times, reason in ((3, "insufficient_points"), (4, "too_many_coupons")):
        with pytest.raises(AppError) as refused:
            convert(house, member, times, f"c{times}")
        assert isinstance(refused.value, points.NotEnough)
        assert reason in (refused.value.code, *(each.code for each in refused.value.errors))
    with pytest.raises(AppError):
        points.convert(house.scope(), member, ConversionRequest(programme="points", conversion="ten"), Actor(member), "c")
    adjust(house, member, 800)
    convert(house, member, 3, "c5")
    convert(house, member, 3, "c6")
    with pytest.raises(AppError) as full:
        convert(house, member, 1, "c7")
    assert "too_many_coupons" in (full.value.code, *(each.code for each in full.value.errors)), "six of the offer is what one may have"
    check_member(house, member)


def test_a_return_takes_unused_vouchers_back_and_used_ones_not(house: House) -> None:
    member = house.join()
    sold = record(house.scope(), sale(member, lines=(("burger", 25_000),))).answer["transaction_id"]
    coupons = convert(house, member, 2, "c")[0].coupons
    assert coupons is not None
    record(house.scope(), sale(member, lines=(("fries", 500),), coupons=[{"id": coupons[0]}]))
    back = reversal.record_return(house.scope(), ReturnRequest.model_validate(return_of(sold))).answer
    assert (back["points_reversed"], back["balance"]) == (250, -100)
    kept = {id_: CouponRepository(house.tenant, house.table).get(id_) for id_ in coupons}
    assert {id_: coupon.state for id_, coupon in kept.items() if coupon is not None} == {coupons[0]: "redeemed", coupons[1]: "void"}
    assert list(house.state(member).coupons) == []
    check_member(house, member)


def test_four_conversions_at_once_take_only_what_is_there(house: House) -> None:
    member = house.join()
    adjust(house, member, 250)
    results = together([partial(until_done, partial(convert, house, member, 1, f"c{number}")) for number in range(4)])
    assert sum(isinstance(each, points.NotEnough) for each in results) == 2
    assert (balance_of(house, member), len(house.state(member).coupons)) == (50, 2)
    check_member(house, member)


# -- tiers -----------------------------------------------------------------------------------------------------------


def test_a_tier_is_given_by_hand_until_its_end(front: Front) -> None:
    house = front.house
    member = house.join()
    body = {"tier": "gold", "until": format_rfc3339(NOW + 10 * DAY), "reason": "a press visit"}
    said = front.call("set_tier", body, member_id=member, scopes=SCOPES)
    assert (said.status, said.body["tier"], said.body["floor"]) == (200, "gold", "gold")
    version = house.state(member).version
    assert front.call("set_tier", body, member_id=member, scopes=SCOPES).body == said.body
    assert house.state(member).version == version, "the same again changes nothing"
    for wrong in ({"tier": "platinum"}, {"until": format_rfc3339(NOW)}, {"reason": ""}):
        assert front.call("set_tier", body | wrong, member_id=member, scopes=SCOPES).status == 422
    assert front.call("set_tier", body, member_id=member, scopes=WITHOUT).status == 403
    house.now += 11 * DAY
    answer = record(house.scope(), sale(member, at=house.now)).answer
    assert "tier" not in answer["tier_progress"]
    assert house.state(member).tier is None


def test_a_tier_that_is_taken_away_leaves_what_was_earned(house: House) -> None:
    member = house.join()
    record(house.scope(), sale(member, lines=(("burger", 60_000),)))
    given = points_api.TierRequest(tier="gold", reason="a reason")
    assert points.set_tier(house.scope(), member, given, STAFF).tier == "gold"
    house.now += HOUR
    taken = points.set_tier(house.scope(), member, points_api.TierRequest(tier=None, reason="a reason"), STAFF)
    assert (taken.tier, taken.floor) == ("silver", None)
