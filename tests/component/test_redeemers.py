"""Sixty-four redeemers at once, with retries, crashes, lost answers, holds, releases and force: exactly the limit is redeemed."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from shared.coupons.repository import CouponRepository
from shared.kernel.shards import quota_shards
from shared.member_state.service import view_member
from shared.storage import keys
from shared.storage.items import QuotaItem
from tests.builders.house import PROGRAMME, House
from tests.builders.invariants import check_member
from tests.builders.redeemers import KEY, Crowd, RandomlyFailing, Tried, shares
from tests.fakes import engine

REDEEMERS = 64
FAILING = 0.04
"""Of all calls to the table: one in fifty is not sent, one in fifty loses its answer."""


@pytest.fixture
def crowded(dynamodb: str, bare_house: House) -> tuple[House, RandomlyFailing]:
    """A tenant over a table that can fail at random."""
    table = RandomlyFailing(dynamodb, bare_house.table.name)
    house = House(table, engine.table(dynamodb, bare_house.key_table.name)).create()
    house.publish("programme", "points", PROGRAMME)
    return house, table


NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
LIMITS = [(1, 48), (10, 64), (100, 140), *([(1_000, 1_100)] if NIGHTLY else [])]
"""Limits, and coupons that want them. The largest takes up to a minute and a half."""


@pytest.mark.parametrize(("limit", "count"), LIMITS)
def test_exactly_the_limit_is_redeemed(crowded: tuple[House, RandomlyFailing], limit: int, count: int) -> None:
    house, table = crowded
    crowd = Crowd(house, limit).prepare(count)
    table.failing = FAILING
    tried = crowd.redeem_all(REDEEMERS)
    table.failing = 0.0
    assert table.failures > 10
    won = Counter(each.coupon for each in tried if each.redeemed)
    assert sum(won.values()) == limit, "exactly the limit, however they came"
    assert set(won.values()) == {1}, "and no coupon twice"
    check_reasons(tried, set(won))
    check_items(crowd, set(won))
    check_states(crowd, set(won))
    hottest = shares(table.tries, [keys.quota(house.tenant, KEY, shard).pk for shard in range(quota_shards(limit))])
    assert hottest <= 3 / quota_shards(limit), "no shard is the hot one"


def check_reasons(tried: list[Tried], won: set[str]) -> None:
    """Whoever got nothing is told why: the limit, or that another was faster with this very coupon."""
    reasons = {(each.coupon in won, each.reason) for each in tried if not each.redeemed}
    of_others = {(True, "redeemed"), (True, "held"), (False, "held")}
    assert reasons <= {(True, "exhausted"), (False, "exhausted"), *of_others}
    told = {each.coupon for each in tried if not each.redeemed and each.reason == "exhausted"}
    assert {each.coupon for each in tried} - won <= told, "every coupon that was not redeemed was refused for the limit"


def check_items(crowd: Crowd, won: set[str]) -> None:
    """Every coupon's own item, and what each shard says was taken from it."""
    house = crowd.house
    stored = CouponRepository(house.tenant, house.table).get_many(list(crowd.coupons))
    assert {id_ for id_, coupon in stored.items() if coupon.state == "redeemed"} == won
    assert {coupon.state for id_, coupon in stored.items() if id_ not in won} <= {"active", "held"}
    by_shard = Counter(stored[id_].quota_shard for id_ in won)
    for shard in range(quota_shards(crowd.limit)):
        raw = house.table.get(keys.quota(house.tenant, KEY, shard))
        assert raw is not None
        item = QuotaItem.read(raw)
        assert int(item.used) == by_shard[shard] <= int(item.share)
    assert sum(by_shard.values()) == crowd.limit


def check_states(crowd: Crowd, won: set[str]) -> None:
    """Her state has what her coupons' items say, and nothing of hers is held by what was committed or released."""
    house = crowd.house
    for member in {owner for owner in crowd.coupons.values() if owner is not None}:
        hers = {id_ for id_, owner in crowd.coupons.items() if owner == member}
        state = house.state(member)
        assert set(state.coupons) == hers - won
        assert ("few" in state.redeemed) == bool(hers & won)
        assert not [hold for hold in state.holds.values() if set(hold.coupons) & won]
        check_member(house, member)


def test_what_was_left_held_is_free_when_its_time_has_run_out(crowded: tuple[House, RandomlyFailing]) -> None:
    """After the storm nothing is stuck: a day later every coupon that was not redeemed is free, as its item's condition says."""
    house, table = crowded
    crowd = Crowd(house, 10).prepare(40)
    table.failing = FAILING
    won = {each.coupon for each in crowd.redeem_all(REDEEMERS) if each.redeemed}
    table.failing = 0.0
    house.now += 86_400_000
    for coupon, owner in crowd.coupons.items():
        if owner is not None:
            assert view_member(house.scope(), owner, house.now).holds == {}
        outcome = crowd.directly(coupon, owner, "later")
        assert getattr(outcome, "reason", None) == ("redeemed" if coupon in won else "exhausted")
