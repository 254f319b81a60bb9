"""Tiers: reached by points earned inside a window of local days, kept until their validity ends. Pure."""

from __future__ import annotations

from shared.kernel.instants import Instant, day_start, local_day
from shared.member_state.events import Effects
from shared.member_state.model import MemberState, Tier
from shared.member_state.view import FoldView
from shared.profile.rules import window
from shared.programmes.model import TierRule


def points_dimension(wallet: str) -> str:
    """The dimension of a daily cell that counts points earned in a wallet."""
    return f"p:{wallet}"


def points_in_window(state: MemberState, view: FoldView, at: Instant) -> int:
    """Points earned in the last ``tier_window_days`` local days, today included."""
    today = local_day(at, view.zone)
    return window(state.profile, today - view.tier_window_days + 1, today, points_dimension(view.tier_wallet)).value


def reached(view: FoldView, points: int) -> TierRule | None:
    """The highest tier whose threshold the points meet."""
    return next((tier for tier in reversed(view.tiers) if points >= tier.threshold), None)


def next_tier(view: FoldView, points: int) -> tuple[TierRule, int] | None:
    """The tier after the one reached, and how many points are missing."""
    return next(((tier, tier.threshold - points) for tier in view.tiers if tier.threshold > points), None)


def settle_tier(state: MemberState, view: FoldView, at: Instant, effects: Effects) -> None:
    """Rise at once; fall only when the tier held has run out, to what the window still supports."""
    if not view.tiers and state.tier is None:
        return
    ranks = {tier.id: rank for rank, tier in enumerate(view.tiers)}
    now_reached = reached(view, points_in_window(state, view, at))
    held = state.tier
    ran_out = held is not None and (held.until <= at or held.id not in ranks)
    if now_reached is None:
        if ran_out:
            _change(state, None, at, effects)
        return
    until = day_start(local_day(at, view.zone) + now_reached.valid_days + 1, view.zone)
    if held is not None and held.id == now_reached.id:
        held.until = max(held.until, until)
    elif held is None or ran_out or ranks[now_reached.id] > ranks[held.id]:
        _change(state, Tier(now_reached.id, at, until), at, effects)


def _change(state: MemberState, tier: Tier | None, at: Instant, effects: Effects) -> None:
    before, state.tier = state.tier, tier
    effects.tell("tier.changed", at, {"from": before.id if before else None, "to": tier.id if tier else None})
