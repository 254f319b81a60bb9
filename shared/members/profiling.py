"""Profiling: a member may object to it, and allow it again. One conditional transaction; saying the same again writes nothing.

Her cells are kept all the same, because tiers, limits and returns count with them; nothing that concludes from them reads them.
"""

from __future__ import annotations

from shared.member_state.effects import Effects
from shared.member_state.events import ProfilingChanged
from shared.member_state.model import MemberState
from shared.member_state.service import Change, Done, Occasion, change_member
from shared.members.profile_api import ProfilingAnswer, ProfilingRequest
from shared.storage.commit import Stale
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope


def set_profiling(scope: TenantScope, member: str, request: ProfilingRequest, correlation: str = "") -> ProfilingAnswer:
    """Record whether her behaviour may be looked at. In the same commit she leaves every segment that does."""
    now = scope.clock()

    def decide(state: MemberState, _stale: Stale) -> Change[ProfilingAnswer] | Done[ProfilingAnswer]:
        if state.profiled == request.allowed:
            return Done(_answer(state))

        def finish(after: MemberState, _effects: Effects, _batch: WriteBatch) -> ProfilingAnswer:
            return _answer(after)

        return Change([ProfilingChanged(now, request.allowed)], finish)

    return change_member(scope, member, Occasion(now, correlation), decide)


def _answer(state: MemberState) -> ProfilingAnswer:
    return ProfilingAnswer(member_id=state.member, allowed=state.profiled)
