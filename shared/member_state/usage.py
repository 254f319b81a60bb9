"""What rules, programmes and payments with limits have given a member: in all, and by local day. Pure.

A key is ``programme/rule``, ``programme`` or ``pay:wallet``. At most ``MAX_USAGE`` keys are kept, the one counted longest ago
is forgotten first; days older than ``USAGE_DAYS`` are, too, but never the newest.
"""

from __future__ import annotations

from shared.member_state.model import MAX_USAGE, USAGE_DAYS, MemberState, RuleUsage
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


def usage_of(state: MemberState, key: str, day: int) -> Usage:
    """What was counted in all and on that local day."""
    usage = state.usage.get(key)
    if usage is None:
        return Usage()
    points_today, times_today = usage.days.get(day, (0, 0))
    return Usage(usage.points, usage.times, points_today, times_today)


def last_day(state: MemberState, key: str) -> int | None:
    """The newest local day that something was counted on."""
    usage = state.usage.get(key)
    return max(usage.days, default=None) if usage is not None else None
