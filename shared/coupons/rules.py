"""Whether a coupon may be used on a basket, and what it takes off. Pure; every refusal has a reason code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.coupons.effects import ExtraPoints, FreeItem, PointsMultiplier, Voucher
from shared.coupons.limits import NOTHING_USED, UNLIMITED, refused_by
from shared.coupons.model import Coupon, OfferBody, OfferTerms, Promotion
from shared.coupons.pricing import parts_of, spread
from shared.kernel.instants import DAY, MINUTE, Instant, day_start, local_day, parse_rfc3339
from shared.programmes.conditions import MemberFacts, Scene, unmet
from shared.programmes.extras import Extra
from shared.programmes.lines import Line, net_of, selected
from shared.tenants.stops import ALL, MARK, ONE

CLOCKS_BEHIND: Final = 10 * MINUTE
"""A till's clock may be so far behind: a coupon that its guest has just been given is good there at once."""
REASONS = {
    "unknown_coupon": "There is no such coupon.",
    "not_yet_active": "The coupon is not active yet.",
    "expired": "The coupon has expired.",
    "redeemed": "The coupon was redeemed already.",
    "void": "The coupon was withdrawn.",
    "held": "The coupon is held for another basket.",
    "other_member": "The coupon belongs to another member.",
    "wrong_location": "The coupon is not valid at this location.",
    "wrong_channel": "The coupon is not valid in this channel.",
    "wrong_tier": "The coupon is for members of another tier.",
    "not_in_segment": "The coupon is for other members.",
    "wrong_tag": "The coupon is for other members.",
    "joined_too_early": "The coupon is for newer members.",
    "joined_too_late": "The coupon is for older members.",
    "first_purchase": "The coupon is not for a first purchase.",
    "not_first_purchase": "The coupon is for a first purchase.",
    "wrong_weekday": "The coupon is not valid on this day of the week.",
    "outside_hours": "The coupon is not valid at this time of day.",
    "outside_dates": "The coupon is not valid on this day.",
    "below_minimum_quantity": "There is less in the basket than the coupon asks for.",
    "better_without": "Without this coupon the others take off more.",
    "below_minimum_basket": "The basket is below the coupon's minimum.",
    "no_line_matched": "No line of the basket is what the coupon is for.",
    "not_combinable": "The coupon cannot be combined with another.",
    "exhausted": "All coupons of this offer are used up.",
    "limit_per_member": "The member has used this offer as often as she may.",
    "limit_per_day": "The member has used this offer as often as she may on one day.",
    "limit_per_week": "The member has used this offer as often as she may in one week.",
    "limit_per_month": "The member has used this offer as often as she may in one month.",
    "budget_exhausted": "The offer's budget has not enough left for this discount.",
    "location_budget_exhausted": "The offer's budget for this location has not enough left for this discount.",
    "group_budget_exhausted": "The offer's budget for a group of locations that this one is in has not enough left for this discount.",
    "member_needed": "The coupon is for members: say who buys.",
    "programme_not_applying": "The programme whose points it gives does not apply to this basket.",
    "lower_than_best": "Another multiplier of the programme gives more.",
    "points_limit": "The programme's own limits leave nothing of its points.",
    "no_points": "The basket earns no points with it.",
    "voucher_too_large": "The voucher is worth more than the bill, and its remainder would be lost.",
    "needs_a_sale": "The coupon gives points for a sale: send it with the sale.",
    "listed_twice": "The coupon is listed twice.",
    "redemptions_stopped": "Nothing is redeemed for the moment.",
    "offer_stopped": "The offer is stopped for the moment.",
}


@dataclass(frozen=True, slots=True)
class Use:
    """The circumstances of a redemption."""

    now: Instant
    scene: Scene
    member: str | None
    facts: MemberFacts
    basket: str | None = None
    """The hold or basket that may use a held coupon."""
    exhausted: frozenset[str] = frozenset()
    """Budgets and quotas without room for what this basket takes (``shared.coupons.limits``), and stops (``shared.tenants.stops``)."""
    programmes: frozenset[str] = frozenset()
    """Those in force that apply to this basket; asked only for effects that give points."""
    promised: frozenset[str] = frozenset()
    """Keys of promotions that a hold has promised: their conditions were met when it was placed, and are not asked again."""


@dataclass(frozen=True, slots=True)
class Discount:
    """What a coupon takes off, per line. ``reason`` instead, when it cannot be used."""

    amount: int = 0
    lines: tuple[tuple[str, int], ...] = ()
    reason: str | None = None
    missing: int = 0
    """How much more the basket must be worth, where the reason is its minimum."""
    missing_units: int = 0
    """How many more whole units there must be, likewise."""
    tender: bool = False
    """It pays the bill, and lowers no line."""
    left: int = 0
    """What stays on the code."""
    added: tuple[tuple[str, int], ...] = ()
    """(item, units) that the till adds for nothing."""
    extra: Extra | None = None
    """Points that it gives; how many, the programme says."""

    @property
    def gift(self) -> bool:
        """Whether it is worth taking although it takes nothing off."""
        return bool(self.added) or self.extra is not None


def validity(body: OfferBody, issued_at: Instant, zone: str) -> tuple[Instant, Instant]:
    """From when and until when a coupon issued now is valid; the end is the end of a local day."""
    active_from = issued_at + body.starts_after_days * DAY
    expires_at = day_start(local_day(active_from, zone) + body.valid_days + 1, zone)
    if body.valid_until is not None:
        expires_at = min(expires_at, parse_rfc3339(body.valid_until))
    return active_from, expires_at


