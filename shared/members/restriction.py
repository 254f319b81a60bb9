"""Restriction of processing (Art. 18 GDPR). One conditional transaction; saying the same again writes nothing.

While it stands her data are stored, and used for what the membership owes her: her points, coupons and tier go on at the till. She is in no
segment, audience, campaign, export or statistics, and no offer is chosen for her. Each restriction and each lifting leaves a record
beside her consents, for ever.
"""

from __future__ import annotations

from typing import Any, Final

from shared.kernel.instants import format_rfc3339
from shared.member_state.effects import Effects
from shared.member_state.model import MemberState
from shared.member_state.own_events import RestrictionChanged
from shared.member_state.service import Change, Done, Occasion, change_member
from shared.members.model import ConsentRecord
from shared.members.repository import MemberRepository
from shared.members.rights_api import RestrictionAnswer, RestrictionRequest
from shared.storage.commit import Stale
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope

PURPOSE: Final = "restriction"
"""The purpose of such a record; its channel is the reason, and ``granted`` says that processing is restricted."""


def set_restriction(
    scope: TenantScope, member: str, request: RestrictionRequest, actor: str, correlation: str = ""
) -> RestrictionAnswer:
    """Restrict, or lift: in the same commit she leaves every segment, or comes back into those that are true of her.

    Who lifts what she has not lifted herself has her told of it (``shared.members.notices``, by the commit's event).
    """
    now, repository = scope.clock(), MemberRepository(scope.tenant, scope.table)

    def decide(state: MemberState, _stale: Stale) -> Change[RestrictionAnswer] | Done[RestrictionAnswer]:
        stood = state.restriction.reason if state.restriction is not None else None
        if stood == request.reason:
            return Done(_answer(state))
        by_herself = actor == state.member
        record = ConsentRecord(
            PURPOSE, request.reason or stood or "", request.restricted, "", now, "app" if by_herself else "tenant", actor
        )

        def finish(after: MemberState, _effects: Effects, batch: WriteBatch) -> RestrictionAnswer:
            repository.add_consents(batch, after.member, (record,), now)
            return _answer(after)

        return Change([RestrictionChanged(now, request.reason, by_herself)], finish)

    return change_member(scope, member, Occasion(now, correlation), decide)


def _answer(state: MemberState) -> RestrictionAnswer:
    stands = state.restriction
    if stands is None:
        return RestrictionAnswer(member_id=state.member, restricted=False)
    reason: Any = stands.reason
    return RestrictionAnswer(member_id=state.member, restricted=True, reason=reason, since=format_rfc3339(stands.since))
