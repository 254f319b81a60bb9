"""Refusals about rewards."""

from __future__ import annotations

from shared.kernel.errors import FieldError, NotFound, StateConflict
from shared.rewards.rules import text_of


class UnknownReward(NotFound):
    """No such reward in force in this tenant."""

    code, title = "unknown_reward", "Unknown reward"


class UnknownClaim(NotFound):
    """She has not claimed this."""

    code, title = "unknown_claim", "Unknown claim"


class RewardRefused(StateConflict):
    """The reward cannot be had, handed over or cancelled now. The code is ``reward_`` and the reason."""

    code, title = "reward_refused", "Not possible with this reward"

    def __init__(self, reason: str, pointer: str = "/reward_id") -> None:
        text = text_of(reason)
        super().__init__(text, errors=(FieldError(pointer, reason, text),))
        self.code = f"reward_{reason}"
        self.reason = reason
