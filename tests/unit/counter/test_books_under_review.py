"""Whatever is approved, rejected, returned, spent and let pass, in any order: the books of a flagged purchase add up."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.counter.rules import marks_of, under_review
from shared.kernel.instants import DAY, NEVER
from shared.member_state.counter_events import PurchaseReviewed
from shared.member_state.effects import Effects
from shared.member_state.events import PointsBooked, Purchased, Reversed, TimePassed
from shared.member_state.model import MemberState
from shared.member_state.rules import apply
from shared.profile.model import Visit
from shared.wallet.model import Posting
from shared.wallet.rules import balance, pending
from tests.builders.house import NOW
from tests.unit.transactions.shop import Shop

SALE = "txn_flagged"
AWARDS = st.lists(
    st.builds(
        lambda points, wait, awaits: Posting("points", "earn", points, NOW + wait * DAY if wait else 0, NEVER, awaits),
        st.integers(1, 50), st.sampled_from([0, 0, 2, 9]), st.sampled_from(["", "", "event.paid"]),
    ),
    min_size=1, max_size=3,
)  # fmt: skip
STEPS = st.lists(st.sampled_from(["approved", "rejected", "part", "whole", "day"]), max_size=6)


class Guest:
    """A member with a flagged purchase, and what of it has come back."""

    def __init__(self, awards: list[Posting], until: int, before: int) -> None:
        self.shop, self.awards, self.until = Shop(), awards, until
        self.state: MemberState = self.shop.join()
        self.now = NOW
        self.left = [award.points for award in awards]
        self.review = "pending"
        self.booked = 0
        if before:
            given_before = PointsBooked(NOW, "adjust", (Posting("points", "adjust", before),), "r")
            self.happens(given_before)
        self.before = before
        visit = Visit(NOW, 900, 1000, {"l:mitte": 900}, 1, {})
        self.happens(Purchased(NOW, SALE, visit, under_review(awards, SALE, until), flags=("purchases_in_shift",)))

    def happens(self, event: Any) -> None:
        effects = Effects()
        apply(self.state, event, self.shop.views, None, effects)
        self.state.version += 1
        self.booked += sum(posting.points for entry in effects.entries for posting in entry.postings)

    def postings(self, points: list[int]) -> tuple[Posting, ...]:
        """Parts of what it earned, as they lie in the wallet."""
        if self.review == "rejected":
            return ()
        stand = self.awards if self.review == "approved" else under_review(self.awards, SALE, self.until)
        return tuple(
            Posting("points", "earn", number, each.available_at, each.expires_at, each.awaits)
            for each, number in zip(stand, points, strict=True)
            if number
        )

    def step(self, what: str) -> None:
        if what == "day":
            self.now += DAY
            self.happens(TimePassed(self.now))
        elif what in ("approved", "rejected"):
            over = 0 < self.until <= self.now
            if self.review != "pending" or (over and what == "rejected"):
                return
            back = self.postings(self.left) if what == "rejected" else ()
            marks = marks_of(SALE, len(self.awards))
            self.happens(PurchaseReviewed(self.now, SALE, what, tuple(self.awards), marks, back, NOW, "desk", "why"))  # type: ignore[arg-type]
            self.review = what
        else:
            taken = [number if what == "whole" else number // 2 for number in self.left]
            visit = Visit(NOW, 0, 0, {}, 0, {})
            self.happens(Reversed(self.now, SALE, "return", visit, self.postings(taken), whole=False))
            self.left = [number - less for number, less in zip(self.left, taken, strict=True)]

    def check(self) -> None:
        wallet = self.state.wallets["points"]
        in_lots = sum(lot.points for lot in wallet.lots)
        assert all(lot.points > 0 for lot in wallet.lots)
        assert wallet.earned == in_lots + wallet.spent + wallet.expired + wallet.reversed
        assert self.booked == in_lots - wallet.debt, "the ledger proves the balance"
        there = self.before + (0 if self.review == "rejected" else sum(self.left))
        assert in_lots - wallet.debt == there, "to the last point"
        if self.review == "pending" and not self.until:
            assert pending(wallet) == sum(self.left), "nothing becomes available by itself"


@given(AWARDS, st.sampled_from([0, 3]), st.integers(0, 30), STEPS)
def test_the_books_add_up_in_any_order(awards: list[Posting], days: int, before: int, steps: list[str]) -> None:
    guest = Guest(awards, NOW + days * DAY if days else 0, before)
    guest.check()
    for what in steps:
        guest.step(what)
        guest.check()


@given(AWARDS, st.integers(0, 30))
def test_rejected_and_never_bought_leave_the_same_points(awards: list[Posting], before: int) -> None:
    guest = Guest(awards, 0, before)
    guest.step("rejected")
    wallets = guest.state.wallets
    assert balance(wallets, {}) == before
    assert [lot.points for lot in wallets["points"].lots] == ([before] if before else [])


@given(AWARDS)
def test_approved_at_once_and_never_flagged_wait_for_the_same(awards: list[Posting]) -> None:
    guest, other = Guest(awards, 0, 0), Shop()
    guest.step("approved")
    plain = other.join()
    other.happens(plain, Purchased(NOW, SALE, Visit(NOW, 900, 1000, {"l:mitte": 900}, 1, {}), tuple(awards)))
    assert guest.state.wallets["points"].lots == plain.wallets["points"].lots


def test_a_debt_that_waiting_points_paid_is_owed_again_after_a_rejection() -> None:
    guest = Guest([Posting("points", "earn", 10)], 0, 0)
    wallet = guest.state.wallets["points"]
    guest.happens(PointsBooked(NOW, "reverse", (Posting("points", "reverse", 4),), "owes"))
    assert (wallet.debt, pending(wallet)) == (0, 6), "points that wait are taken for a debt, too"
    guest.step("rejected")
    assert (wallet.debt, pending(wallet)) == (4, 0)
