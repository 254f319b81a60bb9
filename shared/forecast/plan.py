"""A sample of members with their messages of a range: whose audiences they are in, and what they would be due. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.audiences.sampling import interval
from shared.campaigns.recurring import Firing
from shared.forecast.api import Figure
from shared.forecast.planned import Listed, Planned, Range, planned_for
from shared.forecast.reach import Person
from shared.kernel.instants import Instant
from shared.segments.compiler import compile_segments
from shared.segments.context import Context
from shared.segments.parsing import Rule, StoredSegment
from shared.tenants.model import TenantSettings

MOST_PLANNED: Final = 50_000
"""Messages that are gone through; with more the calendar is made from fewer members, and ``looked_at`` says so."""


@dataclass(slots=True)
class Plan:
    """What the sample says. ``audience``: campaign -> sampled members in it; ``planned``: each member's messages."""

    people: list[Person] = field(default_factory=list)
    planned: list[list[Planned]] = field(default_factory=list)
    audience: Counter[str] = field(default_factory=Counter)
    inside: dict[str, list[Person]] = field(default_factory=lambda: defaultdict(list))


def plan_of(
    listed: Sequence[Listed],
    rules: Sequence[Rule],
    firings: Mapping[str, list[Firing]],
    people: Iterable[Person],
    settings: TenantSettings,
    context: Context,
    span: Range,
    now: Instant,
) -> Plan:
    """Each member's audiences and messages. ``rules``: whom each campaign is for. It stops where there are ``MOST_PLANNED`` messages."""
    compiled = compile_segments([StoredSegment(each.id, 1, rule) for each, rule in zip(listed, rules, strict=True)], context)
    plan, number = Plan(), 0
    for person in people:
        if number >= MOST_PLANNED:
            break
        codes = compiled.membership(person.state, person.facts, now) if listed else []
        hers: list[Planned] = []
        for campaign, code in zip(listed, codes, strict=True):
            if code > 0:
                plan.audience[campaign.id] += 1
                plan.inside[campaign.id].append(person)
                hers += planned_for(campaign, firings[campaign.id], person, settings, span, now)
        plan.people.append(person)
        plan.planned.append(sorted(hers))
        number += len(hers)
    return plan


@dataclass(frozen=True, slots=True)
class Scale:
    """From the sampled members to all."""

    looked_at: int
    population: int

    def members(self, count: int) -> Figure:
        """Members."""
        found = interval(count, self.looked_at, self.population)
        return Figure(count=found.estimate, low=found.low, high=found.high)

    def messages(self, count: int) -> int:
        """Messages, of which a member may get several."""
        return -(-count * self.population // self.looked_at) if self.looked_at else 0
