"""Quote a basket; record a finished sale exactly once.

Cost of a recorded sale with a known member id and no coupon: one Query (state) and one transaction of three items (the
sale, the ledger entry, the state). Everything else is cached.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.counter.errors import ConfirmationNotUsable, ConfirmationRequired
from shared.coupons.limits import QUOTA, value_limits
from shared.coupons.model import Promotion
from shared.coupons.quota import QuotaWalk
from shared.coupons.repository import CouponRepository
from shared.definitions.model import TenantView
from shared.member_state import challenges, handlers
from shared.member_state.effects import DomainEvent, Effects
from shared.member_state.errors import ErasedMember, UnknownMember
from shared.member_state.events import Purchased
from shared.member_state.model import MemberState
from shared.member_state.repository import Stamp, envelope
from shared.member_state.service import Change, Done, MemberSession, Occasion, view_member
from shared.members.errors import IdentifierBlocked
from shared.observability.measures import count_late
from shared.storage.commit import NotAnAnswer, Plan, Stale, commit
from shared.storage.errors import RawItem
from shared.storage.table import WriteBatch
from shared.tenants.model import CatalogueItem
from shared.tenants.scope import TenantScope
from shared.transactions import gathering, holds, offline, offline_books, referrals
from shared.transactions.answers import decision_fields, standing_of
from shared.transactions.api import CouponReference, QuoteRequest, TransactionRequest
from shared.transactions.at_the_counter import NOTHING, AtCounter, Noticed, spending_of, step_up
from shared.transactions.budgets import BudgetWalk, affordable
from shared.transactions.errors import HoldNotUsable, SaleRefused, UnknownHold, UnknownTransaction
from shared.transactions.model import Circumstances, Decided, NaturalKey, Recorded, Warned
from shared.transactions.outcomes import balance_of, outcome_of, purchased, review_fields, sale_answer
from shared.transactions.repository import REQUEST_LABEL, Awaited, SaleRepository, awaited_of, check_same, payload_hash
from shared.transactions.rules import decide
from shared.wallet.model import Posting


def quote(scope: TenantScope, request: QuoteRequest, caller: str = "") -> dict[str, Any]:
    """Price a basket (``api.QuoteAnswer``). Reads the member and her coupons; writes nothing. Warns where a confirmation will be asked."""
    at = gathering.occurred_at(request, scope.clock())
    member, warnings = gathering.member_id(scope, request.member), []
    state: MemberState | None = None
    if member is not None:
        try:
            state = view_member(scope, member, at)
        except (UnknownMember, ErasedMember):
            member = None
    if request.member is not None and state is None:
        warnings.append(_unknown_member())
    presented = gathering.presented_coupons(scope, request.coupons)
    catalogue = gathering.catalogue_for(scope, request)

    def priced(exhausted: frozenset[str]) -> tuple[Circumstances, Decided]:
        given = gathering.circumstances(scope, at, request, catalogue, state, exhausted=exhausted, presented=presented)
        return given, decide(request, presented, given)

    given, decided = affordable(scope.tenant, scope.table, request.source, priced)
    decided.warnings += warnings
    if state is None:
        return decision_fields(decided, given.scene.currency, None, None)
    try:
        step_up(scope, request, caller, scope.clock(), "").check(state, spending_of(decided), {})
    except ConfirmationRequired as required:
        decided.warnings.append(Warned(required.code, "/confirmation_id", required.title))
    view = scope.definitions.at(at)
    counts = challenges.counts_of(state, view.fold, decided.lines, given.scene)
    standing = _standing_after(scope, state, purchased(f"{at}", request, decided, given, view.asked, counts=counts))
    return {"member_id": state.member, **decision_fields(decided, given.scene.currency, balance_of(state), standing)}


def record(
    scope: TenantScope,
    request: TransactionRequest,
    correlation: str = "",
    session: MemberSession | None = None,
    *,
    caller: str = "",
    blocked: bool = False,
) -> Recorded:
    """Record a finished sale, or answer the stored one.

    A sale with an unknown member is stored without one, with a warning, and may be claimed. Coupons or points that cannot
    be used are refused whole (``SaleRefused``, nothing stored), but for a settled offline sale, which is never refused.
    ``session`` keeps the member in memory over a batch; ``blocked``: her card is. ``caller`` is the till's credential.
    ``IdentifierBlocked``, ``ConfirmationRequired`` and ``ConfirmationNotUsable`` refuse a sale, too, that was not made offline.
    """
    sale = _Sale(scope, request, correlation)
    try:
        buyer = gathering.buyer(scope, request) if session is None else None
        if session is None and buyer is None:
            return sale.record_anonymous()
        sale.meet(caller, blocked=blocked or (buyer is not None and buyer.blocked))
        return sale.record_for(session or MemberSession(scope, buyer.member if buyer is not None else ""))
    except (UnknownMember, ErasedMember) as nobody:
        if isinstance(nobody, ErasedMember):
            count_late("sale")
        return sale.record_anonymous()
    except (SaleRefused, IdentifierBlocked, ConfirmationRequired, ConfirmationNotUsable):
        # The coupon may be used up by this very sale, whose answer got lost: then the stored answer is the answer.
        stored = sale.stored()
        if stored is None:
            raise
        return stored


class _Sale:
    """One sale being recorded: what was read for it, and the quota shards tried."""

    def __init__(self, scope: TenantScope, request: TransactionRequest, correlation: str) -> None:
        self.scope = scope
        self.request = request
        self.correlation = correlation
        self.key = gathering.natural_key(request)
        self.at = gathering.occurred_at(request, scope.clock())
        self.hash = payload_hash(request)
        self.held_value: int | None = None
        self.promised: tuple[Promotion, ...] = ()
        self.basket = request if request.hold_id is None else self._as_held(request.hold_id)
        self.presented = gathering.presented_coupons(scope, self.basket.coupons)
        self.catalogue: Mapping[str, CatalogueItem] = gathering.catalogue_for(scope, request)
        self.sales = SaleRepository(scope.tenant, scope.table)
        self.quota = QuotaWalk(CouponRepository(scope.tenant, scope.table), self.key.id("txn"))
        self.budgets = BudgetWalk(scope.tenant, scope.table, self.key.id("txn"), self.quota, overdraws=request.offline)
        self.awaited: Awaited | None = None
        self.meet("", blocked=False)

    def meet(self, caller: str, *, blocked: bool) -> None:
        """Who records it, and whether the guest showed what is blocked."""
        self.counter = AtCounter(self.scope, self.request, self.at, caller, transaction=self.key.id("txn"), blocked=blocked)

    def _as_held(self, hold_id: str) -> TransactionRequest:
        """The basket with exactly what was held for it. A hold that we do not know refuses no sale that was made offline."""
        try:
            held = holds.load(self.scope, hold_id)
        except UnknownHold:
            if not self.request.offline:
                raise
            return self.request
        given = {each.id: each.given for each in self.request.coupons}
        coupons = tuple(CouponReference(id=id_, given=given.get(id_)) for id_ in held.coupons)
        if held.points:
            self.held_value = held.decision["totals"]["paid_with_points"]
        self.promised = self._promised_by(held)
        return self.request.model_copy(update={"coupons": coupons, "points_to_spend": held.points})

    def _promised_by(self, held: holds.HoldRecord) -> tuple[Promotion, ...]:
        """The promotions that applied when the hold was placed, in the versions of then."""
        named = ((each["promotion_id"], each["version"]) for each in held.decision.get("promotions") or ())
        found = (self.scope.definitions.promotion(id_, version) for id_, version in named)
        return tuple(each for each in found if each is not None)

    # -- with a member ----------------------------------------------------------------------------------------------

    def record_for(self, session: MemberSession) -> Recorded:
        """One conditional transaction about the member."""
        occasion = Occasion(self.at, self.correlation, self.request.mode)
        recorded = self.budgets.giving_way(lambda: session.change(occasion, self._decide, replay=self._replay))
        self.counter.tell(recorded.answer, self.correlation)
        return recorded

    def _decide(self, state: MemberState, stale: Stale) -> Change[Recorded] | Done[Recorded]:
        self._look(stale)
        hold = self._hold_of(state)
        if hold is not None and hold not in state.holds:
            stored = self.stored()
            if stored is None:
                raise HoldNotUsable("The hold was released, used, or has run out.")
            return Done(stored)
        given, decided = self._decided(state, stale)
        noticed = self.counter.look(state, decided, stale, was_held=hold is not None)
        referral = referrals.after_purchase(self.scope, state, given, decided, self.key.id("txn"), self.request.mode)
        view = self._view()
        counts = challenges.counts_of(state, view.fold, decided.lines, given.scene)
        happened = purchased(self.key.id("txn"), self.request, decided, given, view.asked, hold, counts, noticed)
        events = [happened, *referral.events]

        def finish(after: MemberState, effects: Effects, batch: WriteBatch) -> Recorded:
            standing = standing_of(after, self._view().fold, self.at)
            answer = noticed.answered(self._answer(decided, given, balance_of(after), standing, after.member))
            spent = tuple(
                posting
                for entry in effects.entries
                if entry.reference == self.key.id("txn")
                for posting in entry.postings
                if posting.kind == "spend"
            )
            self._add_record(batch, decided, given, answer, after.member, spent, noticed=noticed)
            self.counter.add(batch, after.member, noticed, sum(each.points for each in happened.earned))
            self._add_coupons(batch, decided)
            for told in self._losses_told(decided):
                effects.tell("offline.loss", self.at, told)
            if hold is not None:
                holds.add_end(batch, self.scope.tenant, hold, "committed")
            return Recorded(answer, waited_for=self.awaited is not None)

        return Change(events, finish, request=REQUEST_LABEL, companion=referral.companion)

    def _hold_of(self, state: MemberState | None) -> str | None:
        """The hold that this sale uses. A sale that was made offline goes on without one that is gone, or another member's."""
        hold = self.request.hold_id
        is_hers = state is not None and hold in state.holds
        return hold if is_hers or not self.request.offline else None

    def _look(self, stale: Stale) -> None:
        """What stood in the way: coupons as they are now, and returns that have come before their sale."""
        self.presented = gathering.refreshed(self.scope, self.presented, stale)
        record = stale.get(REQUEST_LABEL)
        if record is not None:
            self.awaited = awaited_of(record)

    def _decided(self, state: MemberState | None, stale: Stale) -> tuple[Circumstances, Decided]:
        """The decision within budgets and limits; ``SaleRefused`` if it counts on what is not there."""

        def within(exhausted: frozenset[str]) -> tuple[Circumstances, Decided]:
            historical, hold = self.request.mode == "historical", self._hold_of(state)
            given = gathering.circumstances(
                self.scope,
                self.at,
                self.basket,
                self.catalogue,
                state,
                hold=hold,
                held_value=self.held_value if hold is not None else None,
                promised=self.promised if hold is not None else (),
                historical=historical,
                exhausted=exhausted,
                presented=self.presented,
                offline=self.request.offline,
            )
            return given, decide(self.basket, self.presented, given)

        given, decided = self.budgets.within(within, stale)
        decided = self._settled(decided, given)
        self._tell_overdrawn(decided, given)
        return given, decided

    def _view(self) -> TenantView:
        """The definitions that the sale is decided with."""
        return self.scope.definitions.at(self.scope.clock() if self.request.mode == "historical" else self.at)

    def _settled(self, decided: Decided, given: Circumstances) -> Decided:
        """Refuse a sale that counts on what cannot be used; a settled offline sale is taken as it is, with its losses."""
        if not self.request.offline:
            if decided.refused:
                raise SaleRefused(decided.refused)
            return decided
        decided.warnings += [Warned("offline_loss", f"/{each.subject}", each.detail) for each in decided.refused]
        decided.losses = offline.losses_of(self.basket, self.presented, given, decided)
        return decided

    def _losses_told(self, decided: Decided) -> list[dict[str, object]]:
        key = self.key
        return [offline.event_data(each, key.id("txn"), key.location, key.business_date) for each in decided.losses]

    def _add_coupons(self, batch: WriteBatch, decided: Decided) -> None:
        coupons = self.quota.repository
        for each in decided.discounts:
            if each.left:
                coupons.add_use_in_part(batch, each.coupon, self.request.hold_id, self.at, each.left)
                continue
            shard = self.quota.add(batch, each.key)
            coupons.add_redeem(batch, each.coupon, self.key.id("txn"), self.request.hold_id, self.at, quota_shard=shard)

    def _tell_overdrawn(self, decided: Decided, given: Circumstances) -> None:
        """A settled sale is never refused: what it takes of limits and budgets that were used up is overdrawn, and its location's loss."""
        for each in decided.discounts if self.budgets.overdrawn else ():
            scene = given.scene
            keys_of_value = value_limits(each.key, each.terms.limits, scene.location, scene.groups) if each.terms is not None else ()
            if QUOTA + each.key in self.budgets.overdrawn:
                decided.warnings.append(Warned("offline_loss", "/coupons", "the offer's limit was used up"))
                decided.losses.append(offline.beyond_limit(each, self.presented))
            elif any(key in self.budgets.overdrawn for key in keys_of_value):
                decided.warnings.append(Warned("offline_loss", "/coupons", "the offer's budget was used up"))
                decided.losses.append(offline.beyond_limit(each, self.presented, "budget_exhausted"))

    # -- without a member -------------------------------------------------------------------------------------------

    def record_anonymous(self) -> Recorded:
        """One conditional write: the sale is its own record, and tells of itself."""
        return commit(self.scope.table, self._plan_anonymous, effort=self.scope.effort(), replay=self._replay)

    def _plan_anonymous(self, stale: Stale) -> Plan[Recorded]:
        self._look(stale)
        given, decided = self._decided(None, stale)
        if self.request.member is not None:
            decided.warnings.append(_unknown_member())
        answer = self._answer(decided, given, None, None, None)
        assert decided.visit is not None
        data: dict[str, object] = {"transaction": self.key.id("txn"), "value": decided.visit.value, "location": self.request.location_id}
        event = DomainEvent("transaction.recorded_anonymously", self.at, data | {"channel": self.request.channel})
        batch = WriteBatch()
        losses = [DomainEvent("offline.loss", self.at, each) for each in self._losses_told(decided)]
        out = envelope([event, *losses], Stamp(self.scope.clock(), self.correlation, self.request.mode))
        self._add_record(batch, decided, given, answer, None, (), out)
        self._add_coupons(batch, decided)
        return Plan(batch, Recorded(answer, waited_for=self.awaited is not None), REQUEST_LABEL)

    # -- both -------------------------------------------------------------------------------------------------------

    def _add_record(
        self,
        batch: WriteBatch,
        decided: Decided,
        given: Circumstances,
        answer: dict[str, Any],
        member: str | None,
        spent: tuple[Posting, ...],
        out: str | None = None,
        noticed: Noticed = NOTHING,
    ) -> None:
        taken = self.budgets.add(batch)
        outcome = outcome_of(self.basket, decided, given, answer, spent, taken, noticed)
        self.sales.add_new(batch, self.key, self.hash, self.request.kept(member), outcome, member, out, self.awaited)
        offline_books.book(batch, self.scope.tenant, self.key, decided.losses)

    def _answer(
        self, decided: Decided, given: Circumstances, balance: int | None, standing: dict[str, Any] | None, member: str | None
    ) -> dict[str, Any]:
        return sale_answer(self.key, self.request, self.at, member, decision_fields(decided, given.scene.currency, balance, standing))

    def stored(self) -> Recorded | None:
        """The answer of this very sale, if it was recorded before."""
        try:
            sale = self.sales.get(self.key)
        except UnknownTransaction:
            return None
        check_same(sale.hash, self.hash)
        return Recorded(sale.answer, replayed=True, waited_for=bool(sale.waiting))

    def _replay(self, raw: RawItem) -> Recorded:
        if awaited_of(raw) is not None:
            raise NotAnAnswer
        sale = self.sales.decode(self.key, raw)
        check_same(sale.hash, self.hash)
        return Recorded(sale.answer, replayed=True, waited_for=bool(sale.waiting))


def read_sale(scope: TenantScope, key: NaturalKey) -> dict[str, Any]:
    """A recorded sale as answered, with its present status. 1 read."""
    sale = SaleRepository(scope.tenant, scope.table).get(key)
    answer = dict(sale.answer)
    answer["status"] = sale.status
    return answer | review_fields(sale.review, scope.clock())


def _standing_after(scope: TenantScope, state: MemberState, event: Purchased) -> dict[str, Any] | None:
    """The state after the quoted purchase, in memory only: the answer says what buying would lead to."""
    views = scope.definitions.fold_at
    view = views(event.at)
    handlers.handle(state, event, view, max(event.at, state.as_of), Effects())
    return standing_of(state, view, event.at)


def _unknown_member() -> Warned:
    return Warned("unknown_member", "/member", "no such member; stored without one, it may be claimed")
