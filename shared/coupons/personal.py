"""Personal parameters of an offer: expressions over what a member's purchases say, fixed when she gets the coupon. Pure.

A minimum of 1.2 times her average basket of 90 days, to the next half euro, between 5 and 50 euros; and the category she likes best::

    {"minimum_basket": {"of": "average_basket", "days": 90, "times_e2": 120, "round_to": 50, "rounding": "up",
                        "at_least": 500, "at_most": 5000, "otherwise": 1500},
     "scope.categories": {"favourite": "category", "days": 90, "without": ["alcohol"], "otherwise": "sides"}}

Or what goes with the item that she buys most, of what she has not bought herself::

    {"scope.items": {"complement": "item", "days": 90, "otherwise": "croissant"}}

Everything is integers, and an expression is rounded once: its number is kept as a fraction until then. Days are whole local days of
the tenant's time zone, today included, as in segments. A further source of values is one more class in ``Expression``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Discriminator, Field, StrictInt, StrictStr, StringConstraints, Tag, model_validator

from shared.kernel.instants import Instant, local_day
from shared.kernel.money import divide, format_money
from shared.member_state.model import MemberState, Parameters
from shared.profile.model import KEPT_DAYS, OTHERS
from shared.profile.rules import Letter, all_cells, totals_by, window
from shared.tenants.model import Frozen, Name
from shared.wallet.rules import spendable

ProfileNumber = Literal[
    "average_basket",
    "value",
    "purchases",
    "lifetime_value",
    "lifetime_purchases",
    "days_since_purchase",
    "days_between_purchases",
    "points",
]
_WINDOWED: Final = frozenset({"average_basket", "value", "purchases"})
Days = Annotated[StrictInt, Field(ge=1, le=KEPT_DAYS)]
Value = Annotated[StrictInt, Field(ge=0, le=10**9)]
Text = Annotated[StrictStr, StringConstraints(min_length=1, max_length=64)]
Dimension = Literal["category", "tag", "location"]
_LETTERS: Final[Mapping[Dimension, Letter]] = {"category": "c", "tag": "t", "location": "l"}
Fraction = tuple[int, int]
"""Numerator, and a denominator above zero."""


class Number(Frozen):
    """``(number * times_e2 / 100 + plus)``, rounded once to a multiple of ``round_to``, and then kept between the bounds.

    ``average_basket``, ``value``, ``purchases`` are of ``days`` local days; the money of a basket is in minor units. ``points`` are those
    that she may draw from ``wallet``. ``otherwise`` is for who has no such number: no purchase (average, days since), fewer than two
    (days between, the usual interval). ``down`` rounds towards minus infinity, ``half_up`` halves away from zero.
    """

    of: ProfileNumber
    days: Days | None = Field(default=None, description="of the average_basket, value and purchases")
    wallet: Name = "points"
    times_e2: StrictInt = Field(default=100, ge=-100_000, le=100_000, description="hundredths: 120 is 1.2 times")
    plus: StrictInt = Field(default=0, ge=-(10**9), le=10**9)
    round_to: StrictInt = Field(default=1, ge=1, le=10**6)
    rounding: Literal["up", "down", "half_up"] = "half_up"
    at_least: Value
    at_most: Value
    otherwise: Value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.at_least <= self.otherwise <= self.at_most:
            raise ValueError("otherwise lies between at_least and at_most")
        if (self.days is not None) != (self.of in _WINDOWED):
            raise ValueError(f"days belongs to {', '.join(sorted(_WINDOWED))}, and these need it")
        return self

    @property
    def extremes(self) -> tuple[int, ...]:
        """Between these lies whatever it comes to."""
        return self.at_least, self.at_most

    def resolve(self, state: MemberState, at: Instant, zone: str) -> int:
        """Its value for her at the instant; ``otherwise`` for who objected to profiling, but of her points, which are no behaviour."""
        number = _number(self, state, at, zone) if state.may_profile or self.of == "points" else None
        if number is None:
            return self.otherwise
        numerator, denominator = number
        exact = numerator * self.times_e2 + 100 * self.plus * denominator
        rounded = self.round_to * _rounded(exact, 100 * denominator * self.round_to, self.rounding)
        return min(max(rounded, self.at_least), self.at_most)


class Favourite(Frozen):
    """The name on which she spent most in ``days`` local days (then: bought most often, then: first by name).

    ``without`` are never taken. ``becomes`` says what a name stands for (a category -> an item): then others than its names are not asked.
    ``otherwise`` is for who bought none of them.
    """

    favourite: Dimension
    days: Days
    without: tuple[Text, ...] = Field(default=(), max_length=50)
    becomes: dict[Text, Text] = Field(default_factory=dict, max_length=50)
    otherwise: Text

    @property
    def extremes(self) -> tuple[str, ...]:
        """What it may come to, as far as the definition names it."""
        return (self.otherwise, *self.becomes.values())

    def resolve(self, state: MemberState, at: Instant, zone: str) -> str:
        """Its value for her at the instant; ``otherwise`` for who objected to profiling."""
        if not state.may_profile:
            return self.otherwise
        ranked = sorted(self._sums(state, at, zone).items(), key=lambda each: (-each[1][1], -each[1][0], each[0]))
        name = next((name for name, (_, value) in ranked if value > 0), None)
        return self.otherwise if name is None else self.becomes.get(name, name)

    def _sums(self, state: MemberState, at: Instant, zone: str) -> dict[str, list[int]]:
        """Name -> [purchases, value] of the window."""
        last, letter = local_day(at, zone), _LETTERS[self.favourite]
        sums: dict[str, list[int]] = {}
        cells = (cell for day, cell in all_cells(state.profile) if last - self.days < day <= last)
        for key, (count, value, _) in ((key, mine) for cell in cells for key, mine in cell.by.items()):
            if key[0] == letter and self._may_lead(key[2:]):
                pair = sums.setdefault(key[2:], [0, 0])
                pair[0] += count
                pair[1] += value
        return sums

    def _may_lead(self, name: str) -> bool:
        named = not self.becomes or name in self.becomes
        return named and name != OTHERS and name not in self.without


GoesWith = Mapping[str, tuple[str, ...]]
"""Item -> what is often bought together with it, best first (``shared.statistics``)."""
NOTHING: Final[GoesWith] = {}


class Complement(Frozen):
    """What goes best with the item that she bought most often in ``days`` local days (then: for most, then first by name), of what she
    has not bought herself in them.

    ``without`` are never taken. ``otherwise`` is for who bought nothing, or where nothing is left.
    """

    complement: Literal["item"]
    days: Days
    without: tuple[Text, ...] = Field(default=(), max_length=50)
    otherwise: Text

    @property
    def extremes(self) -> tuple[str, ...]:
        """What it may come to, as far as the definition names it."""
        return (self.otherwise,)

    def resolve(self, state: MemberState, at: Instant, zone: str, goes_with: GoesWith) -> str:
        """Its value for her at the instant; ``otherwise`` for who objected to profiling."""
        last = local_day(at, zone)
        sums = totals_by(state.profile, "i", last - self.days + 1, last) if state.may_profile else {}
        ranked = sorted((-each.count, -each.value, name) for name, each in sums.items() if name != OTHERS and each.count > 0)
        hers = {name for _, _, name in ranked}
        best = goes_with.get(ranked[0][2], ()) if ranked else ()
        return next((item for item in best if item not in hers and item not in self.without), self.otherwise)


def _kind(value: Any) -> str:
    for kind, model in (("favourite", Favourite), ("complement", Complement)):
        if (kind in value) if isinstance(value, dict) else isinstance(value, model):
            return kind
    return "number"


AnyExpression = Number | Favourite | Complement
Expression = Annotated[
    Annotated[Number, Tag("number")] | Annotated[Favourite, Tag("favourite")] | Annotated[Complement, Tag("complement")],
    Discriminator(_kind),
]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A place of an offer that may be personal. ``word`` names it in texts: ``coupon.<word>``."""

    word: str
    unit: Literal["money", "number", "name"]
    takes: Dimension | None = None
    """Whose names fit as they are; others only by ``becomes``."""


