"""Decide a basket: resolve its lines, apply coupons, pay with points, earn. Pure and total: a refusal is a value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from shared.kernel.errors import FieldError, Unprocessable
from shared.kernel.instants import Instant
from shared.kernel.money import divide
from shared.member_state.tier_windows import VISITS
from shared.profile.model import Visit
from shared.profile.rules import hour_of
from shared.programmes.base import Payment
from shared.programmes.compiled import Programme
from shared.programmes.conditions import unmet
from shared.programmes.earning import earn
from shared.programmes.lines import Line
from shared.programmes.outcome import ExtraGiven
from shared.programmes.selectors import TenderKind
from shared.programmes.spending import REASONS as POINTS_REASONS
from shared.programmes.spending import deduct, rate_of, refusal, spending_limit
from shared.tenants.model import CatalogueItem
from shared.transactions.api import Basket, BasketLine
from shared.transactions.applying import applied, apply, reason_of, take_off
from shared.transactions.model import Applied, Circumstances, Decided, PresentedCoupon, Refused, Warned
from shared.transactions.taxes import rate_of_text, tax_at

PROFILE_KINDS = ("item", "modifier")


class CurrencyMismatch(Unprocessable):
    """Points are worth money of one currency: the tenant's."""

    code, title = "currency_mismatch", "Not the tenant's currency"


def decide(basket: Basket, presented: list[PresentedCoupon], given: Circumstances) -> Decided:
    """The whole decision: coupons and promotions as they stand best together, payment with points, earning.

    One that is to give points, and gives none in the end, was not used: then it is decided again without it.
    """
    barred: dict[int, str] = {}
    while True:
        decided = _resolved(basket, given)
        places = apply(presented, given, decided, barred) if presented or given.promotions or given.promised else []
        _complete(basket, given, decided)
        used = applied(decided)
        gave_none = {place: each.came_to for place, each in zip(places, used, strict=True) if each.extra and not each.came_to.points}
        if not gave_none:
            return decided
        barred |= {place: reason_of(came_to) for place, came_to in gave_none.items()}


def decide_again(basket: Basket, kept: Applied, given: Circumstances) -> Decided:
    """The same decision from what was kept of it: what was used stands, everything else is worked out anew."""
    decided = _resolved(basket, given)
    decided.discounts, decided.promotions = list(kept.coupons), list(kept.promotions)
    take_off(decided)
    _complete(basket, given, decided)
    return decided


def _resolved(basket: Basket, given: Circumstances) -> Decided:
    """The basket's lines before anything is taken off."""
    if basket.currency != given.scene.currency:
        hint = FieldError("/currency", "currency_mismatch", f"this tenant trades in {given.scene.currency}")
        raise CurrencyMismatch(hint.detail, errors=(hint,))
    decided = Decided(lines=[])
    for index, sent in enumerate(basket.lines):
        decided.lines.append(resolve_line(sent, f"/lines/{index}", basket, given, decided.warnings))
    if not given.known_location:
        decided.warnings.append(Warned("unknown_location", "/location_id", "not one of the tenant's locations"))
    return decided


def _complete(basket: Basket, given: Circumstances, decided: Decided) -> None:
    """Payment with points, and what the basket earns."""
    decided.tendered = _pay_with_points(basket, given, decided)
    if given.member is not None:
        payment = Payment(decided.tendered, _tenders(basket, decided.paid_with_vouchers))
        extras = [each.extra for each in applied(decided) if each.extra is not None]
        earned = earn(given.programmes, decided.lines, payment, given.facts, given.scene, given.wallets, given.exhausted, extras)
        decided.awards, decided.steps, decided.budgets = earned.awards, earned.steps, earned.budgets
        if extras:
            _count_points(decided, earned.extras)
    opens_visit = given.counts_visits and not given.facts.same_visit
    scene = given.scene
    hour = hour_of(scene.at, scene.zone)
    decided.visit = visit_of(decided.lines, basket.location_id, basket.channel, scene.at, opens_visit=opens_visit, hour=hour)


def _count_points(decided: Decided, came_to: list[ExtraGiven]) -> None:
    """Say of each offer and promotion that gives points how many they came to."""
    given = iter(came_to)
    decided.discounts = [replace(each, came_to=next(given)) if each.extra else each for each in decided.discounts]
    decided.promotions = [replace(each, came_to=next(given)) if each.extra else each for each in decided.promotions]


def _tenders(basket: Basket, vouchers: int) -> tuple[tuple[TenderKind, int], ...]:
    """The receipt's tenders, with our vouchers: where the till lists them too they count once, as the greater of both."""
    listed = sum(tender.amount for tender in basket.tenders if tender.kind == "voucher")
    found: list[tuple[TenderKind, int]] = [(tender.kind, tender.amount) for tender in basket.tenders]
    return (*found, ("voucher", vouchers - listed)) if vouchers > listed else tuple(found)


