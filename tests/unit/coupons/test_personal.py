"""Personal parameters: worked cases, bounds and roundings whatever the profile, and the terms that they are put into."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared.coupons.model import Coupon, OfferBody
from shared.coupons.personal import PARAMETERS, Expression, Number, resolve, shown, words
from shared.definitions.model import Definition, DefinitionSet
from shared.kernel.instants import DAY, Instant, parse_rfc3339
from shared.member_state.effects import Effects
from shared.member_state.model import Consent, MemberState
from shared.member_state.promising import give_coupon, may_have
from shared.profile.model import Visit
from shared.profile.rules import add_visit
from shared.replay.engine import Replay
from shared.replay.events import EVENT
from shared.wallet.model import Lot, Wallet
from tests.builders.house import SETTINGS

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "cases" / "personal.json").read_text())
ZONE = "Europe/Berlin"
NOW: Instant = parse_rfc3339("2026-11-21T10:00:00Z")
EXPRESSION: TypeAdapter[Any] = TypeAdapter(Expression)
MINIMUM: dict[str, Any] = {
    "of": "average_basket", "days": 90, "times_e2": 120, "round_to": 50, "rounding": "up", "at_least": 500, "at_most": 5000,
    "otherwise": 1500,
}  # fmt: skip
OFFER: dict[str, Any] = {"name": "For you", "effect": {"kind": "amount", "amount": 200}, "personal": {"minimum_basket": MINIMUM}}


def member(purchases: list[list[Any]], points: int = 0) -> MemberState:
    """``purchases``: [days ago, value, values by dimension]."""
    state = MemberState("demo", "mbr_1", joined_at=NOW - 500 * DAY)
    for days_ago, value, *by in purchases:
        add_visit(state.profile, Visit(NOW - days_ago * DAY, value, 1000, dict(by[0]) if by else {}), ZONE)
    if points:
        state.wallets["points"] = Wallet(lots=[Lot(points, 0, NOW + DAY)])
    return state


@pytest.mark.parametrize("case", CASES, ids=[each["name"] for each in CASES])
def test_worked_cases(case: dict[str, Any]) -> None:
    expression = EXPRESSION.validate_python(case["expression"])
    assert expression.resolve(member(case["purchases"], case.get("points", 0)), NOW, ZONE) == case["value"]


def test_there_are_enough_worked_cases() -> None:
    assert len(CASES) >= 30


# -- whatever the profile ---------------------------------------------------------------------------------------------

purchases = st.lists(st.tuples(st.integers(0, 395), st.integers(-500, 20_000)).map(list), max_size=8)
bounds = st.lists(st.integers(0, 10_000), min_size=3, max_size=3).map(sorted)


@st.composite
def numbers(draw: st.DrawFn) -> Number:
    least, otherwise, most = draw(bounds)
    of = draw(st.sampled_from(["average_basket", "value", "purchases", "lifetime_value", "days_since_purchase", "days_between_purchases"]))
    return Number(
        of=of,
        days=draw(st.integers(1, 400)) if of in ("average_basket", "value", "purchases") else None,
        times_e2=draw(st.integers(-300, 300)),
        plus=draw(st.integers(-2000, 2000)),
        round_to=draw(st.sampled_from([1, 5, 50, 99])),
        rounding=draw(st.sampled_from(["up", "down", "half_up"])),
        at_least=least,
        at_most=most,
        otherwise=otherwise,
    )


@given(numbers(), purchases)
def test_a_number_is_always_within_its_bounds(expression: Number, bought: list[list[int]]) -> None:
    assert expression.at_least <= expression.resolve(member(bought), NOW, ZONE) <= expression.at_most


@given(numbers(), purchases)
def test_nothing_but_profile_and_points_counts(expression: Number, bought: list[list[int]]) -> None:
    plain, other = member(bought), member(bought)
    other.attributes, other.tags, other.known, other.joined_at = {"vip": True}, ["vip"], ["birth_date"], 5
    other.consents = {"marketing:push": Consent(granted=True, at=1, version="1")}
    other.redeemed, other.segments = {"x": 5}, {"s@1": 4}
    later = NOW + 1 if expression.of != "points" else NOW
    first = expression.resolve(plain, NOW, ZONE)
    assert first == expression.resolve(plain, NOW, ZONE) == expression.resolve(other, NOW, ZONE) == expression.resolve(plain, later, ZONE)


roundings = st.sampled_from(["up", "down", "half_up"])


@given(st.integers(0, 30_000), st.integers(0, 30_000), st.integers(-300, 300), roundings, st.integers(1, 99))
def test_more_in_the_profile_is_never_less_of_the_parameter(one: int, other: int, times: int, rounding: Any, step: int) -> None:
    factor: dict[str, Any] = {"times_e2": times, "round_to": step, "rounding": rounding}
    expression = Number(of="average_basket", days=9, **factor, at_least=10, at_most=20_000, otherwise=10)
    low, high = (expression.resolve(member([[0, value]]), NOW, ZONE) for value in sorted((one, other)))
    assert low <= high if times >= 0 else low >= high


@given(numbers(), purchases)
def test_it_is_rounded_once_and_as_it_says(expression: Number, bought: list[list[int]]) -> None:
    """Against fractions of unlimited precision, for the average."""
    average = expression.model_copy(update={"of": "average_basket", "days": 400})
    baskets = [value for _, value in bought]
    if not baskets:
        assert average.resolve(member(bought), NOW, ZONE) == average.otherwise
        return
    steps = (Fraction(sum(baskets), len(baskets)) * average.times_e2 / 100 + average.plus) / average.round_to
    half_away = floor(steps + Fraction(1, 2)) if steps >= 0 else ceil(steps - Fraction(1, 2))
    rounded = {"up": ceil(steps), "down": floor(steps), "half_up": half_away}[average.rounding] * average.round_to
    assert average.resolve(member(bought), NOW, ZONE) == min(max(rounded, average.at_least), average.at_most)


# -- in an offer ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("personal", "says"),
    [
        ({"limit": MINIMUM}, "may be personal"),
        ({"effect.percent": MINIMUM}, "has no percent"),
        ({"effect.amount": MINIMUM | {"at_least": 0}}, "effect.amount cannot be 0"),
        ({"effect.item": MINIMUM}, "is a name"),
        ({"minimum_basket": {"favourite": "category", "days": 9, "otherwise": "x"}}, "is a number"),
        ({"scope.tags": {"favourite": "category", "days": 9, "otherwise": "x"}}, "none of scope.tags"),
        ({"scope.categories": {"favourite": "category", "days": 9, "otherwise": "Not A Name"}}, "cannot be Not A Name"),
        ({"minimum_basket": MINIMUM | {"otherwise": 400}}, "otherwise lies between"),
        ({"minimum_basket": MINIMUM | {"days": None}}, "need it"),
        ({"minimum_basket": MINIMUM | {"of": "lifetime_value"}}, "days belongs to"),
        ({"minimum_basket": MINIMUM | {"of": "complement"}}, "average_basket"),
        ({"scope.items": {"complement_of": "coffee", "otherwise": "x"}}, "Field required"),
        ({"minimum_basket": MINIMUM | {"times_e2": 1.2}}, "valid integer"),
    ],
)
def test_what_cannot_be_personal_is_refused(personal: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        OfferBody.model_validate(OFFER | {"personal": personal})


def test_points_take_off_nothing_however_personal() -> None:
    gives = OFFER | {"effect": {"kind": "extra_points", "programme": "p", "points": 5}, "personal": {"maximum_discount": MINIMUM}}
    with pytest.raises(ValidationError, match="maximum_discount cannot be 500"):
        OfferBody.model_validate(gives)


_EFFECTS: dict[str, dict[str, Any]] = {
    "effect.amount": {"kind": "amount", "amount": 1},
    "effect.percent": {"kind": "percent", "percent": 1},
    "effect.price": {"kind": "unit_price", "price": 1},
    "effect.value": {"kind": "voucher", "value": 1},
    "effect.points": {"kind": "extra_points", "programme": "p", "points": 1},
    "effect.item": {"kind": "free_item", "item": "x"},
}


@pytest.mark.parametrize("place", sorted(PARAMETERS))
def test_every_place_takes_its_value(place: str) -> None:
    is_name = PARAMETERS[place].unit == "name"
    number = {"of": "purchases", "days": 9, "at_least": 3, "at_most": 80, "otherwise": 4}
    name = {"favourite": "category", "days": 9, "becomes": {"coffee": "mitte"}, "otherwise": "nord"}
    body = OfferBody.model_validate(
        OFFER | {"effect": _EFFECTS.get(place, OFFER["effect"]), "personal": {place: name if is_name else number}}
    )
    parameters = resolve(body.personal, member([[1, 100, {"c:coffee": 100}]]), NOW, ZONE)
    fixed = body.fixed(parameters)
    value: Any = fixed
    for part in place.split("."):
        value = getattr(value, part)
    expected: Any = "mitte" if is_name else 3
    assert value == ((expected,) if place.startswith(("scope", "when")) else expected)
    assert fixed.model_dump(exclude={place.partition(".")[0]}) == body.model_dump(exclude={place.partition(".")[0]})
    assert OfferBody.model_validate(fixed.model_dump(mode="json")) == fixed


def test_an_offer_without_parameters_stays_itself() -> None:
    body = OfferBody.model_validate(OFFER | {"personal": {}})
    assert body.fixed(()) is body


def test_it_is_shown_as_money_where_it_is_money() -> None:
    parameters = (("effect.item", "fries"), ("minimum_basket", 1450), ("minimum_quantity", 3))
    assert {name: each.text for name, each in shown(parameters, "EUR").items()} == {
        "effect.item": "fries", "minimum_basket": "14.50 EUR", "minimum_quantity": "3",
    }  # fmt: skip
    assert words(parameters, "JPY") == {"item": "fries", "minimum_basket": "1450 JPY", "minimum_quantity": "3"}


# -- given inside the fold, and in a replay ---------------------------------------------------------------------------


def definitions(*bodies: tuple[Any, str, dict[str, Any]]) -> DefinitionSet:
    found = tuple(Definition(kind, id_, 1, "published", body, effective_from=0, served_at=0) for kind, id_, body in bodies)
    return DefinitionSet("demo", SETTINGS, {}, found)


def test_the_fold_fixes_them_with_the_state_of_that_moment() -> None:
    view = definitions(("offer", "mine", OFFER)).fold_at(NOW)
    state, effects = member([[1, 1000], [2, 1400]]), Effects()
    promise = may_have(state, view, "mine", NOW)
    assert promise is not None
    give_coupon(state, promise, NOW, effects, "test")
    add_visit(state.profile, Visit(NOW, 90_000, 1000, {}), ZONE)
    assert effects.promised[0].parameters == (("minimum_basket", 1450),)


def bought(number: str, at: str, price: int, **more: Any) -> dict[str, Any]:
    body = {"type": "purchase", "source": "till", "location_id": "mitte", "business_date": at[:10], "receipt_number": number}
    lines = [{"id": "1", "item_id": "x", "unit_price": price}]
    return body | {"occurred_at": at, "currency": "EUR", "member": {"id": "ann"}, "lines": lines} | more


def test_a_replay_decides_by_what_was_fixed_then() -> None:
    """Given after a basket of 10.00 the minimum is 12.00, also after a basket of 100.00; a coupon given then asks for the most."""
    replay = Replay(definitions(("offer", "mine", OFFER | {"per_member": 9})), {})
    coupon = {"type": "coupon", "member": "ann", "offer": "mine"}
    with_coupon = {"coupons": [{"id": "one"}]}
    for each in [
        {"type": "registration", "at": "2026-03-01T09:00:00Z", "member": "ann"},
        bought("1", "2026-03-01T10:00:00Z", 1000),
        coupon | {"at": "2026-03-02T09:00:00Z", "coupon": "one"},
        bought("2", "2026-03-02T10:00:00Z", 10_000),
        coupon | {"at": "2026-03-03T09:00:00Z", "coupon": "two"},
        bought("2b", "2026-03-03T09:30:00Z", 1199, **with_coupon),
        bought("3", "2026-03-03T10:00:00Z", 1200, **with_coupon),
        {"type": "return", "source": "till", "location_id": "mitte", "business_date": "2026-03-03", "receipt_number": "r3",
         "occurred_at": "2026-03-03T11:00:00Z",
         "original": {"source": "till", "location_id": "mitte", "business_date": "2026-03-03", "receipt_number": "3"}},
    ]:  # fmt: skip
        replay.feed(EVENT.validate_json(json.dumps(each), strict=True))
    coupons = replay.world.coupons
    assert replay.counts["purchase", "refused"] == 1, "11.99 is below the minimum of 12.00"
    assert replay.counts["return", "done"] == 1
    assert coupons["one"].parameters == (("minimum_basket", 1200),)
    assert coupons["two"].parameters == (("minimum_basket", 5000),)
    assert coupons["one"].state == "active", "it was used at 12.00, and came back with the goods"


def test_a_replay_keeps_what_the_fold_fixed_and_gives_a_voucher_its_own_value_back() -> None:
    worth = {"of": "lifetime_value", "times_e2": 50, "at_least": 100, "at_most": 5000, "otherwise": 100}
    voucher = {"name": "Half", "effect": {"kind": "voucher", "value": 4000, "remainder": "kept"}, "personal": {"effect.value": worth}}
    earning = [{"kind": "per_amount", "id": "base", "points": 1, "per": 100}]
    conversion = {"id": "ten", "points": 10, "offer": "half", "automatic": True}
    programme = {"name": "Points", "earning": earning, "conversions": [conversion]}
    replay = Replay(definitions(("programme", "points", programme), ("offer", "half", voucher)), {})
    paid = bought("2", "2026-03-02T10:00:00Z", 300, coupons=[{"code": "offer:half"}])
    back = {"type": "void", "at": "2026-03-02T11:00:00Z", "original": {name: paid[name] for name in
            ("source", "location_id", "business_date", "receipt_number")}}  # fmt: skip
    for each in [{"type": "registration", "at": "2026-03-01T09:00:00Z", "member": "ann"}, bought("1", "2026-03-01T10:00:00Z", 1900), paid]:
        assert replay.feed(EVENT.validate_json(json.dumps(each), strict=True)) == "done"
    (coupon,) = replay.world.coupons.values()
    assert (coupon.parameters, coupon.left) == ((("effect.value", 950),), 650)
    assert replay.feed(EVENT.validate_json(json.dumps(back), strict=True)) == "done"
    (coupon,) = replay.world.coupons.values()
    assert (coupon.state, coupon.left) == ("active", None)


def test_a_coupons_terms_are_its_own() -> None:
    body = OfferBody.model_validate(OFFER)
    coupon = Coupon("cpn_1", "mine", 1, "active", "mbr_1", 0, NOW, parameters=(("minimum_basket", 777),))
    hers, other = coupon.terms(body), replace(coupon, parameters=()).terms(body)
    assert hers is not None
    assert (hers.minimum_basket, other) == (777, body)
