"""Purchases in a replay: decided by the till's own rules, with the budgets and limits of the service counted in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from shared.coupons.model import Coupon
from shared.kernel.instants import Instant
from shared.member_state import challenges
from shared.member_state.events import Effects, MemberEvent, PointsBooked
from shared.member_state.model import MemberState
from shared.member_state.tier_windows import VISITS
from shared.replay.sales import Sale
from shared.replay.world import World
from shared.transactions.api import CouponReference, TransactionRequest
from shared.transactions.budgets import limit_of
from shared.transactions.errors import SaleRefused
from shared.transactions.facts import circumstances
from shared.transactions.model import Circumstances, CouponDiscount, Decided, PresentedCoupon, Refused
from shared.transactions.referrals import due_for, refusal
from shared.transactions.return_policy import paid_by_line
from shared.transactions.returning import Sold, deducted_by_points
from shared.transactions.rules import decide
from shared.transactions.service import purchased

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
        for key, points in self.decided.budgets.items():
            world.budgets[key] += points
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
        )
        return Sale(self.member, sold, decided.budgets, {each.coupon.id: each.amount for each in decided.discounts})

    def _happens(self, state: MemberState) -> Sequence[MemberEvent]:
        given = self._decide(state)
        view = self.world.definitions.at(self.at)
        counts = challenges.counts_of(state, view.fold, self.decided.lines, given.scene)
        event = purchased(self.transaction, self.request, self.decided, given, view.asked, counts=counts)
        return [event] if state.referred is None else [event, *self._referral(state, given)]

    def _decide(self, state: MemberState | None) -> Circumstances:
        """The decision within what budgets have left."""
        world, request, at = self.world, self.request, self.at
        given = circumstances(world.definitions.at(at), at, at, request, world.catalogue, state)
        presented = [self._presented(index, each, state) for index, each in enumerate(request.coupons)]
        decided = decide(request, presented, given)
        while used_up := self._used_up(decided, given):
            given = replace(given, exhausted=given.exhausted | used_up)
            decided = decide(request, presented, given)
        is_final = self.settled or request.offline
        refused = decided.refused + self._over_limit(decided)
        if refused and not is_final:
            raise SaleRefused(refused)
        self.decided = decided
        return given

    def _used_up(self, decided: Decided, given: Circumstances) -> frozenset[str]:
        """Budgets that have no room for what it takes."""
        budgets, taken = decided.budgets, self.world.budgets
        return frozenset(key for key, points in budgets.items() if taken[key] + points > (limit_of(given.programmes, key) or 0))

    def _presented(self, index: int, reference: CouponReference, state: MemberState | None) -> PresentedCoupon:
        name = reference.id or reference.code or ""
        if name.startswith(OF_OFFER) and state is not None:
            held = [(each.expires_at, id_) for id_, each in state.coupons.items() if each.offer == name.removeprefix(OF_OFFER)]
            name = min(held)[1] if held else name
        coupon = self.world.coupons.get(name)
        offer = self.world.definitions.offer(coupon.offer, coupon.offer_version) if coupon is not None else None
        return PresentedCoupon(f"coupons/{index}", coupon, offer)

    def _over_limit(self, decided: Decided) -> list[Refused]:
        """Coupons of offers whose limit is used up."""
        used_up = [each.coupon for each in decided.discounts if not each.left]
        over = [coupon for coupon in used_up if (limit := self._limit(coupon)) and self.world.redemptions[coupon.offer] >= limit]
        return [Refused(f"coupons/{coupon.id}", "exhausted", "All coupons of this offer are used up.") for coupon in over]

    def _limit(self, coupon: Coupon) -> int | None:
        body = self.world.definitions.offer(coupon.offer, coupon.offer_version)
        return body.limit if body is not None else None

    def _use(self, discount: CouponDiscount) -> None:
        """The coupon is used; a voucher of which something is left goes on with it."""
        coupon = discount.coupon
        if discount.left:
            self.world.coupons[coupon.id] = replace(coupon, left=discount.left)
            return
        self.world.coupons[coupon.id] = replace(coupon, state="redeemed", redeemed_basket=self.transaction)
        if self._limit(coupon) is not None:
            self.world.redemptions[coupon.offer] += 1

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

