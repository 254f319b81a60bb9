"""Whom a campaign's messages would reach, asked of single members as they are now. Pure.

The same questions in the same order as the claim asks them (``shared.campaigns.claiming``), one by one, so that it can be said which of
them is in the way. What only the provider or time can tell is not foreseen: an endpoint that is dead, an answer, a purchase.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from shared.campaigns.eligibility import Drop, Go, Policy, Reason, Wait, allowed, decide
from shared.campaigns.model import CampaignBody
from shared.campaigns.policies import policy_of
from shared.campaigns.rules import held_out, variant_of
from shared.campaigns.steps import BranchStep, SendStep, SplitStep, Step, WaitStep, targets
from shared.member_state.model import Facts, MemberState
from shared.messaging.port import configured
from shared.tenants.messaging import Channel
from shared.tenants.model import TenantSettings

NAMED: Final[Mapping[Channel, str]] = {"email": "email", "sms": "phone"}
"""Channels whose address is a personal field."""
EVERYBODY: Final = "*"
"""In place of a campaign: the tenant's global holdout."""
Hindrance = Literal["quiet_hours", "blackout"]


@dataclass(frozen=True, slots=True)
class Person:
    """A member of the sample."""

    state: MemberState
    facts: Facts | None = None


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one message. ``channel`` and ``rung``: over which she would get it; else ``reason``, or she is held out.

    ``later``: what would defer it if it were sent now. ``usable``: every channel that she allows and that leads to her.
    """

    channel: Channel | None = None
    rung: int = 0
    reason: Reason | None = None
    held_out: bool = False
    later: Hindrance | None = None
    usable: tuple[Channel, ...] = ()


def leads(channel: Channel, state: MemberState, settings: TenantSettings) -> bool:
    """Whether a channel that the tenant has set up leads to her, as far as her state tells."""
    if channel == "push":
        return bool(settings.push) and bool(state.devices)
    return configured(channel, settings.messaging) and (channel not in NAMED or NAMED[channel] in state.known)


def is_held_out(campaign: str, body: CampaignBody, member: str, settings: TenantSettings) -> bool:
    """Whether she is in the campaign's holdout, or in the global one of marketing."""
    percent = settings.messaging.global_holdout_percent if body.message_class == "marketing" else 0
    return held_out(campaign, member, body.holdout_percent) or held_out(EVERYBODY, member, percent)


def comes_to(body: CampaignBody, campaign: str, member: str) -> dict[str, bool]:
    """The steps that she may come to -> whether she surely does: a split is known, a branch or a wait for an event is not."""
    found = {body.steps[0].id: True}
    for step in body.steps:
        sure = found.get(step.id)
        if sure is None:
            continue
        ways = list(_ways(step, campaign, member))
        is_open = isinstance(step, BranchStep) or (isinstance(step, WaitStep) and step.for_ is not None)
        ends = {following.id for target in ways if (following := body.following(step, target)) is not None}
        for end in ends:
            found[end] = found.get(end, False) or (sure and not (is_open and len(ways) > 1))
    return found


def _ways(step: Step, campaign: str, member: str) -> Iterator[str | None]:
    if isinstance(step, SplitStep):
        yield step.variants[variant_of(step, campaign, member)].then
        return
    yield from targets(step).values()


def fates(campaign: str, body: CampaignBody, step: SendStep, state: MemberState, settings: TenantSettings, now: int) -> list[Fate]:
    """What becomes of a step's message for her: one fate, or one for each channel where it goes over all of them."""
    policy = policy_of(body, step, settings)
    goes_over_all = step.ladder is not None and step.ladder.mode == "all"
    policies = [policy.only(each) for each in policy.rungs] if goes_over_all else [policy]
    is_out = is_held_out(campaign, body, state.member, settings)
    return [_fate(each, state, settings, now, is_out=is_out) for each in policies]


def _fate(policy: Policy, state: MemberState, settings: TenantSettings, now: int, *, is_out: bool) -> Fate:
    reachable = {each for each in policy.rungs if leads(each, state, settings)}
    anytime = replace(policy, quiet=None, blackouts=())
    who = decide(replace(anytime, caps=()), state, reachable, 0, now, now)
    if not isinstance(who, Go):
        return Fate(reason=who.reason if isinstance(who, Drop) else None)
    usable = tuple(each for each in policy.rungs if each in reachable and allowed(policy, state, each) is None)
    if is_out:
        return Fate(who.channel, who.rung, held_out=True, usable=usable)
    within = decide(anytime, state, reachable, 0, now, now)
    if not isinstance(within, Go):
        return Fate(reason="over_cap", usable=usable)
    when = decide(policy, state, reachable, 0, now, now)
    return Fate(within.channel, within.rung, later=_later(when), usable=usable)


def _later(verdict: Go | Wait | Drop) -> Hindrance | None:
    """What time has against it, be it deferred or dropped for it."""
    if isinstance(verdict, Go):
        return None
    return "blackout" if verdict.reason == "blackout" else "quiet_hours"
