"""Bodies of the routes about profiles, profiling and static lists. Null fields of answers are left out."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, StrictBool, model_validator

from shared.members.api import TierAnswer
from shared.tenants.base import Answer
from shared.tenants.model import Frozen

MAX_ON_LIST: Final = 500
MemberId = Annotated[str, Field(min_length=1, max_length=64)]


class ProfilingRequest(Frozen):
    """Her answer: ``false`` is an objection to profiling."""

    allowed: StrictBool


class ProfilingAnswer(Answer):
    """What holds from now on."""

    member_id: str
    allowed: bool


class ListMembersRequest(Frozen):
    """Who comes on a static list and who leaves it, by member ids; at most 500 together. Each is checked by itself."""

    add: tuple[MemberId, ...] = Field(default=(), max_length=MAX_ON_LIST)
    remove: tuple[MemberId, ...] = Field(default=(), max_length=MAX_ON_LIST)

    @model_validator(mode="after")
    def _each_once(self) -> ListMembersRequest:
        together = (*self.add, *self.remove)
        if not 1 <= len(together) <= MAX_ON_LIST:
            raise ValueError(f"1 to {MAX_ON_LIST} members together")
        if len(set(together)) != len(together):
            raise ValueError("a member is named twice")
        return self


class TotalsAnswer(Answer):
    """Purchases, value (minor units), quantity of items (thousandths), and visits: local days with a purchase."""

    count: int
    value: int
    average_basket: int | None = None
    quantity: int
    visits: int


class WindowAnswer(TotalsAnswer):
    """Of so many whole local days of the tenant's time zone, today included."""

    days: int


class NamedAnswer(TotalsAnswer):
    """Of one name; ``~``: names that were summed together, since there were too many."""

    name: str


class BreakdownAnswer(Answer):
    """The window of ``days`` by name, most purchases first, at most 20 names each."""

    days: int
    category: tuple[NamedAnswer, ...]
    tag: tuple[NamedAnswer, ...]
    item: tuple[NamedAnswer, ...]
    location: tuple[NamedAnswer, ...]
    channel: tuple[NamedAnswer, ...]
    weekday: tuple[NamedAnswer, ...]
    hour: tuple[NamedAnswer, ...]


class Favourites(Answer):
    """Who leads by purchases, then value, in 365 days; absent where nothing was bought or several tie. Then ``tied`` names them."""

    location: str | None = None
    category: str | None = None
    channel: str | None = None
    tag: str | None = None
    item: str | None = None
    weekday: str | None = None
    hour: str | None = None
    tied: dict[str, tuple[str, ...]] | None = None


class TagAnswer(Answer):
    """What of the value of ``tag_days`` had a tag; ``strength_percent`` weighs a purchase half for each half-life of age."""

    tag: str
    purchases: int
    value: int
    share_percent: int
    strength_percent: int
    prefers: bool


class RfmAnswer(Answer):
    """Her fifth among the tenant's guests, 5 the best."""

    recency: int
    frequency: int
    monetary: int


class HabitsAnswer(Answer):
    """What is concluded from her purchases. Absent for who objected to profiling."""

    usual_interval_days_e1: int | None = Field(default=None, description="tenths of a day between visits; with three visits and more")
    lifecycle: Literal["active", "sleeping", "lost"] | None = None
    lifecycle_until: str | None = Field(default=None, description="when time alone changes it; absent: never")
    rfm: RfmAnswer | None = None
    favourites: Favourites
    complements: tuple[str, ...] = Field(default=(), description="items that are often bought together with her favourite item, best first")
    tags: tuple[TagAnswer, ...]


class ResponsesAnswer(Answer):
    """Of the newest 60 messages claimed for her."""

    received: int
    opened: int
    clicked: int
    redeemed: int
    held_out: int


class EventAnswer(Answer):
    """A declared custom event, over her whole membership."""

    event: str
    count: int
    first_at: str
    last_at: str


class ProfileAnswer(Answer):
    """What her purchases, responses and events say. Of who objected to profiling the figures, without conclusions."""

    member_id: str
    currency: str
    profiling_allowed: bool
    windows: tuple[WindowAnswer, ...]
    by: BreakdownAnswer
    purchases: int
    value: int
    first_purchase_at: str | None = None
    last_purchase_at: str | None = None
    last_location: str | None = None
    last_channel: str | None = None
    source: str
    habits: HabitsAnswer | None = None
    responses: ResponsesAnswer
    events: tuple[EventAnswer, ...]
    tier: TierAnswer
    segments: int
