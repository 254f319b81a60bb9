"""The wallet's rules one by one, with numbers that a person can follow."""

from __future__ import annotations

from typing import Any

import pytest

from shared.kernel.errors import InvalidValue
from shared.kernel.instants import DAY, HOUR, NEVER
from shared.wallet.model import MAX_LOTS, SLIDING, EntryKind, Hold, Lot, Posting, ReversalPolicy, Wallet
from shared.wallet.rules import (
    available,
    earn,
    give_back,
    held,
    next_due,
    pending,
    release,
    reverse,
    settle,
    spend,
    spendable,
    touch,
    transfer_in,
    transfer_out,
)
from tests.unit.wallet.oracle import NOW

NAME = "points"
NO_HOLDS: dict[str, Hold] = {}


def gain(points: int, available_at: int = 0, expires_at: int = NEVER, awaits: str = "", kind: EntryKind = "earn") -> Posting:
    """A posting that gives points."""
    return Posting(NAME, kind, points, available_at, expires_at, awaits)


def wallet_with(*postings: Posting, **rest: Any) -> Wallet:
    """A wallet that earned these now."""
    wallet = Wallet(**rest)
    for posting in postings:
        earn(wallet, posting, NOW)
    return wallet


def test_lots_never_become_more_than_the_bound_and_merging_favours_the_guest() -> None:
    wallet = Wallet()
    for number in range(3 * MAX_LOTS):
        earn(wallet, gain(1 + number % 3, 0, NOW + (1 + number) * DAY), NOW)
        assert len(wallet.lots) <= MAX_LOTS
    assert sum(lot.points for lot in wallet.lots) == wallet.earned == 2 * 3 * MAX_LOTS
    _, expired = settle(wallet, NAME, NOW + (3 * MAX_LOTS - MAX_LOTS) * DAY)
    assert expired == [], "none expires before its own time"
    _, expired = settle(wallet, NAME, NOW + 3 * MAX_LOTS * DAY)
    assert -sum(each.points for each in expired) == wallet.earned == wallet.expired
    assert wallet.lots == []


def test_a_merged_lot_becomes_available_no_later_than_either_was() -> None:
    wallet = Wallet(lots=[Lot(1, 0, NOW + number * DAY) for number in range(2, MAX_LOTS + 2)], earned=MAX_LOTS)
    earn(wallet, gain(5, NOW + HOUR, NOW + DAY), NOW)
    assert len(wallet.lots) == MAX_LOTS
    assert wallet.lots[0] == Lot(6, 0, NOW + 2 * DAY)


def test_lots_that_wait_for_different_events_are_never_merged() -> None:
    fixed = [Lot(1, 0, NOW + number * DAY) for number in range(3, MAX_LOTS + 2)]
    wallet = Wallet(lots=[Lot(1, 0, NOW + DAY, "order.delivered"), *fixed], earned=MAX_LOTS)
    earn(wallet, gain(5, 0, NOW + 2 * DAY, "form.filled"), NOW)
    assert len(wallet.lots) == MAX_LOTS
    assert wallet.lots[:3] == [Lot(1, 0, NOW + DAY, "order.delivered"), Lot(5, 0, NOW + 2 * DAY, "form.filled"), Lot(2, 0, NOW + 4 * DAY)]


def test_where_no_two_lots_may_be_merged_all_are_kept() -> None:
    wallet = wallet_with(*(gain(1, 0, NEVER, f"event-{number:03}") for number in range(MAX_LOTS + 9)))
    assert [lot.points for lot in wallet.lots] == [1] * (MAX_LOTS + 9)


