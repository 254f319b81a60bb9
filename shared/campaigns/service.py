"""Launching, pausing, resuming and cancelling a campaign. First its gates, then its state, then everybody is told.

Gates before state, in both directions: a campaign that says it is paused or cancelled claims nothing any more, and one that
says it is running can. A change that dies in between is finished by repeating the call.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from shared.campaigns.api import CampaignStateAnswer
from shared.campaigns.content import check_content
from shared.campaigns.errors import CampaignNotInForce, NotLaunchable, UnknownCampaign, WrongCampaignState
from shared.campaigns.model import CampaignBody, CampaignState, OnceTrigger, Run
from shared.campaigns.repository import FOR_GOOD, CampaignRepository
from shared.definitions.model import Definition
from shared.kernel.errors import ConcurrentUpdate, FieldError
from shared.kernel.ids import NAME_PATTERN
from shared.kernel.instants import Instant, format_rfc3339
from shared.member_state.events import DomainEvent
from shared.member_state.repository import Stamp, envelope
from shared.storage.commit import Plan, Stale, commit
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope

_NAME: Final = re.compile(NAME_PATTERN)
_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Turn:
    """One change of a campaign: its next state, what its gates are to be (``None``: as they are), and what is told."""

    run: Run
    gates: bool | None
    told: str | None
    for_good: bool = False


Decide = Callable[[Run], Turn | None]
"""``None``: it is so already."""


class _Moved(Exception):
    """Somebody else changed the campaign meanwhile."""


def on_publish(scope: TenantScope, definition: Definition) -> None:
    """What a campaign needs before a version of it is published: texts that can be written, a running state, closed gates.

    ``UnusableContent`` with pointers. Repeating it is harmless. 1 read, the first time 3 requests that write.
    """
    check_content(CampaignBody.model_validate(definition.body))
    CampaignRepository(scope.tenant, scope.table).create(definition.id, scope.clock(), scope.effort)


def launch(scope: TenantScope, campaign: str, correlation: str = "") -> CampaignStateAnswer:
    """Start a campaign: ``active`` if events trigger it, ``scheduled`` for an instant ahead, else ``sending``. Again changes nothing.

    ``CampaignNotInForce`` before its version holds; ``NotLaunchable`` for an instant that is past, or a channel that is not set up.
    About 34 writes.
    """
    definition, body = in_force(scope, campaign)
    CampaignRepository(scope.tenant, scope.table).create(campaign, scope.clock(), scope.effort)

    def decide(run: Run) -> Turn | None:
        if run.state in ("scheduled", "sending", "active"):
            return None
        if run.state != "draft":
            raise WrongCampaignState(f"The campaign is {run.state}; only a draft can be launched.")
        _check_launchable(scope, body)
        return _started(replace(run, version=definition.version), body, scope.clock(), "campaign.launched")

    return answer_of(turn(scope, campaign, decide, correlation))


def pause(scope: TenantScope, campaign: str, correlation: str = "") -> CampaignStateAnswer:
    """Close the gates: once this answers, no message is claimed. Events that come while it is paused trigger nothing, then or later."""

    def decide(run: Run) -> Turn | None:
        if run.state == "paused":
            return None
        if run.state in ("draft", "cancelled"):
            raise WrongCampaignState(f"The campaign is {run.state}; there is nothing to pause.")
        return Turn(replace(run, state="paused"), gates=False, told="campaign.paused")

    return answer_of(turn(scope, campaign, decide, correlation))


def resume(scope: TenantScope, campaign: str, correlation: str = "") -> CampaignStateAnswer:
    """Open the gates again. A mailing goes through its audience once more; who has it does not get it twice.

    One whose instant passed while it was paused is sent now.
    """
    definition, body = in_force(scope, campaign)

    def decide(run: Run) -> Turn | None:
        if run.state in ("scheduled", "sending", "active"):
            return None
        if run.state != "paused":
            raise WrongCampaignState(f"The campaign is {run.state}; only a paused one can be resumed.")
        version = run.version if run.launched_at is not None else definition.version
        return _started(replace(run, version=version), body, scope.clock(), "campaign.resumed")

    return answer_of(turn(scope, campaign, decide, correlation))


def cancel(scope: TenantScope, campaign: str, correlation: str = "") -> CampaignStateAnswer:
    """End it for good: once this answers, no message is claimed ever again."""

    def decide(run: Run) -> Turn | None:
        if run.state == "cancelled":
            return None
        ended = replace(run, state="cancelled", ended_at=scope.clock())
        return Turn(ended, gates=False, told="campaign.cancelled", for_good=True)

    return answer_of(turn(scope, campaign, decide, correlation))


def start_due(scope: TenantScope, campaign: str) -> bool:
    """Start a scheduled campaign whose instant has come; ``False`` if there is nothing to start (the index is only a hint)."""
    now, started = scope.clock(), False

    def decide(run: Run) -> Turn | None:
        nonlocal started
        started = run.state == "scheduled" and run.scheduled_for is not None and run.scheduled_for <= now
        return _sending(run, now, "campaign.launched") if started else None

    turn(scope, campaign, decide, "")
    return started


def complete(scope: TenantScope, campaign: str, revision: int) -> None:
    """The whole audience is handed over, if the campaign is still the one that was walked through."""

    def decide(run: Run) -> Turn | None:
        if run.state != "sending" or run.revision != revision:
            return None
        return Turn(replace(run, state="completed", ended_at=scope.clock()), gates=None, told="campaign.completed")

    turn(scope, campaign, decide, "")


def in_force(scope: TenantScope, campaign: str) -> tuple[Definition, CampaignBody]:
    """The definition that holds now. No request when the definitions are cached."""
    definition = scope.definitions.at(scope.clock()).campaigns.get(campaign)
    if definition is None:
        if scope.definitions.newest("campaign", campaign) is None:
            raise UnknownCampaign
        raise CampaignNotInForce
    return definition, CampaignBody.model_validate(definition.body)


def turn(scope: TenantScope, campaign: str, decide: Decide, correlation: str) -> Run:
    """Carry out one change: decided again if somebody else was faster."""
    repository = CampaignRepository(scope.tenant, scope.table)
    for _ in range(_TRIES):
        run = known_run(scope, campaign)
        step = decide(run)
        if step is None:
            return run
        after = replace(step.run, revision=run.revision + 1)
        if step.gates is not None:
            revision = FOR_GOOD if step.for_good else after.revision
            repository.set_gates(campaign, is_open=step.gates, revision=revision, effort=scope.effort)
        try:
            return _commit(scope, repository, run, after, step.told, correlation)
        except _Moved:
            continue
    raise ConcurrentUpdate("The campaign keeps being changed; repeat the call.")


def known_run(scope: TenantScope, campaign: str) -> Run:
    """The running state, or ``UnknownCampaign``. One read."""
    run = CampaignRepository(scope.tenant, scope.table).run(campaign) if _NAME.fullmatch(campaign) else None
    if run is None:
        raise UnknownCampaign
    return run


def answer_of(run: Run) -> CampaignStateAnswer:
    """A running state as the API answers it."""
    return CampaignStateAnswer(
        campaign_id=run.campaign,
        state=run.state,
        version=run.version or None,
        revision=run.revision,
        scheduled_for=_text(run.scheduled_for),
        launched_at=_text(run.launched_at),
        ended_at=_text(run.ended_at),
    )


def _commit(scope: TenantScope, repository: CampaignRepository, before: Run, after: Run, told: str | None, correlation: str) -> Run:
    now = scope.clock()
    data: dict[str, object] = {"campaign": after.campaign, "version": after.version, "state": after.state}
    out = envelope([DomainEvent(told, now, data)] if told else [], Stamp(now, correlation))

    def plan(stale: Stale) -> Plan[Run]:
        if stale:
            raise _Moved
        batch = WriteBatch()
        repository.add_run(batch, after, before.revision, out)
        return Plan(batch, after)

    return commit(scope.table, plan, effort=scope.effort())


def _started(run: Run, body: CampaignBody, now: Instant, told: str) -> Turn:
    trigger = body.trigger
    if not isinstance(trigger, OnceTrigger):
        return Turn(replace(run, state="active", launched_at=run.launched_at or now), gates=True, told=told)
    at = trigger.instant
    if run.launched_at is None and at is not None and at > now:
        return Turn(replace(run, state="scheduled", scheduled_for=at), gates=None, told=None)
    return _sending(run, now, told)


def _sending(run: Run, now: Instant, told: str) -> Turn:
    state: CampaignState = "sending"
    return Turn(replace(run, state=state, launched_at=run.launched_at or now, ended_at=None), gates=True, told=told)


def _check_launchable(scope: TenantScope, body: CampaignBody) -> None:
    problems = []
    at = body.trigger.instant if isinstance(body.trigger, OnceTrigger) else None
    if at is not None and at < scope.clock():
        problems.append(FieldError("/definition/trigger/at", "schedule_in_past", "this instant is past"))
    for index, step in enumerate(body.steps):
        if step.channel == "push" and not scope.definitions.settings.push:
            hint = "the tenant has no push application"
            problems.append(FieldError(f"/definition/steps/{index}/channel", "channel_not_configured", hint))
    if problems:
        raise NotLaunchable("The campaign cannot be launched; see errors.", errors=tuple(problems))


def _text(instant: Instant | None) -> str | None:
    return None if instant is None else format_rfc3339(instant)
