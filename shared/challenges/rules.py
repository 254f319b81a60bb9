"""What a purchase counts, what counts in all, and when. Pure: a function of what stays of the purchases, whatever their order."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Final

from shared.challenges.model import (
    Base,
    Challenge,
    ChallengeBody,
    CountGoal,
    Counts,
    Goal,
    Instance,
    Part,
    Period,
    StreakGoal,
    Window,
)
from shared.kernel.instants import DAY, HOUR, NEVER, Instant, date_of, day_number, day_start, local_day, parse_rfc3339
from shared.programmes.lines import Line, selects
from shared.programmes.selectors import EARNING_KINDS

UNIT: Final = 1000
"""Thousandths: items are counted in them, so that what comes back of a line is exactly what it had counted."""
MAX_PARTS: Final = 20
"""Purchases that an instance remembers, to take them back; what older ones counted stays."""
MAX_STREAK_PARTS: Final = 64
"""The same for streaks."""


def counts(challenges: Iterable[Challenge], lines: Sequence[Line]) -> Counts:
    """What the goods among the lines count for each challenge; those for which nothing does are left out."""
    goods = [line for line in lines if line.kind in EARNING_KINDS]
    found: list[tuple[str, int, int]] = []
    for each in challenges:
        on = each.body.goal.on
        counted = goods if on.everything else [line for line in goods if selects(on, line)]
        spend, items = sum(line.net for line in counted), sum(line.units for line in counted)
        if spend or items:
            found.append((each.key, spend, items))
    return tuple(found)


def amount_of(goal: Goal, spend: int, items: int, visits: int) -> int:
    """Of a purchase's counts, the one that the goal asks for."""
    if goal.of == "spend":
        return spend
    of_visits = goal.of == "visits" or (isinstance(goal, StreakGoal) and goal.what == "visits")
    return visits if of_visits else items


def threshold_of(goal: CountGoal) -> int:
    """The least progress that completes, in the unit of parts (purchases: in purchases)."""
    unit = UNIT if goal.of == "items" else 1
    return goal.threshold * unit + (goal.compare == ">")


def progress(body: ChallengeBody, base: Base, parts: Iterable[Part], zone: str) -> Base:
    """What all parts come to on top of the base, in the order of their instants."""
    whole = replace(base)
    for part in sorted(parts, key=lambda each: (each.at, each.transaction)):
        if isinstance(body.goal, StreakGoal):
            _count_for_streak(body.goal, body.times, whole, part, zone)
        else:
            _count_purchase(body.goal, body.times, whole, part)
    return whole


def _count_for_streak(goal: StreakGoal, most: int, whole: Base, part: Part, zone: str) -> None:
    number = period_of(goal.per, part.at, zone)
    if part.amount <= 0 or number < whole.period:
        return  # its period is forgotten
    if number > whole.period:
        whole.period, whole.count = number, 0
    whole.count += 1
    if whole.count != goal.at_least:
        return
    whole.done = whole.done + 1 if number == whole.last + 1 else 1
    whole.last = number
    if whole.done >= goal.periods and whole.times < most:
        whole.times, whole.done = whole.times + 1, 0


def _count_purchase(goal: CountGoal, most: int, whole: Base, part: Part) -> None:
    amount = max(part.amount, 0) if goal.of != "purchases" else int(part.amount > 0)
    needed, room = threshold_of(goal), most - whole.times
    if goal.counted == "single_purchase":
        whole.times += int(amount >= needed and room > 0)
        whole.done = max(whole.done, amount)
        return
    whole.done += amount
    if whole.done < needed or room < 1:
        return
    if not goal.roll_over:
        whole.times, whole.done = whole.times + 1, 0
        return
    # With ">" a card is full one unit after the threshold, and that unit is the first of the next.
    step = needed - (goal.compare == ">")
    full = min((whole.done - needed) // step + 1, room)
    whole.times, whole.done = whole.times + full, whole.done - full * step


def short(transaction: str) -> str:
    """A fingerprint of a sale's id: 8 characters instead of some forty. It is only ever compared with those of the same instant."""
    return b2a_base64(blake2b(transaction.encode(), digest_size=6).digest(), newline=False).decode()


def add(body: ChallengeBody, instance: Instance, part: Part, zone: str) -> None:
    """Let a purchase count. The oldest beyond the bound become part of the base: what they counted cannot be taken back any more."""
    instance.parts.append(part)
    instance.parts.sort(key=lambda each: (each.at, each.transaction))
    bound = MAX_STREAK_PARTS if isinstance(body.goal, StreakGoal) else MAX_PARTS
    if len(instance.parts) > bound:
        oldest = instance.parts.pop(0)
        instance.base = progress(body, instance.base, [oldest], zone)


def take(instance: Instance, transaction: str, at: Instant, amount: int) -> bool:
    """Take back what a purchase had counted, or a part of it. ``False`` if it never counted, or is forgotten."""
    name = short(transaction)
    known = next((each for each in instance.parts if (each.transaction, each.at) == (name, at)), None)
    if known is None or not amount:
        return False
    known.amount -= amount
    if known.amount == 0:
        instance.parts.remove(known)
    return True


def window_of(window: Window, received: Instant, at: Instant, zone: str) -> tuple[Instant, Instant]:
    """From when to when (not included) a challenge that was received then counts; ``at`` chooses the period of one that renews."""
    inclusive = int(window.end == "inclusive")
    if window.every is not None:
        number = period_of(window.every, at, zone)
        return max(period_start(window.every, number, zone), received), period_start(window.every, number + 1, zone)
    if window.days is not None or window.hours is not None:
        return received, received + (window.days or 0) * DAY + (window.hours or 0) * HOUR + inclusive
    starts = max(received, parse_rfc3339(window.starts_at)) if window.starts_at is not None else received
    return starts, parse_rfc3339(window.ends_at) + inclusive if window.ends_at is not None else NEVER


def period_of(per: Period, at: Instant, zone: str) -> int:
    """The number of the local day, week (from Monday) or month; one more is the next."""
    day = local_day(at, zone)
    if per == "day":
        return day
    if per == "week":
        return (day + 3) // 7  # day 0, 1 January 1970, was a Thursday
    date = date_of(day)
    return date.year * 12 + date.month - 1


def period_start(per: Period, number: int, zone: str) -> Instant:
    """The first instant of a period."""
    if per == "day":
        return day_start(number, zone)
    if per == "week":
        return day_start(number * 7 - 3, zone)
    year, month = divmod(number, 12)
    return day_start(day_number(date_of(0).replace(year=year, month=month + 1)), zone)


def breaks_at(body: ChallengeBody, instance: Instance, zone: str) -> Instant:
    """When a streak that is under way breaks unless another period is kept; ``NEVER`` if none is, or its break has been told."""
    goal = body.goal
    if not isinstance(goal, StreakGoal) or instance.times >= body.times:
        return NEVER
    whole = progress(body, instance.base, instance.parts, zone)
    if not whole.done or whole.last <= instance.broken:
        return NEVER
    return period_start(goal.per, whole.last + 2, zone)
