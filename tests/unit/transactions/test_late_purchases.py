"""docs/late-purchases.md, line by line: what a late purchase leaves the same as in order, and what is the nearest thing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.instants import DAY, HOUR, MINUTE, Instant
from shared.member_state.events import PointsBooked, Responded, TimePassed
from shared.member_state.model import MemberState, Referred
from shared.transactions.repository import SaleRecord
from shared.wallet.model import Posting
from shared.wallet.rules import balance
from tests.builders.house import NOW
from tests.unit.transactions.shop import POINTS, Shop, receipt

Bought = tuple[Instant, list[Any]]
ARRIVAL = NOW + 6 * DAY
SILVER = {"levels": [{"id": "silver", "name": "Silver", "threshold": 20, "multiplier_percent": 200}]}


def shop_with(**programme: Any) -> Shop:
    return Shop({"points": POINTS | programme})


def buy(shop: Shop, state: MemberState, at: Instant, lines: Any, *, now: Instant | None = None, spend: int = 0) -> SaleRecord:
    sale = shop.sell(state, receipt(at, lines, points_to_spend=spend), at, now=now)
    assert sale is not None
    return sale


def earned(sale: SaleRecord) -> int:
    return sum(award.posting.points for award in sale.awards)


def both(shop: Shop, bought: list[Bought], late: Bought) -> tuple[MemberState, MemberState]:
    """The member with that purchase in order, and with it coming last; both at the same instant."""
    in_order, out_of_order = shop.join(NOW, "mbr_in_order"), shop.join(NOW, "mbr_late")
    for at, lines in sorted([*bought, late], key=lambda each: each[0]):
        buy(shop, in_order, at, lines)
    for at, lines in sorted(bought, key=lambda each: each[0]):
        buy(shop, out_of_order, at, lines)
    for state in (in_order, out_of_order):
        shop.happens(state, TimePassed(ARRIVAL))
    buy(shop, out_of_order, *late, now=ARRIVAL)
    return in_order, out_of_order


purchases = st.lists(
    st.tuples(
        st.integers(0, 5 * 24 * 60).map(lambda minutes: NOW + minutes * MINUTE),
        st.lists(st.tuples(st.sampled_from(["burger", "fries", "pie"]), st.integers(0, 3000)).map(list), min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda each: each[0],
)
expiries = st.sampled_from(
    [{}, {"expiry": {"kind": "after_days", "days": 2}}, {"expiry": {"kind": "end_of_month"}}, {"pending": {"days": 3}},
     {"pending": {"days": 1}, "expiry": {"kind": "after_days", "days": 4}}]
)  # fmt: skip


@given(purchases, expiries)
def test_profile(bought: list[Bought], terms: dict[str, Any]) -> None:
    in_order, late = both(shop_with(**terms), bought[1:], bought[0])
    assert late.profile == in_order.profile


@given(purchases, expiries)
def test_lots(bought: list[Bought], terms: dict[str, Any]) -> None:
    """Also what has become available or has expired by then."""
    in_order, late = both(shop_with(**terms), bought[1:], bought[0])
    assert late.wallets == in_order.wallets


def test_expired_already() -> None:
    shop = shop_with(expiry={"kind": "after_days", "days": 2})
    _, late = both(shop, [], (NOW + HOUR, [["burger", 900]]))
    assert [(each.kind, each.points) for each in shop.postings("mbr_late")] == [("earn", 9), ("expire", -9)]
    assert late.wallet("points").lots == []


def test_limits() -> None:
    """Of the day: what was bought on other days leaves its own free."""
    shop = shop_with(limits={"per_day": 10})
    bought = [(NOW + 2 * DAY, [["burger", 900]]), (NOW + 3 * DAY, [["burger", 900]])]
    in_order, late = both(shop, bought, (NOW + DAY, [["burger", 900]]))
    assert late.usage == in_order.usage
    again = buy(shop, late, NOW + DAY + HOUR, [["burger", 900]], now=ARRIVAL)
    assert earned(again) == 1, "its own day has one left"


def test_tier_of_the_decision() -> None:
    shop = shop_with(tiers=SILVER)
    state = shop.join()
    buy(shop, state, NOW + 2 * DAY, [["burger", 2500]])
    assert state.tier is not None
    assert earned(buy(shop, state, NOW + DAY, [["burger", 900]], now=ARRIVAL)) == 9
    assert earned(buy(shop, state, NOW + 3 * DAY, [["burger", 900]], now=ARRIVAL)) == 18


def test_definitions() -> None:
    double = {"earning": [{"kind": "per_amount", "id": "base", "points": 2, "per": 100}]}
    shop = Shop(versions=[(NOW + 2 * DAY, "points", 2, POINTS | double)])
    state = shop.join()
    new = buy(shop, state, NOW + 3 * DAY, [["burger", 900]])
    old = buy(shop, state, NOW + DAY, [["burger", 900]], now=ARRIVAL)
    assert [(award.version, award.posting.points) for sale in (old, new) for award in sale.awards] == [(1, 9), (2, 18)]
    assert shop.reverse(state, old, at=ARRIVAL).reversed == 9


def test_visits() -> None:
    visit = {"earning": [{"kind": "fixed", "id": "visit", "points": 5}], "tiers": {"by": "visits", "levels": SILVER["levels"]}}
    shop = shop_with(**visit)
    at = ARRIVAL - 2 * DAY
    in_order, late = both(shop, [(at + 20 * MINUTE, [["burger", 900]])], (at, [["burger", 900]]))
    assert (late.visits_made, late.visits, late.profile, late.wallets) == (1, in_order.visits, in_order.profile, in_order.wallets)


def test_tier_by_the_window() -> None:
    shop = shop_with(tiers=SILVER)
    in_order, late = both(shop, [(NOW + 2 * DAY, [["burger", 900]])], (NOW + DAY, [["burger", 1100]]))
    assert in_order.tier is not None
    assert late.tier is not None
    assert (late.tier.id, in_order.tier.id) == ("silver", "silver")


def test_returns() -> None:
    shop = shop_with()
    in_order, late = shop.join(NOW, "mbr_in_order"), shop.join(NOW, "mbr_late")
    for state, now in ((in_order, NOW + DAY), (late, ARRIVAL)):
        sale = buy(shop, state, NOW + DAY, [["burger", 500, "2"]], now=now)
        shop.happens(state, TimePassed(ARRIVAL))
        assert shop.reverse(state, sale, {"1": "1"}, ARRIVAL).reversed == 5
    assert (late.wallets, late.profile) == (in_order.wallets, in_order.profile)


def test_referral() -> None:
    """The lots of both count from the purchase; ``shared.transactions.referrals`` makes them of its instant."""
    from shared.transactions.facts import circumstances
    from shared.transactions.referrals import due_for
    from shared.transactions.rules import decide

    shop = shop_with(referral={"referrer_points": 5, "friend_points": 3, "within_days": 2}, expiry={"kind": "after_days", "days": 30})
    state = shop.join()
    state.referred = Referred("mbr_2")
    shop.happens(state, TimePassed(ARRIVAL))
    request, at = receipt(NOW + DAY, [["burger", 900]]), NOW + DAY
    given_ = circumstances(shop.definitions.at(at), ARRIVAL, at, request, {}, state)
    due = due_for(state, given_, decide(request, [], given_), "txn")
    assert due is not None, "in time as of the purchase, though not as of its arrival"
    assert due.posting(3).expires_at < ARRIVAL + 30 * DAY


# -- the nearest thing ---------------------------------------------------------------------------------------------------


def test_points_spent_meanwhile() -> None:
    """In order the ten that expire sooner are drawn."""
    shop = shop_with(expiry={"kind": "after_days", "days": 20})
    states = [shop.join(NOW, name) for name in ("mbr_in_order", "mbr_late")]
    for state, arrives in zip(states, (NOW, ARRIVAL), strict=True):
        if arrives == NOW:
            buy(shop, state, NOW + HOUR, [["burger", 1000]])
        buy(shop, state, NOW + 2 * DAY, [["burger", 1000]])
        buy(shop, state, NOW + 3 * DAY, [["burger", 50]], spend=10)
        if arrives == ARRIVAL:
            buy(shop, state, NOW + HOUR, [["burger", 1000]], now=ARRIVAL)
    (left_in_order,), (left_late,) = (state.wallet("points").lots for state in states)
    assert (left_in_order.points, left_late.points) == (10, 10)
    assert left_in_order.expires_at > left_late.expires_at


def test_a_debt_made_meanwhile() -> None:
    shop = Shop(wallets={"points": {"overdraft": 20}})
    state = shop.join()
    buy(shop, state, NOW + 2 * DAY, [["burger", 10]], spend=10)
    assert state.wallet("points").debt == 10
    buy(shop, state, NOW + DAY, [["burger", 1500]], now=ARRIVAL)
    assert (state.wallet("points").debt, balance(state.wallets, {})) == (0, 5)


def test_paying_with_points() -> None:
    shop = shop_with()
    state = shop.join()
    shop.happens(state, PointsBooked(NOW + DAY, "adjust", (Posting("points", "adjust", 10),), "gift"))
    then = NOW + HOUR
    assert shop.sell(state, receipt(then, [["burger", 100]], points_to_spend=10), then, now=ARRIVAL) is not None, "they came a day later"
    assert shop.sell(state, receipt(then, [["burger", 100]], points_to_spend=10), then, now=ARRIVAL) is None, "they are gone now"


def test_limits_used_up_meanwhile() -> None:
    shop = shop_with(limits={"per_member": 10})
    in_order, late = shop.join(NOW, "mbr_in_order"), shop.join(NOW, "mbr_late")
    assert [earned(buy(shop, in_order, NOW + days * DAY, [["burger", 800]])) for days in (1, 2)] == [8, 2]
    assert earned(buy(shop, late, NOW + 2 * DAY, [["burger", 800]])) == 8
    assert earned(buy(shop, late, NOW + DAY, [["burger", 800]], now=ARRIVAL)) == 2
    assert balance(late.wallets, {}) == balance(in_order.wallets, {}) == 10


def test_first_purchase() -> None:
    shop = shop_with(earning=[{"kind": "fixed", "id": "first", "points": 7, "per": "receipt", "when": {"first_purchase": True}}])
    state = shop.join()
    assert earned(buy(shop, state, NOW + 2 * DAY, [["burger", 800]])) == 7
    assert earned(buy(shop, state, NOW + DAY, [["burger", 800]], now=ARRIVAL)) == 0


def test_a_rise_of_tier() -> None:
    shop = shop_with(tiers=SILVER | {"valid_days": 30})
    in_order, late = shop.join(NOW, "mbr_in_order"), shop.join(NOW, "mbr_late")
    assert [earned(buy(shop, in_order, NOW + days * DAY, [["burger", 2000]])) for days in (1, 2)] == [20, 40]
    assert earned(buy(shop, late, NOW + 2 * DAY, [["burger", 900]])) == 9
    shop.happens(late, TimePassed(ARRIVAL))
    buy(shop, late, NOW + DAY, [["burger", 2000]], now=ARRIVAL)
    assert in_order.tier is not None
    assert late.tier is not None
    assert (in_order.tier.since, late.tier.since) == (NOW + DAY, ARRIVAL)
    assert late.tier.until > NOW + DAY + 31 * DAY


def test_points_that_wait_for_an_event() -> None:
    shop = shop_with(pending={"until_event": "app_opened"})
    in_order, late = both(shop, [], (NOW + DAY, [["burger", 900]]))
    for state in (in_order, late):
        assert balance(state.wallets, {}) == 0
    opened = Responded(ARRIVAL, "event.app_opened")
    shop.happens(in_order, opened)
    after = buy(shop, in_order, NOW + DAY, [["burger", 500]], now=ARRIVAL)
    assert earned(after) == 5
    assert balance(in_order.wallets, {}) == 9, "those of the late purchase wait"
    shop.happens(in_order, Responded(ARRIVAL + HOUR, "event.app_opened"))
    assert balance(in_order.wallets, {}) == 14


def test_expiry_by_inactivity() -> None:
    shop = shop_with(expiry={"kind": "inactivity", "days": 3})
    in_order, late = both(shop, [(NOW + HOUR, [["burger", 900]])], (NOW + 3 * DAY, [["burger", 500]]))
    assert balance(in_order.wallets, {}) == 14
    assert (balance(late.wallets, {}), late.wallet("points").expired) == (5, 9)
    assert late.wallet("points").idle_until == in_order.wallet("points").idle_until


def test_vouchers_by_themselves() -> None:
    offers = {"voucher": {"name": "V", "effect": {"kind": "amount", "amount": 300}, "per_member": 9, "valid_days": 10}}
    shop = Shop({"points": POINTS | {"conversions": [{"id": "v", "points": 10, "offer": "voucher", "automatic": True}]}}, offers=offers)
    in_order, late = both(shop, [], (NOW + DAY, [["burger", 1000]]))
    (early,), (later,) = (list(state.coupons.values()) for state in (in_order, late))
    assert later.active_from - early.active_from == ARRIVAL - NOW - DAY
    assert balance(in_order.wallets, {}) == balance(late.wallets, {}) == 0


def test_segments() -> None:
    rule = [{"kind": "fixed", "id": "seg", "points": 4, "per": "receipt", "when": {"segments": ["old", "new", "left"]}}]
    shop = shop_with(earning=rule)
    for since, points in ((NOW + HOUR, 4), (NOW + 2 * DAY, 0)):
        state = shop.join(NOW, f"mbr_{points}")
        shop.happens(state, TimePassed(NOW + 3 * DAY))
        state.segments = {"new@1": since}
        assert _decided(shop, state, NOW + DAY) == points


def _decided(shop: Shop, state: MemberState, at: Instant) -> int:
    from shared.transactions.facts import circumstances
    from shared.transactions.rules import decide

    request = receipt(at, [["burger", 900]])
    decided = decide(request, [], circumstances(shop.definitions.at(at), ARRIVAL, at, request, {}, state))
    return sum(posting.points for posting in decided.earned)


def test_groups_of_its_location() -> None:
    """Of the west as long as it was there: the late one of that time comes when it is in the east."""
    rules = [{"kind": "fixed", "id": each, "points": points, "per": "receipt", "when": {"location_groups": [each]}}
             for each, points in (("west", 7), ("east", 3))]  # fmt: skip
    shop = shop_with(earning=rules)
    state = shop.join()
    shop.move("west")
    assert earned(buy(shop, state, NOW + HOUR, [["burger", 900]])) == 7
    shop.move("east")
    assert earned(buy(shop, state, NOW + 2 * DAY, [["burger", 900]])) == 3
    assert earned(buy(shop, state, NOW + 2 * HOUR, [["burger", 900]], now=NOW + 2 * DAY)) == 3


def test_visits_between_two_known_ones() -> None:
    visit = {"earning": [{"kind": "fixed", "id": "visit", "points": 5}]}
    shop = shop_with(**visit)
    at = ARRIVAL - DAY
    bought: list[Bought] = [(at, [["burger", 900]]), (at + 50 * MINUTE, [["burger", 900]])]
    in_order, late = both(shop, bought, (at + 25 * MINUTE, [["burger", 900]]))
    assert (balance(in_order.wallets, {}), balance(late.wallets, {})) == (5, 10)
    assert len(late.visits) == 2


def test_more_than_3_days_late() -> None:
    visit = {"earning": [{"kind": "fixed", "id": "visit", "points": 5}]}
    shop = shop_with(**visit)
    state = shop.join()
    buy(shop, state, NOW + HOUR, [["burger", 900]])
    buy(shop, state, ARRIVAL, [["burger", 900]])
    assert earned(buy(shop, state, NOW + HOUR + MINUTE, [["burger", 900]], now=ARRIVAL)) == 5, "the visit of then is forgotten"


def test_every_line_of_the_document_has_its_test() -> None:
    text = (Path(__file__).parents[3] / "docs" / "late-purchases.md").read_text()
    lines = re.findall(r"^\| \*\*(.+?)\*\*", text, re.MULTILINE)
    assert len(lines) == 23
    expected = {"test_" + re.sub(r"[^a-z0-9]+", "_", line.lower()) for line in lines}
    assert expected == {name for name in globals() if name.startswith("test_")} - {"test_every_line_of_the_document_has_its_test"}
