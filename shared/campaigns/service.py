"""Launching, pausing, resuming and cancelling a campaign. First its gates, then its state, then everybody is told.

Gates before state, in both directions: a campaign that says it is paused or cancelled claims nothing any more, and one that
says it is running can. A change that dies in between is finished by repeating the call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from shared.campaigns.api import CampaignStateAnswer
from shared.campaigns.errors import ApprovalNeeded, CampaignNotInForce, UnknownCampaign, WrongCampaignState
from shared.campaigns.launching import check_approved, check_launchable, check_publishable
from shared.campaigns.model import CampaignBody, CampaignState, OnceTrigger, RecurringTrigger, Run
from shared.campaigns.recurring import Firing, first_after, last_turn, newest_until
from shared.campaigns.repository import FOR_GOOD, CampaignRepository
from shared.campaigns.versions import version_of
from shared.definitions.model import Definition
from shared.kernel.errors import ConcurrentUpdate
from shared.kernel.ids import NAME_PATTERN
from shared.kernel.instants import SECOND, Instant, format_rfc3339
from shared.member_state.effects import DomainEvent
from shared.member_state.repository import Stamp, envelope
from shared.storage.commit import Plan, Stale, commit
from shared.storage.noting import aside
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
    more: Mapping[str, object] = field(default_factory=dict)
    """Beside campaign, version and state."""
    also: tuple[tuple[str, Mapping[str, object]], ...] = ()
    """What else is told."""


Decide = Callable[[Run], Turn | None]
"""``None``: it is so already."""


class _Moved(Exception):
    """Somebody else changed the campaign meanwhile."""


def on_publish(scope: TenantScope, definition: Definition) -> None:
    """What a campaign needs before a version of it is published: texts that can be written, a running state, closed gates.

    ``UnusableContent``, ``ServiceWithOffer`` and ``NotLaunchable`` with pointers. Repeating it is harmless. 2 reads, the first time 3
    requests that write.
    """
    body = CampaignBody.model_validate(definition.body)
    check_publishable(scope, body, definition.effective_from or definition.wanted_from or 0)
    CampaignRepository(scope.tenant, scope.table).create(definition.id, scope.clock(), scope.effort)
    if isinstance(body.trigger, RecurringTrigger) and definition.effective_from is not None:
        _look_again(scope, definition.id, definition.effective_from)


def launch(scope: TenantScope, campaign: str, correlation: str = "") -> CampaignStateAnswer:
    """Start a campaign: ``scheduled`` for an instant ahead, ``sending`` to its audience once, else ``active``. Again changes nothing.

    ``CampaignNotInForce`` before its version holds, ``ApprovalNeeded`` before a second person approved it where the tenant wants that;
    ``NotLaunchable`` with pointers for what cannot work. About 34 writes.
    """
    definition, body = in_force(scope, campaign)
    with aside():
        CampaignRepository(scope.tenant, scope.table).create(campaign, scope.clock(), scope.effort)

    def decide(run: Run) -> Turn | None:
        if run.state in ("scheduled", "sending", "active"):
            return None
        if run.state != "draft":
            raise WrongCampaignState(f"The campaign is {run.state}; only a draft can be launched.")
        check_approved(scope, definition)
        check_launchable(scope, definition, body)
        return _started(scope, replace(run, version=definition.version), body, "campaign.launched")

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

    One whose instant passed while it was paused is sent now; what recurs goes on with its next occurrence.
    """
    definition, body = in_force(scope, campaign)

    def decide(run: Run) -> Turn | None:
        if run.state in ("scheduled", "sending", "active"):
            return None
        if run.state != "paused":
            raise WrongCampaignState(f"The campaign is {run.state}; only a paused one can be resumed.")
        version = run.version if run.launched_at is not None else definition.version
        # What goes on is that version, what begins from now on the one in force.
        check_approved(scope, definition, version_of(scope, campaign, version))
        return _started(scope, replace(run, version=version), body, "campaign.resumed")

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
    """Start a scheduled campaign whose instant has come, or the next occurrence of a recurring one; ``False`` if there is nothing to start
    (the index is only a hint).

    Of occurrences that were missed only the newest is sent, if it is no older than an event may be; the others are told as skipped.
    What falls due while the tenant is suspended stays due.
    """
    now, started = scope.clock(), False
    if scope.definitions.settings.status != "active":
        return False

    def decide(run: Run) -> Turn | None:
        nonlocal started
        is_scheduled = run.state == "scheduled" and run.scheduled_for is not None and run.scheduled_for <= now
        recurs = run.state == "active" and run.next_at is not None and run.next_at <= now
        started = is_scheduled or recurs
        if is_scheduled:
            return _sending(run, now, "campaign.launched")
        return _next_occurrence(scope, run, now) if recurs else None

    turn(scope, campaign, decide, "")
    return started


def complete(scope: TenantScope, campaign: str, revision: int) -> None:
    """The whole audience is handed over, if the campaign is still the one that was walked through; of a recurring one (``revision`` 0), for
    the last time.
    """

    def decide(run: Run) -> Turn | None:
        is_this_mailing = run.state == "sending" and run.revision == revision
        was_the_last = run.state == "active" and run.next_at is None and revision == 0
        return _completed(run, scope.clock()) if is_this_mailing or was_the_last else None

    turn(scope, campaign, decide, "")


def _completed(run: Run, now: Instant) -> Turn:
    return Turn(replace(run, state="completed", ended_at=now, next_at=None), gates=None, told="campaign.completed")


