"""Closing a wallet: nothing is left, nothing is owed, and the books say so."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.instants import DAY, NEVER
from shared.wallet.closing import close
from shared.wallet.model import DEBT, SLIDING, Posting, Wallet
from shared.wallet.rules import earn, next_due, reverse, spend, touch

NOW = 1_000 * DAY
EXPIRIES = st.sampled_from([NOW + DAY, NOW + 9 * DAY, SLIDING, NEVER])
WAITS = st.sampled_from([(0, ""), (NOW + DAY, ""), (0, "event.visit"), (NOW + 3 * DAY, "event.visit")])
EARNED = st.lists(st.tuples(st.integers(1, 50), EXPIRIES, WAITS), max_size=6)


@given(EARNED, st.integers(0, 80), st.integers(0, 90))
def test_a_closed_wallet_is_empty_and_its_postings_sum_to_nothing(
    earned: list[tuple[int, int, tuple[int, str]]], spent: int, taken_back: int
) -> None:
    wallet, booked = Wallet(), []
    for points, expires_at, (available_at, awaits) in earned:
        booked += earn(wallet, Posting("points", "earn", points, available_at, expires_at, awaits), NOW)
    touch(wallet, NOW + 5 * DAY)
    booked += spend(wallet, "points", spent, floor=None)
    booked += reverse(wallet, "points", [Posting("points", "earn", taken_back)] if taken_back else [])
    sums = wallet.earned, wallet.spent
    booked += close(wallet, "points", NOW)
    assert (wallet.lots, wallet.debt, wallet.idle_until, next_due(wallet)) == ([], 0, NEVER, NEVER)
    assert sum(posting.points for posting in booked) == 0
    assert (wallet.earned, wallet.spent) == sums
    assert wallet.earned == wallet.spent + wallet.expired + wallet.reversed
    by_debt = [each for each in booked if each.kind == "reverse" or each.expires_at == DEBT]
    assert -sum(each.points for each in by_debt) == wallet.reversed
    assert -sum(each.points for each in booked if each.kind == "expire") == wallet.expired


def test_closing_again_books_nothing() -> None:
    wallet = Wallet()
    earn(wallet, Posting("points", "earn", 5), NOW)
    assert len(close(wallet, "points", NOW)) == 1
    assert close(wallet, "points", NOW) == []
