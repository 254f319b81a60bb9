"""The rewards in force, and why a member may not have one. Reads what is cached, and the stock where it is asked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from shared.coupons.limits import QUOTA
from shared.coupons.repository import CouponRepository
from shared.kernel.instants import Instant, local_day
from shared.member_state.model import MemberState
from shared.member_state.service import view_member
from shared.member_state.usage import usage_of
from shared.members.repository import read_fields
from shared.rewards import rules
from shared.rewards.answers import claim_answer, reward_view
from shared.rewards.api import RewardsAnswer
from shared.rewards.errors import UnknownReward
from shared.rewards.model import GivesCoupon, RewardBody, key_of
from shared.rewards.repository import ClaimRepository
from shared.tenants.scope import TenantScope
from shared.transactions.facts import scene_of, who
from shared.wallet.rules import spendable

MOST_CLAIMS_LISTED = 50


@dataclass(frozen=True, slots=True)
class Found:
    """A reward in force."""

    id: str
    version: int
    body: RewardBody


def reward_in_force(scope: TenantScope, reward: str, at: Instant) -> Found:
    """The reward as it holds at the instant, or ``UnknownReward``."""
    found = scope.definitions.at(at).rewards.get(reward)
    if found is None:
        raise UnknownReward
    return Found(*found)


def reason_against(
    scope: TenantScope, state: MemberState, found: Found, now: Instant, location: str | None, exhausted: Collection[str] = ()
) -> str | None:
    """``rules.refusal`` of a member as she is now; before that, whether the tenant has stopped it."""
    view, body = scope.definitions.at(now), found.body
    stopped = scope.definitions.stops.reason(body.gives.offer if isinstance(body.gives, GivesCoupon) else None)
    if stopped is not None:
        return stopped
    facts = who(state, now, frozenset(body.when.segments), frozenset(body.when.tags))
    usage = usage_of(state, key_of(found.id), local_day(now, view.settings.time_zone))
    return rules.refusal(found.id, body, facts, scene_of(view, now, location or "", "app"), usage, drawable(state, body.wallet), exhausted)


def drawable(state: MemberState, wallet: str) -> int:
    """Rewards are bought with what she has: an overdraft is for payments."""
    return spendable(state.wallets[wallet], state.holds, wallet) if wallet in state.wallets else 0


def list_rewards(scope: TenantScope, member: str, location: str | None = None) -> RewardsAnswer:
    """Every reward in force as she may read it, in her language, and what she has claimed.

    Two Queries, a read for her language, and a batch read of the stocks of rewards that have one.
    """
    now = scope.clock()
    state, view = view_member(scope, member, now), scope.definitions.at(now)
    language = read_fields(scope, state.member, "identity").get("language")
    reader = scope.reader(language)
    rewards = sorted((Found(*each) for each in view.rewards.values()), key=lambda each: (each.body.sort_order, each.body.price, each.id))
    offers = scope.offers_in_force({each.body.gives.offer for each in rewards if isinstance(each.body.gives, GivesCoupon)}, now)
    stocks = {key_of(each.id): each.body.stock for each in rewards if each.body.stock is not None}
    gone = {QUOTA + key for key in CouponRepository(scope.tenant, scope.table).used_up(stocks)}
    rows = []
    for each in rewards:
        reason = reason_against(scope, state, each, now, location, gone)
        if reason is None and isinstance(each.body.gives, GivesCoupon) and each.body.gives.offer not in offers:
            reason = "unknown_offer"
        missing = max(each.body.price - drawable(state, each.body.wallet), 0)
        rows.append(reward_view(each.id, each.body, reader, reason, missing))
    claims = ClaimRepository(scope.tenant, scope.table).newest(state.member, MOST_CLAIMS_LISTED)
    return RewardsAnswer(member_id=state.member, data=tuple(rows), claims=tuple(claim_answer(scope, each) for each in claims))
