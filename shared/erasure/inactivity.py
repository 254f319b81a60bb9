"""Warning and erasing members who do nothing, as their own timers tell (``shared.member_state.activity``), by a worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.erasure.service import ask_for
from shared.kernel.instants import DAY, format_day, local_day
from shared.member_state import activity
from shared.member_state.own_events import WarnedOfInactivity
from shared.member_state.service import Change, Done, Occasion, change_member, view_member
from shared.members.notices import Desk, NotHandedOver, notify
from shared.observability.measures import count_retention
from shared.tenants.scope import TenantScope

TYPES: Final = frozenset({"member.inactive", "member.inactivity_ended"})
ACTOR: Final = "retention"
"""In place of who asked for an erasure."""


class Suspended(NotHandedOver):
    """Nothing is begun while the tenant is suspended: the message comes again, and in the end waits among the dead letters."""


def carry_out(scope: TenantScope, member: str, event: Mapping[str, Any], desk: Desk, correlation: str = "") -> None:
    """Warn her, or erase her. ``ErasedMember``, ``UnknownMember``; ``NotHandedOver``."""
    if scope.definitions.settings.status != "active":
        raise Suspended("the tenant is suspended")
    if event["type"] == "member.inactive":
        _warn(scope, member, event["occurred_at"], desk, correlation)
        return
    now = scope.clock()
    if now > event["occurred_at"] + activity.LATE:
        # She could not sign in while it was due, or was not told in time that it still is.
        _warn(scope, member, now, desk, correlation)
        return
    view = scope.definitions.fold_at(now)
    if ask_for(scope, member, ACTOR, lambda state: activity.is_over(state, view), correlation):
        count_retention("erased")


def _warn(scope: TenantScope, member: str, at: int, desk: Desk, correlation: str) -> None:
    """The message first, the note of it after it: the days never count without one."""
    now, settings = scope.clock(), scope.definitions.settings
    state = view_member(scope, member, now)
    if state.inactivity is None or settings.retention.inactive_months is None:
        return
    last_day = local_day(now, state.zone or settings.time_zone) + settings.retention.warn_days
    beyond_the_inbox = notify(scope, state, "inactive", at, {"day": format_day(last_day)}, desk)

    def decide(current: Any, _stale: Any) -> Change[None] | Done[None]:
        if current.inactivity is None or current.inactivity.warned_at + DAY > now:
            return Done(None)
        return Change([WarnedOfInactivity(now)], lambda *_: None)

    change_member(scope, state.member, Occasion(now, correlation), decide)
    count_retention("warned" if beyond_the_inbox else "warned_in_the_inbox_alone")
