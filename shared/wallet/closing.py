"""Closing a wallet for good: what is left is written off, and nothing is owed any more. Pure."""

from __future__ import annotations

from shared.kernel.instants import NEVER, Instant
from shared.wallet.model import DEBT, Posting, Wallet
from shared.wallet.rules import give_back


def close(wallet: Wallet, name: str, now: Instant) -> list[Posting]:
    """Empty the wallet. Points of every lot, pending ones too, are booked as expired; a debt is given up.

    The books of ``shared.wallet.model`` hold: with what is answered, all postings of the wallet sum to nothing.
    """
    booked = [Posting(name, "expire", -lot.points, lot.available_at, lot.expires_at, lot.awaits) for lot in wallet.lots]
    wallet.expired += sum(lot.points for lot in wallet.lots)
    wallet.lots, wallet.idle_until = [], NEVER
    if wallet.debt:
        booked += give_back(wallet, Posting(name, "give_back", wallet.debt, 0, DEBT), now)
    return booked
