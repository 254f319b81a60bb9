"""The circumstances of a sale as kept with it, so that its decision can be made again. Pure; compact, without names.

What is versioned is kept as its version (programmes); what is not is kept itself (rates, the catalogue's part, the member's numbers,
and of the groups that the location is in those that are asked about: it may be in others tomorrow).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from shared.coupons.model import Coupon
from shared.kernel.instants import Instant
from shared.programmes.compiled import Programme
from shared.programmes.conditions import MemberFacts, Scene, Usage
from shared.programmes.extras import Extra
from shared.tenants.model import CatalogueItem, WalletSettings
from shared.transactions.api import Basket
from shared.transactions.model import NOBODY, Applied, Circumstances, CouponDiscount, Decided, PromotionDiscount

BasketT = TypeVar("BasketT", bound=Basket)
ProgrammeOf = Callable[[str, int], Programme | None]


class ProgrammeGone(LookupError):
    """A version that a sale was decided with is not there any more."""


def encode_given(given: Circumstances, decided: Decided, points_to_spend: int) -> list[Any]:
    """Everything that ``decode_given`` needs beside the basket as sent; a hold's points to spend are not in it."""
    facts, scene = given.facts, given.scene
    local_zone = 0 if scene.local_zone == scene.zone else scene.local_zone
    wallets = {each.body.wallet for each in given.programmes}
    promotions = [
        [each.id, each.version, each.title, each.amount, dict(each.lines), each.added, *_extra_row(each.extra)]
        for each in decided.promotions
    ]
    return [
        [scene.at, given.now - scene.at, scene.zone, local_zone, points_to_spend, *sorted(scene.groups & given.asked_groups)],
        [int(given.known_location), int(given.historical), int(given.counts_visits), int(facts.same_visit)],
        [[each.id, each.version] for each in given.programmes],
        {name: [each.points, each.value, each.overdraft, each.floor] for name, each in given.wallets.items() if name in wallets},
        {id_: [each.category, list(each.tags)] for id_, each in given.catalogue.items()},
        [facts.tier, sorted(facts.segments), sorted(facts.tags), facts.joined_at, facts.purchases],
        {key: [each.points, each.times, each.points_today, each.times_today] for key, each in facts.usage.items()},
        [dict(facts.balances), dict(facts.payments_today), given.held_value] if facts.balances else 0,
        sorted(given.exhausted),
        [
            [
                each.coupon.id,
                each.coupon.offer,
                each.coupon.offer_version,
                each.amount,
                dict(each.lines),
                int(each.tender),
                each.left,
                *_extra_row(each.extra),
            ]
            for each in decided.discounts
        ],
        *([promotions] if promotions else []),
    ]


def decode_given(
    stored: list[Any], basket: BasketT, member: str | None, programme_of: ProgrammeOf
) -> tuple[BasketT, Circumstances, Applied]:
    """The basket as decided, its circumstances, and what was used on it; ``ProgrammeGone`` if a version cannot be found."""
    moment, flags, versions, wallets, items, numbers, usage, payments, exhausted, *used = stored
    at, late, zone, local_zone, points_to_spend, *groups = moment
    discounts, promotions = used if len(used) > 1 else (*used, [])
    known_location, historical, counts_visits, same_visit = map(bool, flags)
    tier, segments, tags, joined_at, purchases = numbers
    balances, paid, held_value = payments or ({}, {}, None)
    facts = MemberFacts(
        tier=tier,
        segments=frozenset(segments),
        tags=frozenset(tags),
        joined_at=joined_at,
        purchases=purchases,
        same_visit=same_visit,
        usage={key: Usage(*each) for key, each in usage.items()},
        balances=balances,
        payments_today=paid,
    )
    given = Circumstances(
        now=at + late,
        scene=Scene(at, zone, local_zone or zone, basket.location_id, basket.channel, basket.currency, frozenset(groups)),
        programmes=tuple(_programme(programme_of, id_, version) for id_, version in versions),
        wallets={
            name: WalletSettings(points=points, value=value, overdraft=overdraft, floor=floor)
            for name, (points, value, overdraft, floor) in wallets.items()
        },
        catalogue={id_: CatalogueItem(id=id_, name=id_, category=category, tags=tuple(each)) for id_, (category, each) in items.items()},
        known_location=known_location,
        member=member,
        facts=facts if member is not None else NOBODY,
        historical=historical,
        counts_visits=counts_visits,
        held_value=held_value,
        exhausted=frozenset(exhausted),
    )
    applied = Applied([_discount(row, at) for row in discounts], [_promotion(row) for row in promotions])
    return basket.model_copy(update={"points_to_spend": points_to_spend}), given, applied


def _programme(programme_of: ProgrammeOf, id_: str, version: int) -> Programme:
    found = programme_of(id_, version)
    if found is None:
        raise ProgrammeGone(f"{id_} version {version}")
    return found


def _discount(row: list[Any], at: Instant) -> CouponDiscount:
    id_, offer, version, amount, lines, tender, left, *extra = row
    coupon = Coupon(id_, offer, version, "redeemed", None, at, at)
    return CouponDiscount(coupon, amount, tuple(lines.items()), bool(tender), left, extra=_extra(coupon.key, extra))


def _promotion(row: list[Any]) -> PromotionDiscount:
    id_, version, title, amount, lines, added, *extra = row
    found = PromotionDiscount(id_, version, title, amount, tuple(lines.items()), tuple((item, units) for item, units in added))
    return replace(found, extra=_extra(found.key, extra))


def _extra_row(extra: Extra | None) -> list[Any]:
    """Nothing for what gives no points: most do not."""
    if extra is None:
        return []
    return [[extra.programme, extra.lines, extra.points, int(extra.per_unit), extra.units, extra.percent, extra.of, extra.rounding]]


def _extra(rule: str, row: list[Any]) -> Extra | None:
    if not row:
        return None
    programme, lines, points, per_unit, units, percent, of, rounding = row[0]
    return Extra(rule, programme, tuple(lines), points, bool(per_unit), units, percent, tuple(of), rounding)
