"""The steps of a campaign. One occurrence for a member goes through them in list order; ``then`` and ``otherwise`` lead further down.

    {"id": "hello", "content": {...}, "ladder": {"channels": ["push", "sms"], "next_after_minutes": 120}}    (kind "send" may be left out)
    {"id": "landed", "text": "points_landed", "channel": "push"}                                        (a ready text of a service message)
    {"id": "day", "kind": "wait", "minutes": 1440}
    {"id": "used", "kind": "wait", "for": "coupon.redeemed", "timeout_minutes": 4320, "then": "thanks"}
    {"id": "is-gold", "kind": "branch", "if": {"segment": "gold"}, "then": "gold", "otherwise": "others"}
    {"id": "ab", "kind": "split", "variants": [{"id": "a", "percent": 50, "then": "short"}, {"id": "b", "percent": 50, "then": "long"}]}
    {"id": "gift", "kind": "issue", "offer": "free-fries", "points": {"points": 50, "expires_days": 30}}
    {"id": "mark", "kind": "tag", "add": ["welcomed"]}
    {"id": "play", "kind": "challenge", "challenge": "ten-in-a-week"}
    {"id": "crm", "kind": "webhook", "endpoint": "crm", "data": {"reason": "welcome"}}
    {"id": "done", "kind": "end"}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Discriminator, Field, StrictInt, StringConstraints, Tag, ValidationInfo, field_validator, model_validator

from shared.campaigns.texts import Texts, TextsByChannel
from shared.campaigns.triggers import EventName
from shared.coupons.next_best import NextBest
from shared.kernel.ids import NAME_PATTERN
from shared.messaging.service_texts import LANGUAGES, ServiceText, default_content
from shared.tenants.base import Frozen, Name
from shared.tenants.messaging import Channel, Day, LocalTime

FormField = Literal["birth_date", "first_name", "last_name", "gender", "language", "email", "phone", "postal_code", "city"]
FORM_FIELDS: Final[tuple[FormField, ...]] = (
    "birth_date", "first_name", "last_name", "gender", "language", "email", "phone", "postal_code", "city",
)  # fmt: skip
StepId = Annotated[str, Field(pattern=NAME_PATTERN)]
Minutes = Annotated[StrictInt, Field(ge=1, le=366 * 24 * 60)]
Percent = Annotated[StrictInt, Field(ge=1, le=99)]


class _Aliased(Frozen):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, populate_by_name=True, serialize_by_alias=True)


class Form(Frozen):
    """A form that the message links to: the profile fields asked for, and what one gets for them."""

    fields: tuple[FormField, ...] = Field(min_length=1, max_length=len(FORM_FIELDS))
    offer: Name | None = None

    @model_validator(mode="after")
    def _each_field_once(self) -> Self:
        if len(set(self.fields)) != len(self.fields):
            raise ValueError("a field is named twice")
        return self


class ChosenOffer(Frozen):
    """One of several offers, chosen for the member when the message is claimed. Who is held out, or has none to get, gets no message."""

    next_best: NextBest


class Deferral(Frozen):
    """What becomes of a message that may not go out now: it waits for its time, or is dropped; after ``max_hours`` it is dropped anyway."""

    quiet_hours: Literal["defer", "drop"] = "defer"
    cap: Literal["defer", "drop"] = "drop"
    blackout: Literal["defer", "drop"] = "defer"
    max_hours: StrictInt = Field(default=48, ge=1, le=168)


class Ladder(Frozen):
    """Over which channels: the first that leads to her, in this order or by price; the next one after so many minutes if the message was
    neither delivered nor opened; or all of them at once.
    """

    mode: Literal["fixed", "cheapest", "all"] = "fixed"
    channels: tuple[Channel, ...] = Field(min_length=1, max_length=5)
    next_after_minutes: Annotated[StrictInt, Field(ge=1, le=10_080)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.channels)) != len(self.channels):
            raise ValueError("a channel is named twice")
        if self.mode == "all" and self.next_after_minutes is not None:
            raise ValueError("all channels at once have no next one")
        if "webhook" in self.channels:
            raise ValueError("a webhook is a step of its own")
        return self


class SendStep(Frozen):
    """One message. ``offer``: a coupon of it is issued in the same write that claims the message."""

    kind: Literal["send"] = "send"
    id: StepId
    channel: Literal["push", "email", "sms", "inbox"] = Field(default="push", description="short for a ladder of one channel")
    ladder: Ladder | None = None
    text: ServiceText | None = Field(default=None, description="a ready text of a service message, instead of content")
    content: Texts = Field(default_factory=dict, validate_default=True)
    by_channel: TextsByChannel = Field(default_factory=dict)
    offer: Name | ChosenOffer | None = None
    form: Form | None = None
    deferral: Deferral | None = Field(default=None, description="instead of the campaign's")
    then: StepId | None = None

    @field_validator("content", mode="before")
    @classmethod
    def _ready_text(cls, value: Any, info: ValidationInfo) -> Any:
        """What is said without content of its own is said in all languages that there are.

        Of this field alone: a validator before the whole step would take the JSON from the other fields, where a strict list is no tuple.
        """
        name = info.data.get("text")
        return default_content(name, LANGUAGES) if name is not None and not value else value

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels that it may go over."""
        return self.ladder.channels if self.ladder is not None else (self.channel,)


