"""What tiers count, in which window, and how long a level is kept. Pure; nothing is changed here.

Points are those that purchases earned in the programme's wallet, by the local day of the purchase, less what came back; only
a lifetime counts every point that she got, bonuses and opening balances too. A rolling window is the last ``days`` local
days, today included. Daily cells reach back 400 days (``shared.profile``), and no window is longer.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Final

from shared.kernel.instants import NEVER, Instant, date_of, day_number, day_start, local_day
from shared.member_state.model import MemberState, Tier
from shared.member_state.view import FoldView
from shared.profile.model import KEPT_DAYS, Cell
from shared.profile.rules import all_cells
from shared.programmes.compiled import Programme
from shared.programmes.terms import TierLevel, TierScheme

VISITS: Final = "v:visits"
"""The dimension of a daily cell that counts visits."""
CALENDAR: Final = {"month": 1, "quarter": 3, "year": 12}
"""Windows that are periods of the calendar -> their months."""


def points_dimension(wallet: str) -> str:
    """The dimension of a daily cell that counts points earned in a wallet."""
    return f"p:{wallet}"


def period_of(window: str, day: int) -> int:
    """The number of the calendar month, quarter or year that a day is in; consecutive ones differ by one."""
    on = date_of(day)
    return (on.year * 12 + on.month - 1) // CALENDAR[window]


def first_day(window: str, period: int) -> int:
    """The first day of a calendar period."""
    year, month = divmod(period * CALENDAR[window], 12)
    return day_number(date(year, month + 1, 1))


def reached(scheme: TierScheme, metric: int) -> TierLevel | None:
    """The highest level whose threshold is met."""
    return next((level for level in reversed(scheme.levels) if max(metric, 0) >= level.threshold), None)


def metric_so_far(state: MemberState, programme: Programme, scheme: TierScheme, at: Instant, zone: str) -> int:
    """What counts towards the next entry: in the window that contains ``at``, up to then."""
    today = local_day(at, zone)
    if scheme.window == "lifetime":
        return _lifetime(state, programme, scheme)
    if scheme.window == "rolling":
        return _counted(state, programme, scheme, today - scheme.days + 1, today)
    return counted_in_period(state, programme, scheme, period_of(scheme.window, today))


def counted_in_period(state: MemberState, programme: Programme, scheme: TierScheme, period: int) -> int:
    """What counts in a whole calendar period."""
    return _counted(state, programme, scheme, first_day(scheme.window, period), first_day(scheme.window, period + 1) - 1)


def kept_from_day(scheme: TierScheme, level: TierLevel, day: int, zone: str) -> Instant:
    """Until when a level reached on that local day is kept in a rolling or lifetime window. A level for everybody never ends."""
    return NEVER if level.threshold == 0 else day_start(day + scheme.valid_days + 1 + scheme.grace_days, zone)


def kept_from_period(scheme: TierScheme, level: TierLevel, period: int, zone: str) -> Instant:
    """Until when a level that a calendar period counted enough for is kept: through the period after it, and the days of grace."""
    return NEVER if level.threshold == 0 else _end_of_keeping(scheme, period, zone)


def kept_from_step(scheme: TierScheme, level: TierLevel, at: Instant, zone: str) -> Instant:
    """Until when a level is kept that she fell to by one step: as if the period that has just ended had counted enough for it."""
    today = local_day(at, zone)
    if scheme.window in CALENDAR:
        return kept_from_period(scheme, level, period_of(scheme.window, today) - 1, zone)
    return kept_from_day(scheme, level, today, zone)


def supported(state: MemberState, view: FoldView, at: Instant) -> Tier | None:
    """The highest level that her windows support at an instant.

    Rolling and lifetime: the window now. Calendar: the current period (not with ``next_period``) and the ones before it whose
    levels are still kept.
    """
    programme, scheme = view.tiered, view.scheme
    if programme is None or scheme is None:
        return None
    today = local_day(at, view.zone)
    if scheme.window not in CALENDAR:
        level = reached(scheme, metric_so_far(state, programme, scheme, at, view.zone))
        return Tier(level.id, at, kept_from_day(scheme, level, today, view.zone)) if level is not None else None
    best: Tier | None = None
    period = period_of(scheme.window, today) - (scheme.entry == "next_period")
    while _end_of_keeping(scheme, period, view.zone) > at:
        level = reached(scheme, counted_in_period(state, programme, scheme, period))
        if level is not None:
            best = higher(scheme, best, Tier(level.id, at, kept_from_period(scheme, level, period, view.zone)))
        period -= 1
    return best


def remembered(state: MemberState, view: FoldView, at: Instant) -> Tier | None:
    """The highest level that she has reached with what is counted of her today and whose validity has not ended, or that her
    windows support now: what the tier would be if nothing but her purchases had made it. Cost: two passes over the daily cells.
    """
    programme, scheme = view.tiered, view.scheme
    now = supported(state, view, at)
    if programme is None or scheme is None or scheme.window != "rolling":
        return now
    best: Tier | None = None
    today = local_day(at, view.zone)
    dimension = _dimension(programme, scheme)
    amounts = sorted((day, _amount(cell, dimension)) for day, cell in all_cells(state.profile) if day <= today)
    total, oldest = 0, 0
    for day, amount in amounts:
        total += amount
        while amounts[oldest][0] <= day - scheme.days:
            total -= amounts[oldest][1]
            oldest += 1
        level = reached(scheme, total)
        until = kept_from_day(scheme, level, day, view.zone) if level is not None else 0
        if level is not None and until > at:
            best = higher(scheme, best, Tier(level.id, at, until))
    # Of the same level, what she has reached says until when.
    return now if best is None or (now is not None and higher(scheme, best, replace(now, until=0)) is not best) else best


def remembers_since(scheme: TierScheme, since: Instant, at: Instant, zone: str) -> bool:
    """Whether everything that a level reached at ``since`` was counted from is still in the cells."""
    day = local_day(since, zone)
    if scheme.window == "lifetime":
        return True
    if scheme.window == "rolling":
        first = day - scheme.days + 1
    else:
        first = first_day(scheme.window, period_of(scheme.window, day) - (scheme.entry == "next_period"))
    return local_day(at, zone) - first < KEPT_DAYS


def higher(scheme: TierScheme, one: Tier | None, other: Tier) -> Tier:
    """The higher of two; of the same level, the one that is kept longer."""
    if one is None:
        return other
    ranks = {level.id: rank for rank, level in enumerate(scheme.levels)}
    return max(one, other, key=lambda tier: (ranks[tier.id], tier.until))


def _end_of_keeping(scheme: TierScheme, period: int, zone: str) -> Instant:
    return day_start(first_day(scheme.window, period + 2) + scheme.grace_days, zone)


def _counted(state: MemberState, programme: Programme, scheme: TierScheme, first: int, last: int) -> int:
    """The whole local days from ``first`` to ``last``, both included. Written out: it runs with every purchase."""
    dimension, total = _dimension(programme, scheme), 0
    for cells in (state.profile.cells, state.profile.history):
        for day, cell in cells.items():
            if first <= day <= last:
                if dimension is None:
                    total += cell.value
                elif dimension in cell.by:
                    total += cell.by[dimension][1]
    return total


def _amount(cell: Cell, dimension: str | None) -> int:
    return cell.value if dimension is None else cell.by.get(dimension, (0, 0))[1]


def _dimension(programme: Programme, scheme: TierScheme) -> str | None:
    """What of a daily cell counts; ``None``: its value."""
    if scheme.by == "spend":
        return None
    return points_dimension(programme.body.wallet) if scheme.by == "points" else VISITS


def _lifetime(state: MemberState, programme: Programme, scheme: TierScheme) -> int:
    if scheme.by == "spend":
        return state.profile.value
    if scheme.by == "visits":
        return state.visits_made
    wallet = state.wallets.get(programme.body.wallet)
    # A debt is what was taken back and was not there; it moves to ``reversed`` when it is paid.
    return wallet.earned - wallet.reversed - wallet.debt if wallet is not None else 0