PARAMETERS: Final[Mapping[str, Parameter]] = {
    "minimum_basket": Parameter("minimum_basket", "money"),
    "minimum_quantity": Parameter("minimum_quantity", "number"),
    "maximum_discount": Parameter("maximum_discount", "money"),
    "effect.amount": Parameter("amount", "money"),
    "effect.percent": Parameter("percent", "number"),
    "effect.price": Parameter("price", "money"),
    "effect.value": Parameter("value", "money"),
    "effect.points": Parameter("points", "number"),
    "effect.item": Parameter("item", "name"),
    "scope.items": Parameter("item", "name"),
    "scope.categories": Parameter("category", "name", "category"),
    "scope.tags": Parameter("tag", "name", "tag"),
    "when.locations": Parameter("location", "name", "location"),
}
"""Place in the offer's terms -> what may stand there. Of a list the value becomes the one entry."""
WORDS: Final = frozenset(each.word for each in PARAMETERS.values())
Personal = Annotated[dict[str, Expression], Field(max_length=5)]


class ShownParameter(Frozen):
    """What a parameter of a coupon was fixed to; ``text`` is for people."""

    value: StrictInt | StrictStr
    text: str


def problem(place: str, expression: AnyExpression) -> str | None:
    """Why the expression cannot stand at that place of an offer, whatever its effect; ``None`` if it can."""
    parameter = PARAMETERS.get(place)
    if parameter is None:
        return f"may be personal: {', '.join(PARAMETERS)}"
    if isinstance(expression, Number):
        return f"{place} is a name" if parameter.unit == "name" else None
    if parameter.unit != "name":
        return f"{place} is a number"
    if isinstance(expression, Complement):
        return None if parameter.word == expression.complement else f"an item is none of {place}"
    fits = bool(expression.becomes) or expression.favourite == parameter.takes
    return None if fits else f"a {expression.favourite} is none of {place}: say in becomes what its names stand for"


