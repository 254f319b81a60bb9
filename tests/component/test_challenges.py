"""Challenges end to end: written, published, given, counted by sales, taken back by returns, and read by the member."""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions.administration import handler as administration
from shared.coupons.repository import CouponRepository
from shared.definitions.api import ChallengeRequest
from shared.definitions.errors import BrokenReference
from shared.definitions.service import create, publish
from shared.http.routes import ROUTES
from shared.kernel.instants import DAY, HOUR, MINUTE, format_rfc3339
from shared.member_state.model import MAX_CHALLENGES
from shared.member_state.service import tick_member
from shared.members.reading import effective_state
from shared.transactions import reversal
from shared.transactions.api import MemberReference, QuoteRequest, ReturnRequest
from shared.transactions.claims import claim
from shared.transactions.service import quote, record
from tests.builders.front import ALL, Front
from tests.builders.house import NOW, House, sale
from tests.builders.invariants import check_member, ledger_of

SCOPES = ALL | {"coupons:issue"}
TEN: dict[str, Any] = {
    "name": "Ten in a week",
    "content": {"en": {"title": "Ten euros", "text": "in a week"}, "de": {"title": "Zehn Euro"}},
    "goal": {"of": "spend", "threshold": 1000},
    "window": {"days": 7},
    "reward": {"points": 50, "badge": "ten"},
}
CARD: dict[str, Any] = {
    "name": "Burger card",
    "goal": {"of": "items", "on": {"items": ["burger"]}, "threshold": 3, "roll_over": True},
    "automatic": True,
    "reward": {"offer": "gift"},
}
GIFT: dict[str, Any] = {"name": "Gift", "effect": {"kind": "amount", "amount": 300}, "per_member": 5}


@pytest.fixture
def front(house: House, monkeypatch: pytest.MonkeyPatch) -> Front:
    house.publish("challenge", "ten", TEN)
    return Front(house, monkeypatch)


def with_card(house: House) -> House:
    house.publish("offer", "gift", GIFT)
    house.publish("challenge", "card", CARD)
    return house


def given(front: Front, member: str, request_id: str = "r1", challenge: str = "ten") -> Any:
    body = {"member_id": member, "request_id": request_id}
    return front.call("give_challenge", body, challenge_id=challenge, scopes=SCOPES)


def listed(front: Front, member: str) -> list[dict[str, Any]]:
    said = front.call("list_member_challenges_of_me", me=member)
    assert said.status == 200, said.body
    assert said.body == front.call("list_member_challenges", member_id=member).body
    data: list[dict[str, Any]] = said.body["data"]
    return data


def told_last(front: Front) -> list[str]:
    """Types of the challenge events of the last commit about the only member."""
    (row,) = front.rows("STATE")
    return [each[0] for each in json.loads(row["out"]["S"])["e"] if each[0].startswith("challenge.")]


def return_everything(house: House, transaction: str, at: int) -> None:
    request = ReturnRequest(
        source="till",
        location_id="mitte",
        business_date="2026-11-21",
        receipt_number="back-1",
        occurred_at=format_rfc3339(at),
        transaction_id=transaction,
    )
    reversal.record_return(house.scope(), request)


def test_a_challenge_is_given_once_per_request_and_each_request_is_its_own_instance(front: Front) -> None:
    member = front.house.join()
    first = given(front, member)
    assert (first.status, first.body["challenge_id"], first.body["starts_at"]) == (201, "ten", "2026-11-21T10:00:00Z")
    again = given(front, member)
    assert (again.status, again.body, again.headers["idempotent-replayed"]) == (200, first.body, "true")
    second = given(front, member, "r2")
    assert second.status == 201
    assert second.body["instance_id"] != first.body["instance_id"]
    assert len(front.house.state(member).challenges) == 2


def test_who_may_give_and_what_is_refused(front: Front) -> None:
    member = front.house.join()
    body = {"member_id": member, "request_id": "r"}
    assert front.call("give_challenge", body, challenge_id="ten", scopes=ALL).status == 403
    assert given(front, member, challenge="unheard-of").body["code"] == "unknown_challenge"
    assert given(front, "mbr_nobody").body["code"] == "unknown_member"
    assert front.call("give_challenge", {"member_id": member}, challenge_id="ten", scopes=SCOPES).status == 422
    for number in range(MAX_CHALLENGES):
        assert given(front, member, f"n{number}").status == 201
    refused = given(front, member, "one-more")
    assert (refused.status, refused.body["code"]) == (409, "too_many_challenges")
    assert given(front, member, "n0").status == 200


