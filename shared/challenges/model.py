"""A challenge: a goal, the window in which it counts, and what reaching it gives.

Spend 10 dollars within 7 days of receiving it, both ends included, for 2 points; and every tenth coffee free, for everybody::

    {"name": "Ten in a week", "goal": {"of": "spend", "threshold": 1000}, "window": {"days": 7}, "reward": {"points": 2}}
    {"name": "Coffee card", "goal": {"of": "items", "on": {"categories": ["coffee"]}, "threshold": 10, "roll_over": true},
     "automatic": true, "reward": {"offer": "free-coffee"}}

Four weeks in a row with two visits each::

    {"name": "Four weeks", "goal": {"of": "streak", "per": "week", "periods": 4, "at_least": 2}, "automatic": true,
     "reward": {"points": 50}}
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, StrictInt, StringConstraints, model_validator

from shared.kernel.instants import Instant, parse_rfc3339
from shared.programmes.conditions import ALWAYS, When
from shared.programmes.selectors import Selector
from shared.tenants.content import Contents, SortOrder
from shared.tenants.model import Frozen, Label, Name

Period = Literal["day", "week", "month"]
MAX_STREAK: Final = 60
"""Periods of the longest streak."""
UNLIMITED: Final = 1_000_000
"""Completions of an instance that may be reached any number of times."""


def _instant(value: str) -> str:
    parse_rfc3339(value)
    return value


Timestamp = Annotated[str, StringConstraints(max_length=40), AfterValidator(_instant)]


class CountGoal(Frozen):
    """So much of something: spent (minor units after discounts), items (whole; parts of a unit add up), visits, or purchases.

    ``cumulative`` adds purchases up, ``single_purchase`` asks for one that meets the threshold by itself. ``roll_over``: what is over
    counts towards the next time, and one purchase may fill several cards.
    """

    of: Literal["spend", "items", "visits", "purchases"]
    on: Selector = Field(default=Selector(), description="the lines that count; of purchases: those that have such a line")
    threshold: StrictInt = Field(ge=1, le=10**12)
    compare: Literal[">=", ">"] = ">="
    counted: Literal["cumulative", "single_purchase"] = "cumulative"
    roll_over: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> CountGoal:
        if self.of == "visits" and not self.on.everything:
            raise ValueError("visits are of no line; count purchases instead")
        if self.counted == "single_purchase" and (self.roll_over or self.of in ("visits", "purchases")):
            raise ValueError("a single purchase is counted by its spend or items, and leaves nothing over")
        return self


class StreakGoal(Frozen):
    """So many days, weeks (from Monday) or months in a row, on the tenant's calendar, with at least so many visits or purchases each."""

    of: Literal["streak"]
    per: Period = "week"
    periods: StrictInt = Field(ge=2, le=MAX_STREAK)
    at_least: StrictInt = Field(default=1, ge=1, le=100)
    what: Literal["visits", "purchases"] = "visits"
    on: Selector = Field(default=Selector(), description="purchases only: those that have such a line")

    @model_validator(mode="after")
    def _consistent(self) -> StreakGoal:
        if self.what == "visits" and not self.on.everything:
            raise ValueError("visits are of no line; count purchases instead")
        return self


Goal = Annotated[CountGoal | StreakGoal, Field(discriminator="of")]


class Window(Frozen):
    """When purchases count: for so long from the receipt (a day is 24 hours), between two instants, in each calendar period anew
    (automatic challenges), or without an end. The start is always included.
    """

    days: StrictInt | None = Field(default=None, ge=1, le=3650)
    hours: StrictInt | None = Field(default=None, ge=1, le=87_600)
    starts_at: Timestamp | None = None
    ends_at: Timestamp | None = None
    end: Literal["inclusive", "exclusive"] = Field(default="inclusive", description="whether the last instant counts")
    every: Period | None = Field(default=None, description="automatic challenges: begins anew each period of the tenant's calendar")

    @model_validator(mode="after")
    def _one_kind(self) -> Window:
        fixed = self.starts_at is not None or self.ends_at is not None
        if sum((self.days is not None, self.hours is not None, fixed, self.every is not None)) > 1:
            raise ValueError("give one of days, hours, starts_at and ends_at, every")
        if self.starts_at is not None and self.ends_at is not None and parse_rfc3339(self.starts_at) >= parse_rfc3339(self.ends_at):
            raise ValueError("ends_at must be after starts_at")
        return self


