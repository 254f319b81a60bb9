"""Quote a basket; record a finished sale exactly once.

Cost of a recorded sale with a known member id and no coupon: one Query (state) and one transaction of three items (the
sale, the ledger entry, the state). Everything else is cached.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.coupons.model import OfferBody
from shared.coupons.quota import QuotaWalk
from shared.coupons.repository import CouponRepository
from shared.kernel.instants import Instant, format_rfc3339
from shared.member_state.errors import ErasedMember, UnknownMember
from shared.member_state.events import DomainEvent, Effects, Purchased
from shared.member_state.model import MemberState
from shared.member_state.repository import Stamp, envelope
from shared.member_state.service import Change, Done, MemberSession, Occasion, view_member
from shared.storage.commit import Plan, Stale, commit
from shared.storage.errors import RawItem
from shared.storage.table import WriteBatch
from shared.tenants.model import CatalogueItem
from shared.tenants.scope import TenantScope
from shared.transactions import gathering, holds
from shared.transactions.answers import decision_fields
from shared.transactions.api import CouponReference, QuoteRequest, TransactionRequest
from shared.transactions.errors import HoldNotUsable, SaleRefused, UnknownTransaction
from shared.transactions.model import Circumstances, Decided, NaturalKey, Refused, Warned
from shared.transactions.repository import REQUEST_LABEL, Outcome, SaleRepository, check_same, payload_hash
from shared.transactions.rules import decide
from shared.wallet.model import Posting
from shared.wallet.rules import available


@dataclass(frozen=True, slots=True)
class Recorded:
    """The answer of a sale; ``replayed`` if it was recorded before."""

    answer: dict[str, Any]
    replayed: bool = False


def quote(scope: TenantScope, request: QuoteRequest) -> dict[str, Any]:
    """Price a basket (``api.QuoteAnswer``). Reads the member and her coupons; writes nothing."""
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
    given = gathering.circumstances(scope, at, catalogue, state)
    decided = decide(request, presented, given)
    decided.warnings += warnings
    balance = _balance(state, decided) if state is not None else None
    fields = decision_fields(decided, given.currency, balance, given.tier)
    return fields if state is None else {"member_id": state.member, **fields}


def record(scope: TenantScope, request: TransactionRequest, correlation: str = "", session: MemberSession | None = None) -> Recorded:
    """Record a finished sale, or answer the stored one.

    A sale with an unknown member is stored without one, with a warning, and may be claimed. Coupons or points that cannot
    be used are refused whole (``SaleRefused``, nothing stored), but for a settled offline sale, which is never refused.
    ``session`` keeps the member in memory over a batch.
    """
    sale = _Sale(scope, request, correlation)
    member = gathering.member_id(scope, request.member) if session is None else None
    try:
        if session is None and member is None:
            return sale.record_anonymous()
        return sale.record_for(session or MemberSession(scope, member or ""))
    except (UnknownMember, ErasedMember):
        return sale.record_anonymous()
    except SaleRefused:
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
        self.basket = request if request.hold_id is None else self._as_held(request.hold_id)
        self.presented = gathering.presented_coupons(scope, self.basket.coupons)
        self.catalogue: Mapping[str, CatalogueItem] = gathering.catalogue_for(scope, request)
        self.sales = SaleRepository(scope.tenant, scope.table)
        self.quota = QuotaWalk(CouponRepository(scope.tenant, scope.table), self.key.id("txn"))

    def _as_held(self, hold_id: str) -> TransactionRequest:
        """The basket with exactly what was held for it."""
        held = holds.load(self.scope, hold_id)
        coupons = tuple(CouponReference(id=id_) for id_ in held.coupons)
        return self.request.model_copy(update={"coupons": coupons, "points_to_spend": held.points})

    # -- with a member ----------------------------------------------------------------------------------------------

    def record_for(self, session: MemberSession) -> Recorded:
        """One conditional transaction about the member."""
        occasion = Occasion(self.at, self.correlation, self.request.mode)
        return session.change(occasion, self._decide, replay=self._replay)

    def _decide(self, state: MemberState, stale: Stale) -> Change[Recorded] | Done[Recorded]:
        self.presented = gathering.refreshed(self.scope, self.presented, stale)
        hold = self.request.hold_id
        if hold is not None and hold not in state.holds and not self.request.offline:
            stored = self.stored()
            if stored is None:
                raise HoldNotUsable("The hold was released, used, or has run out.")
            return Done(stored)
        given = self._circumstances(state)
        decided = self._settled(decide(self.basket, self.presented, given))
        self._choose_quota_shards(decided, stale)
        assert decided.visit is not None
        event = Purchased(
            at=self.at,
            transaction=self.key.id("txn"),
            visit=decided.visit,
            earned=tuple(decided.earned),
            spent=decided.spent,
            redeemed=tuple(each.coupon.id for each in decided.discounts),
            hold=hold,
            location=self.request.location_id,
            channel=self.request.channel,
        )

        def finish(after: MemberState, effects: Effects, batch: WriteBatch) -> Recorded:
            tier = after.tier.id if after.tier else None
            answer = self._answer(decided, given.currency, _balance(after, None), tier, after.member)
            spent = tuple(posting for entry in effects.entries for posting in entry.postings if posting.kind == "spend")
            self._add_record(batch, decided, answer, after.member, spent)
            self._add_coupons(batch, decided)
            if hold is not None:
                holds.add_end(batch, self.scope.tenant, hold, "committed")
            return Recorded(answer)

        return Change([event], finish, request=REQUEST_LABEL)

    def _circumstances(self, state: MemberState | None) -> Circumstances:
        historical, hold = self.request.mode == "historical", self.request.hold_id
        return gathering.circumstances(self.scope, self.at, self.catalogue, state, hold=hold, historical=historical)

    def _settled(self, decided: Decided) -> Decided:
        """Refuse a sale that counts on what cannot be used; a settled offline sale is taken as it is, with warnings."""
        if decided.refused and not self.request.offline:
            raise SaleRefused(decided.refused)
        decided.warnings += [Warned("offline_loss", f"/{each.subject}", each.detail) for each in decided.refused]
        return decided

    def _add_coupons(self, batch: WriteBatch, decided: Decided) -> None:
        coupons = CouponRepository(self.scope.tenant, self.scope.table)
        for each in decided.discounts:
            shard = self.quota.shards.get(each.coupon.offer)
            coupons.add_redeem(batch, each.coupon, self.key.id("txn"), self.request.hold_id, self.at, quota_shard=shard)
            if shard is not None:
                coupons.add_quota(batch, each.coupon.offer, shard)

    def _choose_quota_shards(self, decided: Decided, stale: Stale) -> None:
        """The shard of each limited offer that this sale uses; one that was refused leads to another that has room."""
        for each in decided.discounts:
            body = self._offer(each.coupon.offer, each.coupon.offer_version)
            if self.quota.choose(each.coupon.offer, body.limit if body is not None else None, stale):
                continue
            if self.request.offline:
                # A settled sale is never refused: the limit is overdrawn by it, and the warning says so.
                self.quota.shards.pop(each.coupon.offer, None)
                decided.warnings.append(Warned("offline_loss", "/coupons", "the offer's limit was used up"))
            else:
                raise SaleRefused([Refused(f"coupons/{each.coupon.id}", "exhausted", "All coupons of this offer are used up.")])

    def _offer(self, offer: str, version: int) -> OfferBody | None:
        return self.scope.definitions.offer(offer, version)

    # -- without a member -------------------------------------------------------------------------------------------

    def record_anonymous(self) -> Recorded:
        """One conditional write: the sale is its own record, and tells of itself."""
        return commit(self.scope.table, self._plan_anonymous, effort=self.scope.effort(), replay=self._replay)

    def _plan_anonymous(self, stale: Stale) -> Plan[Recorded]:
        self.presented = gathering.refreshed(self.scope, self.presented, stale)
        given = self._circumstances(None)
        decided = decide(self.basket, self.presented, given)
        if self.request.member is not None:
            decided.warnings.append(_unknown_member())
        decided = self._settled(decided)
        self._choose_quota_shards(decided, stale)
        answer = self._answer(decided, given.currency, None, None, None)
        assert decided.visit is not None
        data: dict[str, object] = {"transaction": self.key.id("txn"), "value": decided.visit.value, "location": self.request.location_id}
        event = DomainEvent("transaction.recorded_anonymously", self.at, data | {"channel": self.request.channel})
        batch = WriteBatch()
        out = envelope([event], Stamp(self.scope.clock(), self.correlation, self.request.mode))
        self._add_record(batch, decided, answer, None, (), out)
        self._add_coupons(batch, decided)
        return Plan(batch, Recorded(answer), REQUEST_LABEL)

    # -- both -------------------------------------------------------------------------------------------------------

    def _add_record(
        self,
        batch: WriteBatch,
        decided: Decided,
        answer: dict[str, Any],
        member: str | None,
        spent: tuple[Posting, ...],
        out: str | None = None,
    ) -> None:
        assert decided.visit is not None
        coupons = tuple(each.coupon.id for each in decided.discounts)
        outcome = Outcome(answer, decided.visit, tuple(decided.earned), spent, coupons)
        basket = self.request.model_dump(mode="json", exclude_defaults=True)
        self.sales.add_new(batch, self.key, self.hash, basket, outcome, member, out)

    def _answer(self, decided: Decided, currency: str, balance: int | None, tier: str | None, member: str | None) -> dict[str, Any]:
        return sale_answer(self.key, self.request, self.at, member, decision_fields(decided, currency, balance, tier))

    def stored(self) -> Recorded | None:
        """The answer of this very sale, if it was recorded before."""
        try:
            sale = self.sales.get(self.key)
        except UnknownTransaction:
            return None
        check_same(sale.hash, self.hash)
        return Recorded(sale.answer, replayed=True)

    def _replay(self, raw: RawItem) -> Recorded:
        sale = self.sales.decode(self.key, raw)
        check_same(sale.hash, self.hash)
        return Recorded(sale.answer, replayed=True)


def sale_answer(
    key: NaturalKey, request: TransactionRequest, at: Instant, member: str | None, decision: dict[str, Any]
) -> dict[str, Any]:
    """``api.TransactionAnswer`` of a recorded sale."""
    answer: dict[str, Any] = {"transaction_id": key.id("txn"), "status": "recorded"}
    if member is not None:
        answer["member_id"] = member
    answer |= {"occurred_at": format_rfc3339(at), "location_id": request.location_id, "receipt_number": request.receipt_number}
    return answer | decision


def read_sale(scope: TenantScope, key: NaturalKey) -> dict[str, Any]:
    """A recorded sale as answered, with its present status. 1 read."""
    sale = SaleRepository(scope.tenant, scope.table).get(key)
    answer = dict(sale.answer)
    answer["status"] = sale.status
    return answer


def _balance(state: MemberState, decided: Decided | None) -> int:
    """Available points over all wallets; after a quote's own effect, where one is given."""
    balance = sum(available(wallet, state.holds, name) for name, wallet in state.wallets.items())
    if decided is None:
        return balance
    earned_now = sum(posting.points for posting in decided.earned if posting.available_at == 0)
    return balance + earned_now - sum(decided.spent.values())


def _unknown_member() -> Warned:
    return Warned("unknown_member", "/member", "no such member; stored without one, it may be claimed")
