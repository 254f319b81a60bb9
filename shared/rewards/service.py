"""Exchange points for a reward, exactly once per Idempotency-Key.

One transaction: the points and the member's limits, the claim, its coupon, its place in the stock, the request's record.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from shared.counter.model import Spending
from shared.counter.stepping_up import StepUp, proof_of
from shared.coupons.errors import TooManyCoupons, UnknownOffer
from shared.coupons.issuing import blind_code, check_member_limit, issued, new_coupon, offer_in_force
from shared.coupons.limits import QUOTA, counted_use
from shared.coupons.model import Coupon
from shared.coupons.quota import QuotaWalk
from shared.coupons.repository import CouponRepository
from shared.kernel.errors import FieldError, KeyRequired
from shared.kernel.ids import new_id
from shared.kernel.instants import local_day
from shared.member_state.effects import Effects
from shared.member_state.events import MemberEvent, RewardClaimed
from shared.member_state.model import MemberState
from shared.member_state.repository import StateRepository
from shared.member_state.service import Change, Occasion, change_member
from shared.rewards.answers import claim_answer
from shared.rewards.api import ClaimAnswer, ClaimRequest
from shared.rewards.catalogue import reason_against, reward_in_force
from shared.rewards.errors import RewardRefused, UnknownClaim
from shared.rewards.model import Claim, GivesCoupon, RewardBody, key_of
from shared.rewards.repository import ClaimRepository
from shared.storage import keys
from shared.storage.commit import Stale
from shared.storage.errors import RawItem
from shared.storage.expressions import Path
from shared.storage.items import RequestItem
from shared.storage.packing import pack, unpack
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope
from shared.transactions.repository import REQUEST_LABEL, check_same, payload_hash

Claimed = tuple[ClaimAnswer, bool]
"""The answer, and whether it was given before."""


def claim(scope: TenantScope, member: str, request: ClaimRequest, actor: str, call: str | None, correlation: str = "") -> Claimed:
    """She gets the reward for its points. ``UnknownReward``, or ``RewardRefused`` with the reason; then nothing is written.

    One Query, one read, and one transaction of four to seven items.
    """
    if call is None:
        hint = FieldError("/", "required", "the header Idempotency-Key")
        raise KeyRequired("Points must not be spent twice; send an Idempotency-Key.", errors=(hint,))
    claiming = _Claiming(scope, member, request, actor, call)
    stored = scope.table.get(claiming.key)
    if stored is not None:
        return claiming.replay(stored)
    return change_member(scope, member, Occasion(claiming.now, correlation), claiming.decide, replay=claiming.replay)


class _Claiming:
    """One request to claim, and the shard of the stock that it tries."""

    def __init__(self, scope: TenantScope, member: str, request: ClaimRequest, actor: str, call: str) -> None:
        self.scope = scope
        self.member = member
        self.request = request
        self.now = scope.clock()
        self.id = new_id("rwd", self.now)
        name = hashlib.sha256(f"{member}|{actor}|{call}".encode()).hexdigest()[:32]
        self.key = keys.request(scope.tenant, "reward", "claim", name)
        self.hash = payload_hash(request)
        self.claims = ClaimRepository(scope.tenant, scope.table)
        self.coupons = CouponRepository(scope.tenant, scope.table)
        self.stock = QuotaWalk(self.coupons, member)
        self.asking = StepUp(scope, proof_of(request, actor), self.now, self.id)

    def decide(self, state: MemberState, stale: Stale) -> Change[Claimed]:
        """What becomes of the request, as she and the stock are now."""
        found = reward_in_force(self.scope, self.request.reward_id, self.now)
        body, counted = found.body, key_of(found.id)
        exhausted = set() if self.stock.choose(counted, body.stock, stale) else {QUOTA + counted}
        reason = reason_against(self.scope, state, found, self.now, self.request.location_id, exhausted)
        if reason is not None:
            raise RewardRefused(reason)
        self.asking.check(state, Spending(body.price), stale)
        coupon = self._coupon(body, state)
        use = counted_use(counted, body.limits)
        events: list[MemberEvent] = [RewardClaimed(self.now, self.id, found.id, body.wallet, body.price, use)]
        if coupon is not None:
            events.append(issued(coupon, self.now, f"reward:{found.id}"))

        def finish(after: MemberState, effects: Effects, batch: WriteBatch) -> Claimed:
            made = Claim(
                id=self.id,
                member=after.member,
                reward=found.id,
                reward_version=found.version,
                state="given" if coupon is not None else "ordered",
                at=self.now,
                wallet=body.wallet,
                postings=tuple(each for entry in effects.entries if entry.reference == self.id for each in entry.postings),
                shard=self.stock.add(batch, counted),
                use=use,
                day=local_day(self.now, self.scope.definitions.settings.time_zone) if use is not None else 0,
            )
            if coupon is not None:
                self.coupons.add_new(batch, coupon, blind_code(self.scope, coupon.code))
                made = replace(made, coupon=coupon.id)
            elif body.gives.kind == "item":
                made = replace(made, item=body.gives.item, units=body.gives.units)
            self.claims.add_new(batch, made)
            record = RequestItem.at(self.key, hash=self.hash, body=pack([made.member, made.id]), member=after.member)
            batch.put(REQUEST_LABEL, record, Path("PK").does_not_exist(), old=True)
            self.asking.add(batch, after.member)
            return claim_answer(self.scope, made), False

        return Change(events, finish, request=REQUEST_LABEL)

    def _coupon(self, body: RewardBody, state: MemberState) -> Coupon | None:
        if not isinstance(body.gives, GivesCoupon):
            return None
        try:
            check_member_limit(offer_in_force(self.scope, body.gives.offer, self.now)[0], body.gives.offer, state)
            coupon, _ = new_coupon(self.scope, body.gives.offer, state, self.now, self.id)
        except UnknownOffer:
            raise RewardRefused("unknown_offer") from None
        except TooManyCoupons:
            raise RewardRefused("too_many_coupons") from None
        if coupon.expires_at <= self.now:
            raise RewardRefused("unknown_offer")
        return coupon

    def _survivor(self, member: str) -> str:
        """Who has her claims, should she have turned out to be another."""
        return StateRepository(self.scope.tenant, self.scope.table).load(member).state.member

    def replay(self, raw: RawItem) -> Claimed:
        """The claim of the same request, as it is now."""
        item = RequestItem.read(raw)
        check_same(item.hash, self.hash)
        member, claim_id = unpack(item.body)
        found = self.claims.get(member, claim_id) or self.claims.get(self._survivor(member), claim_id)
        if found is None:
            raise UnknownClaim
        return claim_answer(self.scope, found), True
