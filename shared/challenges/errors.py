"""Refusals about challenges."""

from __future__ import annotations

from shared.kernel.errors import NotFound, StateConflict


class UnknownChallenge(NotFound):
    """No challenge of this id is in force."""

    code, title = "unknown_challenge", "Unknown challenge"


class TooManyChallenges(StateConflict):
    """She has as many open challenges as anybody may have."""

    code, title = "too_many_challenges", "Too many challenges"