def state_reason(coupon: Coupon, use: Use) -> str | None:
    """Why the coupon itself cannot be used now, or ``None``. An expired hold is free at once."""
    if coupon.state in ("redeemed", "void", "expired"):
        return coupon.state
    if coupon.expires_at <= use.now:
        return "expired"
    if coupon.active_from - CLOCKS_BEHIND > use.now:
        return "not_yet_active"
    if coupon.state == "held" and (coupon.hold_until or 0) > use.now and coupon.hold_basket != use.basket:
        return "held"
    if coupon.member is not None and coupon.member != use.member and coupon.member not in use.facts.former:
        return "other_member"
    promised = coupon.state == "held" and coupon.hold_basket == use.basket and (coupon.hold_until or 0) > use.now
    return None if promised else _stopped(coupon.offer, use.exhausted)


def _stopped(offer: str, exhausted: frozenset[str]) -> str | None:
    """Whether the tenant has stopped all redeeming, or that of an offer. What a hold has promised before is kept."""
    return ALL if MARK in exhausted else ONE if f"{MARK}{offer}" in exhausted else None


def limit_reason(terms: OfferTerms, key: str, use: Use, before: int = 0) -> str | None:
    """Which of its limits leaves no room for a use; ``before``: uses of the same by this very basket."""
    if terms.limits is UNLIMITED and not use.exhausted:
        return None
    usage = None if use.facts.anonymous else use.facts.usage.get(key, NOTHING_USED)
    where, groups = use.scene.location, use.scene.groups
    return refused_by(terms.limits, key, usage, before=before, exhausted=use.exhausted, location=where, groups=groups)


def discount(source: Coupon | Promotion, body: OfferTerms, lines: list[Line], use: Use, paid: int = 0) -> Discount:
    """What the coupon or promotion takes off these lines as they stand; the lines are not changed.

    ``paid``: by vouchers that count as tenders.
    """
    reason = state_reason(source, use) if isinstance(source, Coupon) else None
    if reason is None and source.key not in use.promised:
        reason = unmet(body.when, use.facts, use.scene)
    if reason is None:
        reason = limit_reason(body, source.key, use)
    if reason is not None:
        return Discount(reason=reason)
    short = _below_minimum(body, lines)
    if short is not None:
        return short
    if isinstance(body.effect, FreeItem) and body.effect.how == "added":
        return Discount(added=((body.effect.item, body.effect.units),))
    if isinstance(body.effect, ExtraPoints | PointsMultiplier):
        return _points(source, body, body.effect, lines, use)
    scoped = [line for line in selected(body.scope, lines) if line.kind in ("item", "modifier") and line.net > 0]
    if not scoped:
        return Discount(reason="no_line_matched")
    if isinstance(body.effect, Voucher):
        worth = source.left if isinstance(source, Coupon) and source.left is not None else body.effect.value
        return _voucher(worth, body.effect, scoped, max(0, net_of(lines) - paid))
    parts = parts_of(body.effect, scoped)
    amount = sum(parts)
    if body.maximum_discount is not None and amount > body.maximum_discount:
        parts = spread(body.maximum_discount, parts, scoped)
        amount = body.maximum_discount
    if amount <= 0:
        return Discount(reason="no_line_matched")
    return Discount(amount, tuple((line.id, part) for line, part in zip(scoped, parts, strict=True) if part))


def _below_minimum(body: OfferTerms, lines: list[Line]) -> Discount | None:
    """What the basket is short of, if it is."""
    if not body.minimum_basket and not body.minimum_quantity:
        return None
    counted = lines if body.minimum_of.everything else selected(body.minimum_of, lines)
    worth = net_of(counted) if body.minimum_counts == "after_discounts" else sum(line.amount for line in counted)
    if worth < body.minimum_basket:
        return Discount(reason="below_minimum_basket", missing=body.minimum_basket - worth)
    units = sum(line.whole_units for line in counted) if body.minimum_quantity else 0
    if units < body.minimum_quantity:
        return Discount(reason="below_minimum_quantity", missing_units=body.minimum_quantity - units)
    return None


def _points(source: Coupon | Promotion, body: OfferTerms, effect: ExtraPoints | PointsMultiplier, lines: list[Line], use: Use) -> Discount:
    """The points are a member's, of a programme that applies; a free unit counts as one, a correction of the till does not."""
    if use.member is None:
        return Discount(reason="member_needed")
    if effect.programme not in use.programmes:
        return Discount(reason="programme_not_applying")
    goods = (line for line in selected(body.scope, lines) if line.kind in ("item", "modifier"))
    scoped = tuple(line.id for line in goods if line.units > 0 and line.amount >= 0)
    if not scoped:
        return Discount(reason="no_line_matched")
    if isinstance(effect, ExtraPoints):
        per_unit = effect.per == "unit"
        return Discount(extra=Extra(source.key, effect.programme, scoped, effect.points, per_unit=per_unit, units=effect.units))
    return Discount(extra=Extra(source.key, effect.programme, scoped, percent=effect.percent, of=effect.of, rounding=effect.rounding))


def _voucher(worth: int, effect: Voucher, scoped: list[Line], owed: int) -> Discount:
    """As much of what the voucher is worth still as the scoped lines, and what is owed, take."""
    amount = min(worth, net_of(scoped), owed)
    if amount <= 0:
        return Discount(reason="no_line_matched")
    if amount < worth and effect.remainder == "refused":
        return Discount(reason="voucher_too_large", missing=worth - amount)
    parts = spread(amount, [line.net for line in scoped], scoped)
    lines = tuple((line.id, part) for line, part in zip(scoped, parts, strict=True) if part)
    left = worth - amount if effect.remainder == "kept" else 0
    return Discount(amount, lines, tender=effect.counts_as == "tender", left=left)
