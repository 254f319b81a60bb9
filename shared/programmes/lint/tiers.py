"""Tiers: levels that nobody can reach, or only after a very long way, and schemes that do not count. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from shared.programmes.lint.model import Example, Finding
from shared.programmes.lint.spending import BILL, plain_basket
from shared.programmes.lint.subject import Subject
from shared.programmes.model import Limits, ProgrammeBody
from shared.programmes.terms import TierLevel, TierScheme

STEEP: Final = 20
"""A level of so many times the threshold before it is out of sight from there."""
VISITS_A_DAY: Final = 24
_DAYS: Final = {"month": 31, "quarter": 92, "year": 366}


def tiers(subject: Subject) -> Iterator[Finding]:
    """What is wrong with the scheme. Cost: a decision per finding."""
    scheme = subject.body.tiers
    if scheme is None:
        return
    for place, level in enumerate(scheme.levels):
        found = _unreachable(subject, scheme, level)
        if found is not None:
            most, example = found
            yield Finding(
                code="unreachable_tier",
                severity="error",
                pointer=f"/definition/tiers/levels/{place}/threshold",
                message=f"Nobody can reach {level.name}: at most {most} can count in its window. Lower its threshold, or widen the limits.",
                example=example,
            )
    yield from _gaps(subject, scheme)
    yield from _second(subject, scheme)


def _gaps(subject: Subject, scheme: TierScheme) -> Iterator[Finding]:
    for place, (low, high) in enumerate(zip(scheme.levels, scheme.levels[1:], strict=False), 1):
        if low.threshold == 0 or high.threshold <= STEEP * low.threshold:
            continue
        basket = subject.shown(plain_basket(subject, _reaching(subject, scheme, low)))
        counted = metric(scheme, basket)
        yield Finding(
            code="tier_gap",
            severity="warning",
            pointer=f"/definition/tiers/levels/{place}/threshold",
            message=f"{high.name} asks for more than {STEEP} times as much as {low.name}: put a level between them, or lower it.",
            example=basket.model_copy(update={"baskets": -(-high.threshold // counted) if counted > 0 else 1}),
        )


def metric(scheme: TierScheme, basket: Example) -> int:
    """What a basket counts for tiers."""
    return {"spend": basket.spent, "points": basket.earned, "visits": 1}[scheme.by]


def _reaching(subject: Subject, scheme: TierScheme, level: TierLevel) -> int:
    """An amount that comes near to the level, where one purchase can."""
    if scheme.by == "spend":
        return min(level.threshold, BILL)
    if scheme.by == "visits":
        return 1000
    amount = 1000
    while amount < BILL and subject.run(plain_basket(subject, amount)).points < level.threshold:
        amount *= 2
    return amount


def _unreachable(subject: Subject, scheme: TierScheme, level: TierLevel) -> tuple[int, Example] | None:
    """The most that can count in the window, with the purchases that come to it; ``None`` if the level is within that."""
    days = scheme.days if scheme.window == "rolling" else _DAYS.get(scheme.window)
    if scheme.by == "visits" and days is not None and level.threshold > days * VISITS_A_DAY:
        visit = subject.shown(plain_basket(subject, 1000)).model_copy(update={"baskets": days * VISITS_A_DAY})
        return days * VISITS_A_DAY, visit
    if scheme.by != "points" or level.threshold == 0:
        return None
    found = most_points(subject, days)
    if found is None or level.threshold <= found[0]:
        return None
    return found[0], subject.shown(plain_basket(subject, BILL)).model_copy(update={"baskets": found[1]})


def most_points(subject: Subject, days: int | None) -> tuple[int, int] | None:
    """The most points that limits let purchases give a member in so many days (``None``: for ever), and on how many days at most.

    ``None`` where nothing bounds them: another programme gives into the wallet, or, for ever, bonuses count as well.
    """
    body = subject.body
    lifelong_extras = days is None and (bool(body.bonuses) or body.referral is not None or subject.wallet.transfers)
    if subject.sharing or lifelong_extras:
        return None
    found = [_of_limits(body.limits, days)]
    if _unmultiplied(body):
        # Every rule has limits of its own.
        each = [_of_limits(rule.limits, days) for rule in body.earning]
        bounded = [bound for bound in each if bound is not None]
        if len(bounded) == len(each):
            found.append((sum(points for points, _ in bounded), max((times for _, times in bounded), default=1)))
    return min((each for each in found if each is not None), default=None)


def _of_limits(limits: Limits, days: int | None) -> tuple[int, int] | None:
    """Points and days, of the limit that leaves least."""
    found = [(bound, 1) for bound in (limits.per_member, limits.budget) if bound is not None]
    if limits.per_day is not None and days is not None:
        found.append((limits.per_day * days, days))
    if limits.per_transaction is not None and limits.times_per_member is not None:
        found.append((limits.per_transaction * limits.times_per_member, limits.times_per_member))
    if limits.per_transaction is not None and limits.times_per_day is not None and days is not None:
        found.append((limits.per_transaction * limits.times_per_day * days, limits.times_per_day * days))
    return min(found, default=None)


def _unmultiplied(body: ProgrammeBody) -> bool:
    levels = body.tiers.levels if body.tiers is not None else ()
    return all(level.multiplier_percent == 100 for level in levels) and all(rule.kind != "multiplier" for rule in body.earning)


def _second(subject: Subject, scheme: TierScheme) -> Iterator[Finding]:
    """Of several programmes with tiers only the one asked first counts."""
    mine = (-subject.body.priority, subject.programme.id)
    before = [each for each in subject.others if each.body.tiers is not None and (-each.body.priority, each.id) < mine]
    if not before:
        return
    first = min(before, key=lambda each: (-each.body.priority, each.id))
    levels = first.body.tiers.levels if first.body.tiers is not None else scheme.levels
    basket = plain_basket(subject, BILL).model_copy(update={"tier": levels[-1].id})
    yield Finding(
        code="second_tiers",
        severity="warning",
        pointer="/definition/tiers",
        message=f"The tiers of {first.id} count, these do not: keep one scheme, or give this programme a higher priority.",
        example=subject.shown(basket),
    )
