"""Leaves about habits: tastes, rhythm, and the place among the tenant's members. The words' definitions are in docs/profile.md."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, StrictInt

from shared.segments.language.base import Comparison, DayMeaning, Leaf, Name, NoZone, not_empty


class _Habit(Leaf):
    """Counted on the tenant's local days."""

    behavioural: ClassVar[bool] = True
    time_zone: NoZone = None

    @property
    def meaning_of_day(self) -> DayMeaning:
        return "calendar"


class TagStrength(_Habit):
    """The share of what she spent that went to lines with the tag, in per cent, older purchases weighing less (the tenant says how
    much). Unknown while she spent nothing.
    """

    kind: Literal["tag_strength"]
    tag: Name
    op: Comparison
    percent: Annotated[StrictInt, Field(ge=0, le=100)]


class Prefers(_Habit):
    """Whether she prefers a tag, as the tenant defines that: strong enough, and bought often enough. Unknown while she spent nothing."""

    kind: Literal["prefers"]
    tag: Name


class Lifecycle(_Habit):
    """Active, sleeping or lost by her own rhythm, to the millisecond. Unknown without a purchase."""

    kind: Literal["lifecycle"]
    in_: Annotated[
        tuple[Literal["active", "sleeping", "lost"], ...],
        Field(max_length=3, json_schema_extra={"minItems": 1}),
        AfterValidator(not_empty),
    ] = Field(alias="in")

    @property
    def meaning_of_day(self) -> DayMeaning:
        return "rolling"


class UsualInterval(_Habit):
    """Her usual days between visits (the median of the newest gaps; halves are compared exactly). Unknown with fewer than three visits."""

    kind: Literal["usual_interval"]
    op: Comparison
    days: Annotated[StrictInt, Field(ge=0, le=400)]


class Rfm(_Habit):
    """Her fifth among the tenant's members, 1 to 5, where 5 is best: by recency, frequency or money. Unknown without a purchase, and
    before the tenant's quintiles are computed.
    """

    kind: Literal["rfm"]
    of: Literal["recency", "frequency", "monetary"]
    op: Comparison
    value: Annotated[StrictInt, Field(ge=1, le=5)]
