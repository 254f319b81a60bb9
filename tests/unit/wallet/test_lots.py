"""Lots against single points: whatever is earned, spent, returned and let pass, in any order, the sums add up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.kernel.instants import DAY, HOUR, NEVER, Instant
from shared.wallet.model import MAX_LOTS, Hold, Lot, Posting, Wallet
from shared.wallet.rules import available, earn, give_back, held, next_due, pending, reverse, settle, spend
from tests.builders.house import NOW

NAME = "points"
NO_HOLDS: dict[str, Hold] = {}
PERSISTENT = settings(max_examples=max(200, settings().max_examples), stateful_step_count=40, deadline=None)


@dataclass
class Point:
    """One point: when it may be spent, and until when."""

    available_at: Instant
    expires_at: Instant


class Oracle:
    """A wallet as a bag of single points. Slow, and too simple to be wrong in the same way."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.earned = self.spent = self.expired = self.reversed = self.debt = 0

    def earn(self, points: int, available_at: Instant, expires_at: Instant, now: Instant) -> None:
        self.earned += points
        for _ in range(points):
            if self.debt:
                self.debt -= 1
                self.reversed += 1
            else:
                self.points.append(Point(0 if available_at <= now else available_at, expires_at))

    def in_order(self, *, matured_only: bool) -> list[Point]:
        """Those that are drawn first come first: the soonest to expire, then the soonest available."""
        usable = [each for each in self.points if not (matured_only and each.available_at)]
        return sorted(usable, key=lambda each: (each.expires_at, each.available_at))

    def spend(self, points: int) -> Counter[Instant]:
        """Answers how many of each expiry were drawn."""
        drawn = self.in_order(matured_only=True)[:points]
        self._take(drawn)
        self.spent += points
        return Counter(each.expires_at for each in drawn)

    def give_back(self, points: int, expires_at: Instant, now: Instant) -> None:
        self.spent -= points
        if expires_at <= now:
            self.expired += points
        else:
            self.points += [Point(0, expires_at) for _ in range(points)]

    def reverse(self, postings: list[Posting]) -> None:
        """From where each went to; then from any; the rest is owed."""
        missing = 0
        for posting in postings:
            for _ in range(posting.points):
                if not self._take_one(posting):
                    missing += 1
        others = self.in_order(matured_only=False)[:missing]
        self._take(others)
        self.reversed += len(others)
        self.debt += missing - len(others)

    def _take_one(self, posting: Posting) -> bool:
        """One point of the posting's own: still pending as it was booked, else matured since."""
        for available_at in (posting.available_at, 0):
            for each in self.points:
                if (each.expires_at, each.available_at) == (posting.expires_at, available_at):
                    self._take([each])
                    self.reversed += 1
                    return True
        return False

    def settle(self, now: Instant) -> tuple[int, int]:
        """Answers how many matured, and how many expired."""
        matured = [each for each in self.points if 0 < each.available_at <= now]
        for each in matured:
            each.available_at = 0
        gone = [each for each in self.points if each.expires_at <= now]
        self._take(gone)
        self.expired += len(gone)
        return len(matured), len(gone)

    def lots(self) -> dict[tuple[Instant, Instant], int]:
        """Points by both instants."""
        return dict(Counter((each.expires_at, each.available_at) for each in self.points))

    def _take(self, points: list[Point]) -> None:
        gone = {id(each) for each in points}
        self.points = [each for each in self.points if id(each) not in gone]


