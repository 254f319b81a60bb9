"""What is linted, and the engine run on an example. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Final

from shared.coupons.effects import AmountOff, FreeItem, PercentOff, UnitPrice, Voucher
from shared.coupons.model import OfferBody
from shared.kernel.instants import Instant, format_rfc3339, parse_rfc3339
from shared.programmes.base import Payment
from shared.programmes.compiled import Programme
from shared.programmes.conditions import MemberFacts, Scene
from shared.programmes.earning import PLAIN, earn
from shared.programmes.lines import Line
from shared.programmes.lint.model import Example, ExampleLine, ExampleStep
from shared.programmes.model import EarningRule, ProgrammeBody
from shared.programmes.outcome import Earned
from shared.programmes.selectors import TenderKind
from shared.programmes.spending import rate_of
from shared.programmes.terms import Conversion
from shared.tenants.model import WalletSettings

MOST_STEPS: Final = 20
"""Rules that an example names at most."""
NOWHERE: Final = "anywhere"
"""The location of an example where no condition asks for one."""


@dataclass(frozen=True)
class Subject:
    """A programme with what its meaning depends on. ``at`` is the instant from which on it would hold."""

    body: ProgrammeBody
    wallets: Mapping[str, WalletSettings] = field(default_factory=dict)
    offers: Mapping[str, OfferBody] = field(default_factory=dict)
    others: Sequence[Programme] = ()
    prices: Mapping[str, int] = field(default_factory=dict)
    at: Instant = 0
    zone: str = "UTC"
    id: str = ""
    locations: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Each of the tenant's locations -> the groups that it is in, those above included."""

    @cached_property
    def programme(self) -> Programme:
        """As the engine takes it."""
        return Programme(self.id or "programme", 1, self.body)

    @cached_property
    def wallet(self) -> WalletSettings:
        """Its wallet."""
        return self.wallets.get(self.body.wallet, PLAIN)

    @cached_property
    def sharing(self) -> tuple[ProgrammeBody, ...]:
        """The other programmes that give or spend points of the same wallet."""
        return tuple(each.body for each in self.others if each.body.wallet == self.body.wallet)

    @cached_property
    def places(self) -> dict[str, int]:
        """Rule -> its place."""
        return {rule.id: place for place, rule in enumerate(self.body.earning)}

    @cached_property
    def tiers(self) -> frozenset[str]:
        """Every level that a member may have."""
        schemes = [body.tiers for body in (self.body, *(each.body for each in self.others)) if body.tiers is not None]
        return frozenset(level.id for scheme in schemes for level in scheme.levels)

    @cached_property
    def examples_of_groups(self) -> Mapping[frozenset[str], str]:
        """Every set of groups that some location is in -> the first such location by name: for conditions they are all alike."""
        found: dict[frozenset[str], str] = {}
        for location, groups in sorted(self.locations.items()):
            found.setdefault(groups, location)
        return found

    @cached_property
    def value(self) -> Fraction:
        """What one point buys, in minor units: the best that any programme of the wallet offers for it, as payment or voucher.

        Where nothing takes points yet, the wallet's rate.
        """
        bodies = (self.body, *self.sharing)
        rates = [rate_of(body.spending, self.wallet) for body in bodies if body.spending is not None]
        found = [Fraction(rate.value, rate.points) for rate in rates]
        for conversion in (each for body in bodies for each in body.conversions):
            worth = self.voucher(conversion)
            if worth is not None:
                found.append(Fraction(worth, conversion.points))
        takes_points = bool(rates) or any(body.conversions for body in bodies)
        return max(found, default=Fraction(0)) if takes_points else Fraction(self.wallet.value, self.wallet.points)

    def voucher(self, conversion: Conversion) -> int | None:
        """What a coupon of the conversion's offer takes off at best, in minor units; ``None`` where that depends on the basket."""
        offer = self.offers.get(conversion.offer)
        if offer is None:
            return None
        effect, scope = offer.effect, offer.scope
        prices = [self.prices[item] for item in scope.items if item in self.prices]
        dearest = max(prices, default=None) if not (scope.categories or scope.tags) else None
        worth: int | None = None
        if isinstance(effect, AmountOff | Voucher):
            worth = effect.amount if isinstance(effect, AmountOff) else effect.value
        elif isinstance(effect, FreeItem):
            worth = self.prices[effect.item] * effect.units if effect.item in self.prices else None
        elif dearest is None:
            worth = None
        elif isinstance(effect, PercentOff):
            worth = dearest * effect.percent // 100
        elif isinstance(effect, UnitPrice):
            worth = max(dearest - effect.price, 0) * effect.units
        most = offer.maximum_discount
        if worth is None:
            return most if isinstance(effect, PercentOff) else None
        return worth if most is None else min(worth, most)

    def pointer(self, rule: EarningRule, tail: str = "") -> str:
        """Where a rule is."""
        return f"/definition/earning/{self.places[rule.id]}{tail}"

    def without(self, rules: Iterable[str]) -> Programme | None:
        """The programme without some rules and what then multiplies nothing; ``None`` if no rule is left."""
        dropped = set(rules)
        kept: list[EarningRule] = []
        for rule in self.body.earning:
            if rule.id in dropped:
                continue
            if rule.kind == "multiplier" and rule.of:
                of = tuple(name for name in rule.of if name not in dropped)
                kept += [rule.model_copy(update={"of": of})] if of else []
            else:
                kept.append(rule)
        if not any(rule.kind != "multiplier" for rule in kept):
            return None
        return Programme(self.programme.id, 1, self.body.model_copy(update={"earning": tuple(kept)})) if dropped else self.programme

    def run(self, example: Example, programme: Programme | None = None) -> Earned:
        """What the engine says of the example: the programme alone, so that no other owns its lines."""
        vouchers: tuple[tuple[TenderKind, int], ...] = (("voucher", example.pays_voucher),) if example.pays_voucher else ()
        scene = scene_of(example, self.zone)
        payment = Payment(example.pays_value, vouchers)
        return earn((programme or self.programme,), lines_of(example), payment, facts_of(example), scene, self.wallets)

    def shown(self, example: Example, about: Iterable[str] = ()) -> Example:
        """The example with what it costs and earns."""
        earned = self.run(example)
        named = set(about)
        told = [step for step in earned.steps if step.rule in named]
        told += [step for step in earned.steps if step.points and step.rule not in named]
        lot = earned.awards[0].posting if earned.awards else None
        expires_at = lot.expires_at if lot is not None and self.body.expiry.kind not in ("never", "inactivity") else None
        update = {
            "spent": sum(line.amount - line.discount for line in example.lines),
            "earned": earned.points,
            "worth": int(earned.points * self.value),
            "available_at": format_rfc3339(lot.available_at) if lot is not None and lot.available_at else None,
            "expires_at": format_rfc3339(expires_at) if expires_at is not None else None,
            "steps": tuple(ExampleStep(rule=step.rule, points=step.points, reason=step.reason) for step in told[:MOST_STEPS]),
        }
        return example.model_copy(update=update)


def line_of(line: ExampleLine) -> Line:
    """As the engine takes it."""
    return Line(
        id=line.id,
        kind=line.kind,
        item=line.item,
        category=line.category,
        tags=frozenset(line.tags),
        units=line.units,
        amount=line.amount,
        net=line.amount - line.discount,
        unit_price=line.unit_price,
    )


def lines_of(example: Example) -> list[Line]:
    """The basket as the engine takes it."""
    return [line_of(line) for line in example.lines]


def facts_of(example: Example) -> MemberFacts:
    """The member as the engine takes her: nothing is used up yet."""
    return MemberFacts(
        tier=example.tier,
        segments=frozenset(example.segments),
        tags=frozenset(example.tags),
        joined_at=parse_rfc3339(example.joined),
        purchases=0 if example.first_purchase else 1,
    )


def scene_of(example: Example, zone: str) -> Scene:
    """Where and when, as the engine takes it; the location keeps the tenant's time."""
    groups = frozenset(example.location_groups)
    return Scene(parse_rfc3339(example.at), zone, zone, example.location, example.channel, "", groups)
