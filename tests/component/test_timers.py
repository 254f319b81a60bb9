"""Timers: a sweep settles what fell due with the instants at which it did, however late it comes and whatever the index shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.kernel.instants import DAY, HOUR, MINUTE, Instant, day_start, local_day
from shared.member_state.events import CouponIssued, HoldPlaced, HoldReleased, MemberEvent, Registered
from shared.member_state.model import MemberState
from shared.member_state.repository import Loaded, StateRepository
from shared.member_state.service import Change, Occasion, change_member, tick_member
from shared.relay.envelope import of_record
from shared.segments import ticks
from shared.storage import keys
from shared.storage.items import StateItem
from shared.storage.packing import pack
from shared.storage.table import Table
from shared.transactions.service import record
from tests.builders.house import NOW, SETTINGS, House, sale
from tests.builders.invariants import check_member
from tests.fakes.engine import CREDENTIALS, REGION
from tests.fakes.queue import FakeQueue
from tests.unit.member_state.test_fold import comparable

ANNA = "mbr_01KAJ5QV0000000000000000AA"
BERTA = "mbr_01KAJ5QV0000000000000000BB"
PROGRAMME: dict[str, Any] = {
    "name": "Points",
    "earning": [{"kind": "per_amount", "id": "base", "points": 1, "per": 100}],
    "pending": {"days": 2},
    "expiry": {"kind": "after_days", "days": 20},
    "tiers": {"days": 3, "valid_days": 5, "levels": [{"id": "silver", "name": "Silver", "threshold": 5}]},
}
SEGMENTS: dict[str, dict[str, Any]] = {
    "recent": {"kind": "purchases", "metric": "count", "days": 2, "op": "ge", "value": 1},
    "asleep": {"kind": "since_last_purchase", "op": "at_least", "days": 14},
    "rich": {"kind": "balance", "wallet": "points", "op": "ge", "value": 5},
    "coupon": {"kind": "coupon", "offer": "fries", "state": "active"},
}


class HintTable(Table):
    """A table whose timer index may lag: what it answers passes through ``seen`` first."""

    seen: Callable[[list[Any]], list[Any]] = staticmethod(lambda entries: entries)

    def query(self, pk: str, **how: Any) -> Any:
        items, last = super().query(pk, **how)
        return (self.seen(items) if how.get("index") == "GSI1" else items), last


@dataclass
class Sweeper:
    """One tenant's minute sweep. ``told`` collects what each commit of a member told, none of them left out."""

    house: House
    told: dict[str, list[Any]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    def look(self) -> None:
        """Take in the envelope of each member's last commit. A commit between two looks would be missed, and fails."""
        for member, seen in self.versions.items():
            raw = self.house.table.get(keys.state(self.house.tenant, member))
            assert raw is not None
            version = int(raw["version"]["N"])
            assert version - seen in (0, 1), "a commit was not looked at"
            envelope = of_record({"dynamodb": {"NewImage": raw}})
            if version > seen and envelope is not None:
                assert envelope.seq == version
                self.told[member] += [(each["type"], each["occurred_at"], each["data"], each.get("cause")) for each in envelope.events]
            self.versions[member] = version

    def join(self, member: str = ANNA) -> str:
        """A member of that id."""
        at = self.house.now
        loaded = Loaded(MemberState(self.house.tenant, member, as_of=at))
        joined = Change([Registered(at, "app", "")], lambda *_: None)
        change_member(self.house.scope(), member, Occasion(at), lambda *_: joined, loaded=loaded)
        self.told[member], self.versions[member] = [], 0
        self.look()
        return member

    def happens(self, member: str, *events: MemberEvent) -> None:
        """Something happens to her, now."""
        change_member(self.house.scope(), member, Occasion(self.house.now), lambda *_: Change(events, lambda *_: None))
        self.look()

    def buys(self, member: str, receipt: str, at: Instant | None = None) -> None:
        """She buys for nine euros; without an instant, now."""
        record(self.house.scope(), sale(member, self.house.now if at is None else at, receipt_number=f"{member[-2:]}-{receipt}"))
        self.look()

    def sweep(self, at: Instant | None = None) -> int:
        """One sweep at an instant; answers how many were woken."""
        self.house.now = self.house.now if at is None else at
        own = FakeQueue()
        woken = ticks.sweep_tenant(self.house.scope(), 0, None, own, FakeQueue())
        assert own.messages == [], "there was time for all"
        self.look()
        return woken

    def since(self, member: str, count: int) -> list[tuple[str, int]]:
        """Type and instant of what was told after the first ``count`` events."""
        return [(type_, at) for type_, at, *_ in self.told[member][count:]]

    def timer(self, member: str) -> str | None:
        """Her entry in the index."""
        raw = self.house.table.get(keys.state(self.house.tenant, member))
        return None if raw is None or "GSI1SK" not in raw else raw["GSI1SK"]["S"]

    def ledger(self, member: str) -> list[Any]:
        """What was booked, oldest first; one sweep may book in one item what several would in more."""
        rows, more = StateRepository(self.house.tenant, self.house.table).ledger(member, 100, None)
        assert more is None
        return [entry for _, _, entries in reversed(rows) for entry in entries]


def sweeper(table: Table, key_table: Table, tenant: str = "demo") -> Sweeper:
    """A tenant with a programme, a coupon and segments that time alone changes."""
    house = House(table, key_table, tenant=tenant).create(SETTINGS)
    house.publish("programme", "points", PROGRAMME)
    house.publish("offer", "fries", {"name": "Fries", "effect": {"kind": "percent", "percent": 10}})
    for id_, rule in SEGMENTS.items():
        house.publish("segment", id_, {"name": id_, "rule": rule})
    return Sweeper(house)


@pytest.fixture
def minute(dynamodb: str, bare_house: House) -> Sweeper:
    return sweeper(HintTable(bare_house.table.name, REGION, dynamodb, CREDENTIALS), bare_house.key_table)


@pytest.fixture
def twins(bare_house: House) -> tuple[Sweeper, Sweeper]:
    """Two tenants with everything alike, ids included: one is swept in time, one late."""
    return sweeper(bare_house.table, bare_house.key_table), sweeper(bare_house.table, bare_house.key_table, "late")


def live(each: Sweeper) -> None:
    """Two members with points, coupons and holds that fall due within minutes, days and weeks."""
    for member in (ANNA, BERTA):
        each.join(member)
        each.buys(member, "1")
        coupon, hold = f"cpn_{member[-2:]}", f"hold_{member[-2:]}"
        each.happens(member, CouponIssued(NOW, coupon, "fries", NOW, NOW + 6 * MINUTE + 7))
        each.happens(member, CouponIssued(NOW, f"{coupon}2", "fries", NOW, NOW + 9 * DAY))
        each.happens(member, HoldPlaced(NOW, hold, "points", 0, NOW + 3 * MINUTE + 1, (coupon,)))
    each.happens(BERTA, HoldPlaced(NOW, "hold_B2", "points", 0, NOW + 3 * MINUTE + 1))


def assert_same(left: Sweeper, right: Sweeper) -> None:
    """Events with their instants and causes, ledgers, states and timers agree."""
    for member in (ANNA, BERTA):
        assert left.told[member] == right.told[member]
        assert left.ledger(member) == right.ledger(member)
        assert comparable(left.house.state(member)) == comparable(right.house.state(member))
        assert left.timer(member) == right.timer(member)
        for each in (left, right):
            check_member(each.house, member)


# -- however late ---------------------------------------------------------------------------------------------------


def test_a_timer_committed_in_the_past_is_found_by_the_next_sweep_and_settled_with_its_own_instants(minute: Sweeper) -> None:
    minute.house.now = NOW - 5 * DAY
    minute.join()
    minute.house.now = NOW
    bought = NOW - 5 * DAY + HOUR
    minute.buys(ANNA, "1", at=bought)
    left_at = day_start(local_day(bought, SETTINGS.time_zone) + 2, SETTINGS.time_zone)
    assert minute.timer(ANNA) == keys.due_at(left_at, f"M#{ANNA}"), "due for days when it was written"
    before = len(minute.told[ANNA])
    assert minute.sweep(NOW + MINUTE) == 1
    settled = [("segment.left", left_at), ("points.available", bought + 2 * DAY), ("segment.entered", bought + 2 * DAY)]
    assert minute.since(ANNA, before) == settled
    assert minute.sweep(NOW + 2 * MINUTE) == 0


def test_ten_missed_sweeps_and_then_one_leave_what_ten_sweeps_in_time_leave(twins: tuple[Sweeper, Sweeper]) -> None:
    punctual, late = twins
    for each in twins:
        live(each)
    before = len(punctual.told[ANNA])
    woken = [punctual.sweep(NOW + number * MINUTE) for number in range(1, 11)]
    assert woken == [0, 0, 0, 2, 0, 0, 2, 0, 0, 0], "a sweep wakes who is due and nobody else"
    assert late.sweep(NOW + 10 * MINUTE) == 2
    assert punctual.since(ANNA, before) == [("hold.expired", NOW + 3 * MINUTE + 1), ("coupon.expired", NOW + 6 * MINUTE + 7)]
    assert_same(punctual, late)


def test_a_sweep_thirty_days_late_leaves_what_a_sweep_each_day_leaves(twins: tuple[Sweeper, Sweeper]) -> None:
    punctual, late = twins
    for each in twins:
        live(each)
    before = len(punctual.told[ANNA])
    for day in range(1, 31):
        punctual.sweep(NOW + day * DAY)
    assert late.sweep(NOW + 30 * DAY) == 2
    told = [type_ for type_, _ in punctual.since(ANNA, before)]
    wanted = {"points.available", "points.expired", "coupon.expired", "hold.expired", "tier.changed", "segment.entered", "segment.left"}
    assert set(told) == wanted
    instants = [at for _, at in late.since(ANNA, before)]
    assert instants == sorted(instants)
    assert max(instants) < NOW + 30 * DAY, "each with its own instant, none with the sweep's"
    assert_same(punctual, late)


def test_what_she_does_after_missed_sweeps_is_decided_as_if_they_had_come(twins: tuple[Sweeper, Sweeper]) -> None:
    punctual, late = twins
    for each in twins:
        live(each)
    for day in range(1, 23):
        punctual.sweep(NOW + day * DAY)
    for each in twins:
        each.house.now = NOW + 22 * DAY + HOUR
        for member in (ANNA, BERTA):
            each.buys(member, "2")
        each.sweep(NOW + 30 * DAY)
    assert ("points.expired", 9) in [(type_, data.get("points")) for type_, _, data, _ in late.told[ANNA]]
    assert_same(punctual, late)


# -- the index is a hint --------------------------------------------------------------------------------------------


def test_an_entry_that_becomes_visible_after_its_minute_is_settled_by_the_next_sweep(minute: Sweeper) -> None:
    table = minute.house.table
    assert isinstance(table, HintTable)
    live(minute)
    before = len(minute.told[ANNA])
    table.seen = lambda entries: [each for each in entries if ANNA not in each["GSI1SK"]["S"]]
    assert minute.sweep(NOW + 4 * MINUTE) == 1
    assert minute.since(ANNA, before) == []
    table.seen = lambda entries: entries
    assert minute.sweep(NOW + 5 * MINUTE) == 1
    assert minute.since(ANNA, before) == [("hold.expired", NOW + 3 * MINUTE + 1)]
    assert minute.since(BERTA, before + 1) == [("hold.expired", NOW + 3 * MINUTE + 1)] * 2


def test_an_entry_that_becomes_visible_behind_the_cursor_of_a_sweep_is_settled_by_the_next(minute: Sweeper) -> None:
    live(minute)
    before = len(minute.told[ANNA])
    minute.house.now = NOW + 4 * MINUTE
    behind_it = keys.due_at(NOW + 3 * MINUTE, f"M#{BERTA}")
    assert ticks.sweep_tenant(minute.house.scope(), 0, behind_it, FakeQueue(), FakeQueue()) == 1
    minute.look()
    assert minute.since(ANNA, before) == [], "the rest of a sweep does not go back"
    assert minute.sweep(NOW + 5 * MINUTE) == 1
    assert minute.since(ANNA, before) == [("hold.expired", NOW + 3 * MINUTE + 1)]


def test_an_entry_whose_cause_is_gone_only_re_arms(minute: Sweeper) -> None:
    minute.join()
    minute.happens(ANNA, CouponIssued(NOW, "cpn_1", "fries", NOW, NOW + 9 * DAY))
    minute.happens(ANNA, HoldPlaced(NOW, "hold_1", "points", 0, NOW + 10 * MINUTE))
    minute.happens(ANNA, HoldReleased(NOW, "hold_1"))
    assert minute.timer(ANNA) == keys.due_at(NOW + 10 * MINUTE, f"M#{ANNA}"), "releasing left the earlier timer standing"
    before, state = len(minute.told[ANNA]), minute.house.state(ANNA)
    assert minute.sweep(NOW + 10 * MINUTE) == 1
    assert minute.since(ANNA, before) == []
    assert comparable(minute.house.state(ANNA)) == comparable(state)
    assert minute.timer(ANNA) == keys.due_at(NOW + 9 * DAY, f"M#{ANNA}")
    assert minute.sweep(NOW + 11 * MINUTE) == 0
    raw = minute.house.table.get(keys.state("demo", ANNA))
    assert raw is not None
    assert "out" not in raw, "nothing is told by a wake-up that found nothing"


def test_an_entry_whose_member_was_settled_since_it_was_read_changes_nothing(minute: Sweeper) -> None:
    table = minute.house.table
    assert isinstance(table, HintTable)
    live(minute)
    minute.house.now = NOW + 4 * MINUTE

    def then_she_buys(entries: list[Any]) -> list[Any]:
        table.seen = lambda again: again
        for member in (ANNA, BERTA):
            minute.buys(member, "2")
        return entries

    table.seen = then_she_buys
    assert minute.sweep() == 0, "her purchase had settled it"
    settled = [type_ for type_, *_ in minute.told[ANNA]]
    assert settled.count("hold.expired") == 1
    assert settled.index("hold.expired") < len(settled) - 1 - settled[::-1].index("transaction.recorded")
    check_member(minute.house, ANNA)


def test_entries_read_twice_wake_once(minute: Sweeper) -> None:
    table = minute.house.table
    assert isinstance(table, HintTable)
    live(minute)
    table.seen = lambda entries: entries * 3
    assert minute.sweep(NOW + 4 * MINUTE) == 2
    assert [type_ for type_, *_ in minute.told[ANNA]].count("hold.expired") == 1


# -- those who are gone, and those who fail -------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["erased", "merged"])
def test_who_is_gone_has_no_timer(minute: Sweeper, status: Any) -> None:
    live(minute)
    stale = minute.house.table.query_all(keys.due("demo", 0), index="GSI1")

    def leave(after: MemberState, *_: object) -> None:
        after.status = status
        after.merged_into = BERTA if status == "merged" else None

    change_member(minute.house.scope(), ANNA, Occasion(NOW), lambda *_: Change([HoldReleased(NOW, "-")], leave))
    assert minute.timer(ANNA) is None
    minute.versions.pop(ANNA)
    last = minute.house.table.get(keys.state("demo", ANNA))
    table = minute.house.table
    assert isinstance(table, HintTable)
    table.seen = lambda _entries: stale
    minute.sweep(NOW + 4 * MINUTE)
    assert minute.house.table.get(keys.state("demo", ANNA)) == last, "an old entry of the index wakes nobody who is gone"
    assert ("hold.expired", NOW + 3 * MINUTE + 1) in minute.since(BERTA, 0)


def test_a_sweep_goes_on_when_one_member_cannot_be_settled(minute: Sweeper) -> None:
    live(minute)
    key = keys.state("demo", ANNA)
    whole = minute.house.table.get(key)
    assert whole is not None
    broken = StateItem.read(whole)
    broken.body = pack([99])
    minute.house.table.put(broken)
    assert minute.sweep(NOW + 4 * MINUTE) == 1
    assert ("hold.expired", NOW + 3 * MINUTE + 1) in minute.since(BERTA, 0)
    assert minute.timer(ANNA) == whole["GSI1SK"]["S"], "she stays due"
    minute.house.table.put(StateItem.read(whole))
    assert minute.sweep(NOW + 5 * MINUTE) == 1
    assert ("hold.expired", NOW + 3 * MINUTE + 1) in minute.since(ANNA, 0)


def test_who_has_nothing_ahead_is_in_no_index(minute: Sweeper) -> None:
    minute.join()
    assert minute.timer(ANNA) is None
    assert minute.sweep(NOW + 300 * DAY) == 0
    assert tick_member(minute.house.scope(), ANNA, minute.house.now) is False
    assert minute.house.state(ANNA).version == 1