class Reward(Frozen):
    """What one completion gives. Points mature and expire as those of the wallet's first programme; without one they last."""

    points: StrictInt | None = Field(default=None, ge=1, le=10**9)
    wallet: Name = "points"
    offer: Name | None = Field(default=None, description="a coupon of it, if she may have one more")
    badge: Name | None = Field(default=None, description="named in challenge.completed and in the member's list")

    @model_validator(mode="after")
    def _something(self) -> Reward:
        if self.points is None and self.offer is None and self.badge is None:
            raise ValueError("give points, an offer or a badge")
        return self


class ChallengeBody(Frozen):
    """One version of a challenge. Whoever has received it goes on with the version that she received."""

    name: Label
    content: Contents = Field(default_factory=dict)
    sort_order: SortOrder = 0
    goal: Goal
    window: Window = Window()
    automatic: bool = Field(default=False, description="every member has it, without being given it: from joining or publishing on")
    when: When = Field(default=ALWAYS, description="the purchases that count: of whom, where and when")
    reward: Reward
    repeat: StrictInt | None = Field(
        default=None, ge=1, le=10_000, description="times that one receipt may be completed; none: once, with roll_over any number"
    )

    @model_validator(mode="after")
    def _consistent(self) -> ChallengeBody:
        if self.window.every is not None and not self.automatic:
            raise ValueError("window.every is for automatic challenges")
        if self.window.every is not None and self.goal.of == "streak":
            raise ValueError("a streak has its own periods")
        return self

    @property
    def times(self) -> int:
        """How often one instance may be completed."""
        if self.repeat is not None:
            return self.repeat
        return UNLIMITED if isinstance(self.goal, CountGoal) and self.goal.roll_over else 1

    @property
    def counts_visits(self) -> bool:
        """Whether visits must be told apart from receipts."""
        return self.goal.of == "visits" or (isinstance(self.goal, StreakGoal) and self.goal.what == "visits")


@dataclass(frozen=True, slots=True)
class Challenge:
    """A version of a challenge; ``since`` is when its first version came into force."""

    id: str
    version: int
    body: ChallengeBody
    since: Instant = 0

    @property
    def key(self) -> str:
        """How a purchase's counts name it."""
        return f"{self.id}@{self.version}"


Counts = tuple[tuple[str, int, int], ...]
"""(``Challenge.key``, spend in minor units, items in thousandths) of what a purchase, or its return, adds or takes."""


@dataclass(slots=True)
class Part:
    """What one purchase counts for an instance. ``amount``: minor units, visits, or thousandths of items (purchases: any or none)."""

    transaction: str
    """A short fingerprint of its id (``rules.short``)."""
    at: Instant
    amount: int


@dataclass(slots=True)
class Base:
    """What parts come to: the progress (streaks: periods in a row) and the completions. As a base: of those that were forgotten."""

    done: int = 0
    times: int = 0
    last: int = 0
    """Streaks: the number of the last period that was kept."""
    period: int = 0
    """Streaks: the number of the newest period, and what was counted in it."""
    count: int = 0


@dataclass(slots=True)
class Given:
    """What one purchase gave by completing so many times: for each ``points``, as booked, and in all these coupons."""

    wallet: str
    points: int
    times: int
    available_at: Instant
    expires_at: Instant
    awaits: str = ""
    coupons: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Instance:
    """A challenge that a member has: one receipt of it, or one period of an automatic one."""

    id: str
    challenge: str
    version: int
    start: Instant
    until: Instant
    """The first instant that does not count; ``NEVER`` without an end."""
    base: Base = field(default_factory=Base)
    parts: list[Part] = field(default_factory=list)
    times: int = 0
    """Completions that stand."""
    given: list[Given] = field(default_factory=list)
    """What the newest of them gave, newest last."""
    completed_at: Instant = 0
    ended: bool = False
    """Its end has been settled."""
    broken: int = 0
    """Streaks: the last good period before the break that was told last."""

    @property
    def key(self) -> str:
        """The key of its version."""
        return f"{self.challenge}@{self.version}"
