"""What a member does that is no purchase, and what the law makes of her data: events of the fold (``shared.member_state.events``)."""

from __future__ import annotations

from dataclasses import dataclass

from shared.kernel.instants import Instant


@dataclass(frozen=True, slots=True)
class RestrictionChanged:
    """The processing of her data is restricted for a reason, or (``None``) no longer."""

    at: Instant
    reason: str | None
    by_herself: bool = False


@dataclass(frozen=True, slots=True)
class SignedIn:
    """She signed in, or her app did for her."""

    at: Instant


@dataclass(frozen=True, slots=True)
class WarnedOfInactivity:
    """The warning that she will be erased was handed over."""

    at: Instant
