"""Refusals about erasures. Who is forgotten is ``ErasedMember`` (shared.member_state.errors)."""

from __future__ import annotations

from shared.kernel.errors import NotFound, Unavailable


class UnknownErasure(NotFound):
    """Nobody has asked for it."""

    code, title = "unknown_erasure", "No erasure of this member"


class StillThere(Unavailable):
    """What should be gone is not, as the last look found. The step is done again."""

    code, title = "erasure_incomplete", "Erasure not complete"
