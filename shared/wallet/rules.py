"""Lots: earning, drawing, expiring, reversing. Pure; every function answers the postings that prove what it did.

Lots are kept in drawing order: soonest to expire first, then available first. Points on hold stay in their lots and are
subtracted from what may be drawn, so a hold never changes which points expire when; points still held at the instant
they expire expire with their lot, and the hold covers what is left.
"""

from __future__ import annotations

from shared.kernel.instants import NEVER, Instant
from shared.wallet.model import MAX_LOTS, Hold, Lot, Posting, Wallet


def available(wallet: Wallet, holds: dict[str, Hold], name: str) -> int:
    """Points that may be drawn now: matured, not held."""
    return sum(lot.points for lot in wallet.lots if lot.available_at == 0) - held(holds, name)


def pending(wallet: Wallet) -> int:
    """Points earned that are not available yet."""
    return sum(lot.points for lot in wallet.lots if lot.available_at > 0)


def held(holds: dict[str, Hold], name: str) -> int:
    """Points set aside for baskets."""
    return sum(hold.points for hold in holds.values() if hold.wallet == name)


def earn(wallet: Wallet, posting: Posting, now: Instant) -> list[Posting]:
    """Add the posting's points as a lot; a debt is paid first. Answers what is to be booked: a debt was booked when it was made."""
    wallet.earned += posting.points
    paid = min(wallet.debt, posting.points)
    wallet.debt -= paid
    wallet.reversed += paid
    if posting.points > paid:
        _add(wallet, Lot(posting.points - paid, 0 if posting.available_at <= now else posting.available_at, posting.expires_at))
    return [posting]


def give_back(wallet: Wallet, posting: Posting, now: Instant) -> list[Posting]:
    """Undo spending: the points return with the expiry that they had; what has expired since is booked as expired at once."""
    wallet.spent -= posting.points
    if posting.expires_at <= now:
        wallet.expired += posting.points
        return [posting, Posting(posting.wallet, "expire", -posting.points, 0, posting.expires_at)]
    _add(wallet, Lot(posting.points, 0, posting.expires_at))
    return [posting]


def spend(wallet: Wallet, name: str, points: int) -> list[Posting]:
    """Draw matured points, soonest-to-expire first. The caller has checked that they are there."""
    drawn = _draw(wallet, points, matured_only=True)
    wallet.spent += points
    return [Posting(name, "spend", -lot.points, 0, lot.expires_at) for lot in drawn]


def reverse(wallet: Wallet, name: str, postings: list[Posting]) -> list[Posting]:
    """Take back what a purchase earned: from the very lots it went to, then from any others, and the rest as debt."""
    booked: list[Posting] = []
    missing = 0
    for posting in postings:
        missing += posting.points - _take_from(wallet, posting, name, booked)
    for lot in _draw(wallet, min(missing, sum(lot.points for lot in wallet.lots)), matured_only=False):
        missing -= lot.points
        wallet.reversed += lot.points
        booked.append(Posting(name, "reverse", -lot.points, lot.available_at, lot.expires_at))
    if missing:
        wallet.debt += missing
        booked.append(Posting(name, "reverse", -missing, 0, 0))
    return booked


def settle(wallet: Wallet, name: str, now: Instant) -> tuple[int, list[Posting]]:
    """Let lots mature and expire that are due by ``now``. Answers how many points matured, and what expired."""
    matured, expired, kept = 0, [], []
    for lot in wallet.lots:
        if 0 < lot.available_at <= now:
            matured += lot.points
            lot.available_at = 0
        if lot.expires_at <= now:
            wallet.expired += lot.points
            expired.append(Posting(name, "expire", -lot.points, 0, lot.expires_at))
        else:
            kept.append(lot)
    if matured or expired:
        wallet.lots = []
        for lot in kept:
            _add(wallet, lot)
    return matured, expired


def next_due(wallet: Wallet) -> Instant:
    """When the next lot matures or expires."""
    return min((lot.available_at or lot.expires_at for lot in wallet.lots), default=NEVER)


def _take_from(wallet: Wallet, posting: Posting, name: str, booked: list[Posting]) -> int:
    """Take up to the posting's points from the lot it went to, and say how many were there.

    The lot is pending still, or else has become part of the matured one of the same expiry.
    """
    total = 0
    for available_at in dict.fromkeys((posting.available_at, 0)):
        own = next((lot for lot in wallet.lots if (lot.expires_at, lot.available_at) == (posting.expires_at, available_at)), None)
        taken = min(own.points, posting.points - total) if own is not None else 0
        if own is not None and taken:
            own.points -= taken
            total += taken
            booked.append(Posting(name, "reverse", -taken, available_at, posting.expires_at))
    wallet.reversed += total
    wallet.lots = [lot for lot in wallet.lots if lot.points]
    return total


def _draw(wallet: Wallet, points: int, *, matured_only: bool) -> list[Lot]:
    """Remove points in drawing order and answer the parts taken."""
    drawn: list[Lot] = []
    for lot in wallet.lots:
        if points <= 0:
            break
        if matured_only and lot.available_at:
            continue
        taken = min(lot.points, points)
        lot.points -= taken
        points -= taken
        drawn.append(Lot(taken, lot.available_at, lot.expires_at))
    wallet.lots = [lot for lot in wallet.lots if lot.points]
    return drawn


def _add(wallet: Wallet, lot: Lot) -> None:
    """Add a lot, merged with one of the same instants, in drawing order, within the bound."""
    for existing in wallet.lots:
        if existing.available_at == lot.available_at and existing.expires_at == lot.expires_at:
            existing.points += lot.points
            return
    wallet.lots.append(Lot(lot.points, lot.available_at, lot.expires_at))
    wallet.lots.sort(key=lambda each: (each.expires_at, each.available_at))
    if len(wallet.lots) > MAX_LOTS:
        first, second = wallet.lots[0], wallet.lots[1]
        second.points += first.points
        second.available_at = min(first.available_at, second.available_at)
        del wallet.lots[0]
