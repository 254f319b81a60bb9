"""Bounds, memory and odd cases of challenges inside the fold."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from shared.challenges.model import Challenge, ChallengeBody
from shared.challenges.rules import MAX_STREAK_PARTS, counts, period_of, period_start
from shared.kernel.errors import InvalidValue
from shared.kernel.instants import DAY, HOUR, day_start, local_day
from shared.member_state.challenges import LATE_DAYS, MAX_GIVEN
from shared.member_state.codec import decode_state, encode_state
from shared.member_state.conversions import MOST_IN_ONE_COMMIT
from shared.member_state.events import CouponChanged
from shared.member_state.model import MAX_CHALLENGES, MemberState
from shared.member_state.view import Challenges
from shared.programmes.lines import Line
from shared.programmes.selectors import LineKind
from shared.storage.packing import pack
from tests.builders.views import ZONE, programme
from tests.unit.challenges.corner import Corner, at, body_of, challenges

BEGIN = at("2026-03-02 00:00")
SPEND = {"of": "spend", "threshold": 1000}
WEEK = body_of(goal=SPEND, window={"days": 7})
CARD = body_of(goal={"of": "items", "threshold": 10, "roll_over": True}, automatic=True, reward={"offer": "free"})


def coffee(units: int, cents: int = 300) -> list[tuple[str, int, int]]:
    return [("coffee", units, units * cents)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"goal": {"of": "visits", "threshold": 1, "on": {"categories": ["coffee"]}}},
        {"goal": {"of": "purchases", "threshold": 1, "counted": "single_purchase"}},
        {"goal": {**SPEND, "counted": "single_purchase", "roll_over": True}},
        {"goal": {**SPEND, "threshold": 0}},
        {"goal": {**SPEND, "threshold": 1.5}},
        {"goal": {"of": "streak", "periods": 1}},
        {"goal": {"of": "streak", "periods": 2, "on": {"categories": ["coffee"]}}},
        {"window": {"days": 1, "hours": 2}},
        {"window": {"every": "week"}},
        {"window": {"every": "week"}, "automatic": True, "goal": {"of": "streak", "periods": 2}},
        {"window": {"starts_at": "2026-03-02T00:00:00Z", "ends_at": "2026-03-02T00:00:00Z"}},
        {"reward": {}},
        {"repeat": 0},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    good = {"name": "C", "goal": SPEND, "reward": {"points": 1}}
    ChallengeBody.model_validate(good)
    with pytest.raises(ValidationError):
        ChallengeBody.model_validate(good | wrong)


def test_a_completion_whose_coupon_was_used_stays_and_is_not_given_twice() -> None:
    corner = Corner({"card": CARD}, BEGIN, offers={"free": 9})
    corner.buy("a", BEGIN + HOUR, coffee(10))
    (coupon,) = corner.state.coupons
    corner.happens(CouponChanged(BEGIN + 2 * HOUR, coupon, "redeemed"))
    corner.bring_back("a", BEGIN + 3 * HOUR)
    corner.buy("b", BEGIN + 4 * HOUR, coffee(10))
    assert (corner.state.challenges[0].times, len(corner.state.coupons)) == (1, 0)
    corner.buy("c", BEGIN + 5 * HOUR, coffee(10))
    assert (corner.state.challenges[0].times, len(corner.state.coupons)) == (2, 1)


def test_of_several_coupons_those_not_used_are_taken() -> None:
    corner = Corner({"card": CARD}, BEGIN, offers={"free": 9})
    corner.buy("a", BEGIN + HOUR, coffee(30))
    used, *unused = corner.state.coupons
    corner.happens(CouponChanged(BEGIN + 2 * HOUR, used, "redeemed"))
    corner.bring_back("a", BEGIN + 3 * HOUR)
    assert (corner.state.challenges[0].times, corner.state.coupons, len(unused)) == (1, {}, 2)
    assert corner.events("reversed") == [("2026-03-02 03:00", "reversed", 2)]
    assert sorted(corner.told.withdrawn) + [each.id for each in corner.told.promised] == [used]


def test_one_commit_gives_only_so_many_coupons() -> None:
    corner = Corner({"card": CARD}, BEGIN, offers={"free": 90})
    corner.buy("a", BEGIN + HOUR, coffee(200))
    assert (corner.state.challenges[0].times, len(corner.state.coupons)) == (20, MOST_IN_ONE_COMMIT)


def test_points_come_with_the_terms_of_the_wallets_first_programme() -> None:
    thirty = programme(expiry={"kind": "after_days", "days": 30, "end_of_day": False})
    corner = Corner({"c": WEEK}, BEGIN, programmes=[thirty])
    corner.give("c", BEGIN)
    corner.buy("a", BEGIN + HOUR, coffee(10))
    (lot,) = corner.state.wallet("points").lots
    assert (lot.points, lot.expires_at) == (10, BEGIN + HOUR + 30 * DAY)
    corner.bring_back("a", BEGIN + 2 * HOUR)
    assert corner.points == 0


def test_points_that_are_gone_are_taken_back_as_the_programme_says() -> None:
    for policy, left in (("negative", -10), ("within_balance", 0)):
        corner = Corner({"c": WEEK}, BEGIN, programmes=[programme(returns={"points_gone": policy})])
        corner.give("c", BEGIN)
        corner.buy("a", BEGIN + HOUR, coffee(10))
        corner.state.wallet("points").lots.clear()
        corner.bring_back("a", BEGIN + 2 * HOUR)
        assert corner.points == left


def test_so_many_challenges_and_no_more_until_one_has_ended() -> None:
    corner = Corner({"c": WEEK, "auto": body_of(goal=SPEND, automatic=True)}, BEGIN)
    for number in range(MAX_CHALLENGES):
        corner.give("c", BEGIN + number * HOUR)
    with pytest.raises(InvalidValue):
        corner.give("c", BEGIN + 2 * DAY)
    corner.buy("a", BEGIN + 3 * DAY, coffee(1))
    assert "auto" not in {each.challenge for each in corner.state.challenges}
    corner.buy("b", BEGIN + 7 * DAY + HOUR, coffee(1))
    hers = corner.state.challenges
    assert (len(hers), hers[-1].challenge, hers[0].id) == (MAX_CHALLENGES, "auto", "chl_2")


def test_a_window_that_was_forgotten_to_make_room_is_not_opened_again() -> None:
    daily = body_of(goal={"of": "purchases", "threshold": 1}, window={"every": "day"}, automatic=True)
    corner = Corner({"daily": daily, "c": body_of(goal=SPEND, window={"days": 90})}, BEGIN)
    corner.buy("a", BEGIN + HOUR, coffee(1))
    for number in range(MAX_CHALLENGES - 1):
        corner.give("c", BEGIN + 2 * HOUR + number)
    corner.buy("b", BEGIN + DAY + HOUR, coffee(1))
    assert corner.points == 20
    assert corner.state.challenges_closed == BEGIN + DAY
    corner.state.challenges.pop()
    corner.buy("late", BEGIN + 2 * HOUR, coffee(1))
    assert corner.points == 20


def test_a_late_purchase_opens_a_window_that_has_ended_within_a_week_only() -> None:
    daily = body_of(goal={"of": "purchases", "threshold": 1}, window={"every": "day"}, automatic=True)
    for late, points in ((DAY + LATE_DAYS * DAY - 1, 10), (DAY + LATE_DAYS * DAY, 0)):
        corner = Corner({"daily": daily}, BEGIN)
        corner.wait(BEGIN + late)
        corner.buy("a", BEGIN + HOUR, coffee(1))
        assert corner.points == points


def test_a_receipt_goes_on_with_the_version_that_it_was_given_with() -> None:
    corner = Corner({}, BEGIN)
    harder = body_of(goal={"of": "spend", "threshold": 5000}, window={"days": 7})
    old, new = Challenge("c", 1, WEEK), Challenge("c", 2, harder)
    corner.known = Challenges({"c": old}, (), lambda _id, version: {1: old, 2: new}.get(version))
    corner.give("c", BEGIN)
    corner.known = replace(corner.known, in_force={"c": new})
    corner.buy("a", BEGIN + HOUR, coffee(4))
    assert corner.points == 10


def test_a_retired_challenge_goes_on_to_its_end_and_one_without_an_end_stops() -> None:
    bodies = {"week": WEEK, "ever": body_of(goal=SPEND)}
    corner = Corner(bodies, BEGIN)
    corner.give("week", BEGIN)
    corner.give("ever", BEGIN)
    corner.known = challenges(bodies, in_force=())
    corner.buy("a", BEGIN + HOUR, coffee(4))
    assert [(each.challenge, each.times) for each in corner.state.challenges] == [("week", 1), ("ever", 0)]


def test_what_everybody_has_counts_from_its_publication_on() -> None:
    card = body_of(goal=SPEND, automatic=True, window={"days": 3})
    corner = Corner({"c": card}, BEGIN)
    corner.known = challenges({"c": card}, since=BEGIN + 10 * DAY)
    corner.buy("early", BEGIN + 9 * DAY, coffee(9))
    assert corner.state.challenges == []
    corner.buy("there", BEGIN + 13 * DAY, coffee(9))
    assert (corner.points, corner.state.challenges[0].start) == (10, BEGIN + 10 * DAY)


def test_a_daily_guest_with_a_long_streak_is_remembered_within_bounds() -> None:
    streak = body_of(goal={"of": "streak", "per": "week", "periods": 20, "at_least": 3, "what": "purchases"}, automatic=True)
    corner = Corner({"s": streak}, BEGIN)
    for day in range(20 * 7):
        corner.buy(f"r{day}", BEGIN + day * DAY + 20 * HOUR, coffee(1))
    (instance,) = corner.state.challenges
    assert (instance.times, len(instance.parts)) == (1, MAX_STREAK_PARTS)
    assert corner.events() == [("2026-07-15 21:00", "completed", 1)]


def test_rewards_remembered_are_bounded() -> None:
    corner = Corner({"c": body_of(goal={**SPEND, "threshold": 100, "roll_over": True}, automatic=True)}, BEGIN)
    for day in range(30):
        corner.buy(f"r{day}", BEGIN + day * DAY, coffee(1, 100))
    (instance,) = corner.state.challenges
    assert (instance.times, len(instance.given), corner.points) == (30, MAX_GIVEN, 300)
    corner.bring_back("r0", BEGIN + 31 * DAY)
    assert (instance.times, corner.points) == (30, 300)


def test_only_goods_count() -> None:
    kinds: tuple[LineKind, ...] = ("item", "modifier", "delivery", "tip", "deposit", "service_charge", "gift_card_sale")
    lines = [Line(kind, kind, None, None, frozenset(), 1000, 500, 450) for kind in kinds]
    assert counts([Challenge("c", 3, WEEK)], lines) == (("c@3", 900, 2000),)
    assert counts([Challenge("c", 3, WEEK)], lines[2:]) == ()


def test_a_member_without_challenges_is_stored_as_before() -> None:
    state = MemberState("demo", "mbr_1", tags=["vip"])
    rows = encode_state(state)
    assert len(rows[-1]) == 8
    assert decode_state("demo", "mbr_1", json.loads(json.dumps(rows))).challenges == []
    assert encode_state(MemberState("demo", "mbr_1"))[-1] == 0


def test_a_full_wallet_of_challenges_stays_small() -> None:
    corner = Corner({"c": WEEK}, BEGIN)
    for number in range(MAX_CHALLENGES):
        corner.give("c", BEGIN + number)
    bare = len(pack(encode_state(MemberState("demo", "mbr_1"))))
    assert len(pack(encode_state(corner.state))) - bare < MAX_CHALLENGES * 20
    corner.buy("a", BEGIN + HOUR, coffee(1))
    corner.buy("b", BEGIN + 2 * HOUR, coffee(1))
    assert len(pack(encode_state(corner.state))) - bare < MAX_CHALLENGES * 50


@pytest.mark.parametrize("per", ["day", "week", "month"])
def test_every_local_day_is_in_exactly_one_period(per: Any) -> None:
    first = local_day(BEGIN, ZONE)
    for day in range(first - 400, first + 400):
        instant = day_start(day, ZONE)
        number = period_of(per, instant, ZONE)
        assert period_start(per, number, ZONE) <= instant < period_start(per, number + 1, ZONE)
        assert period_of(per, period_start(per, number, ZONE), ZONE) == number
