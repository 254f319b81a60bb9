"""Coupons and automatic promotions on a basket's lines: which are used, why others are not, what is missing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from shared.coupons.effects import GIVES_POINTS
from shared.coupons.limits import UNLIMITED, budgeted
from shared.coupons.model import Coupon, OfferTerms, Promotion
from shared.coupons.rules import REASONS, Discount, Use
from shared.coupons.stacking import Candidate, Chosen, choose
from shared.kernel.money import format_money
from shared.programmes.conditions import unmet
from shared.programmes.outcome import ExtraGiven
from shared.transactions.model import Circumstances, CouponDiscount, Decided, PresentedCoupon, PromotionDiscount, Refused, Warned

UNKNOWN: Final = Discount(reason="unknown_coupon")
MOST_NEAR_MISSES: Final = 3
"""Promotions whose minimum is not reached: the nearest are named."""
_OF_POINTS: Final = ("lower_than_best", "points_limit", "programme_not_applying")
"""Reasons of the earning engine that are told as they are; any other means that the basket earns no points with it."""


def apply(presented: Sequence[PresentedCoupon], given: Circumstances, decided: Decided, barred: Mapping[int, str]) -> list[int]:
    """Lower the lines, and add discounts, promotions, refusals and near misses.

    Answers the place of each that is used, in the order of ``applied``. ``barred``: places that were found to give no points, and why.
    """
    # A coupon is good at the instant of the sale, not of the (maybe later) call.
    use = Use(given.scene.at, given.scene, given.member, given.facts, given.basket, given.exhausted)
    groups = given.scene.groups
    coupons = [
        Candidate(place, each.coupon, each.offer, _group_budgets(each.offer, groups))
        for place, each in enumerate(presented)
        if each.coupon is not None and each.offer is not None
    ]
    promotions = given.promotions.candidates(decided.lines, use, given.promised) if given.promotions or given.promised else []
    use = _knowing(use, given, [*(each.body for each in coupons), *(each.body for each in promotions)])
    offset = len(presented)
    automatic = (
        Candidate(offset + place, each, each.body, _group_budgets(each.body, groups)) for place, each in enumerate(promotions)
    )
    candidates = [*coupons, *automatic]
    chosen = choose([each for each in candidates if each.place not in barred], decided.lines, use, given.coupons_together)
    for candidate, outcome in chosen.used:
        _add(decided, candidate, outcome, given.languages)
    take_off(decided)
    _refuse(presented, chosen, barred, given, decided)
    _nearly(candidates, chosen, given, decided)
    if not chosen.exact:
        decided.warnings.append(Warned("bounded_search", "/coupons", "too many to try every combination; the best found is used"))
    places = [(isinstance(each.source, Promotion), place, each.place) for place, (each, _) in enumerate(chosen.used)]
    return [place for _, _, place in sorted(places)]


def _group_budgets(terms: OfferTerms, groups: frozenset[str]) -> int:
    """How many budgets of the location's groups it takes from."""
    return len(budgeted(terms.limits, groups)) if groups and terms.limits is not UNLIMITED else 0


def applied(decided: Decided) -> list[CouponDiscount | PromotionDiscount]:
    """The coupons, then the promotions that are used, each in the order of working."""
    return [*decided.discounts, *decided.promotions]


def take_off(decided: Decided) -> None:
    """Lower the lines by every discount."""
    if not decided.discounts and not decided.promotions:
        return
    lines = {line.id: line for line in decided.lines}
    for id_, part in decided.taken_off:
        lines[id_].net -= part


def reason_of(given: ExtraGiven) -> str:
    """Why an offer gave no points, as a refusal says it."""
    return given.reason if given.reason in _OF_POINTS else "no_points"


def _knowing(use: Use, given: Circumstances, terms: Iterable[OfferTerms]) -> Use:
    """With what only some ask: the programmes that apply, and what a hold has promised."""
    ask_programmes = any(isinstance(each.effect, GIVES_POINTS) for each in terms)
    if not ask_programmes and not given.promised:
        return use
    applying = (each.id for each in given.programmes if unmet(each.body.applies, given.facts, given.scene) is None)
    return replace(
        use,
        programmes=frozenset(applying if ask_programmes else ()),
        promised=frozenset(each.key for each in given.promised),
    )


def _add(decided: Decided, candidate: Candidate, outcome: Discount, languages: Sequence[str]) -> None:
    source, terms = candidate.source, candidate.body
    if isinstance(source, Coupon):
        used = CouponDiscount(source, outcome.amount, outcome.lines, outcome.tender, outcome.left, outcome.added, terms, outcome.extra)
        decided.discounts.append(used)
        return
    title = terms.title_in(languages)
    decided.promotions.append(
        PromotionDiscount(source.id, source.version, title, outcome.amount, outcome.lines, outcome.added, terms, outcome.extra)
    )


def _refuse(
    presented: Sequence[PresentedCoupon], chosen: Chosen, barred: Mapping[int, str], given: Circumstances, decided: Decided
) -> None:
    """Every coupon that is not used, with its reason."""
    used = {candidate.place for candidate, _ in chosen.used}
    for place, each in enumerate(presented):
        if place in used:
            continue
        outcome = Discount(reason=barred[place]) if place in barred else chosen.refused.get(place, UNKNOWN)
        code = outcome.reason or "unknown_coupon"
        decided.refused.append(Refused(each.reference, code, REASONS[code]))
        if outcome.missing or outcome.missing_units:
            decided.near_misses.append(f"{_missing(outcome, given.scene.currency)} for this coupon")


def _nearly(candidates: Sequence[Candidate], chosen: Chosen, given: Circumstances, decided: Decided) -> None:
    """Promotions that are short of nothing but their minimum, the nearest first."""
    short = [
        (outcome.missing_units, outcome.missing, each.source.id, each.body.title_in(given.languages), outcome)
        for each in candidates
        if isinstance(each.source, Promotion)
        and (outcome := chosen.refused.get(each.place)) is not None
        and (outcome.missing or outcome.missing_units)
    ]
    for _, _, _, title, outcome in sorted(short, key=lambda each: each[:3])[:MOST_NEAR_MISSES]:
        decided.near_misses.append(f"{_missing(outcome, given.scene.currency)} for {title}")


def _missing(outcome: Discount, currency: str) -> str:
    if outcome.missing:
        return f"{format_money(outcome.missing, currency)} more"
    return f"{outcome.missing_units} more item{'s' if outcome.missing_units > 1 else ''}"