def asks_what_goes_with(personal: Mapping[str, AnyExpression]) -> bool:
    """Whether it cannot be resolved without knowing what is bought together."""
    return any(isinstance(each, Complement) for each in personal.values())


def resolve(
    personal: Mapping[str, AnyExpression], state: MemberState, at: Instant, zone: str, goes_with: GoesWith = NOTHING
) -> Parameters:
    """The values for her at the instant, by place: what is stored with the coupon. A function of her profile and points, and of what is
    bought together where that is asked.
    """
    found: list[tuple[str, int | str]] = []
    for place in sorted(personal):
        each = personal[place]
        value = each.resolve(state, at, zone, goes_with) if isinstance(each, Complement) else each.resolve(state, at, zone)
        found.append((place, value))
    return tuple(found)


def shown(parameters: Parameters, currency: str) -> dict[str, ShownParameter]:
    """By place, as answers show them."""
    return {place: ShownParameter(value=value, text=_text(place, value, currency)) for place, value in parameters}


def words(parameters: Parameters, currency: str) -> dict[str, str]:
    """By word, as texts show them. Of two places with one word the later counts."""
    return {PARAMETERS[place].word: _text(place, value, currency) for place, value in parameters if place in PARAMETERS}


def changed(terms: Mapping[str, Any], parameters: Parameters) -> Iterator[tuple[str, Any]]:
    """Fields of the terms (models inside, by field) with the parameters in place."""
    parts = dict(terms)
    for place, value in parameters:
        head, _, tail = place.partition(".")
        if not tail:
            parts[head] = value
            continue
        part = parts[head]
        is_list = isinstance(getattr(part, tail, None), tuple)
        parts[head] = part.model_copy(update={tail: (value,) if is_list else value})
    return ((head, parts[head]) for head in dict.fromkeys(place.partition(".")[0] for place, _ in parameters))


def _text(place: str, value: int | str, currency: str) -> str:
    parameter = PARAMETERS.get(place)
    is_money = parameter is not None and parameter.unit == "money" and isinstance(value, int)
    return format_money(int(value), currency) if is_money else str(value)


def _rounded(numerator: int, denominator: int, rounding: Literal["up", "down", "half_up"]) -> int:
    if rounding == "up":
        return -divide(-numerator, denominator, "floor")
    return divide(numerator, denominator, "floor" if rounding == "down" else "half_up")


def _number(expression: Number, state: MemberState, at: Instant, zone: str) -> Fraction | None:
    """What she has of it, exactly; ``None`` if she has none."""
    profile, today, of = state.profile, local_day(at, zone), expression.of
    if expression.days is not None:
        totals = window(profile, today - expression.days + 1, today)
        if of == "average_basket":
            return (totals.value, totals.count) if totals.count > 0 else None
        return (totals.value if of == "value" else totals.count), 1
    if of == "days_since_purchase":
        return (max(today - local_day(profile.last_at, zone), 0), 1) if profile.last_at is not None else None
    if of == "days_between_purchases":
        if profile.first_at is None or profile.last_at is None or profile.count < 2:
            return None
        return local_day(profile.last_at, zone) - local_day(profile.first_at, zone), profile.count - 1
    if of == "points":
        wallet = state.wallets.get(expression.wallet)
        return (spendable(wallet, state.holds, expression.wallet) if wallet is not None else 0), 1
    return (profile.value if of == "lifetime_value" else profile.count), 1
