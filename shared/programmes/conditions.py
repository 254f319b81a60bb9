"""When a programme, a rule or a multiplier applies: facts about the member, the place and the time. Pure.

Every condition that is set must be met. Those about the member are not met by an anonymous sale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from shared.kernel.instants import Instant, day_of, local_datetime, local_day
from shared.tenants.model import Frozen, Name

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Channel = Literal["pos", "kiosk", "web", "app", "delivery"]


def _date(value: str) -> str:
    day_of(value)
    return value


Day = Annotated[str, StringConstraints(max_length=10), AfterValidator(_date)]
"""An ISO date, in the tenant's time zone."""
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class Hours(Frozen):
    """A part of the day on the wall clock of the location, ``start`` included, ``end`` not; over midnight if ``end`` is earlier."""

    start: TimeOfDay
    end: TimeOfDay

    @model_validator(mode="after")
    def _not_empty(self) -> Hours:
        if self.start == self.end:
            raise ValueError("start and end are the same; leave hours out for the whole day")
        return self


class When(Frozen):
    """All that are set must hold. Lists are alternatives, and so are ``locations`` and ``location_groups``, which say one thing: where."""

    tiers: tuple[Name, ...] = Field(default=(), max_length=20)
    segments: tuple[Name, ...] = Field(default=(), max_length=20)
    tags: tuple[Name, ...] = Field(default=(), max_length=20, description="the member's own tags")
    joined_from: Day | None = Field(default=None, description="first local day of joining")
    joined_until: Day | None = Field(default=None, description="last local day of joining")
    first_purchase: bool | None = Field(default=None, description="true: only her first; false: never her first")
    locations: tuple[Name, ...] = Field(default=(), max_length=500)
    location_groups: tuple[Name, ...] = Field(
        default=(), max_length=50, description="or any location in one of these groups or below; beside locations, either will do"
    )
    channels: tuple[Channel, ...] = Field(default=(), max_length=20)
    weekdays: tuple[Weekday, ...] = Field(
        default=(), max_length=20, description="of the location; hours over midnight belong to the day that they began on"
    )
    hours: Hours | None = None
    date_from: Day | None = None
    date_until: Day | None = Field(default=None, description="included")

    @model_validator(mode="after")
    def _ranges(self) -> When:
        for first, last in ((self.joined_from, self.joined_until), (self.date_from, self.date_until)):
            if first is not None and last is not None and first > last:
                raise ValueError("the range of dates is empty")
        return self


ALWAYS: Final = When()


@dataclass(frozen=True, slots=True)
class Usage:
    """What a rule or programme has given a member so far; ``today`` is the local day of the purchase."""

    points: int = 0
    times: int = 0
    points_today: int = 0
    times_today: int = 0
    times_week: int = 0
    """In its week from Monday; counted only where a limit asks, as is the month."""
    times_month: int = 0


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """What rules may know of a member, as of the purchase. Stored with the decision, so that it can be replayed."""

    tier: str | None = None
    segments: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    joined_at: Instant = 0
    purchases: int = 0
    """Recorded before this one."""
    same_visit: bool = False
    """An earlier receipt at this location belongs to the same visit."""
    usage: Mapping[str, Usage] = field(default_factory=dict)
    """``programme/rule``, or ``programme`` alone for its own limits -> used so far. Only what has limits."""
    balances: Mapping[str, int] = field(default_factory=dict)
    """Wallet -> points that may be drawn."""
    payments_today: Mapping[str, int] = field(default_factory=dict)
    """Wallet -> how often points were used as payment on the purchase's local day."""
    former: frozenset[str] = frozenset()
    """Ids of members who turned out to be her: their coupons are hers."""
    anonymous: bool = False
    """Nobody is known: no condition about the member is met."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Where and when. ``zone`` is the tenant's, for days; ``local_zone`` the location's, for weekdays and hours."""

    at: Instant
    zone: str
    local_zone: str
    location: str
    channel: str
    currency: str
    groups: frozenset[str] = frozenset()
    """Those that the location is in, those above them included."""


def unmet(when: When, facts: MemberFacts, scene: Scene) -> str | None:
    """The reason code of the first condition that is not met, in the order of ``When``'s fields; ``None`` if all are.

    Weekdays and hours are read from the wall clock of ``scene.local_zone``, to the minute: an hour that the clocks repeat counts
    twice, one that they skip never comes. After midnight, hours over midnight still belong to the weekday that they began on
    (22:00 to 02:00 on Fridays includes Saturday 01:00, and not Friday 01:00). Dates and days of joining are days of ``scene.zone``.
    """
    if when is ALWAYS:
        return None
    return _unmet_of_member(when, facts, scene) or _unmet_of_place(when, scene) or _unmet_of_time(when, scene)


def _unmet_of_member(when: When, facts: MemberFacts, scene: Scene) -> str | None:
    known = not facts.anonymous
    if when.tiers and not (known and facts.tier in when.tiers):
        return "wrong_tier"
    if when.segments and not (known and any(each in facts.segments for each in when.segments)):
        return "not_in_segment"
    if when.tags and not (known and any(each in facts.tags for each in when.tags)):
        return "wrong_tag"
    if when.joined_from is not None and not (known and local_day(facts.joined_at, scene.zone) >= _day(when.joined_from)):
        return "joined_too_early"
    if when.joined_until is not None and not (known and local_day(facts.joined_at, scene.zone) <= _day(when.joined_until)):
        return "joined_too_late"
    if when.first_purchase is not None and not (known and (facts.purchases == 0) == when.first_purchase):
        return "not_first_purchase" if when.first_purchase else "first_purchase"
    return None


def _unmet_of_place(when: When, scene: Scene) -> str | None:
    says_where = when.locations or when.location_groups
    if says_where and scene.location not in when.locations and scene.groups.isdisjoint(when.location_groups):
        return "wrong_location"
    if when.channels and scene.channel not in when.channels:
        return "wrong_channel"
    return None


def _unmet_of_time(when: When, scene: Scene) -> str | None:
    if when.weekdays or when.hours is not None:
        weekday, minute = _wall_clock(scene.at, scene.local_zone)
        inside = True
        if when.hours is not None:
            start, end = _minute(when.hours.start), _minute(when.hours.end)
            over_midnight = end < start
            began_yesterday = over_midnight and minute < end
            inside = start <= minute < end if not over_midnight else minute >= start or began_yesterday
            weekday -= began_yesterday
        if when.weekdays and WEEKDAYS[weekday % 7] not in when.weekdays:
            return "wrong_weekday"
        if not inside:
            return "outside_hours"
    if when.date_from is not None or when.date_until is not None:
        today = local_day(scene.at, scene.zone)
        too_early = when.date_from is not None and today < _day(when.date_from)
        too_late = when.date_until is not None and today > _day(when.date_until)
        if too_early or too_late:
            return "outside_dates"
    return None


@lru_cache(maxsize=64)
def _wall_clock(at: Instant, zone_name: str) -> tuple[int, int]:
    """Weekday (Monday is 0) and minute of the day. Kept, because every rule of a decision asks for the same."""
    wall = local_datetime(at, zone_name)
    return wall.weekday(), wall.hour * 60 + wall.minute


@lru_cache(maxsize=1024)
def _day(text: Day) -> int:
    return day_of(text)


@lru_cache(maxsize=2048)
def _minute(text: TimeOfDay) -> int:
    return int(text[:2]) * 60 + int(text[3:])
