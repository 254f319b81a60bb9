"""She signs in with Apple no more: what Apple gave for it is revoked there, by a worker that hears of the commit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.member_state.service import view_member
from shared.members.notices import NotHandedOver
from shared.members.repository import MemberRepository
from shared.observability.logs import logger
from shared.tenants.apple_client import AppleSide, forget_token, revoke_token
from shared.tenants.scope import TenantScope

TYPES: Final = frozenset({"member.identifier_removed"})


def unlink(scope: TenantScope, member: str, event: Mapping[str, Any], apple: AppleSide) -> None:
    """Revoke and delete what is kept, also of those who were merged into her. Done again there is nothing left to do.

    ``NotHandedOver`` where Apple does not answer. Where Apple told of it itself, nothing is kept any more. ``ErasedMember``.
    """
    if event["data"]["kind"] != "apple":
        return
    state = view_member(scope, member, scope.clock())
    held = MemberRepository(scope.tenant, scope.table).held(state.member)
    if any(kind == "apple" for kind, _ in held):
        # She has signed in with it again: what is kept is of that.
        return
    for each in (state.member, *state.former):
        try:
            outcome = revoke_token(scope, each, apple)
        except OSError:
            raise NotHandedOver("apple") from None
        forget_token(scope, each)
        if outcome is not None:
            logger().info("unlinked from apple", extra={"member": each, "revoked": outcome})
