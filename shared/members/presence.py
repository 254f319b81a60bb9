"""That a member signed in is activity: noted where the tenant erases inactive members, once a day at most."""

from __future__ import annotations

from shared.kernel.errors import AppError
from shared.kernel.instants import DAY
from shared.member_state.activity import last_activity
from shared.member_state.own_events import SignedIn
from shared.member_state.repository import StateRepository
from shared.member_state.service import Change, Occasion, change_member
from shared.observability.logs import logger
from shared.storage.errors import StorageError
from shared.tenants.scope import TenantScope


def note_sign_in(scope: TenantScope, member: str) -> None:
    """A Query where there is retention, and a transaction where nothing else was noted for a day. Nobody's sign-in fails by it."""
    if scope.definitions.settings.retention.inactive_months is None:
        return
    now = scope.clock()
    try:
        loaded = StateRepository(scope.tenant, scope.table).load(member)
        if last_activity(loaded.state) + DAY <= now:
            change_member(scope, member, Occasion(now), lambda *_: Change([SignedIn(now)], lambda *_: None), loaded=loaded)
    except (AppError, StorageError) as error:
        logger().warning("sign-in not noted", extra={"member": member, "reason": type(error).__name__})
