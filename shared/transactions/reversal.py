"""Undo a sale: a return of it or of some of its lines, or a void (as if it never was). Exactly what came back is reversed, once.

Points earned are taken back from the very lots they went to; points spent return with the expiry that they had; coupons
are active again when all that they discounted came back; the profile loses what came back. A return is safe to repeat by its own
natural key, a void by the sale's id. A return that arrives before its sale waits at the sale's place, and is settled with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from shared.counter import counting
from shared.coupons.effects import Voucher
from shared.coupons.issuing import campaign_of
from shared.coupons.limits import QUOTA, counted_use
from shared.coupons.model import Coupon, OfferTerms
from shared.coupons.repository import CouponRepository
from shared.kernel.errors import AppError
from shared.kernel.instants import Instant
from shared.member_state import challenges
from shared.member_state.effects import DomainEvent, Effects
from shared.member_state.errors import ErasedMember, UnknownMember
from shared.member_state.events import Reversed
from shared.member_state.model import CountedUse, HeldCoupon, MemberState
from shared.member_state.repository import Stamp, envelope
from shared.member_state.service import Change, Done, MemberSession, Occasion
from shared.observability.measures import count_late
from shared.storage import keys
from shared.storage.commit import Plan, Stale, commit
from shared.storage.errors import RawItem
from shared.storage.expressions import Condition, Path
from shared.storage.items import RequestItem
from shared.storage.packing import pack, unpack
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope
from shared.transactions import gathering, offline_books, referrals, waiting
from shared.transactions.answers import trace
from shared.transactions.api import LookupRequest, ReturnRequest
from shared.transactions.bought import Bought, bought
from shared.transactions.budgets import Taken, add_budget_return
from shared.transactions.errors import AlreadyReversed
from shared.transactions.model import NaturalKey, Recorded
from shared.transactions.offline import losses_in
from shared.transactions.outcomes import balance_of
from shared.transactions.repository import (
    REQUEST_LABEL,
    SaleRecord,
    SaleRepository,
    check_same,
    natural_key,
    payload_hash,
)
from shared.transactions.return_policy import give_back_of, terms_of
from shared.transactions.returning import (
    NotReturnable,
    ReturnPlan,
    decimal,
    plan_return,
    returned_lines,
)
from shared.transactions.rules import thousandths

ReversalKind = Literal["return", "void"]
_GONE = ("returned", "voided")


def record_return(scope: TenantScope, request: ReturnRequest, correlation: str = "") -> Recorded:
    """A sale, or a part of it, comes back; or waits for a sale that has not arrived."""
    original = natural_key(request.transaction_id) if request.transaction_id else lookup_key(request.original)
    own = gathering.natural_key(request)
    at = gathering.returned_at(request, scope.clock())
    found = SaleRepository(scope.tenant, scope.table).find(original)
    if isinstance(found, SaleRecord):
        return _Reversal(scope, "return", original, own, request, at, correlation).carry_out()
    return waiting.park(scope, request, original, own, correlation)


def settle_waiting(scope: TenantScope, original: NaturalKey, own: NaturalKey, request: ReturnRequest, correlation: str) -> Recorded:
    """Settle a return whose sale has arrived."""
    at = gathering.returned_at(request, scope.clock())
    return _Reversal(scope, "return", original, own, request, at, correlation, has_waited=True).carry_out()


def void(scope: TenantScope, transaction_id: str, correlation: str = "") -> Recorded:
    """A cancelled sale: as if it never was. One that was returned in part is voided for what is left."""
    original = natural_key(transaction_id)
    return _Reversal(scope, "void", original, original, None, scope.clock(), correlation).carry_out()


def lookup_key(request: LookupRequest | None) -> NaturalKey:
    """The natural key that a look-up names."""
    assert request is not None
    return NaturalKey(request.source, request.location_id, request.business_date, request.till_id or "", request.receipt_number)


@dataclass(frozen=True, slots=True)
class _Back:
    """A coupon that is active again; ``amount``: what a voucher gets back, of the ``value`` that it had."""

    coupon: Coupon
    amount: int | None = None
    value: int = 0
    use: CountedUse | None = None
    """What no longer counts towards the member's limits."""

    @property
    def held(self) -> HeldCoupon:
        """The copy in its member's state."""
        coupon = self.coupon
        campaign = campaign_of(coupon.issued_by)
        return HeldCoupon(coupon.offer, "active", coupon.active_from, coupon.expires_at, campaign=campaign)


