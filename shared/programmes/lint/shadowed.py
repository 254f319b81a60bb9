"""Rules that another rule always keeps from giving: closed by a ``stop`` rule, or beaten by a ``best`` rule. Pure.

Said only where it can be shown for every basket without negative lines: the other rule is about all of the lines, under conditions
no narrower, has no limits, and gives something (``stop``) or more (``best``) whenever this rule would.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from shared.programmes.compiled import Giver
from shared.programmes.conditions import When
from shared.programmes.lint.circumstances import circumstances
from shared.programmes.lint.dead import AMOUNT, cause
from shared.programmes.lint.goods import goods
from shared.programmes.lint.model import Finding
from shared.programmes.lint.subject import Subject
from shared.programmes.model import UNLIMITED, Cashback, Fixed, PerAmount, PerItem
from shared.programmes.selectors import Selector
from shared.tenants.model import WalletSettings

_RIVALS: Final = 100
"""Rules that others are compared with, of each kind: the first ones."""


def shadowed(subject: Subject) -> Iterator[Finding]:
    """Every rule that another always keeps from giving. Cost: rules x ``_RIVALS`` comparisons, one decision per finding."""
    ranked = [entry.rule for entry in subject.programme.givers.entries]
    stops = [(rank, rule) for rank, rule in enumerate(ranked) if rule.combine == "stop" and rule.limits == UNLIMITED][:_RIVALS]
    bests = [(rank, rule) for rank, rule in enumerate(ranked) if rule.combine == "best" and rule.limits == UNLIMITED][:_RIVALS]
    first_stop_after = _next_stops(ranked)
    for rank, rule in enumerate(ranked):
        by = next((each for place, each in stops if place < rank and _closes(each, rule, subject)), None)
        stopped = by is not None
        if by is None and rule.combine == "best":
            # A stop rule between them would close the lines of a rival that is asked later.
            rivals = (pair for pair in bests if pair[1] is not rule and pair[0] < first_stop_after[rank])
            by = next((each for place, each in rivals if _beats(each, rule, subject, first=place < rank)), None)
        found = _finding(subject, rule, by, stopped=stopped) if by is not None and cause(subject, rule) is None else None
        if found is not None:
            yield found


def _next_stops(ranked: Sequence[Giver]) -> list[int]:
    """For every rule, the place of the next stop rule behind it, or the end."""
    found, following = [], len(ranked)
    for place in range(len(ranked) - 1, -1, -1):
        found.append(following)
        following = place if ranked[place].combine == "stop" else following
    return found[::-1]


def covers(wide: Selector, narrow: Selector) -> bool:
    """Whether every line of ``narrow`` is one of ``wide``."""
    names = not wide.named or (
        narrow.named
        and set(wide.items) >= set(narrow.items)
        and set(wide.categories) >= set(narrow.categories)
        and set(wide.tags) >= set(narrow.tags)
    )
    low = wide.price_from is None or (narrow.price_from is not None and narrow.price_from >= wide.price_from)
    high = wide.price_below is None or (narrow.price_below is not None and narrow.price_below <= wide.price_below)
    return names and low and high


def implied(wide: When, narrow: When, subject: Subject) -> bool:
    """Whether ``wide`` holds whenever ``narrow`` does, as far as can be read from both, and of groups from who is in them now."""
    for name in ("tiers", "segments", "tags", "channels", "weekdays"):
        asked, given = getattr(wide, name), getattr(narrow, name)
        if asked and not (given and set(given) <= set(asked)):
            return False
    return (
        _place_implied(wide, narrow, subject)
        and wide.first_purchase in (None, narrow.first_purchase)
        # Hours over midnight move what a weekday means.
        and (wide.hours == narrow.hours or (wide.hours is None and not wide.weekdays))
        and _not_before(wide.joined_from, narrow.joined_from)
        and _not_before(narrow.joined_until, wide.joined_until, missing_is_late=True)
        and _not_before(wide.date_from, narrow.date_from)
        and _not_before(narrow.date_until, wide.date_until, missing_is_late=True)
    )


def _place_implied(wide: When, narrow: When, subject: Subject) -> bool:
    if not (wide.locations or wide.location_groups):
        return True
    if not (narrow.locations or narrow.location_groups):
        return False
    wide_groups, narrow_groups = set(wide.location_groups), set(narrow.location_groups)
    named = (each in wide.locations or not wide_groups.isdisjoint(subject.locations.get(each, ())) for each in narrow.locations)
    kinds = (kind for kind in subject.examples_of_groups if narrow_groups and not narrow_groups.isdisjoint(kind))
    return all(named) and all(not wide_groups.isdisjoint(kind) for kind in kinds)


def _not_before(bound: str | None, other: str | None, *, missing_is_late: bool = False) -> bool:
    """Whether ``other`` is no earlier than ``bound`` (ISO dates). A missing date is the earliest, or the latest."""
    if missing_is_late:
        return other is None or (bound is not None and other >= bound)
    return bound is None or (other is not None and other >= bound)


def _closes(stop: Giver, rule: Giver, subject: Subject) -> bool:
    if not (covers(stop.on, rule.on) and implied(stop.when, rule.when, subject)):
        return False
    if isinstance(rule, PerItem):
        return isinstance(stop, PerItem)
    if isinstance(stop, Fixed):
        # Only against what is judged in the same way: per visit, and by the same minimum.
        same = isinstance(rule, Fixed) and rule.minimum_counts == stop.minimum_counts and stop.on == rule.on
        return same and isinstance(rule, Fixed) and stop.minimum <= rule.minimum and (stop.per == "receipt" or rule.per == "visit")
    if isinstance(stop, PerItem) or isinstance(rule, Fixed) or stop.round_per != "order":
        return False
    # On more lines the stop rule's base is only greater.
    gives_from, needed = _first_amount(stop, subject.wallet), _first_amount(rule, subject.wallet)
    return gives_from is not None and needed is not None and rule.round_per == "order" and gives_from <= needed


def _first_amount(rule: PerAmount | Cashback, wallet: WalletSettings) -> int | None:
    """The least amount that it gives a point for, in minor units; ``None`` if that depends on the tier or is never."""
    if isinstance(rule, Cashback):
        if rule.by_tier or not rule.percent_e2 or not wallet.value:
            return None
        points, per = rule.percent_e2 * wallet.points, 10_000 * wallet.value
    else:
        if rule.whole_steps:
            return rule.per
        points, per = rule.points, rule.per
    if rule.rounding == "floor":
        return -(-per // points)
    least = -(-per // (2 * points))
    exactly_half = 2 * least * points == per
    return least + 1 if exactly_half and rule.rounding == "half_even" else least


def _beats(rival: Giver, rule: Giver, subject: Subject, *, first: bool) -> bool:
    """Whether ``rival`` gives at least as much on every basket, and more somewhere unless it is asked ``first``."""
    if rule.kind != rival.kind or not (covers(rival.on, rule.on) and implied(rival.when, rule.when, subject)):
        return False
    if isinstance(rival, PerAmount) and isinstance(rule, PerAmount):
        if (rival.whole_steps, rival.rounding, rival.round_per) != (rule.whole_steps, rule.rounding, rule.round_per):
            return False
        if rule.whole_steps:
            more, at_least = rival.points > rule.points, rival.points >= rule.points and rival.per <= rule.per
            return at_least and (first or more)
        ours, theirs = rule.points * rival.per, rival.points * rule.per
        return theirs > ours or (first and theirs == ours)
    if isinstance(rival, Cashback) and isinstance(rule, Cashback):
        if (rival.by_tier, rival.rounding, rival.round_per) != (rule.by_tier, rule.rounding, rule.round_per):
            return False
        return rival.percent_e2 > rule.percent_e2 if not first or rule.by_tier else rival.percent_e2 >= rule.percent_e2
    if isinstance(rival, Fixed) and isinstance(rule, Fixed):
        alike = (rival.per, rival.minimum_counts) == (rule.per, rule.minimum_counts) and rival.minimum <= rule.minimum
        return alike and (rival.points > rule.points or (first and rival.points == rule.points))
    if isinstance(rival, PerItem) and isinstance(rule, PerItem):
        return rival.points > rule.points or (first and rival.points == rule.points)
    return False


def _finding(subject: Subject, rule: Giver, by: Giver, *, stopped: bool) -> Finding | None:
    """The finding, if the engine confirms it: a third rule may have closed the lines before both."""
    scene = circumstances((subject.body.applies, rule.when), subject)
    found = goods(subject.body, (rule.on,))
    if scene is None or found is None:
        return None
    amounts = [AMOUNT, *(each.minimum for each in (rule, by) if isinstance(each, Fixed))]
    amounts += [10 * rule.per] if isinstance(rule, PerAmount) else []
    example = subject.shown(scene.model_copy(update={"lines": (found.line(max(amounts)),)}), (rule.id, by.id))
    reason = "stopped" if stopped else "lower_than_best"
    if all((step.rule, step.reason) != (rule.id, reason) for step in example.steps):
        return None
    if stopped:
        message = f"Rule {rule.id} never gives anything: {by.id} is asked before and stops. Give {rule.id} a higher priority, or remove it."
    else:
        message = f"Rule {rule.id} makes no difference: {by.id} always gives at least as much. Remove {rule.id}, or let both add."
    return Finding(
        code="shadowed_by_stop" if stopped else "shadowed_by_best",
        severity="warning",
        pointer=subject.pointer(rule),
        message=message,
        example=example,
    )
