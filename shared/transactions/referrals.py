"""A friend's first purchase rewards her and the member who brought her, in one commit; its return takes both rewards back.

Cost: nothing for a purchase of anybody who was not referred; one read and two writes more for the one that is rewarded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.kernel.instants import DAY, Instant
from shared.member_state.errors import ErasedMember, UnknownMember
from shared.member_state.events import MemberEvent, Mode, PointsBooked, ReferralEnded
from shared.member_state.model import MemberState
from shared.member_state.repository import Loaded, StateRepository
from shared.member_state.service import Companion
from shared.programmes.compiled import Programme
from shared.programmes.conditions import unmet
from shared.programmes.lots import lot_of
from shared.programmes.terms import Referral
from shared.tenants.scope import TenantScope
from shared.transactions.model import Circumstances, Decided
from shared.transactions.return_policy import terms_by
from shared.wallet.model import Posting


@dataclass(frozen=True, slots=True)
class Reward:
    """What a purchase does to a referral: events of the friend, and the referrer, if she gets something."""

    events: Sequence[MemberEvent] = ()
    companion: Companion | None = None


NOTHING = Reward()


@dataclass(frozen=True, slots=True)
class _Due:
    programme: Programme
    terms: Referral
    transaction: str
    at: Instant
    zone: str
    friend: MemberState = field(repr=False)

    @property
    def reference(self) -> str:
        """What both ledger entries name."""
        return f"{self.programme.id}/referral"

    def posting(self, points: int) -> Posting:
        """The reward as a lot of the programme."""
        return lot_of(self.programme.body, "bonus", points, self.at, self.zone)

    def ended(self, reason: str = "") -> ReferralEnded:
        """The friend's referral is over."""
        if reason:
            return ReferralEnded(self.at, self.programme.id, "", "refused", reason)
        return ReferralEnded(self.at, self.programme.id, self.transaction, "rewarded")


def after_purchase(
    scope: TenantScope, state: MemberState, given: Circumstances, decided: Decided, transaction: str, mode: Mode
) -> Reward:
    """The rewards, if this is the purchase that they are due for. Loads the referrer then."""
    due = due_for(state, given, decided, transaction)
    if due is None or mode == "historical":
        return NOTHING
    assert state.referred is not None
    try:
        loaded = StateRepository(scope.tenant, scope.table).load(state.referred.by)
    except (UnknownMember, ErasedMember):
        return Reward([due.ended("referrer_gone")])
    reason = refusal(state, loaded.state, due.terms)
    if reason is not None:
        return Reward([due.ended(reason)])
    return _both(due, loaded)


def due_for(state: MemberState, given: Circumstances, decided: Decided, transaction: str) -> _Due | None:
    """The referral that this purchase completes: of the first programme with one that applies to her. Pure."""
    referred = state.referred
    if referred is None or referred.transaction or referred.ended or decided.visit is None:
        return None
    for programme in given.programmes:
        terms = programme.body.referral
        if terms is None or unmet(programme.body.applies, given.facts, given.scene) is not None:
            continue
        in_time = given.scene.at <= state.joined_at + terms.within_days * DAY
        if in_time and decided.visit.value >= terms.minimum:
            return _Due(programme, terms, transaction, given.scene.at, given.scene.zone, state)
    return None


def refusal(friend: MemberState, referrer: MemberState, terms: Referral) -> str | None:
    """Why nobody is rewarded. Pure."""
    if referrer.member == friend.member or set(referrer.devices) & set(friend.devices):
        return "self_referral"
    if referrer.status != "active":
        return "referrer_gone"
    return "cap_reached" if referrer.referrals >= terms.most_per_referrer else None


def taken_back(scope: TenantScope, state: MemberState, transaction: str, at: Instant, given: Circumstances) -> Reward:
    """The purchase that was rewarded is gone: both lose what they got, by the programme's terms. ``given`` are those of the purchase."""
    referred = state.referred
    if referred is None or referred.transaction != transaction or referred.ended:
        return NOTHING
    programme = next((each for each in given.programmes if each.id == referred.programme), None)
    if programme is None or programme.body.referral is None:
        return NOTHING
    was = _Due(programme, programme.body.referral, transaction, given.scene.at, given.scene.zone, state)
    terms = terms_by(programme, given.wallets)
    events: list[MemberEvent] = [ReferralEnded(at, programme.id, transaction, "reversed")]
    if was.terms.friend_points:
        friends = (was.posting(was.terms.friend_points),)
        events.append(PointsBooked(at, "reverse", friends, was.reference, "returned", terms=terms))
    try:
        loaded = StateRepository(scope.tenant, scope.table).load(referred.by)
    except (UnknownMember, ErasedMember):
        return Reward(events)
    postings = (was.posting(was.terms.referrer_points),) if was.terms.referrer_points else ()
    hers = PointsBooked(at, "reverse", postings, was.reference, f"friend:{state.member}", referral=-1, terms=terms)
    return Reward(events, Companion(loaded, lambda _effects: [hers]))


def _both(due: _Due, referrer: Loaded) -> Reward:
    events: list[MemberEvent] = [due.ended()]
    if due.terms.friend_points:
        events.append(PointsBooked(due.at, "bonus", (due.posting(due.terms.friend_points),), due.reference, "referred"))
    postings = (due.posting(due.terms.referrer_points),) if due.terms.referrer_points else ()
    hers = PointsBooked(due.at, "bonus", postings, due.reference, f"friend:{due.friend.member}", referral=1)

    return Reward(events, Companion(referrer, lambda _effects: [hers]))