def test_a_merged_lot_that_waits_for_an_event_keeps_the_earlier_of_the_latest_waits() -> None:
    waiting = [Lot(1, 0, NOW + number * DAY, "form.filled") for number in range(2, MAX_LOTS + 2)]
    wallet = Wallet(lots=waiting, earned=MAX_LOTS)
    earn(wallet, gain(5, NOW + HOUR, NOW + DAY, "form.filled"), NOW)
    assert wallet.lots[0] == Lot(6, NOW + HOUR, NOW + 2 * DAY, "form.filled")
    assert len(wallet.lots) == MAX_LOTS
    earn(wallet, gain(2, 0, NOW + (MAX_LOTS + 9) * DAY, "form.filled"), NOW)
    assert wallet.lots[0] == Lot(7, NOW + HOUR, NOW + 3 * DAY, "form.filled")
    earn(wallet, gain(2, 0, NOW + (MAX_LOTS + 10) * DAY, "form.filled"), NOW)
    earn(wallet, gain(2, 0, NOW + (MAX_LOTS + 11) * DAY, "form.filled"), NOW)
    assert wallet.lots[0] == Lot(9, NOW + HOUR, NOW + 5 * DAY, "form.filled")


def test_two_waits_without_an_instant_are_one_without_an_instant() -> None:
    wallet = Wallet(lots=[Lot(1, 0, NOW + number * DAY, "form.filled") for number in range(1, MAX_LOTS + 1)], earned=MAX_LOTS)
    earn(wallet, gain(1, 0, NEVER, "form.filled"), NOW)
    assert wallet.lots[0] == Lot(2, 0, NOW + 2 * DAY, "form.filled")


def test_a_sliding_lot_is_never_merged_with_a_fixed_one() -> None:
    wallet = wallet_with(*(gain(1, 0, NOW + DAY, f"event-{number:03}") for number in range(MAX_LOTS - 1)), gain(7, 0, SLIDING))
    earn(wallet, gain(3), NOW)
    assert len(wallet.lots) == MAX_LOTS + 1
    assert wallet.lots[-2:] == [Lot(7, 0, SLIDING), Lot(3, 0, NEVER)]


def test_lots_are_in_order_after_two_were_merged_across_another() -> None:
    soon, later = NOW + DAY, NOW + 2 * DAY
    wallet = wallet_with(gain(1, NOW + 1, soon, "b"), gain(1, NOW + 2, later, "a"), gain(1, NOW + 3, later, "b"))
    for number in range(MAX_LOTS - 2):
        earn(wallet, gain(1, 0, NEVER, f"event-{number:03}"), NOW)
    assert wallet.lots[:2] == [Lot(2, NOW + 1, later, "b"), Lot(1, NOW + 2, later, "a")]


def test_a_hold_takes_nothing_out_of_lots() -> None:
    wallet = wallet_with(gain(10, 0, NOW + DAY))
    holds = {"h1": Hold(NAME, 4, NOW + HOUR), "h2": Hold("other", 3, NOW + HOUR)}
    assert (held(holds, NAME), available(wallet, holds, NAME), sum(lot.points for lot in wallet.lots)) == (4, 6, 10)


@pytest.mark.parametrize(
    ("postings", "holding", "debt", "floor", "expected"),
    [
        ([gain(10)], 0, 0, 0, 10),
        ([gain(10)], 4, 0, 0, 6),
        ([gain(10), gain(5, NOW + DAY)], 4, 0, 0, 6),
        ([gain(10), gain(5, awaits="form.filled")], 0, 0, 0, 10),
        ([gain(10)], 4, 0, -20, 26),
        ([], 0, 7, -20, 13),
        ([], 0, 20, -20, 0),
        ([], 0, 25, -20, 0),
        ([], 0, 7, 0, 0),
    ],
)
def test_spendable_is_what_is_there_and_free_down_to_the_floor(
    postings: list[Posting], holding: int, debt: int, floor: int, expected: int
) -> None:
    wallet = wallet_with(*postings)
    wallet.debt = debt
    assert spendable(wallet, {"h1": Hold(NAME, holding, NOW + HOUR)}, NAME, floor) == expected


def test_the_soonest_to_expire_is_drawn_first_and_a_sliding_lot_counts_as_its_idle_instant() -> None:
    soon, later, latest = NOW + DAY, NOW + 5 * DAY, NOW + 9 * DAY
    wallet = wallet_with(gain(3), gain(3, 0, latest), gain(3, 0, SLIDING), gain(3, 0, soon))
    touch(wallet, later)
    assert [(each.points, each.expires_at) for each in spend(wallet, NAME, 10)] == [(-3, soon), (-3, SLIDING), (-3, latest), (-1, NEVER)]


