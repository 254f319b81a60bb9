"""The language of segments: a JSON tree of ``all``, ``any`` and ``not`` over leaves, told apart by ``kind``.

Answers are three-valued (S. C. Kleene, Introduction to Metamathematics, 1952, section 64): what a leaf asks for may be
unknown, ``not`` of unknown is unknown, and unknown is not a member.

Days: a window of ``days`` days is that many whole local days of the tenant's time zone, today included. Instants
(since a purchase, until a coupon expires) count rolling days of 24 hours, exact to the millisecond.

``SegmentDefinition.model_json_schema()`` is the published schema.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    StringConstraints,
    field_validator,
    model_validator,
)

from shared.kernel.errors import FieldError, Unprocessable
from shared.kernel.ids import NAME_PATTERN
from shared.profile.model import KEPT_DAYS

MAX_LEAVES: Final = 200
MAX_DEPTH: Final = 12
"""A leaf alone has depth 1."""
MAX_CHOICES: Final = 100
"""Values of one ``in``."""

Comparison = Literal["eq", "ne", "lt", "le", "gt", "ge"]
COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
}  # fmt: skip
Text = Annotated[StrictStr, StringConstraints(min_length=1, max_length=256)]
Name = Annotated[StrictStr, StringConstraints(min_length=1, max_length=128)]
Key = Annotated[StrictStr, StringConstraints(pattern=NAME_PATTERN)]
Days = Annotated[StrictInt, Field(ge=1, le=KEPT_DAYS)]
Amount = Annotated[StrictInt, Field(ge=0, le=10**12)]
Scalar = Text | StrictInt | StrictBool

BUILT_IN: Final[Mapping[str, type]] = {
    "tier": str, "status": str, "join_source": str, "join_location": str,
    "has_device": bool, "lifetime_purchases": int, "lifetime_value": int,
}  # fmt: skip
"""Attributes that every member has, with their types. A tenant's own attribute of the same name is not seen."""
BUILT_IN_PREFIXES: Final = ("has_identifier:", "known:")
"""``has_identifier:phone``, ``known:birth_date``: whether there is one. Booleans."""


class SegmentTooLarge(Unprocessable):
    """More leaves or levels than a member's write can afford to evaluate."""

    code, title = "segment_too_large", "Segment too large"


class _Node(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)


class Attribute(_Node):
    """Compare an attribute of the member. A missing value, or one of another type, is unknown; ``exists`` and ``missing`` never are."""

    kind: Literal["attribute"]
    name: Annotated[StrictStr, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,47}(:[a-z0-9_]{1,48})?$")]
    op: Comparison | Literal["in", "exists", "missing"]
    value: Scalar | tuple[Scalar, ...] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if ":" in self.name and not self.name.startswith(BUILT_IN_PREFIXES):
            raise ValueError(f"{self.name!r} is neither an attribute nor one of {', '.join(BUILT_IN_PREFIXES)}")
        if self.op in {"exists", "missing"}:
            if self.value is not None:
                raise ValueError(f"{self.op} takes no value")
            return self
        if (self.op == "in") != isinstance(self.value, tuple):
            raise ValueError("in takes a list of values, the other comparisons take one")
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        kinds = {type(value) for value in values}
        if self.value is None or len(kinds) != 1 or len(values) > MAX_CHOICES:
            raise ValueError(f"{self.op} needs one value, or for in 1 to {MAX_CHOICES} values of one type")
        if kinds == {bool} and self.op not in {"eq", "ne"}:
            raise ValueError("a boolean is compared with eq or ne")
        expected = built_in_type(self.name)
        if expected is not None and kinds != {expected}:
            raise ValueError(f"{self.name} is compared with a value of type {expected.__name__}")
        return self


def built_in_type(name: str) -> type | None:
    """The type of a built-in attribute, or None for one that the tenant declares."""
    return bool if name.startswith(BUILT_IN_PREFIXES) else BUILT_IN.get(name)


