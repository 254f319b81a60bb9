"""A merge: what it came to, and how far it is. Ids, names of fields and numbers only. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from shared.kernel.instants import Instant

Step = Literal["identifiers", "devices", "coupons", "records", "former", "verified"]
STEPS: Final[tuple[Step, ...]] = ("identifiers", "devices", "coupons", "records", "former", "verified")
"""In this order. What leads to her comes first: the old id works all the while, by one step more."""
Status = Literal["accepted", "completed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a merge came to, as answered."""

    wallets: tuple[tuple[str, int, int], ...] = ()
    """(wallet, points, debt) of the one who went."""
    filled: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    coupons: tuple[str, ...] = ()
    """Ids of those that she held."""
    segments: tuple[str, ...] = ()
    """``segment@version`` of those that she was in."""
    former: tuple[str, ...] = ()
    """Who had been merged into her before."""
    version: int = 0
    """Of her state when she went: messages about her from before are older."""


@dataclass(frozen=True, slots=True)
class Merge:
    """One merge. ``survivor``: who was left by it; she may have been merged on since."""

    id: str
    duplicate: str
    survivor: str
    reason: str
    actor: str
    at: Instant
    outcome: Outcome
    correlation: str = ""
    status: Status = "accepted"
    done: Mapping[Step, Instant] = field(default_factory=dict)
    revision: int = 1

    @property
    def next_step(self) -> Step | None:
        """The first step that is not done; ``None`` when all are."""
        return next((step for step in STEPS if step not in self.done), None)

    def after(self, step: Step, at: Instant) -> Merge:
        """With one step more."""
        last = step == STEPS[-1]
        return replace(self, done={**self.done, step: at}, status="completed" if last else self.status, revision=self.revision + 1)
