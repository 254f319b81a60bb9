"""How often a campaign that waits for something begins: by what happened to the sampled members lately, or by their dates ahead. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from shared.campaigns.model import ApiTrigger, CampaignBody, DateTrigger, EventTrigger
from shared.forecast.reach import Person
from shared.kernel.instants import DAY, Instant, local_day
from shared.member_state.dates import date_rule, due_dates
from shared.member_state.model import segment_key
from shared.profile.rules import all_cells
from shared.tenants.model import TenantSettings

DAYS: Final = 28
Bound = Literal["exact", "at_most", "at_least"]
_CUSTOM: Final = "event."


@dataclass(frozen=True, slots=True)
class Flow:
    """Occurrences of the sampled members in ``DAYS`` days. ``basis``: the days behind, or those ahead; ``unknown``: nothing tells."""

    basis: Literal["past", "ahead", "unknown"]
    occurrences: int = 0
    bound: Bound = "exact"
    reason: str = ""


UNKNOWN_CALLS: Final = Flow("unknown", reason="it begins when the tenant's own system says so")


def flow_of(
    campaign: str, body: CampaignBody, people: Sequence[Person], settings: TenantSettings, served: dict[str, int], now: Instant
) -> Flow | None:
    """The flow of a campaign; ``None`` for one that goes to everybody at once."""
    trigger = body.trigger
    if isinstance(trigger, ApiTrigger):
        return UNKNOWN_CALLS
    if isinstance(trigger, DateTrigger):
        return Flow("ahead", sum(len(ahead(campaign, trigger, each, settings, now, now + DAYS * DAY)) for each in people))
    if not isinstance(trigger, EventTrigger):
        return None
    counted = [_happened(type_, trigger, people, settings, served, now) for type_ in trigger.types]
    strange = [type_ for type_, count in zip(trigger.types, counted, strict=True) if count is None]
    if strange:
        return Flow("unknown", reason=f"a profile does not tell how often there is {', '.join(strange)}")
    at_least = any(type_ == "segment.entered" for type_ in trigger.types)
    bound: Bound = "at_least" if at_least else "at_most" if trigger.where else "exact"
    return Flow("past", sum(count or 0 for count in counted), bound)


def ahead(campaign: str, trigger: DateTrigger, person: Person, settings: TenantSettings, since: Instant, until: Instant) -> list[Instant]:
    """The instants at which a campaign by date begins for her, as she is now."""
    rule = date_rule(campaign, 1, trigger.model_dump())
    zone = person.state.zone or settings.time_zone
    return [each.at for each in due_dates(person.state, person.facts, [rule], since, until, zone)]


def _happened(
    type_: str, trigger: EventTrigger, people: Sequence[Person], settings: TenantSettings, served: dict[str, int], now: Instant
) -> int | None:
    """How often an event happened to the members in the last ``DAYS`` days; ``None``: a profile does not tell."""
    since, first = now - DAYS * DAY, local_day(now, settings.time_zone) - DAYS + 1
    states = [each.state for each in people]
    if type_ == "member.registered":
        return sum(since < state.joined_at <= now for state in states)
    if type_ == "transaction.recorded":
        return sum(cell.count for state in states for day, cell in all_cells(state.profile) if day >= first)
    if type_ == "segment.entered" and trigger.segment in served:
        key = segment_key(trigger.segment or "", served[trigger.segment or ""])
        return sum(since < state.segments.get(key, 0) <= now for state in states)
    name = type_.removeprefix(_CUSTOM)
    if type_.startswith(_CUSTOM) and name in settings.events:
        return sum(cell.by.get(f"e:{name}", [0])[0] for state in states for day, cell in all_cells(state.profile) if day >= first)
    return None

