"""How leaves about tier, points, coupons and challenges are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from shared.kernel.instants import DAY, NEVER, Instant, format_rfc3339
from shared.member_state.model import MemberState
from shared.segments.language.base import COMPARE
from shared.segments.language.holdings import Balance, ChallengeState, CouponHeld, Points, PointsExpiring, TierHeld
from shared.segments.leaves import Answer, Moment, Reader, Truth
from shared.wallet.lots import latest_wait, true_expiry
from shared.wallet.model import Wallet

Steps = list[tuple[Instant, int]]
"""A number now, and after each later instant at which it changes by itself."""
Span = tuple[Instant, Instant]


def in_spans(spans: Iterable[Span], now: Instant) -> tuple[bool, Instant]:
    """Whether ``now`` is in one of the half-open spans, and the first later instant at which it is otherwise."""
    ordered, end = sorted(spans), now
    for first, last in ordered:
        if first <= end < last:
            end = last
    if end > now:
        return True, min(end, NEVER)
    return False, min((first for first, last in ordered if now < first < last), default=NEVER)


def ago(at: Instant, days: int | None) -> Span:
    """When "at most so many days of 24 hours ago" is true of an instant; without days from then on."""
    return at, at + days * DAY if days is not None else NEVER


def ahead(since: Instant, until: Instant, days: int | None) -> Span:
    """When "it ends at most so many days of 24 hours from now" is true of what lasts from one instant until before another."""
    if days is None:
        return since, until
    return (max(since, until - days * DAY), until) if until < NEVER else (NEVER, NEVER)


# -- points ---------------------------------------------------------------------------------------------------------


def _lots(wallet: Wallet) -> list[tuple[int, Instant, Instant]]:
    """(points, available from, expires) of each lot, as the wallet will settle them: what matures pays a debt first."""
    found = [(lot.points, latest_wait(lot), true_expiry(wallet, lot.expires_at)) for lot in wallet.lots]
    debt = wallet.debt
    if not debt:
        return found
    paid = []
    for points, since, until in sorted(found, key=lambda lot: lot[1:]):
        takes = min(debt, points) if since < until and since < NEVER else 0
        debt -= takes
        paid.append((points - takes, since, until))
    return paid


def balance_steps(state: MemberState, wallet: str, now: Instant) -> Steps:
    """The available points. Lots mature and expire, holds end.

    Less is never available than nothing: points expire also while they are held.
    """
    mine = state.wallets.get(wallet)
    changes: list[tuple[Instant, Instant, int]] = [(since, until, points) for points, since, until in _lots(mine)] if mine else []
    changes += [(0, hold.until, -hold.points) for hold in state.holds.values() if hold.wallet == wallet]
    return [(instant, max(points, 0)) for instant, points in _steps(changes, now)]


def pending_steps(state: MemberState, wallet: str, now: Instant) -> Steps:
    """The points that wait for an instant or an event."""
    mine = state.wallets.get(wallet)
    lots = [(lot.points, latest_wait(lot), true_expiry(mine, lot.expires_at)) for lot in mine.lots] if mine else []
    return _steps([(0, min(since, until), points) for points, since, until in lots], now)


def held_steps(state: MemberState, wallet: str, now: Instant) -> Steps:
    """The points that are set aside for baskets."""
    return _steps([(0, hold.until, hold.points) for hold in state.holds.values() if hold.wallet == wallet], now)


def expiring_steps(state: MemberState, wallet: str, now: Instant, days: int) -> Steps:
    """The matured points that expire at most so many days of 24 hours later."""
    mine = state.wallets.get(wallet)
    lots = _lots(mine) if mine else []
    return _steps([(max(since, until - days * DAY), until, points) for points, since, until in lots if until < NEVER], now)


def _steps(spans: Iterable[tuple[Instant, Instant, int]], now: Instant) -> Steps:
    """The sum of the numbers that count from one instant until before another."""
    points, changes = 0, dict[Instant, int]()
    for since, until, number in spans:
        if until <= max(now, since):
            continue
        if since <= now:
            points += number
        else:
            changes[since] = changes.get(since, 0) + number
        changes[until] = changes.get(until, 0) - number
    steps = [(now, points)]
    for instant in sorted(changes):
        if instant < NEVER:
            points += changes[instant]
            steps.append((instant, points))
    return steps


def compare_steps(op: str, value: int, steps: Steps) -> tuple[bool, Instant]:
    """How the number now compares, and until when it stays."""
    compare = COMPARE[op]
    truth = compare(steps[0][1], value)
    return truth, next((instant for instant, points in steps if compare(points, value) is not truth), NEVER)


def _balance(leaf: Balance, moment: Moment) -> Answer:
    return _compared(leaf, balance_steps(moment.state, leaf.wallet, moment.now))


_STATES: Final = {"available": balance_steps, "pending": pending_steps, "held": held_steps}


def _points(leaf: Points, moment: Moment) -> Answer:
    return _compared(leaf, _STATES[leaf.state](moment.state, leaf.wallet, moment.now))


def _expiring(leaf: PointsExpiring, moment: Moment) -> Answer:
    return _compared(leaf, expiring_steps(moment.state, leaf.wallet, moment.now, leaf.within_days))


def _compared(leaf: Balance | Points | PointsExpiring, steps: Steps) -> Answer:
    return Answer(*compare_steps(leaf.op, leaf.value, steps), steps[0][1])


# -- tier, coupons, challenges --------------------------------------------------------------------------------------


def _tier(leaf: TierHeld, moment: Moment) -> Answer:
    """A tier that runs out is settled by the programme: by time alone only the days since she has it change."""
    held, levels = moment.state.tier, moment.context.tiers
    names = leaf.names
    if leaf.at_least is not None:
        if leaf.at_least not in levels or (held is not None and held.id not in levels):
            return Answer(None, NEVER, held.id if held is not None else None)
        names = frozenset(levels[levels.index(leaf.at_least) :])
    if held is None or held.id not in names:
        return Answer(False, NEVER, held.id if held is not None else None)
    value = {"tier": held.id, "since": format_rfc3339(held.since)}
    if leaf.days is None:
        return Answer(True, NEVER, value)
    due = held.since + leaf.days * DAY
    passed = moment.now >= due
    return Answer(passed == (leaf.op == "at_least"), NEVER if passed else due, value)


def coupon(leaf: CouponHeld, state: MemberState, now: Instant) -> tuple[Truth, Instant]:
    """Never unknown. Active coupons are true in the union of their intervals; the other states change by events only."""
    if leaf.state == "redeemed":
        return leaf.offer in state.redeemed, NEVER
    mine = [held for held in state.coupons.values() if held.offer == leaf.offer and held.state == leaf.state]
    if leaf.state == "held":
        return bool(mine), NEVER
    return in_spans([ahead(held.active_from, held.expires_at, leaf.expires_within_days) for held in mine], now)


def _coupon(leaf: CouponHeld, moment: Moment) -> Answer:
    mine = sorted(key for key, held in moment.state.coupons.items() if held.offer == leaf.offer)
    redeemed = moment.state.redeemed.get(leaf.offer)
    return Answer(*coupon(leaf, moment.state, moment.now), mine or (format_rfc3339(redeemed) if redeemed is not None else None))


def _challenge(leaf: ChallengeState, moment: Moment) -> Answer:
    mine = [each for each in moment.state.challenges if each.challenge == leaf.challenge]
    days = leaf.within_days
    if leaf.state == "active":
        spans = [ahead(each.start, each.until, days) for each in mine]
    elif leaf.state == "completed":
        spans = [ago(each.completed_at, days) for each in mine if each.times]
    else:
        spans = [ago(each.until, days) for each in mine if not each.times and each.until < NEVER]
    value = [{"completed": each.times, "until": format_rfc3339(each.until) if each.until < NEVER else None} for each in mine]
    return Answer(*in_spans(spans, moment.now), value)


READERS: Final[Mapping[str, Reader]] = {
    "tier": _tier, "balance": _balance, "points": _points, "points_expiring": _expiring, "coupon": _coupon, "challenge": _challenge,
}  # fmt: skip