class WalletMachine(RuleBasedStateMachine):
    """Both wallets go through the same, and are compared after every step."""

    @initialize(coarse=st.booleans())
    def begin(self, coarse: bool) -> None:
        self.now: Instant = NOW
        self.wallet, self.oracle = Wallet(), Oracle()
        self.purchases: list[list[Posting]] = []
        self.payments: list[list[Posting]] = []
        self.booked: Counter[str] = Counter()
        self.step = DAY if coarse else HOUR

    def book(self, postings: list[Posting]) -> None:
        """The ledger: sums by kind."""
        for posting in postings:
            assert posting.wallet == NAME
            assert posting.points, "nothing is booked as nothing"
            self.booked[posting.kind] += posting.points

    @rule(points=st.integers(1, 30), wait=st.sampled_from([0, 0, 1, 2, 5]), life=st.sampled_from([1, 2, 3, 6, 10, None]))
    def earns(self, points: int, wait: int, life: int | None) -> None:
        available_at = self.now + wait * self.step if wait else 0
        expires_at = NEVER if life is None else self.now + (wait + life) * self.step
        posting = Posting(NAME, "earn", points, available_at, expires_at)
        self.book(earn(self.wallet, posting, self.now))
        self.oracle.earn(points, available_at, expires_at, self.now)
        self.purchases.append([posting])

    @rule(first=st.integers(1, 20), second=st.integers(1, 20))
    def earns_by_two_programmes(self, first: int, second: int) -> None:
        postings = [Posting(NAME, "earn", first, 0, self.now + 4 * self.step), Posting(NAME, "bonus", second, 0, NEVER)]
        for posting in postings:
            self.book(earn(self.wallet, posting, self.now))
            self.oracle.earn(posting.points, 0, posting.expires_at, self.now)
        self.purchases.append(postings)

    @precondition(lambda self: available(self.wallet, NO_HOLDS, NAME) > 0)
    @rule(data=st.data())
    def spends(self, data: st.DataObject) -> None:
        points = data.draw(st.integers(1, available(self.wallet, NO_HOLDS, NAME)))
        soonest = min(lot.expires_at for lot in self.wallet.lots if not lot.available_at)
        drawn = spend(self.wallet, NAME, points)
        self.book(drawn)
        by_expiry = Counter({each.expires_at: 0 for each in drawn})
        for each in drawn:
            by_expiry[each.expires_at] -= each.points
        assert by_expiry == self.oracle.spend(points)
        assert drawn[0].expires_at == soonest
        assert [each.expires_at for each in drawn] == sorted(each.expires_at for each in drawn)
        self.payments.append(drawn)

    @precondition(lambda self: self.payments)
    @rule(data=st.data())
    def a_payment_is_given_back(self, data: st.DataObject) -> None:
        drawn = self.payments.pop(data.draw(st.integers(0, len(self.payments) - 1)))
        for each in drawn:
            self.book(give_back(self.wallet, Posting(NAME, "give_back", -each.points, 0, each.expires_at), self.now))
            self.oracle.give_back(-each.points, each.expires_at, self.now)

    @precondition(lambda self: self.purchases)
    @rule(data=st.data())
    def a_purchase_is_reversed(self, data: st.DataObject) -> None:
        postings = self.purchases.pop(data.draw(st.integers(0, len(self.purchases) - 1)))
        before = self.wallet.debt
        self.book(reverse(self.wallet, NAME, postings))
        self.oracle.reverse(postings)
        assert not (self.wallet.debt > before and self.wallet.lots), "nothing is owed while there is something to take"

    @rule(steps=st.integers(0, 4), minutes=st.integers(0, 1))
    def time_passes(self, steps: int, minutes: int) -> None:
        self.now += steps * self.step + minutes
        matured, expired = settle(self.wallet, NAME, self.now)
        self.book(expired)
        assert (matured, -sum(each.points for each in expired)) == self.oracle.settle(self.now)
        assert next_due(self.wallet) > self.now

    @rule()
    def settling_again_changes_nothing(self) -> None:
        settle(self.wallet, NAME, self.now)
        self.oracle.settle(self.now)
        lots = [(lot.points, lot.available_at, lot.expires_at) for lot in self.wallet.lots]
        assert settle(self.wallet, NAME, self.now) == (0, [])
        assert [(lot.points, lot.available_at, lot.expires_at) for lot in self.wallet.lots] == lots

    @invariant()
    def nothing_is_lost(self) -> None:
        wallet = self.wallet
        in_lots = sum(lot.points for lot in wallet.lots)
        assert wallet.earned == in_lots + wallet.spent + wallet.expired + wallet.reversed
        assert in_lots == available(wallet, NO_HOLDS, NAME) + pending(wallet)
        assert min(wallet.spent, wallet.expired, wallet.reversed, wallet.debt) >= 0

    @invariant()
    def the_ledger_proves_it(self) -> None:
        wallet, booked = self.wallet, self.booked
        assert sum(booked.values()) == sum(lot.points for lot in wallet.lots) - wallet.debt
        assert booked["earn"] + booked["bonus"] == wallet.earned
        assert -booked["expire"] == wallet.expired
        assert -(booked["spend"] + booked["give_back"]) == wallet.spent
        assert -booked["reverse"] == wallet.reversed + wallet.debt

    @invariant()
    def lots_are_positive_few_and_in_drawing_order(self) -> None:
        lots = self.wallet.lots
        assert all(lot.points > 0 for lot in lots)
        order = [(lot.expires_at, lot.available_at) for lot in lots]
        assert order == sorted(set(order))
        assert len(lots) <= MAX_LOTS

    @invariant()
    def single_points_say_the_same(self) -> None:
        wallet, oracle = self.wallet, self.oracle
        sums = (wallet.earned, wallet.spent, wallet.expired, wallet.reversed, wallet.debt)
        assert sums == (oracle.earned, oracle.spent, oracle.expired, oracle.reversed, oracle.debt)
        assert {(lot.expires_at, lot.available_at): lot.points for lot in wallet.lots} == oracle.lots()


