"""What the fold may know of the tenant's definitions at an instant. Built by ``shared.definitions``; pure data here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.kernel.instants import Instant
from shared.member_state.model import Facts, MemberState
from shared.programmes.model import TierRule


class Flips(Protocol):
    """Segments entered and left at an instant, and when the answer may change by time alone."""

    @property
    def entered(self) -> Sequence[str]:
        """Keys ``segment@version`` that she is in now and was not."""

    @property
    def left(self) -> Sequence[str]:
        """Keys that she was in and is not."""

    @property
    def next_change(self) -> Instant:
        """No membership changes before it without an event."""


class SegmentEvaluator(Protocol):
    """All live segment versions of a tenant, compiled."""

    @property
    def needs_facts(self) -> bool:
        """Whether any of them asks for personal facts."""

    def evaluate(self, state: MemberState, facts: Facts | None, now: Instant) -> Flips:
        """Compare the truth now with ``state.segments``; the state is not changed."""


@dataclass(frozen=True, slots=True)
class FoldView:
    """The definitions that hold at one instant."""

    zone: str
    epoch: int
    segments: SegmentEvaluator
    tiers: tuple[TierRule, ...] = ()
    tier_window_days: int = 365
    tier_wallet: str = "points"


Views = Callable[[Instant], FoldView]
"""The instant of a decision selects the version, so that all functions switch together."""
