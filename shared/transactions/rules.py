"""Decide a basket: resolve its lines, apply coupons, pay with points, earn. Pure and total: a refusal is a value."""

from __future__ import annotations

from shared.coupons.rules import REASONS, Discount, Use, discount
from shared.kernel.errors import FieldError, Unprocessable
from shared.kernel.money import divide, format_money
from shared.profile.model import Visit
from shared.programmes.lines import Line
from shared.programmes.rules import earn, points_worth, spending_limit
from shared.tenants.model import CatalogueItem
from shared.transactions.api import Basket, BasketLine
from shared.transactions.model import Circumstances, CouponDiscount, Decided, PresentedCoupon, Refused, Warned

PROFILE_KINDS = ("item", "modifier")


class CurrencyMismatch(Unprocessable):
    """Points are worth money of one currency: the tenant's."""

    code, title = "currency_mismatch", "Not the tenant's currency"


def decide(basket: Basket, presented: list[PresentedCoupon], given: Circumstances) -> Decided:
    """The whole decision. Coupons are applied in the order given, each on what the ones before left."""
    if basket.currency != given.currency:
        hint = FieldError("/currency", "currency_mismatch", f"this tenant trades in {given.currency}")
        raise CurrencyMismatch(hint.detail, errors=(hint,))
    decided = Decided(lines=[])
    for index, sent in enumerate(basket.lines):
        decided.lines.append(resolve_line(sent, f"/lines/{index}", given, decided.warnings))
    if basket.location_id not in given.locations:
        decided.warnings.append(Warned("unknown_location", "/location_id", "not one of the tenant's locations"))
    _apply_coupons(basket, presented, given, decided)
    _pay_with_points(basket, given, decided)
    if given.member is not None:
        for programme in given.programmes:
            postings, steps = earn(programme, decided.lines, decided.paid_with_points, given.tier, given.at, given.zone)
            decided.earned += postings
            decided.steps += steps
    decided.visit = visit_of(basket, decided, given)
    return decided


def resolve_line(sent: BasketLine, pointer: str, given: Circumstances, warnings: list[Warned]) -> Line:
    """What the catalogue adds to a line; what the till printed is believed, and doubted aloud."""
    item = given.catalogue.get(sent.item_id) if sent.item_id else None
    if sent.kind == "item" and item is None and not given.historical and sent.category is None:
        warnings.append(Warned("unknown_item", f"{pointer}/item_id", "not in the catalogue; it counts without a category"))
    units = thousandths(sent.quantity)
    computed = divide(units * sent.unit_price, 1000, "half_up")
    amount = computed if sent.amount is None else sent.amount
    if amount != computed:
        warnings.append(Warned("amount_disagrees", f"{pointer}/amount", "quantity x unit_price is another amount; taken as printed"))
    amount -= sum(given_before.amount for given_before in sent.discounts)
    category, tags = _kind_of(sent, item)
    return Line(sent.id, sent.kind, sent.item_id, category, tags, units, amount, amount, sent.member_id)


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


def visit_of(basket: Basket, decided: Decided, given: Circumstances) -> Visit:
    """What the profile learns: the value of the goods (not tips or deposits) after discounts, by dimension."""
    by: dict[str, int] = {f"l:{basket.location_id}": 0, f"h:{basket.channel}": 0}
    value = quantity = 0
    for line in decided.lines:
        if line.kind not in PROFILE_KINDS:
            continue
        value += line.net
        quantity += line.units
        if line.category:
            by[f"c:{line.category}"] = by.get(f"c:{line.category}", 0) + line.net
        for tag in sorted(line.tags):
            by[f"t:{tag}"] = by.get(f"t:{tag}", 0) + line.net
    by[f"l:{basket.location_id}"] = by[f"h:{basket.channel}"] = value
    return Visit(given.at, value, quantity, by)


def _apply_coupons(basket: Basket, presented: list[PresentedCoupon], given: Circumstances, decided: Decided) -> None:
    # A coupon is good at the instant of the sale, not of the (maybe later) call.
    use = Use(given.at, basket.location_id, basket.channel, given.member, given.basket)
    by_id = {line.id: line for line in decided.lines}
    seen: set[str] = set()
    exclusive = any(each.offer is not None and each.offer.exclusive for each in presented)
    for each in presented:
        outcome = _try_coupon(each, decided, use, seen, alone=not (exclusive and decided.discounts))
        if outcome.reason is not None or each.coupon is None:
            code = outcome.reason or "unknown_coupon"
            decided.refused.append(Refused(each.reference, code, REASONS[code]))
            if outcome.missing:
                decided.near_misses.append(f"{format_money(outcome.missing, given.currency)} more for this coupon")
            continue
        seen.add(each.coupon.id)
        for line_id, part in outcome.lines:
            by_id[line_id].net -= part
        decided.discounts.append(CouponDiscount(each.coupon, outcome.amount, outcome.lines))


def _try_coupon(each: PresentedCoupon, decided: Decided, use: Use, seen: set[str], *, alone: bool) -> Discount:
    if each.coupon is None or each.offer is None:
        return Discount(reason="unknown_coupon")
    if each.coupon.id in seen:
        return Discount(reason="listed_twice")
    twice_of_a_limited_offer = each.offer.limit is not None and any(one.coupon.offer == each.coupon.offer for one in decided.discounts)
    if not alone or twice_of_a_limited_offer:
        return Discount(reason="not_combinable")
    return discount(each.coupon, each.offer, decided.lines, use)


def _pay_with_points(basket: Basket, given: Circumstances, decided: Decided) -> None:
    """Points as payment in the first programme that takes them. More than allowed is refused whole, with what is possible."""
    if not basket.points_to_spend:
        return
    programme = next((each for each in given.programmes if each.body.spending is not None), None)
    if programme is None or given.member is None:
        code = "points_not_accepted" if given.member else "member_needed"
        decided.refused.append(Refused("points", code, "Points cannot be used on this basket."))
        return
    spending = programme.body.spending
    assert spending is not None
    limit = spending_limit(spending, decided.lines, given.balances.get(programme.body.wallet, 0))
    if limit.reason is not None:
        decided.refused.append(Refused("points", limit.reason, "Points cannot be used on this basket."))
    elif basket.points_to_spend < spending.minimum:
        decided.refused.append(Refused("points", "below_minimum", f"At least {spending.minimum} points are used at once."))
    elif basket.points_to_spend > limit.points:
        balance = given.balances.get(programme.body.wallet, 0)
        code = "insufficient_points" if basket.points_to_spend > balance else "above_share_of_bill"
        decided.refused.append(Refused("points", code, f"At most {limit.points} points can be used on this basket."))
    else:
        decided.spent[programme.body.wallet] = basket.points_to_spend
        decided.paid_with_points = points_worth(spending, basket.points_to_spend)
