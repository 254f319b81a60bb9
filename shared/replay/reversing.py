"""Returns and voids in a replay: planned and folded as the service does, against the sale as it was kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from shared.coupons.effects import Voucher
from shared.coupons.limits import QUOTA, counted_use
from shared.coupons.model import Coupon, OfferTerms
from shared.kernel.instants import Instant
from shared.member_state import challenges
from shared.member_state.events import MemberEvent, PointsBooked, ReferralEnded, Reversed
from shared.member_state.model import CountedUse, HeldCoupon, MemberState
from shared.programmes.compiled import Programme
from shared.programmes.lots import lot_of
from shared.replay.sales import Sale
from shared.replay.world import World
from shared.transactions.api import ReturnRequest
from shared.transactions.errors import AlreadyReversed
from shared.transactions.return_policy import give_back_of, terms_by, terms_of
from shared.transactions.returning import ReturnPlan, plan_return, returned_lines
from shared.transactions.rules import thousandths


@dataclass(slots=True)
class Reversing:
    """One reversal of a sale, which is changed. ``request`` is ``None`` for a void."""

    world: World
    kind: Literal["return", "void"]
    sale: Sale
    transaction: str
    request: ReturnRequest | None
    at: Instant
    taken_from: tuple[str, PointsBooked] | None = None
    """The member who brought this one, and what she loses."""

    def carry_out(self) -> None:
        """Take back and give back. ``AlreadyReversed`` or ``NotReturnable``, and nothing has changed but that time has passed."""
        sale, world = self.sale, self.world
        if sale.gone:
            raise AlreadyReversed
        plan = self._plan()
        came_back = [back for id_ in plan.coupons if (back := self._back(world.coupons[id_])) is not None]
        if sale.member is not None:
            world.change(world.member(sale.member), self.at, lambda state: self._happens(state, plan, came_back))
        if self.taken_from is not None:
            referrer, event = self.taken_from
            world.change(world.member(referrer), self.at, lambda _state: [event])
        for coupon in came_back:
            was = world.coupons[coupon.id]
            world.coupons[coupon.id] = coupon
            if was.state == "redeemed" and coupon.key in world.redemptions:
                world.redemptions[coupon.key] -= 1
        for key, amount in sale.budgets.items() if plan.whole else ():
            if not key.startswith(QUOTA):
                world.budgets[key] -= amount
            elif not self._keeps(self._promotion(key.rpartition(":")[2])):
                world.redemptions[key.removeprefix(QUOTA)] -= amount
        sale.returned = plan.returned
        sale.status = "voided" if self.kind == "void" else "returned" if plan.whole else "partly_returned"

    def _plan(self) -> ReturnPlan:
        sold = self.sale.sold
        lines = self.request.lines if self.request is not None else ()
        wanted = [(line.line_id, None if line.quantity is None else thousandths(line.quantity)) for line in lines]
        give_back = {wallet: give_back_of(self._programmes, wallet) for wallet in {posting.wallet for posting in sold.spent}}
        return plan_return(sold, self.sale.returned, wanted, give_back, voided=self.kind == "void")

    @property
    def _programmes(self) -> tuple[Programme, ...]:
        """In the versions that the sale was decided with."""
        return self.world.definitions.at(self.sale.sold.at).programmes

    def _back(self, coupon: Coupon) -> Coupon | None:
        """The coupon as it is active again: this sale's own, or a voucher with what it paid put back; ``None`` if it stays as it is."""
        body = coupon.terms(self.world.definitions.offer(coupon.offer, coupon.offer_version))
        if self._keeps(body):
            return None
        if body is not None and isinstance(body.effect, Voucher) and body.effect.remainder == "kept":
            usable = coupon.state in ("active", "redeemed") and coupon.expires_at > self.at
            left = (0 if coupon.state == "redeemed" else coupon.left or 0) + self.sale.taken.get(coupon.id, 0)
            kept = left if left < body.effect.value else None
            return replace(coupon, state="active", redeemed_basket=None, left=kept) if usable else None
        is_its_own = coupon.state == "redeemed" and coupon.redeemed_basket == self.transaction
        return replace(coupon, state="active", redeemed_basket=None) if is_its_own else None

    def _keeps(self, terms: OfferTerms | None) -> bool:
        return terms is not None and terms.on_return == "keep" and self.kind == "return"

    def _promotion(self, id_: str) -> OfferTerms | None:
        """In the version that was in force at the sale."""
        return next((each.body for each in self.world.definitions.at(self.sale.sold.at).promotions if each.id == id_), None)

    def _uses(self, plan: ReturnPlan, came_back: list[Coupon]) -> tuple[CountedUse, ...]:
        """Which uses no longer count towards her limits."""
        offers = ((each.key, self.world.definitions.offer(each.offer, each.offer_version)) for each in came_back)
        promotions = ((f"promotion:{id_}", self._promotion(id_)) for id_ in plan.promotions)
        free = [(key, terms) for key, terms in (*offers, *promotions) if terms is not None and not self._keeps(terms)]
        found = (counted_use(key, terms.limits) for key, terms in free)
        return tuple(use for use in found if use is not None)

    def _happens(self, state: MemberState, plan: ReturnPlan, came_back: list[Coupon]) -> Sequence[MemberEvent]:
        sold = self.sale.sold
        event = Reversed(
            at=self.at,
            transaction=self.transaction,
            kind=self.kind,
            visit=plan.visit,
            earned=plan.earned,
            spent=plan.spent,
            reissued={each.id: HeldCoupon(each.offer, "active", each.active_from, each.expires_at) for each in came_back if each.member},
            usage=plan.usage,
            uses=self._uses(plan, came_back),
            whole=plan.whole,
            terms=terms_of(sold, self._programmes, self.world.definitions.settings.wallets),
            location=sold.location,
            counts=challenges.returned_counts(
                state, self.world.definitions.at(sold.at).fold, returned_lines(sold, plan), sold.at
            ),
        )
        return [event, *self._referral(state)] if plan.whole else [event]

    def _referral(self, state: MemberState) -> list[MemberEvent]:
        """The purchase that was rewarded is gone: both lose what they got."""
        referred = state.referred
        if referred is None or referred.transaction != self.transaction or referred.ended:
            return []
        programme = next((each for each in self._programmes if each.id == referred.programme), None)
        terms = programme.body.referral if programme is not None else None
        if programme is None or terms is None:
            return []
        back = terms_by(programme, self.world.definitions.settings.wallets)
        zone, reference = self.world.definitions.settings.time_zone, f"{programme.id}/referral"
        events: list[MemberEvent] = [ReferralEnded(self.at, programme.id, self.transaction, "reversed")]
        if terms.friend_points:
            friends = (lot_of(programme.body, "bonus", terms.friend_points, self.sale.sold.at, zone),)
            events.append(PointsBooked(self.at, "reverse", friends, reference, "returned", terms=back))
        points = terms.referrer_points
        postings = (lot_of(programme.body, "bonus", points, self.sale.sold.at, zone),) if points else ()
        hers = PointsBooked(self.at, "reverse", postings, reference, f"friend:{state.member}", referral=-1, terms=back)
        self.taken_from = (referred.by, hers)
        return events
