"""Points that move without a purchase: by hand, to another member, into vouchers. Each exactly once per Idempotency-Key.

Cost: one Query (two for a transfer) and one transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from shared.counter import counting
from shared.counter.model import Spending
from shared.counter.stepping_up import StepUp, proof_of
from shared.kernel.errors import FieldError, KeyRequired, Unprocessable
from shared.kernel.ids import new_id
from shared.kernel.instants import NEVER, Instant, format_day, format_rfc3339, local_day, parse_rfc3339
from shared.member_state.conversions import refusal
from shared.member_state.effects import Effects
from shared.member_state.errors import UnknownMember
from shared.member_state.events import MemberEvent, PointsBooked, PointsConverted, TierSet
from shared.member_state.model import MemberState
from shared.member_state.repository import StateRepository
from shared.member_state.service import Change, Companion, Decide, Done, Occasion, change_member
from shared.members import points_api as api
from shared.members.errors import NotAllowed, NotEnough, UnknownTier
from shared.members.service import Actor
from shared.programmes.compiled import Programme
from shared.programmes.lots import lot_of
from shared.programmes.terms import Conversion
from shared.storage import keys
from shared.storage.commit import Stale
from shared.storage.errors import RawItem
from shared.storage.expressions import Path
from shared.storage.items import RequestItem
from shared.storage.packing import pack, unpack
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope
from shared.transactions import gathering
from shared.transactions.repository import REQUEST_LABEL, check_same, payload_hash
from shared.wallet.model import Posting
from shared.wallet.rules import available, spendable

Moved = tuple[api.PointsAnswer, bool]
"""The answer, and whether it was given before."""
Body = api.AdjustmentRequest | api.TransferRequest | api.ConversionRequest


def adjust(
    scope: TenantScope, member: str, request: api.AdjustmentRequest, actor: Actor, call: str | None, correlation: str = ""
) -> Moved:
    """Give or take points by hand. Taking goes down to the wallet's overdraft, no further."""
    booking = _Booking(scope, "adjust", member, request, actor, call, correlation)
    _check_wallet(scope, request.wallet, booking.now)
    reference, zone = f"adjustment/{booking.id}", scope.definitions.settings.time_zone
    doer = counting.Doer(format_day(local_day(booking.now, zone)), "", actor.id)

    def count(batch: WriteBatch, _member: str) -> None:
        counting.add(batch, scope, doer, "adjustments", abs(request.points))

    def decide(state: MemberState, _stale: Stale) -> Change[Moved]:
        if request.points < 0:
            _check_enough(scope, state, request.wallet, -request.points, booking.now, with_overdraft=True)
        posting = _given(scope, request, booking.now)
        event = PointsBooked(booking.now, "adjust", (posting,), reference, request.reason, actor.id)
        return booking.change([event], reference, request.wallet, request.points, also=count)

    moved = booking.carry_out(decide)
    if not moved[1]:
        counting.alert(scope, doer, "adjustments", correlation)
    return moved


def transfer(
    scope: TenantScope, member: str, request: api.TransferRequest, actor: Actor, call: str | None, correlation: str = ""
) -> Moved:
    """Give points to another member: both ledgers in one commit. ``NotAllowed`` unless the wallet allows it."""
    booking = _Booking(scope, "transfer", member, request, actor, call, correlation)
    _check_wallet(scope, request.wallet, booking.now)
    if not scope.definitions.at(booking.now).fold.wallet(request.wallet).transfers:
        raise NotAllowed("Points of this wallet cannot be given to others.")
    to = gathering.member_id(scope, request.to)
    if to is None:
        raise UnknownMember
    states, reference = StateRepository(scope.tenant, scope.table), f"transfer/{booking.id}"

    asking = booking.asking(request)

    def decide(state: MemberState, stale: Stale) -> Change[Moved]:
        receiver = states.load(to)
        if receiver.state.member == state.member:
            hint = FieldError("/to", "same_member", "points cannot be given to oneself")
            raise Unprocessable("The request does not fit; see errors.", errors=(hint,))
        _check_enough(scope, state, request.wallet, request.points, booking.now, with_overdraft=False)
        asking.check(state, Spending(request.points), stale)
        taken = Posting(request.wallet, "transfer_out", -request.points)
        given = PointsBooked(booking.now, "transfer_out", (taken,), reference, request.reason or "", actor.id)

        def received(effects: Effects) -> Sequence[MemberEvent]:
            lots = tuple(each for entry in effects.entries if entry.reference == reference for each in entry.postings)
            return [PointsBooked(booking.now, "transfer_in", lots, reference, request.reason or "", actor.id)]

        companion = Companion(receiver, received)
        return booking.change([given], reference, request.wallet, -request.points, companion=companion, also=asking.add)

    return booking.carry_out(decide)


