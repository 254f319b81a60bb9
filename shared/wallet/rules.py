"""Earning, drawing, maturing, expiring, reversing, transferring. Pure; what is done is answered as the postings that prove it.

Points on hold stay in their lots and are subtracted from what may be drawn, so a hold never changes which points expire
when; points still held at the instant they expire expire with their lot, and the hold covers what is left.
The books that every function keeps are written down in ``shared.wallet.model``. The caller lets time pass first (``settle``),
and tells of each activity (``touch``): a sliding lot expires by the last one told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shared.kernel.errors import InvalidValue
from shared.kernel.instants import NEVER, Instant
from shared.wallet.lots import add, draw, is_pending, matured_points, pay_debt, take_own, true_expiry
from shared.wallet.model import DEBT, SLIDING, EntryKind, Hold, Lot, Posting, ReversalPolicy, Wallet


def available(wallet: Wallet, holds: dict[str, Hold], name: str) -> int:
    """Points that may be drawn now: matured, not held."""
    return matured_points(wallet) - held(holds, name)


def pending(wallet: Wallet) -> int:
    """Points earned that are not available yet: they wait for an instant or an event."""
    return sum(lot.points for lot in wallet.lots if is_pending(lot))


def held(holds: dict[str, Hold], name: str) -> int:
    """Points set aside for baskets."""
    return sum(hold.points for hold in holds.values() if hold.wallet == name)


def spendable(wallet: Wallet, holds: dict[str, Hold], name: str, floor: int = 0) -> int:
    """How many points ``spend`` may be asked for, where the balance may go down to ``floor`` (<= 0). Never below zero."""
    return max(available(wallet, holds, name) - wallet.debt - floor, 0)


def earn(wallet: Wallet, posting: Posting, now: Instant) -> list[Posting]:
    """Add the posting's points (> 0) as a lot; a debt is paid first. Answers what is to be booked: a debt was booked when it was made.

    For every kind that gives points: earn, bonus, open, adjust, transfer_in. A lot whose expiry has passed (a late purchase)
    is expired by the caller's next ``settle``. A sliding lot that comes after the guest was idle for long lives until she is
    active and then idle again: the activity that ran out is forgotten.
    """
    absence_is_over = posting.expires_at == SLIDING and wallet.idle_until <= now
    if absence_is_over:
        wallet.idle_until = NEVER
    wallet.earned += posting.points
    left = posting.points - pay_debt(wallet, posting.points)
    waits_for_event_only = posting.awaits != "" and posting.available_at == 0
    if waits_for_event_only or posting.available_at > now:
        add(wallet, Lot(left, posting.available_at, posting.expires_at, posting.awaits))
    else:
        add(wallet, Lot(left, 0, posting.expires_at))
    return [posting]


def spend(wallet: Wallet, name: str, points: int, kind: EntryKind = "spend", floor: int | None = 0) -> list[Posting]:
    """Draw matured points, soonest-to-expire first (see ``lots.draw``); what is missing becomes debt.

    The balance may end at ``floor`` (<= 0; none: no limit). Also for the kinds adjust (negative), convert and transfer_out.
    A debt is answered first, with ``expires_at`` 0, so that giving the postings back in their order restores the wallet.
    Raises ``InvalidValue`` and changes nothing where that is not enough: the caller asks ``spendable`` first.
    """
    missing = max(points - matured_points(wallet), 0)
    if floor is not None and missing and wallet.debt + missing > -floor:
        raise InvalidValue(f"{points} points are more than may be drawn from {name}")
    wallet.debt += missing
    drawn = draw(wallet, points - missing, matured_only=True)
    wallet.spent += points - missing
    owed = [Posting(name, kind, -missing, 0, DEBT)] if missing else []
    return owed + [Posting(name, kind, -lot.points, 0, lot.expires_at) for lot in drawn]


def give_back(wallet: Wallet, posting: Posting, now: Instant) -> list[Posting]:
    """Undo spending, whole or in part: ``posting`` has the points (> 0) and the ``expires_at`` of one that ``spend`` answered.

    The points return with the expiry that they had, after paying a debt, as earnings do; what has expired since pays nothing
    and is booked as expired at once. A sliding expiry is that of the last activity, also of one since.
    What was a debt (``expires_at`` 0) lowers the debt; what of it earnings have paid meanwhile is now a lot that never
    expires, as nobody knows which points paid it. Given back in the order of ``spend`` with nothing between, the wallet is
    as it was before.
    """
    if posting.expires_at == DEBT:
        forgiven = min(wallet.debt, posting.points)
        wallet.debt -= forgiven
        wallet.reversed -= posting.points - forgiven
        add(wallet, Lot(posting.points - forgiven))
        return [posting]
    wallet.spent -= posting.points
    if true_expiry(wallet, posting.expires_at) <= now:
        wallet.expired += posting.points
        return [posting, Posting(posting.wallet, "expire", -posting.points, 0, posting.expires_at)]
    add(wallet, Lot(posting.points - pay_debt(wallet, posting.points), 0, posting.expires_at))
    return [posting]


def reverse(
    wallet: Wallet, name: str, postings: list[Posting], policy: ReversalPolicy = "negative", floor: int | None = None
) -> list[Posting]:
    """Take back what a purchase earned: from the very lots it went to, pending or matured since, and then as ``policy`` says.

    ``pending_only``: no more than what is pending still in those lots. ``within_balance``: from any other lots, too.
    ``negative``: and the rest becomes debt, with which the balance may go down to ``floor`` (<= 0; none: no limit).
    What is not taken is forgiven and booked nowhere: it is the points asked for less those answered.
    """
    taken: list[Lot] = []
    missing = 0
    for posting in postings:
        parts = take_own(wallet, posting, pending_only=policy == "pending_only")
        missing += posting.points - sum(part.points for part in parts)
        taken += parts
    owed = 0
    if policy != "pending_only":
        others = draw(wallet, missing, matured_only=False)
        missing -= sum(part.points for part in others)
        taken += others
    if policy == "negative":
        owed = missing if floor is None else min(missing, max(-floor - wallet.debt, 0))
    wallet.reversed += sum(part.points for part in taken)
    wallet.debt += owed
    booked = [Posting(name, "reverse", -part.points, part.available_at, part.expires_at, part.awaits) for part in taken]
    return [*booked, Posting(name, "reverse", -owed, 0, DEBT)] if owed else booked


def settle(wallet: Wallet, name: str, now: Instant) -> tuple[int, list[Posting]]:
    """Let lots mature and expire that are due by ``now``. Answers how many points became available, and what expired.

    Those that mature pay a debt first. A lot whose expiry is no later than its availability expires without having been
    available. One call after a long time does what a call at each instant would have done.
    """
    if next_due(wallet) > now:
        return 0, []
    due = [lot for lot in wallet.lots if 0 < lot.available_at <= now and lot.available_at < true_expiry(wallet, lot.expires_at)]
    matured = _become_available(wallet, sorted(due, key=lambda lot: (lot.available_at, true_expiry(wallet, lot.expires_at))))
    gone = [lot for lot in wallet.lots if true_expiry(wallet, lot.expires_at) <= now]
    wallet.lots = [lot for lot in wallet.lots if true_expiry(wallet, lot.expires_at) > now]
    wallet.expired += sum(lot.points for lot in gone)
    return matured, [Posting(name, "expire", -lot.points, lot.available_at, lot.expires_at, lot.awaits) for lot in gone]


def release(wallet: Wallet, event: str) -> int:
    """The event has happened: lots that await it become available, after paying a debt. Answers how many points did."""
    awaiting = [lot for lot in wallet.lots if lot.awaits and lot.awaits == event]
    return _become_available(wallet, sorted(awaiting, key=lambda lot: true_expiry(wallet, lot.expires_at)))


def let_go(wallet: Wallet, mark: str, posting: Posting, now: Instant) -> int:
    """What awaits ``mark`` waits from now on as ``posting`` says, or no longer. Answers how many points became available."""
    lot = next((each for each in wallet.lots if each.awaits == mark), None)
    if lot is None:
        return 0
    waits_for_event_only = posting.awaits != "" and posting.available_at == 0
    if waits_for_event_only or posting.available_at > now:
        wallet.lots.remove(lot)
        add(wallet, Lot(lot.points, posting.available_at, lot.expires_at, posting.awaits))
        return 0
    return _become_available(wallet, [lot])


def touch(wallet: Wallet, until: Instant) -> None:
    """An activity: sliding lots live until ``until`` at least. The first one sets it; no later one brings it forward."""
    none_so_far = wallet.idle_until == NEVER
    wallet.idle_until = until if none_so_far else max(wallet.idle_until, until)


def transfer_out(wallet: Wallet, name: str, points: int) -> list[Posting]:
    """Draw matured points for another member. Raises ``InvalidValue`` where they are not there: nobody gives what she owes."""
    return spend(wallet, name, points, "transfer_out")


def transfer_in(wallet: Wallet, name: str, postings: Iterable[Posting], now: Instant) -> list[Posting]:
    """Receive what ``transfer_out`` answered: the same points with the same expiries, after paying a debt of the receiver.

    A sliding expiry goes on by the receiver's activity: ``touch`` her wallet as well, where receiving counts as one.
    """
    received = [Posting(name, "transfer_in", -posting.points, 0, posting.expires_at) for posting in postings]
    return [booked for posting in received for booked in earn(wallet, posting, now)]


def next_due(wallet: Wallet) -> Instant:
    """When the next lot matures or expires."""
    return min((min(lot.available_at or NEVER, true_expiry(wallet, lot.expires_at)) for lot in wallet.lots), default=NEVER)


def _become_available(wallet: Wallet, due: list[Lot]) -> int:
    """Make these lots of the wallet matured ones, in this order; answers the points left after paying a debt."""
    gone = {id(lot) for lot in due}
    wallet.lots = [lot for lot in wallet.lots if id(lot) not in gone]
    became = 0
    for lot in due:
        left = lot.points - pay_debt(wallet, lot.points)
        became += left
        add(wallet, Lot(left, 0, lot.expires_at))
    return became


def balance(wallets: Mapping[str, Wallet], holds: dict[str, Hold]) -> int:
    """Points of all wallets that are there to be used, less what is owed: below zero where a return took more than there was."""
    return sum(available(wallet, holds, name) - wallet.debt for name, wallet in wallets.items())
