"""Worked cases of the decision (tests/cases/sales.json and offers.json), and what holds for every basket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.coupons.model import Coupon, OfferBody, Promotion, PromotionBody
from shared.coupons.promotions import Promotions
from shared.kernel.instants import DAY
from shared.programmes.compiled import Programme
from shared.programmes.conditions import MemberFacts, Scene
from shared.programmes.model import ProgrammeBody
from shared.tenants.model import CatalogueItem, WalletSettings
from shared.transactions.api import QuoteRequest
from shared.transactions.applying import applied
from shared.transactions.model import NOBODY, Circumstances, Decided, PresentedCoupon
from shared.transactions.rules import CurrencyMismatch, decide, thousandths
from shared.transactions.taxes import tax_sums, text_of_rate
from tests.builders.house import NOW, PROGRAMME

FILES = ("sales", "offers", "promotions", "offer_points", "taxes")
CASES = [case for name in FILES for case in json.loads((Path(__file__).parents[2] / "cases" / f"{name}.json").read_text())]
CATALOGUE = {
    "fries": CatalogueItem(id="fries", name="Fries", category="sides", tags=("vegetarian",)),
    "burger": CatalogueItem(id="burger", name="Burger", category="mains"),
}


def request(lines: list[Any], **more: Any) -> QuoteRequest:
    """A basket; a line is [item, price, quantity] or the line itself."""
    rows = [
        each if isinstance(each, dict) else {"id": str(i), "item_id": each[0], "unit_price": each[1], "quantity": (*each, "1")[2]}
        for i, each in enumerate(lines, 1)
    ]
    body = {"source": "till", "location_id": "mitte", "occurred_at": "2026-11-21T10:00:00Z", "currency": "EUR", "lines": rows}
    return QuoteRequest.model_validate(body | more)


def promotions(bodies: list[dict[str, Any]], version: int = 2) -> list[Promotion]:
    """As in force: each body with its id."""
    made = ((each["id"], {name: value for name, value in each.items() if name != "id"}) for each in bodies)
    return [Promotion(id_, version, PromotionBody.model_validate({"name": "Promotion", **body})) for id_, body in made]


def given_for(case: dict[str, Any]) -> Circumstances:
    """The circumstances of a case."""
    body = ProgrammeBody.model_validate({**PROGRAMME, **case.get("programme", {})})
    return Circumstances(
        now=NOW,
        scene=Scene(NOW, "Europe/Berlin", "Europe/Berlin", "mitte", "pos", "EUR"),
        programmes=(Programme("points", 1, body),),
        coupons_together=case.get("together", "best_for_guest"),
        wallets={name: WalletSettings.model_validate(each) for name, each in case.get("wallets", {}).items()},
        catalogue=CATALOGUE,
        known_location=case.get("location", "mitte") == "mitte",
        member=None if case.get("anonymous") else "mbr_1",
        facts=NOBODY
        if case.get("anonymous")
        else MemberFacts(
            tier=case.get("tier"),
            segments=frozenset(case.get("segments", ())),
            balances={"points": case.get("balance", 0)},
            payments_today={"points": case.get("paid_today", 0)},
        ),
        exhausted=frozenset(case.get("exhausted", ())),
        historical=case.get("historical", False),
        promotions=Promotions([] if case.get("historical") else promotions(case.get("promotions", []))),
        promised=tuple(promotions(case.get("promised", []), version=1)),
        languages=(case["language"], "en") if "language" in case else ("en",),
    )


def presented(offers: list[dict[str, Any] | None]) -> list[PresentedCoupon]:
    """A coupon of each offer, active now."""
    made = []
    for number, offer in enumerate(offers):
        body = OfferBody.model_validate({"name": "Offer", **offer}) if offer is not None else None
        coupon = Coupon(f"cpn_{number}", "offer", 1, "active", None, NOW - DAY, NOW + DAY) if body is not None else None
        made.append(PresentedCoupon(f"coupons/{number}", coupon, body))
    return made


def outcome(case: dict[str, Any]) -> Decided:
    """The decision of a case."""
    basket = request(
        case["lines"],
        points_to_spend=case.get("spend", 0),
        location_id=case.get("location", "mitte"),
        prices_include_tax=case.get("prices_include_tax", True),
    )
    return decide(basket, presented(case.get("offers", [])), given_for(case))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_worked_case(case: dict[str, Any]) -> None:
    decided = outcome(case)
    found: dict[str, Any] = {
        "due": decided.due,
        "discount": decided.discount,
        "earned": sum(posting.points for posting in decided.earned),
        "spent": sum(decided.spent.values()),
        "refused": [each.code for each in decided.refused],
        "warnings": [each.code for each in decided.warnings],
        "near_misses": decided.near_misses,
        "reasons": [step.reason for step in decided.steps if step.reason],
        "value": decided.visit.value if decided.visit else None,
        "left": [each.left for each in decided.discounts],
        "added": [list(item) for item in decided.added],
        "promotions_used": [[each.id, each.amount] for each in decided.promotions],
        "came_to": [each.came_to.points for each in applied(decided)],
        "parts": {line.id: line.amount - line.net for line in decided.lines},
        "given": [[step.rule, step.points] for step in decided.steps if ":" in step.rule and not step.rule.startswith("tier:")],
        "taxes": [
            [each.rate if each.rate is None else text_of_rate(each.rate), each.amount, each.amount - each.net, each.net, each.tax]
            for each in tax_sums(decided.lines)
        ],
    }
    expected = {name: case[name] for name in found if name in case}
    expected |= {name: [] for name in ("refused", "warnings", "near_misses") if name not in case}
    assert {name: found[name] for name in expected} == expected


def test_another_currency_is_refused_with_a_pointer() -> None:
    with pytest.raises(CurrencyMismatch) as refused:
        decide(request([["burger", 900]], currency="USD"), [], given_for({}))
    assert refused.value.errors[0].pointer == "/currency"


@pytest.mark.parametrize(("text", "expected"), [("1", 1000), ("0.5", 500), ("-2", -2000), ("1.234", 1234), ("0.001", 1), ("-0.5", -500)])
def test_quantities_are_thousandths(text: str, expected: int) -> None:
    assert thousandths(text) == expected


effects = st.one_of(
    st.builds(lambda percent: {"kind": "percent", "percent": percent}, st.integers(1, 100)),
    st.builds(lambda amount: {"kind": "amount", "amount": amount}, st.integers(1, 3000)),
    st.builds(lambda price, units: {"kind": "unit_price", "price": price, "units": units}, st.integers(0, 1000), st.integers(1, 4)),
)
offers = st.lists(
    st.fixed_dictionaries(
        {"effect": effects},
        optional={
            "scope": st.sampled_from([{}, {"items": ["fries"]}, {"tags": ["vegetarian"]}]),
            "maximum_discount": st.integers(1, 800),
            "minimum_basket": st.integers(0, 2000),
        },
    ),
    max_size=3,
)
lines = st.lists(
    st.tuples(st.sampled_from(["burger", "fries", "pie"]), st.integers(0, 2000), st.sampled_from(["1", "2", "0.375", "3"])).map(list),
    min_size=1,
    max_size=6,
)


@given(lines, offers, st.integers(0, 200), st.integers(0, 200))
def test_sums_always_agree_and_nothing_costs_less_than_nothing(rows: list[Any], drawn: list[Any], spend: int, balance: int) -> None:
    case = {"lines": rows, "offers": drawn, "spend": spend, "balance": balance}
    decided = outcome(case)
    assert all(line.net >= 0 for line in decided.lines)
    assert sum(line.amount - line.net for line in decided.lines) == decided.discount
    assert all(sum(part for _, part in each.lines) == each.amount for each in decided.discounts)
    assert 0 <= decided.paid_with_points <= (decided.amount - decided.discount) // 2 + 1
    assert decided.due >= 0
    assert sum(decided.spent.values()) <= balance
    assert len(decided.discounts) + sum(each.subject != "points" for each in decided.refused) == len(drawn)
    assert all(step.points >= 0 and (step.points > 0) == (step.reason is None) for step in decided.steps)