def resolve_line(sent: BasketLine, pointer: str, basket: Basket, given: Circumstances, warnings: list[Warned]) -> Line:
    """What the catalogue adds to a line; what the till printed is believed, and doubted aloud."""
    item = given.catalogue.get(sent.item_id) if sent.item_id else None
    unknown = sent.kind == "item" and item is None and sent.category is None
    if unknown and not given.historical:
        warnings.append(Warned("unknown_item", f"{pointer}/item_id", "not in the catalogue; it counts without a category"))
    units = thousandths(sent.quantity)
    computed = divide(units * sent.unit_price, 1000, "half_up")
    full = computed if sent.amount is None else sent.amount
    if full != computed:
        warnings.append(Warned("amount_disagrees", f"{pointer}/amount", "quantity x unit_price is another amount; taken as printed"))
    amount = full - sum(given_before.amount for given_before in sent.discounts)
    category, tags = _kind_of(sent, item)
    return Line(
        id=sent.id,
        kind=sent.kind,
        item=sent.item_id,
        category=category,
        tags=tags,
        units=units,
        amount=amount,
        net=amount,
        member=sent.member_id,
        unit_price=sent.unit_price,
        full=full,
        tax=tax_of(sent, amount, included=basket.prices_include_tax),
        tax_on_top=not basket.prices_include_tax,
        rate=rate_of_text(sent.tax_rate) if sent.tax_rate is not None else None,
        known=not unknown,
    )


def tax_of(sent: BasketLine, amount: int, *, included: bool) -> int:
    """The tax on a line: as printed, else by its rate, halves rounded up. A line that says neither has none."""
    if sent.tax_amount is not None:
        return sent.tax_amount
    if sent.tax_rate is None:
        return 0
    return tax_at(rate_of_text(sent.tax_rate), amount, included=included)


def _kind_of(sent: BasketLine, item: CatalogueItem | None) -> tuple[str | None, frozenset[str]]:
    category = sent.category if sent.category is not None else (item.category if item else None)
    tags = sent.tags if sent.tags is not None else (item.tags if item else ())
    return category, frozenset(tags)


def thousandths(quantity: str) -> int:
    """A decimal string of at most three places as whole thousandths."""
    negative, digits = quantity.startswith("-"), quantity.lstrip("-")
    whole, _, part = digits.partition(".")
    value = int(whole) * 1000 + int(part.ljust(3, "0") or 0)
    return -value if negative else value


def visit_of(
    lines: Iterable[Line], location: str, channel: str, at: Instant, *, count: int = 1, opens_visit: bool = False, hour: str = ""
) -> Visit:
    """What the profile learns: the value and quantity of the goods (not tips or deposits) after discounts, by dimension.

    ``hour`` is that of the tenant's day, as its days are; left out, none is booked.
    """
    by: dict[str, int] = {f"l:{location}": 0, f"h:{channel}": 0}
    units: dict[str, int] = {}
    value = quantity = 0
    for line in lines:
        if line.kind not in PROFILE_KINDS:
            continue
        value += line.net
        quantity += line.units
        for key in _dimensions(line):
            by[key] = by.get(key, 0) + line.net
            units[key] = units.get(key, 0) + line.units
    by[f"l:{location}"] = by[f"h:{channel}"] = value
    if hour:
        by[f"o:{hour}"] = value
    if opens_visit:
        by[VISITS] = 1
    return Visit(at, value, quantity, by, count, units)


def _dimensions(line: Line) -> list[str]:
    category = [f"c:{line.category}"] if line.category else []
    item = [f"i:{line.item}"] if line.item else []
    return [*category, *(f"t:{tag}" for tag in sorted(line.tags)), *item]


def _pay_with_points(basket: Basket, given: Circumstances, decided: Decided) -> int:
    """Points as payment in the first programme that takes them; answers what they paid as a tender.

    A payment is taken whole or refused whole, with what would be possible.
    """
    wanted = basket.points_to_spend
    if not wanted:
        return 0
    programme = next((each for each in given.programmes if _takes_points(each, given)), None)
    if programme is None or given.member is None:
        missing = "points_not_accepted" if given.member else "member_needed"
        decided.refused.append(Refused("points", missing, POINTS_REASONS["points_not_accepted"]))
        return 0
    spending, name = programme.body.spending, programme.body.wallet
    assert spending is not None
    wallet, uses = given.wallet(name), given.facts.payments_today.get(name, 0)
    drawable = given.facts.balances.get(name, 0)
    limit = spending_limit(spending, wallet, decided.lines, drawable, uses, decided.paid_with_vouchers)
    code = refusal(spending, limit, wanted, drawable) if given.held_value is None else None
    if code is not None:
        possible = f" At most {limit.points} can be used on this basket." if limit.points else ""
        decided.refused.append(Refused("points", code, POINTS_REASONS[code] + possible))
        return 0
    value = rate_of(spending, wallet).worth(wanted) if given.held_value is None else given.held_value
    decided.spent[name] = wanted
    decided.paid_with_points = value
    if spending.counts_as == "discount":
        deduct(spending, decided.lines, value)
        return 0
    return value


def _takes_points(programme: Programme, given: Circumstances) -> bool:
    return programme.body.spending is not None and unmet(programme.body.applies, given.facts, given.scene) is None
