"""What rules, programmes, payments, offers and promotions with limits have given a member: in all, and by local day. Pure.

A key is ``programme/rule``, ``programme``, ``pay:wallet``, ``offer:<id>`` or ``promotion:<id>``. At most ``MAX_USAGE`` keys are kept,
the one counted longest ago is forgotten first; days older than ``USAGE_DAYS`` are, too, but never the newest. Where a limit asks
for weeks or months, these are kept as long as a day within ``USAGE_DAYS`` of the newest belongs to them: at most two of each.
"""

from __future__ import annotations

from shared.kernel.instants import date_of
from shared.member_state.model import MAX_USAGE, USAGE_DAYS, CountedUse, MemberState, RuleUsage
from shared.programmes.conditions import Usage


def count_usage(state: MemberState, key: str, points: int, day: int, times: int = 1) -> None:
    """Count points (>= 0) given on a local day, and how often."""
    usage = state.usage.pop(key, None) or RuleUsage()
    usage.points += points
    usage.times += times
    pair = usage.days.setdefault(day, [0, 0])
    pair[0] += points
    pair[1] += times
    newest = max(usage.days)
    for old in [each for each in usage.days if each < newest - USAGE_DAYS]:
        del usage.days[old]
    state.usage[key] = usage
    while len(state.usage) > MAX_USAGE:
        del state.usage[next(iter(state.usage))]


def uncount_usage(state: MemberState, key: str, points: int, day: int, times: int = 1) -> None:
    """Take back what was counted for that day. What has been forgotten meanwhile stays so; nothing falls below zero."""
    usage = state.usage.get(key)
    if usage is None:
        return
    usage.points = max(usage.points - points, 0)
    usage.times = max(usage.times - times, 0)
    pair = usage.days.get(day)
    if pair is not None:
        pair[0], pair[1] = max(pair[0] - points, 0), max(pair[1] - times, 0)
        if pair == [0, 0]:
            del usage.days[day]
    if not (usage.points or usage.times):
        del state.usage[key]


def count_use(state: MemberState, use: CountedUse, day: int) -> None:
    """Count one use of an offer or promotion on a local day, and in its week and month where a limit asks."""
    count_usage(state, use.key, 0, day)
    usage = state.usage[use.key]
    oldest = max(usage.days) - USAGE_DAYS
    if use.weekly:
        _count_in(usage.weeks, week_of(day), week_of(oldest))
    if use.monthly:
        _count_in(usage.months, month_of(day), month_of(oldest))


def uncount_use(state: MemberState, use: CountedUse, day: int) -> None:
    """Take one use back from its day, week and month; as ``uncount_usage``."""
    usage = state.usage.get(use.key)
    if usage is None:
        return
    for asked, counts, period in ((use.weekly, usage.weeks, week_of(day)), (use.monthly, usage.months, month_of(day))):
        if asked and period in counts:
            counts[period] -= 1
            if counts[period] <= 0:
                del counts[period]
    uncount_usage(state, use.key, 0, day)


def usage_of(state: MemberState, key: str, day: int) -> Usage:
    """What was counted in all, on that local day, and in its week and month."""
    usage = state.usage.get(key)
    if usage is None:
        return Usage()
    points_today, times_today = usage.days.get(day, (0, 0))
    in_week = usage.weeks.get(week_of(day), 0) if usage.weeks else 0
    in_month = usage.months.get(month_of(day), 0) if usage.months else 0
    return Usage(usage.points, usage.times, points_today, times_today, in_week, in_month)


def last_day(state: MemberState, key: str) -> int | None:
    """The newest local day that something was counted on."""
    usage = state.usage.get(key)
    return max(usage.days, default=None) if usage is not None else None


def week_of(day: int) -> int:
    """The number of a day's week from Monday (ISO 8601); 1970-01-01 was a Thursday."""
    return (day + 3) // 7


def month_of(day: int) -> int:
    """The number of a day's calendar month, twelve a year."""
    date = date_of(day)
    return date.year * 12 + date.month - 1


def _count_in(counts: dict[int, int], period: int, oldest: int) -> None:
    counts[period] = counts.get(period, 0) + 1
    newest = sorted(counts)[-2:]
    for old in [each for each in counts if each < oldest or each not in newest]:
        del counts[old]
