"""What counts as doing something, and what becomes of a member who does nothing for long. Pure.

Activity is a purchase, a sign-in, whatever she or her app does with us (a device, points, a reward, a coupon, a form, an event), and
a click in a message. A message that was opened is none: mail programs open by themselves. Nor is what staff or time do to her.

    so many months without activity -> told (``member.inactive``) -> a worker warns her, and notes when -> so many days later told
    (``member.inactivity_ended``) -> a worker erases her, if nothing has happened meanwhile

The days count from the warning that was really handed over, so that nobody is erased without one, whatever was late. Whatever she does
ends it. While her data are restricted nothing of it happens: she may need them.
"""

from __future__ import annotations

import calendar
from dataclasses import replace
from datetime import date
from typing import Final

from shared.kernel.instants import DAY, NEVER, Instant, date_of, day_number, day_start, local_day, wall_instant, wall_minute
from shared.member_state import events as happened
from shared.member_state.effects import Effects
from shared.member_state.events import MemberEvent
from shared.member_state.model import Inactivity, MemberState
from shared.member_state.own_events import RestrictionChanged, SignedIn, WarnedOfInactivity
from shared.member_state.view import FoldView

MINUTE_OF_DAY: Final = 600
"""Warnings and erasures begin at ten in the morning, on her wall clock."""
LATE: Final = 2 * DAY
"""Who was not erased in time, because her tenant was suspended or a system stood still, is warned once more."""
_OWN: Final = (
    happened.DevicesChanged, happened.IdentifierAdded, happened.PointsConverted, happened.RewardClaimed, happened.HoldPlaced, SignedIn,
)
_RESPONSES: Final = ("event.", "form.", "message.clicked")


def is_activity(event: MemberEvent) -> bool:
    """Whether an event is something that she did, beside purchases, which her profile knows."""
    if isinstance(event, happened.Responded):
        return event.type.startswith(_RESPONSES)
    if isinstance(event, happened.CouponChanged):
        return event.to in ("held", "redeemed")
    if isinstance(event, RestrictionChanged):
        return event.by_herself
    return isinstance(event, _OWN)


def last_activity(state: MemberState) -> Instant:
    """When she last did something; her joining to begin with."""
    clicks = max((touch.clicked_at or 0 for touch in state.touches), default=0)
    told = max((track.last_at for track in state.profile.events.values()), default=0)
    return max(state.joined_at, state.profile.last_at or 0, state.active_at, clicks, told)


def note(state: MemberState, event: MemberEvent) -> None:
    """After an event was applied: whatever she did ends what inactivity began."""
    if is_activity(event):
        state.active_at = max(state.active_at, event.at)
    if state.inactivity is not None and last_activity(state) > state.inactivity.told_at:
        state.inactivity = None


def inactive_from(state: MemberState, view: FoldView) -> Instant:
    """When she counts as inactive, if she goes on doing nothing; ``NEVER`` where nobody does."""
    months = view.retention.inactive_months
    if months is None:
        return NEVER
    zone = state.zone or view.zone
    return wall_instant(_months_later(local_day(last_activity(state), zone), months), MINUTE_OF_DAY, zone)


def inactive_before(months: int, now: Instant, zone: str) -> Instant:
    """Whose last activity was on a local day before this instant is inactive now."""
    today = local_day(now, zone) - int(wall_minute(now, zone) < MINUTE_OF_DAY)
    day = _months_later(today, -months)
    while _months_later(day + 1, months) <= today:
        day += 1
    return day_start(day + 1, zone)


def next_due(state: MemberState, view: FoldView) -> Instant:
    """When the next step of it falls due by time alone. What imported history has passed over is not asked for again by it."""
    due = _due(state, view)
    return NEVER if due <= state.as_of and not view.gifts else due


def is_overdue(state: MemberState, view: FoldView) -> bool:
    """Whether imported history has passed over it: the present tells of it, as soon as it can."""
    return not view.gifts and _due(state, view) <= state.as_of


def settle_due(state: MemberState, view: FoldView, at: Instant, effects: Effects) -> None:
    """Tell what is due by ``at``."""
    if next_due(state, view) > at:
        return
    if state.inactivity is None:
        state.inactivity = Inactivity(at)
        effects.tell("member.inactive", at, {"months": view.retention.inactive_months or 0})
    else:
        state.inactivity = replace(state.inactivity, is_over=True)
        effects.tell("member.inactivity_ended", at)


def _due(state: MemberState, view: FoldView) -> Instant:
    idle = state.inactivity
    if view.retention.inactive_months is None or not state.is_considered:
        return NEVER
    if idle is None:
        return inactive_from(state, view)
    return _ends(idle, view) if idle.warned_at and not idle.is_over else NEVER


def is_over(state: MemberState, view: FoldView) -> bool:
    """Whether she may be erased now: warned, told that the days are over, and nothing has happened since."""
    idle = state.inactivity
    stands = view.retention.inactive_months is not None and state.is_considered
    return stands and idle is not None and idle.warned_at > 0 and idle.is_over and _ends(idle, view) <= state.as_of


def signed_in(_state: MemberState, _event: SignedIn, _view: FoldView, _at: Instant, _effects: Effects) -> str:
    """Nothing else changes by it, and nothing is told."""
    return "time"


def warned(state: MemberState, _event: WarnedOfInactivity, _view: FoldView, at: Instant, effects: Effects) -> str:
    """The days begin to count, also for who was warned before."""
    if state.inactivity is not None:
        state.inactivity = Inactivity(state.inactivity.told_at, at)
        effects.tell("member.inactivity_warned", at)
    return "member.inactivity_warned"


def _ends(idle: Inactivity, view: FoldView) -> Instant:
    return idle.warned_at + view.retention.warn_days * DAY


def _months_later(day: int, months: int) -> int:
    """The same day of a later month; its last where it has no such day."""
    begins = date_of(day)
    year, month = divmod(begins.year * 12 + begins.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return day_number(date(year, month + 1, min(begins.day, last)))
