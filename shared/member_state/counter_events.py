"""What happens to a member at the counter beside sales: identifiers are blocked, flagged purchases reviewed. As ``events``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared.kernel.instants import Instant
from shared.wallet.model import Posting


@dataclass(frozen=True, slots=True)
class IdentifiersChanged:
    """Identifiers of one kind were blocked, usable again, replaced or taken off. ``kept``: she has one of the kind still."""

    at: Instant
    kind: str
    change: Literal["blocked", "unblocked", "replaced", "removed"]
    actor: str = ""
    kept: bool = True


@dataclass(frozen=True, slots=True)
class PurchaseReviewed:
    """Somebody has looked at a flagged purchase."""

    at: Instant
    transaction: str
    outcome: Literal["approved", "rejected"]
    awards: tuple[Posting, ...]
    """What it earned, as its programmes say, in their order."""
    marks: tuple[str, ...]
    """What each of them awaits while it is under review."""
    back: tuple[Posting, ...] = ()
    """Rejected: what is left of it, as it waits, to be taken back."""
    bought_at: Instant = 0
    actor: str = ""
    reason: str = ""
