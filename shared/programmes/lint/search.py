"""The dearest basket: candidates at which the points per money are greatest, each put to the engine. Pure.

Points per money peak at an amount where some rule gives its first or a whole number of points, or reaches its minimum; the rules that
coincide there are found by adding one after another to a line and to circumstances while something still fits all of them.
Negative lines, taxes and the till's own discounts are left out: ``Base`` decides what they count for, and that is what "spent" means.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, product
from math import gcd, lcm
from typing import Final, TypeVar

from shared.programmes.base import Payment
from shared.programmes.compiled import Programme
from shared.programmes.conditions import When
from shared.programmes.earning import earn
from shared.programmes.lines import selects
from shared.programmes.lint.circumstances import circumstances
from shared.programmes.lint.goods import TOP, Goods, goods
from shared.programmes.lint.model import Example
from shared.programmes.lint.subject import Subject, facts_of, line_of, lines_of, scene_of
from shared.programmes.model import Cashback, EarningRule, Fixed, Multiplier, PerAmount, PerItem
from shared.programmes.outcome import Earned

SEEDS: Final = 8
"""Lines and circumstances that are built up, starting from as many rules, the most generous first."""
_ADDED: Final = 40
"""Rules that each is tried to be extended to."""
_AMOUNTS: Final = 48
_EFFORT: Final = 120_000
"""Decisions times rules: at most as many are looked at, and never less than ``_LEAST`` decisions."""
_LEAST: Final = 100
_MOST: Final = 1500
BIG: Final = 10_000_000
"""Minor units at which roundings do not matter."""
NO_PAYMENT: Final = Payment()
T = TypeVar("T")
F = TypeVar("F")


@dataclass(frozen=True)
class Worst:
    """The baskets found: the one that pays most per money, and the one on which multipliers come to most."""

    ratio: Fraction = Fraction(0)
    """The worth of the points by what is spent."""
    basket: Example | None = None
    factor: Fraction = Fraction(1)
    """All points by those that rules gave before multipliers; of at least two multipliers (the tier's counts)."""
    multiplied: Example | None = None


def worst(subject: Subject, programme: Programme, *, first_purchase: bool) -> Worst:
    """The dearest baskets of the programme, which is the subject's with fewer rules. ``first_purchase``: whether it may be one.

    Cost: at most ``_MOST`` decisions of one line, fewer for many rules.
    """
    rules = sorted(programme.body.earning, key=lambda rule: (-generosity(rule, subject), rule.id))
    pairs = _pairs(subject, programme, rules, first_purchase=first_purchase)
    amounts = _amounts(rules, subject)
    budget = max(_LEAST, min(_MOST, _EFFORT // len(rules)))
    found = Worst()
    multipliers = {rule.id for rule in rules if isinstance(rule, Multiplier)}
    spent: set[tuple[int, int]] = set()
    # The greatest amount and the minimum-like ones for all pairs, then every amount for each.
    few = [BIG, *sorted({max(rule.minimum, 1) for rule in rules if isinstance(rule, Fixed)})[:4]]
    order: Iterator[tuple[tuple[int, tuple[Goods, Example]], int]] = iter(
        [*product(enumerate(pairs), few), *((pair, amount) for amount in amounts for pair in enumerate(pairs))]
    )
    for (number, (what, who)), amount in order:
        if len(spent) >= budget:
            break
        if (number, amount) in spent:
            continue
        spent.add((number, amount))
        found = _judged(found, subject, programme, who.model_copy(update={"lines": (what.line(amount),)}), multipliers)
    return found


def generosity(rule: EarningRule, subject: Subject) -> Fraction:
    """What it pays for money at best, in points per minor unit; of multipliers, their factor."""
    if isinstance(rule, PerAmount):
        return Fraction(rule.points, rule.per)
    if isinstance(rule, Cashback):
        percent = max([rule.percent_e2, *rule.by_tier.values()])
        return Fraction(percent * subject.wallet.points, 10_000 * subject.wallet.value) if subject.wallet.value else Fraction(0)
    if isinstance(rule, Fixed):
        return Fraction(rule.points, max(rule.minimum, 1))
    return Fraction(rule.percent, 100) if isinstance(rule, Multiplier) else Fraction(rule.points)


def _judged(found: Worst, subject: Subject, programme: Programme, example: Example, multipliers: set[str]) -> Worst:
    lines = lines_of(example)
    amount = sum(line.net for line in lines)
    earned = earn((programme,), lines, NO_PAYMENT, facts_of(example), scene_of(example, subject.zone), subject.wallets)
    ratio, basket = found.ratio, found.basket
    if amount > 0 and earned.points * subject.value > ratio * amount:
        ratio, basket = earned.points * subject.value / amount, example
    together = factor_of(earned, multipliers)
    if together > found.factor:
        return Worst(ratio, basket, together, example)
    return Worst(ratio, basket, found.factor, found.multiplied)


def factor_of(earned: Earned, multipliers: Collection[str]) -> Fraction:
    """What two or more multipliers came to together: all points by those that rules gave. One, if there are fewer, or if the
    programme's limits took some of it back.
    """
    extras = [step.points for step in earned.steps if step.points > 0 and (step.rule in multipliers or step.rule.startswith("tier:"))]
    plain = sum(step.points for step in earned.steps if step.points > 0) - sum(extras)
    # With few points a rounding would look like a factor.
    telling = len(extras) >= 2 and plain >= 100 and earned.points == plain + sum(extras)
    return Fraction(plain + sum(extras), plain) if telling else Fraction(1)


def _pairs(subject: Subject, programme: Programme, rules: Sequence[EarningRule], *, first_purchase: bool) -> list[tuple[Goods, Example]]:
    """Lines with circumstances: first those built from the same rule, then every combination."""
    body = programme.body
    base = [body.applies] if first_purchase else [body.applies, When(first_purchase=False)]
    givers = [rule for rule in rules if not isinstance(rule, Multiplier)]
    multipliers = [rule for rule in rules if isinstance(rule, Multiplier)]
    levels = tuple(level.id for level in reversed(body.tiers.levels)) if body.tiers is not None else ()
    named = (tier for rule in givers if isinstance(rule, Cashback) for tier in rule.by_tier if tier in subject.tiers)
    tiers = [When(tiers=(tier,)) for tier in dict.fromkeys((*levels, *named))]
    whos: dict[Example, None] = {}
    whats: dict[Goods, None] = {}
    for ordered in ([*givers, *multipliers], [*multipliers, *givers]):
        whens = list(dict.fromkeys([*(rule.when for rule in ordered), *tiers]))
        selectors = list(dict.fromkeys(rule.on for rule in ordered))
        for seed in [*whens[:SEEDS], *tiers]:
            fitting = _extended([*base, seed], whens, lambda each: circumstances(each, subject))
            whos.update(dict.fromkeys([fitting] if fitting is not None else []))
        for selector in selectors[:SEEDS]:
            what = _extended([selector], selectors, lambda each: goods(body, each, subject.prices))
            whats.update(dict.fromkeys([what] if what is not None else []))
    priced = list(dict.fromkeys(_priced(what, givers) for what in whats))
    return [(what, who) for what in priced for who in whos]


def _extended(start: list[T], candidates: Iterable[T], solve: Callable[[Sequence[T]], F | None]) -> F | None:
    """The solution of as many as possible, added one after another; ``None`` if the start has none."""
    found = solve(start)
    if found is None:
        return None
    chosen = list(start)
    for each in islice(candidates, _ADDED):
        if each in chosen:
            continue
        better = solve([*chosen, each])
        if better is not None:
            chosen.append(each)
            found = better
    return found


def _priced(what: Goods, givers: Sequence[EarningRule]) -> Goods:
    """Where points are per piece, the dearest that a piece can be: so it is never said of less than there is."""
    per_piece = [rule for rule in givers if isinstance(rule, PerItem) and selects(rule.on, line_of(what.line(what.low)))]
    return what.at_price(what.high) if per_piece and what.high < TOP else what


def _amounts(rules: Sequence[EarningRule], subject: Subject) -> list[int]:
    """Where points per money may be greatest: see the module. At most ``_AMOUNTS``."""
    found = [BIG]
    rates: list[tuple[int, int, str | None]] = []
    for rule in rules:
        if isinstance(rule, PerAmount):
            rates.append((rule.points, rule.per, None if rule.whole_steps else rule.rounding))
        elif isinstance(rule, Cashback) and subject.wallet.value:
            of_tiers = dict.fromkeys((rule.percent_e2, *rule.by_tier.values()))
            rates += [(each * subject.wallet.points, 10_000 * subject.wallet.value, rule.rounding) for each in of_tiers if each]
        elif isinstance(rule, Fixed):
            found.append(max(rule.minimum, 1))
    exact = [per // gcd(points, per) if rounding is not None else per for points, per, rounding in rates]
    common = 1
    for each in dict.fromkeys(exact):
        common = lcm(common, each) if lcm(common, each) <= TOP else common
    for (points, per, rounding), whole in zip(rates, exact, strict=True):
        found += [whole, -(-per // points) if rounding is not None else per]
        if rounding in ("half_up", "half_even"):
            found += [_half(2 * n - 1, per, points) for n in (1, 2, 3)] + [_half(1, per, points) + 1]
    unique = [amount for amount in dict.fromkeys((BIG, common, *found)) if 0 < amount <= TOP]
    return unique[:_AMOUNTS]


def _half(halves: int, per: int, points: int) -> int:
    """The least amount that is worth so many halves of a point."""
    return -(-halves * per // (2 * points))