class _Reversal:
    """One reversal being carried out: what it reverses, and under which record."""

    def __init__(
        self,
        scope: TenantScope,
        kind: ReversalKind,
        original: NaturalKey,
        own: NaturalKey,
        request: ReturnRequest | None,
        at: Instant,
        correlation: str,
        *,
        has_waited: bool = False,
    ) -> None:
        self.scope = scope
        self.kind: ReversalKind = kind
        self.original = original
        self.own = own
        self.request = request
        self.hash = payload_hash(request) if request is not None else b"void"
        self.at = at
        self.correlation = correlation
        self.has_waited = has_waited
        self.sales = SaleRepository(scope.tenant, scope.table)
        self.coupons = CouponRepository(scope.tenant, scope.table)

    def carry_out(self) -> Recorded:
        """Reverse, or answer the stored answer of the same reversal. Returns that came before the sale come before this one."""
        sale = self.sales.get(self.original)
        if sale.waiting and not self.has_waited:
            waiting.settle(self.scope, sale, settle_waiting)
            sale = self.sales.get(self.original)
        if sale.status in _GONE:
            return self._answered_before(AlreadyReversed())
        try:
            recorded = self._reverse(sale)
        except NotReturnable as refusal:
            # It may be this very return that has left too little, and whose answer got lost: then the stored answer is the answer.
            return self._answered_before(refusal)
        if (sale.spent or sale.coupons) and not recorded.replayed:
            counting.alert(self.scope, self._doer(sale), "returns", self.correlation)
        return recorded

    def _reverse(self, sale: SaleRecord) -> Recorded:
        if sale.member is None:
            return self._anonymous(sale)
        try:
            session, occasion = MemberSession(self.scope, sale.member), Occasion(self.at, self.correlation)
            return session.change(occasion, lambda state, stale: self._decide(sale, state, stale), replay=self._replay)
        except (UnknownMember, ErasedMember) as nobody:
            if isinstance(nobody, ErasedMember):
                count_late("return")
            return self._anonymous(sale)

    def _decide(self, sale: SaleRecord, state: MemberState, stale: Stale) -> Change[Recorded] | Done[Recorded]:
        sale = self._again(sale, stale)
        if sale.status in _GONE:
            return Done(self._answered_before(AlreadyReversed()))
        was = bought(self.scope, sale)
        plan = self._plan_of(was, sale)
        came_back = self._coupons_of(sale, plan)
        event = Reversed(
            at=self.at,
            transaction=sale.id,
            kind=self.kind,
            visit=plan.visit,
            earned=plan.earned,
            spent=plan.spent,
            reissued={each.coupon.id: each.held for each in came_back if each.coupon.member is not None},
            usage=plan.usage,
            uses=(*(each.use for each in came_back if each.use is not None), *self._uses_of_promotions(was, plan)),
            whole=plan.whole,
            terms=terms_of(was.sold, was.given.programmes, was.given.wallets),
            location=was.sold.location,
            counts=challenges.returned_counts(
                state, self.scope.definitions.at(was.sold.at).fold, returned_lines(was.sold, plan), was.sold.at
            ),
        )
        reward = referrals.NOTHING
        if plan.whole:
            reward = referrals.taken_back(self.scope, state, sale.id, self.at, was.given)

        def finish(after: MemberState, effects: Effects, batch: WriteBatch) -> Recorded:
            postings = [posting for entry in effects.entries if entry.reference == sale.id for posting in entry.postings]
            reversed_points = -sum(each.points for each in postings if each.kind == "reverse")
            given_back = sum(each.points for each in postings if each.kind == "give_back")
            answer = self._answer(sale, was, plan, came_back, reversed_points, given_back, balance_of(after))
            self._add(batch, was, sale, plan, came_back, answer)
            return Recorded(answer)

        return Change([event, *reward.events], finish, request=REQUEST_LABEL, companion=reward.companion)

    def _anonymous(self, sale: SaleRecord) -> Recorded:
        def decide(stale: Stale) -> Plan[Recorded]:
            current = self._again(sale, stale)
            if current.status in _GONE:
                return Plan(WriteBatch(), self._answered_before(AlreadyReversed()))
            was = bought(self.scope, current)
            plan = self._plan_of(was, current)
            came_back = self._coupons_of(current, plan)
            answer = self._answer(current, was, plan, came_back, 0, 0, None)
            type_ = "transaction.returned_anonymously" if self.kind == "return" else "transaction.voided_anonymously"
            event = DomainEvent(type_, self.at, {"transaction": current.id, "value": plan.visit.value})
            batch = WriteBatch()
            self._add(batch, was, current, plan, came_back, answer, envelope([event], Stamp(self.scope.clock(), self.correlation)))
            return Plan(batch, Recorded(answer), REQUEST_LABEL)

        return commit(self.scope.table, decide, effort=self.scope.effort(), replay=self._replay)

    def _again(self, sale: SaleRecord, stale: Stale) -> SaleRecord:
        """The sale as it stood in the way of an attempt."""
        return self.sales.get(self.original) if "sale" in stale else sale

    def _plan_of(self, was: Bought, sale: SaleRecord) -> ReturnPlan:
        lines = self.request.lines if self.request is not None else ()
        wanted = [(line.line_id, None if line.quantity is None else thousandths(line.quantity)) for line in lines]
        policy = {wallet: give_back_of(was.given.programmes, wallet) for wallet in {posting.wallet for posting in sale.spent}}
        return plan_return(was.sold, sale.returned, wanted, policy, voided=self.kind == "void")

    def _coupons_of(self, sale: SaleRecord, plan: ReturnPlan) -> list[_Back]:
        """The coupons whose goods came back: those that are still this sale's own and come back by their offer; a void brings all."""
        taken = {id_: amount for id_, _, _, amount, *_ in sale.given[9]}
        found = self.coupons.get_many(list(plan.coupons)).values() if plan.coupons else []
        backs = (self._back(coupon, sale.id, taken.get(coupon.id, 0)) for coupon in found)
        return [back for back in backs if back is not None]

    def _back(self, coupon: Coupon, sale_id: str, amount: int) -> _Back | None:
        body = coupon.terms(self.scope.offer(coupon.offer, coupon.offer_version))
        if body is not None and self._keeps(body):
            return None
        use = counted_use(coupon.key, body.limits) if body is not None else None
        if body is not None and isinstance(body.effect, Voucher) and body.effect.remainder == "kept":
            usable = coupon.state in ("active", "redeemed") and coupon.expires_at > self.at
            return _Back(coupon, amount, body.effect.value, use) if usable else None
        own = coupon.state == "redeemed" and coupon.redeemed_basket == sale_id
        return _Back(coupon, use=use) if own else None

    def _uses_of_promotions(self, was: Bought, plan: ReturnPlan) -> list[CountedUse]:
        """Which uses no longer count, by the same policy as with coupons."""
        versions = {each.id: each.version for each in was.applied.promotions}
        found = (self.scope.definitions.promotion(id_, versions[id_]) for id_ in plan.promotions)
        uses = (counted_use(each.key, each.body.limits) for each in found if each is not None and not self._keeps(each.body))
        return [use for use in uses if use is not None]

    def _keeps(self, terms: OfferTerms) -> bool:
        """Whether a use stays one although everything came back: never after a void, which makes the sale one that never was."""
        return terms.on_return == "keep" and self.kind == "return"

    def _taken_back(self, was: Bought, taken: tuple[Taken, ...]) -> tuple[Taken, ...]:
        """What the sale gives back to budgets; a promotion's limit in all keeps its use where its policy does."""
        kept = {
            QUOTA + promotion.key
            for each in was.applied.promotions
            if (promotion := self.scope.definitions.promotion(each.id, each.version)) is not None and self._keeps(promotion.body)
        }
        return tuple(each for each in taken if each[0] not in kept)

    def _add(
        self,
        batch: WriteBatch,
        was: Bought,
        sale: SaleRecord,
        plan: ReturnPlan,
        came_back: list[_Back],
        answer: dict[str, Any],
        out: str | None = None,
    ) -> None:
        """The reversal's own record, the sale's new status, its coupons, quotas and budgets."""
        key = keys.request(self.scope.tenant, self.kind, self.own.source, self.own.text())
        record = RequestItem.at(key, hash=self.hash, body=pack(answer), status="settled", member=sale.member)
        is_new: Condition = Path("s") == waiting.WAITING if self.has_waited else Path("PK").does_not_exist()
        batch.put(REQUEST_LABEL, record, is_new, old=True)
        settled = self.own if self.has_waited else None
        self.sales.add_change(batch, sale, self._status(plan), returned=plan.returned, settled=settled, out=out)
        for back in came_back:
            coupon = back.coupon
            if back.amount is not None:
                self.coupons.add_value_back(batch, coupon, back.amount, back.value)
            else:
                self.coupons.add_reissue(batch, coupon, sale.id)
            if coupon.quota_shard is not None and coupon.state == "redeemed":
                self.coupons.add_quota_return(batch, coupon.key, coupon.quota_shard)
        if sale.spent or sale.coupons:
            counting.add(batch, self.scope, self._doer(sale), "returns")
        if plan.whole:
            add_budget_return(batch, self.scope.tenant, self._taken_back(was, sale.budgets))
            offline_books.book(batch, self.scope.tenant, sale.key, (), before=losses_in(sale.answer))

    def _doer(self, sale: SaleRecord) -> counting.Doer:
        """The cashier who takes it back; of a void, who sold it."""
        if self.request is not None:
            who = counting.cashier(self.request.staff_id, self.request.till_id)
            return counting.Doer(self.request.business_date, self.request.location_id, who)
        who = counting.cashier(sale.basket.get("staff_id"), sale.basket.get("till_id"))
        return counting.Doer(sale.key.business_date, sale.key.location, who)

    def _status(self, plan: ReturnPlan) -> Literal["partly_returned", "returned", "voided"]:
        if self.kind == "void":
            return "voided"
        return "returned" if plan.whole else "partly_returned"

    def _answer(
        self,
        sale: SaleRecord,
        was: Bought,
        plan: ReturnPlan,
        came_back: list[_Back],
        reversed_points: int,
        given_back: int,
        balance: int | None,
    ) -> dict[str, Any]:
        """``answer_models.ReversalAnswer``."""
        asked = sum(posting.points for posting in plan.earned) if sale.member else 0
        answer: dict[str, Any] = {
            "transaction_id": sale.id,
            "reversal_id": self.own.id("ret" if self.kind == "return" else "void"),
            "kind": self.kind,
            "status": "settled",
            "transaction_status": self._status(plan),
            "value": plan.value,
            "money": plan.money,
            "points_reversed": reversed_points,
            "points_not_reversed": asked - reversed_points,
            "points_given_back": given_back,
            "lines": [
                {"line_id": part.line, "quantity": decimal(part.units), "value": part.value, "points": part.points} for part in plan.parts
            ],
            "coupons_reissued": [each.coupon.id for each in came_back],
        }
        if balance is None:
            return answer
        return answer | {"balance": balance, "trace": trace(was.steps(plan, short=reversed_points < asked, given_back=given_back))}

    def _answered_before(self, refusal: AppError) -> Recorded:
        """The stored answer; ``refusal`` if this reversal has none, or only waits."""
        raw = self.scope.table.get(keys.request(self.scope.tenant, self.kind, self.own.source, self.own.text()))
        if raw is None or RequestItem.read(raw).status == waiting.WAITING:
            raise refusal
        return self._replay(raw)

    def _replay(self, raw: RawItem) -> Recorded:
        item = RequestItem.read(raw)
        check_same(item.hash, self.hash)
        answer: dict[str, Any] = waiting.answer_of(unpack(item.body))
        if answer["transaction_id"] != self.original.id("txn"):
            raise AlreadyReversed
        return Recorded(answer, replayed=True)
