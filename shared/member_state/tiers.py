"""Tiers: when she rises, how long she stays, what she falls to, and what rising gives. Pure.

She rises at once with what the window counts, or (``next_period``) when a calendar period begins, with what the one before
counted. She falls only when the level held has run out: to what her windows support, or by one step, or onto the floor set
by hand. A level that came only of a purchase that has come back goes with it (``returned``).

A late purchase counts on its own day and is decided on when it arrives: she rises then, and the validity runs from then.
A new version of the scheme changes nothing by itself: what she holds is judged by it when it runs out or something happens.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.kernel.instants import NEVER, Instant, day_start, local_day
from shared.member_state.effects import Effects
from shared.member_state.events import TierSet
from shared.member_state.model import MAX_TIER_SPANS, MemberState, Tier, TierSpan
from shared.member_state.promising import give_coupon, may_have
from shared.member_state.tier_windows import (
    CALENDAR,
    counted_in_period,
    first_day,
    higher,
    kept_from_period,
    kept_from_step,
    metric_so_far,
    period_of,
    points_dimension,
    reached,
    remembered,
    remembers_since,
    supported,
)
from shared.member_state.view import FoldView
from shared.programmes.terms import TierLevel, TierScheme

__all__ = ["TierProgress", "points_dimension", "progress", "set_by_hand", "settle_due", "settle_tier", "tier_at", "tier_due"]


@dataclass(frozen=True, slots=True)
class TierProgress:
    """Where she stands: ``3 more to reach Gold``."""

    tier: str | None
    projected: str | None
    """The level that what was counted so far gives: at once, or at the next period's start."""
    next: TierLevel | None
    """The level to aim for: above the one held and the one projected; with ``next_period`` above the one projected, which
    may be the one held: so much is missing to keep it."""
    missing: int
    """What is missing to it, in points, minor units or visits; 0 where there is none."""
    metric: int
    until: Instant | None
    """Until when the level held is kept; ``None`` without one."""


def settle_tier(
    state: MemberState,
    view: FoldView,
    at: Instant,
    effects: Effects,
    *,
    returned: Instant | None = None,
    afresh: bool = False,
    renews: bool = True,
    cause: str | None = None,
) -> None:
    """Bring the tier to what holds at ``at``, and tell it if it changed.

    ``returned`` is the instant of a purchase that came back. ``afresh``: what is held counts no more, only what she has reached
    with her purchases. ``renews``: something was counted, so that a level that the window still supports is kept from now.
    Cost: one pass over the daily cells, or a few.
    """
    held, floor, scheme = state.tier, state.tier_floor, view.scheme
    if floor is not None and floor.until <= at:
        state.tier_floor, floor = None, None
        afresh = afresh or (held is not None and held.until <= at)
    if scheme is None:
        if held is not None:
            _change(state, None, at, effects, cause)
        return
    ranks = _ranks(scheme)
    afresh = afresh or _counts_no_more(state, scheme) or (returned is not None and _undone(state, view, scheme, returned, at))
    target = _target(state, view, scheme, at, afresh=afresh, renews=renews and returned is None)
    floored = floor is not None and floor.id in ranks and _rank(ranks, target) < ranks[floor.id]
    if floor is not None and floored:
        target = Tier(floor.id, at, floor.until)
    if held is not None and target is not None and held.id == target.id:
        held.until = target.until
    elif held is not target:
        _change(state, target, at, effects, cause)
        _give_offers(state, view, scheme, held, at, effects)


def set_by_hand(state: MemberState, event: TierSet, view: FoldView, at: Instant, effects: Effects) -> None:
    """A floor is set, or taken away. What only the floor before had held up is judged by her purchases again."""
    held, before = state.tier, state.tier_floor
    held_up = held is not None and before is not None and held.id == before.id and held.until <= before.until
    state.tier_floor = Tier(event.tier, at, event.until) if event.tier is not None else None
    settle_tier(state, view, at, effects, afresh=held_up, renews=False, cause="manual")


