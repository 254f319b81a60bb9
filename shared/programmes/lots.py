"""The lot that a programme's points become: when they may be spent, and until when. Pure."""

from __future__ import annotations

from shared.kernel.instants import Instant
from shared.programmes.model import ProgrammeBody
from shared.wallet.expiry import lot_instants
from shared.wallet.model import EntryKind, Posting


def lot_of(body: ProgrammeBody, kind: EntryKind, points: int, at: Instant, zone: str, *, pending: bool = True) -> Posting:
    """Points of the programme given at an instant, as a posting. ``pending`` false: they may be spent at once."""
    wait, expiry = body.pending, body.expiry
    # A custom event reaches a member's state under this type.
    awaits = f"event.{wait.until_event}" if pending and wait.until_event is not None else ""
    days = wait.days if pending else 0
    available_at, expires_at = lot_instants(
        days, awaits, expiry.kind, expiry.days, expiry.periods, expiry.end_of_day, at, zone
    )
    return Posting(body.wallet, kind, points, available_at, expires_at, awaits)
