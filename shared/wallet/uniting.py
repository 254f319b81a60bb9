"""Two wallets become one: the one is emptied, the other goes on as if all had happened in it. Pure.

The points move by a pair of bookings, so that each ledger proves its own wallet. The sums of what left (spent, expired, reversed) are
taken over, too: a later return of an old sale takes out of them what that sale had put in, and what a lifetime counts stays what it was.
So of the survivor's wallet the books of ``shared.wallet.model`` hold over both ledgers without the pairs.
"""

from __future__ import annotations

from dataclasses import replace

from shared.kernel.instants import NEVER, Instant
from shared.wallet.lots import add, draw, matured_points
from shared.wallet.model import DEBT, Posting, Wallet
from shared.wallet.rules import give_back


def hand_over(wallet: Wallet, name: str, now: Instant) -> list[Posting]:
    """Empty the wallet: every lot, pending ones too, leaves as it is; a debt is not owed here any more."""
    booked = [Posting(name, "transfer_out", -lot.points, lot.available_at, lot.expires_at, lot.awaits) for lot in wallet.lots]
    wallet.spent += sum(lot.points for lot in wallet.lots)
    wallet.lots, wallet.idle_until = [], NEVER
    if wallet.debt:
        booked += give_back(wallet, Posting(name, "give_back", wallet.debt, 0, DEBT), now)
    return booked


def take_over(wallet: Wallet, name: str, other: Wallet) -> list[Posting]:
    """Receive what ``hand_over`` emptied; ``other`` as it was before. Lots keep their instants and what they wait for.

    What the one owes is paid by what of the other is there to be used, as earnings would have paid it. Sliding lots live by the later
    activity of both.
    """
    wallet.earned += other.earned
    wallet.spent += other.spent
    wallet.expired += other.expired
    wallet.reversed += other.reversed
    if NEVER in (wallet.idle_until, other.idle_until):
        wallet.idle_until = min(wallet.idle_until, other.idle_until)
    else:
        wallet.idle_until = max(wallet.idle_until, other.idle_until)
    booked = [Posting(name, "transfer_in", lot.points, lot.available_at, lot.expires_at, lot.awaits) for lot in other.lots]
    for lot in other.lots:
        add(wallet, replace(lot))
    if other.debt:
        wallet.debt += other.debt
        booked.append(Posting(name, "reverse", -other.debt, 0, DEBT))
    paid = min(wallet.debt, matured_points(wallet))
    if paid:
        draw(wallet, paid, matured_only=True)
        wallet.debt -= paid
        wallet.reversed += paid
    return booked
