"""Asking to be forgotten, and the certificate. What is asked holds at once: from that write on she is no member any more.

The rest is carried out by a worker (``shared.erasure.working``), which the commit's event wakes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from shared.erasure.api import ErasureAnswer, ErasureStep
from shared.erasure.errors import UnknownErasure
from shared.erasure.model import STEPS, Erasure, Traces
from shared.erasure.repository import ErasureRepository
from shared.kernel.ids import new_id
from shared.kernel.instants import format_rfc3339
from shared.member_state.effects import Effects
from shared.member_state.erasing import Erased
from shared.member_state.errors import ErasedMember
from shared.member_state.model import MemberState
from shared.member_state.repository import StateRepository
from shared.member_state.service import Change, Done, Occasion, change_member
from shared.storage.commit import Stale
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope

BY_HERSELF: Final = "member"
"""In place of who asked, where it was she herself."""


def ask(scope: TenantScope, member: str, actor: str, correlation: str = "") -> ErasureAnswer:
    """Forget a member, as ``actor`` asks: the id of a key, or hers. Asking again answers the same erasure. ``UnknownMember``.

    One Query and one transaction: her state without anything of her, a ledger entry for what was left of her points, the erasure.
    """
    now, repository = scope.clock(), ErasureRepository(scope.tenant, scope.table)
    id_ = new_id("era", now)

    def decide(state: MemberState, _stale: Stale) -> Change[Erasure]:
        traces = Traces(state.version + 1, tuple(sorted(state.coupons)), tuple(sorted(state.segments)), (), tuple(state.former))
        asked_by = BY_HERSELF if actor == state.member else actor
        erasure = Erasure(id_, state.member, asked_by, now, correlation, traces=traces)

        def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> Erasure:
            repository.add_new(batch, erasure)
            return erasure

        return Change([Erased(now, id_)], finish)

    try:
        return _answer(change_member(scope, member, Occasion(now, correlation), decide))
    except ErasedMember:
        return certificate(scope, member)


def ask_for(scope: TenantScope, member: str, actor: str, holds: Callable[[MemberState], bool], correlation: str = "") -> bool:
    """Forget her if something is true of her at that very moment; whether it was. As ``ask``; who is forgotten already is left so."""
    now, repository = scope.clock(), ErasureRepository(scope.tenant, scope.table)
    id_ = new_id("era", now)

    def decide(state: MemberState, _stale: Stale) -> Change[bool] | Done[bool]:
        if not holds(state):
            return Done(False)
        traces = Traces(state.version + 1, tuple(sorted(state.coupons)), tuple(sorted(state.segments)))
        erasure = Erasure(id_, state.member, actor, now, correlation, traces=traces)

        def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> bool:
            repository.add_new(batch, erasure)
            return True

        return Change([Erased(now, id_)], finish)

    return change_member(scope, member, Occasion(now, correlation), decide)


def certificate(scope: TenantScope, member: str) -> ErasureAnswer:
    """How far the erasure is, or that it is complete; also when nothing else is known of her. 1 read unit.

    ``UnknownErasure`` for a member who is one, ``UnknownMember`` for anybody else.
    """
    repository = ErasureRepository(scope.tenant, scope.table)
    erasure = repository.get(member)
    if erasure is None:
        # An old id of one who was merged leads to her certificate, too.
        hers = StateRepository(scope.tenant, scope.table).stands(member).state.member
        erasure = repository.get(hers) if hers != member else None
    if erasure is None:
        raise UnknownErasure
    return _answer(erasure)


def _answer(erasure: Erasure) -> ErasureAnswer:
    completed = erasure.done[STEPS[-1]] if erasure.status == "completed" else None
    return ErasureAnswer(
        erasure_id=erasure.id,
        member_id=erasure.member,
        status=erasure.status,
        asked_by=erasure.asked_by,
        accepted_at=format_rfc3339(erasure.accepted_at),
        completed_at=format_rfc3339(completed) if completed is not None else None,
        steps=tuple(ErasureStep(step=step, at=format_rfc3339(erasure.done[step])) for step in STEPS if step in erasure.done),
        counts=dict(erasure.counts),
    )
