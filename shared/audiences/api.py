"""Bodies of the routes about audiences. Null fields of answers are left out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt, StrictStr, StringConstraints, field_validator, model_validator

from shared.audiences.columns import DEFAULT, MAX_COLUMNS
from shared.kernel.ids import NAME_PATTERN
from shared.kernel.pages import MAX_LIMIT
from shared.segments.model import Rule, check_size
from shared.tenants.base import Answer
from shared.tenants.model import Frozen

Mode = Literal["estimate", "exact"]
ColumnName = Annotated[StrictStr, StringConstraints(min_length=1, max_length=200)]
Columns = Annotated[tuple[ColumnName, ...], Field(min_length=1, max_length=MAX_COLUMNS)]
Order = Annotated[StrictStr, StringConstraints(pattern=r"^(id|lifetime_value|last_purchase_at|balance:[a-z0-9][a-z0-9_-]{0,47})$")]


class _WithRule(Frozen):
    """A rule of the language of segments (``GET /v1/segments/schema``)."""

    rule: Rule

    @field_validator("rule", mode="after")
    @classmethod
    def _bounded(cls, rule: Rule) -> Rule:
        check_size(rule, "/rule")
        return rule


class PreviewRequest(Frozen):
    """How many members would be in: of a rule, or of a segment as it is written (its newest version, also a draft, unless one is named)."""

    rule: Rule | None = None
    segment: Annotated[StrictStr, StringConstraints(pattern=NAME_PATTERN)] | None = None
    version: Annotated[StrictInt, Field(ge=1)] | None = None
    mode: Mode = Field(default="estimate", description="estimate: from a random sample, at once; exact: everybody is counted")
    size: Annotated[StrictInt, Field(ge=100, le=5000)] = Field(default=1000, description="members looked at for an estimate")
    sample: Annotated[StrictInt, Field(ge=0, le=50)] = Field(default=10, description="ids of members that are in, shown as examples")

    @field_validator("rule", mode="after")
    @classmethod
    def _bounded(cls, rule: Rule | None) -> Rule | None:
        if rule is not None:
            check_size(rule, "/rule")
        return rule

    @model_validator(mode="after")
    def _one(self) -> PreviewRequest:
        if (self.rule is None) == (self.segment is None):
            raise ValueError("give either rule or segment")
        if self.version is not None and self.segment is None:
            raise ValueError("version is of a segment")
        return self


class SearchRequest(_WithRule):
    """Members that a rule is true of, a page at a time."""

    columns: Columns = DEFAULT
    limit: Annotated[StrictInt, Field(ge=1, le=MAX_LIMIT)] = 50
    cursor: Annotated[StrictStr, StringConstraints(max_length=500)] | None = None
    order: Order = Field(default="id", description="id, lifetime_value, last_purchase_at or balance:<wallet>")
    descending: StrictBool = Field(default=False, description="who has no value comes last in either direction")

    @model_validator(mode="after")
    def _rising_by_id(self) -> SearchRequest:
        if self.descending and self.order == "id":
            raise ValueError("by id the order is rising")
        return self


class ExportSegmentRequest(Frozen):
    """A file of all members of a segment, in the version that listings read."""

    format: Literal["csv", "jsonl"] = "csv"
    columns: Columns = DEFAULT


class ExportMembersRequest(_WithRule):
    """A file of all members that a rule is true of."""

    format: Literal["csv", "jsonl"] = "csv"
    columns: Columns = DEFAULT


# -- answers --------------------------------------------------------------------------------------------------------


class PreviewAnswer(Answer):
    """How many members are in. ``low`` and ``high``: the interval that holds the truth in 95 of 100 estimates; of ``exact`` both are it."""

    mode: Mode
    count: int
    low: int
    high: int
    population: int = Field(description="active members")
    looked_at: int = Field(description="members that the answer is made from")
    source: Literal["snapshot", "table"] = Field(serialization_alias="from")
    whole: bool = Field(default=True, description="false: only the first 20,000 members were there to be sampled; population says so")
    sampled_as_of: str | None = Field(default=None, description="the same rule until this changes looks at the same members")
    as_of: str = Field(description="the instant that the rule was asked for")
    time_zone: str = Field(description="of whole days")
    undecided_read: int = Field(description="members that were read from the table, because no column tells, or since they just changed")
    leaves: int = Field(description="of the rule, with those of the segments that it names")
    sample: tuple[str, ...] = Field(description="some members that are in, by chance")


class SearchRow(Answer):
    """A member, and her columns; what there is no value of is left out."""

    member_id: str
    columns: dict[str, Any]


class SearchPage(Answer):
    """A page. It may hold fewer rows than asked for, even none, while there is a ``next_cursor``."""

    data: tuple[SearchRow, ...]
    as_of: str
    next_cursor: str | None = None


class ExportAnswer(Answer):
    """An export. ``link`` answers the file to whoever has it, for 15 minutes; a new one is made at each reading, for 7 days."""

    export_id: str
    status: Literal["queued", "running", "done", "failed"]
    format: Literal["csv", "jsonl"]
    columns: tuple[str, ...]
    segment: str | None = None
    version: int | None = None
    rows: int = Field(description="written so far")
    left_out: int = Field(default=0, description="members whose key is gone, where personal fields were asked for")
    as_of: str = Field(description="the instant that the rule is asked for")
    finished_at: str | None = None
    kept_until: str | None = None
    link: str | None = None
    link_until: str | None = None
    reason: str | None = Field(default=None, description="why it failed")
