"""The answer of the content calendar."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.forecast.api import Figure
from shared.tenants.base import Answer

TriggerKind = Literal["once", "recurring", "event", "date", "api"]


class EntryAnswer(Answer):
    """A campaign on a day. ``audience``: who is in it; ``members``: who would get something of it on this day, caps and time apart."""

    campaign_id: str
    version: int
    trigger: TriggerKind
    at: str | None = Field(default=None, description="absent: at each member's own time")
    audience: Figure
    members: Figure


class DayAnswer(Answer):
    """A local day of the tenant."""

    date: str
    blackout: bool = False
    campaigns: tuple[EntryAnswer, ...] = ()


class RunningAnswer(Answer):
    """A campaign that waits for something to happen. ``per_day``: how often it would have begun in the last 28 days, rounded up."""

    campaign_id: str
    version: int
    trigger: TriggerKind
    audience: Figure
    per_day: int | None = Field(default=None, description="absent: unknown, reason says why")
    reason: str | None = None


class CollisionAnswer(Answer):
    """Two campaigns that come to the same members within ``collision_days``."""

    campaigns: tuple[str, str]
    members: Figure
    share_percent: list[int] = Field(description="of the audience of each of the two")
    first: str = Field(description="day on which they come closest")
    hours_apart: int = Field(description="on that day; rounded down")


class LossAnswer(Answer):
    """Messages of the range, and how many of them caps will not let through."""

    campaign_id: str
    planned: int
    lost: int
    lost_percent: int


class CalendarWarning(Answer):
    """Messages whose time is a bad one: they wait, or are dropped."""

    code: Literal["blackout", "quiet_hours"]
    campaign_id: str
    date: str
    messages: int


class CalendarAnswer(Answer):
    """What goes out when, estimated from the members that were looked at, as they are now. What lies behind is not shown."""

    first: str
    last: str
    time_zone: str
    as_of: str
    population: int
    looked_at: int
    source: Literal["snapshot", "table"] = Field(serialization_alias="from")
    days: tuple[DayAnswer, ...]
    running: tuple[RunningAnswer, ...] = ()
    collision_days: int = Field(description="the window of the tightest cap, one day without a cap")
    collisions: tuple[CollisionAnswer, ...] = ()
    losses: tuple[LossAnswer, ...] = ()
    warnings: tuple[CalendarWarning, ...] = ()