def test_of_two_that_expire_together_the_fixed_one_is_drawn_before_the_sliding_one() -> None:
    wallet = wallet_with(gain(3, 0, SLIDING), gain(3, 0, NOW + DAY))
    touch(wallet, NOW + DAY)
    assert [each.expires_at for each in spend(wallet, NAME, 4)] == [NOW + DAY, SLIDING]


def test_what_waits_is_not_drawn() -> None:
    wallet = wallet_with(gain(5, NOW + HOUR, NOW + DAY), gain(5, 0, NOW + DAY, "form.filled"), gain(2))
    with pytest.raises(InvalidValue, match="3 points"):
        spend(wallet, NAME, 3)
    assert spend(wallet, NAME, 2) == [Posting(NAME, "spend", -2)]


@pytest.mark.parametrize("kind", ["spend", "convert", "adjust", "transfer_out"])
def test_every_kind_that_draws_is_booked_as_itself_and_counts_as_spent(kind: EntryKind) -> None:
    wallet = wallet_with(gain(10))
    assert spend(wallet, NAME, 4, kind) == [Posting(NAME, kind, -4)]
    assert (wallet.spent, wallet.lots) == (4, [Lot(6)])


@pytest.mark.parametrize("kind", ["earn", "bonus", "open", "adjust", "transfer_in"])
def test_every_kind_that_gives_is_booked_as_itself_and_counts_as_earned(kind: EntryKind) -> None:
    wallet = Wallet()
    assert earn(wallet, gain(4, kind=kind), NOW) == [gain(4, kind=kind)]
    assert (wallet.earned, wallet.lots) == (4, [Lot(4)])


def test_spending_below_zero_makes_a_debt_down_to_the_floor_and_no_further() -> None:
    wallet = wallet_with(gain(3, 0, NOW + DAY))
    with pytest.raises(InvalidValue):
        spend(wallet, NAME, 9, floor=-5)
    assert spend(wallet, NAME, 8, floor=-5) == [Posting(NAME, "spend", -5, 0, 0), Posting(NAME, "spend", -3, 0, NOW + DAY)]
    assert (wallet.debt, wallet.spent, wallet.lots) == (5, 3, [])
    with pytest.raises(InvalidValue):
        spend(wallet, NAME, 1, floor=-5)
    assert spend(wallet, NAME, 1, floor=None) == [Posting(NAME, "spend", -1, 0, 0)]


def test_what_becomes_available_pays_a_debt_first() -> None:
    wallet = wallet_with(gain(4, NOW + HOUR), gain(9, awaits="form.filled"))
    spend(wallet, NAME, 6, floor=-6)
    assert settle(wallet, NAME, NOW + HOUR) == (0, [])
    assert (wallet.debt, wallet.reversed, available(wallet, NO_HOLDS, NAME)) == (2, 4, 0)
    assert release(wallet, "form.filled") == 7
    assert (wallet.debt, wallet.reversed, available(wallet, NO_HOLDS, NAME), pending(wallet)) == (0, 6, 7, 0)


def test_of_two_that_are_released_together_the_soonest_to_expire_pays_the_debt() -> None:
    wallet = wallet_with(gain(4, 0, NEVER, "form.filled"), gain(4, 0, SLIDING, "form.filled"), gain(4, 0, NOW + 9 * DAY, "form.filled"))
    touch(wallet, NOW + DAY)
    spend(wallet, NAME, 5, floor=-5)
    assert release(wallet, "form.filled") == 7
    assert wallet.lots == [Lot(3, 0, NOW + 9 * DAY), Lot(4, 0, NEVER)]


def test_a_debt_that_is_given_back_after_earnings_paid_it_is_a_lot_that_never_expires() -> None:
    wallet = Wallet()
    (owed,) = spend(wallet, NAME, 6, floor=-6)
    earn(wallet, gain(4, 0, NOW + DAY), NOW)
    booked = give_back(wallet, Posting(NAME, "give_back", 6, 0, owed.expires_at), NOW)
    assert booked == [Posting(NAME, "give_back", 6, 0, 0)]
    assert (wallet.debt, wallet.reversed, wallet.spent, wallet.lots) == (0, 0, 0, [Lot(4)])


