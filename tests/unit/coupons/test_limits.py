"""Limits of use: worked cases of what refuses, the windows that uses are counted in, and the state that keeps them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.coupons.limits import NOTHING_USED, UNLIMITED, UseLimits, counted_use, group_key, location_key, refused_by, value_limits
from shared.coupons.model import PromotionBody
from shared.definitions.model import Definition, DefinitionSet
from shared.kernel.instants import DAY, MINUTE, date_of, day_number, format_rfc3339, local_day, parse_rfc3339
from shared.kernel.shards import quota_shards, quota_share
from shared.member_state.codec import decode_state, encode_state
from shared.member_state.model import MAX_USAGE, USAGE_DAYS, CountedUse, MemberState, RuleUsage
from shared.member_state.usage import count_usage, count_use, month_of, uncount_use, usage_of, week_of
from shared.programmes.conditions import Usage
from shared.replay.engine import Replay
from shared.replay.events import EVENT
from shared.storage import keys
from shared.storage.packing import pack, unpack
from shared.transactions.budgets import budget_shards
from shared.transactions.budgets import share_of as budget_share
from tests.builders.house import SETTINGS

CASES: dict[str, list[dict[str, Any]]] = json.loads((Path(__file__).parents[2] / "cases" / "coupon_limits.json").read_text())
KEY = "offer:x"
USE = CountedUse(KEY, weekly=True, monthly=True)


def named(cases: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[each["name"] for each in cases])


def member() -> MemberState:
    return MemberState("demo", "mbr_1")


def natural(number: str) -> dict[str, str]:
    return {"source": "till", "location_id": "mitte", "business_date": "2026-03-02", "receipt_number": number}


def bought(number: str, at: str) -> dict[str, Any]:
    body = {"type": "purchase", **natural(number), "occurred_at": at, "currency": "EUR", "member": {"id": "ann"}}
    return body | {"lines": [{"id": "1", "item_id": "latte", "unit_price": 1000}]}


def undone(what: str, number: str, of: str, at: str) -> dict[str, Any]:
    """A whole return, or a void."""
    if what == "void":
        return {"type": "void", "at": at, "original": natural(of)}
    return {"type": "return", **natural(number), "occurred_at": at, "original": natural(of)}


def through_storage(state: MemberState) -> MemberState:
    return decode_state(state.tenant, state.member, unpack(pack(encode_state(state))))


# -- what refuses ---------------------------------------------------------------------------------------------------


@named(CASES["refusals"])
def test_worked_refusals(case: dict[str, Any]) -> None:
    usage = None
    if case["usage"] is not None:
        times, today, week, month = case["usage"]
        usage = Usage(0, times, 0, today, week, month)
    limits = UseLimits.model_validate(case["limits"])
    where, groups = case["location"], frozenset(case.get("groups", ()))
    said = refused_by(limits, KEY, usage, before=case["before"], exhausted=case["exhausted"], location=where, groups=groups)
    assert said == case["reason"]


limits_of_some = st.builds(
    UseLimits, **{name: st.none() | st.integers(1, 4) for name in ("per_member", "per_day", "per_week", "per_month")}
)


@given(limits_of_some, st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_it_is_refused_exactly_when_a_use_more_would_exceed_a_limit(limits: UseLimits, used: list[int]) -> None:
    usage = Usage(0, used[0], 0, used[1], used[2], used[3])
    after = [each + 1 for each in used]
    asked = (limits.per_member, limits.per_day, limits.per_week, limits.per_month)
    exceeds = any(limit is not None and count > limit for limit, count in zip(asked, after, strict=True))
    assert (refused_by(limits, KEY, usage) is not None) == exceeds


def test_only_what_is_asked_is_counted() -> None:
    assert counted_use(KEY, UseLimits(budget=5)) is None
    assert counted_use(KEY, UseLimits(per_day=1)) == CountedUse(KEY)
    assert counted_use(KEY, UseLimits(per_week=1)) == CountedUse(KEY, weekly=True)
    assert counted_use(KEY, UseLimits(per_month=1, per_member=1)) == CountedUse(KEY, monthly=True)


def test_what_has_no_limits_shares_the_one_object_that_every_basket_skips() -> None:
    """Limits that are compared by identity: a field that cannot be hashed would make a copy for each promotion."""
    body = PromotionBody.model_validate({"name": "P", "effect": {"kind": "amount", "amount": 5}})
    assert body.limits is UNLIMITED
    assert not UNLIMITED.of_value
    assert [UseLimits.model_validate(each).of_place for each in ({}, {"group_budgets": {}}, {"group_budgets": {"west": 1}})] == [
        False, False, True,
    ]  # fmt: skip


def test_the_keys_of_value_are_short_whatever_a_till_calls_its_location() -> None:
    limits = UseLimits(budget=7, location_budget=5, group_budgets={"west": 4, "south": 3, "brand": 6})
    groups = frozenset({"brand", "west", "elsewhere"})
    assert value_limits(KEY, limits, "mitte", groups) == {KEY: 7, "offer:x@mitte": 5, "offer:x@group:west": 4, "offer:x@group:brand": 6}
    assert value_limits(KEY, limits, "mitte", frozenset()) == {KEY: 7, "offer:x@mitte": 5}
    longest, strange = "promotion:" + "a" * 48, "ä" * 64
    assert keys.budget("demo", group_key(longest, "b" * 48), 31).pk.endswith("#Q31")
    assert location_key(KEY, "group:west") != group_key(KEY, "west"), "a till may call its location whatever it likes"
    assert keys.budget("demo", location_key(longest, strange), 31).pk.endswith("#Q31")
    assert location_key(longest, strange) != location_key(longest, strange[1:])


# -- windows --------------------------------------------------------------------------------------------------------


@named(CASES["windows"])
def test_worked_windows(case: dict[str, Any]) -> None:
    state = member()
    for what, at in case["steps"]:
        day = local_day(parse_rfc3339(at), case["zone"])
        (count_use if what == "use" else uncount_use)(state, USE, day)
        state = through_storage(state)
    usage = usage_of(state, KEY, local_day(parse_rfc3339(case["ask"]), case["zone"]))
    assert [usage.times, usage.times_today, usage.times_week, usage.times_month] == case["counts"]


@given(st.integers(0, 40_000))
def test_weeks_and_months_are_those_of_the_calendar(day: int) -> None:
    date = date_of(day)
    assert (week_of(day) == week_of(day + 1)) == (date.isoweekday() < 7)
    assert (month_of(day) == month_of(day + 1)) == (date_of(day + 1).day > 1)


_DAYS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, USAGE_DAYS), st.booleans()), max_size=40)


@given(_DAYS, st.booleans(), st.booleans())
def test_counts_are_those_of_a_straight_count(history: list[tuple[int, int, bool]], weekly: bool, monthly: bool) -> None:
    """Sales come in at most ``USAGE_DAYS`` late, some come back at once and some much later: asked of any day that a sale may have."""
    state, use, newest = member(), CountedUse(KEY, weekly, monthly), day_number(date_of(20_000))
    standing: list[int] = []
    for step, late, comes_back in history:
        newest += step
        if comes_back and standing:
            uncount_use(state, use, standing.pop(late % len(standing)))
        else:
            # The newest day is always known, so that what is late is late by it.
            count_use(state, use, newest)
            count_use(state, use, newest - late)
            standing += [newest, newest - late]
        state = through_storage(state)
        for day in range(newest - USAGE_DAYS, newest + 1):
            usage = usage_of(state, KEY, day)
            days = Counter(standing)
            assert (usage.times, usage.times_today) == (len(standing), days[day])
            in_week = sum(week_of(each) == week_of(day) for each in standing) if weekly else 0
            in_month = sum(month_of(each) == month_of(day) for each in standing) if monthly else 0
            assert (usage.times_week, usage.times_month) == (in_week, in_month)


_STEPS = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["sale", "sale", "return", "void"]), st.integers(0, 20)), max_size=25)


@given(_STEPS, limits_of_some, st.sampled_from(["reissue", "keep"]))
def test_sales_returns_and_voids_count_as_a_straight_count_says(
    steps: list[tuple[int, str, int]], limits: UseLimits, on_return: str
) -> None:
    """A promotion over a random history, replayed: it applies, and is counted, exactly as often as a straight count allows."""
    body = {"name": "Day", "effect": {"kind": "amount", "amount": 100}, "on_return": on_return, "limits": limits.model_dump()}
    promotion = Definition("promotion", "day", 1, "published", body, effective_from=0)
    replay, key, at = Replay(DefinitionSet("demo", SETTINGS, {}, (promotion,)), {}), "promotion:day", parse_rfc3339("2026-03-02T18:00:00Z")
    replay.feed(EVENT.validate_python({"type": "registration", "at": "2026-03-01T12:00:00Z", "member": "ann"}))
    uses: dict[str, int] = {}
    sold: list[str] = []
    for number, (days, what, which) in enumerate(steps):
        at += days * DAY + MINUTE
        today = local_day(at, SETTINGS.time_zone)
        if what == "sale":
            counts = (len(uses), *(sum(same(each) == same(today) for each in uses.values()) for same in (abs, week_of, month_of)))
            asked = (limits.per_member, limits.per_day, limits.per_week, limits.per_month)
            if all(limit is None or count < limit for limit, count in zip(asked, counts, strict=True)):
                uses[f"s{number}"] = today
            sold.append(f"s{number}")
            event = bought(f"s{number}", format_rfc3339(at))
        elif sold:
            gone = sold.pop(which % len(sold))
            if what == "void" or on_return == "reissue":
                uses.pop(gone, None)
            event = undone(what, f"r{number}", gone, format_rfc3339(at))
        else:
            continue
        replay.feed(EVENT.validate_json(json.dumps(event), strict=True))
        state = replay.world.members["ann"].state
        assert usage_of(state, key, today).times == (len(uses) if limits.of_member else 0)
        for day in range(today - USAGE_DAYS, today + 1) if limits.per_day is not None else ():
            assert usage_of(state, key, day).times_today == list(uses.values()).count(day)


@given(st.lists(st.tuples(st.integers(0, 400), st.booleans()), max_size=60))
def test_what_is_kept_is_bounded_whatever_comes(history: list[tuple[int, bool]]) -> None:
    state = member()
    for day, back in history:
        (uncount_use if back else count_use)(state, USE, day)
        for usage in state.usage.values():
            assert len(usage.days) <= USAGE_DAYS + 1
            assert max(len(usage.weeks), len(usage.months)) <= 2
            assert usage.times > 0
            counts = (*usage.weeks.values(), *usage.months.values(), *(pair[1] for pair in usage.days.values()))
            assert all(count >= 0 for count in counts)


# -- what all have used ---------------------------------------------------------------------------------------------


def test_no_shard_has_much_more_than_its_part() -> None:
    assert quota_shards(1) == 1
    assert (quota_shards(1_000), quota_share(1_000, 0)) == (20, 50)
    assert (quota_shards(100_000_000), quota_share(100_000_000, 0)) == (32, 3_125_000)
    assert (budget_shards(19_999), [budget_share(19_999, shard) for shard in range(2)]) == (2, [10_000, 9_999])


# -- the state ------------------------------------------------------------------------------------------------------


def test_without_weeks_and_months_a_row_is_as_it_always_was() -> None:
    state = member()
    count_usage(state, "points/base", 5, 20_000)
    count_use(state, CountedUse(KEY), 20_000)
    rows = encode_state(state)[-1][1]
    assert rows == {"points/base": [5, 1, {20_000: [5, 1]}], KEY: [0, 1, {20_000: [0, 1]}]}
    assert through_storage(state).usage == state.usage


def test_rows_from_before_weeks_were_counted_decode() -> None:
    old = encode_state(member())
    old[-1] = [[], {"points/base": [5, 1, {"20000": [5, 1]}]}, [], 0, [], 0, 0, 0]
    assert decode_state("demo", "mbr_1", old).usage == {"points/base": RuleUsage(5, 1, {20_000: [5, 1]})}


def test_a_member_of_many_limited_offers_stays_small() -> None:
    """Ten offers with limits by day, week and month add little to a state; the most ever kept stays far below an item's limit."""
    state = member()
    empty = len(pack(encode_state(state)))
    for number in range(10):
        count_use(state, CountedUse(f"offer:summer-{number}", weekly=True, monthly=True), 20_000 + number % 3)
    assert len(pack(encode_state(state))) - empty < 320
    for number in range(MAX_USAGE + 50):
        count_use(state, CountedUse(f"offer:{number:048d}", weekly=True, monthly=True), 20_000)
    assert len(state.usage) == MAX_USAGE
    assert len(pack(encode_state(state))) < 12_000


def test_the_offer_counted_longest_ago_is_forgotten_first() -> None:
    state = member()
    for number in range(MAX_USAGE):
        count_use(state, CountedUse(f"offer:{number}"), 20_000)
    count_use(state, CountedUse("offer:0"), 20_001)
    count_use(state, CountedUse("offer:new"), 20_001)
    assert "offer:1" not in state.usage
    assert usage_of(state, "offer:0", 20_001).times == 2
    assert usage_of(state, "offer:1", 20_001) == NOTHING_USED
