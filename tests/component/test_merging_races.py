"""Merges that something crosses, or that die on the way: nothing is lost, nothing doubled."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from shared.kernel.errors import ConcurrentUpdate
from shared.members.repository import MemberRepository
from shared.merging.api import MergeRequest
from shared.merging.errors import HoldOpen, MemberMerged, SameMember
from shared.merging.service import merge
from shared.merging.working import work
from shared.storage import keys
from shared.transactions import holds
from shared.transactions.api import HoldRequest
from shared.transactions.service import record
from tests.builders.front import Front
from tests.builders.house import House, sale
from tests.builders.invariants import check_united
from tests.builders.leaving import CARD, Life, _basket, furnish, live, readable, remains
from tests.builders.uniting import MERGERS, finish, free, heiress, points, unite
from tests.component.test_merging import front
from tests.fakes.faulty import FaultyTable, Killed
from tests.fakes.queue import FakeQueue

__all__ = ["front"]


# -- at the same moment ---------------------------------------------------------------------------------------------


def test_a_sale_between_reading_and_merging_is_asked_to_come_again_and_is_counted_once(front: Front) -> None:
    house, one, other = front.house, heiress(front), heiress(front)
    bought = sale(one, house.now)
    table = house.table
    send, merged = table.transact, []

    def crossing(batch: Any, token: str) -> None:
        if not merged:
            merged.append(True)
            assert unite(front, one, other).status == 200
        send(batch, token)

    table.transact = crossing  # type: ignore[method-assign]
    with pytest.raises(ConcurrentUpdate):
        record(house.scope(), bought)
    table.transact = send  # type: ignore[method-assign]
    before = points(house.state(other))
    answer = record(house.scope(), bought).answer
    assert answer["member_id"] == other
    assert points(house.state(other)) == before + answer["points"]["earned"]
    assert record(house.scope(), bought).replayed
    check_united(house, other)


def test_a_sale_of_either_just_before_the_commit_is_in_what_is_left(front: Front) -> None:
    house = front.house
    for buyer_is_left in (False, True):
        one, other = heiress(front), heiress(front)
        send, sold = house.table.transact, []

        buyer = other if buyer_is_left else one

        def crossing(batch: Any, token: str, buyer: str = buyer, sold: list[Any] = sold, send: Any = send) -> None:
            if not sold:
                sold.append(None)
                sold.append(record(house.scope(), sale(buyer, house.now)).answer["points"]["earned"])
            send(batch, token)

        before = points(house.state(one)) + points(house.state(other))
        house.table.transact = crossing  # type: ignore[method-assign]
        assert unite(front, one, other).status == 200
        house.table.transact = send  # type: ignore[method-assign]
        assert points(house.state(other)) == before + sold[1]
        check_united(house, other)


@pytest.mark.parametrize("second", ["back", "on"])
def test_two_merges_that_cross_lose_and_double_nothing(front: Front, second: Literal["back", "on"]) -> None:
    house = front.house
    one, two, three = heiress(front), heiress(front), heiress(front)
    everything = sum(points(house.state(each)) for each in (one, two, three))
    crossing_pair = (two, one) if second == "back" else (two, three)
    send, crossed = house.table.transact, []

    def crossing(batch: Any, token: str) -> None:
        if not crossed:
            crossed.append(None)
            merge(house.scope(), crossing_pair[1], MergeRequest(from_member_id=crossing_pair[0], reason="import"), "key_2")
        send(batch, token)

    house.table.transact = crossing  # type: ignore[method-assign]
    try:
        merge(house.scope(), two, MergeRequest(from_member_id=one, reason="import"), "key_1")
    except (ConcurrentUpdate, SameMember, MemberMerged):
        pass
    finally:
        house.table.transact = send  # type: ignore[method-assign]
    left = {house.state(each).member for each in (one, two, three)}
    assert len(left) == (2 if second == "back" else 1)
    assert sum(points(house.state(each)) for each in left) == everything
    for each in left:
        check_united(house, each)


def test_who_is_merged_on_while_rows_move_gets_none_any_more(front: Front) -> None:
    life, two = free(front, live(front)), heiress(front)
    three = heiress(front)
    unite(front, life.member, two)
    send, crossed = front.house.table.transact, []

    def crossing(batch: Any, token: str) -> None:
        if not crossed:
            crossed.append(None)
            assert unite(front, two, three).status == 200
        send(batch, token)

    front.house.table.transact = crossing  # type: ignore[method-assign]
    finish(front, life.member)
    front.house.table.transact = send  # type: ignore[method-assign]
    assert MemberRepository("demo", front.house.table).held(two)[0][0] == "external", "nothing came to who had gone"
    assert len(MemberRepository("demo", front.house.table).held(two)) == 1
    finish(front, two)
    finish(front, life.member)
    assert front.call("identify_member", {"kind": "card", "value": CARD}).body["member_id"] == three
    owners = {raw["member"]["S"] for raw in remains(front, "ID", "CPN") if "member" in raw}
    assert owners == {three}
    assert [keys.member_of(raw["PK"]["S"]) for raw in remains(front, keys.DEVICE_PREFIX)] == [three]


def test_a_hold_that_is_placed_meanwhile_refuses_it(front: Front) -> None:
    life, other, house = free(front, live(front)), heiress(front), front.house
    send, held = house.table.transact, []

    def crossing(batch: Any, token: str) -> None:
        if not held:
            held.append(None)
            holds.place(house.scope(), HoldRequest.model_validate(_basket(life.member, life.coupon, house.now) | {"basket_id": "b2"}))
        send(batch, token)

    house.table.transact = crossing  # type: ignore[method-assign]
    with pytest.raises(HoldOpen):
        merge(house.scope(), other, MergeRequest(from_member_id=life.member, reason="import"), "key_1")
    house.table.transact = send  # type: ignore[method-assign]
    assert house.state(life.member).member == life.member


# -- killed anywhere ------------------------------------------------------------------------------------------------


class Doubtful:
    """A house of one tenant after the other, over tables that die where a test says."""

    def __init__(self, dynamodb: str, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.table = FaultyTable(dynamodb, house.table.name)
        self._keys, self._monkeypatch, self._number = house.key_table, monkeypatch, 0

    def lives(self) -> tuple[Front, Life, str]:
        self._number += 1
        front = Front(House(self.table, self._keys, tenant=f"tenant{self._number:03}"), self._monkeypatch)
        furnish(front)
        life = free(front, live(front))
        return front, life, heiress(front)

    def until_done(self, front: Front, life: Life, other: str) -> int:
        """Ask and work until it is done, however often it dies; answers how often."""
        for times in range(4):
            try:
                merge(front.house.scope(), other, MergeRequest(from_member_id=life.member, reason="import"), "key_1")
                finish(front, life.member)
            except Killed:
                self.table.disarm()
                front.house.cache.forget(front.house.tenant)
            else:
                return times
        raise AssertionError("it does not end")


@pytest.fixture
def doubtful(dynamodb: str, bare_house: House, monkeypatch: pytest.MonkeyPatch) -> Doubtful:
    return Doubtful(dynamodb, bare_house, monkeypatch)


def test_killed_at_any_call_and_resumed_it_ends_the_same(doubtful: Doubtful) -> None:
    """Before each call, which leaves the same as after the one before it; and after the last."""
    front, life, other = doubtful.lives()
    doubtful.table.arm(10_000, "before", "kill")
    assert doubtful.until_done(front, life, other) == 0
    calls = doubtful.table.calls
    doubtful.table.disarm()
    expected, expected_points = _shape(front, life, other), points(front.house.state(other))
    assert calls > 30
    whens: list[tuple[int, Literal["before", "after"]]] = [*((at, "before") for at in range(1, calls + 1)), (calls, "after")]
    for at, when in whens:
        front, life, other = doubtful.lives()
        doubtful.table.arm(at, when, "kill")
        assert doubtful.until_done(front, life, other) == 1, at
        assert _shape(front, life, other) == expected, at
        assert points(front.house.state(other)) == expected_points, at
        check_united(front.house, other)


def _shape(front: Front, life: Life, other: str) -> list[tuple[str, ...]]:
    """Whose is what in the end: kinds of rows by whose partition they lie in, and where what leads to somebody leads."""
    names, found = {life.member: "gone", other: "left"}, []
    for raw in remains(front):
        owner = names.get(keys.member_of(raw["PK"]["S"]) or "", "")
        leads = names.get(raw["member"]["S"], "") if "member" in raw else ""
        if owner or leads or raw["SK"]["S"] == "MERGE":
            row = readable(raw)
            body = sorted(row["d"]["done"]) if raw["SK"]["S"] == "MERGE" else row.get("ids")
            found.append((owner, raw["SK"]["S"].partition("#")[0], leads, str(row.get("status")), str(len(body or ()))))
    return sorted(found)


def test_out_of_time_it_goes_on_in_a_new_message(front: Front) -> None:
    life, other, queue = free(front, live(front)), heiress(front), FakeQueue()
    unite(front, life.member, other)
    left = iter([60_000, 60_000, 1_000])
    front.house.time_left = lambda: next(left, 60_000)
    assert not work(front.house.scope(), life.member, queue)
    assert queue.take() == [{"kind": "merge", "tenant": "demo", "member": life.member}]
    assert work(front.house.scope(), life.member, queue)
    assert front.call("get_merge", scopes=MERGERS, member_id=life.member).body["completed_at"]
