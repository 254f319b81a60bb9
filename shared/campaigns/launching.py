"""What must be there before a campaign is published, and before it is launched: refusals with pointers, and nothing written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from shared.campaigns.content import check_content
from shared.campaigns.errors import ApprovalNeeded, NotLaunchable
from shared.campaigns.lint import check_service
from shared.campaigns.model import CampaignBody, Channel, DateTrigger, OnceTrigger, RecurringTrigger
from shared.campaigns.recurring import first_after
from shared.campaigns.steps import BranchStep, IssueStep, SendStep, WaitStep, WebhookStep
from shared.campaigns.waiting import surely_over
from shared.definitions.model import Definition
from shared.definitions.references import broken_references, named_offers
from shared.kernel.errors import FieldError
from shared.kernel.instants import Instant
from shared.messaging.port import configured
from shared.tenants.model import TenantSettings
from shared.tenants.scope import TenantScope

_PAST: Final = "schedule_in_past"


def check_publishable(scope: TenantScope, body: CampaignBody, since: Instant) -> None:
    """``UnusableContent`` for texts that cannot be written, ``ServiceWithOffer``, ``SegmentTooLarge`` for a filter beyond the bounds, and
    ``NotLaunchable`` for a wait until a date that will be past when the version holds (``since``).
    """
    from shared.segments.parsing import rule_of
    from shared.segments.sizes import check_size

    for pointer, raw in _filters(body):
        check_size(rule_of(raw), pointer)
    check_content(body, set(scope.definitions.settings.wallets) or None)
    check_service(body)
    past = tuple(_past_waits(body, scope.definitions.settings.time_zone, max(since, scope.clock())))
    if past:
        raise NotLaunchable("The campaign could not be launched; see errors.", errors=past)


def check_approved(scope: TenantScope, *versions: Definition | None) -> None:
    """``ApprovalNeeded`` for a version that no second person approved, where the tenant wants that."""
    if scope.definitions.settings.messaging.approval and any(each is not None and not each.approved_by for each in versions):
        raise ApprovalNeeded("A second person approves the version first.")


def check_launchable(scope: TenantScope, definition: Definition, body: CampaignBody) -> None:
    """``NotLaunchable`` with a pointer at everything that cannot work now: what it names is gone, a channel is not set up, its time is
    past. One Query, and two reads for the offers that it names.
    """
    settings, now = scope.definitions.settings, scope.clock()
    known = scope.repository.load(named_offers("campaign", definition.body))
    # What a text shows was checked when it was published; of an offer that has changed since, a word may be empty.
    gone = (each for each in broken_references(known, "campaign", definition.body, now) if each.code != "unknown_variable")
    problems = [*gone, *_channels(body, settings)]
    trigger = body.trigger
    if isinstance(trigger, OnceTrigger) and trigger.instant is not None and trigger.instant < now:
        problems.append(FieldError("/definition/trigger/at", _PAST, "this instant is past"))
    if isinstance(trigger, DateTrigger) and trigger.wallet is not None and _lacks(settings, trigger.wallet):
        problems.append(FieldError("/definition/trigger/wallet", "unknown_wallet", "no wallet of the tenant"))
    if isinstance(trigger, RecurringTrigger) and first_after(trigger, settings.time_zone, now) is None:
        problems.append(FieldError("/definition/trigger/rrule", _PAST, "its last occurrence is past"))
    problems += _past_waits(body, settings.time_zone, now)
    if problems:
        raise NotLaunchable("The campaign cannot be launched; see errors.", errors=tuple(problems))


def _past_waits(body: CampaignBody, zone: str, since: Instant) -> Iterator[FieldError]:
    """Waits until a date that is past whenever the campaign begins, from an instant on: nobody would wait there."""
    begins, trigger = since, body.trigger
    if isinstance(trigger, OnceTrigger):
        begins = max(since, trigger.instant or since)
    if isinstance(trigger, RecurringTrigger):
        first = first_after(trigger, zone, since)
        begins = first.at if first is not None else since
    for index, step in enumerate(body.steps):
        if isinstance(step, WaitStep) and surely_over(step, begins):
            yield FieldError(f"/definition/steps/{index}/until_date", _PAST, "this date is past before the campaign can begin")


def _channels(body: CampaignBody, settings: TenantSettings) -> Iterator[FieldError]:
    for index, step in enumerate(body.steps):
        pointer = f"/definition/steps/{index}"
        if isinstance(step, WebhookStep) and step.endpoint not in settings.messaging.webhooks:
            yield FieldError(f"{pointer}/endpoint", "channel_not_configured", "the tenant has no webhook of this name")
        if isinstance(step, IssueStep) and step.points is not None and _lacks(settings, step.points.wallet):
            yield FieldError(f"{pointer}/points/wallet", "unknown_wallet", "no wallet of the tenant")
        if isinstance(step, SendStep):
            for place, channel in enumerate(step.channels):
                if not _is_set_up(channel, settings):
                    where = f"{pointer}/ladder/channels/{place}" if step.ladder is not None else f"{pointer}/channel"
                    yield FieldError(where, "channel_not_configured", f"the tenant has not set up {channel}")


def _lacks(settings: TenantSettings, wallet: str) -> bool:
    """Whether the tenant names its wallets, and this is none of them."""
    return bool(settings.wallets) and wallet not in settings.wallets


def _is_set_up(channel: Channel, settings: TenantSettings) -> bool:
    return bool(settings.push) if channel == "push" else configured(channel, settings.messaging)


def _filters(body: CampaignBody) -> Iterator[tuple[str, dict[str, object]]]:
    """The rules of a campaign, each with its pointer."""
    if body.audience.filter is not None:
        yield "/definition/audience/filter", body.audience.filter
    for index, step in enumerate(body.steps):
        if isinstance(step, BranchStep) and step.if_.filter is not None:
            yield f"/definition/steps/{index}/if/filter", step.if_.filter