class Filter(_Node):
    """One name of one dimension."""

    category: Name | None = None
    tag: Name | None = None
    location: Name | None = None
    channel: Name | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("a filter names exactly one of category, tag, location, channel")
        return self

    @property
    def dimension(self) -> str:
        """The key of the dimension in a cell."""
        given = {"c": self.category, "t": self.tag, "l": self.location, "h": self.channel}
        return next(f"{letter}:{name}" for letter, name in given.items() if name is not None)


class Purchases(_Node):
    """An aggregate over whole local days: purchases, value (minor units), items (thousandths), or average basket (minor units).

    ``average`` compares value / count exactly, without rounding, and is unknown without a purchase; the others are 0 then.
    """

    kind: Literal["purchases"]
    metric: Literal["count", "value", "quantity", "average"]
    days: Days
    filter: Filter | None = None
    op: Comparison
    value: Amount

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.metric == "quantity" and self.filter is not None:
            raise ValueError("quantities are kept in all only, not per category, tag, location or channel")
        return self

    @property
    def dimension(self) -> str | None:
        """The key of the filtered dimension, None for all purchases."""
        return self.filter.dimension if self.filter is not None else None


class SinceLastPurchase(_Node):
    """How long ago the last purchase was, to the millisecond; a day is 24 hours. Unknown for who never purchased.

    Whether she ever did is asked with attribute ``lifetime_purchases``, or ``purchases`` over a window.
    """

    kind: Literal["since_last_purchase"]
    op: Literal["at_least", "less_than"]
    days: Annotated[StrictInt, Field(ge=1, le=36_500)] | None = None
    hours: Annotated[StrictInt, Field(ge=1, le=876_000)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.days is None) == (self.hours is None):
            raise ValueError("give either days or hours")
        return self


class TagShare(_Node):
    """The value of lines with the tag in per cent of all value, compared exactly. Unknown while there is no value in the window."""

    kind: Literal["tag_share"]
    tag: Name
    days: Days
    op: Comparison
    percent: Annotated[StrictInt, Field(ge=0, le=100)]


class Favourite(_Node):
    """Whether one of the names leads by purchases, then value, in the window. Who ties for the lead counts as leading.

    Unknown while nothing with a name was bought. What a crowded day sums under ``~`` cannot lead.
    """

    kind: Literal["favourite"]
    of: Literal["location", "category", "channel", "tag"]
    days: Days
    is_: Name | None = Field(default=None, alias="is")
    in_: Annotated[tuple[Name, ...], Field(min_length=1, max_length=MAX_CHOICES)] | None = Field(default=None, alias="in")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.is_ is None) == (self.in_ is None):
            raise ValueError("give either is or in")
        return self

    @property
    def names(self) -> frozenset[str]:
        """The names asked for."""
        return frozenset(self.in_ or ()) | ({self.is_} if self.is_ is not None else set())


class ConsentGiven(_Node):
    """The current answer for a purpose and channel. Unknown if she was never asked."""

    kind: Literal["consent"]
    purpose: Key
    channel: Key
    granted: StrictBool


