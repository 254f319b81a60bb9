"""Spending above a tenant's limit: who proves what, a confirmation that is good once, and what it costs."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from shared.counter.errors import ConfirmationNotUsable, ConfirmationRequired
from shared.counter.repository import ConfirmationRepository
from shared.kernel.errors import AppError
from shared.kernel.instants import MINUTE
from shared.member_state.events import DevicesChanged
from shared.member_state.service import Change, Occasion, change_member
from shared.members import points
from shared.members.points_api import TransferRequest
from shared.members.service import Actor
from shared.transactions import holds
from shared.transactions.bulk import record_all
from shared.transactions.gathering import natural_key
from shared.transactions.service import quote, record
from tests.builders.counter import TILL, asking, basket_of, confirmed, identified
from tests.builders.house import FRIES, PROGRAMME, House, sale
from tests.builders.invariants import check_member
from tests.component.test_races import issue, together, until_done
from tests.fakes import engine
from tests.fakes.faulty import FaultyTable, Killed


def rich(house: House) -> str:
    """A member with 1000 points."""
    member = house.join()
    record(house.scope(), sale(member, lines=(("burger", 100_000),)))
    return member


def spend(house: House, member: str, wanted: int, caller: str = TILL, **more: Any) -> dict[str, Any]:
    """A sale that is paid with points."""
    return record(house.scope(), sale(member, points_to_spend=wanted, **more), caller=caller).answer


@pytest.fixture
def counted(dynamodb: str, bare_house: House) -> House:
    """A tenant over a table that counts its calls, and fails where it is told to."""
    house = House(FaultyTable(dynamodb, bare_house.table.name), engine.table(dynamodb, bare_house.key_table.name)).create()
    house.publish("programme", "points", PROGRAMME)
    house.publish("offer", "fries", FRIES)
    return house


def calls_of(house: House, member: str, wanted: int, **more: Any) -> int:
    table = house.table
    assert isinstance(table, FaultyTable)
    before = table.calls
    spend(house, member, wanted, **more)
    return table.calls - before


def test_without_a_limit_nothing_is_asked(house: House) -> None:
    assert spend(house, rich(house), 90, caller="")["points"]["spent"] == 90


def test_up_to_the_limit_nothing_is_asked_and_one_point_more_is(house: House) -> None:
    asking(house, confirm_points=50)
    member = rich(house)
    assert spend(house, member, 50)["points"]["spent"] == 50
    with pytest.raises(ConfirmationRequired):
        spend(house, member, 51)
    assert house.state(member).wallets["points"].spent == 50


def test_a_limit_of_value_counts_points_and_her_own_coupons(house: House) -> None:
    asking(house, confirm_value=449)
    member = rich(house)
    with pytest.raises(ConfirmationRequired):
        spend(house, member, 90)
    assert spend(house, member, 89)["totals"]["paid_with_points"] == 445
    asking(house, confirm_value=249)
    coupon = issue(house, member)
    with pytest.raises(ConfirmationRequired):
        record(house.scope(), sale(member, lines=(("fries", 350),), coupons=[{"id": coupon}]), caller=TILL)


def test_the_rotating_code_of_her_app_proves_enough(house: House) -> None:
    asking(house, confirm_points=10)
    member = rich(house)
    assert spend(house, member, 80, identification=identified(house, member))["points"]["spent"] == 80


@pytest.mark.parametrize("how", ["phone", "email", "card", "external", "id"])
def test_a_number_that_somebody_knows_does_not(house: House, how: Any) -> None:
    asking(house, confirm_points=10)
    member = rich(house)
    with pytest.raises(ConfirmationRequired):
        spend(house, member, 80, identification=identified(house, member, how))


@pytest.mark.parametrize("what", ["another member", "another till", "another place", "later", "invented"])
def test_an_identification_is_good_for_its_member_till_place_and_minutes(house: House, what: str) -> None:
    asking(house, confirm_points=10)
    member, other = rich(house), house.join()
    text = identified(house, other if what == "another member" else member, location="nord" if what == "another place" else "mitte")
    if what == "later":
        house.now += 10 * MINUTE
    if what == "invented":
        text = text[:-4] + "AAAA"
    with pytest.raises(ConfirmationRequired):
        spend(house, member, 80, caller="demo-till2" if what == "another till" else TILL, identification=text)


def test_the_refusal_names_ways_and_nothing_of_hers(house: House) -> None:
    asking(house, confirm_points=10)
    member = rich(house)
    change_member(house.scope(), member, Occasion(house.now), lambda *_: Change([DevicesChanged(house.now, ("dev1",))], lambda *_: None))
    with pytest.raises(ConfirmationRequired) as refused:
        spend(house, member, 80)
    assert [error.code for error in refused.value.errors] == ["confirm_by_qr", "confirm_by_app"]
    assert refused.value.status == 409
    assert member not in str(refused.value) + repr(refused.value.errors)


def test_a_confirmation_is_used_up_by_its_sale(house: House) -> None:
    asking(house, confirm_points=10)
    member = rich(house)
    id_ = confirmed(house, member, points=80)
    request = sale(member, points_to_spend=80, confirmation_id=id_)
    first = record(house.scope(), request, caller=TILL)
    again = record(house.scope(), request, caller=TILL)
    assert (again.replayed, again.answer) == (True, first.answer)
    assert ConfirmationRepository(house.tenant, house.table).get(id_).state == "used"
    with pytest.raises(ConfirmationNotUsable) as refused:
        spend(house, member, 80, confirmation_id=id_)
    assert [error.code for error in refused.value.errors] == ["used"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"points": 79}, "too_much"),
        ({"value": 399}, "too_much"),
        ({"location": "nord"}, "other_location"),
        ({"state": "asked"}, "not_confirmed"),
        ({"state": "refused"}, "refused"),
        ({"until": 1}, "expired"),
    ],
)
def test_a_confirmation_is_for_so_much_here_and_now(house: House, changes: dict[str, Any], reason: str) -> None:
    asking(house, confirm_points=10, confirm_value=50)
    member = rich(house)
    id_ = confirmed(house, member, **({"points": 80, "value": 400} | changes))
    with pytest.raises(ConfirmationNotUsable) as refused:
        spend(house, member, 80, confirmation_id=id_)
    assert [error.code for error in refused.value.errors] == [reason]
    assert house.state(member).wallets["points"].spent == 0


def test_another_members_confirmation_and_an_invented_one_are_unknown(house: House) -> None:
    asking(house, confirm_points=10)
    member, other = rich(house), rich(house)
    for id_ in (confirmed(house, other, points=80, value=400), "cnf_none", "cnf_" + "A" * 40):
        with pytest.raises(ConfirmationNotUsable):
            spend(house, member, 80, confirmation_id=id_)


def test_what_was_held_with_a_confirmation_needs_no_other(house: House) -> None:
    asking(house, confirm_points=10)
    member = rich(house)
    request = sale(member, points_to_spend=80)
    with pytest.raises(ConfirmationRequired):
        holds.place(house.scope(), basket_of(request), caller=TILL)
    id_ = confirmed(house, member, points=80, value=400)
    hold = holds.place(house.scope(), basket_of(request, confirmation_id=id_), caller=TILL)[0]
    again, replayed = holds.place(house.scope(), basket_of(request, confirmation_id=id_), caller=TILL)
    assert (again, replayed) == (hold, True)
    assert spend(house, member, 0, hold_id=hold.hold_id)["points"]["spent"] == 80


def test_a_quote_warns_of_it(house: House) -> None:
    asking(house, confirm_points=10)
    member = rich(house)
    priced = quote(house.scope(), sale(member, points_to_spend=80), TILL)
    assert [each["code"] for each in priced["warnings"]] == ["confirmation_required"]


def test_a_sale_that_was_made_offline_is_booked_and_flagged(house: House) -> None:
    asking(house, confirm_points=10)
    member = rich(house)
    answer = spend(house, member, 80, offline=True)
    assert ([flag["code"] for flag in answer["flags"]], answer["review"]) == (["unconfirmed_spending"], "pending")
    assert answer["points"]["spent"] == 80
    outcome = record_all(house.scope(), [sale(member, points_to_spend=90).model_dump(mode="json")], None, type(sale(None)).model_validate)
    assert [refusal.code for _, refusal in outcome.refused] == ["confirmation_required"]
    check_member(house, member)


def test_points_for_another_member_need_it_too_but_not_from_herself(house: House) -> None:
    settings = {"points": {"transfers": True}}
    asking(house, confirm_points=10)
    body = house.scope().definitions.settings.model_dump(mode="json") | {"wallets": settings}
    from tests.builders.house import SETTINGS  # the type that the house stores

    stored = type(SETTINGS).model_validate(body)
    house.create(stored)
    house.cache.forget(house.tenant)
    member, other = rich(house), house.join()
    request = TransferRequest.model_validate({"to": {"id": other}, "points": 80})
    with pytest.raises(ConfirmationRequired):
        points.transfer(house.scope(), member, request, Actor(TILL, may_write=True), "k1")
    assert points.transfer(house.scope(), member, request, Actor(member, may_write=False), "k2")[0].points == -80
    proven = request.model_copy(update={"confirmation_id": confirmed(house, member, points=80, location="")})
    assert points.transfer(house.scope(), member, proven, Actor(TILL, may_write=True), "k3")[0].points == -80


def test_below_the_limit_it_costs_nothing_and_above_it_no_request_more(counted: House) -> None:
    member = rich(counted)
    usual = calls_of(counted, member, 10)
    asking(counted, confirm_points=50)
    spend(counted, member, 10)
    assert calls_of(counted, member, 10) == usual == 2
    assert calls_of(counted, member, 60, identification=identified(counted, member)) == usual
    # Its use is one more item in the same transaction.
    assert calls_of(counted, member, 60, confirmation_id=confirmed(counted, member, points=60, value=300)) == usual


def test_of_thirty_two_tills_one_uses_it(house: House) -> None:
    asking(house, confirm_points=10)
    member = rich(house)
    id_ = confirmed(house, member, points=20, value=100)
    works = [partial(until_done, partial(spend, house, member, 20, confirmation_id=id_)) for _ in range(32)]
    results = together(works)
    codes = [result.code for result in results if isinstance(result, AppError)]
    assert (len(codes), set(codes)) == (31, {"confirmation_not_usable"})
    assert house.state(member).wallets["points"].spent == 20
    check_member(house, member)


@pytest.mark.parametrize("how", ["kill", "lose"])
def test_killed_anywhere_a_confirmation_is_used_with_its_sale_or_not_at_all(counted: House, how: Any) -> None:
    asking(counted, confirm_points=10)
    table = counted.table
    assert isinstance(table, FaultyTable)
    for at in range(1, 12):
        for when in ("before", "after"):
            member = rich(counted)
            id_ = confirmed(counted, member, points=20, value=100)
            request = sale(member, points_to_spend=20, confirmation_id=id_)
            table.arm(at, when, how)  # type: ignore[arg-type]
            with suppress(Killed, AppError):
                record(counted.scope(), request, caller=TILL)
            reached = table.calls >= at
            table.disarm()
            used = ConfirmationRepository(counted.tenant, counted.table).get(id_).state == "used"
            assert used == (counted.state(member).wallets["points"].spent == 20)
            record(counted.scope(), request, caller=TILL)
            assert counted.state(member).wallets["points"].spent == 20
        if not reached:
            assert natural_key(request).receipt
            return
    pytest.fail("the path makes more calls than the test kills")
