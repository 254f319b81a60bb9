"""A purchase in the profile: its daily cell, with the points that it earned for tiers. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from shared.kernel.instants import Instant, local_day
from shared.member_state.effects import Effects
from shared.member_state.model import MemberState
from shared.member_state.tiers import points_dimension
from shared.member_state.view import FoldView
from shared.profile.model import Visit
from shared.profile.rules import add_visit, spill
from shared.wallet.model import Posting


def count_visit(
    state: MemberState,
    visit: Visit,
    earned: Iterable[Posting],
    view: FoldView,
    at: Instant,
    effects: Effects,
    *,
    sign: Literal[1, -1],
    recompute: bool = False,
) -> None:
    """The purchase in its daily cell, with the points it earned as a dimension for tiers."""
    points: dict[str, int] = {}
    for posting in earned:
        points[points_dimension(posting.wallet)] = points.get(points_dimension(posting.wallet), 0) + posting.points
    # Points first: a cell keeps a bounded number of dimensions, and tiers must not lose theirs.
    booked = replace(visit, by=visit.by | points)
    in_history = add_visit(state.profile, booked, view.zone, sign, recompute=recompute)
    effects.history_changed |= spill(state.profile, local_day(at, view.zone)) or in_history