def test_points_given_back_pay_a_debt_before_they_return() -> None:
    wallet = wallet_with(gain(5, 0, NOW + DAY))
    spend(wallet, NAME, 5)
    wallet.debt = 2
    give_back(wallet, Posting(NAME, "give_back", 5, 0, NOW + DAY), NOW)
    assert (wallet.debt, wallet.reversed, wallet.spent, wallet.lots) == (0, 2, 0, [Lot(3, 0, NOW + DAY)])


def test_points_given_back_after_they_expired_pay_nothing_and_expire_at_once() -> None:
    wallet = wallet_with(gain(5, 0, NOW + DAY))
    spend(wallet, NAME, 5)
    wallet.debt = 2
    booked = give_back(wallet, Posting(NAME, "give_back", 5, 0, NOW + DAY), NOW + DAY)
    assert booked == [Posting(NAME, "give_back", 5, 0, NOW + DAY), Posting(NAME, "expire", -5, 0, NOW + DAY)]
    assert (wallet.debt, wallet.expired, wallet.lots) == (2, 5, [])


@pytest.mark.parametrize(("passed", "lots", "expired"), [(DAY - 1, [Lot(5, 0, SLIDING)], 0), (DAY, [], 5)])
def test_sliding_points_given_back_expire_by_the_last_activity(passed: int, lots: list[Lot], expired: int) -> None:
    wallet = wallet_with(gain(5, 0, SLIDING))
    touch(wallet, NOW + DAY)
    spend(wallet, NAME, 5)
    give_back(wallet, Posting(NAME, "give_back", 5, 0, SLIDING), NOW + passed)
    assert (wallet.lots, wallet.expired) == (lots, expired)


def test_a_return_takes_its_own_pending_points_and_not_anothers_that_are_available() -> None:
    wallet = Wallet()
    first, second = (gain(10, NOW + hours * HOUR, NOW + DAY) for hours in (1, 3))
    earn(wallet, first, NOW)
    earn(wallet, second, NOW)
    settle(wallet, NAME, NOW + 2 * HOUR)
    assert reverse(wallet, NAME, [second]) == [Posting(NAME, "reverse", -10, NOW + 3 * HOUR, NOW + DAY)]
    assert (available(wallet, NO_HOLDS, NAME), pending(wallet)) == (10, 0)


def test_a_return_draws_from_others_what_is_available_before_what_waits() -> None:
    spent = gain(4)
    wallet = wallet_with(spent)
    spend(wallet, NAME, 4)
    for other in (gain(2, 0, NOW + DAY, "form.filled"), gain(2, NOW + HOUR, NOW + DAY), gain(2, 0, SLIDING)):
        earn(wallet, other, NOW)
    touch(wallet, NOW + DAY)
    reverse(wallet, NAME, [spent])
    assert wallet.lots == [Lot(2, 0, NOW + DAY, "form.filled")]


def test_a_return_takes_its_own_points_while_they_wait_for_an_event_and_after() -> None:
    for happened in (False, True):
        own, other = gain(10, 0, SLIDING, "order.delivered"), gain(10, 0, SLIDING, "form.filled")
        wallet = wallet_with(other, own)
        assert not happened or release(wallet, "order.delivered") == 10
        (booked,) = reverse(wallet, NAME, [own])
        assert (booked.points, booked.expires_at, booked.awaits) == (-10, SLIDING, "" if happened else "order.delivered")
        assert wallet.lots == [Lot(10, 0, SLIDING, "form.filled")]


