"""The parts of the calendar's answer, from the sampled members' messages. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from shared.campaigns.eligibility import SILENT, CapRule
from shared.campaigns.model import CampaignBody, OnceTrigger
from shared.campaigns.policies import policy_of
from shared.campaigns.recurring import Firing
from shared.campaigns.steps import SendStep
from shared.definitions.model import DefinitionSet
from shared.forecast import calendar_api as api
from shared.forecast.caps import lost
from shared.forecast.collisions import together
from shared.forecast.flow import DAYS, flow_of
from shared.forecast.plan import Plan, Scale
from shared.forecast.planned import Listed
from shared.forecast.reach import Hindrance, Person
from shared.kernel.instants import HOUR, Instant, day_of, format_day, format_rfc3339, local_day, wall_minute
from shared.tenants.model import TenantSettings


def shown_days(
    days: tuple[int, int],
    listed: Sequence[Listed],
    firings: Mapping[str, list[Firing]],
    plan: Plan,
    settings: TenantSettings,
    scale: Scale,
) -> tuple[api.DayAnswer, ...]:
    """What goes out on each of the tenant's days: whatever has a message for anybody of the sample, and every mailing that is due."""
    zone, counted = settings.time_zone, Counter[tuple[int, str]]()
    for hers in plan.planned:
        counted.update({(local_day(each.at, zone), each.campaign): 1 for each in hers})
    due = {(local_day(firing.at, zone), each.id): firing.at for each in listed for firing in firings[each.id] if _has_an_instant(each)}
    closed = [(day_of(each.first), day_of(each.last)) for each in settings.messaging.blackouts]
    by_id = {each.id: each for each in listed}
    found = []
    for day in range(days[0], days[1] + 1):
        names = sorted({name for at, name in (*counted, *due) if at == day})
        entries = tuple(_entry(by_id[name], due.get((day, name)), plan, scale, counted[day, name]) for name in names)
        found.append(
            api.DayAnswer(date=format_day(day), blackout=any(first <= day <= last for first, last in closed), campaigns=entries)
        )
    return tuple(found)


def _has_an_instant(campaign: Listed) -> bool:
    trigger = campaign.body.trigger
    return isinstance(trigger, OnceTrigger) or getattr(trigger, "in_", None) == "tenant"


def _entry(campaign: Listed, at: Instant | None, plan: Plan, scale: Scale, members: int) -> api.EntryAnswer:
    return api.EntryAnswer(
        campaign_id=campaign.id,
        version=campaign.version,
        trigger=campaign.body.trigger.kind,
        at=format_rfc3339(at) if at is not None else None,
        audience=scale.members(plan.audience[campaign.id]),
        members=scale.members(members),
    )


def running(campaign: Listed, plan: Plan, known: DefinitionSet, now: Instant, scale: Scale) -> api.RunningAnswer:
    """A campaign that waits for something to happen: on no day, and how often lately."""
    served = {id_: each.version for id_, each in known.at(now).served_segments.items()}
    found = flow_of(campaign.id, campaign.body, plan.inside[campaign.id], known.settings, served, now)
    per_day = -(-scale.messages(found.occurrences) // DAYS) if found is not None and found.basis != "unknown" else None
    return api.RunningAnswer(
        campaign_id=campaign.id,
        version=campaign.version,
        trigger=campaign.body.trigger.kind,
        audience=scale.members(plan.audience[campaign.id]),
        per_day=per_day,
        reason=found.reason or None if found is not None else None,
    )


def caps_of(body: CampaignBody, settings: TenantSettings) -> list[CapRule]:
    return [cap for step in body.steps if isinstance(step, SendStep) for cap in policy_of(body, step, settings).caps]


def collisions(plan: Plan, window: int, settings: TenantSettings, scale: Scale) -> tuple[api.CollisionAnswer, ...]:
    """Pairs, those of the most members first."""
    found = sorted(together(plan.planned, window).items(), key=lambda each: (-each[1].members, each[0]))
    return tuple(
        api.CollisionAnswer(
            campaigns=pair,
            members=scale.members(met.members),
            share_percent=[met.members * 100 // max(plan.audience[each], 1) for each in pair],
            first=format_day(local_day(met.nearest[1], settings.time_zone)),
            hours_apart=met.nearest[0] // HOUR,
        )
        for pair, met in found
    )


def losses(listed: Sequence[Listed], plan: Plan, scale: Scale) -> tuple[api.LossAnswer, ...]:
    """For each campaign that has messages planned: how many, and how many of them find no room."""
    planned, gone = Counter[str](), Counter[str]()
    for person, hers in zip(plan.people, plan.planned, strict=True):
        planned.update(each.campaign for each in hers)
        gone.update(each.campaign for each in lost(person.state.touches, hers))
    return tuple(
        api.LossAnswer(
            campaign_id=each.id,
            planned=scale.messages(planned[each.id]),
            lost=scale.messages(gone[each.id]),
            lost_percent=gone[each.id] * 100 // planned[each.id],
        )
        for each in listed
        if planned[each.id]
    )


def hindrances(listed: Sequence[Listed], plan: Plan, settings: TenantSettings, scale: Scale) -> tuple[api.CalendarWarning, ...]:
    """Marketing whose time is in a blackout or in a member's quiet hours: it waits, or is dropped."""
    steps = ((each, step) for each in listed for step in each.body.steps if isinstance(step, SendStep))
    policies = {(each.id, step.id): policy_of(each.body, step, settings) for each, step in steps}
    found: Counter[tuple[int, str, Hindrance]] = Counter()
    for person, hers in zip(plan.people, plan.planned, strict=True):
        for each in hers:
            policy, day = policies[each.campaign, each.step], local_day(each.at, settings.time_zone)
            if any(first <= day <= last for first, last in policy.blackouts):
                found[day, each.campaign, "blackout"] += 1
            elif policy.quiet is not None and each.channel not in SILENT and _is_quiet(policy.quiet, each.at, person, settings):
                found[day, each.campaign, "quiet_hours"] += 1
    return tuple(
        api.CalendarWarning(code=code, campaign_id=id_, date=format_day(day), messages=scale.messages(number))
        for (day, id_, code), number in sorted(found.items())
    )


def _is_quiet(quiet: tuple[int, int], at: Instant, person: Person, settings: TenantSettings) -> bool:
    minute, (start, end) = wall_minute(at, person.state.zone or settings.time_zone), quiet
    return start <= minute < end if start < end else minute >= start or minute < end
