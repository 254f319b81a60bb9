"""Rules that can never give anything: their time is over, their conditions contradict one another, no line is left for them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from shared.kernel.instants import day_of, local_day
from shared.programmes.conditions import When
from shared.programmes.lint.circumstances import anytime, circumstances
from shared.programmes.lint.goods import Goods, goods
from shared.programmes.lint.model import Code, Example, Finding
from shared.programmes.lint.subject import Subject
from shared.programmes.model import Cashback, EarningRule, Fixed, Multiplier, ProgrammeBody
from shared.programmes.selectors import Selector

AMOUNT: Final = 100_000
"""Minor units of an example's line where any would do."""
_TRIED: Final = 20
"""Rules that a multiplier is compared with; where none of so many fits and there are more, nothing is said."""
_SAID: Final[dict[Code, str]] = {
    "dead_dates": "The dates of {rule} are over before the programme holds: remove the rule or give it new dates.",
    "dead_tier": "{rule} is for a tier that no programme has: name one of the levels, or remove the condition.",
    "dead_location_group": "{rule} is for groups that no location is in: put locations into one, or remove the condition.",
    "dead_conditions": "The conditions of {rule} and of the programme never hold together: loosen one of them.",
    "dead_lines": "No line that the programme lets earn is what {rule} is about: look at scope, exclusions, kinds and price bands.",
    "dead_amount": "{rule} gives nothing for any amount: give it a percentage, and its wallet a value.",
    "dead_multiplier": "{rule} multiplies nothing: no rule that gives points holds for the same lines at the same time.",
}


def dead(subject: Subject) -> Iterator[Finding]:
    """Every rule that gives nothing for any basket, with a basket that the rule names and gets nothing for.

    Cost: a solution of its conditions and selectors per rule, ``_TRIED`` more per multiplier, and one decision per finding.
    """
    alive: list[EarningRule] = []
    multipliers: list[Multiplier] = []
    for rule in subject.body.earning:
        code = cause(subject, rule)
        if code is not None:
            yield _finding(subject, rule, code)
        elif isinstance(rule, Multiplier):
            multipliers.append(rule)
        else:
            alive.append(rule)
    for multiplier in multipliers:
        if not _multiplies(subject, multiplier, alive):
            yield _finding(subject, multiplier, "dead_multiplier")


def cause(subject: Subject, rule: EarningRule) -> Code | None:
    """Why the rule by itself is dead, or ``None``."""
    if _over(rule.when, subject) or _over(subject.body.applies, subject):
        return "dead_dates"
    if _no_such_tier(rule.when, subject) or _no_such_tier(subject.body.applies, subject):
        return "dead_tier"
    if _no_such_place(rule.when, subject) or _no_such_place(subject.body.applies, subject):
        return "dead_location_group"
    if circumstances((subject.body.applies, rule.when), subject) is None:
        return "dead_conditions"
    if goods(subject.body, (rule.on,)) is None:
        return "dead_lines"
    if isinstance(rule, Cashback) and _no_percentage(rule, subject):
        return "dead_amount"
    return None


def _over(when: When, subject: Subject) -> bool:
    return when.date_until is not None and day_of(when.date_until) < local_day(subject.at, subject.zone)


def _no_such_tier(when: When, subject: Subject) -> bool:
    return bool(when.tiers) and subject.tiers.isdisjoint(when.tiers)


def _no_such_place(when: When, subject: Subject) -> bool:
    """Whether it holds in groups alone, and no location is in any of them."""
    asked = frozenset(when.location_groups)
    return bool(asked) and not when.locations and all(asked.isdisjoint(groups) for groups in subject.examples_of_groups)


def _no_percentage(rule: Cashback, subject: Subject) -> bool:
    of_tiers = any(percent for tier, percent in rule.by_tier.items() if tier in subject.tiers)
    return subject.wallet.value == 0 or not (rule.percent_e2 or of_tiers)


def _multiplies(subject: Subject, rule: Multiplier, alive: list[EarningRule]) -> bool:
    """Whether some rule gives points on its lines at its time, as far as was looked."""
    body = subject.body
    candidates = [each for each in alive if not rule.of or each.id in rule.of]
    for each in candidates[:_TRIED]:
        together = circumstances((body.applies, rule.when, each.when), subject)
        # What an order-wide fixed rule gives is spread over its lines, so its line must be the multiplier's too.
        if together is not None and goods(body, (rule.on, each.on)) is not None:
            return True
    return len(candidates) > _TRIED


def _finding(subject: Subject, rule: EarningRule, code: Code) -> Finding:
    tails = {"dead_dates": "/when/date_until", "dead_tier": "/when/tiers", "dead_location_group": "/when/location_groups"}
    tail = (tails | {"dead_lines": "/on"}).get(code, "")
    own = {
        "dead_dates": _over(rule.when, subject),
        "dead_tier": _no_such_tier(rule.when, subject),
        "dead_location_group": _no_such_place(rule.when, subject),
    }
    return Finding(
        code=code,
        severity="warning",
        pointer=subject.pointer(rule, tail if own.get(code, True) else ""),
        message=_SAID[code].format(rule=f"Rule {rule.id}"),
        example=subject.shown(_nearest(subject, rule), (rule.id, "*")),
    )


def _nearest(subject: Subject, rule: EarningRule) -> Example:
    """A basket that comes as near to the rule as any: its own conditions as far as they can be met, its own lines."""
    body = subject.body
    tries = (circumstances(each, subject) for each in ((body.applies, rule.when), (rule.when,), (body.applies,)))
    scene = next((found for found in tries if found is not None), anytime(subject))
    amount = max(AMOUNT, rule.minimum) if isinstance(rule, Fixed) else AMOUNT
    return scene.model_copy(update={"lines": (_own_goods(body, rule.on).line(amount),)})


def _own_goods(body: ProgrammeBody, on: Selector) -> Goods:
    """What the rule is about, whether or not the programme lets it earn."""
    unscoped = body.model_copy(update={"scope": Selector(), "base": body.base.model_copy(update={"excluded": None})})
    found = goods(body, (on,)) or goods(unscoped, (on,))
    return found or Goods("item", None, None, (), 1, AMOUNT)