@pytest.mark.parametrize(
    ("policy", "floor", "taken", "debt", "left"),
    [
        ("pending_only", None, 5, 0, 3),
        ("within_balance", None, 8, 0, 0),
        ("negative", None, 15, 7, 0),
        ("negative", -4, 12, 4, 0),
        ("negative", 0, 8, 0, 0),
    ],
)
def test_the_policy_says_how_far_a_return_reaches(policy: ReversalPolicy, floor: int | None, taken: int, debt: int, left: int) -> None:
    """15 points came of the purchase: 5 are pending still, 10 are spent. 3 more are of another purchase."""
    purchase = [gain(10, 0, NOW + DAY), gain(5, NOW + HOUR, NOW + DAY)]
    wallet = wallet_with(*purchase)
    spend(wallet, NAME, 10)
    earn(wallet, gain(3), NOW)
    booked = reverse(wallet, NAME, purchase, policy, floor)
    assert -sum(each.points for each in booked) == taken
    assert (wallet.debt, sum(lot.points for lot in wallet.lots)) == (debt, left)


def test_a_return_of_pending_only_leaves_what_has_matured_since() -> None:
    at_once, waited = gain(6, 0, NOW + DAY), gain(4, NOW + HOUR, NOW + DAY)
    wallet = wallet_with(at_once, waited)
    settle(wallet, NAME, NOW + HOUR)
    assert reverse(wallet, NAME, [at_once, waited], "pending_only") == []
    assert available(wallet, NO_HOLDS, NAME) == 10


def test_a_floor_counts_what_is_owed_already() -> None:
    purchase = gain(10)
    wallet = wallet_with(purchase)
    spend(wallet, NAME, 13, floor=-3)
    assert reverse(wallet, NAME, [purchase], "negative", -5) == [Posting(NAME, "reverse", -2, 0, 0)]
    assert reverse(wallet, NAME, [purchase], "negative", -4) == []
    assert wallet.debt == 5


def test_a_debt_is_booked_once_and_paid_by_what_is_earned_next() -> None:
    wallet = Wallet()
    purchase = gain(10, 0, NOW + DAY)
    booked = [*earn(wallet, purchase, NOW), *spend(wallet, NAME, 8), *reverse(wallet, NAME, [purchase])]
    assert (wallet.debt, wallet.lots, sum(each.points for each in booked)) == (8, [], -8)
    booked += earn(wallet, gain(20, 0, NOW + DAY), NOW)
    assert (wallet.debt, wallet.reversed, sum(each.points for each in booked)) == (0, 10, 12)
    assert available(wallet, NO_HOLDS, NAME) == 12


def test_of_an_event_and_an_instant_the_first_counts() -> None:
    def both() -> Wallet:
        return wallet_with(gain(5, NOW + DAY, NEVER, "order.delivered"))

    by_event, by_time = both(), both()
    assert (pending(by_event), available(by_event, NO_HOLDS, NAME), next_due(by_event)) == (5, 0, NOW + DAY)
    assert release(by_event, "order.delivered") == 5
    assert settle(by_event, NAME, NOW + DAY) == (0, [])
    assert settle(by_time, NAME, NOW + DAY) == (5, [])
    assert release(by_time, "order.delivered") == 0
    assert by_event == by_time == Wallet([Lot(5)], earned=5)


def test_points_that_arrive_after_their_latest_wait_do_not_wait() -> None:
    wallet = wallet_with(gain(5, NOW - HOUR, NEVER, "order.delivered"), gain(3, NOW, NEVER))
    assert wallet.lots == [Lot(8)]


def test_no_event_releases_what_waits_for_time_alone() -> None:
    wallet = wallet_with(gain(5, NOW + DAY), gain(2))
    assert release(wallet, "") == release(wallet, "order.delivered") == 0
    assert (pending(wallet), available(wallet, NO_HOLDS, NAME)) == (5, 2)


@pytest.mark.parametrize("wait", [2 * DAY, 3 * DAY])
def test_pending_points_that_expire_no_later_than_they_mature_were_never_available(wait: int) -> None:
    wallet = wallet_with(gain(5, NOW + wait, NOW + 2 * DAY), gain(4, 0, NOW + 2 * DAY, "form.filled"))
    assert next_due(wallet) == NOW + 2 * DAY
    matured, expired = settle(wallet, NAME, NOW + 9 * DAY)
    assert matured == 0
    assert expired == [
        Posting(NAME, "expire", -5, NOW + wait, NOW + 2 * DAY),
        Posting(NAME, "expire", -4, 0, NOW + 2 * DAY, "form.filled"),
    ]


