"""The lots of a wallet as a container: kept by expiry, merged where they are the same, drawn in order, bounded. Pure.

They are kept by ``expires_at`` as it is written, which no activity changes. The order of drawing puts sliding lots where
their true expiry is.
"""

from __future__ import annotations

from shared.kernel.instants import NEVER, Instant
from shared.wallet.model import MAX_LOTS, SLIDING, Lot, Posting, Wallet


def is_pending(lot: Lot) -> bool:
    """Whether it waits for an instant or an event."""
    return lot.available_at > 0 or lot.awaits != ""


def true_expiry(wallet: Wallet, expires_at: Instant) -> Instant:
    """The instant that an ``expires_at`` stands for in this wallet."""
    return wallet.idle_until if expires_at == SLIDING else expires_at


def latest_wait(lot: Lot) -> Instant:
    """When it is available at the latest: 0 already, ``NEVER`` if only an event can tell."""
    return NEVER if lot.awaits and not lot.available_at else lot.available_at


def matured_points(wallet: Wallet) -> int:
    """Points in lots that wait for nothing."""
    return sum(lot.points for lot in wallet.lots if not is_pending(lot))


def pay_debt(wallet: Wallet, points: int) -> int:
    """Let points pay what is owed before they reach a lot; answers how many it took."""
    paid = min(wallet.debt, points)
    wallet.debt -= paid
    wallet.reversed += paid
    return paid


def add(wallet: Wallet, lot: Lot) -> None:
    """Add a lot, merged with one of the same instants that waits for the same, in order, within the bound. No points: nothing."""
    if not lot.points:
        return
    own = find(wallet, lot.available_at, lot.expires_at, lot.awaits)
    if own is not None:
        own.points += lot.points
        return
    wallet.lots.append(lot)
    wallet.lots.sort(key=_place)
    if len(wallet.lots) > MAX_LOTS:
        _merge_soonest(wallet)


def find(wallet: Wallet, available_at: Instant, expires_at: Instant, awaits: str) -> Lot | None:
    """The lot of these very instants that waits for this."""
    wanted = (expires_at, available_at, awaits)
    return next((lot for lot in wallet.lots if (lot.expires_at, lot.available_at, lot.awaits) == wanted), None)


def draw(wallet: Wallet, points: int, *, matured_only: bool) -> list[Lot]:
    """Remove up to so many points and answer the parts taken.

    Soonest to expire first, then those available first, then fixed expiries before sliding ones (an activity may move those).
    """
    drawn: list[Lot] = []
    for lot in sorted(wallet.lots, key=lambda each: (true_expiry(wallet, each.expires_at), latest_wait(each))):
        if points <= 0:
            break
        if matured_only and is_pending(lot):
            continue
        taken = min(lot.points, points)
        lot.points -= taken
        points -= taken
        drawn.append(Lot(taken, lot.available_at, lot.expires_at, lot.awaits))
    drop_empty(wallet)
    return drawn


def take_own(wallet: Wallet, posting: Posting, *, pending_only: bool) -> list[Lot]:
    """Remove up to the posting's points from the lot that it went to, and answer the parts taken.

    The lot is pending still, or else has become part of the matured one of the same expiry.
    """
    places = [(posting.available_at, posting.awaits), (0, "")]
    if pending_only:
        places = [place for place in places[:1] if place != (0, "")]
    parts: list[Lot] = []
    missing = posting.points
    for available_at, awaits in dict.fromkeys(places):
        own = find(wallet, available_at, posting.expires_at, awaits)
        taken = min(own.points, missing) if own is not None else 0
        if own is not None and taken:
            own.points -= taken
            missing -= taken
            parts.append(Lot(taken, available_at, posting.expires_at, awaits))
    drop_empty(wallet)
    return parts


def drop_empty(wallet: Wallet) -> None:
    """Forget lots without points."""
    wallet.lots = [lot for lot in wallet.lots if lot.points]


def _place(lot: Lot) -> tuple[Instant, Instant, str]:
    return lot.expires_at, latest_wait(lot), lot.awaits


def _merge_soonest(wallet: Wallet) -> None:
    """Make one lot of the first two that may be one. Where none may, more lots than the bound are kept: no guest loses by it."""
    earlier: dict[tuple[str, bool], Lot] = {}
    for lot in wallet.lots:
        alike = (lot.awaits, lot.expires_at == SLIDING)
        first = earlier.setdefault(alike, lot)
        if first is lot:
            continue
        wait = min(latest_wait(first), latest_wait(lot))
        lot.points += first.points
        lot.available_at = 0 if wait == NEVER else wait
        first.points = 0
        drop_empty(wallet)
        wallet.lots.sort(key=_place)
        return
