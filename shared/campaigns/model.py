"""A campaign: what triggers it, an audience, and steps. Its running state is beside it. docs/campaigns.md has an example of everything.

A welcome, sent to whoever registers, with a coupon; a tenth of the guests is held out to compare with::

    {"name": "Welcome", "message_class": "marketing",
     "trigger": {"kind": "event", "types": ["member.registered"]},
     "steps": [{"id": "gift", "offer": "welcome-coffee",
                "content": {"en": {"title": "Hello {{ member.first_name }}",
                                   "body": "{{ coupon.title }} is yours until {{ coupon.expires_on }}."},
                            "de": {"title": "Hallo {{ member.first_name }}", "body": "{{ coupon.title }} bis {{ coupon.expires_on }}."}}}],
     "holdout_percent": 10, "cap": {"max": 2, "days": 7}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, StrictInt, StringConstraints, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from shared.campaigns.steps import (
    FORM_FIELDS,
    BranchStep,
    ChallengeStep,
    ChosenOffer,
    Condition,
    Deferral,
    EndStep,
    Form,
    FormField,
    IssueStep,
    Ladder,
    SendStep,
    SplitStep,
    Step,
    TagStep,
    WaitStep,
    WebhookStep,
    checked_rule,
    targets,
)
from shared.campaigns.texts import Content
from shared.campaigns.triggers import ApiTrigger, DateTrigger, EventTrigger, OnceTrigger, RecurringTrigger, Trigger
from shared.kernel.ids import NAME_PATTERN
from shared.kernel.instants import HOUR, Instant
from shared.member_state.model import GIFT
from shared.tenants.base import Frozen, Label, Name
from shared.tenants.messaging import CHANNELS, Channel

__all__ = [
    "CHANNELS",
    "FORM_FIELDS",
    "ApiTrigger",
    "BranchStep",
    "ChallengeStep",
    "Channel",
    "ChosenOffer",
    "Condition",
    "Content",
    "DateTrigger",
    "Deferral",
    "EndStep",
    "EventTrigger",
    "Form",
    "FormField",
    "IssueStep",
    "Ladder",
    "OnceTrigger",
    "RecurringTrigger",
    "SendStep",
    "SplitStep",
    "Step",
    "TagStep",
    "Trigger",
    "WaitStep",
    "WebhookStep",
]  # fmt: skip
MessageClass = Literal["service", "marketing"]
MAX_STEPS: Final = 30
ACTION: Final = GIFT
"""The channel in the key of what is done without a message."""


class Audience(Frozen):
    """Who may get it, asked when a message is claimed: members of the segment, and for whom the rule ``filter`` of the language of segments
    is true. Neither: everybody.
    """

    segment: Name | None = None
    filter: dict[str, Any] | None = None

    @field_validator("filter")
    @classmethod
    def _a_rule(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        return value if value is None else checked_rule(value)


class Cap(Frozen):
    """At most ``max`` messages, of all campaigns together, in the ``days`` rolling days of 24 hours up to this one, itself included."""

    max: StrictInt = Field(ge=1, le=50)
    days: StrictInt = Field(ge=1, le=90)


class Reentry(Frozen):
    """Whether she may go through it again, by another occurrence: always; once in her life; ``days`` after it last began for her; or
    not while another occurrence still waits for something.
    """

    mode: Literal["always", "once", "after", "not_while_waiting"] = "always"
    days: StrictInt | None = Field(default=None, ge=1, le=3660)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.mode == "after") != (self.days is not None):
            raise ValueError("days goes with after")
        return self


class Goal(Frozen):
    """What the campaign is for: it counts in the ``days`` after a message."""

    of: Annotated[str, StringConstraints(pattern=r"^(purchase|coupon_redeemed|form_submitted|event\.[a-z][a-z0-9_]{0,30})$")] = "purchase"
    days: StrictInt = Field(default=7, ge=1, le=30)


class Budget(Frozen):
    """What it may cost: messages and discounts together, minor units."""

    amount: StrictInt = Field(ge=1, le=10**12)


class CampaignBody(Frozen):
    """One version of a campaign. Steps of one occurrence follow one another."""

    name: Label
    message_class: MessageClass = "marketing"
    purpose: Annotated[str, Field(pattern=NAME_PATTERN)] = Field(
        default="marketing", description="the consent that a marketing message needs, with its channel; a service message needs none"
    )
    trigger: Trigger
    audience: Audience = Audience()
    reentry: Reentry = Reentry()
    steps: tuple[Step, ...] = Field(min_length=1, max_length=MAX_STEPS)
    goal: Goal = Goal()
    budget: Budget | None = None
    holdout_percent: StrictInt = Field(default=0, ge=0, le=50, description="share that gets nothing, to compare with; always the same")
    priority: StrictInt = Field(default=50, ge=0, le=100, description="who goes first where a cap has room for one")
    cap: Cap | None = None
    deferral: Deferral = Deferral()
    max_event_age_hours: StrictInt = Field(default=6, ge=1, le=168, description="an event older than this triggers nothing")
    per_second: StrictInt | None = Field(default=None, ge=1, le=1000, description="messages a second at most")

    @model_validator(mode="after")
    def _steps_fit(self) -> Self:
        problems = [*_wrong_steps(self.steps), *_unreachable(self.steps)]
        if problems:
            details = [
                InitErrorDetails(type=PydanticCustomError(code, hint), loc=("steps", *where), input=None) for where, code, hint in problems
            ]
            raise ValidationError.from_exception_data("CampaignBody", details)
        return self

    @property
    def max_event_age(self) -> int:
        """Milliseconds."""
        return self.max_event_age_hours * HOUR

    def step(self, id_: str) -> Step | None:
        """A step by its id."""
        return next((step for step in self.steps if step.id == id_), None)

    def message(self, id_: str) -> SendStep | None:
        """A step that sends, by its id."""
        step = self.step(id_)
        return step if isinstance(step, SendStep) else None

    def following(self, step: Step, target: str | None) -> Step | None:
        """The step with the id ``target``; without one the next in the list. ``None``: the end."""
        if target is not None:
            return self.step(target)
        rest = self.steps[self.steps.index(step) + 1 :]
        return rest[0] if rest else None


Wrong = tuple[tuple[str | int, ...], Any, Any]
"""Place below ``steps``, code, hint."""


def _wrong_steps(steps: tuple[Step, ...]) -> list[Wrong]:
    """Ids that are there twice, and jumps and questions that do not lead to a step of their side."""
    places: dict[str, int] = {}
    problems: list[Wrong] = []
    for index, step in enumerate(steps):
        if step.id in places:
            problems.append(((index, "id"), "duplicate_step", "two steps have the same id"))
        places.setdefault(step.id, index)
    for index, step in enumerate(steps):
        for where, target in targets(step).items():
            if target is not None and places.get(target, -1) <= index:
                problems.append(((index, *where), "unknown_step", "names no step further down"))
        asked = step.if_.response if isinstance(step, BranchStep) else None
        if asked is not None:
            place = places.get(asked.step, index)
            if place >= index or not isinstance(steps[place], SendStep):
                problems.append(((index, "if", "response", "step"), "unknown_step", "names no message further up"))
    return problems


def _unreachable(steps: tuple[Step, ...]) -> list[Wrong]:
    """Steps that no way leads to."""
    places = {step.id: index for index, step in enumerate(steps)}
    reached = {0}
    for index, step in enumerate(steps):
        if index in reached:
            reached.update(index + 1 if target is None else places.get(target, index) for target in targets(step).values())
    return [((index,), "unreachable_step", "no way leads to this step") for index in range(len(steps)) if index not in reached]


CampaignState = Literal["draft", "scheduled", "sending", "active", "paused", "completed", "cancelled"]
SENDABLE: Final[frozenset[CampaignState]] = frozenset({"sending", "active", "completed"})
"""States in which messages go out. ``completed``: the whole audience is handed over, and the last of it may be on its way."""


@dataclass(frozen=True, slots=True)
class Run:
    """A campaign's running state. ``revision`` grows with every change; ``launched_at`` names the occurrence of a ``once`` campaign."""

    campaign: str
    state: CampaignState = "draft"
    version: int = 0
    """The definition's version at launch."""
    revision: int = 1
    created_at: Instant = 0
    scheduled_for: Instant | None = None
    launched_at: Instant | None = None
    ended_at: Instant | None = None
    next_at: Instant | None = None
    """Recurring: when the walk of the next occurrence begins; ``None``: there is none any more."""
    alerted: int | None = None
    """The budget of which it was told that it is used up but for a fifth, minor units."""