def unite(state: MemberState, other: MemberState, view: FoldView, at: Instant, effects: Effects) -> None:
    """She and another turned out to be one: the better of both tiers and floors, then what they have counted together. Nobody falls by it.

    Offers of the level that the other held were hers already; those of a level that only both together reach are given.
    """
    if view.scheme is not None:
        ranks = _ranks(view.scheme)
        state.tier_floor = _better(ranks, state.tier_floor, other.tier_floor)
        held, best = state.tier, _better(ranks, state.tier, other.tier)
        if held is not None and best is not None and held.id == best.id:
            held.until = best.until
        elif best is not held:
            _change(state, best, at, effects, "member.united")
    settle_tier(state, view, at, effects)


def settle_due(state: MemberState, view: FoldView, at: Instant, effects: Effects) -> None:
    """Settle if the tier or its floor has run out, or a period begins whose predecessor decides."""
    scheme = view.scheme
    ran_out = any(each is not None and each.until <= at for each in (state.tier, state.tier_floor))
    if ran_out or (scheme is not None and scheme.entry == "next_period" and at == _period_start(scheme, at, view.zone)):
        settle_tier(state, view, at, effects, renews=False)


def tier_due(state: MemberState, view: FoldView) -> Instant:
    """When the tier may change by time alone: it or its floor runs out, or she enters another level as a period begins.

    The start of a period is waited for only if the present one has counted enough to change something.
    """
    due = min((each.until for each in (state.tier, state.tier_floor) if each is not None), default=NEVER)
    programme, scheme = view.tiered, view.scheme
    if programme is None or scheme is None or scheme.entry != "next_period":
        return due
    period = period_of(scheme.window, local_day(state.as_of, view.zone))
    level = reached(scheme, counted_in_period(state, programme, scheme, period))
    if level is None:
        return due
    ranks, held = _ranks(scheme), state.tier
    rises = ranks[level.id] > _rank(ranks, held)
    stays_longer = held is not None and held.id == level.id and held.until < kept_from_period(scheme, level, period, view.zone)
    return min(due, day_start(first_day(scheme.window, period + 1), view.zone)) if rises or stays_longer else due


def tier_at(state: MemberState, at: Instant) -> str | None:
    """The tier at an earlier instant, for a sale that arrives late.

    ``MAX_TIER_SPANS`` changes are remembered. Before all of them she had none, or, where some were forgotten, the oldest known.
    """
    spans = state.tier_spans
    if not spans:
        return state.tier.id if state.tier is not None and state.tier.since <= at else None
    before_all = spans[-1].id if len(spans) >= MAX_TIER_SPANS else None
    return next((span.id for span in spans if span.since <= at), before_all)


def progress(state: MemberState, view: FoldView, at: Instant) -> TierProgress:
    """Where she stands at ``at``; without a scheme nothing is projected."""
    held, programme, scheme = state.tier, view.tiered, view.scheme
    tier, until = (held.id, held.until) if held is not None else (None, None)
    if programme is None or scheme is None:
        return TierProgress(tier, None, None, 0, 0, until)
    metric = metric_so_far(state, programme, scheme, at, view.zone)
    projected = reached(scheme, metric)
    ranks = _ranks(scheme)
    above = ranks[projected.id] if projected is not None else -1
    if scheme.entry == "at_once":
        above = max(above, _rank(ranks, held))
    ahead = scheme.levels[above + 1] if above + 1 < len(scheme.levels) else None
    missing = max(ahead.threshold - metric, 0) if ahead is not None else 0
    return TierProgress(tier, projected.id if projected is not None else None, ahead, missing, metric, until)


