"""A campaign: a trigger or an instant, an audience, and steps that are sent over channels. Its running state is beside it.

A welcome, sent to whoever registers, with a coupon; a tenth of the guests is held out to compare with::

    {"name": "Welcome", "message_class": "marketing",
     "trigger": {"kind": "event", "types": ["member.registered"]},
     "steps": [{"id": "gift", "offer": "welcome-coffee",
                "content": {"en": {"title": "Hello {{ member.first_name }}",
                                   "body": "{{ coupon.title }} is yours until {{ coupon.expires_on }}."},
                            "de": {"title": "Hallo {{ member.first_name }}", "body": "{{ coupon.title }} bis {{ coupon.expires_on }}."}}}],
     "holdout_percent": 10, "cap": {"max": 2, "days": 7}}

An invitation to fill a form, to everybody who enters a segment; and a mailing at an instant to all of a segment::

    {"name": "Birthday?", "trigger": {"kind": "event", "types": ["segment.entered"], "segment": "no-birthday"},
     "steps": [{"id": "ask", "form": {"fields": ["birth_date"], "offer": "birthday-cake"},
                "content": {"en": {"title": "When is your birthday?", "body": "Tell us: {{ link }}"}}}]}
    {"name": "Summer", "trigger": {"kind": "once", "at": "2026-06-01T09:00:00Z"}, "audience": {"segment": "regulars"}, "steps": [...]}
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, StrictInt, StringConstraints, model_validator

from shared.coupons.next_best import NextBest
from shared.kernel.ids import NAME_PATTERN
from shared.kernel.instants import HOUR, Instant, parse_rfc3339
from shared.tenants.model import Frozen, Label, Language, Name

Channel = Literal["push"]
"""Inbox, e-mail, SMS, wallet cards and bots come with their adapters."""
CHANNELS: Final[tuple[Channel, ...]] = ("push",)
MessageClass = Literal["service", "marketing"]
FormField = Literal["birth_date", "first_name", "last_name", "gender", "language", "email", "phone", "postal_code", "city"]
FORM_FIELDS: Final[tuple[FormField, ...]] = (
    "birth_date", "first_name", "last_name", "gender", "language", "email", "phone", "postal_code", "city",
)  # fmt: skip
EVENT_TYPES: Final = frozenset(
    {"member.registered", "transaction.recorded", "segment.entered", "segment.left", "tier.changed", "coupon.redeemed", "form.submitted"}
)
"""What may trigger a campaign. What a campaign itself causes (message.*, coupon.issued) may not: that would be a loop."""
MAX_STEPS: Final = 10


def _instant(value: str) -> str:
    parse_rfc3339(value)
    return value


class EventTrigger(Frozen):
    """Whenever one of these events happens to a member; ``segment`` narrows segment.entered and segment.left to one segment."""

    kind: Literal["event"] = "event"
    types: tuple[str, ...] = Field(min_length=1, max_length=10)
    segment: Name | None = None
    on_definition_change: bool = Field(
        default=False, description="also for who enters or leaves because the segment's definition changed, not because of what she did"
    )

    @model_validator(mode="after")
    def _consistent(self) -> EventTrigger:
        unknown = sorted(set(self.types) - EVENT_TYPES)
        if unknown:
            raise ValueError(f"expected types of {', '.join(sorted(EVENT_TYPES))}")
        about_segments = {"segment.entered", "segment.left"}
        if self.segment is not None and not set(self.types) <= about_segments:
            raise ValueError("segment narrows segment.entered and segment.left only")
        return self


class OnceTrigger(Frozen):
    """To everybody of the audience, once: at an instant (RFC 3339), or when it is launched."""

    kind: Literal["once"] = "once"
    at: Annotated[str, StringConstraints(max_length=40), AfterValidator(_instant)] | None = None

    @property
    def instant(self) -> Instant | None:
        """The instant, if one is set."""
        return None if self.at is None else parse_rfc3339(self.at)


Trigger = Annotated[EventTrigger | OnceTrigger, Field(discriminator="kind")]


class Audience(Frozen):
    """Who may get it: members of the segment at the moment of sending, or everybody."""

    segment: Name | None = None


class Content(Frozen):
    """What the guest reads in one language: text with ``{{ variables }}``. ``shared.messaging.rendering`` lists them."""

    title: str = Field(min_length=1, max_length=120)
    body: str = Field(min_length=1, max_length=1000)
    deep_link: str | None = Field(default=None, max_length=300, description="where a tap leads; a form's own link goes before it")


class Form(Frozen):
    """A form that the message links to: the profile fields asked for, and what one gets for them."""

    fields: tuple[FormField, ...] = Field(min_length=1, max_length=len(FORM_FIELDS))
    offer: Name | None = None

    @model_validator(mode="after")
    def _each_field_once(self) -> Form:
        if len(set(self.fields)) != len(self.fields):
            raise ValueError("a field is named twice")
        return self


class ChosenOffer(Frozen):
    """One of several offers, chosen for the member when the message is claimed. Who is held out, or has none to get, gets no message."""

    next_best: NextBest


class Step(Frozen):
    """One message. ``offer``: a coupon of it is issued in the same write that claims the message."""

    id: Annotated[str, Field(pattern=NAME_PATTERN)]
    channel: Channel = "push"
    content: dict[Language, Content] = Field(min_length=1, max_length=20)
    offer: Name | ChosenOffer | None = None
    form: Form | None = None


class Cap(Frozen):
    """At most ``max`` messages, of all campaigns together, in the ``days`` rolling days of 24 hours up to this one, itself included."""

    max: StrictInt = Field(ge=1, le=50)
    days: StrictInt = Field(ge=1, le=90)


class CampaignBody(Frozen):
    """One version of a campaign. Steps of one occurrence are sent in order."""

    name: Label
    message_class: MessageClass = "marketing"
    purpose: Annotated[str, Field(pattern=NAME_PATTERN)] = Field(
        default="marketing", description="the consent that a marketing message needs, with the step's channel"
    )
    trigger: Trigger
    audience: Audience = Audience()
    steps: tuple[Step, ...] = Field(min_length=1, max_length=MAX_STEPS)
    holdout_percent: StrictInt = Field(default=0, ge=0, le=50, description="share that gets nothing, to compare with; always the same")
    cap: Cap | None = None
    max_event_age_hours: StrictInt = Field(default=6, ge=1, le=168, description="an event older than this triggers nothing")

    @model_validator(mode="after")
    def _each_step_once(self) -> CampaignBody:
        if len({step.id for step in self.steps}) != len(self.steps):
            raise ValueError("two steps have the same id")
        return self

    @property
    def max_event_age(self) -> int:
        """Milliseconds."""
        return self.max_event_age_hours * HOUR

    def step(self, id_: str) -> Step | None:
        """A step by its id."""
        return next((step for step in self.steps if step.id == id_), None)


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


DeliveryState = Literal["claimed", "waiting", "sent", "failed", "unknown", "held_out"]
"""``claimed``: she is to get it, and it may be on its way. ``waiting``: the provider was too busy to take it, so nothing went out.
``unknown``: whoever claimed it died on the way; it is never sent again. ``held_out``: the record that she got nothing."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one member, or the record that she was held out. ``occurrence`` is what it was sent for."""

    campaign: str
    campaign_version: int
    step: str
    occurrence: str
    member: str
    channel: Channel
    state: DeliveryState
    claimed_at: Instant
    coupon: str | None = None
    reason: str | None = None
    settled_at: Instant | None = None
