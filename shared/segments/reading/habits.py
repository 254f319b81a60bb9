"""How leaves about habits are read: by the profile's own definitions, with the exact instant at which time changes what they say."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Final

from shared.kernel.instants import NEVER, local_day
from shared.profile import habits
from shared.profile.model import KEPT_DAYS, Cell
from shared.profile.rules import all_cells
from shared.profile.statistics import score
from shared.segments.bounds import COUNT, VALUE, between, least, most, ratio_between
from shared.segments.language.base import COMPARE
from shared.segments.language.habits import Lifecycle, Prefers, Rfm, TagStrength, UsualInterval
from shared.segments.leaves import Answer, Moment, Reader, Truth
from shared.segments.reading.windows import Amounts, first_difference, look_ahead


def _strength(tag: str, moment: Moment) -> Callable[[int, Cell], Amounts]:
    """Per day: the weighed value with the tag (at least, at most), the weighed whole, and purchases with the tag (at least, at most)."""
    settings, keys = moment.context.profile, (f"t:{tag}",)
    half_life = settings.tag_half_life_days
    base = min((day // half_life for day, _ in all_cells(moment.state.profile)), default=0)

    def amounts(day: int, cell: Cell) -> Amounts:
        weight = habits.weight_of(day, half_life, base)
        found: dict[Hashable, int] = {"all": weight * cell.value}
        found |= {"with": weight * least(cell, keys, VALUE), "at_most": weight * most(cell, keys, VALUE)}
        return found | {"times": least(cell, keys, COUNT), "times_at_most": most(cell, keys, COUNT)}

    return amounts


def _share(op: str, percent: int, sums: Amounts) -> Truth:
    whole = sums.get("all", 0)
    return ratio_between(op, (100 * sums["with"], 100 * sums["at_most"]), (whole, whole), percent) if whole > 0 else None


def _shown(sums: Amounts) -> dict[str, int] | None:
    whole = sums.get("all", 0)
    return {"percent": 100 * sums["with"] // whole, "purchases": sums["times"]} if whole > 0 else None


def _tag_strength(leaf: TagStrength, moment: Moment) -> Answer:
    def judge(sums: Amounts) -> Truth:
        return _share(leaf.op, leaf.percent, sums)

    days = moment.context.profile.tag_days
    truth, until, sums = look_ahead(moment.state.profile, days, moment, _strength(leaf.tag, moment), judge)
    return Answer(truth, until, _shown(sums))


def _prefers(leaf: Prefers, moment: Moment) -> Answer:
    settings = moment.context.profile

    def judge(sums: Amounts) -> Truth:
        strong = _share("ge", settings.tag_percent, sums)
        if strong is None and sums.get("all", 0) <= 0:
            return None
        often = between("ge", sums["times"], sums["times_at_most"], settings.tag_purchases)
        if strong is False or often is False:
            return False
        return True if strong and often else None

    truth, until, sums = look_ahead(moment.state.profile, settings.tag_days, moment, _strength(leaf.tag, moment), judge)
    return Answer(truth, until, _shown(sums))


def _lifecycle(leaf: Lifecycle, moment: Moment) -> Answer:
    context, profile = moment.context, moment.state.profile
    state, until = habits.lifecycle(profile, moment.now, context.zone, context.profile, context.statistics)
    if state is None:
        return Answer(None, NEVER)
    truth = state in leaf.in_
    while until < NEVER:
        then, later = habits.lifecycle(profile, until, context.zone, context.profile, context.statistics)
        if (then in leaf.in_) is not truth:
            return Answer(truth, until, state)
        until = later
    return Answer(truth, NEVER, state)


def _usual_interval(leaf: UsualInterval, moment: Moment) -> Answer:
    profile = moment.state.profile

    def judge(today: int) -> Truth:
        interval2 = habits.usual_interval2(profile, today)
        return COMPARE[leaf.op](interval2, 2 * leaf.days) if interval2 is not None else None

    today = moment.today
    visits = sorted(day for day, cell in all_cells(profile) if cell.count > 0 and day > today - KEPT_DAYS)
    ahead = [day for day in visits if day > today]
    # Only the newest are looked at: without visits ahead, an older one leaves unnoticed.
    changes = [*ahead, *(day + KEPT_DAYS for day in (visits if ahead else visits[-habits.VISITS_ASKED :]))]
    truth, until = first_difference(judge, today, changes, moment.zone)
    interval2 = habits.usual_interval2(profile, today)
    return Answer(truth, until, {"half_days": interval2} if interval2 is not None else None)


def _rfm(leaf: Rfm, moment: Moment) -> Answer:
    context, profile = moment.context, moment.state.profile
    boundaries = context.statistics
    if profile.last_at is None or not (boundaries.recency and boundaries.frequency and boundaries.monetary):
        return Answer(None, NEVER)
    compare = COMPARE[leaf.op]
    scores = habits.rfm(profile, moment.now, context.zone, context.profile, boundaries)
    if leaf.of == "recency":
        last = local_day(profile.last_at, context.zone)

        def judge_day(today: int) -> Truth:
            return compare(6 - score(max(today - last, 0), boundaries.recency), leaf.value)

        # A boundary belongs to the lower fifth: the score changes on the day after it.
        changes = (last + boundary + 1 for boundary in boundaries.recency)
        truth, until = first_difference(judge_day, moment.today, changes, context.zone)
        return Answer(truth, until, scores)
    column, edges = ("count", boundaries.frequency) if leaf.of == "frequency" else ("value", boundaries.monetary)

    def amounts(_day: int, cell: Cell) -> Amounts:
        return {"count": cell.count, "value": cell.value}

    def judge(sums: Amounts) -> Truth:
        return compare(score(sums.get(column, 0), edges), leaf.value)

    truth, until, _ = look_ahead(profile, context.profile.rfm_days, moment, amounts, judge)
    return Answer(truth, until, scores)


READERS: Final[Mapping[str, Reader]] = {
    "tag_strength": _tag_strength, "prefers": _prefers, "lifecycle": _lifecycle, "usual_interval": _usual_interval, "rfm": _rfm,
}  # fmt: skip
