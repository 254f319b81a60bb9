"""Any programme and any basket, small enough to collide: few items, categories, tags, locations."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from shared.programmes.base import Payment
from shared.programmes.compiled import Programme
from shared.programmes.conditions import MemberFacts, Usage
from shared.programmes.lines import Line
from shared.programmes.model import ProgrammeBody
from shared.programmes.selectors import EARNING_KINDS

ITEMS, CATEGORIES, TAGS, TIERS = ("a", "b", "c"), ("x", "y"), ("new", "hot"), ("gold", "silver")
ROUNDINGS = st.sampled_from(("floor", "half_up", "half_even"))
WHERE = st.sampled_from(("unit", "line", "order"))


def few(names: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    """None, some or all of the names."""
    return st.lists(st.sampled_from(names), unique=True, max_size=2)


selectors = st.fixed_dictionaries(
    {},
    optional={
        "items": few(ITEMS),
        "categories": few(CATEGORIES),
        "tags": few(TAGS),
        "price_from": st.integers(0, 500),
        "price_below": st.integers(501, 2000),
    },
)
limits = st.fixed_dictionaries(
    {},
    optional={
        name: st.integers(1, 300 if name.startswith("per") else 3)
        for name in ("per_transaction", "per_day", "per_member", "times_per_day", "times_per_member")
    }
    | {"budget": st.integers(1, 300)},
)
conditions = st.fixed_dictionaries({}, optional={"tiers": few(TIERS), "first_purchase": st.booleans()})
amounts = st.one_of(st.integers(-2000, 3000), st.integers(-3, 3), st.integers(-(10**12), 10**12))


def lines(least: int = 0) -> st.SearchStrategy[list[Line]]:
    """Up to eight lines; discounts never take more than there is."""

    @st.composite
    def one(draw: st.DrawFn) -> Line:
        amount = draw(amounts)
        net = draw(st.integers(min(amount, 0), max(amount, 0)))
        more = draw(st.integers(0, 500))
        return Line(
            id="",
            kind=draw(st.sampled_from((*EARNING_KINDS, "item", "tip"))),
            item=draw(st.sampled_from((*ITEMS, None))),
            category=draw(st.sampled_from((*CATEGORIES, None))),
            tags=draw(st.frozensets(st.sampled_from(TAGS))),
            units=draw(st.sampled_from((1000, 1000, 3000, 1250, 2500, 0, -1000, -2000))),
            amount=amount,
            net=net,
            unit_price=draw(st.integers(-100, 2500)),
            full=draw(st.sampled_from((None, amount + more))),
            tax=draw(st.integers(-50, 300)),
            tax_on_top=draw(st.booleans()),
            known=draw(st.booleans()),
        )

    def numbered(made: list[Line]) -> list[Line]:
        for number, line in enumerate(made, 1):
            line.id = str(number)
        return made

    return st.lists(one(), min_size=least, max_size=8).map(numbered)


@st.composite
def rules(draw: st.DrawFn, id_: str, givers: list[str]) -> dict[str, Any]:
    """A rule of any kind; a multiplier may be of the rules before it."""
    kind = draw(st.sampled_from(("per_amount", "per_item", "fixed", "cashback", "multiplier")))
    made: dict[str, Any] = {
        "kind": kind,
        "id": id_,
        "priority": draw(st.integers(-1, 1)),
        "combine": draw(st.sampled_from(("add", "best", "stop"))),
        "when": draw(conditions),
        "limits": draw(st.one_of(st.just({}), limits)),
        "on": draw(selectors),
    }
    if kind in ("per_amount", "cashback"):
        made |= {"rounding": draw(ROUNDINGS), "round_per": draw(WHERE)}
    if kind == "per_amount":
        made |= {"points": draw(st.integers(1, 20)), "per": draw(st.integers(1, 300)), "whole_steps": draw(st.booleans())}
    if kind == "cashback":
        made |= {"percent_e2": draw(st.integers(0, 10_000)), "by_tier": {"gold": draw(st.integers(0, 10_000))}}
    if kind == "per_item":
        made |= {"points": draw(st.integers(1, 20))}
    if kind == "fixed":
        made |= {"points": draw(st.integers(1, 100)), "minimum": draw(st.integers(0, 1000))}
        made |= {"per": draw(st.sampled_from(("visit", "receipt")))}
        made |= {"minimum_counts": draw(st.sampled_from(("before_discounts", "after_discounts")))}
    if kind == "multiplier":
        of = draw(st.lists(st.sampled_from(givers), unique=True)) if givers else []
        made |= {"percent": draw(st.integers(101, 700)), "rounding": draw(ROUNDINGS), "of": of}
    return made


@st.composite
def programmes(draw: st.DrawFn, id_: str = "p") -> Programme:
    """A programme of up to eight rules."""
    earning: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 8))):
        earning.append(draw(rules(f"r{number}", [each["id"] for each in earning if each["kind"] != "multiplier"])))
    level = {"id": "gold", "name": "Gold", "threshold": 1, "multiplier_percent": draw(st.sampled_from((100, 150, 233)))}
    base = {
        "tax": draw(st.sampled_from(("gross", "net"))),
        "discounts": draw(st.sampled_from(("after", "before"))),
        "points_payment": draw(st.sampled_from(("after", "before"))),
        "excluded": draw(st.one_of(st.none(), selectors)),
        "excluded_tenders": draw(st.sampled_from(((), ("gift_card",), ("points", "gift_card")))),
    }
    body = {
        "name": "Any",
        "priority": draw(st.integers(0, 1)),
        "applies": draw(conditions),
        "scope": draw(selectors),
        "ownership": draw(st.sampled_from(("additive", "exclusive"))),
        "base": base,
        "earning": earning,
        "multipliers": draw(st.sampled_from(("add", "multiply", "best"))),
        "limits": draw(st.one_of(st.just({}), limits)),
        "unknown_items": draw(st.sampled_from(("earn", "nothing"))),
        "tiers": {"levels": [level]},
    }
    return Programme(id_, 1, ProgrammeBody.model_validate(body))


payments = st.builds(
    Payment,
    st.integers(0, 3000),
    st.lists(st.tuples(st.sampled_from(("card", "gift_card", "points")), st.integers(-100, 3000)), max_size=3).map(tuple),
)
usages = st.builds(Usage, st.integers(0, 300), st.integers(0, 3), st.integers(0, 300), st.integers(0, 3))
facts = st.builds(
    MemberFacts,
    anonymous=st.booleans(),
    tier=st.sampled_from((None, *TIERS)),
    purchases=st.integers(0, 1),
    same_visit=st.booleans(),
    usage=st.dictionaries(st.sampled_from(("p", "q", *(f"p/r{n}" for n in range(8)))), usages, max_size=4),
)
budgets = st.frozensets(st.sampled_from(("p", "q", "p/r0", "p/r1", "q/r0")), max_size=2)