def convert(
    scope: TenantScope, member: str, request: api.ConversionRequest, actor: Actor, call: str | None, correlation: str = ""
) -> Moved:
    """Points for vouchers. ``NotEnough`` says why not."""
    booking = _Booking(scope, "convert", member, request, actor, call, correlation)
    programme, conversion = _conversion(scope, request, booking.now)
    wallet, view = programme.body.wallet, scope.definitions.at(booking.now).fold
    coupons = tuple(new_id("cpn", booking.now) for _ in range(request.times))

    asking = booking.asking(request)

    def decide(state: MemberState, stale: Stale) -> Change[Moved]:
        reason = scope.definitions.stops.reason(conversion.offer)
        reason = reason or refusal(state, view, conversion, request.times, booking.now, wallet)
        if reason is not None:
            raise NotEnough(reason)
        cause = f"convert:{conversion.id}"
        event = PointsConverted(booking.now, wallet, conversion.id, conversion.points, conversion.offer, coupons, cause)
        points = -conversion.points * request.times
        asking.check(state, Spending(-points), stale)
        return booking.change([event], f"{programme.id}/{conversion.id}", wallet, points, coupons=coupons, also=asking.add)

    return booking.carry_out(decide)


def set_tier(scope: TenantScope, member: str, request: api.TierRequest, actor: Actor, correlation: str = "") -> api.TierSetAnswer:
    """Give a tier by hand, or take it away. Setting the same again changes nothing."""
    now, loaded = scope.clock(), StateRepository(scope.tenant, scope.table).load(member)
    until = parse_rfc3339(request.until) if request.until is not None else NEVER
    scheme = scope.definitions.at(now).fold.scheme
    if request.tier is not None and request.tier not in {level.id for level in (scheme.levels if scheme else ())}:
        raise UnknownTier("/tier")
    if until <= now:
        hint = FieldError("/until", "invalid_value", "lies in the past")
        raise Unprocessable("The request does not fit; see errors.", errors=(hint,))

    def decide(state: MemberState, _stale: Stale) -> Change[api.TierSetAnswer] | Done[api.TierSetAnswer]:
        before = (state.tier_floor.id, state.tier_floor.until) if state.tier_floor is not None else None
        if before == ((request.tier, until) if request.tier is not None else None):
            return Done(_tier_answer(state))
        event = TierSet(now, request.tier, until, request.reason, actor.id)
        return Change([event], lambda after, _effects, _batch: _tier_answer(after))

    return change_member(scope, loaded.state.member, Occasion(now, correlation), decide, loaded=loaded)


