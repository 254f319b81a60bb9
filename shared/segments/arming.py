"""When a tenant switches retention on, or changes it, everybody is looked at once: who sleeps has no timer that would wake her.

The walk is that of definitions (``shared.segments.fan_out``), begun and gone on with by the minute's sweep until it is complete. From then
on each member's own timer is enough. It erases nobody and warns nobody by itself: whoever is inactive is told of, and warned by that.
"""

from __future__ import annotations

from typing import Final

from shared.kernel.errors import AppError, Gone, NotFound
from shared.member_state import activity
from shared.member_state.events import TimePassed
from shared.member_state.repository import StateRepository
from shared.member_state.service import Change, Occasion, change_member
from shared.observability.logs import logger
from shared.segments.fan_out import Walk
from shared.storage.errors import StorageError
from shared.tenants.scope import TenantScope

_KIND: Final = "retention"


def go_on(scope: TenantScope) -> bool:
    """Look at members until all have been, or time is short. Half a read unit where there is nothing to do; none without retention."""
    retention = scope.definitions.settings.retention
    if retention.inactive_months is None or scope.definitions.settings.status != "active":
        return True
    return Walk(scope, _KIND, "inactive", 1, retention.since, arm).run()


def arm(scope: TenantScope, member: str) -> bool:
    """Give a member the timer that she needs, or tell of her at once. A read, and a write for who has no timer that early."""
    now = scope.clock()
    try:
        loaded = StateRepository(scope.tenant, scope.table).load(member)
        due, timer = activity.next_due(loaded.state, scope.definitions.fold_at(now)), loaded.state.timer
        if loaded.state.is_considered and (timer is None or due < timer):
            change_member(scope, member, Occasion(now), lambda *_: Change([TimePassed(now)], lambda *_: None), loaded=loaded)
    except (NotFound, Gone):
        return True
    except (AppError, StorageError) as error:
        logger().warning("not armed", extra={"tenant": scope.tenant, "member": member, "reason": type(error).__name__})
        return False
    return True
