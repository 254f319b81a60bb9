"""Lots against single points: whatever two guests earn, spend, return, pass on and let pass, in any order, the books add up."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.kernel.errors import InvalidValue
from shared.kernel.instants import DAY, HOUR, NEVER, Instant
from shared.wallet.model import MAX_LOTS, SLIDING, EntryKind, Hold, Posting, ReversalPolicy, Wallet
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
from tests.unit.wallet.oracle import NOW, Oracle

PERSISTENT = settings(max_examples=max(200, settings().max_examples), stateful_step_count=40, deadline=None)

WHO = st.integers(0, 1)
EVENTS = ("order.delivered", "form.filled")
GIVING: tuple[EntryKind, ...] = ("earn", "bonus", "open", "adjust")
DRAWING: tuple[EntryKind, ...] = ("spend", "spend", "convert", "adjust", "transfer_out")
POLICIES: tuple[ReversalPolicy, ...] = ("pending_only", "within_balance", "negative")


@dataclass
class Book:
    """One guest: her wallet, the same as points, and what was booked."""

    name: str
    wallet: Wallet = field(default_factory=Wallet)
    oracle: Oracle = field(default_factory=Oracle)
    holds: dict[str, Hold] = field(default_factory=dict)
    purchases: list[list[Posting]] = field(default_factory=list)
    payments: list[list[Posting]] = field(default_factory=list)
    ledger: list[Posting] = field(default_factory=list)

    def book(self, postings: list[Posting]) -> None:
        for posting in postings:
            assert posting.wallet == self.name
            assert posting.points, "nothing is booked as nothing"
        self.ledger += postings

    def balance(self) -> int:
        return sum(lot.points for lot in self.wallet.lots) - self.wallet.debt

    def gain(self, posting: Posting, now: Instant) -> None:
        self.book(earn(self.wallet, posting, now))
        self.oracle.earn(posting, now)

    def settle(self, now: Instant) -> None:
        became, expired = settle(self.wallet, self.name, now)
        self.book(expired)
        gone: Counter[tuple[Instant, Instant, str]] = Counter()
        for each in expired:
            assert (each.kind, each.points < 0) == ("expire", True)
            gone[each.expires_at, each.available_at, each.awaits] -= each.points
        assert (became, gone) == self.oracle.settle(now)
        assert next_due(self.wallet) > now

    def draw(self, points: int, kind: EntryKind = "spend", floor: int | None = 0) -> list[Posting]:
        drawn = spend(self.wallet, self.name, points, kind, floor)
        assert {each.kind for each in drawn} == {kind}
        self._check_drawn(drawn, self.oracle.spend(points))
        return drawn

    def give_away(self, points: int) -> list[Posting]:
        drawn = transfer_out(self.wallet, self.name, points)
        assert {each.kind for each in drawn} == {"transfer_out"}
        self._check_drawn(drawn, self.oracle.spend(points))
        return drawn

    def _check_drawn(self, drawn: list[Posting], expected: Counter[Instant]) -> None:
        self.book(drawn)
        by_expiry: Counter[Instant] = Counter()
        for each in drawn:
            by_expiry[each.expires_at] -= each.points
        assert by_expiry == expected
        order = [self.wallet.idle_until if each.expires_at == SLIDING else each.expires_at for each in drawn]
        assert order == sorted(order)


class WalletMachine(RuleBasedStateMachine):
    """Two wallets go through the same as their oracles, and are compared after every step."""

    @initialize(coarse=st.booleans())
    def begin(self, coarse: bool) -> None:
        self.now: Instant = NOW
        self.books = [Book("points"), Book("stars")]
        self.step = DAY if coarse else HOUR
        self.number = 0

    @rule(
        who=WHO,
        kind=st.sampled_from(GIVING),
        points=st.integers(1, 30),
        wait=st.sampled_from([0, 0, 1, 2, 5]),
        awaits=st.sampled_from(["", "", *EVENTS]),
        life=st.sampled_from([1, 2, 3, 6, 10, None]),
        late=st.sampled_from([0, 0, 0, 3]),
    )
    def earns(self, who: int, kind: EntryKind, points: int, wait: int, awaits: str, life: int | None, late: int) -> None:
        book, at = self.books[who], self.now - late * self.step
        available_at = at + wait * self.step if wait else 0
        expires_at = NEVER if life is None else at + life * self.step
        posting = Posting(book.name, kind, points, available_at, expires_at, awaits)
        book.gain(posting, self.now)
        book.settle(self.now)
        book.purchases.append([posting])

    @rule(
        who=WHO,
        points=st.integers(1, 30),
        idle=st.sampled_from([None, 1, 3, 8]),
        awaits=st.sampled_from(["", "", EVENTS[0]]),
        touched_first=st.booleans(),
    )
    def earns_until_idle(self, who: int, points: int, idle: int | None, awaits: str, touched_first: bool) -> None:
        """By a purchase, which is an activity, or as a gift, which is none."""
        book = self.books[who]
        if idle is not None and touched_first:
            self._touch(book, idle)
        posting = Posting(book.name, "earn", points, 0, SLIDING, awaits)
        book.gain(posting, self.now)
        if idle is not None and not touched_first:
            self._touch(book, idle)
        lots = deepcopy(book.wallet.lots)
        book.settle(self.now)
        assert book.wallet.lots == lots, "nobody earns what is gone already"
        book.purchases.append([posting])

    @rule(who=WHO, idle=st.sampled_from([0, 2, 5]))
    def is_active(self, who: int, idle: int) -> None:
        self._touch(self.books[who], idle)
        self.books[who].settle(self.now)

    @rule(who=WHO, first=st.integers(1, 20), second=st.integers(1, 20))
    def earns_by_two_programmes(self, who: int, first: int, second: int) -> None:
        book = self.books[who]
        postings = [Posting(book.name, "earn", first, 0, self.now + 4 * self.step), Posting(book.name, "bonus", second)]
        for posting in postings:
            book.gain(posting, self.now)
        book.purchases.append(postings)

    @rule(event=st.sampled_from(EVENTS), who=WHO)
    def an_event_happens(self, event: str, who: int) -> None:
        book = self.books[who]
        assert release(book.wallet, event) == book.oracle.release(event)
        assert all(lot.awaits != event for lot in book.wallet.lots)

    @rule(who=WHO, kind=st.sampled_from(DRAWING), floor=st.sampled_from([0, 0, -10, -25]), data=st.data())
    def spends(self, who: int, kind: EntryKind, floor: int, data: st.DataObject) -> None:
        book = self.books[who]
        possible = spendable(book.wallet, book.holds, book.name, floor)
        if possible:
            book.payments.append(book.draw(data.draw(st.integers(1, possible)), kind, floor))
            assert available(book.wallet, book.holds, book.name) - book.wallet.debt >= floor

    @rule(who=WHO, floor=st.sampled_from([0, -10]), excess=st.integers(1, 5))
    def nobody_spends_more_than_there_is(self, who: int, floor: int, excess: int) -> None:
        book = self.books[who]
        before = deepcopy(book.wallet)
        with pytest.raises(InvalidValue):
            spend(book.wallet, book.name, spendable(book.wallet, {}, book.name, floor) + excess, "spend", floor)
        assert book.wallet == before

    @rule(who=WHO, points=st.integers(1, 20))
    def an_offline_sale_took_what_it_took(self, who: int, points: int) -> None:
        book = self.books[who]
        book.payments.append(book.draw(points, floor=None))

    @rule(who=WHO, floor=st.sampled_from([0, -12]), data=st.data())
    def a_payment_given_back_at_once_leaves_no_trace(self, who: int, floor: int, data: st.DataObject) -> None:
        book = self.books[who]
        possible = spendable(book.wallet, {}, book.name, floor)
        if possible:
            before = deepcopy(book.wallet)
            for each in book.draw(data.draw(st.integers(1, possible)), floor=floor):
                self._give_back(book, each, -each.points)
            assert book.wallet == before

    @precondition(lambda self: any(book.payments for book in self.books))
    @rule(data=st.data())
    def a_payment_is_given_back(self, data: st.DataObject) -> None:
        """Whole or in part, also in several parts."""
        book = data.draw(st.sampled_from([book for book in self.books if book.payments]))
        drawn = book.payments.pop(data.draw(st.integers(0, len(book.payments) - 1)))
        rest = []
        for each in drawn:
            part = data.draw(st.integers(0, -each.points) | st.just(-each.points))
            if part:
                self._give_back(book, each, part)
            if part < -each.points:
                rest.append(Posting(book.name, each.kind, each.points + part, 0, each.expires_at))
        if rest:
            book.payments.append(rest)

    @precondition(lambda self: any(book.purchases for book in self.books))
    @rule(policy=st.sampled_from(POLICIES), floor=st.sampled_from([None, 0, -10]), data=st.data())
    def a_purchase_is_reversed(self, policy: ReversalPolicy, floor: int | None, data: st.DataObject) -> None:
        """Whole or in part, also in several parts."""
        book = data.draw(st.sampled_from([book for book in self.books if book.purchases]))
        purchase = book.purchases.pop(data.draw(st.integers(0, len(book.purchases) - 1)))
        parts = [data.draw(st.integers(1, each.points) | st.just(each.points)) for each in purchase]
        back = [self._of(each, part) for each, part in zip(purchase, parts, strict=True)]
        rest = [self._of(each, each.points - part) for each, part in zip(purchase, parts, strict=True) if part < each.points]
        if rest:
            book.purchases.append(rest)
        debt, balance = book.wallet.debt, book.balance()
        booked = reverse(book.wallet, book.name, back, policy, floor)
        book.book(booked)
        taken = -sum(each.points for each in booked)
        assert taken == balance - book.balance() == book.oracle.reverse(back, policy, floor) <= sum(parts)
        if book.wallet.debt > debt:
            assert policy == "negative"
            assert not book.wallet.lots, "nothing is owed while there is something to take"
            assert floor is None or book.wallet.debt <= -floor
        assert floor is not None or policy != "negative" or taken == sum(parts), "nothing is forgiven unless a floor says so"

    @rule(giver=WHO, data=st.data())
    def points_are_passed_on(self, giver: int, data: st.DataObject) -> None:
        one, other = self.books[giver], self.books[1 - giver]
        if possible := spendable(one.wallet, one.holds, one.name):
            before = one.balance() + other.balance()
            given = one.give_away(data.draw(st.integers(1, possible)))
            received = transfer_in(other.wallet, other.name, given, self.now)
            other.book(received)
            assert [(each.points, each.expires_at) for each in received] == [(-each.points, each.expires_at) for each in given]
            for each in received:
                assert (each.kind, each.available_at, each.awaits) == ("transfer_in", 0, "")
                other.oracle.earn(each, self.now)
            assert one.balance() + other.balance() == before
            other.settle(self.now)

    @rule(who=WHO, data=st.data())
    def points_are_held(self, who: int, data: st.DataObject) -> None:
        book = self.books[who]
        if (possible := available(book.wallet, book.holds, book.name)) > 0:
            self.number += 1
            points = data.draw(st.integers(1, possible))
            before = deepcopy(book.wallet)
            book.holds[f"hold-{self.number}"] = Hold(book.name, points, self.now + self.step)
            assert available(book.wallet, book.holds, book.name) == possible - points
            assert book.wallet == before

    @precondition(lambda self: any(book.holds for book in self.books))
    @rule(used=st.booleans(), data=st.data())
    def a_hold_ends(self, used: bool, data: st.DataObject) -> None:
        book = data.draw(st.sampled_from([book for book in self.books if book.holds]))
        hold = book.holds.pop(data.draw(st.sampled_from(sorted(book.holds))))
        points = min(hold.points, spendable(book.wallet, book.holds, book.name))
        if used and points:
            book.payments.append(book.draw(points))

    @rule(steps=st.integers(0, 4), minutes=st.integers(0, 1))
    def time_passes(self, steps: int, minutes: int) -> None:
        self.now += steps * self.step + minutes
        for book in self.books:
            book.settle(self.now)
            settled = deepcopy(book.wallet)
            assert settle(book.wallet, book.name, self.now) == (0, [])
            assert book.wallet == settled

    @invariant()
    def every_bucket_adds_up(self) -> None:
        for book in self.books:
            wallet = book.wallet
            in_lots = sum(lot.points for lot in wallet.lots)
            assert wallet.earned == in_lots + wallet.spent + wallet.expired + wallet.reversed
            on_hold = held(book.holds, book.name)
            assert in_lots == available(wallet, book.holds, book.name) + pending(wallet) + on_hold
            assert min(wallet.earned, wallet.spent, wallet.expired, wallet.reversed, wallet.debt) >= 0
            assert not wallet.debt or in_lots == pending(wallet), "who owes has nothing matured"

    @invariant()
    def the_ledger_proves_it(self) -> None:
        for book in self.books:
            wallet = book.wallet
            sums: Counter[str] = Counter()
            for each in book.ledger:
                gives = each.points > 0 and each.kind != "give_back"
                bucket = "earned" if gives else "owed" if each.kind == "reverse" or each.expires_at == 0 else "spent"
                sums["expired" if each.kind == "expire" else bucket] += each.points
            assert sums.total() == book.balance()
            assert (sums["earned"], sums["expired"], sums["spent"]) == (wallet.earned, -wallet.expired, -wallet.spent)
            assert sums["owed"] == -(wallet.reversed + wallet.debt)

    @invariant()
    def lots_are_positive_few_and_in_order(self) -> None:
        for book in self.books:
            lots = book.wallet.lots
            assert all(lot.points > 0 for lot in lots)
            order = [(lot.expires_at, NEVER if lot.awaits and not lot.available_at else lot.available_at, lot.awaits) for lot in lots]
            assert order == sorted(set(order))
            assert len(lots) <= MAX_LOTS

    @invariant()
    def single_points_say_the_same(self) -> None:
        for book in self.books:
            wallet, oracle = book.wallet, book.oracle
            sums = (wallet.earned, wallet.spent, wallet.expired, wallet.reversed, wallet.debt, wallet.idle_until)
            assert sums == (oracle.earned, oracle.spent, oracle.expired, oracle.reversed, oracle.debt, oracle.idle_until)
            assert {(lot.expires_at, lot.available_at, lot.awaits): lot.points for lot in wallet.lots} == oracle.lots()

    def _touch(self, book: Book, idle: int) -> None:
        until = self.now + idle * self.step
        touch(book.wallet, until)
        book.oracle.idle_until = until if book.oracle.idle_until == NEVER else max(book.oracle.idle_until, until)

    def _give_back(self, book: Book, drawn: Posting, points: int) -> None:
        book.book(give_back(book.wallet, Posting(book.name, "give_back", points, 0, drawn.expires_at), self.now))
        book.oracle.give_back(points, drawn.expires_at, self.now)

    @staticmethod
    def _of(posting: Posting, points: int) -> Posting:
        return Posting(posting.wallet, posting.kind, points, posting.available_at, posting.expires_at, posting.awaits)


TestLots = WalletMachine.TestCase
TestLots.settings = PERSISTENT