class WaitStep(_Aliased):
    """Go on later: after ``minutes``; at the next ``until`` of her local day; on ``until_date`` (at ``until``, else when it begins); or
    when the event ``for`` happens to her, but not later than ``timeout_minutes``: then with ``otherwise``.
    """

    kind: Literal["wait"]
    id: StepId
    minutes: Minutes | None = None
    until: LocalTime | None = None
    until_date: Day | None = None
    for_: EventName | None = Field(default=None, alias="for")
    timeout_minutes: Minutes | None = None
    then: StepId | None = None
    otherwise: StepId | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        by_clock = self.until is not None or self.until_date is not None
        if (self.minutes is not None) + by_clock + (self.for_ is not None) != 1:
            raise ValueError("one of minutes, until (with or without until_date), until_date, for")
        if (self.for_ is None) != (self.timeout_minutes is None):
            raise ValueError("for and timeout_minutes go together")
        if self.for_ is None and self.otherwise is not None:
            raise ValueError("only a wait for an event has another outcome")
        return self


class Response(Frozen):
    """Whether an earlier message of this occurrence was answered: ``purchased`` means a purchase since it was claimed."""

    step: StepId
    of: Literal["sent", "delivered", "opened", "clicked", "redeemed", "submitted", "purchased"]


class Condition(Frozen):
    """One question about her, asked when she comes to the step. ``filter``: a rule of the language of segments."""

    segment: Name | None = None
    filter: dict[str, Any] | None = None
    response: Response | None = None

    @field_validator("filter")
    @classmethod
    def _a_rule(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        return value if value is None else checked_rule(value)

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if sum(each is not None for each in (self.segment, self.filter, self.response)) != 1:
            raise ValueError("one of segment, filter, response")
        return self


class BranchStep(_Aliased):
    """Go on with ``then`` if it is so, else with ``otherwise``; what is unknown is not so."""

    kind: Literal["branch"]
    id: StepId
    if_: Condition = Field(alias="if")
    then: StepId | None = None
    otherwise: StepId | None = None


class Variant(Frozen):
    """A part of the members, and where they go on."""

    id: StepId
    percent: Percent
    then: StepId | None = None


class SplitStep(Frozen):
    """A/B/n: members by chance, each always with the same variant."""

    kind: Literal["split"]
    id: StepId
    variants: tuple[Variant, ...] = Field(min_length=2, max_length=5)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if sum(each.percent for each in self.variants) != 100:
            raise ValueError("the percents sum up to 100")
        if len({each.id for each in self.variants}) != len(self.variants):
            raise ValueError("a variant is named twice")
        return self


class GivenPoints(Frozen):
    """Points that can be spent at once."""

    wallet: Name = "points"
    points: StrictInt = Field(ge=1, le=10**6)
    expires_days: StrictInt | None = Field(default=None, ge=1, le=3660, description="days of 24 hours; none: they do not expire")


class IssueStep(Frozen):
    """A coupon, points, or both, without a message."""

    kind: Literal["issue"]
    id: StepId
    offer: Name | ChosenOffer | None = None
    points: GivenPoints | None = None
    then: StepId | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.offer is None and self.points is None:
            raise ValueError("an offer, points, or both")
        return self


class TagStep(Frozen):
    """Tags of the member."""

    kind: Literal["tag"]
    id: StepId
    add: tuple[Name, ...] = Field(default=(), max_length=10)
    remove: tuple[Name, ...] = Field(default=(), max_length=10)
    then: StepId | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.add and not self.remove:
            raise ValueError("tags to add or to remove")
        if set(self.add) & set(self.remove):
            raise ValueError("a tag is either added or removed")
        return self


class ChallengeStep(Frozen):
    """She receives a challenge."""

    kind: Literal["challenge"]
    id: StepId
    challenge: Name
    then: StepId | None = None


class WebhookStep(Frozen):
    """Tells a system of the tenant (an endpoint of its settings): ids of the member, campaign, step and occurrence, and ``data``."""

    kind: Literal["webhook"]
    id: StepId
    endpoint: Name
    data: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,47}$")], Annotated[str, StringConstraints(max_length=200)]] = (
        Field(default_factory=dict, max_length=20)
    )
    then: StepId | None = None


