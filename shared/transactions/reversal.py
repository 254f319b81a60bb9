"""Undo a sale: a return (it came back) or a void (as if it never was). Exactly what the sale left is reversed, once.

Points earned are taken back from the very lots they went to; points spent return with the expiry that they had; coupons
are active again; the profile loses the visit. A return is safe to repeat by its own natural key, a void by the sale's id.
"""

from __future__ import annotations

from typing import Any, Literal

from shared.coupons.model import Coupon
from shared.coupons.repository import CouponRepository
from shared.kernel.instants import Instant, parse_rfc3339
from shared.member_state.errors import ErasedMember, UnknownMember
from shared.member_state.events import DomainEvent, Effects, Reversed
from shared.member_state.model import HeldCoupon, MemberState
from shared.member_state.repository import Stamp, envelope
from shared.member_state.service import Change, MemberSession, Occasion
from shared.storage import keys
from shared.storage.commit import Plan, Stale, commit
from shared.storage.errors import RawItem
from shared.storage.expressions import Path
from shared.storage.items import RequestItem
from shared.storage.packing import pack, unpack
from shared.storage.table import WriteBatch
from shared.tenants.scope import TenantScope
from shared.transactions import gathering
from shared.transactions.api import LookupRequest, ReturnRequest, ReversalAnswer
from shared.transactions.errors import AlreadyReversed
from shared.transactions.model import NaturalKey
from shared.transactions.repository import REQUEST_LABEL, SaleRecord, SaleRepository, check_same, natural_key, payload_hash
from shared.transactions.service import Recorded
from shared.wallet.rules import available

ReversalKind = Literal["return", "void"]


def record_return(scope: TenantScope, request: ReturnRequest, correlation: str = "") -> Recorded:
    """A whole sale comes back."""
    original = natural_key(request.transaction_id) if request.transaction_id else lookup_key(request.original)
    own = gathering.natural_key(request)
    at = min(parse_rfc3339(request.occurred_at), scope.clock())
    reversal = _Reversal(scope, "return", original, own, payload_hash(request), at, correlation)
    return reversal.carry_out()


def void(scope: TenantScope, transaction_id: str, correlation: str = "") -> Recorded:
    """A cancelled sale: as if it never was."""
    original = natural_key(transaction_id)
    reversal = _Reversal(scope, "void", original, original, b"void", scope.clock(), correlation)
    return reversal.carry_out()


def lookup_key(request: LookupRequest | None) -> NaturalKey:
    """The natural key that a look-up names."""
    assert request is not None
    return NaturalKey(request.source, request.location_id, request.business_date, request.till_id or "", request.receipt_number)


