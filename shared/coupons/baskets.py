"""Hold, redeem and release a coupon for a basket that is not sent here; each safe to repeat by the basket's id.

A member's coupon changes together with the copy in her state, in one transaction; a bearer's commits on its own item, which
then carries the event. A hold of a member's coupon is a hold on her state, so that time ends it there too.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from shared.coupons import service
from shared.coupons.api import CouponAnswer, CouponReference, HoldCouponRequest, RedeemCouponRequest, ReleaseCouponRequest
from shared.coupons.effects import GIVES_POINTS
from shared.coupons.errors import AmountNeeded, CouponRefused, LocationNeeded, TooManyHolds
from shared.coupons.limits import UNLIMITED, UseLimits, counted_use, no_budget, value_limits
from shared.coupons.model import Coupon, OfferBody
from shared.coupons.quota import QuotaWalk
from shared.coupons.repository import CouponRepository
from shared.coupons.rules import Use, limit_reason, state_reason
from shared.kernel.errors import FieldError
from shared.kernel.instants import SECOND, Instant, local_day
from shared.member_state.effects import DomainEvent, Effects
from shared.member_state.events import CouponChanged, HoldPlaced, HoldReleased, MemberEvent
from shared.member_state.model import MAX_HOLDS, MemberState
from shared.member_state.repository import Stamp, envelope
from shared.member_state.service import Change, Done, Occasion, change_member
from shared.member_state.usage import usage_of
from shared.programmes.conditions import ALWAYS, unmet
from shared.storage.commit import Plan, Stale, commit
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope
from shared.transactions import holds
from shared.transactions.budgets import BudgetWalk, Wanted
from shared.transactions.errors import UnknownHold
from shared.transactions.facts import scene_of, who
from shared.transactions.holds import Forced
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
    using = _Using(scope, request, correlation, request.member_id)
    start = using.member or using.coupon.id
    quota, budgets = QuotaWalk(using.coupons, start), BudgetWalk(scope.tenant, scope.table, start)

    def change(coupon: Coupon, state: MemberState | None, stale: Stale) -> _Step:
        if coupon.state == "redeemed" and coupon.redeemed_basket == request.basket_id:
            return _Step(coupon)
        body = using.refuse_unless_usable(coupon, request, state)
        if body is not None and isinstance(body.effect, GIVES_POINTS):
            raise CouponRefused("needs_a_sale", request.pointer)
        limits = body.limits if body is not None else UNLIMITED
        if not quota.choose(coupon.key, body.limit if body is not None else None, stale):
            raise CouponRefused("exhausted", request.pointer)
        where, groups = request.location_id or "", scope.groups_of(request.location_id or "")
        if not budgets.choose(_value_of(coupon, limits, request, groups), stale):
            reason = no_budget(limits, coupon.key, budgets.exhausted, where, groups)
            raise CouponRefused(reason or "budget_exhausted", request.pointer)
        shard = quota.shards.get(coupon.key)
        after = replace(
            coupon, state="redeemed", redeemed_basket=request.basket_id, hold_basket=None, hold_until=None, quota_shard=shard,
            version=coupon.version + 1,
        )  # fmt: skip
        events: list[MemberEvent] = []
        if state is not None:
            use = counted_use(coupon.key, limits)
            events = [*using.end_of_hold(state), CouponChanged(using.now, coupon.id, "redeemed", use)]

        def write(batch: WriteBatch, out: str | None) -> None:
            using.coupons.add_redeem(batch, coupon, request.basket_id, request.basket_id, using.now, out, shard)
            quota.add(batch, coupon.key)
            budgets.add(batch)

        return _Step(after, "coupon.redeemed", events, write)

    try:
        return using.carry_out(change)
    except CouponRefused:
        # A limit may be used up by this very call, whose answer got lost: then the coupon says so.
        now_there = using.coupons.get(using.coupon.id)
        if now_there is None or (now_there.state, now_there.redeemed_basket) != ("redeemed", request.basket_id):
            raise
        return service.answer_of(scope, now_there, using.now)


def _value_of(coupon: Coupon, limits: UseLimits, request: RedeemCouponRequest, groups: frozenset[str]) -> dict[str, Wanted]:
    """What it takes from budgets of value, as the caller says. ``groups`` are those that the location is in."""
    if not limits.of_value:
        return {}
    if request.amount is None:
        hint = FieldError("/amount", "amount_needed", "what the coupon takes off, in minor units")
        raise AmountNeeded("The offer has a budget.", errors=(hint,))
    if limits.of_place and request.location_id is None:
        hint = FieldError("/location_id", "location_needed", "the offer has budgets of locations")
        raise LocationNeeded("The offer has budgets of locations.", errors=(hint,))
    found = value_limits(coupon.key, limits, request.location_id or "", groups)
    return {key: Wanted(request.amount, limit) for key, limit in found.items()} if request.amount else {}


def release(scope: TenantScope, request: ReleaseCouponRequest, correlation: str = "", actor: str = "") -> CouponAnswer:
    """Give a hold up. A coupon that nobody holds stays as it is; one held by another basket is refused.

    By force whichever hold there is ends: for a coupon in a hold of a whole basket, that whole hold. ``actor`` did it.
    """
    using = _Using(scope, request, correlation)
    forced = Forced(request.reason or "", actor) if request.force else None
    if forced is not None and using.coupon.state == "held" and using.coupon.hold_basket is not None:
        with suppress(UnknownHold):
            holds.release(scope, using.coupon.hold_basket, correlation, forced)
            using.read_again()

    def change(coupon: Coupon, state: MemberState | None, _stale: Stale) -> _Step:
        of_whom = coupon.hold_basket
        held_here = coupon.state == "held" and of_whom is not None and (forced is not None or of_whom == request.basket_id)
        if not held_here or of_whom is None:
            held_elsewhere = coupon.state == "held" and (coupon.hold_until or 0) > using.now
            if held_elsewhere or coupon.state == "redeemed":
                raise CouponRefused("held" if held_elsewhere else "redeemed", request.pointer)
            return _Step(coupon)
        after = replace(coupon, state="active", hold_basket=None, hold_until=None, version=coupon.version + 1)
        events: list[MemberEvent] = []
        reason, by = (forced.reason, forced.actor) if forced is not None else ("", "")
        if state is not None:
            changed = CouponChanged(using.now, coupon.id, "active", reason=reason, actor=by)
            events = [*using.end_of_hold(state, reason, by), changed]

        def write(batch: WriteBatch, out: str | None) -> None:
            using.coupons.add_release(batch, coupon, of_whom, out)

        return _Step(after, "coupon.released", events, write, reason, by)

    return using.carry_out(change)


@dataclass(frozen=True, slots=True)
class _Step:
    """What becomes of the coupon. Without ``write`` nothing does: the answer is what is stored."""

    after: Coupon
    event: str = ""
    events: list[MemberEvent] | None = None
    write: Callable[[WriteBatch, str | None], None] | None = None
    reason: str = ""
    actor: str = ""
    """Who did it by force, and why."""

    def event_at(self, now: Instant) -> DomainEvent:
        """What a bearer's coupon tells of it."""
        data: dict[str, object] = {"coupon": self.after.id, "offer": self.after.offer}
        if self.actor:
            data["actor"] = self.actor
        return DomainEvent(self.event, now, data, self.reason or None)