def test_one_settling_after_a_long_time_pays_in_the_order_of_instants() -> None:
    """The debt of 4 is paid by what matures first, though that expires last."""
    wallet = wallet_with(gain(5, NOW + DAY, NOW + 9 * DAY), gain(5, NOW + 2 * DAY, NOW + 4 * DAY))
    spend(wallet, NAME, 4, floor=-4)
    assert settle(wallet, NAME, NOW + 3 * DAY) == (6, [])
    assert wallet.lots == [Lot(5, 0, NOW + 4 * DAY), Lot(1, 0, NOW + 9 * DAY)]


def test_sliding_lots_expire_when_the_guest_stays_away() -> None:
    wallet = wallet_with(gain(5, 0, SLIDING), gain(4, 0, SLIDING, "form.filled"))
    assert next_due(wallet) == NEVER, "no activity is known yet"
    touch(wallet, NOW + 3 * DAY)
    touch(wallet, NOW + 5 * DAY)
    touch(wallet, NOW + 4 * DAY)
    assert (wallet.idle_until, next_due(wallet)) == (NOW + 5 * DAY, NOW + 5 * DAY)
    assert settle(wallet, NAME, NOW + 5 * DAY - 1) == (0, [])
    assert settle(wallet, NAME, NOW + 5 * DAY) == (
        0,
        [Posting(NAME, "expire", -5, 0, SLIDING), Posting(NAME, "expire", -4, 0, SLIDING, "form.filled")],
    )
    assert (wallet.lots, wallet.expired, next_due(wallet)) == ([], 9, NEVER)


def test_a_sliding_gift_after_a_long_absence_lives_until_the_next_one() -> None:
    wallet = wallet_with(gain(5, 0, SLIDING))
    touch(wallet, NOW + DAY)
    assert settle(wallet, NAME, NOW + DAY) == (0, [Posting(NAME, "expire", -5, 0, SLIDING)])
    earn(wallet, gain(4, 0, SLIDING), NOW + DAY)
    assert (settle(wallet, NAME, NOW + 3 * DAY), wallet.lots, next_due(wallet)) == ((0, []), [Lot(4, 0, SLIDING)], NEVER)
    touch(wallet, NOW + 6 * DAY)
    assert settle(wallet, NAME, NOW + 6 * DAY) == (0, [Posting(NAME, "expire", -4, 0, SLIDING)])


def test_a_transfer_keeps_the_expiries_and_pays_what_the_receiver_owes() -> None:
    giver = wallet_with(gain(5, 0, NOW + DAY), gain(5, 0, SLIDING), gain(5))
    touch(giver, NOW + 2 * DAY)
    receiver = Wallet(debt=2, idle_until=NOW + 9 * DAY)
    given = transfer_out(giver, NAME, 12)
    assert [(each.kind, each.points) for each in given] == [("transfer_out", -5), ("transfer_out", -5), ("transfer_out", -2)]
    received = transfer_in(receiver, "gifts", given, NOW)
    assert received == [
        Posting("gifts", "transfer_in", 5, 0, NOW + DAY),
        Posting("gifts", "transfer_in", 5, 0, SLIDING),
        Posting("gifts", "transfer_in", 2, 0, NEVER),
    ]
    assert receiver == Wallet([Lot(3, 0, NOW + DAY), Lot(5, 0, SLIDING), Lot(2)], earned=12, reversed=2, idle_until=NOW + 9 * DAY)
    assert (giver.spent, giver.lots) == (12, [Lot(3)])


def test_nobody_passes_on_more_than_she_has() -> None:
    wallet = wallet_with(gain(5), gain(5, NOW + HOUR))
    with pytest.raises(InvalidValue):
        transfer_out(wallet, NAME, 6)
    assert wallet == wallet_with(gain(5), gain(5, NOW + HOUR))
