"""Points and coupons that move without a purchase, in a replay: by hand, to another member, into vouchers, as gifts."""

from __future__ import annotations

from collections.abc import Sequence

from shared.challenges.errors import TooManyChallenges, UnknownChallenge
from shared.coupons.errors import TooManyCoupons, UnknownOffer
from shared.coupons.model import Coupon
from shared.kernel.errors import FieldError, StateConflict, Unprocessable
from shared.kernel.ids import derived_id
from shared.kernel.instants import Instant, parse_rfc3339
from shared.member_state.challenges import has_room
from shared.member_state.conversions import refusal
from shared.member_state.events import ChallengeGiven, CouponIssued, MemberEvent, PointsBooked, PointsConverted
from shared.member_state.model import MemberState, Parameters
from shared.member_state.promising import room_for
from shared.members.errors import NotAllowed, NotEnough
from shared.programmes.lots import lot_of
from shared.replay.events import Adjustment, ChallengeReceived, Conversion, CouponGiven, Transfer
from shared.replay.world import World
from shared.wallet.model import Posting
from shared.wallet.rules import spendable

ACTOR = "replay"


class CouponNameTaken(StateConflict):
    """Two coupons cannot have one name."""

    code, title = "coupon_name_taken", "Coupon name taken"


def adjust(world: World, event: Adjustment, at: Instant, reference: str) -> None:
    """Give or take points by hand; taking goes down to the wallet's overdraft."""
    _check_wallet(world, event.wallet, at)
    posting = _adjusted(world, event, at)

    def happens(state: MemberState) -> Sequence[MemberEvent]:
        if event.points < 0:
            overdraft = world.definitions.at(at).fold.wallet(event.wallet).overdraft
            _check_enough(state, event.wallet, -event.points, overdraft)
        return [PointsBooked(at, "adjust", (posting,), reference, event.reason, ACTOR)]

    world.change(world.member(event.member), at, happens)


def transfer(world: World, event: Transfer, at: Instant, reference: str) -> None:
    """Give points to another member."""
    _check_wallet(world, event.wallet, at)
    giver, receiver = world.member(event.member), world.member(event.to)
    if not world.definitions.at(at).fold.wallet(event.wallet).transfers:
        raise NotAllowed("Points of this wallet cannot be given to others.")
    if receiver is giver:
        raise _unfit("/to", "same_member", "points cannot be given to oneself")
    reason = event.reason or ""

    def given(state: MemberState) -> Sequence[MemberEvent]:
        _check_enough(state, event.wallet, event.points, 0)
        taken = Posting(event.wallet, "transfer_out", -event.points)
        return [PointsBooked(at, "transfer_out", (taken,), reference, reason, ACTOR)]

    entries = world.change(giver, at, given).entries
    lots = tuple(posting for entry in entries if entry.reference == reference for posting in entry.postings)
    world.change(receiver, at, lambda _state: [PointsBooked(at, "transfer_in", lots, reference, reason, ACTOR)])


def convert(world: World, event: Conversion, at: Instant, reference: str) -> None:
    """Points for vouchers."""
    view = world.definitions.at(at)
    found = [
        (programme.body.wallet, conversion)
        for programme in view.programmes
        for conversion in programme.body.conversions
        if (programme.id, conversion.id) == (event.programme, event.conversion)
    ]
    if not found:
        raise _unfit("/conversion", "unknown_conversion", "no programme in force offers it")
    wallet, conversion = found[0]

    def happens(state: MemberState) -> Sequence[MemberEvent]:
        reason = refusal(state, view.fold, conversion, event.times, at, wallet)
        if reason is not None:
            raise NotEnough(reason)
        coupons = tuple(derived_id("cpn", at, reference, str(number)) for number in range(event.times))
        cause = f"convert:{conversion.id}"
        return [PointsConverted(at, wallet, conversion.id, conversion.points, conversion.offer, coupons, cause)]

    world.change(world.member(event.member), at, happens)


def give_challenge(world: World, event: ChallengeReceived, at: Instant, name: str) -> None:
    """She receives a challenge that is in force."""
    view = world.definitions.at(at).fold
    challenge = view.challenges.in_force.get(event.challenge)
    if challenge is None:
        raise UnknownChallenge

    def happens(state: MemberState) -> Sequence[MemberEvent]:
        if not has_room(state, view, at):
            raise TooManyChallenges
        return [ChallengeGiven(at, derived_id("chl", at, event.member, event.challenge, name), challenge.id, challenge.version, ACTOR)]

    world.change(world.member(event.member), at, happens)


def give_coupon(world: World, event: CouponGiven, at: Instant, reference: str) -> None:
    """She receives an offer in force, unless she has as many as she may."""
    member, promise = world.member(event.member), world.definitions.at(at).promise(event.offer, at)
    if promise is None:
        raise UnknownOffer
    id_ = event.coupon or derived_id("cpn", at, reference)
    if id_ in world.coupons:
        raise CouponNameTaken

    fixed: Parameters = ()

    def happens(state: MemberState) -> Sequence[MemberEvent]:
        nonlocal fixed
        if room_for(state, promise) < 1:
            raise TooManyCoupons(f"A member may have {promise.per_member} of these.")
        fixed = promise.parameters(state, at)
        return [CouponIssued(at, id_, promise.offer, promise.active_from, promise.expires_at, ACTOR)]

    world.change(member, at, happens)
    world.coupons[id_] = Coupon(
        id_, promise.offer, promise.version, "active", event.member, promise.active_from, promise.expires_at,
        issued_by=ACTOR, parameters=fixed,
    )  # fmt: skip


def _adjusted(world: World, event: Adjustment, at: Instant) -> Posting:
    """Points given live as long as the wallet's first programme says, unless the event says until when."""
    if event.points < 0:
        return Posting(event.wallet, "adjust", event.points)
    if event.expires_at is not None:
        expires_at = parse_rfc3339(event.expires_at)
        if expires_at <= at:
            raise _unfit("/expires_at", "invalid_value", "lies in the past")
        return Posting(event.wallet, "adjust", event.points, 0, expires_at)
    view = world.definitions.at(at)
    programme = next((each for each in view.programmes if each.body.wallet == event.wallet), None)
    if programme is None:
        return Posting(event.wallet, "adjust", event.points)
    return lot_of(programme.body, "adjust", event.points, at, view.settings.time_zone, pending=False)


def _check_wallet(world: World, wallet: str, at: Instant) -> None:
    view = world.definitions.at(at)
    if wallet not in view.settings.wallets and wallet not in {each.body.wallet for each in view.programmes}:
        raise _unfit("/wallet", "unknown_wallet", "no programme has this wallet")


def _check_enough(state: MemberState, wallet: str, points: int, overdraft: int) -> None:
    there = spendable(state.wallets[wallet], state.holds, wallet, -overdraft) if wallet in state.wallets else overdraft
    if points > there:
        raise NotEnough("insufficient_points")


def _unfit(pointer: str, code: str, detail: str) -> Unprocessable:
    return Unprocessable("The event does not fit; see errors.", errors=(FieldError(pointer, code, detail),))