def test_progress_is_there_for_her_to_see_in_her_language(front: Front) -> None:
    house, member = front.house, front.house.join()
    given(front, member)
    record(house.scope(), sale(member, NOW, [("burger", 400)]))
    (row,) = listed(front, member)
    assert (row["title"], row["text"], row["state"]) == ("Ten euros", "in a week", "open")
    assert (row["done"], row["needed"], row["left"], row["times"]) == (400, 1000, 600, 0)
    assert row["ends_at"] == "2026-11-28T10:00:00.001Z"
    assert row["reward"] == {"points": 50, "wallet": "points", "badge": "ten"}
    house.now += HOUR
    record(house.scope(), sale(member, house.now, [("burger", 600)], receipt_number="2"))
    (row,) = listed(front, member)
    assert (row["state"], row["done"], row["left"], row["completed_at"]) == ("completed", 1000, 0, format_rfc3339(house.now))
    (bonus,) = [each for each in ledger_of(house, member) if each.kind == "bonus"]
    assert (bonus.reference, sum(each.points for each in bonus.postings)) == ("challenge/ten", 50)
    check_member(house, member)


def test_a_return_takes_the_completion_and_its_points_back(front: Front) -> None:
    house, member = front.house, front.house.join()
    given(front, member)
    answer = record(house.scope(), sale(member, NOW, [("burger", 1000)])).answer
    assert sum(each.points for entry in ledger_of(house, member) for each in entry.postings) == 60
    return_everything(house, answer["transaction_id"], house.now)
    assert sum(each.points for entry in ledger_of(house, member) for each in entry.postings) == 0
    assert [row["state"] for row in listed(front, member)] == ["open"]
    assert told_last(front) == ["challenge.reversed"]
    check_member(house, member)


def test_a_void_withdraws_the_coupon_of_a_stamp_card(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    front, member = Front(with_card(house), monkeypatch), house.join()
    (row,) = listed(front, member)
    assert ("instance_id" in row, row["done"], row["needed"], row["left"]) == (False, 0, 3, 3)
    lines = [("burger", 500)] * 7
    answer = record(house.scope(), sale(member, NOW, lines)).answer
    coupons = list(house.state(member).coupons)
    assert len(coupons) == 2
    (row,) = listed(front, member)
    assert (row["done"], row["left"], row["times"], "repeat" in row) == (1, 2, 2, False)
    reversal.void(house.scope(), answer["transaction_id"])
    assert house.state(member).coupons == {}
    found = CouponRepository(house.tenant, house.table).get_many(coupons)
    assert {effective_state(each, house.now) for each in found.values()} == {"void"}
    check_member(house, member)


def test_an_anonymous_sale_counts_when_it_is_claimed(house: House) -> None:
    with_card(house)
    member = house.join(NOW - DAY)
    answer = record(house.scope(), sale(None, NOW, [("burger", 500)] * 3)).answer
    claim(house.scope(), answer["transaction_id"], MemberReference(id=member))
    assert [each.times for each in house.state(member).challenges] == [1]


def test_visits_are_told_from_receipts_where_a_challenge_counts_them(house: House) -> None:
    streak = {"of": "streak", "per": "day", "periods": 2, "at_least": 2}
    house.publish("challenge", "days", {"name": "Days", "goal": streak, "automatic": True, "reward": {"badge": "twice"}})
    member = house.join(NOW - DAY)
    for number, minutes in enumerate((0, 10, 20)):
        house.now = NOW + minutes * MINUTE
        record(house.scope(), sale(member, house.now, receipt_number=str(number)))
    assert [len(each.parts) for each in house.state(member).challenges] == [1]


def test_a_quote_gives_nothing(front: Front) -> None:
    house, member = front.house, front.house.join()
    given(front, member)
    basket = sale(member, NOW, [("burger", 1000)]).model_dump(include=set(QuoteRequest.model_fields))
    quote(house.scope(), QuoteRequest.model_validate(basket))
    assert [each.times for each in house.state(member).challenges] == [0]


def test_a_window_that_ends_is_told_by_the_timer(front: Front) -> None:
    house, member = front.house, front.house.join()
    given(front, member)
    ends = house.state(member).timer
    assert ends == NOW + 7 * DAY + 1
    house.now = ends + 3 * DAY
    assert tick_member(house.scope(), member, house.now)
    assert told_last(front) == ["challenge.expired"]
    assert listed(front, member) == []


def test_what_a_challenge_names_must_be_there_when_it_is_published(house: House) -> None:
    body = {**CARD, "when": {"locations": ["nowhere"]}, "content": {"fr": {"title": "Carte"}}}
    create(house.scope(), "challenge", ChallengeRequest.model_validate({"id": "card", "definition": body}))
    with pytest.raises(BrokenReference) as refused:
        publish(house.scope(), "challenge", "card", None, 0.0, hooks={})
    pointers = {(each.pointer, each.code) for each in refused.value.errors}
    assert pointers == {
        ("/definition/reward/offer", "unknown_offer"),
        ("/definition/when/locations/0", "unknown_location"),
        ("/definition/content", "missing_language"),
        ("/definition/content/fr", "unknown_language"),
    }


def test_the_administration_has_an_operation_for_every_route_of_challenges() -> None:
    wanted = {route.operation for route in ROUTES if route.path.startswith("/v1/challenges") and route.function == "administration"}
    assert len(wanted) == 6
    assert wanted <= set(administration.app._handlers)
