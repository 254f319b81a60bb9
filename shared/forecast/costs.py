"""What messages cost, what coupons may cost, and how long sending takes. Pure; money in minor units, rounded up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from shared.coupons.effects import AmountOff, AmountPerUnit, ExtraPoints, FreeItem, PercentOff, Voucher
from shared.coupons.model import OfferBody
from shared.coupons.personal import Number
from shared.tenants.messaging import Channel
from shared.tenants.model import WalletSettings

MILLIONTHS: Final = 10**6
Priced = Callable[[str], int | None]
"""The price of a catalogue item; ``None`` if there is none."""
Worthy = Callable[[str, int], int | None]
"""What points of a programme are worth; ``None`` if there is no such programme."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What one redemption costs: at most, and as far as the terms and the usual basket tell. ``None``: they do not."""

    highest: int | None = None
    expected: int | None = None


def cost_of(messages: int, price_e6: int) -> int:
    """Messages at a price in millionths of a minor unit."""
    return -(-messages * price_e6 // MILLIONTHS)


def worth_of_points(points: int, wallet: WalletSettings) -> int:
    """What points can be spent as."""
    return -(-points * wallet.value // wallet.points)


def worth(body: OfferBody, average_basket: int | None, price: Priced, points: Worthy) -> Worth:
    """What one coupon of an offer costs when it is redeemed. Of personal parameters the highest, and the one for whom nothing is known."""
    highest = _capped(_of_effect(_with(body, highest=True), None, price, points), _with(body, highest=True))
    expected = _capped(_of_effect(_with(body, highest=False), average_basket, price, points), None)
    cap = _with(body, highest=False).maximum_discount
    return Worth(highest, min(expected, cap) if expected is not None and cap is not None else expected)


def _with(body: OfferBody, *, highest: bool) -> OfferBody:
    """The terms with a number in the place of each personal one."""
    numbers = {place: each for place, each in body.personal.items() if isinstance(each, Number)}
    return body.fixed(tuple((place, each.at_most if highest else each.otherwise) for place, each in numbers.items()))


def _of_effect(body: OfferBody, basket: int | None, price: Priced, points: Worthy) -> int | None:
    """Of the effects whose terms tell. A percentage is of the usual basket, or of the smallest that it takes if that is larger."""
    effect = body.effect
    if isinstance(effect, AmountOff):
        return effect.amount
    if isinstance(effect, Voucher):
        return effect.value
    if isinstance(effect, AmountPerUnit):
        return effect.amount * effect.units if effect.units is not None else None
    if isinstance(effect, PercentOff):
        return -(-max(basket, body.minimum_basket) * effect.percent // 100) if basket is not None else None
    if isinstance(effect, FreeItem):
        each = price(effect.item)
        return each * effect.units if each is not None else None
    if isinstance(effect, ExtraPoints):
        return points(effect.programme, effect.points) if effect.per == "basket" else None
    return None


def _capped(value: int | None, body: OfferBody | None) -> int | None:
    """No more than the offer takes off at most; that itself where the effect says nothing."""
    cap = body.maximum_discount if body is not None else None
    if cap is None:
        return value
    return cap if value is None else min(value, cap)


def seconds_to_send(messages: Mapping[Channel, int], per_channel: Mapping[Channel, int], per_campaign: int | None) -> int | None:
    """How long it takes by the throttles; ``None`` where nothing throttles any of it."""
    limits = [-(-count // per_channel[channel]) for channel, count in messages.items() if channel in per_channel]
    if per_campaign is not None:
        limits.append(-(-sum(messages.values()) // per_campaign))
    return max(limits, default=None)
