"""A friend brought by a member: from the code to the rewards of both, back again by a return, and every way in which it is refused."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from shared.kernel.errors import AppError
from shared.kernel.instants import DAY, format_rfc3339
from shared.member_state.model import MemberState
from shared.members.referral_codes import code_of
from shared.tenants.model import WalletSettings
from shared.transactions import claims, ingestion, reversal
from shared.transactions.api import MemberReference, ReturnRequest
from shared.transactions.service import record
from tests.builders.front import Front, identity, settings_with_everything
from tests.builders.gateway import return_of
from tests.builders.house import NOW, PROGRAMME, House, sale
from tests.builders.invariants import check_member, ledger_of
from tests.component.test_crashes import faulty
from tests.component.test_races import together, until_done
from tests.fakes.faulty import FaultyTable, Killed

__all__ = ["faulty"]

REFERRAL: dict[str, Any] = {"referrer_points": 50, "friend_points": 20, "minimum": 1000, "most_per_referrer": 3, "within_days": 30}
BODY = PROGRAMME | {"referral": REFERRAL}


@pytest.fixture
def house(bare_house: House) -> House:
    bare_house.create(settings_with_everything())
    bare_house.publish("programme", "points", BODY)
    return bare_house


@pytest.fixture
def front(house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    return Front(house, monkeypatch)


def points_of(house: House, member: str) -> int:
    wallet = house.state(member).wallets.get("points")
    return sum(lot.points for lot in wallet.lots) - wallet.debt if wallet is not None else 0


def outcome_of(state: MemberState) -> tuple[str, str]:
    """(purchase that was rewarded, why it ended)."""
    assert state.referred is not None
    return state.referred.transaction, state.referred.ended


def bought(house: House, member: str, price: int = 1000, **more: Any) -> str:
    transaction: str = record(house.scope(), sale(member, house.now, lines=(("burger", price),), **more)).answer["transaction_id"]
    return transaction


def returned(house: House, transaction: str, **more: Any) -> dict[str, Any]:
    at = {"occurred_at": format_rfc3339(house.now)}
    return reversal.record_return(house.scope(), ReturnRequest.model_validate(return_of(transaction, **at, **more))).answer


# -- from the code to the rewards ------------------------------------------------------------------------------------


def test_a_code_brings_a_friend_and_both_are_rewarded_and_a_return_takes_both_back(front: Front) -> None:
    house = front.house
    referrer = front.register()
    code = front.call("get_referral_code", member_id=referrer).body
    assert (code["member_id"], code["rewarded"]) == (referrer, 0)
    assert front.call("get_referral_code_of_me", me=referrer).body == code, "the same for ever"
    friend = front.register(referral_code=code["code"].lower())
    bought(house, friend, 999)
    assert (points_of(house, referrer), points_of(house, friend), outcome_of(house.state(friend))) == (0, 9, ("", ""))
    sold = bought(house, friend, 1000)
    assert (points_of(house, referrer), points_of(house, friend)) == (50, 9 + 10 + 20)
    assert outcome_of(house.state(friend)) == (sold, "")
    entries = [each for each in ledger_of(house, referrer) if each.reference == "points/referral"]
    assert [(each.kind, each.reason) for each in entries] == [("bonus", f"friend:{friend}")]
    bought(house, friend, 5000)
    assert (points_of(house, referrer), front.call("get_referral_code", member_id=referrer).body["rewarded"]) == (50, 1)
    back = returned(house, sold)
    assert (back["points_reversed"], back["balance"]) == (10, 9 + 50)
    assert (points_of(house, referrer), points_of(house, friend)) == (0, 59)
    assert outcome_of(house.state(friend)) == (sold, "reversed")
    assert front.call("get_referral_code", member_id=referrer).body["rewarded"] == 0
    bought(house, friend, 5000)
    assert points_of(house, referrer) == 0, "the first purchase was the one"
    for member in (referrer, friend):
        check_member(house, member)


def test_a_part_that_comes_back_takes_no_reward(house: House) -> None:
    referrer = house.join()
    friend = house.join(referrer=referrer)
    sold = record(house.scope(), sale(friend, lines=(("burger", 900), ("fries", 350)))).answer["transaction_id"]
    returned(house, sold, lines=[{"line_id": "2"}])
    assert (points_of(house, referrer), points_of(house, friend)) == (50, 29)
    returned(house, sold)
    assert (points_of(house, referrer), points_of(house, friend)) == (0, 0)
    for member in (referrer, friend):
        check_member(house, member)


def test_what_is_spent_already_is_owed_by_the_terms_of_the_programme(house: House) -> None:
    """A floor of the wallet, or a programme that takes no more than there is, holds for rewards, too."""
    for returns, floor, debts in (({}, None, (50, 20)), ({}, -5, (5, 5)), ({"points_gone": "within_balance"}, None, (0, 0))):
        wallets = {"points": WalletSettings(floor=floor)}
        house.create(settings_with_everything().model_copy(update={"wallets": wallets}))
        house.publish("programme", "points", BODY | {"returns": returns, "spending": {"points": 1, "value": 1}})
        referrer = house.join()
        friend = house.join(referrer=referrer)
        sold = bought(house, friend)
        for member, amount in ((referrer, 50), (friend, 30)):
            record(house.scope(), sale(member, lines=(("fries", amount),), points_to_spend=amount))
        returned(house, sold)
        owed = house.state(referrer).wallets["points"].debt, house.state(friend).wallets["points"].debt
        assert (owed[0], min(owed[1], debts[1])) == debts, (returns, floor)
        for member in (referrer, friend):
            check_member(house, member)


def test_a_void_takes_both_rewards_back(house: House) -> None:
    referrer = house.join()
    friend = house.join(referrer=referrer)
    sold = bought(house, friend)
    reversal.void(house.scope(), sold)
    assert (points_of(house, referrer), points_of(house, friend), house.state(referrer).referrals) == (0, 0, 0)


def test_a_late_purchase_a_claimed_one_and_one_whose_return_waits_are_rewarded_alike(house: House) -> None:
    referrer = house.join()
    late, claimed, waited = (house.join(referrer=referrer) for _ in range(3))
    house.now += 5 * DAY
    request = sale(late, NOW + DAY, lines=(("burger", 1000),), mode="late")
    assert record(house.scope(), request).answer["points"]["balance"] == 30
    anonymous = bought(house, None)  # type: ignore[arg-type]
    claims.claim(house.scope(), anonymous, MemberReference(id=claimed))
    assert (points_of(house, referrer), points_of(house, claimed)) == (100, 30)
    request = sale(waited, house.now, lines=(("burger", 1000),))
    body = request.model_dump(mode="json", exclude_defaults=True)
    natural = {name: body[name] for name in ("source", "location_id", "business_date", "receipt_number")}
    back = {name: value for name, value in return_of("", original=natural).items() if name != "transaction_id"}
    reversal.record_return(house.scope(), ReturnRequest.model_validate(back))
    ingestion.ingest(house.scope(), request)
    assert (points_of(house, referrer), points_of(house, waited), house.state(referrer).referrals) == (100, 0, 2)
    for member in (referrer, late, claimed, waited):
        check_member(house, member)


# -- refused ---------------------------------------------------------------------------------------------------------


def test_a_code_that_nobody_has_is_refused_and_nobody_is_made(front: Front) -> None:
    said = front.call("register_member", {"source": "app", "identity": identity("s", NOW), "referral_code": "NOBODYS9"})
    assert (said.status, said.body["code"]) == (422, "referral_refused")
    assert [(each["pointer"], each["code"]) for each in said.body["errors"]] == [("/referral_code", "unknown_referral_code")]
    assert front.rows("PROFILE") == []


@pytest.mark.parametrize("shared", ["phone", "email", "device"])
def test_nobody_brings_herself_under_another_name(front: Front, shared: str) -> None:
    contacts = {"phone": "0151 12345678", "email": "Anna.Quellwasser@Example.com"}
    device = {"platform": "apns", "token": "a" * 64}
    mine: dict[str, Any] = {"device": device} if shared == "device" else {"profile": {shared: contacts[shared]}}
    referrer = front.register(identity=identity("first", NOW), **mine)
    code = code_of(front.house.scope(), referrer).code
    said = front.call("register_member", {"source": "app", "identity": identity("second", NOW), "referral_code": code, **mine})
    assert (said.status, [each["code"] for each in said.body.get("errors", [])]) == (422, ["self_referral"])
    assert len(front.rows("PROFILE")) == 1
    stranger = front.register(identity=identity("third", NOW), referral_code=code)
    assert front.house.state(stranger).referred is not None


def test_a_referrer_is_rewarded_for_so_many_friends(house: House) -> None:
    referrer = house.join()
    friends = [house.join(referrer=referrer) for _ in range(4)]
    sold = [bought(house, friend) for friend in friends]
    assert (points_of(house, referrer), house.state(referrer).referrals) == (150, 3)
    assert [points_of(house, friend) for friend in friends] == [30, 30, 30, 10]
    assert outcome_of(house.state(friends[3])) == ("", "cap_reached")
    returned(house, sold[0])
    fifth = house.join(referrer=referrer)
    bought(house, fifth)
    assert (points_of(house, referrer), points_of(house, fifth)) == (150, 30), "the place is free again"


def test_a_referral_ends_with_its_days(house: House) -> None:
    referrer = house.join()
    friend = house.join(referrer=referrer)
    house.now += 31 * DAY
    bought(house, friend)
    assert (points_of(house, referrer), points_of(house, friend)) == (0, 10)


def test_imported_history_rewards_nobody(house: House) -> None:
    referrer = house.join()
    friend = house.join(referrer=referrer)
    bought(house, friend, mode="historical")
    assert (points_of(house, referrer), outcome_of(house.state(friend))) == (0, ("", ""))


# -- many at once, and cut off ---------------------------------------------------------------------------------------


def test_friends_who_buy_at_once_are_all_rewarded_and_so_is_who_brought_them(house: House) -> None:
    referrer = house.join()
    friends = [house.join(referrer=referrer) for _ in range(5)]
    results = together([partial(until_done, partial(bought, house, friend)) for friend in friends])
    assert not [each for each in results if isinstance(each, AppError)]
    assert (points_of(house, referrer), house.state(referrer).referrals) == (150, 3)
    assert sorted(points_of(house, friend) for friend in friends) == [10, 10, 30, 30, 30]
    for member in (referrer, *friends):
        check_member(house, member)


def test_two_first_purchases_of_one_friend_at_once_are_rewarded_once(house: House) -> None:
    referrer = house.join()
    friend = house.join(referrer=referrer)
    together([partial(until_done, partial(bought, house, friend)) for _ in range(4)])
    assert (points_of(house, referrer), points_of(house, friend)) == (50, 4 * 10 + 20)
    for member in (referrer, friend):
        check_member(house, member)


@pytest.mark.parametrize("how", ["kill", "lose"])
@pytest.mark.parametrize("path", ["purchase", "return"])
def test_killed_anywhere_and_repeated_both_have_it_or_neither(faulty: House, path: str, how: Any) -> None:
    faulty.publish("programme", "points", BODY)
    table = faulty.table
    assert isinstance(table, FaultyTable)
    for at in range(1, 14):
        reached = False
        for when in ("before", "after"):
            referrer = faulty.join()
            friend = faulty.join(referrer=referrer)
            request = sale(friend, lines=(("burger", 1000),))
            sold = record(faulty.scope(), request).answer["transaction_id"] if path == "return" else ""
            body = ReturnRequest.model_validate(return_of(sold)) if sold else None
            table.arm(at, when, how)  # type: ignore[arg-type]
            with suppress(Killed, AppError):
                _carry_out(faulty, request, body)
            reached = table.calls >= at
            table.disarm()
            assert (points_of(faulty, referrer), points_of(faulty, friend)) in ((0, 0), (50, 30))
            _carry_out(faulty, request, body)
            assert (points_of(faulty, referrer), points_of(faulty, friend)) == ((0, 0) if sold else (50, 30))
            for member in (referrer, friend):
                check_member(faulty, member)
        if not reached:
            assert at > 3
            return
    pytest.fail("the path makes more calls than the test kills")


def _carry_out(house: House, request: Any, body: ReturnRequest | None) -> None:
    if body is None:
        record(house.scope(), request)
    else:
        reversal.record_return(house.scope(), body)