TestLots = WalletMachine.TestCase
TestLots.settings = PERSISTENT


def test_lots_never_become_more_than_the_bound_and_merging_favours_the_guest() -> None:
    wallet = Wallet()
    for number in range(3 * MAX_LOTS):
        earn(wallet, Posting(NAME, "earn", 1 + number % 3, 0, NOW + (1 + number) * DAY), NOW)
        assert len(wallet.lots) <= MAX_LOTS
    assert sum(lot.points for lot in wallet.lots) == wallet.earned == 2 * 3 * MAX_LOTS
    _, expired = settle(wallet, NAME, NOW + (3 * MAX_LOTS - MAX_LOTS) * DAY)
    assert expired == [], "none expires before its own time"
    _, expired = settle(wallet, NAME, NOW + 3 * MAX_LOTS * DAY)
    assert -sum(each.points for each in expired) == wallet.earned == wallet.expired
    assert wallet.lots == []


def test_a_merged_lot_becomes_available_no_later_than_either_was() -> None:
    wallet = Wallet(lots=[Lot(1, 0, NOW + number * DAY) for number in range(2, MAX_LOTS + 2)], earned=MAX_LOTS)
    earn(wallet, Posting(NAME, "earn", 5, NOW + HOUR, NOW + DAY), NOW)
    assert len(wallet.lots) == MAX_LOTS
    assert (wallet.lots[0].points, wallet.lots[0].available_at, wallet.lots[0].expires_at) == (6, 0, NOW + 2 * DAY)


def test_a_hold_takes_nothing_out_of_lots() -> None:
    wallet = Wallet()
    earn(wallet, Posting(NAME, "earn", 10, 0, NOW + DAY), NOW)
    holds = {"h1": Hold(NAME, 4, NOW + HOUR), "h2": Hold("other", 3, NOW + HOUR)}
    assert (held(holds, NAME), available(wallet, holds, NAME), sum(lot.points for lot in wallet.lots)) == (4, 6, 10)


def test_a_return_takes_its_own_pending_points_and_not_anothers_that_are_available() -> None:
    wallet = Wallet()
    first, second = (Posting(NAME, "earn", 10, NOW + hours * HOUR, NOW + DAY) for hours in (1, 3))
    earn(wallet, first, NOW)
    earn(wallet, second, NOW)
    settle(wallet, NAME, NOW + 2 * HOUR)
    assert reverse(wallet, NAME, [second]) == [Posting(NAME, "reverse", -10, NOW + 3 * HOUR, NOW + DAY)]
    assert (available(wallet, NO_HOLDS, NAME), pending(wallet)) == (10, 0)


def test_a_debt_is_booked_once_and_paid_by_what_is_earned_next() -> None:
    wallet = Wallet()
    purchase = Posting(NAME, "earn", 10, 0, NOW + DAY)
    booked = [*earn(wallet, purchase, NOW), *spend(wallet, NAME, 8), *reverse(wallet, NAME, [purchase])]
    assert (wallet.debt, wallet.lots, sum(each.points for each in booked)) == (8, [], -8)
    booked += earn(wallet, Posting(NAME, "earn", 20, 0, NOW + DAY), NOW)
    assert (wallet.debt, wallet.reversed, sum(each.points for each in booked)) == (0, 10, 12)
    assert available(wallet, NO_HOLDS, NAME) == 12
