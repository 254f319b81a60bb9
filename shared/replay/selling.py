"""Purchases in a replay: decided by the till's own rules, with the budgets and limits of the service counted in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from shared.coupons.limits import QUOTA
from shared.kernel.instants import Instant
from shared.member_state import challenges
from shared.member_state.effects import Effects
from shared.member_state.events import MemberEvent, PointsBooked
from shared.member_state.model import MemberState
from shared.member_state.tier_windows import VISITS
from shared.replay.sales import Sale
from shared.replay.world import World
from shared.transactions.api import CouponReference, TransactionRequest
from shared.transactions.budgets import limited_uses, wanted_by
from shared.transactions.errors import SaleRefused
from shared.transactions.facts import circumstances
from shared.transactions.model import Circumstances, CouponDiscount, Decided, PresentedCoupon
from shared.transactions.outcomes import purchased
from shared.transactions.referrals import due_for, refusal
from shared.transactions.return_policy import paid_by_line
from shared.transactions.returning import Sold, deducted_by_points
from shared.transactions.rules import decide

OF_OFFER: Final = "offer:"
"""``offer:<id>`` as a coupon's code is whichever she has of that offer: nobody knows beforehand the ids of coupons that the fold gives."""


@dataclass(slots=True)
class Selling:
    """One purchase. ``settled``: it has happened, so that nothing is refused, as the service takes a settled offline sale."""

    world: World
    request: TransactionRequest
    transaction: str
    at: Instant
    settled: bool = False
    decided: Decided = field(default_factory=lambda: Decided([]))
    effects: Effects | None = None
    member: str | None = None
    taken: dict[str, int] = field(default_factory=dict)
    """What it takes from budgets."""
    rewarded: tuple[str, PointsBooked] | None = None
    """The member who brought this one, and what she gets."""

    def carry_out(self) -> None:
        """Record the sale, with or without a member; ``SaleRefused`` if it counts on coupons or points that cannot be used."""
        world, member = self.world, self.world.named(self.request.member)
        if member is None:
            self._decide(None)
        else:
            self.member = member.state.member
            self.effects = world.change(member, self.at, self._happens)
        for key, amount in self.taken.items():
            world.budgets[key] += amount
        for key in limited_uses(self.decided):
            world.redemptions[key] += 1
        for each in self.decided.discounts:
            self._use(each)
        if self.rewarded is not None:
            referrer, event = self.rewarded
            world.change(world.member(referrer), self.at, lambda _state: [event])

    def sale(self) -> Sale:
        """What a return may ask of it."""
        decided, visit, entries = self.decided, self.decided.visit, self.effects.entries if self.effects is not None else []
        sold = Sold(
            at=self.at,
            location=self.request.location_id,
            channel=self.request.channel,
            lines=decided.lines,
            awards=decided.awards,
            spent=[
                posting
                for entry in entries
                if entry.reference == self.transaction
                for posting in entry.postings
                if posting.kind == "spend"
            ],
            paid_with_points=decided.tendered,
            coupons={each.coupon.id: [line for line, _ in each.lines] for each in decided.discounts},
            paid_with_vouchers=paid_by_line(decided.discounts),
            deducted=deducted_by_points(decided),
            opened_visit=visit is not None and VISITS in visit.by,
            promotions={each.id: [line for line, _ in each.lines] for each in decided.promotions},
            booked=tuple(visit.by) if visit is not None else None,
        )
        taken = self.taken | {QUOTA + each.key: 1 for each in decided.promotions if each.key in limited_uses(decided)}
        return Sale(self.member, sold, taken, {each.coupon.id: each.amount for each in decided.discounts})

    def _happens(self, state: MemberState) -> Sequence[MemberEvent]:
        given = self._decide(state)
        view = self.world.definitions.at(self.at)
        counts = challenges.counts_of(state, view.fold, self.decided.lines, given.scene)
        event = purchased(self.transaction, self.request, self.decided, given, view.asked, counts=counts)
        return [event] if state.referred is None else [event, *self._referral(state, given)]

    def _decide(self, state: MemberState | None) -> Circumstances:
        """The decision within what budgets have left."""
        world, request, at = self.world, self.request, self.at
        presented = [self._presented(index, each, state) for index, each in enumerate(request.coupons)]
        offers = [each.offer.when for each in presented if each.offer is not None]
        counted = [each.coupon.key for each in presented if each.coupon and each.offer and each.offer.limits.of_member]
        view = world.definitions.at(at)
        given = circumstances(view, at, at, request, world.catalogue, state, offers=offers, counted=counted)
        decided = decide(request, presented, given)
        is_final = self.settled or request.offline
        while used_up := self._used_up(decided, given, is_final=is_final):
            given = replace(given, exhausted=given.exhausted | used_up)
            decided = decide(request, presented, given)
        if decided.refused and not is_final:
            raise SaleRefused(decided.refused)
        self.decided = decided
        self.taken = {key: each.amount for key, each in wanted_by(decided, given).items()}
        return given

    def _used_up(self, decided: Decided, given: Circumstances, *, is_final: bool) -> frozenset[str]:
        """Budgets and limits that have no room for what it takes. What has happened overdraws those of value and uses."""
        taken, uses = self.world.budgets, self.world.redemptions
        wanted = {key: each for key, each in wanted_by(decided, given).items() if not (is_final and each.of_value)}
        limited = {} if is_final else limited_uses(decided)
        over_budget = {key for key, each in wanted.items() if taken[key] + each.amount > each.limit}
        return frozenset(over_budget | {QUOTA + key for key, limit in limited.items() if uses[key] >= limit})

    def _presented(self, index: int, reference: CouponReference, state: MemberState | None) -> PresentedCoupon:
        name = reference.id or reference.code or ""
        if name.startswith(OF_OFFER) and state is not None:
            held = [(each.expires_at, id_) for id_, each in state.coupons.items() if each.offer == name.removeprefix(OF_OFFER)]
            name = min(held)[1] if held else name
        coupon = self.world.coupons.get(name)
        offer = coupon.terms(self.world.definitions.offer(coupon.offer, coupon.offer_version)) if coupon is not None else None
        return PresentedCoupon(f"coupons/{index}", coupon, offer)

    def _use(self, discount: CouponDiscount) -> None:
        """The coupon is used; a voucher of which something is left goes on with it."""
        coupon = discount.coupon
        if discount.left:
            self.world.coupons[coupon.id] = replace(coupon, left=discount.left)
            return
        self.world.coupons[coupon.id] = replace(coupon, state="redeemed", redeemed_basket=self.transaction)

    def _referral(self, state: MemberState, given: Circumstances) -> list[MemberEvent]:
        """The rewards, if this is the purchase that they are due for."""
        due, referred = due_for(state, given, self.decided, self.transaction), state.referred
        if due is None or referred is None:
            return []
        referrer = self.world.members.get(referred.by)
        reason = refusal(state, referrer.state, due.terms) if referrer is not None else "referrer_gone"
        if reason is not None:
            return [due.ended(reason)]
        events: list[MemberEvent] = [due.ended()]
        if due.terms.friend_points:
            friends = (due.posting(due.terms.friend_points),)
            events.append(PointsBooked(due.at, "bonus", friends, due.reference, "referred"))
        postings = (due.posting(due.terms.referrer_points),) if due.terms.referrer_points else ()
        hers = PointsBooked(due.at, "bonus", postings, due.reference, f"friend:{state.member}", referral=1)
        self.rewarded = (referred.by, hers)
        return events

