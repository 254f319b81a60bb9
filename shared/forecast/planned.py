"""Which messages a member would be due in a range of time: of campaigns at an instant, by a calendar rule, or by a date of hers. Pure.

Followed is what is sure: from the first step on through splits and waits of so many minutes, up to a branch or a wait for an event.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from shared.campaigns.eligibility import CapRule
from shared.campaigns.model import CampaignBody, DateTrigger, OnceTrigger, RecurringTrigger
from shared.campaigns.policies import policy_of
from shared.campaigns.recurring import FIRST_ON_EARTH, Firing, first_after, her_turn
from shared.campaigns.rules import variant_of
from shared.campaigns.steps import BranchStep, EndStep, SendStep, SplitStep, Step, WaitStep
from shared.forecast.flow import ahead
from shared.forecast.reach import Fate, Person, fates
from shared.kernel.instants import DAY, MINUTE, Instant
from shared.tenants.messaging import Channel
from shared.tenants.model import TenantSettings


@dataclass(frozen=True, slots=True)
class Listed:
    """A campaign of the calendar. ``starts_at``: when a mailing without an instant of its own goes out."""

    id: str
    version: int
    body: CampaignBody
    starts_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """The instants from ``since`` up to, but without, ``until``."""

    since: Instant
    until: Instant

    def __contains__(self, at: object) -> bool:
        return isinstance(at, int) and self.since <= at < self.until


@dataclass(frozen=True, slots=True, order=True)
class Planned:
    """One message to one member. It sorts by time; at one instant the higher priority goes first."""

    at: Instant
    negative_priority: int
    campaign: str
    step: str
    channel: Channel
    caps: tuple[CapRule, ...] = field(default=(), compare=False)
    counts: bool = field(default=True, compare=False)
    """Whether caps count it: of service messages they do not."""


def occasions(campaign: Listed, settings: TenantSettings, span: Range) -> list[Firing]:
    """When it goes out to everybody: of a mailing its instant, of what recurs each time whose walk or turns may lie in the range."""
    trigger = campaign.body.trigger
    if isinstance(trigger, OnceTrigger):
        at = trigger.instant if trigger.instant is not None else campaign.starts_at
        return [Firing("", at)] if at is not None and at in span else []
    if not isinstance(trigger, RecurringTrigger):
        return []
    found: list[Firing] = []
    at = span.since - FIRST_ON_EARTH - DAY
    while True:
        firing = first_after(trigger, settings.time_zone, at)
        if firing is None or firing.at >= span.until:
            return found
        found.append(firing)
        at = firing.at


def planned_for(
    campaign: Listed, firings: list[Firing], person: Person, settings: TenantSettings, span: Range, now: Instant
) -> list[Planned]:
    """The messages of a campaign that she would be due, whatever caps and the time of day say. Of who is held out or not reached: none."""
    starts = list(_starts(campaign, firings, person, settings, span))
    if not starts:
        return []
    found: list[Planned] = []
    counts = campaign.body.message_class == "marketing"
    for offset, step in sure_messages(campaign.body, campaign.id, person.state.member):
        caps = policy_of(campaign.body, step, settings).caps
        for fate in _reached(campaign, step, person, settings, now):
            if fate.channel is not None:
                found += [
                    Planned(at + offset, -campaign.body.priority, campaign.id, step.id, fate.channel, caps, counts)
                    for at in starts
                    if at + offset in span
                ]
    return found


def _starts(campaign: Listed, firings: list[Firing], person: Person, settings: TenantSettings, span: Range) -> Iterator[Instant]:
    trigger = campaign.body.trigger
    if isinstance(trigger, DateTrigger):
        yield from ahead(campaign.id, trigger, person, settings, span.since - 1, span.until - 1)
    elif isinstance(trigger, RecurringTrigger) and trigger.in_ == "member":
        turns = (her_turn(each.wall, person.state.zone or settings.time_zone) for each in firings)
        yield from (at for at in turns if at in span)
    else:
        yield from (each.at for each in firings if each.at in span)


def sure_messages(body: CampaignBody, campaign: str, member: str) -> list[tuple[int, SendStep]]:
    """The messages that she surely comes to, each with the milliseconds since the beginning."""
    found: list[tuple[int, SendStep]] = []
    step: Step | None = body.steps[0]
    offset = 0
    while step is not None and not isinstance(step, BranchStep | EndStep):
        if isinstance(step, SendStep):
            found.append((offset, step))
        if isinstance(step, WaitStep):
            if step.for_ is not None:
                break
            offset += (step.minutes or 0) * MINUTE
        target = step.variants[variant_of(step, campaign, member)].then if isinstance(step, SplitStep) else step.then
        step = body.following(step, target)
    return found


def _reached(campaign: Listed, step: SendStep, person: Person, settings: TenantSettings, now: Instant) -> list[Fate]:
    """Over which channels she gets it when no cap is in the way."""
    body = campaign.body.model_copy(update={"cap": None})
    without_caps = settings.model_copy(update={"messaging": settings.messaging.model_copy(update={"caps": ()})})
    return [each for each in fates(campaign.id, body, step, person.state, without_caps, now) if not each.held_out]
