"""What campaign, step and tenant together say about when and how a step may be sent. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.campaigns.eligibility import CapRule, Policy
from shared.campaigns.model import CampaignBody
from shared.campaigns.steps import Deferral, SendStep
from shared.kernel.instants import DAY, HOUR, day_of
from shared.tenants.messaging import Channel, MessagingSettings
from shared.tenants.model import TenantSettings

_ANYWHERE: Final = "*"


def policy_of(body: CampaignBody, step: SendStep, settings: TenantSettings) -> Policy:
    """The policy of a step. A service message knows neither caps nor blackouts, and quiet hours only where the step says how to defer."""
    messaging, marketing = settings.messaging, body.message_class == "marketing"
    deferral = step.deferral or body.deferral
    keeps_quiet = messaging.quiet_hours is not None and (marketing or step.deferral is not None)
    return Policy(
        marketing=marketing,
        purpose=body.purpose,
        rungs=rungs_of(step, messaging, settings.country),
        tenant_zone=settings.time_zone,
        caps=_caps(body, messaging) if marketing else (),
        quiet=_quiet(messaging) if keeps_quiet else None,
        blackouts=_blackouts(messaging) if marketing else (),
        priority=body.priority,
        drops=_drops(deferral),
        age_required=settings.age_limit.required,
        patience=deferral.max_hours * HOUR,
    )


def rungs_of(step: SendStep, messaging: MessagingSettings, country: str | None) -> tuple[Channel, ...]:
    """The step's channels in the order in which they are tried: as listed, or by the tenant's price, as listed where prices are equal."""
    ladder = step.ladder
    if ladder is None:
        return (step.channel,)
    if ladder.mode != "cheapest":
        return ladder.channels
    return tuple(sorted(ladder.channels, key=lambda channel: price_of(messaging.prices, channel, country)))


def price_of(prices: Mapping[Channel, Mapping[str, int]], channel: Channel, country: str | None) -> int:
    """Millionths of a minor unit that a message costs; 0 where the tenant has set no price (inbox, and bots when they come)."""
    by_country = prices.get(channel, {})
    return by_country.get(country or _ANYWHERE, by_country.get(_ANYWHERE, 0))


def _caps(body: CampaignBody, messaging: MessagingSettings) -> tuple[CapRule, ...]:
    own = (CapRule(body.cap.max, body.cap.days * DAY),) if body.cap is not None else ()
    return (*own, *(CapRule(cap.max, cap.days * DAY, cap.channel) for cap in messaging.caps))


def _quiet(messaging: MessagingSettings) -> tuple[int, int] | None:
    hours = messaging.quiet_hours
    return None if hours is None else (_minute(hours.start), _minute(hours.end))


def _blackouts(messaging: MessagingSettings) -> tuple[tuple[int, int], ...]:
    return tuple(sorted((day_of(each.first), day_of(each.last)) for each in messaging.blackouts))


def _drops(deferral: Deferral) -> frozenset[str]:
    ways = {"quiet_hours": deferral.quiet_hours, "cap": deferral.cap, "blackout": deferral.blackout}
    return frozenset(name for name, way in ways.items() if way == "drop")


def _minute(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)
