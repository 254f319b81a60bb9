"""The content calendar: what goes out on which day, where campaigns meet, and what caps will cost.

A sample of all members stands for the tenant: each is asked which campaigns she is in the audience of and reached by, as she is now,
and her messages of the range are gone through in the order of time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from shared.campaigns.errors import UnknownCampaign
from shared.campaigns.model import CampaignBody, CampaignState, Run
from shared.campaigns.repository import CampaignRepository
from shared.definitions.model import Definition, DefinitionSet
from shared.forecast import calendar_api as api
from shared.forecast.audience import ALL, Source, audience_rule, context_of, draw
from shared.forecast.collisions import window_of
from shared.forecast.plan import Scale, plan_of
from shared.forecast.planned import Listed, Range, occasions
from shared.forecast.showing import caps_of, collisions, hindrances, losses, running, shown_days
from shared.kernel.errors import FieldError, Unprocessable
from shared.kernel.instants import DAY, Instant, day_of, day_start, format_day, format_rfc3339, local_day
from shared.segments.parsing import rule_of
from shared.tenants.model import TenantSettings
from shared.tenants.scope import TenantScope

MOST_DAYS: Final = 92
MOST_WITH: Final = 20
SAMPLE: Final = 500
_SHOWN: Final[frozenset[CampaignState]] = frozenset({"scheduled", "sending", "active"})


class WrongRange(Unprocessable):
    """The days are none, in the wrong order, too many, or too many drafts are named; ``errors`` points at it."""

    code, title = "wrong_range", "Range not usable"


def calendar(scope: TenantScope, first: str | None, last: str | None, drafts: Sequence[str], source: Source) -> api.CalendarAnswer:
    """The local days from ``first`` to ``last`` (ISO; today and four weeks unless given), with drafts as if they were launched now.

    Nothing is written. Cost: one Query of the definitions, a read for each campaign, and the reads of an estimate's sample.
    """
    now, known = scope.clock(), scope.repository.load()
    settings, context = known.settings, context_of(known, now)
    days = _days(first, last, drafts, settings, now)
    span = Range(max(day_start(days[0], settings.time_zone), now), day_start(days[1] + 1, settings.time_zone))
    states = _states(scope, known, now)
    listed = _listed(known, states, drafts, now)
    drawn = draw(scope, rule_of(ALL), context, source, SAMPLE, seed="calendar")
    firings = {each.id: occasions(each, settings, span) for each in listed}
    rules = [audience_rule(each.body, context) for each in listed]
    plan = plan_of(listed, rules, firings, drawn.people, settings, context, span, now)
    scale = Scale(len(plan.people), drawn.population)
    window = window_of(cap for each in listed for cap in caps_of(each.body, settings))
    return api.CalendarAnswer(
        first=format_day(days[0]),
        last=format_day(days[1]),
        time_zone=settings.time_zone,
        as_of=format_rfc3339(now),
        population=drawn.population,
        looked_at=len(plan.people),
        source="table" if drawn.from_table else "snapshot",
        days=shown_days(days, listed, firings, plan, settings, scale),
        running=tuple(running(each, plan, known, now, scale) for each in listed if each.body.trigger.kind in ("event", "api")),
        collision_days=-(-window // DAY),
        collisions=collisions(plan, window, settings, scale),
        losses=losses(listed, plan, scale),
        warnings=hindrances(listed, plan, settings, scale),
    )


def _days(first: str | None, last: str | None, drafts: Sequence[str], settings: TenantSettings, now: Instant) -> tuple[int, int]:
    today, found = local_day(now, settings.time_zone), []
    for name, text in (("from", first), ("to", last)):
        try:
            found.append(None if text is None else day_of(text))
        except ValueError:
            raise WrongRange("A day is not one.", errors=(FieldError(f"/{name}", "invalid_value", "a day, as 2026-12-24"),)) from None
    begin = today if found[0] is None else found[0]
    end = begin + 27 if found[1] is None else found[1]
    if not 0 <= end - begin < MOST_DAYS:
        raise WrongRange("The range is not usable.", errors=(FieldError("/to", "out_of_bounds", f"from 1 to {MOST_DAYS} days"),))
    if len(drafts) > MOST_WITH:
        raise WrongRange("Too many drafts.", errors=(FieldError("/with", "out_of_bounds", f"at most {MOST_WITH}"),))
    return begin, end


def _states(scope: TenantScope, known: DefinitionSet, now: Instant) -> dict[str, Run]:
    return CampaignRepository(scope.tenant, scope.table).runs(known.in_force("campaign", now))


def _listed(known: DefinitionSet, runs: Mapping[str, Run], drafts: Sequence[str], now: Instant) -> list[Listed]:
    """Campaigns that are launched, by the version in force; and those that are named, by their newest, as if launched now."""
    found: dict[str, Listed] = {}
    for id_, definition in known.in_force("campaign", now).items():
        run = runs.get(id_)
        if run is not None and run.state in _SHOWN:
            found[id_] = _one(definition, run.scheduled_for or run.launched_at)
    for place, id_ in enumerate(drafts):
        newest = known.newest("campaign", id_)
        if newest is None:
            raise UnknownCampaign("There is no such campaign.", errors=(FieldError(f"/with/{place}", "unknown_campaign", id_),))
        found[id_] = _one(newest, now)
    return [found[id_] for id_ in sorted(found)]


def _one(definition: Definition, starts_at: Instant | None) -> Listed:
    return Listed(definition.id, definition.version, CampaignBody.model_validate(definition.body), starts_at)
