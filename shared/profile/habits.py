"""Habits that follow from a profile: how often she comes, whether she still does, what she leans to, and her place among the guests. Pure.

Integers only, so that every function answers the same everywhere. A visit is a local day with at least one purchase; days are those
of the tenant's time zone, and what lies more than ``KEPT_DAYS`` days back is not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal

from shared.kernel.instants import DAY, NEVER, Instant, day_start, local_day
from shared.profile.model import KEPT_DAYS, Profile
from shared.profile.rules import all_cells, window
from shared.profile.statistics import Statistics, score
from shared.tenants.model import ProfileSettings

State = Literal["active", "sleeping", "lost"]
VISITS_ASKED: Final = 13
"""The newest visits that the usual interval is taken from: twelve intervals."""
MIN_VISITS: Final = 3
_BITS: Final = 32
"""Binary places of a weight."""


def usual_interval2(profile: Profile, today: int) -> int | None:
    """Half days between visits: twice the median of the days between consecutive ones of the newest thirteen of ``KEPT_DAYS`` days.

    ``None`` with fewer than three visits. The median (of an even number the mean of the middle two) and not the mean, so that one holiday
    does not make a weekly guest a rare one.
    """
    return _interval2([day for day in _visit_days(profile) if today - KEPT_DAYS < day <= today])


def lifecycle(
    profile: Profile, now: Instant, zone: str, settings: ProfileSettings, statistics: Statistics
) -> tuple[State | None, Instant]:
    """Whether she still comes, and the first later instant at which time alone changes that (``NEVER``: none).

    Sleeping: more than ``sleeping_times_e1`` tenths of her usual interval have passed since her last purchase, to the millisecond; lost:
    more than ``lost_times_e1``. With fewer than three visits the tenant's median takes the interval's place. ``None``: she never bought.
    The interval may itself change while days leave what is looked at, so each such day is looked ahead to.
    """
    last = profile.last_at
    if last is None:
        return None, NEVER
    days, today = _visit_days(profile), local_day(now, zone)
    due = _ends(days, today, last, settings, statistics)
    state = _state_at(now, due)
    start = now
    for day in [*_changing_days(days, today), None]:
        end = day_start(day, zone) if day is not None else NEVER
        if _state_at(start, due) != state:
            return state, start
        passed = next((instant for instant in due if start < instant < end), None)
        if passed is not None:
            return state, passed
        if day is not None:
            start, due = end, _ends(days, day, last, settings, statistics)
    return state, NEVER


def tag_strength(profile: Profile, tag: str, today: int, settings: ProfileSettings) -> tuple[int, int]:
    """The value of lines with the tag, and of all, over ``tag_days``; a day's value weighs half for each ``tag_half_life_days`` of age.

    Exponential decay, w = 2^(-age / half-life), in whole numbers of 32 binary places. Ages count from a fixed day and not from ``today``:
    the ratio of the two stays the same, exactly, until a purchase is added or a day leaves the window.
    """
    half_life, first = settings.tag_half_life_days, today - settings.tag_days + 1
    inside = [(day, cell) for day, cell in all_cells(profile) if first <= day <= today]
    base = min((day // half_life for day, _ in inside), default=0)
    tagged = whole = 0
    for day, cell in inside:
        weight = weight_of(day, half_life, base)
        whole += weight * cell.value
        mine = cell.by.get(f"t:{tag}")
        tagged += weight * mine[1] if mine is not None else 0
    return tagged, whole


def weight_of(day: int, half_life: int, base: int) -> int:
    """What a day's value weighs; twice as much each ``half_life`` days later. ``base``: at most the number of the half-life it is in."""
    halvings, rest = divmod(day, half_life)
    return _fraction(rest, half_life) << (halvings - base)


def prefers(profile: Profile, tag: str, today: int, settings: ProfileSettings) -> bool:
    """Whether the tag's strength is at least ``tag_percent``, with at least ``tag_purchases`` purchases in the window."""
    tagged, whole = tag_strength(profile, tag, today, settings)
    often = window(profile, today - settings.tag_days + 1, today, f"t:{tag}").count >= settings.tag_purchases
    return often and whole > 0 and 100 * tagged >= settings.tag_percent * whole


def rfm(
    profile: Profile, now: Instant, zone: str, settings: ProfileSettings, statistics: Statistics
) -> tuple[int, int, int] | None:
    """Recency, frequency and monetary value as fifths among the tenant's guests, 5 the best (Hughes, Strategic Database Marketing, 1994).

    ``None`` for who never bought, or while there are no boundaries.
    """
    values = rfm_values(profile, now, zone, settings)
    boundaries = (statistics.recency, statistics.frequency, statistics.monetary)
    if values is None or not all(boundaries):
        return None
    recency, frequency, monetary = (score(value, each) for value, each in zip(values, boundaries, strict=True))
    return 6 - recency, frequency, monetary


def rfm_values(profile: Profile, now: Instant, zone: str, settings: ProfileSettings) -> tuple[int, int, int] | None:
    """What the fifths are made of: days since the last purchase, and purchases and their value (minor units) of ``rfm_days``."""
    if profile.last_at is None:
        return None
    today = local_day(now, zone)
    totals = window(profile, today - settings.rfm_days + 1, today)
    return max(today - local_day(profile.last_at, zone), 0), totals.count, totals.value


def _visit_days(profile: Profile) -> list[int]:
    """Every local day with a purchase, oldest first."""
    return sorted(day for day, cell in all_cells(profile) if cell.count > 0)


def _interval2(days: Sequence[int]) -> int | None:
    newest = days[-VISITS_ASKED:]
    if len(newest) < MIN_VISITS:
        return None
    gaps = sorted(after - before for before, after in pairwise(newest))
    middle = len(gaps) // 2
    return 2 * gaps[middle] if len(gaps) % 2 else gaps[middle - 1] + gaps[middle]


def _ends(
    days: Sequence[int], today: int, last: Instant, settings: ProfileSettings, statistics: Statistics
) -> tuple[Instant, Instant]:
    """The first instants of sleeping and of being lost, as the interval of that day has it."""
    interval2 = _interval2([day for day in days if today - KEPT_DAYS < day <= today]) or statistics.median_interval2
    sleeping, lost = (
        last + times * interval2 * DAY // 20 + 1 for times in (settings.sleeping_times_e1, settings.lost_times_e1)
    )
    return sleeping, lost


def _state_at(now: Instant, due: tuple[Instant, Instant]) -> State:
    sleeping, lost = due
    return "lost" if now >= lost else "sleeping" if now >= sleeping else "active"


def _changing_days(days: Sequence[int], today: int) -> list[int]:
    """The days after ``today`` on which what is looked at changes: a visit leaves, or one dated ahead (a till's clock) enters."""
    ahead = [day for day in days if day > today]
    # Without visits ahead only the newest are looked at, so that an older one leaves unnoticed.
    inside = [day for day in days if today - KEPT_DAYS < day <= today]
    leaving = inside if ahead else inside[-VISITS_ASKED:]
    return sorted({*ahead, *(day + KEPT_DAYS for day in (*leaving, *ahead))})


@lru_cache(maxsize=2048)
def _fraction(rest: int, half_life: int) -> int:
    """2^(rest / half-life) in 32 binary places, rounded down: the greatest n with n^half-life <= 2^(32 half-life + rest)."""
    power = 1 << (_BITS * half_life + rest)
    low, high = 1 << _BITS, 2 << _BITS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**half_life <= power else (low, middle)
    return low
