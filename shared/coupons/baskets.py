"""Hold, redeem and release a coupon for a basket that is not sent here; each safe to repeat by the basket's id.

A member's coupon changes together with the copy in her state, in one transaction; a bearer's commits on its own item, which
then carries the event. A hold of a member's coupon is a hold on her state, so that time ends it there too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from shared.coupons import service
from shared.coupons.api import CouponAnswer, CouponReference, HoldCouponRequest, RedeemCouponRequest, ReleaseCouponRequest
from shared.coupons.errors import CouponRefused, TooManyHolds
from shared.coupons.model import Coupon
from shared.coupons.quota import QuotaWalk
from shared.coupons.repository import CouponRepository
from shared.coupons.rules import Use, state_reason
from shared.kernel.instants import SECOND
from shared.member_state.events import CouponChanged, DomainEvent, Effects, HoldPlaced, HoldReleased, MemberEvent
from shared.member_state.model import MAX_HOLDS, MemberState
from shared.member_state.repository import Stamp, envelope
from shared.member_state.service import Change, Done, Occasion, change_member
from shared.programmes.conditions import ALWAYS, unmet
from shared.storage.commit import Plan, Stale, commit
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope
from shared.transactions.facts import scene_of, who
from shared.transactions.model import NOBODY


def hold(scope: TenantScope, request: HoldCouponRequest, correlation: str = "") -> CouponAnswer:
    """Keep a coupon for a basket until ``ttl_seconds`` from now; again by the same basket starts its time anew."""
    using = _Using(scope, request, correlation)
    until = using.now + request.ttl_seconds * SECOND

    def change(coupon: Coupon, state: MemberState | None, _stale: Stale) -> _Step:
        using.refuse_unless_usable(coupon, request, state)
        after = replace(coupon, state="held", hold_basket=request.basket_id, hold_until=until, version=coupon.version + 1)
        events: list[MemberEvent] = []
        if state is not None:
            if using.hold_id not in state.holds and len(state.holds) >= MAX_HOLDS:
                raise TooManyHolds(f"A member has at most {MAX_HOLDS} open baskets.")
            events = [CouponChanged(using.now, coupon.id, "held"), HoldPlaced(using.now, using.hold_id, "", 0, until, (coupon.id,))]

        def write(batch: WriteBatch, out: str | None) -> None:
            using.coupons.add_hold(batch, coupon, request.basket_id, until, using.now, out)

        return _Step(after, "coupon.held", events, write)

    return using.carry_out(change)


def redeem(scope: TenantScope, request: RedeemCouponRequest, correlation: str = "") -> CouponAnswer:
    """Use a coupon up. The same basket again answers the same; another basket gets ``coupon_redeemed``."""
    using = _Using(scope, request, correlation)
    walk = QuotaWalk(using.coupons, using.coupon.member or using.coupon.id)

    def change(coupon: Coupon, state: MemberState | None, stale: Stale) -> _Step:
        if coupon.state == "redeemed" and coupon.redeemed_basket == request.basket_id:
            return _Step(coupon)
        using.refuse_unless_usable(coupon, request, state)
        body = scope.offer(coupon.offer, coupon.offer_version)
        if not walk.choose(coupon.offer, body.limit if body else None, stale):
            raise CouponRefused("exhausted", request.pointer)
        shard = walk.shards.get(coupon.offer)
        after = replace(
            coupon, state="redeemed", redeemed_basket=request.basket_id, hold_basket=None, hold_until=None, quota_shard=shard,
            version=coupon.version + 1,
        )  # fmt: skip
        events: list[MemberEvent] = []
        if state is not None:
            events = [*using.end_of_hold(state), CouponChanged(using.now, coupon.id, "redeemed")]

        def write(batch: WriteBatch, out: str | None) -> None:
            using.coupons.add_redeem(batch, coupon, request.basket_id, request.basket_id, using.now, out, shard)
            if shard is not None:
                using.coupons.add_quota(batch, coupon.offer, shard)

        return _Step(after, "coupon.redeemed", events, write)

    return using.carry_out(change)


def release(scope: TenantScope, request: ReleaseCouponRequest, correlation: str = "") -> CouponAnswer:
    """Give a hold up. A coupon that nobody holds stays as it is; one held by another basket is refused."""
    using = _Using(scope, request, correlation)

    def change(coupon: Coupon, state: MemberState | None, _stale: Stale) -> _Step:
        held_here = coupon.state == "held" and coupon.hold_basket == request.basket_id
        if not held_here:
            held_elsewhere = coupon.state == "held" and (coupon.hold_until or 0) > using.now
            if held_elsewhere or coupon.state == "redeemed":
                raise CouponRefused("held" if held_elsewhere else "redeemed", request.pointer)
            return _Step(coupon)
        after = replace(coupon, state="active", hold_basket=None, hold_until=None, version=coupon.version + 1)
        events: list[MemberEvent] = []
        if state is not None:
            events = [*using.end_of_hold(state), CouponChanged(using.now, coupon.id, "active")]
        return _Step(after, "coupon.released", events, lambda batch, out: using.coupons.add_release(batch, coupon, request.basket_id, out))

    return using.carry_out(change)


@dataclass(frozen=True, slots=True)
class _Step:
    """What becomes of the coupon. Without ``write`` nothing does: the answer is what is stored."""

    after: Coupon
    event: str = ""
    events: list[MemberEvent] | None = None
    write: Callable[[WriteBatch, str | None], None] | None = None


_Decide = Callable[[Coupon, MemberState | None, Stale], _Step]


class _Using:
    """One call about one coupon, whoever owns it."""

    def __init__(self, scope: TenantScope, reference: CouponReference, correlation: str) -> None:
        self.scope = scope
        self.correlation = correlation
        self.now = scope.clock()
        self.coupons = CouponRepository(scope.tenant, scope.table)
        self.coupon = service.find(scope, reference)
        self.hold_id = f"coupon:{self.coupon.id}"

    def carry_out(self, decide: _Decide) -> CouponAnswer:
        """Commit what ``decide`` says of the coupon as it stands, deciding again when it moved."""
        if self.coupon.member is None:
            return self._for_bearer(decide)
        return self._for_member(self.coupon.member, decide)

    def _for_member(self, member: str, decide: _Decide) -> CouponAnswer:
        def decide_change(state: MemberState, stale: Stale) -> Change[CouponAnswer] | Done[CouponAnswer]:
            step = decide(self._fresh(stale), state, stale)
            answer, write = service.answer_of(self.scope, step.after, self.now), step.write
            if write is None:
                return Done(answer)

            def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> CouponAnswer:
                write(batch, None)
                return answer

            return Change(step.events or [], finish)

        return change_member(self.scope, member, Occasion(self.now, self.correlation), decide_change)

    def _for_bearer(self, decide: _Decide) -> CouponAnswer:
        def plan(stale: Stale) -> Plan[CouponAnswer]:
            step = decide(self._fresh(stale), None, stale)
            batch = WriteBatch()
            if step.write is not None:
                event = DomainEvent(step.event, self.now, {"coupon": step.after.id, "offer": step.after.offer})
                step.write(batch, envelope([event], Stamp(self.now, self.correlation)))
            return Plan(batch, service.answer_of(self.scope, step.after, self.now))

        return commit(self.scope.table, plan, effort=self.scope.effort())

    def _fresh(self, stale: Stale) -> Coupon:
        """The coupon as it stood in the commit's way, or as it was read; read again where something else moved."""
        raw = stale.get(f"coupon:{self.coupon.id}")
        if raw is not None:
            self.coupon = self.coupons.decode(raw)
        elif stale:
            self.coupon = self.coupons.get(self.coupon.id) or self.coupon
        return self.coupon

    def refuse_unless_usable(self, coupon: Coupon, request: HoldCouponRequest | RedeemCouponRequest, state: MemberState | None) -> None:
        """``CouponRefused`` with the reason, also where the offer's conditions are not met here, now, by her."""
        body = self.scope.offer(coupon.offer, coupon.offer_version)
        when = body.when if body is not None else ALWAYS
        scene = scene_of(self.scope.definitions.at(self.now), self.now, request.location_id or "", request.channel or "")
        facts = who(state, self.now, frozenset(when.segments), frozenset(when.tags)) if state is not None else NOBODY
        use = Use(self.now, scene, coupon.member, facts, request.basket_id)
        reason = state_reason(coupon, use) or unmet(when, facts, scene)
        if reason is not None:
            raise CouponRefused(reason, request.pointer)

    def end_of_hold(self, state: MemberState) -> list[MemberEvent]:
        """The hold on her state ends with the coupon's."""
        return [HoldReleased(self.now, self.hold_id)] if self.hold_id in state.holds else []
