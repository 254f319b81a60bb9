"""Whether a member may have a reward now. Pure; every refusal has a reason code."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from shared.coupons.limits import refused_by
from shared.coupons.rules import REASONS as CONDITIONS
from shared.programmes.conditions import MemberFacts, Scene, Usage, unmet
from shared.rewards.model import RewardBody, key_of

_OF_REWARDS: Final = {
    "insufficient_points": "There are not enough points.",
    "exhausted": "None of these are left.",
    "unknown_offer": "What it gives is not to be had now.",
    "too_many_coupons": "She has as many of these coupons as a member may have.",
    "handed_over": "It was handed over already.",
    "cancelled": "It was cancelled.",
    "coupon_used": "Its coupon was used, or is held for a basket.",
    "not_an_item": "It gives a coupon: there is nothing to hand over.",
}


def text_of(reason: str) -> str:
    """What a reason means, for people."""
    text = _OF_REWARDS.get(reason) or CONDITIONS[reason]
    return text.replace("The coupon", "The reward")


def refusal(
    reward: str,
    body: RewardBody,
    facts: MemberFacts,
    scene: Scene,
    usage: Usage,
    drawable: int,
    exhausted: Collection[str] = (),
) -> str | None:
    """The first reason why not: her and the moment, her limits, the stock, her points; ``None``: she may.

    ``usage`` is what she has claimed, ``drawable`` the points that may leave the wallet, ``exhausted`` as ``limits.refused_by``.
    """
    reason = unmet(body.when, facts, scene) or refused_by(body.limits, key_of(reward), usage, exhausted=exhausted)
    if reason is not None:
        return reason
    return "insufficient_points" if drawable < body.price else None
