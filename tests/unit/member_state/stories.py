"""Steps of worked cases as events: dates are noon of the tenant's day."""

from __future__ import annotations

from shared.kernel.instants import HOUR, Instant, day_of, day_start
from shared.member_state.effects import Effects
from shared.member_state.events import Purchased, Registered
from shared.member_state.model import MemberState
from shared.member_state.rules import apply
from shared.member_state.view import Views
from shared.profile.model import Visit
from shared.wallet.model import Posting
from tests.builders.views import ZONE

SPEND = 10
"""Minor units to a point, in these stories."""


def noon(date: str) -> Instant:
    """Twelve hours into a local day; one without an hour is not met here."""
    return day_start(day_of(date), ZONE) + 12 * HOUR


def starts(date: str) -> Instant:
    """The first instant of a local day."""
    return day_start(day_of(date), ZONE)


def joined(views: Views, at: Instant, effects: Effects | None = None) -> MemberState:
    """A member who has just joined."""
    state = MemberState("demo", "mbr_1", as_of=at)
    apply(state, Registered(at, "app", ""), views, effects=effects)
    state.version = 1
    return state


def bought(number: int, at: Instant, points: int) -> Purchased:
    """A purchase that earns points for ever and is one visit."""
    value = points * SPEND
    return Purchased(at, f"txn_{number}", Visit(at, value, 1000, {"v:visits": 1}), (Posting("points", "earn", points),))
