"""Leaves about purchases: windows of whole local days, the distance to the last and first purchase, shares and favourites."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, Field, StrictInt, model_validator

from shared.segments.language.base import (
    WEEKDAYS,
    Amount,
    Comparison,
    DayMeaning,
    Days,
    Leaf,
    Name,
    Node,
    NoZone,
    OneOrSeveral,
    Since,
    Weekday,
    not_empty,
)

LETTERS: Final = {"location": "l", "category": "c", "channel": "h", "tag": "t", "item": "i", "hour": "o"}
_SOME_DAYS: Final = Field(max_length=7, json_schema_extra={"minItems": 1})
HOURS: Final = tuple(f"{hour:02d}" for hour in range(24))


class Hours(Node):
    """Hours of the local day, from one until before another; ``from`` 22 ``until`` 2 is 22:00 to 02:00."""

    from_: Annotated[StrictInt, Field(ge=0, le=23)] = Field(alias="from")
    until: Annotated[StrictInt, Field(ge=0, le=24)]

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.from_ == self.until % 24 and self.until != 24:
            raise ValueError("from and until are the same hour; leave the filter out for all hours")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The hours as cells name them."""
        length = (self.until - self.from_) % 24 or 24
        return tuple(HOURS[(self.from_ + hour) % 24] for hour in range(length))


class Filter(Node):
    """One name of one dimension, or some hours of the day."""

    category: Name | None = None
    tag: Name | None = None
    item: Name | None = None
    location: Name | None = None
    channel: Name | None = None
    hours: Hours | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(getattr(self, name) is not None for name in Filter.model_fields) != 1:
            raise ValueError("a filter names exactly one of category, tag, item, location, channel, hours")
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys in a cell whose sums are asked for together. A purchase has one hour, so that hours may be added."""
        if self.hours is not None:
            return tuple(f"o:{hour}" for hour in self.hours.names)
        given = {"c": self.category, "t": self.tag, "i": self.item, "l": self.location, "h": self.channel}
        return tuple(f"{letter}:{name}" for letter, name in given.items() if name is not None)


class Purchases(Leaf):
    """An aggregate over whole local days: purchases, value (minor units), quantity (thousandths), average (value of a purchase, minor
    units), or visits (local days with a purchase).

    ``average`` compares value / count exactly, without rounding, and is unknown without a purchase; the others are 0 then. With a
    filter it is the matching lines that count. What a crowded profile sums under "others" may have been of the name that is asked
    for: the answer is unknown while that could decide.
    """

    behavioural: ClassVar[bool] = True
    kind: Literal["purchases"]
    metric: Literal["count", "value", "quantity", "average", "visits"]
    days: Days
    filter: Filter | None = None
    weekdays: Annotated[tuple[Weekday, ...], _SOME_DAYS, AfterValidator(not_empty)] | None = None
    op: Comparison
    value: Amount
    time_zone: NoZone = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys in a cell; none: all purchases."""
        return self.filter.keys if self.filter is not None else ()

    @property
    def weekday_numbers(self) -> frozenset[int]:
        """Monday is 0; all of them without ``weekdays``."""
        return frozenset(WEEKDAYS.index(each) for each in self.weekdays or WEEKDAYS)

    @property
    def is_certain(self) -> bool:
        return self.metric != "average" and self.filter is None

    @property
    def meaning_of_day(self) -> DayMeaning:
        return "calendar"


class SinceLastPurchase(Since):
    """How long ago the last purchase was. Unknown for who never purchased.

    ``rolling`` (24 hours, to the millisecond) or ``calendar``: today less the local day of the purchase. With a ``filter`` only calendar
    days are known, and it is unknown where nothing of that name was bought in 400 days. Whether she ever did is asked with attribute
    ``lifetime_purchases``, or ``purchases`` over a window.
    """

    behavioural: ClassVar[bool] = True
    kind: Literal["since_last_purchase"]
    filter: Filter | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.filter is not None and self.day != "calendar":
            raise ValueError("with a filter only the day is known: give day calendar")
        if self.filter is not None and self.time_zone is not None:
            raise ValueError("time_zone is for calendar days without a filter: what is filtered is kept by the tenant's days")
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys in a cell; none: all purchases."""
        return self.filter.keys if self.filter is not None else ()


class SinceFirstPurchase(Since):
    """How long ago the first purchase was. Unknown for who never purchased."""

    behavioural: ClassVar[bool] = True
    kind: Literal["since_first_purchase"]


class TagShare(Leaf):
    """The value of lines with the tag in per cent of all value, compared exactly. Unknown while there is no value in the window."""

    behavioural: ClassVar[bool] = True
    kind: Literal["tag_share"]
    tag: Name
    days: Days
    op: Comparison
    percent: Annotated[StrictInt, Field(ge=0, le=100)]
    time_zone: NoZone = None

    @property
    def meaning_of_day(self) -> DayMeaning:
        return "calendar"


class Favourite(Leaf, OneOrSeveral):
    """Whether one of the names leads by purchases, then value, in the window. Who ties for the lead counts as leading.

    Hours are named "00" to "23", weekdays "mon" to "sun". Unknown while nothing with a name was bought, or while what is summed under
    "others" could lead.
    """

    behavioural: ClassVar[bool] = True
    kind: Literal["favourite"]
    of: Literal["location", "category", "channel", "tag", "item", "hour", "weekday"]
    days: Days
    time_zone: NoZone = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self.check_one()
        possible = {"hour": frozenset(HOURS), "weekday": frozenset(WEEKDAYS)}.get(self.of)
        if possible is not None and not self.names <= possible:
            raise ValueError('hours are "00" to "23"' if self.of == "hour" else 'weekdays are "mon" to "sun"')
        return self

    @property
    def meaning_of_day(self) -> DayMeaning:
        return "calendar"
