"""Approval by a second person: of exactly one published version, by anybody but who published it.

While a tenant wants it (``settings.messaging.approval``), a campaign's version that is published holds from no instant: whatever held
before goes on for everybody, until another person approves the new one. Then it takes effect like a publication, two cache times later.
"""

from __future__ import annotations

from dataclasses import replace as changed

from shared.definitions.errors import NothingToApprove, OwnWork, UnknownDefinition
from shared.definitions.model import Definition
from shared.definitions.references import named_offers
from shared.definitions.service import OnPublish, begins_by_itself, check, get, lead, rewrite, told_of
from shared.kernel.instants import Instant
from shared.member_state.effects import DomainEvent
from shared.tenants.scope import TenantScope


def approve(
    scope: TenantScope, campaign: str, version: int, actor: str, cache_seconds: float, *, prepare: OnPublish, correlation: str = ""
) -> Definition:
    """Approve a version of a campaign; again changes nothing. What it names is checked once more where it waited.

    ``OwnWork`` for who published it; ``NothingToApprove`` for a draft or a version that was retired. One or two Queries, and one write
    that carries ``campaign.approved`` and, where it waited, ``definition.published``.
    """
    newest = get(scope, "campaign", campaign)
    known = scope.repository.load(named_offers("campaign", newest.body))
    versions = [each for each in known.definitions if (each.kind, each.id) == ("campaign", campaign)]
    found = next((each for each in versions if each.version == version), None)
    if found is None:
        raise UnknownDefinition
    if found.status != "published":
        raise NothingToApprove(f"The version is {'a draft' if found.status == 'draft' else 'retired'}.")
    if found.published_by == actor:
        raise OwnWork("Who published a version does not approve it: ask another person.")
    if found.approved_by:
        return found
    now = scope.clock()
    audit = DomainEvent("campaign.approved", now, {"campaign": campaign, "version": version, "actor": actor})
    approved = changed(found, approved_by=actor, revision=found.revision + 1, changed_at=now)
    if found.wanted_from is None:
        return rewrite(scope, found, approved, (audit,), correlation)
    since = max([found.wanted_from, now + lead(cache_seconds), *(each.effective_from or 0 for each in versions)])
    if found.version != newest.version:
        known = scope.repository.load(named_offers("campaign", found.body))
    check(scope, known, found, since, ())
    approved = _in_force_from(approved, since)
    prepare(scope, approved)
    return rewrite(scope, found, approved, (audit, told_of(approved)), correlation)


def _in_force_from(approved: Definition, since: Instant) -> Definition:
    epoch = since if begins_by_itself(approved.kind, approved.body) else 0
    return changed(approved, effective_from=since, wanted_from=None, epoch=epoch)