def _next_occurrence(scope: TenantScope, run: Run, now: Instant) -> Turn:
    """The occurrence that has come, by the version in force: it takes over where another was published meanwhile."""
    zone, first = scope.definitions.settings.time_zone, run.next_at or now
    definition = scope.definitions.at(now).campaigns.get(run.campaign)
    body = CampaignBody.model_validate(definition.body) if definition is not None else None
    if definition is None or body is None or not isinstance(body.trigger, RecurringTrigger):
        return Turn(replace(run, next_at=None), gates=None, told=None)
    trigger = body.trigger
    newest, skipped = newest_until(trigger, zone, first, now)
    if newest is not None and now > last_turn(trigger, newest) + body.max_event_age:
        newest, skipped = None, skipped + 1
    following = first_after(trigger, zone, now)
    after = replace(run, version=definition.version, next_at=following.at if following is not None else None)
    also = (("campaign.skipped", {"occurrences": skipped}),) if skipped else ()
    if newest is None:
        if following is None:
            return replace(_completed(after, now), also=also)
        return Turn(after, gates=None, told=None, also=also)
    occurrence = _occurrence(trigger, newest)
    expires = newest.at + body.max_event_age if trigger.in_ == "tenant" else None
    return Turn(after, gates=None, told="campaign.fired", more={"occurrence": occurrence, "expires": expires}, also=also)


def _occurrence(trigger: RecurringTrigger, firing: Firing) -> str:
    """What names it: the instant, or in the members' own time the wall clock."""
    return firing.wall if trigger.in_ == "member" else format_rfc3339(firing.at)


def _look_again(scope: TenantScope, campaign: str, since: Instant) -> None:
    """A version with another rule is to hold: then it is asked what comes next."""

    def decide(run: Run) -> Turn | None:
        is_earlier = run.state == "active" and (run.next_at is None or since < run.next_at)
        return Turn(replace(run, next_at=since), gates=None, told=None) if is_earlier else None

    turn(scope, campaign, decide, "")


def in_force(scope: TenantScope, campaign: str) -> tuple[Definition, CampaignBody]:
    """The definition that holds now. No request when the definitions are cached; one read to say why there is none."""
    definition = scope.definitions.at(scope.clock()).campaigns.get(campaign)
    if definition is None:
        versions = [each for each in scope.definitions.definitions if (each.kind, each.id) == ("campaign", campaign)]
        if not versions:
            # What was written a moment ago is not cached yet.
            newest = scope.repository.newest("campaign", campaign) if _NAME.fullmatch(campaign) else None
            if newest is None:
                raise UnknownCampaign
            versions = [newest]
        if any(each.wanted_from is not None for each in versions):
            raise ApprovalNeeded("The published version waits for a second person's approval.")
        raise _not_in_force(versions, scope.clock())
    return definition, CampaignBody.model_validate(definition.body)


def _not_in_force(versions: Sequence[Definition], now: Instant) -> CampaignNotInForce:
    """Why nothing holds, and what to do about it."""
    begins = min((each.effective_from for each in versions if each.effective_from is not None and each.effective_from > now), default=None)
    if begins is not None:
        return CampaignNotInForce(f"Its version holds from {format_rfc3339(begins)}.", retry_after=-(-(begins - now) // SECOND))
    if any(each.status == "draft" for each in versions):
        return CampaignNotInForce("It is a draft: publish it first.")
    return CampaignNotInForce("It was retired.")


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
            with aside():
                repository.set_gates(campaign, is_open=step.gates, revision=revision, effort=scope.effort)
        try:
            return _commit(scope, repository, run, replace(step, run=after), correlation)
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
        next_at=_text(run.next_at),
    )


def _commit(scope: TenantScope, repository: CampaignRepository, before: Run, step: Turn, correlation: str) -> Run:
    now, after = scope.clock(), step.run
    data: dict[str, object] = {"campaign": after.campaign, "version": after.version, "state": after.state}
    told = [DomainEvent(type_, now, data | {**more}) for type_, more in step.also]
    if step.told is not None:
        told.append(DomainEvent(step.told, now, data | {**step.more}))
    out = envelope(told, Stamp(now, correlation))

    def plan(stale: Stale) -> Plan[Run]:
        if stale:
            raise _Moved
        batch = WriteBatch()
        repository.add_run(batch, after, before.revision, out)
        return Plan(batch, after)

    return commit(scope.table, plan, effort=scope.effort())


def _started(scope: TenantScope, run: Run, body: CampaignBody, told: str) -> Turn:
    trigger, now = body.trigger, scope.clock()
    if isinstance(trigger, OnceTrigger):
        at = trigger.instant
        if run.launched_at is None and at is not None and at > now:
            return Turn(replace(run, state="scheduled", scheduled_for=at), gates=None, told=None)
        return _sending(run, now, told)
    active = replace(run, state="active", launched_at=run.launched_at or now)
    if not isinstance(trigger, RecurringTrigger):
        return Turn(active, gates=True, told=told)
    following = first_after(trigger, scope.definitions.settings.time_zone, now)
    if following is None:
        return _completed(active, now)
    return Turn(replace(active, next_at=following.at), gates=True, told=told)


def _sending(run: Run, now: Instant, told: str) -> Turn:
    state: CampaignState = "sending"
    return Turn(replace(run, state=state, launched_at=run.launched_at or now, ended_at=None), gates=True, told=told)


def _text(instant: Instant | None) -> str | None:
    return None if instant is None else format_rfc3339(instant)
