"""Two members turn out to be one, as it happens to each. As ``shared.member_state.events``."""

from __future__ import annotations

from dataclasses import dataclass

from shared.kernel.instants import Instant
from shared.member_state.model import Consent, MemberState


@dataclass(frozen=True, slots=True)
class MergedAway:
    """She turned out to be another, who is left. ``merge`` is the id of the record that says so."""

    at: Instant
    into: str
    merge: str
    reason: str
    actor: str


@dataclass(frozen=True, slots=True)
class United:
    """Another turned out to be her. ``other``: what that one was until now."""

    at: Instant
    other: MemberState
    merge: str
    reason: str
    actor: str
    known: tuple[str, ...]
    """Personal fields that have a value now."""
    consents: dict[str, Consent]
    """Her answers from now on (``uniting.stricter``)."""