class _Reversal:
    """One reversal being carried out."""

    def __init__(
        self, scope: TenantScope, kind: ReversalKind, original: NaturalKey, own: NaturalKey, hash_: bytes, at: Instant, correlation: str
    ) -> None:
        self.scope = scope
        self.kind: ReversalKind = kind
        self.original = original
        self.own = own
        self.hash = hash_
        self.at = at
        self.correlation = correlation
        self.sales = SaleRepository(scope.tenant, scope.table)
        self.coupons = CouponRepository(scope.tenant, scope.table)

    def carry_out(self) -> Recorded:
        """Reverse, or answer the stored answer of the same reversal."""
        sale = self.sales.get(self.original)
        if sale.status != "recorded":
            return self._answered_before()
        try:
            if sale.member is not None:
                session = MemberSession(self.scope, sale.member)
                occasion = Occasion(self.at, self.correlation)
                return session.change(occasion, lambda state, stale: self._decide(sale, state, stale), replay=self._replay)
        except (UnknownMember, ErasedMember):
            pass
        return self._anonymous(sale)

    def _decide(self, sale: SaleRecord, _state: MemberState, stale: Stale) -> Change[Recorded]:
        if "sale" in stale:
            raise AlreadyReversed
        came_back = self._coupons_of(sale)
        reissued = {each.id: HeldCoupon(each.offer, "active", each.active_from, each.expires_at) for each in came_back}
        event = Reversed(self.at, sale.id, self.kind, sale.visit, sale.earned, sale.spent, reissued)

        def finish(after: MemberState, effects: Effects, batch: WriteBatch) -> Recorded:
            postings = [posting for entry in effects.entries if entry.reference == sale.id for posting in entry.postings]
            balance = sum(available(wallet, after.holds, name) for name, wallet in after.wallets.items())
            answer = self._answer(
                sale,
                reversed_points=-sum(each.points for each in postings if each.kind == "reverse"),
                given_back=sum(each.points for each in postings if each.kind == "give_back"),
                coupons=came_back,
                balance=balance,
            )
            self._add(batch, sale, came_back, answer)
            return Recorded(answer)

        return Change([event], finish, request=REQUEST_LABEL)

    def _anonymous(self, sale: SaleRecord) -> Recorded:
        came_back = self._coupons_of(sale)
        answer = self._answer(sale, reversed_points=0, given_back=0, coupons=came_back, balance=None)
        type_ = "transaction.returned_anonymously" if self.kind == "return" else "transaction.voided_anonymously"
        event = DomainEvent(type_, self.at, {"transaction": sale.id, "value": sale.visit.value})
        out = envelope([event], Stamp(self.scope.clock(), self.correlation))

        def plan(stale: Stale) -> Plan[Recorded]:
            if "sale" in stale:
                raise AlreadyReversed
            batch = WriteBatch()
            self._add(batch, sale, came_back, answer, out)
            return Plan(batch, Recorded(answer), REQUEST_LABEL)

        return commit(self.scope.table, plan, effort=self.scope.effort(), replay=self._replay)

    def _coupons_of(self, sale: SaleRecord) -> list[Coupon]:
        """The coupons that this sale redeemed and that are still its own."""
        found = self.coupons.get_many(list(sale.coupons)).values() if sale.coupons else []
        return [each for each in found if each.state == "redeemed" and each.redeemed_basket == sale.id]

    def _add(
        self, batch: WriteBatch, sale: SaleRecord, came_back: list[Coupon], answer: dict[str, Any], out: str | None = None
    ) -> None:
        """The reversal's own record, the sale's new status, its coupons and quota."""
        key = keys.request(self.scope.tenant, self.kind, self.own.source, self.own.text())
        record = RequestItem.at(key, hash=self.hash, body=pack(answer), status="recorded", member=sale.member)
        batch.put(REQUEST_LABEL, record, Path("PK").does_not_exist(), old=True)
        self.sales.add_change(batch, sale, "returned" if self.kind == "return" else "voided", out)
        for coupon in came_back:
            self.coupons.add_reissue(batch, coupon, sale.id)
            if coupon.quota_shard is not None:
                self.coupons.add_quota_return(batch, coupon.offer, coupon.quota_shard)

    def _answer(
        self, sale: SaleRecord, *, reversed_points: int, given_back: int, coupons: list[Coupon], balance: int | None
    ) -> dict[str, Any]:
        answer = ReversalAnswer(
            transaction_id=sale.id,
            reversal_id=self.own.id("ret" if self.kind == "return" else "void"),
            kind=self.kind,
            points_reversed=reversed_points,
            points_given_back=given_back,
            coupons_reissued=tuple(each.id for each in coupons),
            balance=balance,
        )
        return answer.model_dump(mode="json", exclude_none=True)

    def _answered_before(self) -> Recorded:
        raw = self.scope.table.get(keys.request(self.scope.tenant, self.kind, self.own.source, self.own.text()))
        if raw is None:
            raise AlreadyReversed
        return self._replay(raw)

    def _replay(self, raw: RawItem) -> Recorded:
        item = RequestItem.read(raw)
        check_same(item.hash, self.hash)
        answer: dict[str, Any] = unpack(item.body)
        if answer["transaction_id"] != self.original.id("txn"):
            raise AlreadyReversed
        return Recorded(answer, replayed=True)
