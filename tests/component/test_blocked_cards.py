"""Lost cards: blocked at once, replaced with the balance kept, never anybody else's; raced and killed."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from shared.counter.api import IdentifierSelection, ReplaceRequest
from shared.kernel.errors import AppError
from shared.members import blocking, lookup
from shared.members.api import IdentifyRequest
from shared.members.blocking import UnknownIdentifier
from shared.members.errors import IdentifierBlocked, IdentifierTaken
from shared.members.repository import MemberRepository
from shared.transactions import holds
from shared.transactions.bulk import record_all
from shared.transactions.service import quote, record
from tests.builders.counter import CARD, basket_of, give_card, shown
from tests.builders.house import House, sale
from tests.builders.invariants import check_member
from tests.component.test_races import together, until_done
from tests.component.test_step_up import counted  # noqa: F401 (a fixture)
from tests.fakes.faulty import FaultyTable, Killed

NEW = "6000 1111 2222"
BY_CARD = {"kind": "card", "value": CARD}
ALL = IdentifierSelection(kind="card")


def other_card(number: str) -> dict[str, str]:
    return {"kind": "card", "value": number}


def replacing(old: str | None = None, new: str = NEW) -> ReplaceRequest:
    """The request; without an old number all her cards are meant."""
    body: dict[str, Any] = {"old": {"kind": "card"} | ({"value": old} if old else {}), "new": other_card(new)}
    return ReplaceRequest.model_validate(body)


def told(house: House, member: str) -> list[str]:
    """The types that the last commit told."""
    raw = next(each for each in house.table.query_all(f"T#demo#M#{member}", begins="STATE") if each["SK"]["S"] == "STATE")
    return raw["out"]["S"]


@pytest.fixture
def member(house: House) -> str:
    """With a card, 9 points, and an external id."""
    found = house.join(identifier_kinds=("card", "external"))
    give_card(house, found)
    give_card(house, found, "ext1", "external")
    record(house.scope(), sale(found))
    return found


def test_a_blocked_card_finds_nobody_and_says_nothing(house: House, member: str) -> None:
    answer = blocking.block(house.scope(), member, ALL, "desk")
    assert (answer.kind, answer.number, answer.blocked) == ("card", 1, 1)
    for call in (
        lambda: record(house.scope(), shown(BY_CARD)),
        lambda: quote(house.scope(), shown(BY_CARD)),
        lambda: holds.place(house.scope(), basket_of(shown(BY_CARD))),
    ):
        with pytest.raises(IdentifierBlocked) as refused:
            call()
        assert refused.value.status == 409
        assert member not in str(refused.value)
    assert house.state(member).profile.count == 1
    assert '"member.identifier_blocked"' in told(house, member)
    assert '"actor":"desk"' in told(house, member)


def test_the_rest_of_hers_goes_on_working(house: House, member: str) -> None:
    blocking.block(house.scope(), member, ALL, "desk")
    assert record(house.scope(), shown({"kind": "external", "value": "ext1"})).answer["member_id"] == member


def test_by_its_value_one_of_several_is_blocked(house: House, member: str) -> None:
    give_card(house, member, NEW)
    answer = blocking.block(house.scope(), member, IdentifierSelection(kind="card", value="5000-1234-5678"), "desk")
    assert (answer.number, answer.blocked) == (2, 1)
    assert record(house.scope(), shown(other_card(NEW))).answer["member_id"] == member


def test_blocking_again_writes_nothing_and_a_found_card_works_again(house: House, member: str) -> None:
    first = blocking.block(house.scope(), member, ALL, "desk")
    version = house.state(member).version
    assert blocking.block(house.scope(), member, ALL, "desk") == first
    assert house.state(member).version == version
    assert blocking.unblock(house.scope(), member, ALL, "desk").blocked == 0
    assert record(house.scope(), shown(BY_CARD)).answer["member_id"] == member


def test_a_sale_whose_answer_got_lost_is_answered_though_the_card_is_blocked_meanwhile(house: House, member: str) -> None:
    request = shown(BY_CARD)
    first = record(house.scope(), request)
    blocking.block(house.scope(), member, ALL, "desk")
    again = record(house.scope(), request)
    assert (again.replayed, again.answer) == (True, first.answer)


def test_a_sale_made_offline_with_it_is_booked_and_flagged(house: House, member: str) -> None:
    blocking.block(house.scope(), member, ALL, "desk")
    answer = record(house.scope(), shown(BY_CARD, offline=True)).answer
    assert (answer["member_id"], [flag["code"] for flag in answer["flags"]]) == (member, ["identifier_blocked"])
    assert house.state(member).wallets["points"].lots[0].points == 9, "only what she had before is there"
    parse = type(sale(None)).model_validate
    rows = [shown(BY_CARD, offline=offline).model_dump(mode="json", exclude_unset=True) for offline in (True, False)]
    outcome = record_all(house.scope(), rows, None, parse)
    assert (outcome.accepted, [(index, refusal.code) for index, refusal in outcome.refused]) == (1, [(1, "identifier_blocked")])
    check_member(house, member)


def test_while_it_is_blocked_nobody_else_gets_it(house: House, member: str) -> None:
    other = house.join()
    give_card(house, other, NEW)
    blocking.block(house.scope(), member, ALL, "desk")
    with pytest.raises(IdentifierTaken):
        blocking.replace(house.scope(), other, replacing(NEW, CARD), "desk")
    assert record(house.scope(), shown(other_card(NEW))).answer["member_id"] == other, "nothing was changed"


def test_a_replaced_card_keeps_the_balance_and_the_old_one_stays_blocked(house: House, member: str) -> None:
    answer = blocking.replace(house.scope(), member, replacing(CARD), "desk")
    assert (answer.number, answer.blocked) == (2, 1)
    with pytest.raises(IdentifierBlocked):
        record(house.scope(), shown(BY_CARD))
    sold = record(house.scope(), shown(other_card(NEW))).answer
    assert (sold["member_id"], sold["points"]["balance"]) == (member, 18)
    assert blocking.replace(house.scope(), member, replacing(CARD), "desk") == answer, "the same again changes nothing"
    assert '"member.identifier_replaced"' not in told(house, member)


def test_replacing_what_she_has_not_is_refused(house: House, member: str) -> None:
    with pytest.raises(UnknownIdentifier):
        blocking.replace(house.scope(), member, replacing("7777"), "desk")
    with pytest.raises(UnknownIdentifier):
        blocking.block(house.scope(), house.join(), ALL, "desk")
    with pytest.raises(UnknownIdentifier):
        blocking.remove(house.scope(), member, "apple", "desk")


def test_what_is_taken_off_is_hers_no_more_and_anybodys(house: House, member: str) -> None:
    answer = blocking.remove(house.scope(), member, "card", "desk")
    assert (answer.number, answer.blocked) == (0, 0)
    assert MemberRepository(house.tenant, house.table).held(member) == [("external", house.scope().blind("external", "ext1"))]
    assert house.state(member).identifier_kinds == ["external"]
    other = house.join()
    give_card(house, other)
    assert record(house.scope(), shown(BY_CARD)).answer["member_id"] == other
    blocking.remove(house.scope(), member, "external", "desk")
    assert MemberRepository(house.tenant, house.table).held(member) == [], "and the last of all can go, too"


def test_two_members_race_for_one_new_card(house: House, member: str) -> None:
    others = [member, *(house.join() for _ in range(7))]
    for index, each in enumerate(others[1:]):
        give_card(house, each, f"8000 000{index}")
    works = [partial(until_done, partial(blocking.replace, house.scope(), each, replacing(), "desk")) for each in others]
    results = together(works)
    won = [result for result in results if not isinstance(result, AppError)]
    assert (len(won), {result.code for result in results if isinstance(result, AppError)}) == (1, {"identifier_taken"})
    found = record(house.scope(), shown(other_card(NEW))).answer["member_id"]
    assert found == won[0].member_id  # type: ignore[attr-defined]


@pytest.mark.parametrize("how", ["kill", "lose"])
def test_killed_anywhere_a_card_is_replaced_whole_or_not_at_all(counted: House, how: Any) -> None:  # noqa: F811
    table = counted.table
    assert isinstance(table, FaultyTable)
    number = 1000
    for at in range(1, 14):
        for when in ("before", "after"):
            number += 1
            member, old, new = counted.join(), f"1111 {number}", f"2222 {number}"
            give_card(counted, member, old)
            table.arm(at, when, how)  # type: ignore[arg-type]
            with suppress(Killed, AppError):
                blocking.replace(counted.scope(), member, replacing(old, new), "desk")
            reached = table.calls >= at
            table.disarm()
            assert _works(counted, old) != _works(counted, new)
            blocking.replace(counted.scope(), member, replacing(old, new), "desk")
            assert (_works(counted, old), _works(counted, new)) == (False, True)
            assert len(MemberRepository(counted.tenant, counted.table).held(member)) == 2
        if not reached:
            return
    pytest.fail("the path makes more calls than the test kills")


def _works(house: House, number: str) -> bool:
    try:
        return "member_id" in record(house.scope(), shown(other_card(number))).answer
    except IdentifierBlocked:
        return False


def test_identify_says_no_more_than_that_it_is_blocked(house: House, member: str) -> None:
    blocking.block(house.scope(), member, ALL, member)
    with pytest.raises(IdentifierBlocked):
        lookup.identify(house.scope(), IdentifyRequest.model_validate(BY_CARD))
