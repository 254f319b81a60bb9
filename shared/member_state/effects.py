"""What a fold leads to beside the new state: events to be told, bookings, coupons given."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.kernel.instants import Instant
from shared.member_state.model import Parameters
from shared.wallet.model import Posting


@dataclass(frozen=True, slots=True)
class DomainEvent:
    """What the house is told: past tense, ids only, no personal data. Sent by the relay with the commit's envelope."""

    type: str
    occurred_at: Instant
    data: dict[str, object] = field(default_factory=dict)
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What is booked, with its own instant; the commit adds its own."""

    kind: str
    at: Instant
    postings: tuple[Posting, ...]
    reference: str | None = None
    reason: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class PromisedCoupon:
    """A coupon that the fold gives: its item is written in the same commit (``shared.coupons.promises``)."""

    id: str
    offer: str
    offer_version: int
    active_from: Instant
    expires_at: Instant
    issued_by: str
    parameters: Parameters = ()


@dataclass(slots=True)
class Effects:
    """What a fold leads to beside the new state."""

    events: list[DomainEvent] = field(default_factory=list)
    entries: list[LedgerEntry] = field(default_factory=list)
    history_changed: bool = False
    promised: list[PromisedCoupon] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    """Ids of coupons that the fold has taken away again."""

    def tell(self, type_: str, at: Instant, data: dict[str, object] | None = None, cause: str | None = None) -> None:
        """Add an event."""
        self.events.append(DomainEvent(type_, at, data or {}, cause))