class Birthday(_Node):
    """Where today is relative to the birthday, in local days. Unknown without a birth date, or before the day of birth.

    Who was born on 29 February celebrates on the 28th in common years. Exactly one of: ``today``; ``month`` (``current``: the
    birthday is in this calendar month; 1 to 12: she was born in it); the window ``within_days_before`` and/or
    ``within_days_after`` (the birthday is at most so many days ahead, or ago; the day itself is included).
    """

    kind: Literal["birthday"]
    today: Literal[True] | None = None
    month: Literal["current"] | Annotated[StrictInt, Field(ge=1, le=12)] | None = None
    within_days_before: Annotated[StrictInt, Field(ge=0, le=180)] | None = None
    within_days_after: Annotated[StrictInt, Field(ge=0, le=180)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        windowed = self.within_days_before is not None or self.within_days_after is not None
        if (self.today is not None) + (self.month is not None) + windowed != 1:
            raise ValueError("give exactly one of today, month, or within_days_before and/or within_days_after")
        return self


class Age(_Node):
    """Completed years, counted up on the birthday as ``birthday`` means it. Unknown without a birth date, or before the day of birth."""

    kind: Literal["age"]
    op: Comparison
    years: Annotated[StrictInt, Field(ge=0, le=150)]


class CouponHeld(_Node):
    """Whether she has a coupon of the offer: ``active`` (usable now), ``held`` for a basket, or ever ``redeemed`` one.

    ``expires_within_days``: an active one that expires at most so many rolling days of 24 hours from now.
    """

    kind: Literal["coupon"]
    offer: Key
    state: Literal["active", "held", "redeemed"]
    expires_within_days: Annotated[StrictInt, Field(ge=1, le=KEPT_DAYS)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.expires_within_days is not None and self.state != "active":
            raise ValueError("expires_within_days is asked of active coupons")
        return self


class Balance(_Node):
    """Available points of a wallet: matured, not expired, not held. A wallet that she does not have has 0."""

    kind: Literal["balance"]
    wallet: Key
    op: Comparison
    value: Amount


def _not_empty(rules: tuple[Any, ...]) -> tuple[Any, ...]:
    # Not Field(min_length=1): pydantic counts only valid items, so one bad rule would also be reported as an empty list.
    if not rules:
        raise ValueError("at least one rule")
    return rules


class AllOf(_Node):
    """True if every rule is."""

    kind: Literal["all"]
    rules: Rules


class AnyOf(_Node):
    """True if one rule is."""

    kind: Literal["any"]
    rules: Rules


class Not(_Node):
    """True if the rule is false; unknown stays unknown."""

    kind: Literal["not"]
    rule: Rule


Leaf = Attribute | Purchases | SinceLastPurchase | TagShare | Favourite | ConsentGiven | Birthday | Age | CouponHeld | Balance
Rule = Annotated[AllOf | AnyOf | Not | Leaf, Field(discriminator="kind")]
Rules = Annotated[tuple[Rule, ...], AfterValidator(_not_empty), Field(json_schema_extra={"minItems": 1})]
for _model in (AllOf, AnyOf, Not):
    _model.model_rebuild()


class SegmentDefinition(_Node):
    """One version of a segment. ``SegmentTooLarge`` points at the first node beyond ``MAX_LEAVES`` or ``MAX_DEPTH``."""

    id: Key
    version: Annotated[StrictInt, Field(ge=1)] = 1
    name: Annotated[StrictStr, StringConstraints(min_length=1, max_length=120)]
    description: Annotated[StrictStr, StringConstraints(max_length=2000)] = ""
    rule: Rule

    @field_validator("rule", mode="before")
    @classmethod
    def _bounded(cls, raw: Any) -> Any:
        check_size(raw, "/rule")
        return raw


def check_size(raw: Any, pointer: str) -> None:
    """Refuse a tree (as parsed from JSON) with too many leaves or levels before anything is built from it."""
    leaves, waiting = 0, [(raw, 1, pointer)]
    while waiting:
        node, depth, where = waiting.pop()
        children = _children(node)
        leaves += not children
        if depth > MAX_DEPTH or leaves > MAX_LEAVES:
            limit = f"at most {MAX_DEPTH} levels" if depth > MAX_DEPTH else f"at most {MAX_LEAVES} leaves"
            code = "too_deep" if depth > MAX_DEPTH else "too_many_leaves"
            raise SegmentTooLarge(f"A segment has {limit}.", errors=(FieldError(where, code, limit),))
        waiting.extend((child, depth + 1, where + at) for child, at in reversed(children))


def _children(node: Any) -> list[tuple[Any, str]]:
    if isinstance(node, BaseModel):
        node = dict(node)
    if not isinstance(node, dict):
        return []
    if isinstance(node.get("rules"), list | tuple):
        return [(child, f"/rules/{index}") for index, child in enumerate(node["rules"])]
    return [(node["rule"], "/rule")] if "rule" in node else []
