"""Points that are worth more than what is spent for them. Pure; every finding is a basket that the engine has decided.

Not judged, because nothing here says what they cost: points per piece of an item without a catalogue price or a price band, vouchers
whose value depends on the basket, and what one member can have only so often (then it is generous at most).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from shared.programmes.lint.circumstances import circumstances
from shared.programmes.lint.goods import goods
from shared.programmes.lint.model import Example, Finding
from shared.programmes.lint.search import Worst, factor_of, worst
from shared.programmes.lint.subject import Subject
from shared.programmes.model import EarningRule, Fixed, Limits, Multiplier, PerItem
from shared.programmes.selectors import Selector

ALL: Final = Fraction(1)
HALF: Final = Fraction(1, 2)
MOST_FACTOR: Final = Fraction(5)
"""Multipliers that come to more than fivefold together are told."""
_PER_CHECK: Final = 30
"""Fixed and per-item rules that are shown at most; those behind them count with the others."""


def worth(subject: Subject) -> Iterator[Finding]:
    """What earns as much as it costs (error), half as much (``generous``), and multipliers above the bound.

    Cost: one decision per fixed rule and per priced item rule, and two searches (``search.worst``).
    """
    alone = [*_fixed_below_worth(subject), *_items_below_worth(subject)]
    yield from alone
    told = {subject.body.earning[int(finding.pointer.split("/")[3])].id for finding in alone}
    unpriced = {rule.id for rule in subject.body.earning if isinstance(rule, PerItem) and not _all_priced(rule, subject)}
    once = {rule.id for rule in subject.body.earning if _bounded(rule.limits) or rule.when.first_purchase is True}
    whole = subject.without(told | unpriced)
    bounded = _bounded(subject.body.limits) or subject.body.applies.first_purchase is True
    lasting = None if bounded else subject.without(told | unpriced | once)
    found = worst(subject, lasting, first_purchase=False) if lasting is not None else Worst()
    if found.basket is not None and found.ratio >= ALL and _confirmed(subject, found.basket, ALL):
        yield _pays_more(subject, found.basket, found.ratio)
        yield from _points_loop(subject, found.basket)
    else:
        found = worst(subject, whole, first_purchase=True) if whole is not None and (bounded or once) else found
        if found.basket is not None and found.ratio >= HALF and _confirmed(subject, found.basket, HALF):
            yield _generous(subject, found.basket, found.ratio)
    if found.multiplied is not None and found.factor > MOST_FACTOR:
        yield from _multiplied(subject, found.multiplied)


def _bounded(limits: Limits) -> bool:
    """Whether a member, or everybody, can have it only so often in all."""
    return any(each is not None for each in (limits.per_member, limits.times_per_member, limits.budget))


def _confirmed(subject: Subject, basket: Example, share: Fraction) -> bool:
    """Whether the whole programme pays so much for it too: other rules may close the lines."""
    shown = subject.shown(basket)
    return shown.earned * subject.value >= share * shown.spent


def _fixed_below_worth(subject: Subject) -> Iterator[Finding]:
    """Points once a purchase that are worth as much as the purchase must cost."""
    shown = 0
    for rule in subject.body.earning:
        if not isinstance(rule, Fixed) or _bounded(rule.limits) or _bounded(subject.body.limits) or shown >= _PER_CHECK:
            continue
        least = max(rule.minimum, 1)
        first_only = True in (rule.when.first_purchase, subject.body.applies.first_purchase)
        if first_only or rule.points * subject.value < least:
            continue
        example = _basket_of(subject, rule, rule.on, least)
        if example is None or not _confirmed(subject, example, ALL):
            continue
        shown += 1
        yield Finding(
            code="fixed_below_worth",
            severity="error",
            pointer=subject.pointer(rule, "/minimum"),
            message=f"Rule {rule.id} gives points worth as much as the purchase that it asks for: raise its minimum, or give fewer points.",
            example=subject.shown(example, (rule.id,)),
        )


def _items_below_worth(subject: Subject) -> Iterator[Finding]:
    """Points per piece that are worth as much as the piece costs."""
    shown = 0
    for rule in subject.body.earning:
        if not isinstance(rule, PerItem) or _bounded(rule.limits) or _bounded(subject.body.limits) or shown >= _PER_CHECK:
            continue
        if rule.when.first_purchase is True or subject.body.applies.first_purchase is True:
            continue
        below = ((price, on) for price, on in _pieces(rule, subject) if rule.points * subject.value >= price)
        baskets = (_basket_of(subject, rule, on, price, price) for price, on in below)
        example = next((basket for basket in baskets if basket is not None and _confirmed(subject, basket, ALL)), None)
        if example is None:
            continue
        shown += 1
        yield Finding(
            code="item_below_worth",
            severity="error",
            pointer=subject.pointer(rule, "/points"),
            message=f"Rule {rule.id} gives points worth as much as the item costs: give fewer, or leave the item out.",
            example=subject.shown(example, (rule.id,)),
        )


def _pieces(rule: PerItem, subject: Subject) -> list[tuple[int, Selector]]:
    """What is known of the prices of the rule's pieces, cheapest first: of items, else the most that its band allows."""
    priced = sorted((subject.prices[item], item) for item in rule.on.items if subject.prices.get(item, 0) > 0)
    unnamed = {"categories": (), "tags": ()}
    found = [(price, rule.on.model_copy(update={"items": (item,)} | unnamed)) for price, item in priced]
    below = rule.on.price_below
    return found or ([(below - 1, rule.on)] if below is not None and below > 1 else [])


