"""Rewards that pay for themselves, and points that come beside purchases without a bound. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from shared.coupons.effects import AmountOff, FreeItem, PercentOff, UnitPrice, Voucher
from shared.coupons.model import Coupon, OfferBody
from shared.coupons.rules import Use, discount
from shared.kernel.instants import NEVER
from shared.programmes.lint.circumstances import anytime, circumstances
from shared.programmes.lint.goods import goods
from shared.programmes.lint.model import Example, ExampleLine, Finding
from shared.programmes.lint.subject import Subject, facts_of, lines_of, scene_of
from shared.programmes.selectors import Selector
from shared.programmes.terms import Bonus, Conversion

OFTEN: Final = 1000
"""A custom event that gives points so often, with no limit a day, has no limit to speak of."""
_TRIED: Final = 20
USUAL: Final = 1000
"""Minor units of an example's line where any would do."""


def rewards(subject: Subject) -> Iterator[Finding]:
    """Reward loops, bonuses without a bound, referrals below their worth. Cost: a few decisions per conversion."""
    for place, conversion in enumerate(subject.body.conversions):
        offer = subject.offers.get(conversion.offer)
        example = _loop(subject, conversion, offer) if offer is not None else None
        if example is not None:
            yield Finding(
                code="reward_loop",
                severity="error",
                pointer=f"/definition/conversions/{place}/points",
                message=f"Using the voucher of {conversion.id} earns its points again: ask for more, or let rewards lower what earns.",
                example=example,
            )
    for place, bonus in enumerate(subject.body.bonuses):
        if bonus.on == "event" and bonus.times >= OFTEN and bonus.per_day is None:
            yield _unbounded(subject, bonus, place)
    yield from _referral(subject)


def _loop(subject: Subject, conversion: Conversion, offer: OfferBody) -> Example | None:
    """A basket that the voucher pays whole and that earns the voucher's points again; ``None`` if there is none.

    The goods and circumstances of ``_TRIED`` rules are tried, of those that ask for different ones.
    """
    body, effect = subject.body, offer.effect
    free = Selector(items=(effect.item,)) if isinstance(effect, FreeItem) else Selector()
    where = offer.when
    asked = dict.fromkeys((rule.when, rule.on) for rule in body.earning if rule.kind != "multiplier")
    for when, on in islice(asked, _TRIED):
        scene = circumstances((body.applies, when, where), subject)
        what = goods(body, (offer.scope, free, on), subject.prices)
        if scene is None or what is None:
            continue
        amount, units = _exact(offer, what.low if what.low == what.high else None)
        line = what.line(amount)
        if units > 1 and what.low <= amount // units <= what.high:
            line = what.at_price(amount // units).line(amount)
        example = _with_coupon(scene.model_copy(update={"lines": (line,), "coupon": conversion.offer}), offer, subject.zone)
        if example is not None and subject.run(example).points >= conversion.points:
            return subject.shown(example)
    return None


def _exact(offer: OfferBody, price: int | None) -> tuple[int, int]:
    """What a basket costs that the voucher pays whole, as far as it can, and its units."""
    effect = offer.effect
    if isinstance(effect, AmountOff | Voucher):
        worth = effect.amount if isinstance(effect, AmountOff) else effect.value
        return min(worth, offer.maximum_discount or worth), 1
    if isinstance(effect, PercentOff):
        return price or offer.maximum_discount or USUAL, 1
    units = effect.units if isinstance(effect, UnitPrice | FreeItem) else 1
    return (price or USUAL) * units, units


def _with_coupon(example: Example, offer: OfferBody, zone: str) -> Example | None:
    """The example with the coupon used on it; ``None`` if it does not pay all of it."""
    if isinstance(offer.effect, FreeItem) and offer.effect.how == "added":
        # The till adds it for nothing.
        return example.model_copy(update={"lines": tuple(line.model_copy(update={"discount": line.amount}) for line in example.lines)})
    coupon = Coupon("cpn", "offer", 1, "active", None, active_from=0, expires_at=NEVER)
    scene = scene_of(example, zone)
    use = Use(scene.at, scene, None, facts_of(example))
    taken = discount(coupon, offer, lines_of(example), use)
    if taken.reason is not None or taken.amount != sum(line.amount for line in example.lines):
        return None
    if taken.tender:
        return example.model_copy(update={"pays_voucher": taken.amount})
    off = dict(taken.lines)
    return example.model_copy(update={"lines": tuple(line.model_copy(update={"discount": off.get(line.id, 0)}) for line in example.lines)})


def _unbounded(subject: Subject, bonus: Bonus, place: int) -> Finding:
    scene = circumstances((bonus.when,), subject) or anytime(subject)
    return Finding(
        code="unbounded_bonus",
        severity="warning",
        pointer=f"/definition/bonuses/{place}",
        message=f"Bonus {bonus.id} can be had {bonus.times} times in one day: give it a number of times per day.",
        example=subject.shown(scene.model_copy(update={"baskets": bonus.times, "bonus": bonus.points})),
    )


def _referral(subject: Subject) -> Iterator[Finding]:
    referral = subject.body.referral
    if referral is None:
        return
    points = referral.referrer_points + referral.friend_points
    if points * subject.value < max(referral.minimum, 1) and referral.minimum > 1:
        return
    scene = circumstances((subject.body.applies,), subject) or anytime(subject)
    what = goods(subject.body, ())
    amount = max(referral.minimum, 1)
    line = what.line(amount) if what is not None else ExampleLine(id="1", unit_price=amount, amount=amount)
    yield Finding(
        code="referral_below_worth",
        severity="warning",
        pointer="/definition/referral/minimum",
        message="A friend's first purchase may cost less than both rewards are worth: raise its minimum, or give fewer points.",
        example=subject.shown(scene.model_copy(update={"lines": (line,), "bonus": points, "first_purchase": True})),
    )
