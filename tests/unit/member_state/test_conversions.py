"""Points that become coupons, by themselves or as asked, and come back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.errors import InvalidValue
from shared.kernel.ids import is_id
from shared.kernel.instants import DAY, NEVER
from shared.member_state.conversions import MOST_IN_ONE_COMMIT, convert_due, refusal, take_back
from shared.member_state.effects import Effects
from shared.member_state.events import CouponChanged, HoldPlaced, HoldReleased, PointsConverted, Purchased, TimePassed
from shared.member_state.model import MAX_COUPONS, HeldCoupon, MemberState, copy_state
from shared.member_state.rules import apply
from shared.member_state.view import Views
from shared.profile.model import Visit
from shared.programmes.terms import Conversion
from shared.wallet.model import Posting
from shared.wallet.rules import available
from tests.builders.views import programme, views
from tests.unit.member_state.stories import bought, joined, noon, starts

OFFERS = {"voucher": 50, "big": 50}


def converting(*conversions: dict[str, Any], offers: dict[str, int] | None = None, gifts: bool = True, offer_days: int = 1000) -> Views:
    """Views with one programme of these conversions."""
    known = OFFERS if offers is None else offers
    return views(programmes=[programme(conversions=conversions)], offers=known, gifts=gifts, offer_days=offer_days)


def conversion(id_: str, points: int, offer: str = "voucher", **more: Any) -> dict[str, Any]:
    return {"id": id_, "points": points, "offer": offer, "automatic": True, **more}


def held(state: MemberState) -> list[str]:
    return [coupon.offer for coupon in state.coupons.values()]


def balance(state: MemberState) -> int:
    return available(state.wallet("points"), state.holds, "points") - state.wallet("points").debt


def test_a_threshold_is_converted_as_soon_as_it_is_reached() -> None:
    live = converting(conversion("ten", 100))
    state = joined(live, noon("2026-01-01"))
    apply(state, bought(1, noon("2026-01-02"), 99), live)
    assert held(state) == []
    effects = apply(state, bought(2, noon("2026-01-03"), 2), live)
    assert (held(state), balance(state)) == (["voucher"], 1)
    ((coupon, copy),) = state.coupons.items()
    assert is_id("cpn", coupon)
    assert [(each.id, each.offer, each.issued_by) for each in effects.promised] == [(coupon, "voucher", "convert:ten")]
    assert copy.bought == effects.entries[-1].postings
    (entry,) = effects.entries[1:]
    assert (entry.kind, entry.reference, sum(posting.points for posting in entry.postings)) == ("convert", coupon, -100)
    told = [(each.type, each.data) for each in effects.events if each.type == "points.converted"]
    assert told == [("points.converted", {"wallet": "points", "points": 100, "conversion": "ten", "coupon": coupon})]


def test_most_points_first_and_as_often_as_they_suffice() -> None:
    live = converting(conversion("small", 100), conversion("large", 250, "big"))
    state = joined(live, noon("2026-01-01"))
    apply(state, bought(1, noon("2026-01-02"), 720), live)
    assert (held(state), balance(state)) == (["big", "big", "voucher", "voucher"], 20)


def test_more_than_one_commit_takes_is_left_for_the_next_at_once() -> None:
    live = converting(conversion("ten", 100))
    state = joined(live, noon("2026-01-01"))
    effects = apply(state, bought(1, noon("2026-01-02"), 1150), live)
    assert len(effects.promised) == MOST_IN_ONE_COMMIT
    assert state.timer == state.as_of + 1
    apply(state, TimePassed(state.timer), live)
    assert (len(state.coupons), balance(state)) == (10, 150)
    assert state.timer == state.as_of + 1
    apply(state, TimePassed(state.timer), live)
    assert (len(state.coupons), balance(state)) == (11, 50)
    assert state.timer is not None
    assert state.timer > state.as_of + DAY, "nothing is left"


def test_pending_points_convert_when_they_are_available() -> None:
    live = converting(conversion("ten", 100))
    state = joined(live, noon("2026-01-01"))
    at = noon("2026-01-02")
    apply(state, Purchased(at, "txn_1", Visit(at, 10, 1000, {}), (Posting("points", "earn", 100, at + 3 * DAY, NEVER),)), live)
    assert held(state) == []
    effects = apply(state, TimePassed(at + 30 * DAY), live)
    assert [(each.type, each.occurred_at) for each in effects.events] == [
        ("points.available", at + 3 * DAY),
        ("coupon.issued", at + 3 * DAY),
        ("points.converted", at + 3 * DAY),
    ]


def test_points_held_for_a_basket_are_not_converted_until_they_are_free() -> None:
    live = converting(conversion("ten", 100))
    quiet = views(offers=OFFERS)
    state = joined(quiet, noon("2026-01-01"))
    apply(state, bought(1, noon("2026-01-02"), 100), quiet)
    apply(state, HoldPlaced(noon("2026-01-03"), "h", "points", 1, noon("2026-01-09")), live)
    assert held(state) == []
    apply(state, HoldReleased(noon("2026-01-04"), "h"), live)
    assert held(state) == ["voucher"]


def test_what_she_may_have_no_more_of_is_passed_over() -> None:
    live = converting(conversion("large", 250, "big"), conversion("small", 100), offers={"big": 1, "voucher": 50})
    state = joined(live, noon("2026-01-01"))
    apply(state, bought(1, noon("2026-01-02"), 600), live)
    assert held(state) == ["big", "voucher", "voucher", "voucher"]


def test_a_coupon_that_ran_out_makes_room_for_the_next() -> None:
    live = converting(conversion("ten", 100), offers={"voucher": 1}, offer_days=10)
    state = joined(live, noon("2026-01-01"))
    apply(state, bought(1, noon("2026-01-02"), 250), live)
    assert (held(state), balance(state)) == (["voucher"], 150)
    effects = apply(state, TimePassed(noon("2026-01-12")), live)
    assert [each.type for each in effects.events] == ["coupon.expired", "coupon.issued", "points.converted"]
    assert balance(state) == 50


def test_a_redeemed_one_counts_towards_what_she_may_have() -> None:
    live = converting(conversion("ten", 100), offers={"voucher": 1})
    state = joined(live, noon("2026-01-01"))
    apply(state, bought(1, noon("2026-01-02"), 250), live)
    (coupon,) = state.coupons
    apply(state, CouponChanged(noon("2026-01-03"), coupon, "redeemed"), live)
    assert (held(state), balance(state)) == ([], 150)


def test_neither_without_the_offer_nor_in_imported_history() -> None:
    for live in (converting(conversion("ten", 100), offers={}), converting(conversion("ten", 100), gifts=False)):
        state = joined(live, noon("2026-01-01"))
        apply(state, bought(1, noon("2026-01-02"), 250), live)
        assert (held(state), balance(state)) == ([], 250)


def test_what_is_not_automatic_waits_to_be_asked_for() -> None:
    live = converting(conversion("ten", 100, automatic=False))
    state = joined(live, noon("2026-01-01"))
    apply(state, bought(1, noon("2026-01-02"), 250), live)
    assert held(state) == []
    asked = PointsConverted(noon("2026-01-03"), "points", "ten", 100, "voucher", ("cpn_a", "cpn_b"))
    effects = apply(state, asked, live)
    assert list(state.coupons) == ["cpn_a", "cpn_b"]
    assert balance(state) == 50
    assert [(each.data["coupon"], each.cause) for each in effects.events if each.type == "points.converted"] == [
        ("cpn_a", "request"),
        ("cpn_b", "request"),
    ]
    with pytest.raises(InvalidValue):
        apply(state, PointsConverted(noon("2026-01-04"), "points", "ten", 100, "voucher", ("cpn_c",)), live)
    assert balance(state) == 50


@pytest.mark.parametrize(
    ("points", "times", "more", "reason"),
    [
        (300, 3, {}, None),
        (299, 3, {}, "insufficient_points"),
        (0, 1, {}, "insufficient_points"),
        (900, 4, {}, "too_many_coupons"),
        (900, 3, {"most_at_once": 2}, "too_many_coupons"),
        (900, 1, {"offer": "gone"}, "unknown_offer"),
    ],
)
def test_why_a_conversion_is_refused(points: int, times: int, more: dict[str, Any], reason: str | None) -> None:
    written = conversion("ten", 100, automatic=False) | more
    live = converting(written, offers={"voucher": 3})
    state = joined(live, noon("2026-01-01"))
    if points:
        apply(state, bought(1, noon("2026-01-02"), points), live)
    asked = Conversion.model_validate(written)
    assert refusal(state, live(0), asked, times, state.as_of) == reason
    assert refusal(state, live(0), asked, times, state.as_of, wallet="other") == (reason or "insufficient_points")


def test_nobody_holds_more_coupons_than_the_bound() -> None:
    live = converting(conversion("ten", 100), offers={"voucher": 500})
    state = joined(live, noon("2026-01-01"))
    for number in range(MAX_COUPONS - 1):
        state.coupons[f"cpn_{number}"] = HeldCoupon("other", "active", 0, NEVER)
    apply(state, bought(1, noon("2026-01-02"), 250), live)
    assert (len(state.coupons), balance(state)) == (MAX_COUPONS, 150)


def test_unused_vouchers_are_taken_back_newest_first_until_enough_came_back() -> None:
    live = converting(conversion("ten", 100))
    state = joined(live, noon("2026-01-01"))
    for number in range(3):
        apply(state, bought(number, noon(f"2026-01-0{number + 2}"), 100), live)
        state.version += 1
    oldest, middle, newest = state.coupons
    effects = Effects()
    take_back(state, "points", 101, noon("2026-01-09"), effects)
    assert list(state.coupons) == [oldest]
    assert effects.withdrawn == [newest, middle]
    assert balance(state) == 200
    assert [(each.kind, each.reference) for each in effects.entries] == [("give_back", newest), ("give_back", middle)]
    assert [(each.type, each.data["coupon"]) for each in effects.events] == [("coupon.voided", newest), ("coupon.voided", middle)]


def test_only_vouchers_that_were_bought_with_those_points_and_are_free() -> None:
    live = converting(conversion("ten", 100))
    state = joined(live, noon("2026-01-01"))
    apply(state, bought(1, noon("2026-01-02"), 100), live)
    (coupon,) = state.coupons
    state.coupons["cpn_Z"] = HeldCoupon("voucher", "active", 0, NEVER)
    effects = Effects()
    take_back(state, "stars", 50, noon("2026-01-03"), effects)
    state.coupons[coupon].state = "held"
    take_back(state, "points", 50, noon("2026-01-03"), effects)
    assert (effects.withdrawn, len(state.coupons)) == ([], 2)


def test_a_voucher_given_in_the_same_commit_is_never_written() -> None:
    live = converting(conversion("ten", 100))
    state = joined(live, noon("2026-01-01"))
    effects = apply(state, bought(1, noon("2026-01-02"), 200), live)
    first, second = (each.id for each in effects.promised)
    newest = max(first, second)
    take_back(state, "points", 50, noon("2026-01-02"), effects)
    assert [each.id for each in effects.promised] == [min(first, second)]
    assert effects.withdrawn == []
    convert_due(state, live(0), noon("2026-01-02"), effects)
    assert newest not in {each.id for each in effects.promised}
    assert len({each.id for each in effects.promised}) == 2


def test_points_that_have_expired_meanwhile_come_back_only_to_expire() -> None:
    live = converting(conversion("ten", 100))
    state = joined(live, noon("2026-01-01"))
    at = noon("2026-01-02")
    for number, days in enumerate((30, 5)):
        bought_at = at + number
        lot = Posting("points", "earn", 100, 0, starts("2026-01-02") + days * DAY)
        apply(state, Purchased(bought_at, f"txn_{number}", Visit(bought_at, 10, 1000, {}), (lot,)), live)
        state.version += 1
    effects = Effects()
    take_back(state, "points", 100, noon("2026-01-20"), effects)
    assert (held(state), balance(state)) == ([], 100), "the one that gave nothing back was not enough"
    wallet = state.wallet("points")
    assert (wallet.spent, wallet.expired, wallet.earned) == (0, 100, 200)


points = st.lists(st.integers(1, 400), min_size=1, max_size=6)


@given(points, st.integers(20, 150), st.integers(0, 900))
def test_points_are_never_made_or_lost_by_conversions(earned: list[int], price: int, missing: int) -> None:
    live = converting(conversion("a", price), conversion("b", 3 * price, "big"))
    state = joined(live, noon("2026-01-01"))
    booked = 0
    for number, each in enumerate(earned):
        effects = apply(state, bought(number, noon("2026-01-02") + number, each), live)
        state.version += 1
        booked += sum(posting.points for entry in effects.entries for posting in entry.postings)
        assert booked == balance(state)
    before = copy_state(state)
    worth = -sum(posting.points for coupon in state.coupons.values() for posting in coupon.bought)
    assert balance(state) + worth == sum(earned)
    effects = Effects()
    take_back(state, "points", missing, noon("2026-01-09"), effects)
    came_back = balance(state) - balance(before)
    assert came_back == sum(-posting.points for id_ in effects.withdrawn for posting in before.coupons[id_].bought)
    assert came_back >= min(missing, worth)
    assert set(before.coupons) - set(state.coupons) == set(effects.withdrawn)
