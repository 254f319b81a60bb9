"""Every id that one person is, or was, known by."""

from __future__ import annotations

from shared.erasure.repository import ErasureRepository
from shared.kernel.ids import is_id
from shared.member_state.errors import UnknownMember
from shared.member_state.repository import StateRepository
from shared.tenants.scope import TenantScope


def ids_of(scope: TenantScope, member: str) -> frozenset[str]:
    """The id, that of who she is by now, and those of all who were merged into her; also of who was erased since.

    An id that nobody has: itself alone. 1 Query, one more of an id that was merged, 1 read unit of who was erased.
    """
    if not is_id("mbr", member):
        return frozenset({member})
    try:
        state = StateRepository(scope.tenant, scope.table).stands(member).state
    except UnknownMember:
        return frozenset({member})
    former = tuple(state.former)
    if state.status == "erased":
        record = ErasureRepository(scope.tenant, scope.table).get(state.member)
        former = record.traces.former if record is not None else ()
    return frozenset({member, state.member, *former})