class EndStep(Frozen):
    """Here it ends."""

    kind: Literal["end"]
    id: StepId


def _kind(raw: Any) -> str:
    found = raw.get("kind", "send") if isinstance(raw, Mapping) else getattr(raw, "kind", "send")
    return found if isinstance(found, str) else ""


Step = Annotated[
    Annotated[SendStep, Tag("send")]
    | Annotated[WaitStep, Tag("wait")]
    | Annotated[BranchStep, Tag("branch")]
    | Annotated[SplitStep, Tag("split")]
    | Annotated[IssueStep, Tag("issue")]
    | Annotated[TagStep, Tag("tag")]
    | Annotated[ChallengeStep, Tag("challenge")]
    | Annotated[WebhookStep, Tag("webhook")]
    | Annotated[EndStep, Tag("end")],
    Discriminator(
        _kind,
        custom_error_type="invalid_value",
        custom_error_message="kind is one of send, wait, branch, split, issue, tag, challenge, webhook, end",
    ),
]
Doing = SendStep | IssueStep | TagStep | ChallengeStep | WebhookStep
"""Steps that do something to her, each at most once per occurrence."""


Giving = IssueStep | ChallengeStep
Bringing = SendStep | Giving
"""Steps that bring her something: what a campaign's results are counted from."""


def targets(step: Step) -> dict[tuple[str | int, ...], str | None]:
    """Where a step may lead: place in the step -> id of another one; ``None`` is the next in the list."""
    if isinstance(step, EndStep):
        return {}
    if isinstance(step, SplitStep):
        return {("variants", index, "then"): each.then for index, each in enumerate(step.variants)}
    found: dict[tuple[str | int, ...], str | None] = {("then",): step.then}
    if isinstance(step, BranchStep) or (isinstance(step, WaitStep) and step.for_ is not None):
        found["otherwise",] = step.otherwise
    return found


def checked_rule(raw: dict[str, Any]) -> dict[str, Any]:
    """A rule of the language of segments, each leaf checked by itself (``shared.segments.parsing``); ``ValueError`` for anything else."""
    from shared.segments.parsing import rule_of

    try:
        rule_of(raw)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("not a rule of the language of segments") from error
    return raw
