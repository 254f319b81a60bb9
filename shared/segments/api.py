"""Bodies about segments: the definition as it is sent, and what is read of a segment."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictStr, StringConstraints, field_validator

from shared.kernel.instants import NEVER, format_rfc3339
from shared.segments.model import Rule, check_size
from shared.segments.rules import Why
from shared.tenants.model import Frozen


class SegmentBody(Frozen):
    """A segment as a person writes it; id and version are kept beside it."""

    name: Annotated[StrictStr, StringConstraints(min_length=1, max_length=120)]
    description: Annotated[StrictStr, StringConstraints(max_length=2000)] = ""
    rule: Rule

    @field_validator("rule", mode="after")
    @classmethod
    def _bounded(cls, rule: Rule) -> Rule:
        # Not before: what a validator has seen is no JSON any more, where strict parsing takes an array for a tuple.
        check_size(rule, "/definition/rule")
        return rule


class SegmentMember(Frozen):
    """A member in the list of a segment."""

    member_id: str


class MembersPage(Frozen):
    """Members of a segment, in the order of their ids. Derived from events: it follows within seconds."""

    segment: str
    version: int
    data: tuple[SegmentMember, ...]
    next_cursor: str | None = None


class CountAnswer(Frozen):
    """How many members a segment has. ``state`` is ``backfilling`` until everybody whom the version concerns was evaluated with it."""

    segment: str
    version: int
    count: int
    state: Literal["exact", "backfilling"]
    evaluated: int | None = None
    """Members looked at so far, while it is backfilling."""
    needed: int | None = None
    """How many must be looked at, once that is counted. The others are where they should be without."""


class WhyNode(Frozen):
    """One node of the tree: what was asked, what was looked at, and until when the answer holds without new events."""

    asked: dict[str, Any]
    value: Any = None
    truth: Literal["true", "false", "unknown"]
    valid_until: str | None = None
    day: Literal["calendar", "rolling"] | None = Field(default=None, description="whole local days of zone, or days of 24 hours")
    zone: str | None = None
    reason: Literal["profiling_objected", "restricted", "segment_not_in_force"] | None = None
    children: tuple[WhyNode, ...] = ()


class WhyAnswer(Frozen):
    """Why a member is in a segment, or is not."""

    segment: str
    version: int
    member_id: str
    inside: bool
    why: WhyNode


def why_node(why: Why) -> WhyNode:
    """A node of ``shared.segments.rules.explain`` as it is answered."""
    truth: Literal["true", "false", "unknown"] = "unknown" if why.truth is None else "true" if why.truth else "false"
    return WhyNode(
        asked=why.asked,
        value=why.value,
        truth=truth,
        valid_until=format_rfc3339(why.valid_until) if why.valid_until < NEVER else None,
        day=why.day,
        zone=why.zone,
        reason=why.reason,
        children=tuple(why_node(child) for child in why.children),
    )