_Decide = Callable[[Coupon, MemberState | None, Stale], _Step]


class _Using:
    """One call about one coupon, whoever owns it. ``member``: who uses it, where it is a bearer's."""

    def __init__(self, scope: TenantScope, reference: CouponReference, correlation: str, member: str | None = None) -> None:
        self.scope = scope
        self.correlation = correlation
        self.now = scope.clock()
        self.coupons = CouponRepository(scope.tenant, scope.table)
        self.coupon = service.find(scope, reference)
        self.hold_id = f"coupon:{self.coupon.id}"
        self.member = self.coupon.member if member is None else member

    def carry_out(self, decide: _Decide) -> CouponAnswer:
        """Commit what ``decide`` says of the coupon as it stands, deciding again when it moved."""
        return self._for_bearer(decide) if self.member is None else self._for_member(self.member, decide)

    def read_again(self) -> None:
        """What something else has changed of it."""
        self.coupon = self.coupons.get(self.coupon.id) or self.coupon

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
                step.write(batch, envelope([step.event_at(self.now)], Stamp(self.now, self.correlation)))
            return Plan(batch, service.answer_of(self.scope, step.after, self.now))

        return commit(self.scope.table, plan, effort=self.scope.effort())

    def _fresh(self, stale: Stale) -> Coupon:
        """The coupon as it stood in the commit's way, or as it was read; read again where something else moved."""
        raw = stale.get(f"coupon:{self.coupon.id}")
        if raw is not None:
            self.coupon = self.coupons.decode(raw)
        elif stale:
            self.read_again()
        return self.coupon

    def refuse_unless_usable(
        self, coupon: Coupon, request: HoldCouponRequest | RedeemCouponRequest, state: MemberState | None
    ) -> OfferBody | None:
        """``CouponRefused`` with the reason, also where the offer's conditions or limits do not let it be used here, now, by her.

        A hold of a bearer's coupon does not ask for limits per member: who will use it, nobody knows yet. Answers the offer.
        """
        body = coupon.terms(self.scope.offer(coupon.offer, coupon.offer_version))
        when = body.when if body is not None else ALWAYS
        view = self.scope.definitions.at(self.now)
        scene = scene_of(view, self.now, request.location_id or "", request.channel or "")
        facts = who(state, self.now, frozenset(when.segments), frozenset(when.tags)) if state is not None else NOBODY
        if state is not None and body is not None and body.limits.of_member:
            usage = usage_of(state, coupon.key, local_day(self.now, view.settings.time_zone))
            facts = replace(facts, usage={coupon.key: usage})
        stopped = self.scope.definitions.stops.marks
        use = Use(self.now, scene, state.member if state is not None else self.member, facts, request.basket_id, stopped)
        reason = state_reason(coupon, use) or unmet(when, facts, scene)
        nobody_yet = state is None and isinstance(request, HoldCouponRequest)
        if reason is None and body is not None and not nobody_yet:
            reason = limit_reason(body, coupon.key, use)
        if reason is not None:
            raise CouponRefused(reason, request.pointer)
        return body

    def end_of_hold(self, state: MemberState, reason: str = "", actor: str = "") -> list[MemberEvent]:
        """The hold on her state ends with the coupon's."""
        return [HoldReleased(self.now, self.hold_id, reason, actor)] if self.hold_id in state.holds else []