DeliveryState = Literal["claimed", "waiting", "sent", "failed", "unknown", "held_out", "suppressed", "deferred", "given", "done"]
"""``claimed``: she is to get it, and it may be on its way. ``waiting``: the provider was too busy to take it, so nothing went out.
``unknown``: whoever claimed it died on the way; it is never sent again. ``held_out``: the record that she got nothing. ``suppressed``: that
it was not hers to get, and why. ``deferred``: that the message of a step waited for its time, ``given``: that a coupon, points or a
challenge was given to her without a message, ``done``: that something else was done to her, or begun (all three on channel ``-``).
"""


@dataclass(frozen=True, slots=True)
class Credit:
    """What a delivery is given credit for: a purchase of so many minor units, or a form; ``hard``: proven by a coupon or the form."""

    hard: bool
    value: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one member, or the record that she was held out, or that another step was done. ``occurrence`` is what it was for."""

    campaign: str
    campaign_version: int
    step: str
    occurrence: str
    member: str
    channel: str
    """One of ``CHANNELS``, or ``ACTION``."""
    state: DeliveryState
    claimed_at: Instant
    coupon: str | None = None
    reason: str | None = None
    settled_at: Instant | None = None
    variant: str | None = None
    """Of the last split before it."""
    language: str | None = None
    rung: int = 0
    """Of the step's ladder."""
    data: bytes | None = None
    """Sealed with her key: what a call gave, on the row of the occurrence's beginning; of a message the links that it leads to."""
    seq: int = 1
    """Grows with every change of the row."""
    exposure: bool = False
    """The first message or gift of an occurrence, or the record that she was held out of it: where conversions count."""
    was_deferred: bool = False
    cost_e6: int = 0
    """Of the message by the tenant's prices, millionths of a minor unit."""
    discount: int = 0
    """What its coupon took off, minor units."""
    responses: Mapping[str, Instant] = field(default_factory=dict)
    """What came back, and when first: delivered, bounced, complained, opened, clicked, submitted, redeemed, unsubscribed."""
    converted_by: str | None = None
    """The transaction or event that reached the goal."""
    credited: Mapping[str, int] = field(default_factory=dict)
    """Transaction -> what it was worth, of all in the days after an exposure."""
    attributed: Mapping[str, Credit] = field(default_factory=dict)
    """Transaction or event -> the credit that this delivery alone has for it."""
    seen: tuple[str, ...] = ()
    """Events counted that could count twice."""

    @property
    def responded(self) -> frozenset[str]:
        """What came back."""
        return frozenset(self.responses)

    @property
    def revenue(self) -> int:
        """What she bought in the days after an exposure, minor units."""
        return sum(self.credited.values())
