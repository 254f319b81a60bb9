"""What all leaves share: the types of their fields, how they compare, and what is known of a leaf before it is asked."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
    StrictStr,
    StringConstraints,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from shared.kernel.ids import NAME_PATTERN
from shared.kernel.instants import DAY, HOUR
from shared.profile.model import KEPT_DAYS
from shared.tenants.base import ZoneName

MAX_CHOICES: Final = 100
"""Values of one ``in``."""

Comparison = Literal["eq", "ne", "lt", "le", "gt", "ge"]
COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
}  # fmt: skip
Text = Annotated[StrictStr, StringConstraints(min_length=1, max_length=256)]
Name = Annotated[StrictStr, StringConstraints(min_length=1, max_length=128)]
Key = Annotated[StrictStr, StringConstraints(pattern=NAME_PATTERN)]


def not_empty(given: tuple[Any, ...]) -> tuple[Any, ...]:
    """Refuse an empty list. Not ``min_length``: pydantic counts only valid items, so one bad item would also be reported as none."""
    if not given:
        raise ValueError("at least one")
    return given


Choices = Annotated[tuple[Name, ...], Field(max_length=MAX_CHOICES, json_schema_extra={"minItems": 1}), AfterValidator(not_empty)]
Days = Annotated[StrictInt, Field(ge=1, le=KEPT_DAYS, description="whole local days of the tenant's time zone, today included")]
RollingDays = Annotated[StrictInt, Field(ge=1, le=36_500, description="days of 24 hours, exact to the millisecond")]
Amount = Annotated[StrictInt, Field(ge=0, le=10**12)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DayMeaning = Literal["calendar", "rolling"]


def _refuse_zone(given: object) -> None:
    if given is not None:
        raise ValueError("a window sums the tenant's own local days, so it takes no time_zone of its own")


NoZone = Annotated[SkipJsonSchema[None], BeforeValidator(_refuse_zone)]
"""Of windows: named only to say why it is refused."""


class Node(BaseModel):
    """A node of a rule: immutable, no unknown field, and built when it is first parsed."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True, defer_build=True)


class Leaf(Node):
    """One question about a member."""

    behavioural: ClassVar[bool] = False
    """Whether it is derived from what she does (purchases, events, responses, where she was last): who objects to profiling is in no
    segment that asks it.
    """
    personal: ClassVar[bool] = False
    """Whether it looks at a personal fact, which is kept encrypted."""
    kind: str

    @property
    def is_behavioural(self) -> bool:
        """``behavioural``, where it depends on what is asked."""
        return self.behavioural

    @property
    def is_personal(self) -> bool:
        """``personal``, where it depends on what is asked."""
        return self.personal

    @property
    def is_certain(self) -> bool:
        """Whether it can never be unknown."""
        return False

    @property
    def meaning_of_day(self) -> DayMeaning | None:
        """Whole local days, or days of 24 hours; None where no days are asked for."""
        return None

    @property
    def own_zone(self) -> str | None:
        """The time zone that it names."""
        return None


class OneOrSeveral(Node):
    """``is`` names one, ``in`` several: exactly one of the two."""

    is_: Name | None = Field(default=None, alias="is")
    in_: Choices | None = Field(default=None, alias="in")

    @property
    def names(self) -> frozenset[str]:
        """The names asked for."""
        return frozenset(self.in_ or ()) | ({self.is_} if self.is_ is not None else set())

    def check_one(self) -> None:
        """Refuse both and neither."""
        if (self.is_ is None) == (self.in_ is None):
            raise ValueError("give either is or in")


class Since(Leaf):
    """How long ago something was: ``days`` or ``hours``. ``rolling``: days of 24 hours, to the millisecond; ``calendar``: whole local days,
    which may be those of any time zone, since the instant is known.
    """

    op: Literal["at_least", "less_than"]
    day: DayMeaning = Field(default="rolling", description="24 hours, or local midnights of time_zone (none: the tenant's)")
    days: RollingDays | None = None
    hours: Annotated[StrictInt, Field(ge=1, le=876_000)] | None = None
    time_zone: ZoneName | None = Field(default=None, description="IANA zone; none: the tenant's")

    @model_validator(mode="after")
    def _one_distance(self) -> Self:
        if (self.days is None) == (self.hours is None):
            raise ValueError("give either days or hours")
        if self.day == "calendar" and self.days is None:
            raise ValueError("calendar days are asked for with days")
        if self.time_zone is not None and self.day != "calendar":
            raise ValueError("time_zone is for calendar days")
        return self

    @property
    def milliseconds(self) -> int:
        """Of rolling days or hours."""
        return self.days * DAY if self.days is not None else (self.hours or 0) * HOUR

    @property
    def meaning_of_day(self) -> DayMeaning:
        return self.day

    @property
    def own_zone(self) -> str | None:
        return self.time_zone
