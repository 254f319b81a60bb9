"""Leaves about custom events and about what became of campaigns' messages."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictInt

from shared.profile.model import KEPT_DAYS
from shared.segments.language.base import Amount, Comparison, DayMeaning, Days, Key, Leaf, Name, NoZone, Since


class Event(Leaf):
    """How often a declared custom event happened in a window of whole local days, or the sum of its declared value.

    ``by`` asks for one value of its declared property. What is summed under "others" may have been of that value: the answer is unknown
    while that could decide.
    """

    behavioural: ClassVar[bool] = True
    kind: Literal["event"]
    event: Key
    metric: Literal["count", "value"] = "count"
    by: Name | None = None
    days: Days
    op: Comparison
    value: Amount
    time_zone: NoZone = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The key in a cell."""
        return (f"e:{self.event}" if self.by is None else f"e:{self.event}:{self.by}",)

    @property
    def is_certain(self) -> bool:
        # The value of a property may be below zero, but a sum is known all the same.
        return self.by is None

    @property
    def meaning_of_day(self) -> DayMeaning:
        return "calendar"


class SinceLastEvent(Since):
    """How long ago a declared custom event happened last. Unknown where it never did."""

    behavioural: ClassVar[bool] = True
    kind: Literal["since_last_event"]
    event: Key


class CampaignResponse(Leaf):
    """Whether she received a message of the campaign, opened or clicked it, redeemed a coupon that it gave, or was held out of it.

    Of the newest 60 messages of all campaigns. ``within_days``: at most so many days of 24 hours ago. Never unknown.
    """

    behavioural: ClassVar[bool] = True
    kind: Literal["campaign"]
    campaign: Key
    response: Literal["received", "opened", "clicked", "redeemed", "held_out"]
    within_days: Annotated[StrictInt, Field(ge=1, le=KEPT_DAYS, description="days of 24 hours")] | None = None

    @property
    def is_certain(self) -> bool:
        return True

    @property
    def meaning_of_day(self) -> DayMeaning | None:
        return "rolling" if self.within_days is not None else None