class _Booking:
    """One call that moves points: its record, which answers every repetition."""

    def __init__(
        self, scope: TenantScope, what: str, member: str, request: Body, actor: Actor, call: str | None, correlation: str
    ) -> None:
        if call is None:
            hint = FieldError("/", "required", "the header Idempotency-Key")
            raise KeyRequired("Points must not move twice; send an Idempotency-Key.", errors=(hint,))
        self.scope = scope
        self.loaded = StateRepository(scope.tenant, scope.table).load(member)
        self.correlation = correlation
        self.now = scope.clock()
        self.actor = actor
        # By the id that was called: whoever repeats a call after a merge still calls that one.
        self.id = hashlib.sha256(f"{what}|{actor.id}|{member}|{call}".encode()).hexdigest()[:32]
        self.key = keys.request(scope.tenant, "points", what, self.id)
        # Keyed: the body may name another member by her phone number, and a plain hash of it could be guessed.
        self.hash = scope.blind("points", payload_hash(request).hex()).encode()

    def asking(self, request: api.Proven) -> StepUp:
        """Whether spending was confirmed; of her own calls it need not be."""
        return StepUp(self.scope, proof_of(request, self.actor.id), self.now, f"points/{self.id}")

    def carry_out(self, decide: Decide[Moved]) -> Moved:
        """Once; a repetition gets the stored answer also where the points would not suffice any more."""
        stored = self.scope.table.get(self.key)
        if stored is not None:
            return self._replay(stored)
        return change_member(
            self.scope, self.loaded.state.member, Occasion(self.now, self.correlation), decide, replay=self._replay, loaded=self.loaded
        )

    def change(
        self,
        events: Sequence[MemberEvent],
        reference: str,
        wallet: str,
        points: int,
        *,
        coupons: tuple[str, ...] | None = None,
        companion: Companion | None = None,
        also: Callable[[WriteBatch, str], None] | None = None,
    ) -> Change[Moved]:
        """The change with its record. ``also`` adds writes that are about the member."""

        def finish(after: MemberState, _effects: Effects, batch: WriteBatch) -> Moved:
            left = after.wallets.get(wallet)
            answer = api.PointsAnswer(
                member_id=after.member,
                wallet=wallet,
                points=points,
                balance=available(left, after.holds, wallet) - left.debt if left is not None else 0,
                reference=reference,
                coupons=coupons,
            )
            record = RequestItem.at(self.key, hash=self.hash, body=pack(answer.model_dump(exclude_none=True)), member=after.member)
            batch.put(REQUEST_LABEL, record, Path("PK").does_not_exist(), old=True)
            if also is not None:
                also(batch, after.member)
            return answer, False

        return Change(events, finish, request=REQUEST_LABEL, companion=companion)

    def _replay(self, raw: RawItem) -> Moved:
        item = RequestItem.read(raw)
        check_same(item.hash, self.hash)
        return api.PointsAnswer.model_validate(unpack(item.body)), True


def _given(scope: TenantScope, request: api.AdjustmentRequest, now: Instant) -> Posting:
    """Points given live as long as the wallet's first programme says, unless the request says until when."""
    if request.points < 0:
        return Posting(request.wallet, "adjust", request.points)
    view = scope.definitions.at(now)
    if request.expires_at is not None:
        expires_at = parse_rfc3339(request.expires_at)
        if expires_at <= now:
            hint = FieldError("/expires_at", "invalid_value", "lies in the past")
            raise Unprocessable("The request does not fit; see errors.", errors=(hint,))
        return Posting(request.wallet, "adjust", request.points, 0, expires_at)
    programme = next((each for each in view.programmes if each.body.wallet == request.wallet), None)
    if programme is None:
        return Posting(request.wallet, "adjust", request.points)
    return lot_of(programme.body, "adjust", request.points, now, view.settings.time_zone, pending=False)


def _check_wallet(scope: TenantScope, wallet: str, now: Instant) -> None:
    """A wallet that a programme pays into, or that the tenant names."""
    view = scope.definitions.at(now)
    if wallet not in view.settings.wallets and wallet not in {each.body.wallet for each in view.programmes}:
        hint = FieldError("/wallet", "unknown_wallet", "no programme has this wallet")
        raise Unprocessable("The request does not fit; see errors.", errors=(hint,))


def _check_enough(scope: TenantScope, state: MemberState, wallet: str, points: int, now: Instant, *, with_overdraft: bool) -> None:
    overdraft = scope.definitions.at(now).fold.wallet(wallet).overdraft if with_overdraft else 0
    there = spendable(state.wallets[wallet], state.holds, wallet, -overdraft) if wallet in state.wallets else overdraft
    if points > there:
        raise NotEnough("insufficient_points")


def _conversion(scope: TenantScope, request: api.ConversionRequest, now: Instant) -> tuple[Programme, Conversion]:
    for programme in scope.definitions.at(now).programmes:
        for conversion in programme.body.conversions:
            if (programme.id, conversion.id) == (request.programme, request.conversion):
                return programme, conversion
    hint = FieldError("/conversion", "unknown_conversion", "no programme in force offers it")
    raise Unprocessable("The request does not fit; see errors.", errors=(hint,))


def _tier_answer(state: MemberState) -> api.TierSetAnswer:
    held, floor = state.tier, state.tier_floor
    return api.TierSetAnswer(
        member_id=state.member,
        tier=held.id if held is not None else None,
        until=format_rfc3339(held.until) if held is not None and held.until < NEVER else None,
        floor=floor.id if floor is not None else None,
    )