def _target(state: MemberState, view: FoldView, scheme: TierScheme, at: Instant, *, afresh: bool, renews: bool) -> Tier | None:
    """What she holds from now on, floors left aside."""
    ranks, held = _ranks(scheme), state.tier
    if afresh:
        return remembered(state, view, at)
    earned = supported(state, view, at)
    if held is None:
        return earned
    if held.until > at:
        if earned is None or ranks[earned.id] < ranks[held.id]:
            return held
        # A calendar period renews by itself what it was enough for.
        same = earned.id == held.id
        return held if same and not (renews or scheme.window in CALENDAR) else higher(scheme, held, earned)
    one_step = scheme.downgrade == "one_step" and _rank(ranks, earned) < ranks[held.id] - 1
    if not one_step:
        return earned
    level = scheme.levels[ranks[held.id] - 1]
    return Tier(level.id, at, kept_from_step(scheme, level, at, view.zone))


def _counts_no_more(state: MemberState, scheme: TierScheme) -> bool:
    """Whether what she holds is of an earlier version of the scheme: a level that is gone, or one that was for everybody."""
    held = state.tier
    if held is None:
        return False
    level = next((each for each in scheme.levels if each.id == held.id), None)
    floor = state.tier_floor
    by_hand_for_ever = floor is not None and floor.id == held.id and floor.until >= NEVER
    return level is None or (held.until >= NEVER and level.threshold > 0 and not by_hand_for_ever)


def _undone(state: MemberState, view: FoldView, scheme: TierScheme, returned: Instant, at: Instant) -> bool:
    """Whether she rose to what she holds since that purchase, and without it never would have, as far as the cells reach back."""
    held = state.tier
    if held is None or held.since < returned or not remembers_since(scheme, held.since, at, view.zone):
        return False
    ranks = _ranks(scheme)
    before = state.tier_spans[1].id if len(state.tier_spans) > 1 else None
    rose = before is None or ranks.get(before, -1) < ranks.get(held.id, -1)
    return rose and _rank(ranks, remembered(state, view, at)) < _rank(ranks, held)


def _change(state: MemberState, tier: Tier | None, at: Instant, effects: Effects, cause: str | None) -> None:
    before, state.tier = state.tier, tier
    if before is not None and not state.tier_spans:
        state.tier_spans.append(TierSpan(before.id, before.since))
    state.tier_spans.insert(0, TierSpan(tier.id if tier is not None else None, at))
    del state.tier_spans[MAX_TIER_SPANS:]
    effects.tell("tier.changed", at, {"from": before.id if before else None, "to": tier.id if tier else None}, cause)


def _give_offers(state: MemberState, view: FoldView, scheme: TierScheme, before: Tier | None, at: Instant, effects: Effects) -> None:
    """The offers of every level that she has risen through. A level that the scheme has renamed is no rise."""
    ranks = _ranks(scheme)
    renamed = before is not None and before.id not in ranks
    if renamed or not view.gifts:
        return
    for level in scheme.levels[_rank(ranks, before) + 1 : _rank(ranks, state.tier) + 1]:
        for offer in level.offers:
            promise = may_have(state, view, offer, at)
            if promise is not None:
                give_coupon(state, promise, at, effects, f"tier:{level.id}")


def _ranks(scheme: TierScheme) -> dict[str, int]:
    return {level.id: rank for rank, level in enumerate(scheme.levels)}


def _rank(ranks: dict[str, int], tier: Tier | None) -> int:
    """-1: no tier, or one that the scheme does not know."""
    return ranks.get(tier.id, -1) if tier is not None else -1


def _better(ranks: dict[str, int], one: Tier | None, other: Tier | None) -> Tier | None:
    """The higher of two; of the same level, the one that is kept longer."""
    known = [each for each in (one, other) if each is not None]
    return max(known, key=lambda each: (_rank(ranks, each), each.until), default=None)


def _period_start(scheme: TierScheme, at: Instant, zone: str) -> Instant:
    """The start of the calendar period that ``at`` is in."""
    return day_start(first_day(scheme.window, period_of(scheme.window, local_day(at, zone))), zone)