def _all_priced(rule: PerItem, subject: Subject) -> bool:
    by_items = bool(rule.on.items) and not (rule.on.categories or rule.on.tags)
    return rule.on.price_below is not None or (by_items and all(subject.prices.get(item, 0) > 0 for item in rule.on.items))


def _basket_of(subject: Subject, rule: EarningRule, on: Selector, amount: int, price: int | None = None) -> Example | None:
    """A basket that the rule gives points for; ``None`` if the rule is dead."""
    scene = circumstances((subject.body.applies, rule.when), subject)
    what = goods(subject.body, (on,))
    if scene is None or what is None or (price is not None and not what.low <= price <= what.high):
        return None
    line = (what.at_price(price) if price is not None else what).line(amount)
    return scene.model_copy(update={"lines": (line,)})


def _top(subject: Subject, example: Example) -> str:
    """The place of the rule that gives most for it."""
    places = {rule.id: rule for rule in subject.body.earning if not isinstance(rule, Multiplier)}
    given = [step for step in subject.run(example).steps if step.rule in places]
    most = max(given, key=lambda step: step.points, default=None)
    return subject.pointer(places[most.rule]) if most is not None else "/definition/earning"


def _pays_more(subject: Subject, basket: Example, ratio: Fraction) -> Finding:
    return Finding(
        code="pays_more_than_spent",
        severity="error",
        pointer=_top(subject, basket),
        message=f"The points of this purchase are worth {_percent(ratio)} of what it costs: lower the points, the multipliers or the rate.",
        example=subject.shown(basket),
    )


def _generous(subject: Subject, basket: Example, ratio: Fraction) -> Finding:
    return Finding(
        code="generous",
        severity="warning",
        pointer=_top(subject, basket),
        message=f"The points of this purchase are worth {_percent(ratio)} of what it costs: check that this is what you want to pay.",
        example=subject.shown(basket),
    )


def _points_loop(subject: Subject, basket: Example) -> Iterator[Finding]:
    """Points that pay for a basket which gives at least as many again."""
    spending, base = subject.body.spending, subject.body.base
    earns_again = spending is not None and base.points_payment == "before" and "points" not in base.excluded_tenders
    if spending is None or not earns_again or spending.max_share_percent < 100:
        return
    amount = sum(line.amount for line in basket.lines)
    example = subject.shown(basket.model_copy(update={"pays_value": amount}))
    if example.earned * subject.value >= amount:
        yield Finding(
            code="points_loop",
            severity="error",
            pointer="/definition/base/points_payment",
            message="What is paid with points earns as many points again: let purchases count after the payment with points.",
            example=example,
        )


def _multiplied(subject: Subject, basket: Example) -> Iterator[Finding]:
    earned = subject.run(basket)
    multipliers = {rule.id: rule for rule in subject.body.earning if isinstance(rule, Multiplier)}
    if factor_of(earned, multipliers) <= MOST_FACTOR:
        return
    most = max((step for step in earned.steps if step.rule in multipliers), key=lambda step: step.points, default=None)
    yield Finding(
        code="multipliers_above_bound",
        severity="warning",
        pointer=subject.pointer(multipliers[most.rule]) if most is not None else "/definition/multipliers",
        message="Here multipliers come together to more than five times the points: let only the best count, or narrow them.",
        example=subject.shown(basket),
    )


def _percent(ratio: Fraction) -> str:
    return f"{int(100 * ratio)} %"

