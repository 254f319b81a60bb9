"""Definitions for the pure fold, without storage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared.kernel.instants import Instant
from shared.member_state.view import FoldView
from shared.programmes.model import TierRule
from shared.segments.live import LiveSegments

ZONE = "Europe/Berlin"


def views(
    *rules: dict[str, Any], zone: str = ZONE, tiers: tuple[TierRule, ...] = (), epoch: int = 0
) -> Callable[[Instant], FoldView]:
    """The same view at every instant: one segment per rule, named s1, s2, ..."""
    stored = [(f"s{index}", 1, {"name": f"S{index}", "rule": rule}) for index, rule in enumerate(rules, 1)]
    view = FoldView(zone, epoch, LiveSegments.compile(stored, zone), tiers)
    return lambda _at: view
