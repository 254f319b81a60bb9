"""What starts an occurrence of a campaign: an instant, a calendar rule, something that happens to a member, a date of hers, a call.

    {"kind": "once", "at": "2026-06-01T09:00:00Z"}
    {"kind": "recurring", "rrule": "FREQ=WEEKLY;BYDAY=FR", "starts": "2026-06-05T11:30", "in": "member"}
    {"kind": "event", "types": ["transaction.recorded"], "where": [{"field": "value", "op": "ge", "value": 2000}]}
    {"kind": "event", "types": ["segment.entered"], "segment": "sleepers"}
    {"kind": "date", "of": "coupon_expiry", "days": 10, "at": "10:00", "offer": "voucher"}
    {"kind": "api", "data": ["table", "time"]}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, StrictInt, StringConstraints, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from shared.kernel.instants import Instant, parse_rfc3339
from shared.relay.catalogue import CATALOGUE
from shared.tenants.base import Frozen, Name
from shared.tenants.messaging import LocalTime

FLIPS: Final = frozenset({"segment.entered", "segment.left"})
_OF_OURS: Final = ("campaign.", "message.claimed", "message.held_out", "member.erased", "member.merged", "member.united")
"""What campaigns themselves do to a member: it may trigger none, that would be a loop. Who is forgotten, or another
by now, gets nothing, and nobody a message because she turned out to be one.
"""
EVENT_TYPES: Final = frozenset(
    each.type
    for each in CATALOGUE.values()
    if each.aggregate.startswith("member:") and not each.type.startswith(_OF_OURS) and each.pattern is None
)
"""Events of the catalogue about a member; ``event.<name>`` beside them."""
CUSTOM: Final = re.compile(r"event\.[a-z][a-z0-9_]{0,30}")
Scalar = bool | int | str


def _instant(value: str) -> str:
    parse_rfc3339(value)
    return value


def _event_type(value: str) -> str:
    if value not in EVENT_TYPES and CUSTOM.fullmatch(value) is None:
        raise ValueError(f"expected event.<name>, or one of {', '.join(sorted(EVENT_TYPES))}")
    return value


EventName = Annotated[str, StringConstraints(max_length=60), AfterValidator(_event_type)]
"""The type of an event as members have it."""


class OnceTrigger(Frozen):
    """To everybody of the audience, once: at an instant (RFC 3339), or when it is launched."""

    kind: Literal["once"] = "once"
    at: Annotated[str, StringConstraints(max_length=40), AfterValidator(_instant)] | None = None

    @property
    def instant(self) -> Instant | None:
        """The instant, if one is set."""
        return None if self.at is None else parse_rfc3339(self.at)


class RecurringTrigger(Frozen):
    """To everybody of the audience, again and again: by a rule of RFC 5545 (section 3.3.10) from a local date and time on.

    Whole days to years, an hour apart at least; it ends, or has at most 400 occurrences in a year.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, populate_by_name=True, serialize_by_alias=True)

    kind: Literal["recurring"] = "recurring"
    rrule: Annotated[str, StringConstraints(min_length=9, max_length=300, pattern=r"^FREQ=[A-Z0-9=;,:+-]+$")]
    starts: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]$")] = Field(
        description="local date and time of the first occurrence, if the rule has one then"
    )
    in_: Literal["tenant", "member"] = Field(default="tenant", alias="in", description="whose time: the tenant's, or each member's own")

    @field_validator("starts")
    @classmethod
    def _a_day(cls, value: str) -> str:
        datetime.fromisoformat(value)
        return value

    @model_validator(mode="after")
    def _possible(self) -> Self:
        # Only who has such a campaign pays for the library.
        from shared.campaigns.recurring import check_rule

        try:
            check_rule(self.rrule, self.starts)
        except PydanticCustomError as error:
            # The rule is what is wrong, not the whole trigger: launching points at it, too.
            details = InitErrorDetails(type=error, loc=("rrule",), input=self.rrule)
            raise ValidationError.from_exception_data("RecurringTrigger", [details]) from None
        return self


class Where(Frozen):
    """A condition on an event's data. ``field``: its name; of an object inside (``earned.points``) the name within."""

    field: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,47}(\.[a-z0-9][a-z0-9_-]{0,47})?$")]
    op: Literal["eq", "ne", "ge", "le"] = "eq"
    value: Annotated[bool, Field(strict=True)] | StrictInt | Annotated[str, StringConstraints(max_length=128, strict=True)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        ordered = self.op in ("ge", "le")
        if ordered and (isinstance(self.value, bool) or not isinstance(self.value, int)):
            raise ValueError("ge and le compare integers")
        return self

    def holds(self, data: Mapping[str, Any]) -> bool:
        """Whether it holds. What the event does not have equals nothing, and is not within any range."""
        name, _, inner = self.field.partition(".")
        found = data.get(name)
        if inner:
            found = found.get(inner) if isinstance(found, Mapping) else None
        same = type(found) is type(self.value) and found == self.value
        if self.op in ("eq", "ne"):
            return same == (self.op == "eq")
        comparable = isinstance(found, int) and not isinstance(found, bool) and isinstance(self.value, int)
        if not comparable:
            return False
        return found >= self.value if self.op == "ge" else found <= self.value  # type: ignore[operator]


class EventTrigger(Frozen):
    """Whenever one of these events happens to a member, and all of ``where`` hold; ``segment`` narrows segment.entered and segment.left."""

    kind: Literal["event"] = "event"
    types: tuple[EventName, ...] = Field(min_length=1, max_length=10)
    where: tuple[Where, ...] = Field(default=(), max_length=5)
    segment: Name | None = None
    on_definition_change: bool = Field(
        default=False, description="also for who enters or leaves because the segment's definition changed, not because of what she did"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.segment is not None and not set(self.types) <= FLIPS:
            raise ValueError("segment narrows segment.entered and segment.left only")
        return self


class DateTrigger(Frozen):
    """On a day counted from a date of hers, at a time of her local day: ``days`` before a birthday, the end of points or of a coupon, an
    anniversary of her registration; ``no_visit``: ``days`` after her last visit.
    """

    kind: Literal["date"] = "date"
    of: Literal["birthday", "lot_expiry", "coupon_expiry", "anniversary", "no_visit"]
    days: StrictInt = Field(default=0, ge=0, le=365)
    at: LocalTime = "10:00"
    wallet: Name | None = Field(default=None, description="lot_expiry: of this wallet only")
    offer: Name | None = Field(default=None, description="coupon_expiry: of this offer only")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.wallet is not None and self.of != "lot_expiry":
            raise ValueError("wallet narrows lot_expiry only")
        if self.offer is not None and self.of != "coupon_expiry":
            raise ValueError("offer narrows coupon_expiry only")
        if self.of == "no_visit" and self.days == 0:
            raise ValueError("no_visit takes at least one day")
        return self


class ApiTrigger(Frozen):
    """When the tenant's own system says so, for the members that it names, with data of each (``data``: what texts may show of it)."""

    kind: Literal["api"] = "api"
    data: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,47}$")], ...] = Field(default=(), max_length=20)


Trigger = Annotated[
    OnceTrigger | RecurringTrigger | EventTrigger | DateTrigger | ApiTrigger, Field(discriminator="kind")
]
